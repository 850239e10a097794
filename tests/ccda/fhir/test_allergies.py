"""AllergyIntolerance: what denies an allergy, and what only says that nothing is known (ait-1)."""

import pytest

from tests.ccda.fhir.conftest import Convert

ALLERGIES = "48765-2"


def allergy(
    content: str = "", *, kind: str = "416098002", allergen: str = "", attributes: str = "",
    times: str = "", concern: str = "active",
) -> str:  # fmt: skip
    return (
        f'<act><statusCode code="{concern}"/><entryRelationship typeCode="SUBJ">'
        f'<observation moodCode="EVN" {attributes}>'
        '<templateId root="2.16.840.1.113883.10.20.22.4.7"/><code code="ASSERTION"/>'
        f'<statusCode code="completed"/><effectiveTime>{times}</effectiveTime>'
        f'<value xsi:type="CD" code="{kind}" codeSystem="2.16.840.1.113883.6.96"/>'
        f'<participant typeCode="CSM"><participantRole><playingEntity>{allergen}</playingEntity>'
        f"</participantRole></participant>{content}</observation></entryRelationship></act>"
    )


PENICILLIN = '<code code="7980" codeSystem="2.16.840.1.113883.6.88" displayName="Penicillin"/>'
NOTHING = '<code nullFlavor="NA"/>'


def observation(relation: str, template: str, value: str, inside: str = "") -> str:
    return (
        f'<entryRelationship typeCode="{relation}"><observation>'
        f'<templateId root="2.16.840.1.113883.10.20.22.4.{template}"/>'
        f'<code code="{"SEV" if template == "8" else "ASSERTION"}"/>'
        f'<value xsi:type="CD" code="{value}" codeSystem="2.16.840.1.113883.6.96"/>{inside}'
        "</observation></entryRelationship>"
    )


def test_type_and_category_follow_the_value(convert: Convert) -> None:
    (found,) = convert(ALLERGIES, allergy(allergen=PENICILLIN))["AllergyIntolerance"]
    assert (found["type"], found["category"]) == ("allergy", ["medication"])
    assert found["code"]["coding"][0]["code"] == "7980"


def test_a_propensity_has_no_type_that_nobody_stated(convert: Convert) -> None:
    given = allergy(kind="420134006", allergen=PENICILLIN)
    (found,) = convert(ALLERGIES, given)["AllergyIntolerance"]
    assert "type" not in found
    assert "category" not in found


@pytest.mark.parametrize(
    ("kind", "code"),
    [("419199007", "716186003"), ("416098002", "409137002"), ("414285001", "429625007")],
)
def test_a_denied_class_is_a_code_that_says_so(convert: Convert, kind: str, code: str) -> None:
    given = allergy(kind=kind, allergen=NOTHING, attributes='negationInd="true"')
    (found,) = convert(ALLERGIES, given)["AllergyIntolerance"]
    assert found["code"]["coding"][0]["code"] == code
    assert "verificationStatus" not in found
    assert "type" not in found


def test_a_denied_allergen_is_refuted(convert: Convert) -> None:
    given = allergy(allergen=PENICILLIN, attributes='negationInd="true"')
    (found,) = convert(ALLERGIES, given)["AllergyIntolerance"]
    assert found["verificationStatus"]["coding"][0]["code"] == "refuted"


def test_that_nothing_is_recorded_of_allergies_is_no_resource(convert: Convert) -> None:
    given = allergy(allergen=NOTHING).replace('code="416098002"', 'nullFlavor="NI"')
    assert "AllergyIntolerance" not in convert(ALLERGIES, given)


def test_the_end_is_an_abatement_and_never_the_onset(convert: Convert) -> None:
    given = allergy(allergen=PENICILLIN, times='<low value="2001"/><high value="2005"/>')
    (found,) = convert(ALLERGIES, given)["AllergyIntolerance"]
    assert found["onsetDateTime"] == "2001"
    assert "onsetPeriod" not in found
    (abatement,) = found["extension"]
    assert abatement["url"].endswith("allergyintolerance-abatement")
    assert abatement["valueDateTime"] == "2005"
    assert found["clinicalStatus"]["coding"][0]["code"] == "inactive"


def test_a_severity_of_the_allergy_is_that_of_each_reaction_that_has_none(
    convert: Convert,
) -> None:
    hives = observation("MFST", "9", "247472004")
    cough = observation("MFST", "9", "49727002", observation("SUBJ", "8", "255604002"))
    severe = observation("SUBJ", "8", "24484000")
    given = allergy(hives + cough + severe, allergen=PENICILLIN)
    (found,) = convert(ALLERGIES, given)["AllergyIntolerance"]
    assert [one["severity"] for one in found["reaction"]] == ["severe", "mild"]


def test_no_known_allergies_may_be_told_by_the_elder_code(convert: Convert) -> None:
    given = allergy(kind="160244002")
    given = given[: given.index("<participant")] + given[given.index("</participant>") + 14 :]
    (found,) = convert(ALLERGIES, given)["AllergyIntolerance"]
    assert found["code"]["coding"][0]["code"] == "160244002"
