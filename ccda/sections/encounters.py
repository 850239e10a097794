"""Encounters and what was diagnosed in them (C-CDA R2.1: 3.26 Encounter Activity, 4.49)."""

from collections.abc import Iterator
from typing import Final

from ccda.hl7v3 import SDTC
from ccda.model import Entry
from ccda.narrative import Narrative
from ccda.sections.entry import make_entry
from ccda.sections.form import read_code, without_none
from ccda.sections.medications import indications
from ccda.sections.participants import read_location, read_performers
from ccda.sections.problems import is_diagnosis, read_problem
from ccda.sections.statement import Statement, walk
from ccda.sections.times import read_times

_DISPOSITION: Final = f"{{{SDTC}}}dischargeDispositionCode"
_OUTSIDE_OBSERVATIONS: Final = frozenset("act organizer encounter procedure".split())


def read(top: Statement, narrative: Narrative) -> Iterator[Entry]:
    """Encounters, each followed by its diagnoses, which name it as their parent."""
    for statement in walk(top, _OUTSIDE_OBSERVATIONS):
        if statement.name == "encounter" and not _is_within_encounter(statement):
            yield read_encounter(statement, narrative)
        elif is_diagnosis(statement):
            yield read_problem(statement, narrative)


def read_encounter(statement: Statement, narrative: Narrative) -> Entry:
    disposition = statement.one(_DISPOSITION)
    if disposition is None:
        disposition = statement.one("dischargeDispositionCode")
    code, times = narrative.code(statement.one("code")), read_times(statement)
    location = read_location(statement, narrative)
    is_none = code is not None and code.null_flavor == "NI"
    is_dated = any(time and time.value for time in (times.start, times.end, times.time))
    return make_entry(
        statement,
        "encounter",
        narrative,
        code=code,
        times=times,
        says_more=not is_none and (is_dated or location is not None),
        details=without_none(
            location=location,
            performer=read_performers(statement, narrative),
            discharge_disposition=read_code(disposition, narrative),
            priority=read_code(statement.one("priorityCode"), narrative),
            indication=indications(statement, narrative),
        ),
    )


def _is_within_encounter(statement: Statement) -> bool:
    return any(above.name == "encounter" for above in statement.ancestors())
