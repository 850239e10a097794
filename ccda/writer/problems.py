"""Problems and allergies: a concern act around the observation (C-CDA R2.1: 3.77, 3.5)."""

from collections.abc import Callable, Iterable
from typing import Final

from ccda.hl7v3 import CD
from ccda.templates import QUALIFIER_CODES
from ccda.writer.elements import Element, add, set_type, template
from ccda.writer.participants import spoken, write_ids_of, write_performers, write_priority
from ccda.writer.rows import (
    Row,
    is_denied,
    relation,
    statement,
    write_authors,
    write_own_id,
    write_provenance,
    write_reference,
)
from ccda.writer.values import (
    UNKNOWN,
    code_of,
    is_coded,
    list_of,
    write_code,
    write_interval,
    write_quantity,
)

_ARC: Final = "2.16.840.1.113883.10.20.22.4."
PROBLEM_CONCERN: Final = f"{_ARC}3"
ALLERGY_CONCERN: Final = f"{_ARC}30"
_LOINC: Final = "2.16.840.1.113883.6.1"
_SNOMED: Final = "2.16.840.1.113883.6.96"
_ACT_CODE: Final = "2.16.840.1.113883.5.4"
ASSERTION: Final = CD("ASSERTION", _ACT_CODE)

# The words of `ccda.sections.status`, as ProblemStatus writes them.
STATUS_CODES: Final = {
    "active": "55561003", "inactive": "73425007", "resolved": "413322009",
    "recurrence": "246455001", "relapse": "263855007", "remission": "277022003",
    "chronic": "90734009", "intermittent": "7087005", "rule out": "415684004",
    "ruled out": "410516002", "history of": "392521001", "on hold": "421139008",
}  # fmt: skip
_CONCERN_STATUS: Final = {"completed": "completed", "stopped": "aborted", "suspended": "suspended"}
_CONCERN_STATUSES: Final = frozenset("active completed aborted suspended".split())
_ENDED: Final = frozenset("resolved completed inactive".split())
# C-CDA R2.1: Problem Type, SNOMED CT to its LOINC translation.
TYPE_TRANSLATIONS: Final = {
    "55607006": "75326-9", "64572001": "75323-6", "282291009": "29308-4", "404684003": "75321-0",
    "409586006": "75322-8", "248536006": "75319-4", "418799008": "75325-1", "373930000": "75275-8",
}  # fmt: skip

# The widest of Allergy and Intolerance Type: a propensity to adverse reactions, to whatever.
_ANY_ALLERGY: Final = CD("420134006", _SNOMED, "Propensity to adverse reactions")


def write_problems(section: Element, rows: Iterable[Row]) -> None:
    for row in rows:
        _write_concern(section, row, PROBLEM_CONCERN, _write_problem)


def write_allergies(section: Element, rows: Iterable[Row]) -> None:
    for row in rows:
        _write_concern(section, row, ALLERGY_CONCERN, _write_allergy)


# ---- the concern -----------------------------------------------------------------------------


def _write_concern(
    section: Element, row: Row, root: str, observe: Callable[[Element, Row], None]
) -> None:
    act = statement(add(section, "entry", typeCode="DRIV"), "act", "ACT")
    if row.status is not None and not _is_in_error(row):
        template(act, root, "2015-08-01")
    write_own_id(act, row, "-concern")
    write_code(act, "code", CD("CONC", "2.16.840.1.113883.5.6", "Concern"))
    status = _concern_status(row)
    add(act, "statusCode", code=status, nullFlavor=None if status else UNKNOWN)
    tracked = row.line.details.get("concern")
    tracked = tracked if isinstance(tracked, dict) else {}
    start, end = tracked.get("start") or tracked.get("time"), tracked.get("end")
    write_interval(act, start, end, has_ended=status in _ENDED)
    write_authors(act, row)
    observe(relation(act, "SUBJ"), row)


def _concern_status(row: Row) -> str | None:
    """As it was tracked; else what the clinical status says of it."""
    if _is_in_error(row):
        return row.status
    if row.status in _CONCERN_STATUS:
        return _CONCERN_STATUS[row.status]
    tracked = row.line.details.get("concern")
    told = str(tracked.get("status")) if isinstance(tracked, dict) else ""
    if row.status is None:
        return None
    if told in _CONCERN_STATUSES:
        return told
    return "completed" if row.status in _ENDED else "active"


def _is_in_error(row: Row) -> bool:
    """Entered in error: no template of C-CDA admits that status, and nothing else would be true."""
    return row.status == "nullified"


def write_status(
    parent: Element, row: Row, root: str | None, extension: str | None, type_name: str = "CD"
) -> None:
    """Problem Status (4.6): the clinical status where the concern's own does not say it."""
    is_told = row.status in _CONCERN_STATUS or _is_in_error(row)
    if row.status is None or is_told or row.line.negated:
        return
    inner = statement(relation(parent, "REFR"), "observation", "OBS")
    if root is not None:
        template(inner, root, extension)
    write_code(inner, "code", CD("33999-4", _LOINC, "Status"))
    add(inner, "statusCode", code="completed")
    known = STATUS_CODES.get(row.status)
    word = CD(known, _SNOMED, row.status) if known else CD(None, original_text=row.status)
    write_code(inner, "value", word, type_name=type_name, null_flavor="OTH")


# ---- the observations ------------------------------------------------------------------------


def _claim(observation: Element, row: Row, kind: str, extension: str) -> None:
    """The template, which demands a statusCode: one that nobody told cannot be read as given."""
    if row.status is not None and not _is_in_error(row):
        template(observation, _ARC + kind, extension)


