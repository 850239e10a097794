"""What partners ask of the house, sealed as it crosses the wire, and what they read of it."""

from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

from ccda.hl7v3 import II, TS
from ccda.safe_xml import Element
from gateway.exchange.metadata import unique_id
from gateway.model.document import Document
from gateway.model.member import Member
from gateway.model.partner import Partner
from gateway.model.purpose import NHIN
from ihe.identifiers import Oid, PatientId
from ihe.namespaces import PREFIXES
from ihe.saml import Assertion, CodedAttribute
from ihe.soap import ANONYMOUS, MessageKind
from ihe.trust import SigningKey, Trust
from ihe.wire import SealedRequest, open_answer, seal_request
from ihe.xca_query import FindDocumentsQuery, write_adhoc_query_request
from ihe.xca_retrieve import (
    DocumentRequest,
    RetrieveDocumentSetRequest,
    write_retrieve_request,
)
from ihe.xcpd import Demographics, PatientDiscoveryRequest, write_discovery_request
from tests.gateway.house import (
    HOME,
    MEMBER,
    SOAP,
    US,
    Reply,
    a_partner,
    certificate_of,
    signing_key,
)

REPOSITORY = Oid(f"{HOME}.2")


def an_assertion(partner: Partner | None = None, **changes: Any) -> Assertion:
    """What a nurse of the partner's states: payment, and who she is."""
    partner, now = partner or a_partner(), datetime.now(UTC)
    assertion = Assertion(
        id=f"_{uuid4().hex}",
        issuer=certificate_of(partner.name).certificate.subject.rfc4514_string(),
        issue_instant=now,
        not_before=now,
        not_on_or_after=now + timedelta(minutes=10),
        subject_name=None,
        subject="Nora Nurse",
        organization=partner.name,
        organization_id=partner.home_community_id.urn,
        home_community_id=partner.home_community_id,
        role=CodedAttribute("224608005", "2.16.840.1.113883.6.96", "SNOMED_CT", "Administrative"),
        purpose_of_use=CodedAttribute("PAYMENT", NHIN, "nhin-purpose", "Payment"),
        access_consent_policies=("urn:oid:2.999.7301.9",),
    )
    return replace(assertion, **changes)


def ask(
    body: Element,
    kind: MessageKind,
    *,
    partner: Partner | None = None,
    key: SigningKey | None = None,
    message_id: str | None = None,
    now: datetime | None = None,
    reply_to: str = ANONYMOUS,
    fault_to: str | None = None,
    **changes: Any,
) -> SealedRequest:
    """A sealed request of a partner's; `changes` are what its assertion states otherwise."""
    partner = partner or a_partner()
    return seal_request(
        body,
        kind=kind,
        to="https://gateway.example/ihe",
        message_id=message_id or f"urn:uuid:{uuid4()}",
        assertion=an_assertion(partner, **changes),
        signing_key=key or signing_key(partner.name),
        now=now or datetime.now(UTC),
        reply_to=reply_to,
        fault_to=fault_to,
    )


def discovery(demographics: Demographics | Member = MEMBER, **changes: Any) -> Element:
    """ITI-55 for a person."""
    known = demographics.demographics if isinstance(demographics, Member) else demographics
    partner = a_partner()
    request = PatientDiscoveryRequest(
        message_id=II("2.999.7301.1.4", str(uuid4())),
        creation_time=TS(datetime.now(UTC).strftime("%Y%m%d%H%M%S+0000")),
        sender=partner.home_community_id,
        receiver=HOME,
        query_id=II("2.999.7301.1.5", str(uuid4())),
        demographics=replace(known, ids=()),
        patient_id=PatientId("NF-220871", Oid("2.999.7301.1.2")),
        sender_authority=Oid("2.999.7301.1.2"),
    )
    return write_discovery_request(replace(request, **changes))


def patient_id(member: Member = MEMBER) -> PatientId:
    """The id under which partners know a member of ours."""
    return PatientId(member.id, Oid(f"{HOME}.1"))


def find_documents(member: Member = MEMBER, **changes: Any) -> Element:
    """ITI-38: all approved documents of a member, unless `changes` ask for something else."""
    asked = FindDocumentsQuery(patient_id=patient_id(member), home_community_id=HOME)
    return write_adhoc_query_request(replace(asked, **changes))


def wanted(document: Document, **changes: Any) -> DocumentRequest:
    """A document of ours as ITI-39 names it."""
    return replace(DocumentRequest(REPOSITORY, unique_id(document), HOME), **changes)


def retrieve(*documents: Document | DocumentRequest) -> Element:
    """ITI-39 for documents of ours."""
    requests = (one if isinstance(one, DocumentRequest) else wanted(one) for one in documents)
    return write_retrieve_request(RetrieveDocumentSetRequest(tuple(requests)))


# ---- answers ---------------------------------------------------------------------------------


def answer_to(sealed: SealedRequest, envelope: bytes) -> Element:
    """The body of an answer that is signed by us, fresh, and confirms the request's signature."""
    trust = Trust(pinned=(certificate_of(US).certificate,))
    opened = open_answer(envelope, trust, request=sealed, now=datetime.now(UTC))
    assert opened.signer == certificate_of(US).certificate
    return opened.body


@dataclass(frozen=True, slots=True)
class Fault:
    """A SOAP fault as a peer reads it; `confirmed` are the signatures that it confirms."""

    code: str
    subcode: str | None
    sentence: str
    relates_to: str | None
    confirmed: tuple[str | None, ...]


def fault_of(reply: Reply) -> Fault:
    """The fault in an answer, which must be sealed as every answer is (DECISIONS 4)."""
    assert reply.content_type == SOAP
    root = reply.envelope
    found = root.find("soap:Body/soap:Fault", PREFIXES)
    security = root.findall("soap:Header/wsse:Security", PREFIXES)
    assert found is not None and len(security) == 1
    assert security[0].find("wsu:Timestamp/wsu:Expires", PREFIXES) is not None
    assert security[0].find("ds:Signature", PREFIXES) is not None
    confirmations = security[0].findall("wsse11:SignatureConfirmation", PREFIXES)
    return Fault(
        code=found.findtext("soap:Code/soap:Value", "", PREFIXES),
        subcode=found.findtext("soap:Code/soap:Subcode/soap:Value", None, PREFIXES),
        sentence=found.findtext("soap:Reason/soap:Text", "", PREFIXES),
        relates_to=root.findtext("soap:Header/wsa:RelatesTo", None, PREFIXES),
        confirmed=tuple(one.get("Value") for one in confirmations),
    )
