"""A merged summary as a Bundle: of the demo member, and of every document at hand alone."""

import json
import re
from collections import Counter
from typing import Any

import pytest

from ccda import parse_document
from ccda.fhir import document_bundle, fhir_json, summary_bundle
from ccda.fhir.us_core import BASE, lacks
from ccda.hl7v3 import CD, II
from ccda.model import Entry, Patient
from ccda.summary import (
    Completeness,
    LineSource,
    NothingKnown,
    Summary,
    SummaryDocument,
    SummaryLine,
    SummarySection,
    TrendPoint,
)
from tests.ccda.fhir.conftest import Json, by_type, document_xml, section
from tests.ccda.fhir.structure import faults
from tests.ccda.fhir.test_corpus import Converted, converted
from tests.ccda.written import DEMO, summarized

__all__ = ["converted"]  # the fixture

MEMBER = "member-1"
LOINC = "2.16.840.1.113883.6.1"
ACTIVE = '<statusCode code="active"/><effectiveTime value="20300101"/>'
STATED = ("Encounter", "Procedure", "ServiceRequest")
GIVEN = """<substanceAdministration moodCode="EVN">
<templateId root="2.16.840.1.113883.10.20.22.4.16"/>
<statusCode code="completed"/><effectiveTime value="20240101090000-0500"/>
<consumable><manufacturedProduct><manufacturedMaterial>
<code code="309090" codeSystem="2.16.840.1.113883.6.88" displayName="Ceftriaxone 1 g"/>
</manufacturedMaterial></manufacturedProduct></consumable></substanceAdministration>"""
NO_ALLERGY = """<observation classCode="OBS" moodCode="EVN" negationInd="true">
<templateId root="2.16.840.1.113883.10.20.22.4.7"/>
<code code="ASSERTION" codeSystem="2.16.840.1.113883.5.4"/><statusCode code="completed"/>
<effectiveTime><low value="20200101"/></effectiveTime>
<value xsi:type="CD" code="419199007" codeSystem="2.16.840.1.113883.6.96"/>
<participant typeCode="CSM"><participantRole classCode="MANU"><playingEntity classCode="MMAT">
<code nullFlavor="NA"/></playingEntity></participantRole></participant></observation>"""
PNEUMONIA = """<observation classCode="OBS" moodCode="EVN">
<templateId root="2.16.840.1.113883.10.20.22.4.4"/>
<code code="282291009" codeSystem="2.16.840.1.113883.6.96"/>
<effectiveTime><low value="20240101"/></effectiveTime><value xsi:type="CD" code="233604007"
codeSystem="2.16.840.1.113883.6.96" displayName="Pneumonia"/></observation>"""


@pytest.fixture(scope="module")
def demo() -> tuple[Summary, Patient]:
    files = sorted(DEMO.glob("*.xml"))
    return summarized((file.stem, file.read_bytes()) for file in files)


def glycated(
    time: str, status: str, value: str, code: str, more: str = "", system: str = LOINC
) -> str:
    return f"""<observation classCode="OBS" moodCode="EVN">
    <templateId root="2.16.840.1.113883.10.20.22.4.2"/>
    <code code="{code}" codeSystem="{system}" displayName="HbA1c">{more}</code>
    <statusCode code="{status}"/><effectiveTime value="{time}"/>
    <value xsi:type="PQ" value="{value}" unit="%"/></observation>"""


def smoking(time: str, code: str, answer: str) -> str:
    return f"""<observation classCode="OBS" moodCode="EVN">
    <templateId root="2.16.840.1.113883.10.20.22.4.78"/>
    <code code="72166-2" codeSystem="2.16.840.1.113883.6.1"/><statusCode code="completed"/>
    <effectiveTime value="{time}"/><value xsi:type="CD" code="{code}"
    codeSystem="2.16.840.1.113883.6.96" displayName="{answer}"/></observation>"""


def bundle_of(summary: Summary, patient: Patient = Patient()) -> dict[str, Any]:  # noqa: B008 - frozen
    return summary_bundle(summary, member_id=MEMBER, patient=patient)


def source(document: str, path: str = "/*/*[1]", time: str | None = None) -> LineSource:
    return LineSource(document, "Partner", 0, path, time)


def summary_of(*lines: SummaryLine) -> Summary:
    named = dict.fromkeys(one.document for line in lines for one in line.sources)
    documents = tuple(SummaryDocument(name, "A", "Partner", None, None) for name in named)
    told = SummarySection(lines[0].kind, lines)
    return Summary("2025-10-01T00:00:00+00:00", documents, (told,))


