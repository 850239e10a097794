"""Family history: one resource a relative, with all that he or she had."""

from tests.ccda.fhir.conftest import Convert

FAMILY = "10157-6"


def condition(code: str, *, attributes: str = "", inside: str = "") -> str:
    return (
        f'<component><observation moodCode="EVN" {attributes}>'
        '<templateId root="2.16.840.1.113883.10.20.22.4.46"/><code code="64572001"/>'
        f'<value xsi:type="CD" code="{code}" codeSystem="2.16.840.1.113883.6.96" '
        f'displayName="Condition {code}"/>{inside}</observation></component>'
    )


def relative(*conditions: str) -> str:
    return (
        '<organizer moodCode="EVN"><templateId root="2.16.840.1.113883.10.20.22.4.45"/>'
        '<statusCode code="completed"/><subject><relatedSubject>'
        '<code code="FTH" codeSystem="2.16.840.1.113883.5.111" displayName="Father"/>'
        '<subject><administrativeGenderCode code="M" codeSystem="2.16.840.1.113883.5.1"/>'
        '<birthTime value="1910"/></subject></relatedSubject></subject>'
        f"{''.join(conditions)}</organizer>"
    )


AGE = (
    '<entryRelationship><observation><templateId root="2.16.840.1.113883.10.20.22.4.31"/>'
    '<code code="445518008"/><value xsi:type="PQ" value="57" unit="a"/></observation>'
    "</entryRelationship>"
)


def test_a_relative_is_one_history_with_each_condition(convert: Convert) -> None:
    given = relative(condition("22298006", inside=AGE), condition("44054006"))
    (father,) = convert(FAMILY, given)["FamilyMemberHistory"]
    assert father["relationship"]["coding"][0]["code"] == "FTH"
    assert father["sex"]["coding"][0]["code"] == "male"
    assert father["bornDate"] == "1910"
    assert [one["code"]["coding"][0]["code"] for one in father["condition"]] == [
        "22298006", "44054006",
    ]  # fmt: skip
    assert father["condition"][0]["onsetAge"]["value"] == 57


def test_a_condition_that_was_denied_is_none(convert: Convert) -> None:
    given = relative(condition("22298006", attributes='negationInd="true"'))
    (father,) = convert(FAMILY, given)["FamilyMemberHistory"]
    assert "condition" not in father
    assert father["note"] == [{"text": "Denied: Condition 22298006"}]


def test_a_condition_may_name_the_relative_itself(convert: Convert) -> None:
    (found,) = convert(
        "10157-6",
        '<observation moodCode="EVN"><code code="64572001"/><value xsi:type="CD" code="22298006"/>'
        '<subject><relatedSubject classCode="PRS"><code code="MTH" '
        'codeSystem="2.16.840.1.113883.5.111"/></relatedSubject></subject></observation>',
    )["FamilyMemberHistory"]
    assert found["relationship"]["coding"][0]["code"] == "MTH"
