"""SAML 2.0 assertions of ITI-40 XUA and NHIN, read: who asks, for whom, why (ITI TF-2: 3.40).

They are written in `saml_writing`.
"""

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final, TypeVar

from lxml import etree

from ccda.safe_xml import Element
from ccda.values import quickly_made
from ihe.errors import SecurityRefused
from ihe.identifiers import HomeCommunityId, Oid
from ihe.namespaces import child, children, name

HOLDER_OF_KEY: Final = "urn:oasis:names:tc:SAML:2.0:cm:holder-of-key"
BEARER: Final = "urn:oasis:names:tc:SAML:2.0:cm:bearer"
# An assertion that states no end is good for this long: SAML leaves it open, prudence does not.
UNBOUNDED_LIFETIME: Final = timedelta(hours=1)


@quickly_made
@dataclass(frozen=True, slots=True)
class CodedAttribute:
    """A role or purpose, as `<hl7:Role>` or `<hl7:PurposeOfUse>` carries it."""

    code: str
    system: str | None
    system_name: str | None = None
    display: str | None = None


@quickly_made
@dataclass(frozen=True, slots=True)
class Assertion:
    """What an asker states of itself. Read only from the element that verification returned."""

    id: str
    issuer: str
    issue_instant: datetime
    not_before: datetime | None
    not_on_or_after: datetime | None
    subject_name: str | None
    """Subject/NameID: a distinguished name or a mail address."""
    subject: str | None
    """The attribute subject-id: the person's name as people read it."""
    organization: str | None
    organization_id: str | None
    home_community_id: HomeCommunityId | None
    role: CodedAttribute | None
    purpose_of_use: CodedAttribute | None
    audiences: tuple[str, ...] = ()
    npi: str | None = None
    resource_id: str | None = None
    access_consent_policies: tuple[str, ...] = ()
    """The policies under which access is asked for (ACP), as OIDs or URIs."""
    instance_access_consent_policies: tuple[str, ...] = ()
    """The patient's own consents (IACP): the ids of the documents that hold them."""
    query_auth_grantor: str | None = None
    """On whose authority a delegate asks (Carequality), as `Organization/<oid>`."""
    further_roles: tuple[CodedAttribute, ...] = ()
    """Those beside `role`, where several are stated (ITI TF-2: 3.40.4.1.2)."""

    @property
    def roles(self) -> tuple[CodedAttribute, ...]:
        return () if self.role is None else (self.role, *self.further_roles)

    @property
    def organization_oid(self) -> Oid | None:
        """The organization's id where it is an OID, whether or not it was written as a URN."""
        try:
            return HomeCommunityId.parse(self.organization_id or "").oid
        except ValueError:
            return None


# ---- the attributes' names -------------------------------------------------------------------

SUBJECT_ID: Final = "urn:oasis:names:tc:xspa:1.0:subject:subject-id"
ORGANIZATION: Final = "urn:oasis:names:tc:xspa:1.0:subject:organization"
ORGANIZATION_ID: Final = "urn:oasis:names:tc:xspa:1.0:subject:organization-id"
HOME_COMMUNITY_ID: Final = "urn:nhin:names:saml:homeCommunityId"
HOME_COMMUNITY_ID_IHE: Final = "urn:ihe:iti:xca:2010:homeCommunityId"
ROLE: Final = "urn:oasis:names:tc:xacml:2.0:subject:role"
PURPOSE_OF_USE: Final = "urn:oasis:names:tc:xspa:1.0:subject:purposeofuse"
RESOURCE_ID: Final = "urn:oasis:names:tc:xacml:2.0:resource:resource-id"
# NHIN's authorization framework names version 2.0, IHE's ITI-40 1.0: both are read.
NPI: Final = "urn:oasis:names:tc:xspa:2.0:subject:npi"
NPI_IHE: Final = "urn:oasis:names:tc:xspa:1.0:subject:npi"
ACP: Final = "urn:ihe:iti:xua:2012:acp"
CONSENT_DOCUMENT: Final = "urn:ihe:iti:bppc:2007:docid"
EVIDENCE_ACP: Final = "AccessConsentPolicy"
EVIDENCE_IACP: Final = "InstanceAccessConsentPolicy"
QUERY_AUTH_GRANTOR: Final = "QueryAuthGrantor"