def problem(*sources: LineSource, **more: Any) -> SummaryLine:
    code = CD("44054006", "2.16.840.1.113883.6.96")
    return SummaryLine("problem", "Diabetes", sources, code=code, **more)


def test_the_demo_member_is_a_bundle_as_fhir_demands(demo: tuple[Summary, Patient]) -> None:
    bundle = bundle_of(*demo)
    assert faults(bundle) == []
    assert json.loads(fhir_json(bundle))["type"] == "collection"


def test_every_line_of_the_demo_member_reaches_a_resource(demo: tuple[Summary, Patient]) -> None:
    summary, patient = demo
    found = by_type(bundle_of(summary, patient))
    for kind, type_name in (
        ("problem", "Condition"), ("immunization", "Immunization"), ("encounter", "Encounter"),
        ("procedure", "Procedure"),
    ):  # fmt: skip
        lines = [line for line in summary.section(kind).lines if not line.withdrawn]  # type: ignore[arg-type]
        assert len(found.get(type_name, ())) == len(lines), kind


def test_the_same_summary_gives_the_same_bytes(demo: tuple[Summary, Patient]) -> None:
    assert fhir_json(bundle_of(*demo)) == fhir_json(bundle_of(*demo))


def test_a_line_names_all_documents_that_say_it() -> None:
    line = problem(source("one", time="2020-01-01"), source("two", time="2021-01-01"))
    found = by_type(bundle_of(summary_of(line)))
    (condition,) = found["Condition"]
    url = f"urn:uuid:{condition['id']}"
    names = {
        f"urn:uuid:{one['id']}": one["identifier"][0]["value"] for one in found["DocumentReference"]
    }
    (provenance,) = [one for one in found["Provenance"] if {"reference": url} in one["target"]]
    assert [names[one["what"]["reference"]] for one in provenance["entity"]] == ["one", "two"]
    assert provenance["recorded"] == "2025-10-01T00:00:00+00:00"


def test_a_line_keeps_its_id_when_another_document_joins_it() -> None:
    old, new = source("two", time="2020-01-01"), source("one", time="2021-01-01")
    alone, joined = (
        by_type(bundle_of(summary_of(line)))["Condition"][0]["id"]
        for line in (problem(old), problem(new, old))
    )
    assert alone == joined


def test_a_withdrawn_line_is_told_by_nobody() -> None:
    bundle = bundle_of(summary_of(problem(source("one")), problem(source("two"), withdrawn=True)))
    assert len(by_type(bundle)["Condition"]) == 1


def test_a_conflict_is_a_note() -> None:
    line = problem(source("one"), conflict="Two sources disagree.")
    (condition,) = by_type(bundle_of(summary_of(line)))["Condition"]
    assert condition["note"] == [{"text": "Two sources disagree."}]


def test_each_point_of_a_trend_is_an_observation_as_it_was_written() -> None:
    points = tuple(
        TrendPoint(time, "7.2", "g/dL", value, unit, sources=(source(document),))
        for document, time, value, unit in (
            ("one", "2020-01-01", "72", "g/L"), ("two", "2021-01-01", "7.20", "g/dL"),
        )
    )  # fmt: skip
    line = SummaryLine(
        "result", "Hemoglobin", (source("two"), source("one")),
        code=CD("718-7", "2.16.840.1.113883.6.1"), status="completed", trend=points,
    )  # fmt: skip
    found = by_type(bundle_of(summary_of(line)))["Observation"]
    told = [(one["effectiveDateTime"], str(one["valueQuantity"]["value"])) for one in found]
    assert told == [("2020-01-01", "72"), ("2021-01-01", "7.20")]


def told_alone(*sections: str) -> tuple[dict[str, list[Json]], dict[str, list[Json]]]:
    """What a document becomes by itself, and as all that there is to summarize."""
    xml = document_xml("".join(sections))
    bundle = document_bundle(parse_document(xml), document_id="one")
    return by_type(bundle), by_type(bundle_of(*summarized([("one", xml)])))


def test_what_is_meant_to_be_done_is_not_told_as_done() -> None:
    vaccine = SummaryLine("immunization", "Flu", (source("one"),), CD("141"), mood="INT")
    found = by_type(bundle_of(summary_of(vaccine)))
    assert "Immunization" not in found
    assert found["MedicationRequest"][0]["intent"] == "plan"


