"""Coverage: the payer, the member's number, and how the member is related to who holds it."""

from tests.ccda.fhir.conftest import Convert

PAYERS = "48768-6"


def policy(payer: str, status: str = "completed", is_denied: str = "false") -> str:
    return (
        '<act moodCode="EVN"><templateId root="2.16.840.1.113883.10.20.22.4.60"/>'
        '<code code="48768-6"/><statusCode code="completed"/><entryRelationship typeCode="COMP">'
        f'<act moodCode="EVN" negationInd="{is_denied}">'
        '<templateId root="2.16.840.1.113883.10.20.22.4.61"/>'
        '<id root="2.999.4" extension="GROUP-1"/>'
        '<code code="72" codeSystem="2.16.840.1.113883.3.221.5"/>'
        f'<statusCode code="{status}"/>{payer}<participant typeCode="COV"><time>'
        '<low value="20230101"/></time><participantRole><id root="2.999.4.1" extension="M-1"/>'
        '<code code="SPO" codeSystem="2.16.840.1.113883.5.111"/></participantRole></participant>'
        "</act></entryRelationship></act>"
    )


PAYER = (
    '<performer typeCode="PRF"><assignedEntity><id root="2.999.4.2"/><code code="PAYOR"/>'
    "<representedOrganization><name>Acme Health</name></representedOrganization>"
    "</assignedEntity></performer>"
)


def test_a_policy_is_a_coverage(convert: Convert) -> None:
    found = convert(PAYERS, policy(PAYER))
    (coverage,), (payer,) = found["Coverage"], found["Organization"]
    assert coverage["subscriberId"] == "M-1"
    assert coverage["relationship"]["coding"][0]["code"] == "spouse"
    assert coverage["payor"] == [{"reference": f"urn:uuid:{payer['id']}"}]
    assert coverage["period"] == {"start": "2023-01-01"}
    assert coverage["class"][0]["value"] == "GROUP-1"
    assert payer["name"] == "Acme Health"


def test_a_payer_that_nobody_names_is_said_to_be_absent(convert: Convert) -> None:
    (coverage,) = convert(PAYERS, policy(""))["Coverage"]
    assert coverage["payor"][0]["extension"][0]["valueCode"] == "unknown"


def test_what_does_not_cover_is_no_coverage(convert: Convert) -> None:
    assert "Coverage" not in convert(PAYERS, policy(PAYER, is_denied="true"))


def test_a_policy_entered_in_error_says_so(convert: Convert) -> None:
    (coverage,) = convert(PAYERS, policy(PAYER, status="nullified"))["Coverage"]
    assert coverage["status"] == "entered-in-error"