def _write_observed(observation: Element, row: Row) -> None:
    code = None if row.status is None else "nullified" if _is_in_error(row) else "completed"
    add(observation, "statusCode", code=code, nullFlavor=None if code else UNKNOWN)


def _write_problem(parent: Element, row: Row) -> None:
    """Problem Observation (C-CDA R2.1: 3.78, 4.4)."""
    observation = statement(parent, "observation", "OBS", negated=row.line.negated or None)
    _claim(observation, row, "4", "2015-08-01")
    write_own_id(observation, row)
    write_code(observation, "code", problem_type(row))
    write_reference(observation, row.anchor)
    _write_observed(observation, row)
    write_interval(observation, row.start, row.end, has_ended=row.status == "resolved")
    write_priority(observation, row)
    write_code(observation, "value", row.line.code, words=row.words, type_name="CD")
    _write_site(observation, row)
    write_performers(observation, row)
    write_authors(observation, row)
    write_age(observation, row)
    _write_coded(observation, row, "severity", ("8", "2014-06-09"), CD("SEV", _ACT_CODE))
    write_status(observation, row, f"{_ARC}6", "2019-06-20")
    write_provenance(observation, row)


def problem_type(row: Row) -> CD | None:
    """Which kind of problem, with the LOINC translation that the value set gives it."""
    given = code_of(row.detail("type"))
    if given is not None and given.code in QUALIFIER_CODES:
        return None  # by such a code others would take the problem for a part of something
    if given is None or given.code not in TYPE_TRANSLATIONS or given.system != _SNOMED:
        return given
    other = CD(TYPE_TRANSLATIONS[given.code], _LOINC, given.display)
    return CD(given.code, given.system, given.display, translations=(other,))


def write_age(parent: Element, row: Row) -> None:
    """Age Observation (4.31)."""
    age = row.detail("age")
    if not isinstance(age, dict) or not age.get("value") or not age.get("unit"):
        return
    inner = statement(relation(parent, "SUBJ", inverted=True), "observation", "OBS")
    template(inner, f"{_ARC}31")
    write_code(inner, "code", CD("445518008", _SNOMED, "Age at onset"))
    add(inner, "statusCode", code="completed")
    value = write_quantity(inner, "value", age)
    if value is None or value.get("unit") is None:
        holder = inner.getparent()
        if holder is not None:
            parent.remove(holder)
        return
    set_type(value, "PQ")


def _write_site(parent: Element, row: Row) -> None:
    for form in list_of(row.detail("target_site")):
        write_code(parent, "targetSiteCode", code_of(form))


def _write_coded(
    parent: Element, row: Row, detail: str, kind: tuple[str, str | None], asked: CD
) -> None:
    for form in list_of(row.detail(detail)):
        answer = code_of(form)
        if answer is not None:
            write_answer(parent, answer, kind, asked)


def write_answer(parent: Element, answer: CD, kind: tuple[str, str | None], asked: CD) -> None:
    """A qualifying observation: severity (4.8), criticality (4.145)."""
    inner = statement(relation(parent, "SUBJ", inverted=True), "observation", "OBS")
    template(inner, _ARC + kind[0], kind[1])
    write_code(inner, "code", asked)
    add(inner, "statusCode", code="completed")
    write_code(inner, "value", spoken(answer), type_name="CD")


def _write_allergy(parent: Element, row: Row) -> None:
    """Allergy - Intolerance Observation (C-CDA R2.1: 3.6, 4.7)."""
    observation = statement(parent, "observation", "OBS", negated=row.line.negated or None)
    _claim(observation, row, "7", "2014-06-09")
    write_own_id(observation, row)
    write_code(observation, "code", ASSERTION)
    write_reference(observation, row.anchor)
    _write_observed(observation, row)
    write_interval(observation, row.start, row.end)
    kind = code_of(row.detail("type"))
    kind = kind if kind is not None and is_coded(kind) else _ANY_ALLERGY
    write_code(observation, "value", kind, type_name="CD")
    write_performers(observation, row)
    write_authors(observation, row)
    participant = add(observation, "participant", typeCode="CSM")
    role = add(participant, "participantRole", classCode="MANU")
    entity = add(role, "playingEntity", classCode="MMAT")
    write_code(entity, "code", row.line.code, words=row.words)
    criticality = CD("82606-5", _LOINC, "Allergy or intolerance criticality")
    _write_coded(observation, row, "criticality", ("145", None), criticality)
    _write_coded(observation, row, "severity", ("8", "2014-06-09"), CD("SEV", _ACT_CODE))
    write_status(observation, row, f"{_ARC}28", "2019-06-20", "CE")
    for number, form in enumerate(list_of(row.detail("reaction")), 1):
        _write_reaction(observation, row, number, form)
    write_provenance(observation, row)


def _write_reaction(parent: Element, row: Row, number: int, form: object) -> None:
    """Reaction Observation (4.9)."""
    reaction = code_of(form)
    if reaction is None:
        return
    held = relation(parent, "MFST", inverted=True)
    inner = statement(held, "observation", "OBS", negated=is_denied(form))
    template(inner, f"{_ARC}9", "2014-06-09")
    write_ids_of(inner, form, row, f"-reaction-{number}")
    write_code(inner, "code", ASSERTION)
    add(inner, "statusCode", code="completed")
    write_code(inner, "value", spoken(reaction), type_name="CD")
    severity = code_of(form.get("severity")) if isinstance(form, dict) else None
    if severity is not None:
        write_answer(inner, severity, ("8", "2014-06-09"), CD("SEV", _ACT_CODE))