@pytest.mark.parametrize(
    ("code", "planned"),
    [
        ("47519-4", f'<procedure moodCode="INT"><code code="73761001"/>{ACTIVE}</procedure>'),
        ("46240-8", f'<encounter moodCode="INT"><code code="185349003"/>{ACTIVE}</encounter>'),
    ],
)
def test_a_plan_is_the_same_in_the_summary_as_in_its_document(code: str, planned: str) -> None:
    alone, summary = told_alone(section(code, planned))
    of_document, of_summary = (
        [(one["resourceType"], one["status"]) for kind in STATED for one in found.get(kind, ())]
        for found in (alone, summary)
    )
    assert of_document == of_summary
    assert len(of_summary) == 1


MOMENT = '<statusCode code="completed"/><effectiveTime value="20240110"/>'
BEGUN = '<statusCode code="active"/><effectiveTime><low value="20240110"/></effectiveTime>'
APPENDECTOMY = '<code code="80146002" codeSystem="2.16.840.1.113883.6.96"/>'
TIMES = ("performed", "occurrence", "effective", "period", "dosageInstruction", "onset")


@pytest.mark.parametrize("time", [MOMENT, BEGUN])
@pytest.mark.parametrize(
    ("code", "statement"),
    [
        ("47519-4", f'<procedure moodCode="EVN">{APPENDECTOMY}{{}}</procedure>'),
        ("47519-4", f'<procedure moodCode="RQO">{APPENDECTOMY}{{}}</procedure>'),
        ("46240-8", '<encounter moodCode="EVN"><code code="185349003"/>{}</encounter>'),
        ("11369-6", GIVEN.replace("22.4.16", "22.4.52")),
        ("10160-0", GIVEN),
        ("29549-3", GIVEN),
        ("11450-4", PNEUMONIA),
        (
            "47420-5",
            '<observation moodCode="EVN"><code code="54522-8" codeSystem="2.16.840.1.113883.6.1"/>'
            '{}<value xsi:type="CD" code="11163003" codeSystem="2.16.840.1.113883.6.96"/>'
            "</observation>",
        ),
    ],
)
def test_when_it_was_is_the_same_in_the_summary_as_in_its_document(
    code: str, statement: str, time: str
) -> None:
    """What was at one moment must not be told as what has begun and goes on."""
    given = re.sub(r"<statusCode.*?/><effectiveTime .*?/>|<effectiveTime>.*?</effectiveTime>", "{}",
                   statement)  # fmt: skip
    assert "{}" in given
    of_document, of_summary = (
        _timed(found) for found in told_alone(section(code, given.format(time)))
    )
    assert of_summary == of_document
    assert of_summary


def _timed(found: dict[str, list[Json]]) -> list[Json]:
    """Of each resource its type, its status and when it was."""
    kinds = (kind for kind in found if kind not in ("Patient", "DocumentReference", "Provenance"))
    return [
        {
            name: part
            for name, part in one.items()
            if name in ("resourceType", "status") or name.startswith(TIMES)
        }
        for kind in sorted(kinds)
        for one in found[kind]
    ]


def test_a_procedure_of_one_moment_was_performed_then() -> None:
    done = f'<procedure moodCode="EVN">{APPENDECTOMY}{MOMENT}</procedure>'
    (procedure,) = told_alone(section("47519-4", done))[1]["Procedure"]
    assert procedure["performedDateTime"] == "2024-01-10"
    assert "performedPeriod" not in procedure


def test_a_medication_that_was_administered_is_one_in_the_summary_too() -> None:
    alone, summary = told_alone(section("29549-3", GIVEN))
    assert len(alone["MedicationAdministration"]) == len(summary["MedicationAdministration"]) == 1
    assert "MedicationRequest" not in summary


def test_a_discharge_diagnosis_is_its_encounters_in_the_summary_too() -> None:
    alone, summary = told_alone(section("11535-2", PNEUMONIA))
    (of_document,), (of_summary,) = alone["Condition"], summary["Condition"]
    assert of_summary["category"] == of_document["category"]
    assert of_summary["category"][0]["coding"][0]["code"] == "encounter-diagnosis"


def observations_of(*sections: str) -> list[Json]:
    """Of a summary of several documents with one section each, the oldest measurement first."""
    summary, patient = summarized(
        (f"document {number}", document_xml(told)) for number, told in enumerate(sections)
    )
    found = by_type(bundle_of(summary, patient))["Observation"]
    return sorted(found, key=lambda one: str(one["effectiveDateTime"]))


