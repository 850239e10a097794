"""The sections of a CCD, in the order in which they are shown (C-CDA R2.1: 1.1.2)."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from ccda.denials import AllergyClass, denied_by_code, denied_in_words
from ccda.hl7v3 import CD
from ccda.model import Kind
from ccda.summary import NothingKnown, Summary, SummaryLine, SummarySection
from ccda.writer.devices import write_devices
from ccda.writer.elements import Element, add, template
from ccda.writer.events import (
    write_care_team,
    write_concerns,
    write_encounters,
    write_notes,
    write_plans,
    write_procedures,
)
from ccda.writer.history import (
    write_advance_directives,
    write_family_history,
    write_functional_status,
    write_goals,
    write_mental_status,
    write_social_history,
)
from ccda.writer.medications import (
    IMMUNIZATION,
    MEDICATION,
    write_immunizations,
    write_medications,
)
from ccda.writer.payers import write_coverage
from ccda.writer.problems import (
    ALLERGY_CONCERN,
    PROBLEM_CONCERN,
    write_allergies,
    write_problems,
)
from ccda.writer.results import (
    RESULT_ORGANIZER,
    VITAL_SIGNS_ORGANIZER,
    write_results,
    write_vital_signs,
)
from ccda.writer.rows import Origin, Row, rows_of
from ccda.writer.subjects import write_subjects
from ccda.writer.tables import write_narrative
from ccda.writer.values import code_of, is_coded, write_code

_LOINC: Final = "2.16.840.1.113883.6.1"
_SNOMED: Final = "2.16.840.1.113883.6.96"
_ARC: Final = "2.16.840.1.113883.10.20.22.2."

Writer = Callable[[Element, Sequence[Row]], None]


@dataclass(frozen=True, slots=True)
class Form:
    """How a kind's section is written.

    `demanded` is the template that one of its entries must have; where none can, the section
    with entries required says that it has no information, and a plain one follows it.
    """

    code: str
    title: str
    root: str
    extension: str | None
    write: Writer
    demanded: str | None = None
    is_required: bool = False


_FORMS: Final[dict[Kind, Form]] = {
    "allergy": Form(
        "48765-2", "Allergies and Intolerances", "6.1", "2015-08-01", write_allergies,
        ALLERGY_CONCERN, True,
    ),
    "medication": Form(
        "10160-0", "Medications", "1.1", "2014-06-09", write_medications, MEDICATION, True
    ),
    "problem": Form(
        "11450-4", "Problems", "5.1", "2015-08-01", write_problems, PROBLEM_CONCERN, True
    ),
    "result": Form(
        "30954-2", "Results", "3.1", "2015-08-01", write_results, RESULT_ORGANIZER, True
    ),
    "vital_sign": Form(
        "8716-3", "Vital Signs", "4.1", "2015-08-01", write_vital_signs, VITAL_SIGNS_ORGANIZER,
        True,
    ),
    "social_history": Form(
        "29762-2", "Social History", "17", "2015-08-01", write_social_history, None, True
    ),
    "immunization": Form(
        "11369-6", "Immunizations", "2.1", "2015-08-01", write_immunizations, IMMUNIZATION
    ),
    "procedure": Form("47519-4", "Procedures", "7", "2014-06-09", write_procedures),
    "encounter": Form("46240-8", "Encounters", "22", "2015-08-01", write_encounters),
    "family_history": Form("10157-6", "Family History", "15", "2015-08-01", write_family_history),
    "functional_status": Form(
        "47420-5", "Functional Status", "14", "2014-06-09", write_functional_status
    ),
    "mental_status": Form("10190-7", "Mental Status", "56", "2015-08-01", write_mental_status),
    "device": Form("46264-8", "Medical Equipment", "23", "2014-06-09", write_devices),
    "coverage": Form("48768-6", "Payers", "18", "2015-08-01", write_coverage),
    "advance_directive": Form(
        "42348-3", "Advance Directives", "21", "2015-08-01", write_advance_directives
    ),
    "goal": Form("61146-7", "Goals", "60", None, write_goals, "2.16.840.1.113883.10.20.22.4.121"),
    "plan": Form("18776-5", "Plan of Treatment", "10", "2014-06-09", write_plans),
    "concern": Form(
        "75310-3", "Health Concerns", "58", "2015-08-01", write_concerns,
        "2.16.840.1.113883.10.20.22.4.132",
    ),
    "care_team": Form("85847-2", "Care Teams", "500", "2019-07-01", write_care_team),
    "note": Form("34109-9", "Notes", "65", "2016-11-01", write_notes),
}  # fmt: skip

_POINTS: Final = frozenset(("result", "vital_sign"))

# A denial as an entry: the class that is denied (C-CDA R2.1: 3.5, 3.77, 3.49, 3.41, 3.83).
_DENIABLE: Final[dict[Kind, CD]] = {
    "allergy": CD(None, null_flavor="NA"),
    "problem": CD("55607006", _SNOMED, "Problem"),
    "medication": CD(None, null_flavor="NA"),
    "immunization": CD(None, null_flavor="NA"),
    "procedure": CD(None, null_flavor="NA"),
}
_ANY_ALLERGY: Final = CD("419199007", _SNOMED, "Allergy to substance")
_ALLERGY_CLASSES: Final[dict[AllergyClass, CD]] = {
    "drug": CD("416098002", _SNOMED, "Allergy to drug"),
    "food": CD("414285001", _SNOMED, "Allergy to food"),
    "environment": CD("426232007", _SNOMED, "Environmental allergy"),
}


def write_sections(body: Element, summary: Summary, origin: Origin) -> None:
    for kind, form in _FORMS.items():
        section = summary.section(kind)
        if form.is_required or section.lines or section.nothing_known:
            _write_section(body, section, form, origin)


def _write_section(body: Element, section: SummarySection, form: Form, origin: Origin) -> None:
    rows = list(rows_of(section, origin, with_trend=section.kind in _POINTS))
    told = [*rows, *_denials(section, rows, origin)]
    anchors = {row.anchor for row in told}
    words = {anchor: one.text for anchor, one in _denied(section) if anchor not in anchors}
    element = _open(body, form)
    write_narrative(element, section, told, words)
    if told:
        form.write(element, told)
        write_subjects(element, told)
    _claim(body, element, form)


def _denied(section: SummarySection) -> Iterator[tuple[str, NothingKnown]]:
    for number, denial in enumerate(section.nothing_known, 1):
        yield f"{section.key}-none-{number}", denial


def _denials(section: SummarySection, rows: Sequence[Row], origin: Origin) -> Iterator[Row]:
    """What there is none of, as entries; beside a fact that it denies it is told in words only."""
    if section.kind not in _DENIABLE:
        return
    held = [row for row in rows if not row.line.negated]
    for anchor, denial in _denied(section):
        line = _line_of(section.kind, denial)
        if line is None or not _is_coded(denial):
            continue
        if held and (not _is_of_one_class(line) or any(row.conflict for row in held)):
            continue
        yield Row(
            line=line,
            anchor=anchor,
            origin=origin,
            start=None,
            end=None,
            value=None,
            unit=None,
            status="active" if section.kind in ("allergy", "problem", "medication") else None,
            sources=denial.sources,
            conflict=None,
        )


def _is_coded(denial: NothingKnown) -> bool:
    """Whether a source denies it by a code or a negationInd: no code is made of words."""
    told = (entry.negated or is_coded(entry.code) for entry in denial.entries)
    return not denial.entries or any(told)


def _denied_class(denial: NothingKnown) -> frozenset[AllergyClass] | None:
    """By code where one says it, else by the words."""
    for entry in denial.entries:
        kind = code_of(entry.details.get("type"))
        codes = [one.code for one in (entry.code, kind) if one is not None and one.code]
        if (named := denied_by_code(codes)) is not None:
            return named
    return denied_in_words(denial.text)


def _is_of_one_class(line: SummaryLine) -> bool:
    """No food allergies: an allergy to a drug may stand beside it."""
    return line.kind == "allergy" and line.details["type"]["code"] != _ANY_ALLERGY.code


def _line_of(kind: Kind, denial: NothingKnown) -> SummaryLine | None:
    """None where no class of allergies is just what it denies: that is told in words only."""
    details = {}
    if kind == "allergy":
        named = _denied_class(denial)
        if named is None or len(named) > 1:
            return None
        denied = next((_ALLERGY_CLASSES[one] for one in named), _ANY_ALLERGY)
        details["type"] = {"code": denied.code, "system": denied.system, "display": denied.display}
    return SummaryLine(
        kind=kind,
        display=denial.text,
        sources=denial.sources,
        code=_DENIABLE[kind],
        negated=True,
        details=details,
    )


def _open(body: Element, form: Form) -> Element:
    element = add(add(body, "component"), "section")
    write_code(element, "code", CD(form.code, _LOINC, form.title))
    add(element, "title", form.title)
    return element


def _claim(body: Element, element: Element, form: Form) -> None:
    """The templates that the section meets; a second, empty one where it must be and cannot."""
    has_entries = element.find("{*}entry") is not None
    meets = form.demanded is None or _has(element, form.demanded)
    if form.demanded is not None and not has_entries:
        element.set("nullFlavor", "NI")
    if meets or not has_entries:
        _put_templates(element, _ARC + form.root, form.extension)
        return
    optional = form.root.removesuffix(".1")
    if optional != form.root:
        _put_templates(element, _ARC + optional, form.extension)
    if form.is_required:
        empty = _open(body, form)
        empty.set("nullFlavor", "NI")
        add(add(empty, "text"), "paragraph", f"What is known is told under the other {form.title}.")
        _put_templates(empty, _ARC + form.root, form.extension)


def _has(element: Element, root: str) -> bool:
    claimed = element.iterfind("{*}entry/*/{*}templateId")
    return any(one.get("root") == root for one in claimed)


def _put_templates(element: Element, root: str, extension: str | None) -> None:
    """templateId stands first."""
    template(element, root, extension)
    claimed = [child for child in element if str(child.tag).endswith("}templateId")]
    for position, one in enumerate(claimed):
        element.insert(position, one)
