"""Care teams: of the section, and who performed the care a document tells of."""

from ccda.fhir import document_bundle
from tests.ccda.fhir.conftest import Convert, by_type, clinical_document

HEADER = (
    '<recordTarget/><documentationOf><serviceEvent classCode="PCPR"><effectiveTime>'
    '<low value="20230101"/><high value="20240101"/></effectiveTime><performer typeCode="PRF">'
    '<functionCode code="PCP" codeSystem="2.16.840.1.113883.5.88" displayName="Primary care"/>'
    '<assignedEntity><id root="2.999.9" extension="1"/><assignedPerson><name><given>Ann</given>'
    "<family>Healer</family></name></assignedPerson></assignedEntity></performer></serviceEvent>"
    "</documentationOf>"
)


def member(name: str, is_denied: str = "false") -> str:
    return (
        f'<component><act moodCode="EVN" negationInd="{is_denied}">'
        '<templateId root="2.16.840.1.113883.10.20.22.4.500.1"/>'
        '<code code="92707-9"/><statusCode code="active"/><performer><assignedEntity>'
        f"<assignedPerson><name>{name}</name></assignedPerson></assignedEntity></performer></act>"
        "</component>"
    )


def team(*members: str, is_denied: str = "false") -> str:
    return (
        f'<organizer moodCode="EVN" negationInd="{is_denied}">'
        '<templateId root="2.16.840.1.113883.10.20.22.4.500"/>'
        f'<code code="86744-0"/><statusCode code="active"/>{"".join(members)}</organizer>'
    )


def test_a_team_holds_its_members(convert: Convert) -> None:
    found = convert("85847-2", team(member("Ann"), member("Bob")))
    (made,) = found["CareTeam"]
    names = {f"urn:uuid:{one['id']}": one["name"][0]["text"] for one in found["Practitioner"]}
    assert [names[one["member"]["reference"]] for one in made["participant"]] == ["Ann", "Bob"]
    assert made["status"] == "active"
    assert made["meta"]["profile"][0].endswith("us-core-careteam")


def test_who_is_not_in_a_team_is_no_member(convert: Convert) -> None:
    found = convert("85847-2", team(member("Ann"), member("Bob", is_denied="true")))
    (made,) = found["CareTeam"]
    assert len(made["participant"]) == 1
    assert [one["name"][0]["text"] for one in found["Practitioner"]] == ["Ann"]


def test_a_team_that_does_not_care_is_none(convert: Convert) -> None:
    assert "CareTeam" not in convert("85847-2", team(member("Ann"), is_denied="true"))


def test_the_performers_of_the_service_are_a_team() -> None:
    found = by_type(document_bundle(clinical_document("", HEADER), document_id="one"))
    (made,) = found["CareTeam"]
    (healer,) = found["Practitioner"]
    assert made["participant"][0]["member"]["reference"] == f"urn:uuid:{healer['id']}"
    assert made["participant"][0]["role"][0]["text"] == "Primary care"
    assert healer["name"] == [{"family": "Healer", "given": ["Ann"]}]
    assert made["period"] == {"start": "2023-01-01", "end": "2024-01-01"}


def test_a_performer_whose_name_says_nothing_is_known_by_the_next_one_or_not_at_all() -> None:
    nameless = HEADER.replace('<id root="2.999.9" extension="1"/>', "").replace(
        "<assignedPerson><name>", '<assignedPerson><name use="L"/><name>'
    )
    found = by_type(document_bundle(clinical_document("", nameless), document_id="one"))
    assert found["Practitioner"][0]["name"][-1] == {"family": "Healer", "given": ["Ann"]}
    nobody = nameless.replace("<given>Ann</given><family>Healer</family>", "")
    assert nobody != nameless
    found = by_type(document_bundle(clinical_document("", nobody), document_id="one"))
    assert "Practitioner" not in found
