"""No known drug allergies, said in words alone: shown as words with their source, never coded."""

import pytest

from ccda import parse_document
from ccda.fhir import summary_bundle
from ccda.hl7v3 import CD
from ccda.model import Patient
from ccda.summary import Summary
from gateway.exchange.ingest import indexed_sections
from gateway.exchange.summarize import summarize
from gateway.model.document import IndexedEntry
from tests.ccda.fhir.conftest import by_type, document_xml
from tests.ccda.written import write
from tests.gateway.exchange.records import NOW, PENICILLIN, SNOMED, A, B, Pairs, entry, holding

ALLERGIES = "48765-2"
EMPTY = '<entry><act classCode="ACT" moodCode="EVN" nullFlavor="NI"/></entry>'
PENICILLIN_ENTRY = (
    '<entry><observation moodCode="EVN"><templateId root="2.16.840.1.113883.10.20.22.4.7"/>'
    '<code code="ASSERTION"/><statusCode code="completed"/><participant typeCode="CSM">'
    '<participantRole><playingEntity><code code="7980" codeSystem="2.16.840.1.113883.6.88"'
    ' displayName="Penicillin G"/></playingEntity></participantRole></participant>'
    "</observation></entry>"
)


def told(text: str, entries: str = "", code: str = ALLERGIES) -> Pairs:
    sections = (
        f'<component><section><code code="{code}" codeSystem="2.16.840.1.113883.6.1"/>'
        f"<text>{text}</text>{entries}</section></component>"
    )
    found = indexed_sections(parse_document(document_xml(sections)))
    entries_ = [(s.code.code if s.code else None, one) for s in found for one in s.entries]
    return [(A, IndexedEntry(A.id, n, code, one)) for n, (code, one) in enumerate(entries_)]


def summary_of(*pairs: Pairs) -> Summary:
    return summarize([one for some in pairs for one in some], as_of=NOW)


@pytest.mark.parametrize("entries", ["", EMPTY])
@pytest.mark.parametrize(
    "words",
    ["NKDA", "<paragraph>No known drug allergies.</paragraph>", "No Known Allergies",
     "Patient denies any allergies"],
)  # fmt: skip
def test_words_are_shown_as_words_with_their_source(words: str, entries: str) -> None:
    summary = summary_of(told(words, entries))
    (denial,) = summary.section("allergy").nothing_known
    assert denial.text in words
    assert [source.document for source in denial.sources] == ["a"]
    assert summary.section("allergy").lines == ()
    bundle = summary_bundle(summary, member_id="m", patient=Patient())
    assert "AllergyIntolerance" not in by_type(bundle)


@pytest.mark.parametrize(
    ("words", "entries", "code"),
    [
        ("Penicillin: hives", "", ALLERGIES),
        ("NKDA except penicillin", "", ALLERGIES),
        ("Not on file", "", ALLERGIES),
        ("", "", ALLERGIES),
        ("NKDA", PENICILLIN_ENTRY, ALLERGIES),
        ("NKDA", "", "10164-2"),
    ],
)
def test_what_else_a_section_says_is_no_denial(words: str, entries: str, code: str) -> None:
    assert summary_of(told(words, entries, code)).section("allergy").nothing_known == ()


@pytest.mark.parametrize(
    ("words", "is_against"),
    [("NKDA", True), ("No known allergies", True), ("No known food allergies", False),
     ("No known food or drug allergies", True), ("No known dairy allergies", False)],
)  # fmt: skip
def test_words_contradict_only_what_they_deny(words: str, is_against: bool) -> None:
    penicillin = holding(B, entry("allergy", PENICILLIN, recorded="20200101"))
    (line,) = summary_of(told(words), penicillin).section("allergy").lines
    assert (line.conflict is not None) == is_against


def test_no_code_is_made_of_words_in_a_written_document() -> None:
    again = parse_document(write(summary_of(told("NKDA")), Patient()))
    (section,) = [one for one in again.sections if one.code and one.code.code == ALLERGIES]
    assert section.entries == ()
    assert "NKDA" in (section.text or "")


def test_a_code_says_what_is_denied_whatever_the_words() -> None:
    drugs = CD("409137002", SNOMED, "Keine bekannte Arzneimittelallergie")
    told = holding(A, entry("allergy", drugs, no_information=True, negated=True))
    again = parse_document(write(summary_of(told), Patient()))
    (section,) = [one for one in again.sections if one.code and one.code.code == ALLERGIES]
    assert [one.details["type"]["code"] for one in section.entries] == ["416098002"]


@pytest.mark.parametrize(
    ("words", "classes"),
    [
        ("NKDA", ["416098002"]),
        ("No known food allergies", ["414285001"]),
        ("No known allergies", ["419199007"]),
        ("No known dairy allergies", []),
        ("No known food or drug allergies", []),
    ],
)
def test_no_wider_class_is_denied_in_a_written_document(words: str, classes: list[str]) -> None:
    denial = entry("allergy", None, text=words, negated=True, no_information=True)
    again = parse_document(write(summary_of(holding(A, denial)), Patient()))
    (section,) = [one for one in again.sections if one.code and one.code.code == ALLERGIES]
    assert [one.details["type"]["code"] for one in section.entries] == classes
    assert words in (section.text or "")


@pytest.mark.parametrize(
    ("code", "words"),
    [
        ("416098002", "no known drug allergies"),
        ("414285001", "no known food allergies"),
        ("426232007", "no known environmental allergies"),
        ("419199007", "none known"),
    ],
)
def test_a_denial_by_code_alone_is_of_its_class_and_no_wider(code: str, words: str) -> None:
    denied = (
        '<entry><observation moodCode="EVN" negationInd="true"><templateId'
        ' root="2.16.840.1.113883.10.20.22.4.7"/><code code="ASSERTION"/><value xsi:type="CD"'
        f' code="{code}" codeSystem="{SNOMED}"/><participant typeCode="CSM"><participantRole>'
        '<playingEntity><code nullFlavor="NA"/></playingEntity></participantRole></participant>'
        "</observation></entry>"
    )
    summary = summary_of(told("", denied))
    (denial,) = summary.section("allergy").nothing_known
    assert denial.text == words
    again = parse_document(write(summary, Patient()))
    (section,) = [one for one in again.sections if one.code and one.code.code == ALLERGIES]
    assert [one.details["type"]["code"] for one in section.entries] == [code]
