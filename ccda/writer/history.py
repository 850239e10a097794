"""Social and family history, functional and mental status (C-CDA R2.1: 2.66, 2.24, 2.25, 2.42)."""

import json
from collections.abc import Callable, Iterable, Sequence
from typing import Any, Final

from ccda.hl7v3 import CD, SDTC
from ccda.templates import SMOKING_CODES
from ccda.writer.elements import Element, add, template
from ccda.writer.medications import write_status_code
from ccda.writer.participants import write_parties, write_performers
from ccda.writer.problems import problem_type, write_age
from ccda.writer.results import apart, write_interpretation, write_lone_panel, write_ranges
from ccda.writer.rows import (
    Row,
    relation,
    statement,
    write_authors,
    write_own_id,
    write_provenance,
    write_reference,
    write_when,
)
from ccda.writer.values import (
    as_null_flavor,
    as_time,
    code_of,
    id_of_text,
    is_coded,
    list_of,
    write_code,
    write_id,
    write_interval,
    write_value,
)

_ARC: Final = "2.16.840.1.113883.10.20.22.4."
_LOINC: Final = "2.16.840.1.113883.6.1"
_SNOMED: Final = "2.16.840.1.113883.6.96"
_SMOKING: Final = "72166-2"
_TOBACCO: Final = "11367-0"


def _observation(parent: Element, row: Row, mood: str = "EVN") -> Element:
    return statement(parent, "observation", "OBS", mood, negated=row.line.negated or None)


# ---- social history --------------------------------------------------------------------------


def write_social_history(section: Element, rows: Iterable[Row]) -> None:
    """Of a smoking status the summary's code is the answer; the question is in the details."""
    for row in rows:
        observation = _observation(add(section, "entry", typeCode="DRIV"), row)
        asked = code_of(row.detail("question"))
        if asked is None:
            _write_question(observation, row, row.line.code, row.value, row.unit)
        else:
            _write_question(observation, row, asked, _answer(row), None)


def _answer(row: Row) -> str | CD | None:
    return row.line.display if row.line.code is None else row.line.code


def _write_question(
    observation: Element, row: Row, question: CD | None, value: Any, unit: str | None
) -> None:
    is_answer = value is row.line.code and value is not None
    form = _social_template(row, question, value, is_answer=is_answer)
    if form is not None:
        template(observation, *form)
    write_own_id(observation, row)
    write_code(observation, "code", question, words=None if is_answer else row.words)
    write_reference(observation, row.anchor)
    write_status_code(observation, row)
    if form is not None and form[0] == f"{_ARC}85":
        write_interval(observation, row.start, row.end)
    else:
        write_when(observation, row)
    if is_answer:
        write_code(observation, "value", value, words=row.words, type_name="CD")
    elif value is not None:
        write_value(observation, value, unit)
    write_interpretation(observation, row)
    write_performers(observation, row)
    write_authors(observation, row)
    write_parties(observation, row, "participant")
    write_provenance(observation, row)


def _social_template(
    row: Row, question: CD | None, value: Any, *, is_answer: bool
) -> tuple[str, str | None] | None:
    """The template that the observation meets: 4.78, 4.85, 4.38, or none."""
    done = row.status == "completed" or row.line.negated
    asked = question.code if question is not None else None
    if done and asked == _SMOKING and is_answer and is_coded(value) and row.end is None:
        return f"{_ARC}78", "2014-06-09"
    if done and asked == _TOBACCO and isinstance(value, CD) and _is_loinc(question):
        return f"{_ARC}85", "2014-06-09"
    if is_answer and asked not in SMOKING_CODES:
        # R1.1 asked for the smoking status by ASSERTION: only the template tells what it is.
        return f"{_ARC}78", None
    return (f"{_ARC}38", "2015-08-01") if done and _is_loinc(question) else None


def _is_loinc(code: CD | None) -> bool:
    return code is not None and is_coded(code) and (code.system or "").strip() == _LOINC


# ---- family history --------------------------------------------------------------------------


def write_family_history(section: Element, rows: Iterable[Row]) -> None:
    """An organizer for each relative; a condition whose relative is not told stands alone."""
    relatives: dict[str, list[Row]] = {}
    for row in rows:
        if row.line.details.get("relative") is True:
            _write_relative(section, row.line.code, [row], alone=True)
            continue
        known_by = ("relative", "relative_ids", "relative_birth_time")  # two brothers are two
        whose = json.dumps([row.line.details.get(name) for name in known_by])
        relatives.setdefault(whose, []).append(row)
    for members in relatives.values():
        relative = code_of(members[0].line.details.get("relative"))
        if relative is None:
            for row in members:
                _write_condition(add(section, "entry", typeCode="DRIV"), row)
        else:
            _write_relative(section, relative, members, alone=False)


def _write_relative(
    section: Element, relative: CD | None, rows: Sequence[Row], *, alone: bool
) -> None:
    """Family History Organizer (4.45); without a condition, or a typed one, no template fits."""
    organizer = statement(add(section, "entry", typeCode="DRIV"), "organizer", "CLUSTER")
    if not alone and all(_is_typed(row) for row in rows):
        template(organizer, f"{_ARC}45", "2015-08-01")
    write_own_id(organizer, rows[0], "-relative")
    add(organizer, "statusCode", code="completed")
    subject = add(add(organizer, "subject"), "relatedSubject", classCode="PRS")
    write_code(subject, "code", relative, words=rows[0].words if alone else None)
    _write_person(subject, rows[0])
    if alone:
        write_authors(organizer, rows[0])
        return
    for row in rows:
        _write_condition(add(organizer, "component"), row)


