"""Assertions: what they state is read from many hands, and holds only when and where it says."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from lxml import etree
from lxml.etree import _Element as Element

from ihe.errors import SecurityRefused
from ihe.identifiers import HomeCommunityId, Oid
from ihe.key_info import read_key_info, same_key, write_key_info
from ihe.namespaces import name
from ihe.saml import (
    UNBOUNDED_LIFETIME,
    CodedAttribute,
    check_conditions,
    read_assertion,
    read_time,
    write_time,
)
from ihe.saml_writing import AssertionStyle, write_assertion
from ihe.soap import parse_envelope
from tests.certificates import NOW
from tests.ihe_messages import OUR_AUDIENCE, an_assertion, find, partner

ATTRIBUTES = "saml2:AttributeStatement"
MINUTE = timedelta(minutes=1)


def written(**changes: object) -> Element:
    certificate = partner().certificate
    element = write_assertion(
        an_assertion(**changes), holder="CN=holder", key_info=write_key_info(certificate)
    )
    return etree.fromstring(etree.tostring(element))


def attribute(element: Element, attribute_name: str) -> Element:
    found = element.find(f".//{name('saml2:Attribute')}[@Name='{attribute_name}']")
    assert found is not None
    return found


# ---- reading and writing ---------------------------------------------------------------------


def test_what_is_written_is_read_back() -> None:
    assert read_assertion(written()) == an_assertion()


def test_what_is_absent_is_none() -> None:
    bare = an_assertion(
        not_before=None,
        not_on_or_after=None,
        subject=None,
        organization=None,
        organization_id=None,
        home_community_id=None,
        role=None,
        purpose_of_use=None,
        audiences=(),
        npi=None,
        resource_id=None,
        access_consent_policies=(),
    )
    element = write_assertion(bare, holder="CN=x", key_info=etree.Element(name("ds:KeyInfo")))
    assert read_assertion(element) == bare


def test_a_subject_without_a_name_is_the_holder_of_the_key() -> None:
    assert read_assertion(written(subject_name=None)).subject_name == "CN=holder"


@pytest.mark.parametrize(
    ("subject", "form"),
    [("CN=x,O=y", "X509SubjectName"), ("a@b.example", "emailAddress"), ("joe", "unspecified")],
)
def test_a_name_says_of_what_kind_it_is(subject: str, form: str) -> None:
    element = find(written(subject_name=subject), "saml2:Subject/saml2:NameID")
    assert element.get("Format") == f"urn:oasis:names:tc:SAML:1.1:nameid-format:{form}"


def test_the_holders_key_is_in_the_confirmation() -> None:
    confirmation = find(written(), "saml2:Subject/saml2:SubjectConfirmation")
    assert confirmation.get("Method") == "urn:oasis:names:tc:SAML:2.0:cm:holder-of-key"
    hints = read_key_info(find(confirmation, "saml2:SubjectConfirmationData/ds:KeyInfo"))
    assert hints.certificates == (partner().certificate,)


def test_a_role_and_a_purpose_are_hl7_codes() -> None:
    role = attribute(written(), "urn:oasis:names:tc:xacml:2.0:subject:role")
    coded = find(role, "saml2:AttributeValue/hl7:Role")
    assert coded.get(name("xsi:type")) == "hl7:CE"
    assert coded.get("codeSystemName") == "SNOMED_CT"


def test_each_attribute_may_have_a_statement_of_its_own() -> None:
    element = written()
    statement = find(element, ATTRIBUTES)
    for moved in list(statement):
        etree.SubElement(element, name(ATTRIBUTES)).append(moved)
    assert read_assertion(element) == an_assertion()


@pytest.mark.parametrize("local", ["PurposeOfUse", "PurposeForUse"])
def test_a_purpose_is_read_under_its_old_name_too(local: str) -> None:
    element = written()
    value = attribute(element, "urn:oasis:names:tc:xspa:1.0:subject:purposeofuse")[0]
    value[0].tag = f"{{urn:hl7-org:v3}}{local}"
    purpose = read_assertion(element).purpose_of_use
    assert purpose is not None
    assert (purpose.code, purpose.display) == ("TREATMENT", "Treatment")


@pytest.mark.parametrize("version", ["1.0", "2.0"])
def test_an_npi_is_read_under_either_name(version: str) -> None:
    element = written()
    attribute(element, "urn:oasis:names:tc:xspa:2.0:subject:npi").set(
        "Name", f"urn:oasis:names:tc:xspa:{version}:subject:npi"
    )
    assert read_assertion(element).npi == "1234567893"


@pytest.mark.parametrize("text", ["urn:oid:2.999.1", "2.999.1", " URN:OID:2.999.1\n"])
def test_a_home_community_is_read_in_any_spelling(text: str) -> None:
    element = written()
    community = attribute(element, "urn:nhin:names:saml:homeCommunityId")
    community.set("Name", "urn:ihe:iti:xca:2010:homeCommunityId")
    community[0].text = text
    assert read_assertion(element).home_community_id == HomeCommunityId.parse("2.999.1")


@pytest.mark.parametrize("text", ["2.999.1", "URN:OID:2.999.1", " urn:oid:2.999.1\n", ""])
def test_a_home_community_may_stand_under_both_names_in_any_spelling(text: str) -> None:
    element = written(home_community_id=HomeCommunityId.parse("2.999.1"))
    statement = find(element, ATTRIBUTES)
    ihe = etree.SubElement(
        statement, name("saml2:Attribute"), Name="urn:ihe:iti:xca:2010:homeCommunityId"
    )
    etree.SubElement(ihe, name("saml2:AttributeValue")).text = text
    assert read_assertion(element).home_community_id == HomeCommunityId.parse("2.999.1")


PURPOSE = "urn:oasis:names:tc:xspa:1.0:subject:purposeofuse"
ROLE = "urn:oasis:names:tc:xacml:2.0:subject:role"


def test_a_purpose_may_stand_there_under_both_its_names() -> None:
    """Called or displayed otherwise it is the same: its code and its system are."""
    element = written()
    purpose = attribute(element, PURPOSE)
    first = purpose[0][0]
    second = etree.SubElement(
        etree.SubElement(purpose, name("saml2:AttributeValue")), "{urn:hl7-org:v3}PurposeForUse"
    )
    second.set("code", first.get("code", ""))
    second.set("codeSystem", f"urn:oid:{first.get('codeSystem')}")
    second.set("displayName", "To treat")
    assert read_assertion(element) == an_assertion()


def as_text(value: Element, code: str) -> None:
    value.remove(value[0])
    value.text = f" {code}\n"


def as_ce(value: Element, code: str) -> None:
    """The value is itself the coded one, by its xsi:type."""
    value.remove(value[0])
    value.set(name("xsi:type"), "hl7:CE")
    value.set("code", code)


@pytest.mark.parametrize("spelt", [as_text, as_ce])
def test_a_role_and_a_purpose_may_be_the_value_itself(spelt: Callable[..., None]) -> None:
    """XSPA Profile of SAML 1.0: 2.6: there they are strings."""
    element = written()
    for attribute_name, code in ((PURPOSE, "TREATMENT"), (ROLE, "Physician")):
        spelt(attribute(element, attribute_name)[0], code)
    read = read_assertion(element)
    assert read.purpose_of_use == CodedAttribute("TREATMENT", None)
    assert read.role == CodedAttribute("Physician", None)


def test_who_has_several_roles_states_them_all() -> None:
    nurse = CodedAttribute("224608005", "2.16.840.1.113883.6.96", "SNOMED_CT", "Nurse")
    stated = an_assertion(further_roles=(nurse, CodedAttribute("clerk", None)))
    assert read_assertion(written(further_roles=stated.further_roles)) == stated


def test_a_comment_inside_a_value_does_not_cut_it() -> None:
    element = written()
    value = attribute(element, "urn:oasis:names:tc:xspa:1.0:subject:organization")[0]
    value.text = "Partner "
    comment = etree.Comment(" x ")
    comment.tail = "Community"
    value.append(comment)
    assert read_assertion(element).organization == "Partner Community"


SPELLINGS = [
    AssertionStyle(),
    AssertionStyle(name_format="basic"),
    AssertionStyle(name_format="unspecified"),
    AssertionStyle(statements="each"),
    AssertionStyle(home_community="ihe", npi="ihe"),
    AssertionStyle(home_community="both", npi="both"),
    AssertionStyle(purpose_element="PurposeForUse"),
]


def styled(style: AssertionStyle, **changes: object) -> Element:
    stated = an_assertion(
        instance_access_consent_policies=("urn:oid:2.999.7.4",),
        query_auth_grantor="Organization/2.999.5",
        **changes,
    )
    info = write_key_info(partner().certificate)
    element = write_assertion(stated, holder="CN=holder", key_info=info, style=style, resource="r")
    return etree.fromstring(etree.tostring(element))


@pytest.mark.parametrize("style", SPELLINGS, ids=repr)
def test_an_assertion_means_the_same_in_every_style(style: AssertionStyle) -> None:
    assertion = read_assertion(styled(style))
    assert assertion == an_assertion(
        instance_access_consent_policies=("urn:oid:2.999.7.4",),
        query_auth_grantor="Organization/2.999.5",
    )


def test_a_style_is_seen_on_the_wire() -> None:
    def names(element: Element) -> list[str]:
        statements = element.findall(name(ATTRIBUTES))
        return [attribute.get("Name", "") for one in statements for attribute in one]

    plain = styled(AssertionStyle())
    assert len(plain.findall(name(ATTRIBUTES))) == 1
    each = styled(AssertionStyle(statements="each"))
    assert {len(one) for one in each.findall(name(ATTRIBUTES))} == {1}
    assert names(each) == names(plain)
    both = names(styled(AssertionStyle(home_community="both", npi="both")))
    assert {
        "urn:nhin:names:saml:homeCommunityId",
        "urn:ihe:iti:xca:2010:homeCommunityId",
        "urn:oasis:names:tc:xspa:1.0:subject:npi",
        "urn:oasis:names:tc:xspa:2.0:subject:npi",
    } <= set(both)
    basic = styled(AssertionStyle(name_format="basic"))
    formats = {one.get("NameFormat") for one in basic.iterfind(f"{name(ATTRIBUTES)}/*")}
    assert formats == {"urn:oasis:names:tc:SAML:2.0:attrname-format:basic"}
    old = styled(AssertionStyle(purpose_element="PurposeForUse"))
    assert old.find(".//{urn:hl7-org:v3}PurposeForUse") is not None
    assert old.find(".//{urn:hl7-org:v3}PurposeOfUse") is None


def test_an_organization_id_is_a_urn_or_bare_as_the_partner_wants_it() -> None:
    for stated, style, text in (
        ("2.999.7", AssertionStyle(), "urn:oid:2.999.7"),
        ("urn:oid:2.999.7", AssertionStyle(organization_id="oid"), "2.999.7"),
        ("https://x.example", AssertionStyle(), "https://x.example"),
    ):
        assertion = read_assertion(styled(style, organization_id=stated))
        assert assertion.organization_id == text
    assert read_assertion(written(organization_id="2.999.7")).organization_oid == Oid("2.999.7")
    assert read_assertion(written(organization_id="https://x")).organization_oid is None


def test_a_consent_policy_comes_with_a_decision_and_its_evidence() -> None:
    element = styled(AssertionStyle(), access_consent_policies=("urn:oid:2.999.7.3",))
    decision = find(element, "saml2:AuthzDecisionStatement")
    assert (decision.get("Decision"), decision.get("Resource")) == ("Permit", "r")
    assert find(decision, "saml2:Action").text == "Execute"
    evidence = find(decision, "saml2:Evidence/saml2:Assertion")
    said = {
        attribute.get("Name"): (attribute.get("NameFormat"), attribute[0].text)
        for attribute in find(evidence, ATTRIBUTES)
    }
    nhin = "http://www.hhs.gov/healthit/nhin"
    assert said == {
        "AccessConsentPolicy": (nhin, "urn:oid:2.999.7.3"),
        "InstanceAccessConsentPolicy": (nhin, "urn:oid:2.999.7.4"),
    }
    assert evidence.get("ID") != element.get("ID")
    assert written(access_consent_policies=()).find(name("saml2:AuthzDecisionStatement")) is None


def test_two_grantors_are_refused() -> None:
    element = styled(AssertionStyle())
    grantor = attribute(element, "QueryAuthGrantor")
    etree.SubElement(grantor, name("saml2:AttributeValue")).text = "Organization/2.999.6"
    with pytest.raises(SecurityRefused, match="in two ways"):
        read_assertion(element)


def test_evidence_adds_consent_policies_and_nothing_else() -> None:
    element = written(access_consent_policies=())
    decision = etree.SubElement(element, name("saml2:AuthzDecisionStatement"))
    inner = written(subject="Mallory", access_consent_policies=())
    attribute(inner, "urn:oasis:names:tc:xspa:1.0:subject:subject-id").set(
        "Name", "AccessConsentPolicy"
    )
    etree.SubElement(decision, name("saml2:Evidence")).append(inner)
    assertion = read_assertion(element)
    assert assertion.subject == "Walter Brattain"
    assert assertion.access_consent_policies == ("Mallory",)


@pytest.mark.parametrize("decision", ["Deny", "Indeterminate"])
def test_evidence_of_an_access_that_was_not_permitted_adds_nothing(decision: str) -> None:
    element = written()
    assert read_assertion(element).access_consent_policies == ("urn:oid:2.999.7.3",)
    find(element, "saml2:AttributeStatement").clear()
    assert read_assertion(element).access_consent_policies == ("urn:oid:2.999.7.3",)
    find(element, "saml2:AuthzDecisionStatement").set("Decision", decision)
    assert read_assertion(element).access_consent_policies == ()


def second_purpose(element: Element) -> None:
    purpose = attribute(element, "urn:oasis:names:tc:xspa:1.0:subject:purposeofuse")
    etree.SubElement(purpose, name("saml2:AttributeValue")).append(
        etree.Element("{urn:hl7-org:v3}PurposeOfUse", code="PAYMENT")
    )


def second_community(element: Element) -> None:
    community = attribute(element, "urn:nhin:names:saml:homeCommunityId")
    etree.SubElement(community, name("saml2:AttributeValue")).text = "2.999.666"


def no_oid(element: Element) -> None:
    attribute(element, "urn:nhin:names:saml:homeCommunityId")[0].text = "home"


def version_1(element: Element) -> None:
    element.set("Version", "1.1")


def no_issuer(element: Element) -> None:
    element.remove(find(element, "saml2:Issuer"))


def no_instant(element: Element) -> None:
    del element.attrib["IssueInstant"]


def bad_instant(element: Element) -> None:
    element.set("IssueInstant", "yesterday")


def another_element(element: Element) -> None:
    element.tag = name("saml2:Advice")


@pytest.mark.parametrize(
    "broken",
    [
        second_purpose,
        second_community,
        no_oid,
        version_1,
        no_issuer,
        no_instant,
        bad_instant,
        another_element,
    ],
)
def test_an_assertion_that_cannot_be_relied_on_is_refused(
    broken: Callable[[Element], None],
) -> None:
    element = written()
    broken(element)
    with pytest.raises(SecurityRefused):
        read_assertion(element)


# ---- times -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("2013-09-05T17:45:43.268Z", datetime(2013, 9, 5, 17, 45, 43, 268000, UTC)),
        ("2013-09-05T17:45:43Z", datetime(2013, 9, 5, 17, 45, 43, tzinfo=UTC)),
        (" 2013-09-05T17:45:43.1234567+02:00 ", datetime(2013, 9, 5, 15, 45, 43, 123456, UTC)),
        ("2013-09-05T17:45:43", datetime(2013, 9, 5, 17, 45, 43, tzinfo=UTC)),
    ],
)
def test_a_time_is_read_with_its_zone_and_is_utc_without(text: str, moment: datetime) -> None:
    assert read_time(text) == moment


@pytest.mark.parametrize(
    "text", ["", "2013-09-05", "20130905T174543Z", "2013-13-05T17:45:43Z", "2013-W01-1T00:00:00Z"]
)
def test_a_time_in_another_form_is_refused(text: str) -> None:
    with pytest.raises(SecurityRefused):
        read_time(text)


@given(st.datetimes(min_value=datetime(1000, 1, 1), timezones=st.just(UTC)))
def test_a_time_survives_to_the_millisecond(moment: datetime) -> None:
    again = read_time(write_time(moment))
    assert again is not None
    assert timedelta(0) <= moment - again < timedelta(milliseconds=1)


def test_a_time_without_a_zone_is_not_written() -> None:
    with pytest.raises(ValueError, match="zone"):
        write_time(datetime(2026, 1, 1))


# ---- conditions ------------------------------------------------------------------------------


def check(
    element: Element, *, now: datetime = NOW, audience: str = OUR_AUDIENCE, required: bool = False
) -> None:
    check_conditions(
        element,
        read_assertion(element),
        now=now,
        skew=MINUTE,
        audiences={audience},
        audience_required=required,
    )


def reason(element: Element, **how: object) -> str:
    with pytest.raises(SecurityRefused) as refusal:
        check(element, **how)  # type: ignore[arg-type]
    return refusal.value.reason


def test_an_assertion_holds_within_its_time_and_the_skew() -> None:
    element = written(not_before=NOW, not_on_or_after=NOW + MINUTE, issue_instant=NOW)
    for now in (NOW - MINUTE, NOW, NOW + 2 * MINUTE - timedelta(milliseconds=1)):
        check(element, now=now)
    moment = timedelta(milliseconds=1)
    assert reason(element, now=NOW - MINUTE - moment) == "the assertion is not valid yet"
    assert reason(element, now=NOW + 2 * MINUTE) == "the assertion has expired"


def test_an_assertion_issued_in_the_future_is_refused() -> None:
    element = written(not_before=None, issue_instant=NOW + 2 * MINUTE)
    assert reason(element) == "the assertion is not valid yet"
    element = written(not_before=NOW - MINUTE, issue_instant=NOW + 2 * MINUTE)
    assert reason(element) == "the assertion is not valid yet"


def test_an_assertion_without_an_end_holds_for_an_hour() -> None:
    element = written(not_on_or_after=None)
    check(element, now=NOW + UNBOUNDED_LIFETIME)
    late = NOW + UNBOUNDED_LIFETIME + MINUTE
    assert reason(element, now=late) == "the assertion has expired"


def test_an_audience_must_be_ours() -> None:
    check(written(audiences=("https://other.example/", OUR_AUDIENCE)))
    assert reason(written(audiences=("https://other.example/",))) == (
        "the assertion is meant for another audience"
    )
    assert reason(written(), audience=OUR_AUDIENCE + "/") == (
        "the assertion is meant for another audience"
    )


def test_each_restriction_of_the_audience_must_hold() -> None:
    element = written()
    restriction = etree.SubElement(
        find(element, "saml2:Conditions"), name("saml2:AudienceRestriction")
    )
    etree.SubElement(restriction, name("saml2:Audience")).text = "https://other.example/"
    assert reason(element) == "the assertion is meant for another audience"


def test_a_restriction_to_nobody_is_not_met() -> None:
    element = written()
    etree.SubElement(find(element, "saml2:Conditions"), name("saml2:AudienceRestriction"))
    assert reason(element) == "the assertion is meant for another audience"


def test_no_audience_is_taken_unless_the_profile_demands_one() -> None:
    check(written(audiences=()))
    assert reason(written(audiences=()), required=True) == "the assertion names no audience"


def test_a_condition_we_do_not_know_is_not_met() -> None:
    element = written()
    conditions = find(element, "saml2:Conditions")
    etree.SubElement(conditions, name("saml2:OneTimeUse"))
    check(element)
    etree.SubElement(conditions, name("saml2:Condition"))
    assert reason(element) == "the assertion has a condition we do not know"


def test_conditions_stand_once() -> None:
    element = written()
    etree.SubElement(element, name("saml2:Conditions"))
    assert reason(element) == "the assertion has more than one Conditions"


# ---- CONNECT's own assertions ----------------------------------------------------------------

CONNECT = Path(__file__).resolve().parents[3] / "shared/samples/ihe/CONNECT"


@pytest.mark.public_samples
def test_an_assertion_with_a_statement_an_attribute_is_read() -> None:
    root = parse_envelope((CONNECT / "saml_authFrameworkAssertion.xml").read_bytes())
    assertion = read_assertion(root)
    assert assertion.subject == "Karl S Skagerberg"
    assert assertion.subject_name == "UID=kskagerb"
    assert assertion.organization == "InternalTest2"
    assert assertion.home_community_id == HomeCommunityId.parse("1.1")
    assert assertion.npi == "1234567890"
    assert assertion.resource_id == "500000000^^^&1.1&ISO"
    assert assertion.role == CodedAttribute(
        "307969004", "2.16.840.1.113883.6.96", "SNOMED_CT", "Public Health"
    )
    assert assertion.purpose_of_use is not None
    assert assertion.purpose_of_use.code == "PUBLICHEALTHKIERAN"
    assert assertion.access_consent_policies == ("Claim-Ref-1234",)
    assert assertion.instance_access_consent_policies == ("Claim-Instance-1",)


@pytest.mark.public_samples
def test_an_assertion_with_statements_in_another_order_is_read() -> None:
    root = parse_envelope((CONNECT / "saml_complete_saml.xml").read_bytes())
    assertion = read_assertion(root)
    assert assertion.purpose_of_use is not None
    assert assertion.purpose_of_use.code == "OPERATIONS"
    assert assertion.access_consent_policies == ()


@pytest.mark.public_samples
def test_an_assertion_of_empty_values_states_nothing() -> None:
    root = parse_envelope((CONNECT / "saml_saml_missingValues.xml").read_bytes())
    assertion = read_assertion(root)
    assert (assertion.subject, assertion.organization, assertion.npi) == (None, None, None)


@pytest.mark.public_samples
def test_an_assertion_in_a_whole_message_is_read() -> None:
    root = parse_envelope((CONNECT / "saml_saml_header_diff_order.xml").read_bytes())
    element = find(root, "soap:Header/wsse:Security/saml2:Assertion")
    assertion = read_assertion(element)
    assert assertion.organization_id == "1.1"
    path = "saml2:Subject/saml2:SubjectConfirmation/saml2:SubjectConfirmationData/ds:KeyInfo"
    key = read_key_info(find(element, path)).key
    signer = read_key_info(find(element, "ds:Signature/ds:KeyInfo")).key
    assert key is not None
    assert signer is not None
    assert same_key(key, signer)
