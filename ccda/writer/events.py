"""Procedures, encounters, plans and concerns, care teams and notes.

C-CDA R2.1: 3.82 to 3.84, 3.26, 3.66 to 3.72, 3.38; companion guide 4.500 and 4.202.
"""

from collections.abc import Iterable, Sequence
from typing import Final

from ccda.hl7v3 import CD
from ccda.writer.elements import Element, add, set_type, template
from ccda.writer.medications import write_administration, write_product, write_status_code
from ccda.writer.participants import (
    write_indications,
    write_parties,
    write_performers,
    write_place,
    write_priority,
    write_product_instances,
    write_specimens,
)
from ccda.writer.results import apart
from ccda.writer.rows import (
    Row,
    is_denied,
    relation,
    statement,
    write_authors,
    write_own_id,
    write_provenance,
    write_reference,
    write_when,
)
from ccda.writer.values import (
    UNKNOWN,
    code_of,
    is_coded,
    list_of,
    write_code,
    write_interval,
    write_value,
)

_ARC: Final = "2.16.840.1.113883.10.20.22.4."
_LOINC: Final = "2.16.840.1.113883.6.1"
_CLASS_CODES: Final = {
    "act": "ACT", "encounter": "ENC", "observation": "OBS", "procedure": "PROC",
    "substanceAdministration": "SBADM", "supply": "SPLY",
}  # fmt: skip
_GIVEN: Final = frozenset(("substanceAdministration", "supply"))
_PROCEDURES: Final = {"act": "12", "observation": "13", "procedure": "14"}
# Planned act, encounter, procedure, medication, supply, observation; those that must be active.
_PLANNED: Final = {
    "act": "39", "encounter": "40", "procedure": "41", "substanceAdministration": "42",
    "supply": "43", "observation": "44",
}  # fmt: skip
# What CDA lets each statement be (x_DocumentActMood and its kin), and what the templates do.
_COMMON_MOODS: Final = frozenset(("EVN", "INT", "PRMS", "PRP", "RQO"))
_MOODS: Final = {
    "act": _COMMON_MOODS | {"APT", "ARQ"}, "encounter": _COMMON_MOODS | {"APT", "ARQ"},
    "procedure": _COMMON_MOODS | {"APT", "ARQ"}, "observation": _COMMON_MOODS | {"GOL"},
    "substanceAdministration": _COMMON_MOODS, "supply": _COMMON_MOODS,
}  # fmt: skip
_PLANNED_MOODS: Final = frozenset(("INT", "PRMS", "PRP", "RQO", "ARQ", "APT"))
_NEVER_NEGATED: Final = frozenset(("encounter", "supply"))
"""What has no negationInd (CDA R2: 4.3.6)."""
_HEALTH_CONCERN: Final = ("75310-3", _LOINC)
_ACTIVE_ONLY: Final = frozenset(("act", "substanceAdministration", "supply", "observation"))


def _entry(section: Element) -> Element:
    return add(section, "entry", typeCode="DRIV")


def _write_sites(parent: Element, row: Row) -> None:
    for form in list_of(row.detail("target_site")):
        code = code_of(form)
        if code is not None and is_coded(code):
            write_code(parent, "targetSiteCode", code)


def _write_methods(parent: Element, row: Row) -> None:
    for form in list_of(row.detail("method")):
        code = code_of(form)
        if code is not None and is_coded(code):
            write_code(parent, "methodCode", code)


def _write_text(parent: Element, row: Row) -> None:
    write_reference(parent, f"{row.anchor}-text" if row.said else row.anchor)


def _with_value(row: Row, name: str) -> str:
    """The statement that `row` is, `name` where it can be: of all these CDA gives only an
    observation a value. One that is no observation's in that mood is told in words alone.
    """
    may_observe = row.line.mood is None or row.line.mood in _MOODS["observation"]
    is_observed = row.value is not None and name in ("act", "procedure")
    return "observation" if is_observed and may_observe else name