def test_each_point_of_a_trend_has_its_own_status() -> None:
    old, new = observations_of(
        section("30954-2", glycated("20190101", "active", "7.2", "4548-4")),
        section("30954-2", glycated("20230101", "completed", "6.8", "4548-4")),
    )
    assert (old["status"], new["status"]) == ("registered", "final")


def test_each_point_of_a_trend_has_its_own_code() -> None:
    local = "2.999.8"
    translated = f'<translation code="A1C" codeSystem="{local}"/>'
    old, new = observations_of(
        section("30954-2", glycated("20190101", "completed", "7.2", "A1C", system=local)),
        section("30954-2", glycated("20230101", "completed", "6.8", "4548-4", translated)),
    )
    assert [one["code"] for one in old["code"]["coding"]] == ["A1C"]
    assert [one["code"] for one in new["code"]["coding"]] == ["4548-4", "A1C"]


def test_each_smoking_status_is_an_answer_to_its_question() -> None:
    old, new = observations_of(
        section("29762-2", smoking("20190301", "449868002", "Current every day smoker")),
        section("29762-2", smoking("20230301", "8517006", "Former smoker")),
    )
    assert [one["code"]["coding"][0]["code"] for one in (old, new)] == ["72166-2", "72166-2"]
    answers = [one["valueCodeableConcept"]["coding"][0]["code"] for one in (old, new)]
    assert answers == ["449868002", "8517006"]


FATHER = (
    '<organizer moodCode="EVN"><templateId root="2.16.840.1.113883.10.20.22.4.45"/>'
    '<statusCode code="completed"/><subject><relatedSubject classCode="PRS"><code code="FTH" '
    'codeSystem="2.16.840.1.113883.5.111" displayName="Father"/><subject>'
    '<birthTime value="1910"/></subject></relatedSubject></subject>{}</organizer>'
)
HAD = (
    '<component><observation moodCode="EVN" {}><templateId root="2.16.840.1.113883.10.20.22.4.46"/>'
    '<code code="64572001"/><statusCode code="completed"/><effectiveTime value="1990"/>'
    '<value xsi:type="CD" code="44054006" codeSystem="2.16.840.1.113883.6.96"/></observation>'
    "</component>"
)


SINCE = '<effectiveTime><low value="20090214"/></effectiveTime>'
UNTIL = '<effectiveTime><low value="20090214"/><high value="20110215"/></effectiveTime>'


@pytest.mark.parametrize(
    ("code", "told", "time"),
    [
        ("29762-2", smoking("20200101", "8517006", "Former smoker"), SINCE),
        ("29762-2", smoking("20200101", "8517006", "Former smoker"), UNTIL),
        ("30954-2", glycated("20200101", "completed", "7.2", "4548-4"), UNTIL),
    ],
)
def test_how_long_it_was_so_is_the_same_in_the_summary_as_in_its_document(
    code: str, told: str, time: str
) -> None:
    given = told.replace('<effectiveTime value="20200101"/>', time)
    (of_document,), (of_summary,) = (
        found["Observation"] for found in told_alone(section(code, given))
    )
    assert of_summary["effectivePeriod"] == of_document["effectivePeriod"]
    assert "effectiveDateTime" not in of_summary


def test_what_a_relative_has_is_the_relatives_in_the_summary_too() -> None:
    (found,) = told_alone(section("10157-6", FATHER.format(HAD.format(""))))[1][
        "FamilyMemberHistory"
    ]
    assert found["relationship"]["coding"][0]["code"] == "FTH"
    assert [one["code"]["coding"][0]["code"] for one in found["condition"]] == ["44054006"]
    assert found["bornDate"] == "1910"
    assert "date" not in found  # when he fell ill is not when it was told


def test_what_a_relative_is_said_not_to_have_is_denied_in_the_summary_too() -> None:
    denied = FATHER.format(HAD.format('negationInd="true"'))
    (found,) = told_alone(section("10157-6", denied))[1]["FamilyMemberHistory"]
    assert found["relationship"]["coding"][0]["code"] == "FTH"
    assert "condition" not in found
    assert found["note"][0]["text"].startswith("Denied: ")


def test_a_relative_of_whom_nothing_is_told_is_still_a_relative() -> None:
    (found,) = told_alone(section("10157-6", FATHER.format("")))[1]["FamilyMemberHistory"]
    assert found["relationship"]["coding"][0]["code"] == "FTH"
    assert "condition" not in found


