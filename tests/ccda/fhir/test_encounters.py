"""Encounters: their class and status, their diagnoses, and the one the header tells of."""

import re

import pytest

from ccda.fhir import document_bundle
from tests.ccda.fhir.conftest import Convert, by_type, clinical_document, section
from tests.ccda.fhir.test_conditions import problem

ENCOUNTERS = "46240-8"
HEADER = (
    "<recordTarget/><componentOf><encompassingEncounter>"
    '<id root="2.999.5" extension="{number}"/>'
    '<code code="IMP" codeSystem="2.16.840.1.113883.5.4"/>'
    '<effectiveTime><low value="20240101"/><high value="20240103"/></effectiveTime>'
    "</encompassingEncounter></componentOf>"
)


def encounter(
    code: str, *, time: str = '<effectiveTime value="20240101"/>', inside: str = ""
) -> str:
    return (
        '<encounter moodCode="EVN"><templateId root="2.16.840.1.113883.10.20.22.4.49"/>'
        f'<id root="2.999.5" extension="7"/>{code}{time}{inside}</encounter>'
    )


CPT = '<code code="99213" codeSystem="2.16.840.1.113883.6.12"/>'


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        ('<code code="EMER" codeSystem="2.16.840.1.113883.5.4"/>', "EMER"),
        (CPT, "AMB"),
        ('<code code="99285" codeSystem="2.16.840.1.113883.6.12"/>', "EMER"),
        ('<code code="99223" codeSystem="2.16.840.1.113883.6.12"/>', "IMP"),
        (
            '<code code="1" codeSystem="2.999.3"><translation code="AMB" '
            'codeSystem="2.16.840.1.113883.5.4"/></code>',
            "AMB",
        ),
    ],
)
def test_the_class_is_an_act_code_or_what_cpt_says(
    convert: Convert, code: str, expected: str
) -> None:
    (found,) = convert(ENCOUNTERS, encounter(code))["Encounter"]
    assert found["class"]["code"] == expected


def test_a_class_that_nobody_states_is_said_to_be_absent(convert: Convert) -> None:
    (found,) = convert(ENCOUNTERS, encounter('<code code="1" codeSystem="2.999.3"/>'))["Encounter"]
    assert found["class"]["extension"][0]["valueCode"] == "unknown"
    assert found["type"][0]["coding"][0]["code"] == "1"


@pytest.mark.parametrize(
    ("time", "expected"),
    [
        ('<effectiveTime value="20240101"/>', "finished"),
        (
            '<effectiveTime><low value="20240101"/><high value="20240102"/></effectiveTime>',
            "finished",
        ),
        ('<effectiveTime><low value="20240101"/></effectiveTime>', "unknown"),
        (
            '<statusCode code="active"/><effectiveTime><low value="20240101"/></effectiveTime>',
            "in-progress",
        ),
        ('<statusCode code="cancelled"/><effectiveTime value="20240101"/>', "cancelled"),
    ],
)
def test_a_point_or_an_end_is_finished(convert: Convert, time: str, expected: str) -> None:
    (found,) = convert(ENCOUNTERS, encounter(CPT, time=time))["Encounter"]
    assert found["status"] == expected


def test_a_diagnosis_is_a_condition_of_its_encounter(convert: Convert) -> None:
    diagnosis = (
        '<entryRelationship><act><code code="29308-4"/><statusCode code="active"/>'
        '<entryRelationship typeCode="SUBJ"><observation moodCode="EVN">'
        '<templateId root="2.16.840.1.113883.10.20.22.4.4"/><code code="282291009"/>'
        '<value xsi:type="CD" code="233604007" codeSystem="2.16.840.1.113883.6.96"/>'
        "</observation></entryRelationship></act></entryRelationship>"
    )
    found = convert(ENCOUNTERS, encounter(CPT, inside=diagnosis))
    (visit,), (condition,) = found["Encounter"], found["Condition"]
    assert visit["diagnosis"] == [{"condition": {"reference": f"urn:uuid:{condition['id']}"}}]
    assert condition["encounter"]["reference"] == f"urn:uuid:{visit['id']}"
    assert condition["category"][0]["coding"][0]["code"] == "encounter-diagnosis"


def test_an_act_code_that_is_no_class_is_a_type(convert: Convert) -> None:
    given = '<code code="GENRL" codeSystem="2.16.840.1.113883.5.4"/>'
    (found,) = convert(ENCOUNTERS, encounter(given))["Encounter"]
    assert found["type"][0]["coding"][0]["code"] == "GENRL"


def test_the_encounter_of_the_header_is_that_of_the_section_by_its_id() -> None:
    document = clinical_document(
        section(ENCOUNTERS, encounter('<code code="1" codeSystem="2.999.3"/>')),
        HEADER.format(number="7"),
    )
    (found,) = by_type(document_bundle(document, document_id="one"))["Encounter"]
    assert found["class"]["code"] == "IMP"
    assert found["type"][0]["coding"][0]["code"] == "1"


def test_another_encounter_of_the_header_is_one_of_its_own() -> None:
    document = clinical_document(section(ENCOUNTERS, encounter(CPT)), HEADER.format(number="8"))
    found = by_type(document_bundle(document, document_id="one"))["Encounter"]
    assert [one["class"]["code"] for one in found] == ["AMB", "IMP"]
    assert found[1]["period"] == {"start": "2024-01-01", "end": "2024-01-03"}


@pytest.mark.parametrize(
    ("time", "expected"),
    [
        ('<effectiveTime value="20240101"/>', "finished"),
        ('<effectiveTime><low value="20240101"/></effectiveTime>', "unknown"),
        (
            '<effectiveTime><low value="20240101"/><width value="2" unit="d"/></effectiveTime>',
            "finished",
        ),
    ],
)
def test_the_encounter_of_the_header_is_over_where_it_tells_a_point_or_an_end(
    time: str, expected: str
) -> None:
    header = re.sub("<effectiveTime>.*</effectiveTime>", time, HEADER.format(number="7"))
    assert time in header
    document = clinical_document("", header)
    (found,) = by_type(document_bundle(document, document_id="one"))["Encounter"]
    assert (found["status"], found["period"]["start"]) == (expected, "2024-01-01")


def test_an_indication_that_is_a_problem_of_the_document_is_that_problem() -> None:
    reason = (
        '<entryRelationship typeCode="RSON"><observation moodCode="EVN">'
        '<templateId root="2.16.840.1.113883.10.20.22.4.19"/><id root="2.999.6" extension="{id}"/>'
        '<code code="404684003"/><value xsi:type="CD" code="44054006" '
        'codeSystem="2.16.840.1.113883.6.96"/></observation></entryRelationship>'
    )
    own = problem().replace('<code code="55607006"/>', '<id root="2.999.6" extension="p"/><code/>')
    given = encounter(CPT, inside=reason.format(id="p") + reason.format(id="other"))
    document = clinical_document(section("11450-4", own) + section(ENCOUNTERS, given))
    found = by_type(document_bundle(document, document_id="one"))
    (visit,), (condition,) = found["Encounter"], found["Condition"]
    assert visit["reasonReference"] == [{"reference": f"urn:uuid:{condition['id']}"}]
    assert [one["coding"][0]["code"] for one in visit["reasonCode"]] == ["44054006"]