# ---- procedures and encounters ---------------------------------------------------------------


def write_procedures(section: Element, rows: Iterable[Row]) -> None:
    """Procedure Activity Procedure (4.14), Observation (4.13) or Act (4.12)."""
    for row in rows:
        told = row.line.details.get("statement")
        name = _with_value(row, told if told in _PROCEDURES else "procedure")
        negated = row.line.negated or None
        mood = row.mood(_MOODS[name])
        done = statement(_entry(section), name, _CLASS_CODES[name], mood, negated=negated)
        if mood == "EVN" or (mood == "INT" and name != "act"):
            template(done, _ARC + _PROCEDURES[name], "2014-06-09")
        write_own_id(done, row)
        write_code(done, "code", row.line.code, words=row.words)
        write_reference(done, row.anchor)
        write_status_code(done, row)
        write_when(done, row)
        write_priority(done, row)
        if name == "observation":
            write_value(done, row.value, row.unit)
        if name != "act":
            _write_methods(done, row)
            _write_sites(done, row)
        write_specimens(done, row)
        write_performers(done, row)
        write_authors(done, row)
        write_product_instances(done, row)
        write_place(done, row)
        write_parties(done, row, "participant")
        write_indications(done, row)
        write_provenance(done, row)


def write_encounters(section: Element, rows: Iterable[Row]) -> None:
    """Encounter Activity (4.49); its diagnoses stand among the problems.

    CDA cannot deny an encounter: that one was not is told in the narrative alone.
    """
    for row in rows:
        if row.line.negated:
            continue
        mood = row.mood(_MOODS["encounter"])
        encounter = statement(_entry(section), "encounter", "ENC", mood)
        if mood == "EVN":
            template(encounter, f"{_ARC}49", "2015-08-01")
        write_own_id(encounter, row)
        write_code(encounter, "code", row.line.code, words=row.words)
        _write_text(encounter, row)
        write_status_code(encounter, row)
        write_when(encounter, row)
        write_priority(encounter, row)
        write_performers(encounter, row)
        write_authors(encounter, row)
        write_place(encounter, row)
        write_parties(encounter, row, "participant")
        write_indications(encounter, row)
        write_provenance(encounter, row)


# ---- plans -----------------------------------------------------------------------------------


def write_plans(section: Element, rows: Iterable[Row]) -> None:
    """Planned statements; one whose mood is not told is the weakest, an intent."""
    for row in rows:
        told = row.line.details.get("statement")
        name = _with_value(row, told if told in _PLANNED else "act")
        negated = row.line.negated or None
        if negated and name in _NEVER_NEGATED:
            name = "act"
        mood = row.mood(_MOODS[name], "INT")
        planned = statement(_entry(section), name, _CLASS_CODES[name], mood, negated=negated)
        is_given = name in _GIVEN
        if mood in _PLANNED_MOODS and _is_planned(row, name):
            template(planned, _ARC + _PLANNED[name], "2014-06-09")
        write_own_id(planned, row)
        if not is_given:
            write_code(planned, "code", row.line.code, words=row.words)
        _write_text(planned, row)
        write_status_code(planned, row)
        _write_planned_time(planned, row, name)
        _write_planned_content(planned, row, name)
        write_performers(planned, row)
        write_authors(planned, row)
        write_place(planned, row)
        write_parties(planned, row, "participant")
        write_indications(planned, row)
        write_provenance(planned, row)


def _is_planned(row: Row, name: str) -> bool:
    if name in _ACTIVE_ONLY and (row.status != "active" or row.line.negated):
        return False
    return name != "substanceAdministration" or row.start is not None


def _write_planned_time(planned: Element, row: Row, name: str) -> None:
    if row.start is None and row.end is None:
        return
    time = write_when(planned, row)
    if len(time) and name in _GIVEN:
        set_type(time, "IVL_TS")


