"""A denial that was entered in error denies nothing: FHIR says entered-in-error, and no more."""

from typing import Any

import pytest

from tests.ccda.fhir.conftest import Convert

HL7 = "2.16.840.1.113883.10.20.22.4"
WRONG = 'negationInd="true"'
SNOMED = "2.16.840.1.113883.6.96"
THING = f'<code code="80146002" codeSystem="{SNOMED}"/><statusCode code="nullified"/>'
DRUG = (
    '<statusCode code="nullified"/><consumable><manufacturedProduct><manufacturedMaterial>'
    '<code code="141" codeSystem="2.16.840.1.113883.12.292"/></manufacturedMaterial>'
    "</manufacturedProduct></consumable></substanceAdministration>"
)


def observed(template: str, more: str = "") -> str:
    return (
        f'<observation moodCode="EVN" {WRONG}><templateId root="{HL7}.{template}"/>'
        '<code code="ASSERTION" codeSystem="2.16.840.1.113883.5.4"/>'
        '<statusCode code="nullified"/>'
        f'<value xsi:type="CD" code="44054006" codeSystem="{SNOMED}"/>{more}</observation>'
    )


ALLERGEN = (
    '<participant typeCode="CSM"><participantRole><playingEntity>'
    '<code code="7980" codeSystem="2.16.840.1.113883.6.88"/></playingEntity></participantRole>'
    "</participant>"
)


@pytest.mark.parametrize(
    ("code", "statement", "type_name"),
    [
        ("47519-4", f'<procedure moodCode="EVN" {WRONG}>{THING}</procedure>', "Procedure"),
        ("46240-8", f'<encounter moodCode="EVN" {WRONG}>{THING}</encounter>', "Encounter"),
        (
            "11369-6",
            f'<substanceAdministration moodCode="EVN" {WRONG}><templateId root="{HL7}.52"/>{DRUG}',
            "Immunization",
        ),
        (
            "29549-3",
            f'<substanceAdministration moodCode="EVN" {WRONG}><templateId root="{HL7}.16"/>{DRUG}',
            "MedicationAdministration",
        ),
        ("30954-2", f'<observation moodCode="EVN" {WRONG}>{THING}</observation>', "Observation"),
        (
            "46264-8",
            f'<procedure moodCode="EVN">{THING}<participant typeCode="DEV"><participantRole>'
            "<playingDevice/></participantRole></participant></procedure>",
            "Device",
        ),
    ],
)
def test_the_status_is_that_it_was_entered_in_error(
    convert: Convert, code: str, statement: str, type_name: str
) -> None:
    (found,) = convert(code, statement)[type_name]
    assert found["status"] == "entered-in-error"


@pytest.mark.parametrize(
    ("code", "statement", "type_name"),
    [
        ("11450-4", observed("4"), "Condition"),
        ("48765-2", observed("7", ALLERGEN), "AllergyIntolerance"),
    ],
)
def test_nothing_is_refuted_by_mistake(
    convert: Convert, code: str, statement: str, type_name: str
) -> None:
    (found,) = convert(code, statement)[type_name]
    verification: dict[str, Any] = found["verificationStatus"]
    assert verification["coding"][0]["code"] == "entered-in-error"
    assert "clinicalStatus" not in found


def test_what_a_relative_was_wrongly_said_to_have_is_left_out(convert: Convert) -> None:
    def had(status: str, code: str) -> str:
        return (
            f'<component><observation moodCode="EVN"><templateId root="{HL7}.46"/>'
            f'<code code="64572001"/><statusCode code="{status}"/>'
            f'<value xsi:type="CD" code="{code}" codeSystem="{SNOMED}"/></observation></component>'
        )

    relative = (
        f'<organizer moodCode="EVN"><templateId root="{HL7}.45"/><statusCode code="{{}}"/>'
        '<subject><relatedSubject classCode="PRS"><code code="FTH"'
        ' codeSystem="2.16.840.1.113883.5.111"/></relatedSubject></subject>{}</organizer>'
    )
    held = had("completed", "44054006") + had("nullified", "195967001")
    (found,) = convert("10157-6", relative.format("completed", held))["FamilyMemberHistory"]
    assert [one["code"]["coding"][0]["code"] for one in found["condition"]] == ["44054006"]
    (wrong,) = convert("10157-6", relative.format("nullified", held))["FamilyMemberHistory"]
    assert wrong["status"] == "entered-in-error"