_STATEMENT: Final = name("saml2:AttributeStatement")
_ATTRIBUTE: Final = name("saml2:Attribute")
_VALUE: Final = name("saml2:AttributeValue")
_DECISION: Final = name("saml2:AuthzDecisionStatement")
_NOT_PERMITTED: Final = frozenset({"Deny", "Indeterminate"})
"""SAML Core: 2.7.4.1: under what is stated so nothing was let in, whatever the evidence."""
# The string value leaves comments out, and what stands behind them in.
_STRING: Final = etree.XPath("string()")
_TIME: Final = re.compile(r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(\.\d+)?(Z|[+-]\d\d:\d\d)?", re.ASCII)


def read_time(text: str | None) -> datetime | None:
    """An xs:dateTime; without a zone it is UTC (SAML Core: 1.3.3, WSS 1.1: 10).

    Raises:
        SecurityRefused: it is none.
    """
    if text is None:
        return None
    match = _TIME.fullmatch(text.strip())
    if match is None:
        raise SecurityRefused("a time in the security header is no xs:dateTime")
    seconds, fraction, zone = match.groups()
    zone = "+00:00" if zone in (None, "Z") else zone
    try:
        return datetime.fromisoformat(f"{seconds}{(fraction or '.0')[:7].ljust(7, '0')}{zone}")
    except ValueError:
        raise SecurityRefused("a time in the security header is no date that exists") from None


def write_time(moment: datetime) -> str:
    """`moment` in UTC to the millisecond, as the WSS profiles want it.

    Raises:
        ValueError: it has no zone.
    """
    if moment.tzinfo is None:
        raise ValueError("a time on the wire needs its zone")
    utc = moment.astimezone(UTC).replace(tzinfo=None)
    return f"{utc.isoformat(timespec='milliseconds')}Z"


# ---- reading ---------------------------------------------------------------------------------


def read_assertion(element: Element) -> Assertion:
    """What a verified assertion states.

    Attributes count from all its own AttributeStatements (CONNECT writes one for each), never
    from an assertion in its Evidence, which only adds consent policies.

    Raises:
        SecurityRefused: it is no SAML 2.0 assertion with an id, an issuer and an issue instant.
    """
    issue_instant = read_time(element.get("IssueInstant"))
    issuer = _text(child(element, "saml2:Issuer"))
    if element.tag != name("saml2:Assertion") or element.get("Version") != "2.0":
        raise SecurityRefused("the assertion is not SAML 2.0")
    if issue_instant is None or issuer is None:
        raise SecurityRefused("the assertion lacks its issuer or issue instant")
    attributes = _attributes(element)
    evidence = [
        _attributes(one)
        for decision in element.iterchildren(_DECISION)
        if decision.get("Decision") not in _NOT_PERMITTED
        for one in _below(decision, "saml2:Evidence", "saml2:Assertion")
    ]
    roles = list(dict.fromkeys(_coded(attributes, ROLE)))
    conditions = child(element, "saml2:Conditions")
    bounds = element if conditions is None else conditions
    subject = next(_below(element, "saml2:Subject", "saml2:NameID"), None)
    return Assertion(
        id=element.get("ID", ""),
        issuer=issuer,
        issue_instant=issue_instant,
        not_before=read_time(bounds.get("NotBefore")),
        not_on_or_after=read_time(bounds.get("NotOnOrAfter")),
        subject_name=_text(subject),
        subject=_first(attributes, SUBJECT_ID),
        organization=_first(attributes, ORGANIZATION),
        organization_id=_first(attributes, ORGANIZATION_ID),
        home_community_id=_only(
            list(map(_community, _texts(attributes, HOME_COMMUNITY_ID, HOME_COMMUNITY_ID_IHE)))
        ),
        role=roles[0] if roles else None,
        further_roles=tuple(roles[1:]),
        purpose_of_use=_only(list(_coded(attributes, PURPOSE_OF_USE)), _code_and_system),
        audiences=tuple(
            audience for group in _audience_restrictions(element) for audience in group
        ),
        npi=_first(attributes, NPI, NPI_IHE),
        resource_id=_first(attributes, RESOURCE_ID),
        access_consent_policies=_policies(attributes, ACP, evidence, EVIDENCE_ACP),
        instance_access_consent_policies=_policies(
            attributes, CONSENT_DOCUMENT, evidence, EVIDENCE_IACP
        ),
        query_auth_grantor=_only(_texts(attributes, QUERY_AUTH_GRANTOR)),
    )


_Attributes = dict[str, list[Element]]


def _attributes(assertion: Element) -> _Attributes:
    """The values of each attribute by its name, over all AttributeStatements."""
    found: _Attributes = {}
    for statement in assertion.iterchildren(_STATEMENT):
        for attribute in statement.iterchildren(_ATTRIBUTE):
            values = found.setdefault(attribute.get("Name", "").strip(), [])
            values.extend(attribute.iterchildren(_VALUE))
    return found


def _below(element: Element, *path: str) -> Iterator[Element]:
    """What stands below it by that path of names, in order."""
    first, *others = path
    for found in element.iterchildren(name(first)):
        if others:
            yield from _below(found, *others)
        else:
            yield found


def _first(attributes: _Attributes, *names: str) -> str | None:
    """The first value under any of `names`."""
    for known in names:
        for value in attributes.get(known, ()):
            if (text := _text(value)) is not None:
                return text
    return None


def _texts(attributes: _Attributes, *names: str) -> list[str]:
    return [
        text
        for known in names
        for value in attributes.get(known, ())
        if (text := _text(value)) is not None
    ]


_Value = TypeVar("_Value")


def _only(
    values: list[_Value], meaning: Callable[[_Value], object] = lambda value: value
) -> _Value | None:
    """The one value of what decides on access: two that differ would let the sender choose."""
    if any(meaning(value) != meaning(values[0]) for value in values):
        raise SecurityRefused("the assertion states what decides on access in two ways")
    return values[0] if values else None


def _code_and_system(coded: CodedAttribute) -> tuple[str, str | None]:
    """What it says, however it is displayed, and with or without `urn:oid:`."""
    system = coded.system
    return coded.code, system if system is None else system.strip().removeprefix("urn:oid:")


def _coded(attributes: _Attributes, attribute: str) -> Iterator[CodedAttribute]:
    """Roles or purposes, whatever the element is called: old senders write `PurposeForUse`.

    Quirk: the value itself is the coded one, or text, which XSPA's profile of SAML has there.
    """
    for value in attributes.get(attribute, ()):
        elements = list(value.iterchildren("{*}Role", "{*}PurposeOfUse", "{*}PurposeForUse"))
        for coded in elements or [value]:
            code = coded.get("code", "").strip()
            if not code and not len(value):
                code = _text(value) or ""
            if code:
                yield CodedAttribute(
                    code,
                    coded.get("codeSystem"),
                    coded.get("codeSystemName"),
                    coded.get("displayName"),
                )


def _community(text: str) -> HomeCommunityId:
    try:
        return HomeCommunityId.parse(text)
    except ValueError:
        raise SecurityRefused("the assertion's home community is no object identifier") from None


def _policies(
    attributes: _Attributes, attribute: str, evidence: Iterable[_Attributes], in_evidence: str
) -> tuple[str, ...]:
    """Consent policies, as attributes of the assertion (IHE) or of its Evidence (NHIN)."""
    found = _texts(attributes, attribute)
    for one in evidence:
        found += _texts(one, in_evidence)
    return tuple(dict.fromkeys(found))


def _audience_restrictions(assertion: Element) -> list[list[str]]:
    return [
        [text for audience in restriction if (text := _text(audience)) is not None]
        for restriction in _below(assertion, "saml2:Conditions", "saml2:AudienceRestriction")
    ]


def _text(element: Element | None) -> str | None:
    """All text of an element: a comment in a name must not cut it in two (CVE-2017-11427)."""
    if element is None:
        return None
    # What has no child, and no comment, has all its text in one piece.
    text = element.text if len(element) == 0 else str(_STRING(element))
    return (text or "").strip() or None


# ---- conditions ------------------------------------------------------------------------------

_CONDITIONS: Final = frozenset(
    name(f"saml2:{condition}")
    for condition in ("AudienceRestriction", "OneTimeUse", "ProxyRestriction")
)


def check_conditions(
    element: Element,
    assertion: Assertion,
    *,
    now: datetime,
    skew: timedelta,
    audiences: Iterable[str],
    audience_required: bool,
) -> None:
    """Refuses an assertion that does not hold now, or is not meant for us (SAML Core: 2.5.1).

    Raises:
        SecurityRefused: with the condition that fails.
    """
    end = assertion.not_on_or_after or assertion.issue_instant + UNBOUNDED_LIFETIME
    begin = assertion.not_before or assertion.issue_instant
    if now + skew < begin or now + skew < assertion.issue_instant:
        raise SecurityRefused("the assertion is not valid yet")
    if now - skew >= end:
        raise SecurityRefused("the assertion has expired")
    conditions = children(element, "saml2:Conditions")
    if len(conditions) > 1:
        raise SecurityRefused("the assertion has more than one Conditions")
    # SAML Core: 2.5.1.1: a condition we do not understand leaves the assertion indeterminate.
    if any(condition.tag not in _CONDITIONS for group in conditions for condition in group):
        raise SecurityRefused("the assertion has a condition we do not know")
    _check_audience(element, frozenset(audiences), required=audience_required)


def _check_audience(element: Element, ours: frozenset[str], *, required: bool) -> None:
    restrictions = _audience_restrictions(element)
    if not restrictions and required:
        raise SecurityRefused("the assertion names no audience")
    # SAML Core: 2.5.1.4: within one restriction any audience does, but each one must hold.
    if any(ours.isdisjoint(restriction) for restriction in restrictions):
        raise SecurityRefused("the assertion is meant for another audience")