def _write_planned_content(planned: Element, row: Row, name: str) -> None:
    write_priority(planned, row)
    if name == "substanceAdministration":
        write_administration(planned, row)
        write_product(planned, row, "23")
    elif name == "supply":
        write_product(planned, row, "23", "product")
    elif name == "observation" and row.value is not None:
        write_value(planned, row.value, row.unit)
    if name in ("observation", "procedure"):
        _write_sites(planned, row)


def write_concerns(section: Element, rows: Iterable[Row]) -> None:
    """Health Concern Act (4.132), which is one of that code alone."""
    for row in rows:
        code = row.line.code
        name = "act" if row.value is None else "observation"
        negated = row.line.negated or None
        act = statement(_entry(section), name, _CLASS_CODES[name], negated=negated)
        if name == "act" and code is not None and (code.code, code.system) == _HEALTH_CONCERN:
            template(act, f"{_ARC}132", "2015-08-01")
        write_own_id(act, row)
        write_code(act, "code", code, words=row.words)
        write_reference(act, row.anchor)
        write_status_code(act, row)
        write_when(act, row)
        if row.value is not None:
            write_value(act, row.value, row.unit)
        write_performers(act, row)
        write_authors(act, row)
        for number, form in enumerate(list_of(row.detail("concerns")), 1):
            _write_gathered(act, row, number, form)
        write_provenance(act, row)


def _write_gathered(act: Element, row: Row, number: int, form: object) -> None:
    condition = code_of(form)
    if condition is not None:
        held = relation(act, "REFR")
        inner = statement(held, "observation", "OBS", negated=is_denied(form))
        write_own_id(inner, row, f"-about-{number}")
        write_code(inner, "code", CD("ASSERTION", "2.16.840.1.113883.5.4"))
        add(inner, "statusCode", code="completed")
        write_code(inner, "value", condition, type_name="CD")


# ---- care teams and notes --------------------------------------------------------------------


def write_care_team(section: Element, rows: Sequence[Row]) -> None:
    """Care Team Organizer (4.500) with its members (4.500.1)."""
    teams, members = apart(rows)
    for row in teams:
        if not row.line.negated:  # CDA cannot deny an organizer: that is told in words alone
            _write_team(section, row, [])
    if members:
        _write_team(section, None, members)


def _write_team(section: Element, row: Row | None, members: Sequence[Row]) -> None:
    organizer = statement(_entry(section), "organizer", "CLUSTER")
    template(organizer, f"{_ARC}500", "2019-07-01")
    write_own_id(organizer, row or members[0], "-team")
    code = CD("86744-0", _LOINC, "Care team") if row is None else row.line.code
    write_code(organizer, "code", code, words=row.words if row is not None else None)
    if row is None:
        add(organizer, "statusCode", nullFlavor=UNKNOWN)
    else:
        write_status_code(organizer, row)
        write_interval(organizer, row.start, row.end)
        write_authors(organizer, row)
    for member in members:
        _write_member(add(organizer, "component"), member)


def _write_member(component: Element, row: Row) -> None:
    act = statement(component, "act", "PCPR", negated=row.line.negated or None)
    template(act, f"{_ARC}500.1", "2019-07-01")
    write_own_id(act, row)
    write_code(act, "code", row.line.code, words=row.words)
    _write_text(act, row)
    write_status_code(act, row)
    write_interval(act, row.start, row.end)
    write_performers(act, row, "PRF")
    write_authors(act, row)
    write_provenance(act, row, comment=False)


def write_notes(section: Element, rows: Iterable[Row]) -> None:
    """Note Activity (4.202): the words stand in the narrative."""
    for row in rows:
        act = statement(_entry(section), "act", "ACT", negated=row.line.negated or None)
        template(act, f"{_ARC}202", "2016-11-01")
        write_own_id(act, row)
        write_code(act, "code", row.line.code, words=row.words)
        _write_text(act, row)
        write_status_code(act, row)
        write_when(act, row)
        write_performers(act, row)
        write_authors(act, row)
        write_parties(act, row, "participant")
        write_provenance(act, row)