def _write_person(subject: Element, row: Row) -> None:
    """Of the relative; a line about a condition tells it under names of their own."""
    gender = code_of(row.detail("gender"))
    born = row.detail("birth_time") or row.detail("relative_birth_time")
    born = as_time(born) if isinstance(born, str) else None
    ids = [id_of_text(text) for text in list_of(row.detail("relative_ids"))]
    if gender is None and born is None and not ids:
        return
    person = add(subject, "subject")
    for identifier in ids:
        write_id(person, identifier).tag = f"{{{SDTC}}}id"
    write_code(person, "administrativeGenderCode", gender)
    if born is not None:
        add(person, "birthTime", value=born)


def _is_typed(row: Row) -> bool:
    kind = problem_type(row)
    return kind is not None and bool(kind.translations)


def _write_condition(parent: Element, row: Row) -> None:
    """Family History Observation (C-CDA R2.1: 3.31, 4.46)."""
    observation = _observation(parent, row)
    if _is_typed(row):
        template(observation, f"{_ARC}46", "2015-08-01")
    write_own_id(observation, row)
    write_code(observation, "code", problem_type(row))
    write_reference(observation, row.anchor)
    if _is_typed(row):
        add(observation, "statusCode", code="completed")
    else:
        write_status_code(observation, row)
    write_when(observation, row)
    write_code(observation, "value", row.line.code, words=row.words, type_name="CD")
    write_authors(observation, row)
    write_age(observation, row)
    if row.detail("cause_of_death") is True:
        _write_death(observation)
    write_provenance(observation, row)


def _write_death(observation: Element) -> None:
    """Family History Death Observation (4.47)."""
    inner = statement(relation(observation, "CAUS"), "observation", "OBS")
    template(inner, f"{_ARC}47")
    write_code(inner, "code", CD("ASSERTION", "2.16.840.1.113883.5.4"))
    add(inner, "statusCode", code="completed")
    write_code(inner, "value", CD("419099009", _SNOMED, "Dead"), type_name="CD")


# ---- functional and mental status, and other findings ----------------------------------------


def write_functional_status(section: Element, rows: Iterable[Row]) -> None:
    write_findings(section, rows, (f"{_ARC}67", "2014-06-09"), _is_functional)


def write_mental_status(section: Element, rows: Iterable[Row]) -> None:
    write_findings(section, rows, (f"{_ARC}74", "2015-08-01"), _is_mental)


def write_advance_directives(section: Element, rows: Iterable[Row]) -> None:
    write_findings(section, rows, (f"{_ARC}48", "2015-08-01"), _is_directive)


def write_goals(section: Element, rows: Iterable[Row]) -> None:
    """Goal Observation (4.121); what came of a goal has happened, and is no goal itself."""
    rows = list(rows)
    goals = [row for row in rows if not row.line.details.get("outcome")]
    outcomes = [row for row in rows if row.line.details.get("outcome")]
    write_findings(section, goals, (f"{_ARC}121", None), lambda row: True, mood="GOL")
    write_findings(section, outcomes, (f"{_ARC}144", None), lambda row: False)


def write_findings(
    section: Element,
    rows: Iterable[Row],
    form: tuple[str, str | None],
    meets: Callable[[Row], bool],
    *,
    mood: str = "EVN",
) -> None:
    """Observations of any code and value; the template is claimed by those that meet it."""
    panels, findings = apart(rows)
    for row in panels:
        write_lone_panel(section, row)
    for row in findings:
        observation = _observation(add(section, "entry", typeCode="DRIV"), row, mood)
        if meets(row):
            template(observation, *form)
        _write_finding(observation, row)


def _write_finding(observation: Element, row: Row) -> None:
    write_own_id(observation, row)
    write_code(observation, "code", row.line.code, words=row.words)
    write_reference(observation, f"{row.anchor}-text" if row.said else row.anchor)
    write_status_code(observation, row)
    if row.line.kind == "advance_directive":
        _write_directive_time(observation, row)
    else:
        write_when(observation, row)
    if row.value is not None or row.detail("value_null_flavor"):
        told = row.detail("value_null_flavor")
        null_flavor = as_null_flavor(told if isinstance(told, str) else None)
        exclusive = row.detail("exclusive") or ()
        write_value(observation, row.value, row.unit, null_flavor=null_flavor, exclusive=exclusive)
    write_interpretation(observation, row)
    write_performers(observation, row)
    write_authors(observation, row)
    write_parties(observation, row, "parties")
    write_parties(observation, row, "participant")
    write_provenance(observation, row)
    write_ranges(observation, row)


def _write_directive_time(observation: Element, row: Row) -> None:
    """Advance Directive Observation: an end that is not told is written as not applicable."""
    element = write_interval(observation, row.start, row.end)
    if row.end is None:
        add(element, "high", nullFlavor="NA")


def _is_functional(row: Row) -> bool:
    done = row.status == "completed" or row.line.negated
    return done and row.value is not None and _is_loinc(row.line.code)


def _is_mental(row: Row) -> bool:
    code = row.line.code
    asks = code is not None and code.code == "373930000" and code.system == _SNOMED
    return asks and _translates(code, "75275-8") and row.value is not None and _is_done(row)


def _is_directive(row: Row) -> bool:
    translates = _translates(row.line.code, "75320-2")
    # The standard's rule for a coded value can only be met by one from SNOMED CT.
    value = row.value
    fits = value is not None and (not isinstance(value, CD) or value.system == _SNOMED)
    return translates and fits and _is_done(row)


def _is_done(row: Row) -> bool:
    return row.status == "completed" or row.line.negated


def _translates(code: CD | None, to: str) -> bool:
    others = code.translations if code is not None else ()
    return any(one.code == to and one.system == _LOINC for one in others)