UNKNOWN_END = '<effectiveTime><low value="2010"/><high nullFlavor="UNK"/></effectiveTime>'


def test_a_condition_that_ended_nobody_knows_when_has_ended_in_the_summary_too() -> None:
    ended = re.sub("<effectiveTime>.*</effectiveTime>", UNKNOWN_END, PNEUMONIA)
    alone, summary = told_alone(section("11450-4", ended))
    (of_document,), (of_summary,) = alone["Condition"], summary["Condition"]
    assert of_summary["clinicalStatus"] == of_document["clinicalStatus"]
    assert of_summary["clinicalStatus"]["coding"][0]["code"] == "resolved"


def test_that_no_allergy_is_known_is_told_once_with_all_who_say_it() -> None:
    told = section("48765-2", NO_ALLERGY)
    summary, patient = summarized((name, document_xml(told)) for name in ("one", "two"))
    bundle = bundle_of(summary, patient)
    found = by_type(bundle)
    (denial,) = found["AllergyIntolerance"]
    assert denial["code"]["coding"][0]["code"] == "716186003"
    url = {"reference": f"urn:uuid:{denial['id']}"}
    (provenance,) = [one for one in found["Provenance"] if url in one["target"]]
    assert len(provenance["entity"]) == 2
    assert faults(bundle) == []


def test_a_denial_is_the_same_in_the_summary_as_in_its_document() -> None:
    alone, summary = told_alone(section("48765-2", NO_ALLERGY))
    (of_document,), (of_summary,) = alone["AllergyIntolerance"], summary["AllergyIntolerance"]
    for name in ("clinicalStatus", "code", "onsetDateTime"):
        assert of_summary[name] == of_document[name]


def test_a_denial_that_a_newer_version_took_back_is_told_by_nobody() -> None:
    entry = Entry("allergy", "/*", code=CD("716186003"), no_information=True)
    old = LineSource("one", "Partner", 0, "/*", None, superseded=True)
    word = NothingKnown("No known allergy", (old,), (entry,))
    summary = Summary("2025-10-01", (), (SummarySection("allergy", (), (word,)),))
    assert "AllergyIntolerance" not in by_type(bundle_of(summary))


def test_who_did_not_answer_stands_in_the_bundle() -> None:
    answers = (
        Completeness("North Clinic", "matched", documents=2, at="2025-09-30T10:00:00+00:00"),
        Completeness("South Clinic", "matched", documents=1, missing=1),
        Completeness("West Clinic", "late", detail="no answer within 30 seconds"),
        Completeness("East Clinic", "not_asked"),
    )
    bundle = summary_bundle(
        summary_of(problem(source("one"))),
        member_id=MEMBER,
        patient=Patient(),
        completeness=answers,
    )
    (outcome,) = by_type(bundle)["OperationOutcome"]
    told = [(one["severity"], one["code"], one["details"]["text"]) for one in outcome["issue"]]
    assert told == [
        ("information", "informational", "North Clinic answered, 2 documents, asked 2025-09-30"),
        ("warning", "incomplete", "South Clinic answered, 1 document, 1 document missing"),
        ("warning", "incomplete", "West Clinic did not answer in time"),
        ("warning", "incomplete", "East Clinic was not asked"),
    ]
    assert outcome["issue"][2]["diagnostics"] == "no answer within 30 seconds"
    assert faults(bundle) == []


def test_a_document_is_known_by_its_authors_id_too() -> None:
    bundle = summary_bundle(
        summary_of(problem(source("one"))),
        member_id=MEMBER,
        patient=Patient(),
        sources={"one": II("2.999.7", "x")},
    )
    (reference,) = by_type(bundle)["DocumentReference"]
    assert reference["masterIdentifier"] == {"system": "urn:oid:2.999.7", "value": "x"}


def test_every_document_at_hand_is_a_valid_summary(converted: Converted) -> None:
    claimed: Counter[str] = Counter()
    for file, _, _ in converted:
        summary, patient = summarized([(file.name, file.read_bytes())])
        bundle = bundle_of(summary, patient)
        assert faults(bundle) == [], file
        for entry in bundle["entry"]:
            for profile in entry["resource"].get("meta", {}).get("profile", ()):
                claimed[profile] += 1
                assert lacks(entry["resource"], profile.removeprefix(BASE)) == ()
    assert claimed
