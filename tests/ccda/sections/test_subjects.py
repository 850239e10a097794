"""Whom statements are about who are not the patient's own, and whom FHIR is told of."""

from collections.abc import Callable
from typing import Any

import pytest

from ccda import ClinicalDocument
from ccda.fhir import document_bundle
from ccda.model import Entry
from tests.ccda.fhir.conftest import by_type, clinical_document

ReadEntries = Callable[..., tuple[Entry, ...]]
ReadSection = Callable[[str], ClinicalDocument]

VITAL_SIGNS, PROBLEMS, RESULTS = "8716-3", "11450-4", "30954-2"


def subject(code: str, inside: str = "") -> str:
    return (
        f'<subject><relatedSubject classCode="PRS"><code code="{code}"/>{inside}'
        "</relatedSubject></subject>"
    )


CHILD, MOTHER = subject("NCHILD"), subject("MTH")


def weight(inside: str = "") -> str:
    return (
        '<observation moodCode="EVN"><code code="29463-7" codeSystem="2.16.840.1.113883.6.1"/>'
        '<effectiveTime value="20240102"/><value xsi:type="PQ" value="3.2" unit="kg"/>'
        f"{inside}</observation>"
    )


def panel(component: str, inside: str = "") -> str:
    return f'<organizer moodCode="EVN"><code code="74728-7"/>{inside}{component}</organizer>'


def component(statement: str, attributes: str = "") -> str:
    return f"<component {attributes}>{statement}</component>"


def whose(entry: Entry) -> Any:
    found = entry.details.get("subject")
    return None if found is None else found["relationship"]["code"]


@pytest.mark.parametrize(
    ("statement", "expected"),
    [
        (panel(component(weight()), CHILD), ["NCHILD", "NCHILD"]),
        (panel(component(weight(CHILD))), [None, "NCHILD"]),
        (panel(component(weight(MOTHER)), CHILD), ["NCHILD", "MTH"]),
        (panel(component(panel(component(weight()))), CHILD), ["NCHILD", "NCHILD", "NCHILD"]),
        (panel(component(weight(), 'contextConductionInd="false"'), CHILD), ["NCHILD", None]),
        (panel(component(weight())), [None, None]),
    ],
)
def test_a_subject_holds_for_what_stands_inside(
    read_entries: ReadEntries, statement: str, expected: list[str | None]
) -> None:
    """CDA R2: 4.4."""
    assert [whose(entry) for entry in read_entries(VITAL_SIGNS, statement)] == expected


def section(entry: str, inside: str = "", within: str = "") -> str:
    return (
        f'<section><code code="{VITAL_SIGNS}" codeSystem="2.16.840.1.113883.6.1"/>{inside}'
        f"<entry>{entry}</entry>{within}</section>"
    )


def test_a_sections_subject_holds_for_its_entries_and_the_sections_inside(
    read_section: ReadSection,
) -> None:
    inner = component(section(weight())) + component(section(weight(), MOTHER))
    document = read_section(section(panel(component(weight())), CHILD, inner))
    told = [[whose(entry) for entry in one.entries] for one in document.sections]
    assert told == [["NCHILD", "NCHILD"], ["NCHILD"], ["MTH"]]


def test_the_next_section_is_about_the_patient_again(read_section: ReadSection) -> None:
    sections = f"{section(weight(), CHILD)}</component><component>{section(weight())}"
    document = read_section(sections)
    assert [whose(one.entries[0]) for one in document.sections] == ["NCHILD", None]


def test_a_relatives_condition_has_its_relative_by_its_parent(read_entries: ReadEntries) -> None:
    condition = '<observation><code code="1"/><value xsi:type="CD" code="2"/></observation>'
    relative, found = read_entries("10157-6", panel(component(condition), MOTHER))
    assert (whose(relative), found.parent) == ("MTH", 0)
    assert "subject" not in found.details


# ---- FHIR ------------------------------------------------------------------------------------


def convert(code: str, statement: str) -> dict[str, list[dict[str, Any]]]:
    text = f'<section><code code="{code}" codeSystem="2.16.840.1.113883.6.1"/>'
    whole = clinical_document(f"<component>{text}<entry>{statement}</entry></section></component>")
    return by_type(document_bundle(whole, document_id="one"))


def test_an_observation_of_another_says_whom_it_focuses_on() -> None:
    """FHIR R4: Observation.focus."""
    baby = subject(
        "NCHILD", '<subject><sdtc:id root="2.999" extension="b1"/><name>Baby</name></subject>'
    )
    observations = convert(VITAL_SIGNS, panel(component(weight()), baby))["Observation"]
    assert len(observations) == 2
    for one in observations:
        (focus,) = one["focus"]
        assert focus["type"] == "RelatedPerson"
        assert focus["identifier"]["value"] == "b1"
        assert focus["display"] == "NCHILD: Baby"


@pytest.mark.parametrize("code", ["", "ONESELF"])
def test_an_observation_of_the_patient_has_no_focus(code: str) -> None:
    (found,) = convert(VITAL_SIGNS, weight(subject(code) if code else ""))["Observation"]
    assert "focus" not in found


def test_what_fhir_cannot_tell_of_another_is_left_out() -> None:
    problem = (
        '<observation moodCode="EVN"><templateId root="2.16.840.1.113883.10.20.22.4.4"/>'
        '<code code="ASSERTION"/><value xsi:type="CD" code="1" displayName="Jaundice"/>'
        f"{CHILD}</observation>"
    )
    assert "Condition" not in convert(PROBLEMS, problem)


def test_a_report_about_another_is_left_out_and_its_tests_have_a_focus() -> None:
    made = convert(RESULTS, panel(component(weight()), CHILD))
    assert "DiagnosticReport" not in made
    assert [one["focus"][0]["display"] for one in made["Observation"]] == ["NCHILD"]


def test_the_sex_of_a_newborn_is_not_the_mothers() -> None:
    sex = (
        '<observation moodCode="EVN"><code code="76689-9" codeSystem="2.16.840.1.113883.6.1"/>'
        '<value xsi:type="CD" code="M" codeSystem="2.16.840.1.113883.5.1"/>{}</observation>'
    )
    assert "extension" in convert("29762-2", sex.format(""))["Patient"][0]
    assert "extension" not in convert("29762-2", sex.format(CHILD))["Patient"][0]
