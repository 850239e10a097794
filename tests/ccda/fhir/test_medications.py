"""Medications: intent, status and dosage; refusals; what was administered."""

import pytest

from tests.ccda.fhir.conftest import Convert

MEDICATIONS = "10160-0"
PRODUCT = (
    "<consumable><manufacturedProduct><manufacturedMaterial>"
    '<code code="314076" codeSystem="2.16.840.1.113883.6.88" displayName="Lisinopril 10 MG"/>'
    "</manufacturedMaterial>{maker}</manufacturedProduct></consumable>"
)


def medication(
    content: str = "", *, mood: str = "EVN", status: str = "active", attributes: str = "",
    times: str = "", maker: str = "", after: str = "",
) -> str:  # fmt: skip
    return (
        f'<substanceAdministration moodCode="{mood}" {attributes}>'
        '<templateId root="2.16.840.1.113883.10.20.22.4.16"/>'
        f'<statusCode code="{status}"/>{times}{content}{PRODUCT.format(maker=maker)}{after}'
        "</substanceAdministration>"
    )


def interval(low: str, high: str = "") -> str:
    end = f'<high value="{high}"/>' if high else ""
    return f'<effectiveTime xsi:type="IVL_TS"><low value="{low}"/>{end}</effectiveTime>'


@pytest.mark.parametrize(("mood", "intent"), [("EVN", "plan"), ("INT", "order")])
def test_the_mood_is_the_intent(convert: Convert, mood: str, intent: str) -> None:
    (found,) = convert(MEDICATIONS, medication(mood=mood))["MedicationRequest"]
    assert found["intent"] == intent


@pytest.mark.parametrize(
    ("status", "end", "expected"),
    [
        ("completed", "20240101", "completed"),
        ("completed", "20250101", "active"),
        ("completed", "", "completed"),
        ("aborted", "20250101", "stopped"),
        ("suspended", "", "on-hold"),
        ("nonsense", "", "unknown"),
    ],
)
def test_completed_with_an_end_after_the_document_is_active(
    convert: Convert, status: str, end: str, expected: str
) -> None:
    given = medication(status=status, times=interval("20230101", end))
    (found,) = convert(MEDICATIONS, given)["MedicationRequest"]
    assert found["status"] == expected


def test_a_denied_medication_is_one_not_to_be_given(convert: Convert) -> None:
    (found,) = convert(MEDICATIONS, medication(attributes='negationInd="true"'))[
        "MedicationRequest"
    ]
    assert found["doNotPerform"] is True


def test_how_often_and_how_much(convert: Convert) -> None:
    times = interval("20230101") + (
        '<effectiveTime xsi:type="PIVL_TS" operator="A"><period value="8" unit="h"/>'
        "</effectiveTime>"
    )
    given = medication('<doseQuantity value="1.50" unit="mL"/>', times=times)
    (found,) = convert(MEDICATIONS, given)["MedicationRequest"]
    (dosage,) = found["dosageInstruction"]
    assert dosage["timing"]["repeat"] == {
        "boundsPeriod": {"start": "2023-01-01"}, "frequency": 1, "period": 8, "periodUnit": "h",
    }  # fmt: skip
    dose = dosage["doseAndRate"][0]["doseQuantity"]
    assert (str(dose["value"]), dose["code"]) == ("1.50", "mL")


def test_an_event_of_the_day_is_when(convert: Convert) -> None:
    event = '<effectiveTime xsi:type="EIVL_TS" operator="A"><event code="HS"/></effectiveTime>'
    (found,) = convert(MEDICATIONS, medication(times=event))["MedicationRequest"]
    assert found["dosageInstruction"][0]["timing"]["repeat"]["when"] == ["HS"]


def test_a_precondition_means_as_needed(convert: Convert) -> None:
    pain = (
        '<precondition><criterion><value xsi:type="CD" code="22253000"/></criterion></precondition>'
    )
    (found,) = convert(MEDICATIONS, medication(after=pain))["MedicationRequest"]
    dosage = found["dosageInstruction"][0]
    assert dosage["asNeededCodeableConcept"]["coding"][0]["code"] == "22253000"
    assert "asNeededBoolean" not in dosage


def test_the_first_fill_is_no_repeat(convert: Convert) -> None:
    supply = (
        '<entryRelationship typeCode="REFR"><supply moodCode="INT"><repeatNumber value="3"/>'
        '<quantity value="30"/></supply></entryRelationship>'
    )
    (found,) = convert(MEDICATIONS, medication(after=supply))["MedicationRequest"]
    assert found["dispenseRequest"]["numberOfRepeatsAllowed"] == 2


def test_a_maker_makes_a_medication_of_the_drug(convert: Convert) -> None:
    maker = "<manufacturerOrganization><name>Example Pharma</name></manufacturerOrganization>"
    found = convert(MEDICATIONS, medication(maker=maker))
    (request,), (drug,) = found["MedicationRequest"], found["Medication"]
    assert request["medicationReference"]["reference"] == f"urn:uuid:{drug['id']}"
    assert "medicationCodeableConcept" not in request
    assert drug["code"]["coding"][0]["code"] == "314076"


def test_what_was_administered_is_an_event(convert: Convert) -> None:
    given = medication(status="completed", times='<effectiveTime value="20240101"/>')
    (found,) = convert("29549-3", given)["MedicationAdministration"]
    assert (found["status"], found["effectiveDateTime"]) == ("completed", "2024-01-01")


def test_what_was_not_administered_is_not_done(convert: Convert) -> None:
    given = medication(status="completed", attributes='negationInd="true"')
    (found,) = convert("29549-3", given)["MedicationAdministration"]
    assert found["status"] == "not-done"
    assert "_effectiveDateTime" in found
