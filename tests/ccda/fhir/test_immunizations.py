"""Immunizations given, refused, and only intended."""

from tests.ccda.fhir.conftest import Convert

IMMUNIZATIONS = "11369-6"


def immunization(
    content: str = "", *, mood: str = "EVN", attributes: str = "", after: str = ""
) -> str:
    return (
        f'<substanceAdministration moodCode="{mood}" {attributes}>'
        '<templateId root="2.16.840.1.113883.10.20.22.4.52"/><statusCode code="completed"/>'
        f"{content}<consumable><manufacturedProduct><manufacturedMaterial>"
        '<code code="88" codeSystem="2.16.840.1.113883.6.59" displayName="Influenza"/>'
        f"<lotNumberText>L-1</lotNumberText></manufacturedMaterial></manufacturedProduct>"
        f"</consumable>{after}</substanceAdministration>"
    )


def test_a_refused_vaccine_is_not_done_with_its_reason(convert: Convert) -> None:
    reason = (
        '<entryRelationship typeCode="RSON"><observation>'
        '<templateId root="2.16.840.1.113883.10.20.22.4.53"/>'
        '<code code="PATOBJ" codeSystem="2.16.840.1.113883.5.8"/></observation></entryRelationship>'
    )
    given = immunization(
        '<effectiveTime value="20231001"/>', attributes='negationInd="true"', after=reason
    )
    (found,) = convert(IMMUNIZATIONS, given)["Immunization"]
    assert found["status"] == "not-done"
    assert found["statusReason"]["coding"][0] == {
        "system": "http://terminology.hl7.org/CodeSystem/v3-ActReason", "code": "PATOBJ",
    }  # fmt: skip
    assert "reasonCode" not in found


def test_a_vaccine_that_was_not_given_is_not_done_though_nobody_says_why(
    convert: Convert,
) -> None:
    (found,) = convert(IMMUNIZATIONS, immunization(attributes='negationInd="true"'))["Immunization"]
    assert found["status"] == "not-done"
    assert "statusReason" not in found


def test_both_roots_of_cvx_are_one_system(convert: Convert) -> None:
    (found,) = convert(IMMUNIZATIONS, immunization())["Immunization"]
    assert found["vaccineCode"]["coding"][0]["system"] == "http://hl7.org/fhir/sid/cvx"
    assert found["lotNumber"] == "L-1"


def test_a_vaccine_whose_time_nobody_tells_says_so(convert: Convert) -> None:
    (found,) = convert(IMMUNIZATIONS, immunization())["Immunization"]
    assert found["_occurrenceDateTime"]["extension"][0]["valueCode"] == "unknown"


def test_of_an_interval_the_low_is_the_occurrence(convert: Convert) -> None:
    time = '<effectiveTime><low value="20231001"/><high value="20231002"/></effectiveTime>'
    (found,) = convert(IMMUNIZATIONS, immunization(time))["Immunization"]
    assert found["occurrenceDateTime"] == "2023-10-01"


def test_a_vaccine_that_is_only_intended_was_not_given(convert: Convert) -> None:
    found = convert(IMMUNIZATIONS, immunization(mood="INT"))
    assert "Immunization" not in found
    assert found["MedicationRequest"][0]["intent"] == "plan"
