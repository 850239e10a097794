"""SAML 2.0 assertions of ITI-40 XUA and NHIN, written in the dress that a partner wants.

The meaning is `saml.Assertion`; what networks and products spell differently is `AssertionStyle`.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, Literal

from lxml import etree

from ccda.safe_xml import Element
from ihe.identifiers import HomeCommunityId
from ihe.namespaces import name, spaces
from ihe.saml import (
    ACP,
    BEARER,
    CONSENT_DOCUMENT,
    EVIDENCE_ACP,
    EVIDENCE_IACP,
    HOLDER_OF_KEY,
    HOME_COMMUNITY_ID,
    HOME_COMMUNITY_ID_IHE,
    NPI,
    NPI_IHE,
    ORGANIZATION,
    ORGANIZATION_ID,
    PURPOSE_OF_USE,
    QUERY_AUTH_GRANTOR,
    RESOURCE_ID,
    ROLE,
    SUBJECT_ID,
    Assertion,
    CodedAttribute,
    write_time,
)

NameFormat = Literal["uri", "basic", "unspecified"]
Spelling = Literal["nhin", "ihe", "both"]


@dataclass(frozen=True, slots=True)
class AssertionStyle:
    """How a partner wants an assertion spelt; what it means is the same in every style.

    `nhin` and `ihe` are the names that NHIN's authorization framework and IHE's own profiles give
    to one and the same attribute.
    """

    name_format: NameFormat = "uri"
    statements: Literal["one", "each"] = "one"
    """One AttributeStatement for all attributes, or one for each, as CONNECT writes."""
    home_community: Spelling = "nhin"
    npi: Spelling = "nhin"
    organization_id: Literal["urn", "oid"] = "urn"
    """An organization-id that is an OID goes out as `urn:oid:…` or bare."""
    purpose_element: Literal["PurposeOfUse", "PurposeForUse"] = "PurposeOfUse"
    confirmation: Literal["holder-of-key", "bearer"] = "holder-of-key"
    """A bearer assertion names no key: whoever has it may use it, until it ends. Weaker, and for
    a partner that takes no other."""


_NHIN_STYLE: Final = AssertionStyle()
_NAME_FORMATS: Final = "urn:oasis:names:tc:SAML:2.0:attrname-format:"
_EVIDENCE_FORMAT: Final = "http://www.hhs.gov/healthit/nhin"
_NAME_ID_FORMATS: Final = "urn:oasis:names:tc:SAML:1.1:nameid-format:"
_X509: Final = "urn:oasis:names:tc:SAML:2.0:ac:classes:X509"
_ACTIONS: Final = "urn:oasis:names:tc:SAML:1.0:action:rwedc"
_COMMUNITY_NAMES: Final = {"nhin": HOME_COMMUNITY_ID, "ihe": HOME_COMMUNITY_ID_IHE}
_NPI_NAMES: Final = {"nhin": NPI, "ihe": NPI_IHE}

_Stated = tuple[str, str | CodedAttribute]


def write_assertion(
    assertion: Assertion,
    *,
    holder: str,
    key_info: Element,
    resource: str = "",
    style: AssertionStyle = _NHIN_STYLE,
) -> Element:
    """The assertion, not signed yet.

    `holder` is the subject when the assertion names none, as a distinguished name; `key_info`
    (a ds:KeyInfo) is the key whose holder may use it. `resource` is the address that is asked: an
    assertion with consent policies decides on access to it, with the policies as Evidence.
    """
    element = etree.Element(
        name("saml2:Assertion"),
        {
            "ID": assertion.id,
            "IssueInstant": write_time(assertion.issue_instant),
            "Version": "2.0",
        },
        nsmap=spaces("saml2", "xs", "xsi"),
    )
    _add_name(element, "saml2:Issuer", assertion.issuer)
    subject = _add(element, "saml2:Subject")
    _add_name(subject, "saml2:NameID", assertion.subject_name or holder)
    if style.confirmation == "bearer":
        _add_bearer(subject, assertion, resource)
    else:
        confirmation = _add(subject, "saml2:SubjectConfirmation", Method=HOLDER_OF_KEY)
        _add(confirmation, "saml2:SubjectConfirmationData").append(key_info)
    _add_conditions(element, assertion, audiences=assertion.audiences)
    _add_authentication(element, assertion)
    _add_attributes(element, list(_stated(assertion, style)), style)
    if assertion.access_consent_policies or assertion.instance_access_consent_policies:
        _add_decision(element, assertion, holder, resource)
    return element


def _add_bearer(subject: Element, assertion: Assertion, resource: str) -> None:
    """SAML Profiles: 3.3: where and until when it may be used, since no key says by whom."""
    confirmation = _add(subject, "saml2:SubjectConfirmation", Method=BEARER)
    data = _add(confirmation, "saml2:SubjectConfirmationData")
    if assertion.not_on_or_after is not None:
        data.set("NotOnOrAfter", write_time(assertion.not_on_or_after))
    if resource:
        data.set("Recipient", resource)


def _add_conditions(element: Element, assertion: Assertion, *, audiences: tuple[str, ...]) -> None:
    bounds = {"NotBefore": assertion.not_before, "NotOnOrAfter": assertion.not_on_or_after}
    written = {key: write_time(moment) for key, moment in bounds.items() if moment is not None}
    conditions = _add(element, "saml2:Conditions", **written)
    if audiences:
        restriction = _add(conditions, "saml2:AudienceRestriction")
        for audience in audiences:
            _add(restriction, "saml2:Audience").text = audience


def _add_authentication(element: Element, assertion: Assertion) -> None:
    statement = _add(
        element, "saml2:AuthnStatement", AuthnInstant=write_time(assertion.issue_instant)
    )
    context = _add(statement, "saml2:AuthnContext")
    _add(context, "saml2:AuthnContextClassRef").text = _X509


# ---- attributes ------------------------------------------------------------------------------


def _stated(assertion: Assertion, style: AssertionStyle) -> Iterator[_Stated]:
    community = assertion.home_community_id
    organization_id = _organization_id(assertion.organization_id, style)
    stated: list[tuple[str, str | CodedAttribute | None]] = [
        (SUBJECT_ID, assertion.subject),
        (ORGANIZATION, assertion.organization),
        (ORGANIZATION_ID, organization_id),
        *(
            (spelt, None if community is None else community.urn)
            for spelt in _names(_COMMUNITY_NAMES, style.home_community)
        ),
        *((ROLE, role) for role in assertion.roles),
        (PURPOSE_OF_USE, assertion.purpose_of_use),
        (RESOURCE_ID, assertion.resource_id),
        *((spelt, assertion.npi) for spelt in _names(_NPI_NAMES, style.npi)),
        *((ACP, policy) for policy in assertion.access_consent_policies),
        *((CONSENT_DOCUMENT, policy) for policy in assertion.instance_access_consent_policies),
        (QUERY_AUTH_GRANTOR, assertion.query_auth_grantor),
    ]
    for attribute, value in stated:
        if value is not None:
            yield attribute, value


def _names(known: dict[str, str], spelling: Spelling) -> list[str]:
    return list(known.values()) if spelling == "both" else [known[spelling]]


def _organization_id(text: str | None, style: AssertionStyle) -> str | None:
    if text is None:
        return None
    try:
        oid = HomeCommunityId.parse(text)
    except ValueError:
        return text  # a URL, say: it has one spelling
    return oid.urn if style.organization_id == "urn" else str(oid)


def _add_attributes(element: Element, stated: list[_Stated], style: AssertionStyle) -> None:
    groups = [stated] if style.statements == "one" else [[one] for one in stated]
    for group in groups:
        statement = _add(element, "saml2:AttributeStatement")
        for attribute, value in group:
            name_format = f"{_NAME_FORMATS}{style.name_format}"
            holder = _add_attribute(statement, attribute, name_format)
            if isinstance(value, str):
                _write_text(holder, value)
            else:
                _write_code(holder, "Role" if attribute == ROLE else style.purpose_element, value)


def _add_attribute(statement: Element, attribute: str, name_format: str) -> Element:
    parent = _add(statement, "saml2:Attribute", Name=attribute, NameFormat=name_format)
    return _add(parent, "saml2:AttributeValue")


def _write_text(holder: Element, text: str) -> None:
    holder.set(name("xsi:type"), "xs:string")
    holder.text = text


def _write_code(holder: Element, local: str, value: CodedAttribute) -> None:
    coded = etree.SubElement(
        holder,
        name(f"hl7:{local}"),
        {name("xsi:type"): "hl7:CE", "code": value.code},
        nsmap=spaces("hl7"),
    )
    for key, text in (
        ("codeSystem", value.system),
        ("codeSystemName", value.system_name),
        ("displayName", value.display),
    ):
        if text is not None:
            coded.set(key, text)


# ---- the decision and its evidence -----------------------------------------------------------


def _add_decision(element: Element, assertion: Assertion, holder: str, resource: str) -> None:
    """NHIN Authorization Framework 3.0: 3.3.7: access was decided on, and here is the evidence."""
    decision = _add(element, "saml2:AuthzDecisionStatement", Decision="Permit", Resource=resource)
    _add(decision, "saml2:Action", Namespace=_ACTIONS).text = "Execute"
    evidence = _add(
        _add(decision, "saml2:Evidence"),
        "saml2:Assertion",
        ID=f"{assertion.id}-evidence",
        IssueInstant=write_time(assertion.issue_instant),
        Version="2.0",
    )
    _add_name(evidence, "saml2:Issuer", assertion.issuer)
    _add_name(_add(evidence, "saml2:Subject"), "saml2:NameID", assertion.subject_name or holder)
    _add_conditions(evidence, assertion, audiences=())
    statement = _add(evidence, "saml2:AttributeStatement")
    for attribute, policies in (
        (EVIDENCE_ACP, assertion.access_consent_policies),
        (EVIDENCE_IACP, assertion.instance_access_consent_policies),
    ):
        for policy in policies:
            _write_text(_add_attribute(statement, attribute, _EVIDENCE_FORMAT), policy)


def _add_name(parent: Element, prefixed: str, text: str) -> None:
    if "=" in text:
        form = "X509SubjectName"
    else:
        form = "emailAddress" if "@" in text else "unspecified"
    _add(parent, prefixed, Format=_NAME_ID_FORMATS + form).text = text


def _add(parent: Element, prefixed: str, **attributes: str) -> Element:
    return etree.SubElement(parent, name(prefixed), attributes)
