"""Functional and mental status (C-CDA R2.1: 2.25 and 2.42): findings, scales, and their groups."""

from collections.abc import Iterator
from typing import Any, Final

from ccda.model import Entry, Kind
from ccda.narrative import Narrative
from ccda.sections.entry import make_entry
from ccda.sections.form import name_of, without_none
from ccda.sections.no_information import names_nothing
from ccda.sections.products import playing_device_code, read_product
from ccda.sections.results import observation_details
from ccda.sections.statement import Statement, walk
from ccda.sections.value import read_value
from ccda.sections.wrappers import unwrapped

_ACT: Final = frozenset(("act",))
_HELD_BY_ACTS: Final[frozenset[Kind]] = frozenset(("advance_directive", "goal"))
GROUPS: Final = frozenset(
    ("organizer", "procedure", "encounter", "substanceAdministration", "supply")
)


def read_functional_status(top: Statement, narrative: Narrative) -> Iterator[Entry]:
    return read_findings("functional_status", top, narrative)


def read_mental_status(top: Statement, narrative: Narrative) -> Iterator[Entry]:
    return read_findings("mental_status", top, narrative)


def read_findings(
    kind: Kind, top: Statement, narrative: Narrative, **details_of_kind: Any
) -> Iterator[Entry]:
    """Each finding outside another, and each group of findings; groups are their parents."""
    for statement in findings_in(kind, top, narrative):
        yield read_finding(kind, statement, narrative, **details_of_kind)


def findings_in(kind: Kind, top: Statement, narrative: Narrative) -> Iterator[Statement]:
    """Groups and findings, also those that an act of no meaning of its own holds."""
    for outer in walk(top, GROUPS):
        if outer.name != "act" or kind not in _HELD_BY_ACTS:
            yield outer
            continue
        for statement in unwrapped(outer, narrative, _ACT):
            yield from walk(statement, GROUPS)


def read_finding(
    kind: Kind, statement: Statement, narrative: Narrative, **details_of_kind: Any
) -> Entry:
    value = read_value(statement.one("value"), narrative)
    details = observation_details(statement, value, narrative)
    details |= without_none(**details_of_kind)
    code, name = narrative.code(statement.one("code")), None
    if statement.name == "organizer":
        details["panel"] = True
    elif statement.name in ("supply", "substanceAdministration") and names_nothing(
        code, name_of(code)
    ):
        product = read_product(statement, narrative)
        played = narrative.code(playing_device_code(statement))
        code, name = product.code or played or code, product.name
    return make_entry(
        statement,
        kind,
        narrative,
        code=code,
        name=name,
        value=value,
        no_information=False if details.get("panel") and statement.inner else None,
        details=details,
    )
