"""Social history: smoking, pregnancy, determinants; and what the person is told by."""

from tests.ccda.fhir.conftest import Convert

SOCIAL = "29762-2"
LOINC = "2.16.840.1.113883.6.1"
SNOMED = "2.16.840.1.113883.6.96"


def observation(
    code: str, value: str, *, template: str = "38", system: str = LOINC, more: str = "",
    time: str = '<effectiveTime value="20240101"/>',
) -> str:  # fmt: skip
    return (
        '<observation moodCode="EVN">'
        f'<templateId root="2.16.840.1.113883.10.20.22.4.{template}"/>'
        f'<code code="{code}" codeSystem="{system}"/><statusCode code="completed"/>{time}'
        f"{value}{more}</observation>"
    )


def coded(code: str, system: str = SNOMED) -> str:
    return f'<value xsi:type="CD" code="{code}" codeSystem="{system}"/>'


def test_a_smoking_status_is_the_question_and_its_answer(convert: Convert) -> None:
    given = observation("72166-2", coded("8517006"), template="78")
    (found,) = convert(SOCIAL, given)["Observation"]
    assert found["code"]["coding"][0]["code"] == "72166-2"
    assert found["valueCodeableConcept"]["coding"][0]["code"] == "8517006"
    assert found["meta"]["profile"][0].endswith("us-core-smokingstatus")


def test_an_asserted_smoking_status_is_asked_by_its_loinc_code(convert: Convert) -> None:
    given = observation(
        "ASSERTION", coded("8517006"), template="78", system="2.16.840.1.113883.5.4"
    )
    (found,) = convert(SOCIAL, given)["Observation"]
    assert found["code"]["coding"][0]["code"] == "72166-2"


def test_a_pregnancy_is_told_by_its_loinc_code_at_one_moment(convert: Convert) -> None:
    given = observation(
        "ASSERTION", coded("77386006"), system="2.16.840.1.113883.5.4",
        time='<effectiveTime><low value="20230901"/></effectiveTime>',
    )  # fmt: skip
    (found,) = convert(SOCIAL, given)["Observation"]
    assert found["code"]["coding"][0]["code"] == "82810-3"
    assert found["effectiveDateTime"] == "2023-09-01"


def test_a_question_of_social_determinants_is_of_that_category_too(convert: Convert) -> None:
    (found,) = convert(SOCIAL, observation("71802-3", coded("32911000")))["Observation"]
    codes = [one["coding"][0]["code"] for one in found["category"]]
    assert codes == ["social-history", "sdoh"]


def test_the_birth_sex_is_of_the_patient_too(convert: Convert) -> None:
    given = observation("76689-9", coded("F", "2.16.840.1.113883.5.1"), template="200")
    found = convert(SOCIAL, given)
    (patient,) = found["Patient"]
    assert [one["valueCode"] for one in patient["extension"]] == ["F"]
    assert len(found["Observation"]) == 1


def test_the_sex_and_the_tribe_are_told_of_the_person_too(convert: Convert) -> None:
    tribe = coded("91", "2.16.840.1.113883.5.140")
    found = convert(
        SOCIAL,
        observation("46098-0", coded("248152002"), template="507"),
        observation("95370-3", tribe, template="506"),
    )
    told = {one["url"].rpartition("us-core-")[2]: one for one in found["Patient"][0]["extension"]}
    assert told["sex"]["valueCode"] == "248152002"
    (part,) = told["tribal-affiliation"]["extension"]
    assert part["url"] == "tribalAffiliation"
    assert part["valueCodeableConcept"]["coding"][0]["code"] == "91"
    assert len(found["Observation"]) == 2


def test_a_sex_that_is_not_told_is_left_out(convert: Convert) -> None:
    unknown = '<value xsi:type="CD" nullFlavor="UNK"/>'
    found = convert(SOCIAL, observation("46098-0", unknown, template="507"))
    assert "extension" not in found["Patient"][0]


def test_how_many_cigarettes_is_a_number(convert: Convert) -> None:
    asked = '<code code="8663-7" codeSystem="2.16.840.1.113883.6.1"/>'
    given = f'<observation moodCode="EVN">{asked}<value xsi:type="INT" value="20"/></observation>'
    (found,) = convert("29762-2", given)["Observation"]
    assert found["valueQuantity"] == {"value": 20}
