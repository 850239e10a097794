"""The patient, with the extensions of US Core."""

from typing import Any

import pytest

from ccda.fhir import document_bundle
from tests.ccda.fhir.conftest import by_type, clinical_document
from tests.ccda.fhir.structure import faults

CDC = "2.16.840.1.113883.6.238"


def patient(facts: str, role: str = "") -> Any:
    header = (
        f'<recordTarget><patientRole><id root="2.999.2" extension="1"/>{role}<patient>{facts}'
        "</patient></patientRole></recordTarget>"
    )
    bundle = document_bundle(clinical_document("", header), document_id="one")
    return by_type(bundle)["Patient"][0]


def test_a_gender_nobody_knows_is_unknown() -> None:
    assert patient('<administrativeGenderCode nullFlavor="UNK"/>')["gender"] == "unknown"
    assert patient('<administrativeGenderCode code="UN"/>')["gender"] == "other"


def test_a_name_nobody_gives_says_that_it_is_absent() -> None:
    assert patient("")["name"] == [
        {"extension": [{"url": "http://hl7.org/fhir/StructureDefinition/data-absent-reason",
                        "valueCode": "unknown"}]}
    ]  # fmt: skip


def test_a_race_is_a_category_or_a_detail_and_always_a_text() -> None:
    races = (
        f'<raceCode code="2106-3" codeSystem="{CDC}" displayName="White"/>'
        f'<sdtc:raceCode code="2108-9" codeSystem="{CDC}" displayName="European"/>'
    )
    (race,) = patient(races)["extension"]
    assert [(one["url"], one.get("valueString")) for one in race["extension"]] == [
        ("ombCategory", None), ("detailed", None), ("text", "White, European"),
    ]  # fmt: skip


def test_a_time_of_birth_keeps_its_precision() -> None:
    found = patient('<birthTime value="197505011030-0500"/>')
    assert found["birthDate"] == "1975-05-01"
    (time,) = found["_birthDate"]["extension"]
    assert time["valueDateTime"] == "1975-05-01T10:30:00-05:00"


def test_of_a_death_the_time_is_told_rather_than_the_fact() -> None:
    both = '<sdtc:deceasedInd value="true"/><sdtc:deceasedTime value="20200101"/>'
    found = patient(both)
    assert found["deceasedDateTime"] == "2020-01-01"
    assert "deceasedBoolean" not in found
    assert patient('<sdtc:deceasedInd value="false"/>')["deceasedBoolean"] is False


@pytest.mark.parametrize(
    ("tag", "expected"),
    [
        ("en-US", {"coding": [{"system": "urn:ietf:bcp:47", "code": "en-US"}]}),
        ("spa", {"coding": [{"system": "urn:ietf:bcp:47", "code": "es"}]}),
        ("us-en", {"text": "us-en"}),
    ],
)
def test_a_language_is_a_tag_or_words(tag: str, expected: dict[str, Any]) -> None:
    given = f'<languageCommunication><languageCode code="{tag}"/></languageCommunication>'
    assert patient(given)["communication"] == [{"language": expected}]


def test_a_telecom_is_a_contact_of_its_kind() -> None:
    role = '<telecom use="HP" value="tel:+1-555-0100"/><telecom value="mailto:a@example.org"/>'
    assert patient("", role)["telecom"] == [
        {"system": "phone", "value": "+1-555-0100", "use": "home"},
        {"system": "email", "value": "a@example.org"},
    ]


def guardian(who: str) -> str:
    return f'<guardian><code code="MTH" codeSystem="2.16.840.1.113883.5.111"/>{who}</guardian>'


def test_a_guardian_may_be_an_organization() -> None:
    house = "<guardianOrganization><name>Child Services</name></guardianOrganization>"
    header = (
        '<recordTarget><patientRole><id root="2.999.2" extension="1"/><patient>'
        f"{guardian(house)}</patient></patientRole></recordTarget>"
    )
    bundle = document_bundle(clinical_document("", header), document_id="one")
    found = by_type(bundle)
    (contact,), (made,) = found["Patient"][0]["contact"], found["Organization"]
    assert contact["organization"] == {"reference": f"urn:uuid:{made['id']}"}
    assert made["name"] == "Child Services"
    assert faults(bundle) == []


def test_a_guardian_of_whom_nothing_is_told_is_no_contact() -> None:
    nobody = '<guardianPerson><name nullFlavor="UNK"/></guardianPerson>'
    ann = "<guardianPerson><name><given>Ann</given></name></guardianPerson>"
    (contact,) = patient(guardian(nobody) + guardian(ann))["contact"]
    assert contact["name"] == {"given": ["Ann"]}
    assert "contact" not in patient(guardian(nobody))
