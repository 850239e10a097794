"""Every table, and nothing else. Rows never leave store/; every table names its plan.

`plan` is None only where something belongs to no plan: a shared partner, a refusal before
anyone was known, the house's own work.
"""

from datetime import datetime

from sqlalchemy import ForeignKeyConstraint, Index, Integer, LargeBinary, Table, Text
from sqlmodel import Field, SQLModel

from gateway.store.column_types import BigNumber, UtcTime

METADATA = SQLModel.metadata
METADATA.naming_convention = {
    "ix": "%(table_name)s_by_%(column_0_N_name)s",
    "uq": "%(table_name)s_has_one_%(column_0_N_name)s",
    "fk": "%(table_name)s_names_%(column_0_N_name)s",
    "pk": "%(table_name)s_primary",
}


def _table(row: type[SQLModel]) -> Table:
    return METADATA.tables[str(row.__tablename__)]


# ---- plans and their people ------------------------------------------------------------------


class PlanRow(SQLModel, table=True):
    __tablename__ = "plan"
    id: str = Field(primary_key=True)
    name: str
    member_id_root: str | None = None
    treatment_agreement: str | None = None
    requester_role: str | None = None
    authority: str | None = None


class MemberRow(SQLModel, table=True):
    __tablename__ = "member"
    __table_args__ = (Index("member_by_number", "plan", "member_id", unique=True),)
    id: str = Field(primary_key=True)
    plan: str = Field(foreign_key="plan.id")
    member_id: str
    demographics: str = Field(sa_type=Text)
    coverage_start: str | None = None
    coverage_end: str | None = None
    opted_out: bool = False


class MemberKeyRow(SQLModel, table=True):
    """What a member may be found by when a document or a partner names someone."""

    __tablename__ = "member_key"
    __table_args__ = (Index("member_key_of", "member"), {"sqlite_with_rowid": False})
    plan: str = Field(primary_key=True)
    kind: str = Field(primary_key=True)
    value: str = Field(primary_key=True)
    member: str = Field(primary_key=True, foreign_key="member.id")


class TokenRow(SQLModel, table=True):
    __tablename__ = "token"
    id: str = Field(primary_key=True)
    plan: str = Field(foreign_key="plan.id", index=True)
    name: str
    role: str
    secret_hash: str = Field(unique=True)
    created: datetime = Field(sa_type=UtcTime)
    expires: datetime | None = Field(default=None, sa_type=UtcTime)
    revoked: datetime | None = Field(default=None, sa_type=UtcTime)


class PlanKeyRow(SQLModel, table=True):
    __tablename__ = "plan_key"
    plan: str = Field(primary_key=True, foreign_key="plan.id")
    generation: int = Field(primary_key=True)
    kek_id: str
    wrapped: bytes = Field(sa_type=LargeBinary)
    created: datetime = Field(sa_type=UtcTime)


class HouseKeyRow(SQLModel, table=True):
    """Seals what belongs to no single plan: the messages of those we do not know."""

    __tablename__ = "house_key"
    generation: int = Field(primary_key=True, sa_column_kwargs={"autoincrement": False})
    plan: str | None = None
    kek_id: str
    wrapped: bytes = Field(sa_type=LargeBinary)
    created: datetime = Field(sa_type=UtcTime)


# ---- partners --------------------------------------------------------------------------------


class PartnerRow(SQLModel, table=True):
    __tablename__ = "partner"
    id: str = Field(primary_key=True)
    plan: str | None = Field(default=None, foreign_key="plan.id", index=True)
    name: str
    home_community_id: str = Field(index=True)
    network: str | None = None
    endpoints: str = Field(sa_type=Text)
    profile: str = Field(sa_type=Text)
    certificate_name: str | None = Field(default=None, index=True)


class PartnerCertificateRow(SQLModel, table=True):
    """A pinned certificate; `fingerprint` is the SHA-256 of its DER, as hex."""

    __tablename__ = "partner_certificate"
    __table_args__ = (Index("partner_certificate_by_fingerprint", "fingerprint", "usage"),)
    partner: str = Field(primary_key=True, foreign_key="partner.id")
    usage: str = Field(primary_key=True)
    ordinal: int = Field(primary_key=True)
    plan: str | None = None
    fingerprint: str
    pem: str = Field(sa_type=Text)


class DirectAnchorRow(SQLModel, table=True):
    """An anchor of Direct mail, trusted by hand; `domain` is "*" for all domains of ours."""

    __tablename__ = "direct_anchor"
    fingerprint: str = Field(primary_key=True)
    domain: str = Field(primary_key=True)
    plan: str | None = None
    incoming: bool
    outgoing: bool
    certificate: bytes = Field(sa_type=LargeBinary)
    revocation: str | None = None
    no_source: str | None = None
    added: datetime = Field(sa_type=UtcTime)


class DirectBundleRow(SQLModel, table=True):
    """Where a bundle of anchors is fetched, for whom it counts, and how its changes are taken."""

    __tablename__ = "direct_bundle"
    name: str = Field(primary_key=True)
    plan: str | None = None
    url: str = Field(sa_type=Text)
    domain: str
    incoming: bool
    outgoing: bool
    signer: bytes | None = Field(default=None, sa_type=LargeBinary)
    hold: str
    every_seconds: int
    revocation: str | None = None
    no_source: str | None = None
    checked: datetime | None = Field(default=None, sa_type=UtcTime)
    failure: str | None = None


class DirectBundleVersionRow(SQLModel, table=True):
    """What a bundle was at one time; `state` is current, held, past or rejected."""

    __tablename__ = "direct_bundle_version"
    bundle: str = Field(primary_key=True, foreign_key="direct_bundle.name")
    number: int = Field(primary_key=True, sa_column_kwargs={"autoincrement": False})
    plan: str | None = None
    fetched: datetime = Field(sa_type=UtcTime)
    content: bytes = Field(sa_type=LargeBinary)
    sha256: str
    signer: bytes | None = Field(default=None, sa_type=LargeBinary)
    state: str
    reason: str | None = Field(default=None, sa_type=Text)
    decided: datetime | None = Field(default=None, sa_type=UtcTime)


class DirectBundleAnchorRow(SQLModel, table=True):
    """The anchors of a bundle's version, in its order."""

    __tablename__ = "direct_bundle_anchor"
    bundle: str = Field(primary_key=True)
    number: int = Field(primary_key=True)
    ordinal: int = Field(primary_key=True)
    plan: str | None = None
    certificate: bytes = Field(sa_type=LargeBinary)


class DelegationRow(SQLModel, table=True):
    """An organization of a partner that lets another community ask in its name."""

    __tablename__ = "delegation"
    __table_args__ = (
        Index("delegation_by_principal", "principal", "delegate"),
        {"sqlite_with_rowid": False},
    )
    partner: str = Field(primary_key=True, foreign_key="partner.id")
    principal: str = Field(primary_key=True)
    delegate: str = Field(primary_key=True)
    plan: str | None = None


class OwnKeyRow(SQLModel, table=True):
    """A key pair of the house beside that of its settings; `since` is None until it is used.

    The private key stays in its file, outside the database.
    """

    __tablename__ = "own_key"
    usage: str = Field(primary_key=True)
    fingerprint: str = Field(primary_key=True)
    plan: str | None = None
    certificate_file: str
    key_file: str
    imported: datetime = Field(sa_type=UtcTime)
    since: datetime | None = Field(default=None, sa_type=UtcTime)


class PolicyRuleRow(SQLModel, table=True):
    __tablename__ = "policy_rule"
    plan: str = Field(primary_key=True, foreign_key="plan.id")
    name: str = Field(primary_key=True)
    rule: str = Field(sa_type=Text)


class LinkRow(SQLModel, table=True):
    """A member, and a patient id by which a community knows the same person."""

    __tablename__ = "link"
    __table_args__ = (
        Index("link_by_patient", "plan", "home_community_id", "patient_id"),
        {"sqlite_with_rowid": False},
    )
    plan: str = Field(primary_key=True, foreign_key="plan.id")
    member: str = Field(primary_key=True, foreign_key="member.id")
    partner: str = Field(primary_key=True, foreign_key="partner.id")
    home_community_id: str = Field(primary_key=True)
    patient_id: str = Field(primary_key=True)
    state: str
    score: float | None = None
    detail: str | None = None
    found: datetime = Field(sa_type=UtcTime)
    is_decided: bool = False
    degree: int | None = None
    valid_until: datetime | None = Field(default=None, sa_type=UtcTime)
    known: str | None = Field(default=None, sa_type=Text)


# ---- documents and what they say -------------------------------------------------------------


class BlobRow(SQLModel, table=True):
    """Bytes that something refers to; a file without such a row is a leftover."""

    __tablename__ = "blob"
    __table_args__ = ({"sqlite_with_rowid": False},)
    plan: str = Field(primary_key=True, foreign_key="plan.id")
    address: str = Field(primary_key=True)
    size_bytes: int = Field(sa_type=BigNumber)
    sha1: str
    sha256: str


class DocumentRow(SQLModel, table=True):
    """`number` is for joins inside the store; `id` is what the world sees."""

    __tablename__ = "document"
    __table_args__ = (
        ForeignKeyConstraint(["plan", "blob_address"], ["blob.plan", "blob.address"]),
        Index("document_once", "plan", "blob_address", "source_key", unique=True),
        Index("document_of_member", "plan", "member", "state"),
        Index("document_by_clinical_id", "plan", "clinical_id"),
        Index("document_by_set", "plan", "set_id"),
        Index("document_by_unique_id", "plan", "document_unique_id"),
        Index("document_by_on_demand_id", "plan", "on_demand_unique_id"),
    )
    number: int | None = Field(default=None, primary_key=True, sa_type=BigNumber)
    id: str = Field(unique=True)
    plan: str = Field(foreign_key="plan.id")
    state: str
    blob_address: str
    source_key: str
    door: str
    partner: str | None = None
    partner_name: str | None = None
    source_community: str | None = None
    repository_unique_id: str | None = None
    document_unique_id: str | None = None
    on_demand_unique_id: str | None = None
    received: datetime = Field(sa_type=UtcTime)
    member: str | None = Field(default=None, foreign_key="member.id")
    candidate: str | None = Field(default=None, foreign_key="member.id")
    reason: str | None = None
    mime_type: str | None = None
    title: str | None = None
    type_code: str | None = None
    type_system: str | None = None
    type_display: str | None = None
    effective_time: str | None = None
    clinical_id: str | None = None
    set_id: str | None = None
    version: int | None = None
    superseded_by: str | None = None
    author: str | None = None
    custodian: str | None = None
    is_derived: bool = False


class ReplacementRow(SQLModel, table=True):
    """What a document says it replaces, whether or not that is here yet."""

    __tablename__ = "replacement"
    __table_args__ = (
        Index("replacement_of_document", "plan", "clinical_id"),
        Index("replacement_of_version", "plan", "set_id", "version"),
        {"sqlite_with_rowid": False},
    )
    document: int = Field(primary_key=True, foreign_key="document.number", sa_type=BigNumber)
    ordinal: int = Field(primary_key=True, sa_type=Integer)
    plan: str
    clinical_id: str | None = None
    set_id: str | None = None
    version: int | None = None


class QuarantineRow(SQLModel, table=True):
    """Where reading a quarantined document stopped, and how often it was tried."""

    __tablename__ = "quarantine"
    document: int = Field(primary_key=True, foreign_key="document.number", sa_type=BigNumber)
    plan: str
    stage: str
    error: str
    attempts: int = 1
    first: datetime = Field(sa_type=UtcTime)
    last: datetime = Field(sa_type=UtcTime)


class OfferRow(SQLModel, table=True):
    """A document as ITI-38 answers tell of it: its ebRIM entry, written once."""

    __tablename__ = "offer"
    document: int = Field(primary_key=True, foreign_key="document.number", sa_type=BigNumber)
    plan: str
    entry_uuid: str = Field(unique=True)
    unique_id: str = Field(unique=True)
    class_code: str | None = None
    confidentiality: str | None = None
    third_party: bool
    entry_xml: str = Field(sa_type=Text)


class SnapshotRow(SQLModel, table=True):
    """A member's summary as one partner was given it: its ebRIM entry, and what it was made of."""

    __tablename__ = "snapshot"
    __table_args__ = (
        Index("snapshot_once", "plan", "member", "partner", "purpose", "digest", unique=True),
    )
    document: int = Field(primary_key=True, foreign_key="document.number", sa_type=BigNumber)
    plan: str
    member: str = Field(foreign_key="member.id")
    partner: str
    purpose: str
    digest: str
    entry_uuid: str = Field(unique=True)
    unique_id: str = Field(unique=True)
    class_code: str
    confidentiality: str
    sources: str = Field(sa_type=Text)
    entry_xml: str = Field(sa_type=Text)


class SectionRow(SQLModel, table=True):
    __tablename__ = "section"
    __table_args__ = ({"sqlite_with_rowid": False},)
    document: int = Field(primary_key=True, foreign_key="document.number", sa_type=BigNumber)
    ordinal: int = Field(primary_key=True, sa_type=Integer)
    plan: str
    code: str | None = None
    code_system: str | None = None
    title: str | None = None
    text: str | None = Field(default=None, sa_type=Text)
    rest: str | None = Field(default=None, sa_type=Text)


class EntryRow(SQLModel, table=True):
    """One statement. Only the key is indexed: each further index halves the rate of ingest."""

    __tablename__ = "entry"
    __table_args__ = ({"sqlite_with_rowid": False},)
    document: int = Field(primary_key=True, foreign_key="document.number", sa_type=BigNumber)
    ordinal: int = Field(primary_key=True, sa_type=Integer)
    plan: str
    section: int
    kind: str
    code: str | None = None
    code_system: str | None = None
    display: str | None = None
    status: str | None = None
    value: str | None = None
    unit: str | None = None
    start_time: str | None = None
    end_time: str | None = None
    at_time: str | None = None
    negated: bool = False
    path: str
    line: int | None = None
    rest: str | None = Field(default=None, sa_type=Text)


class SummaryRow(SQLModel, table=True):
    __tablename__ = "summary"
    member: str = Field(primary_key=True, foreign_key="member.id")
    plan: str
    as_of: datetime = Field(sa_type=UtcTime)
    summary: str = Field(sa_type=Text)


# ---- asking others ---------------------------------------------------------------------------


class RetrievalRow(SQLModel, table=True):
    __tablename__ = "retrieval"
    __table_args__ = (Index("retrieval_of_member", "plan", "member"),)
    number: int | None = Field(default=None, primary_key=True, sa_type=BigNumber)
    id: str = Field(unique=True)
    plan: str = Field(foreign_key="plan.id")
    member: str = Field(foreign_key="member.id")
    purpose: str
    person: str
    role: str
    authority: str | None = None
    conversation: str
    created: datetime = Field(sa_type=UtcTime)
    state: str
    since: str | None = None
    finished: datetime | None = Field(default=None, sa_type=UtcTime)


class RetrievalPartnerRow(SQLModel, table=True):
    __tablename__ = "retrieval_partner"
    __table_args__ = ({"sqlite_with_rowid": False},)
    retrieval: int = Field(primary_key=True, foreign_key="retrieval.number", sa_type=BigNumber)
    partner: str = Field(primary_key=True)
    plan: str
    partner_name: str
    step: str
    outcome: str | None = None
    documents_found: int = 0
    documents_new: int = 0
    documents_missing: int = 0
    elapsed_ms: int | None = None
    detail: str | None = None


class AwaitedAnswerRow(SQLModel, table=True):
    """A request whose answer comes on a connection of its own; kept until the answer is stale."""

    __tablename__ = "awaited_answer"
    __table_args__ = (
        Index("awaited_answer_to", "retrieval", "visited", "question", unique=True),
        {"sqlite_with_rowid": False},
    )
    message_id: str = Field(primary_key=True)
    plan: str = Field(foreign_key="plan.id")
    partner: str
    retrieval: str
    visited: str
    question: str
    transaction: str
    state: str
    sent: datetime = Field(sa_type=UtcTime)
    expires: datetime = Field(sa_type=UtcTime, index=True)
    signature_values: str = Field(sa_type=Text)
    exchange: str = Field(sa_type=Text)
    answer: str | None = Field(default=None, sa_type=Text)
    result: str | None = None
    reason: str | None = None
    found: int = 0
    missing: int = 0


class VisitClaimRow(SQLModel, table=True):
    """Who goes on with one partner's part of a retrieval just now."""

    __tablename__ = "visit_claim"
    __table_args__ = ({"sqlite_with_rowid": False},)
    retrieval: str = Field(primary_key=True)
    partner: str = Field(primary_key=True)
    plan: str
    process: str


class OwedAnswerRow(SQLModel, table=True):
    """An answer of ours that is computed and recorded, and not yet with the partner."""

    __tablename__ = "owed_answer"
    id: str = Field(primary_key=True)
    plan: str | None = None
    partner: str
    created: datetime = Field(sa_type=UtcTime)
    answer: str = Field(sa_type=Text)


# ---- mail ------------------------------------------------------------------------------------


class MailReceivedRow(SQLModel, table=True):
    """A message as it came through a mail door; `recipients_key` is a hash of whom it is for."""

    __tablename__ = "mail_received"
    __table_args__ = (
        ForeignKeyConstraint(["plan", "blob_address"], ["blob.plan", "blob.address"]),
        Index("mail_received_once", "plan", "sha256", "recipients_key", unique=True),
        Index("mail_received_by_state", "plan", "state"),
        Index("mail_received_by_message_id", "plan", "message_id"),
    )
    number: int | None = Field(default=None, primary_key=True, sa_type=BigNumber)
    id: str = Field(unique=True)
    plan: str = Field(foreign_key="plan.id")
    door: str
    peer: str | None = None
    mail_from: str | None = None
    rcpt_to: str = Field(sa_type=Text)
    recipients_key: str
    sha256: str
    blob_address: str
    message_id: str | None = None
    arrived: datetime = Field(sa_type=UtcTime)
    state: str
    reason: str | None = None
    settled: datetime | None = Field(default=None, sa_type=UtcTime)
    attempts: int
    verdict_generation: int | None = None
    verdict: bytes | None = Field(default=None, sa_type=LargeBinary)


class MailClaimRow(SQLModel, table=True):
    """What may be taken in only once, and the message that was the first to bring it."""

    __tablename__ = "mail_claim"
    __table_args__ = ({"sqlite_with_rowid": False},)
    plan: str = Field(primary_key=True, foreign_key="plan.id")
    key: str = Field(primary_key=True)
    message: str


class MailboxCursorRow(SQLModel, table=True):
    """Up to which message a mailbox was read: the UIDs of a folder's UIDVALIDITY."""

    __tablename__ = "mailbox_cursor"
    __table_args__ = ({"sqlite_with_rowid": False},)
    mailbox: str = Field(primary_key=True)
    plan: str | None = None
    uid_validity: int = Field(sa_type=BigNumber)
    last_uid: int = Field(sa_type=BigNumber)


# ---- mail that we send -----------------------------------------------------------------------


class MailSentRow(SQLModel, table=True):
    """A message of ours; `record` is what its exchange records start from."""

    __tablename__ = "mail_sent"
    __table_args__ = (
        ForeignKeyConstraint(["plan", "blob_address"], ["blob.plan", "blob.address"]),
        Index("mail_sent_by_message_id", "plan", "message_id", unique=True),
        Index("mail_sent_by_answers", "plan", "answers"),
    )
    number: int | None = Field(default=None, primary_key=True, sa_type=BigNumber)
    id: str = Field(unique=True)
    plan: str = Field(foreign_key="plan.id")
    kind: str
    message_id: str
    sender: str
    blob_address: str
    created: datetime = Field(sa_type=UtcTime)
    record: str = Field(sa_type=Text)
    wants_dispatched: bool = False
    answers: str | None = None


class MailRecipientRow(SQLModel, table=True):
    """How it stands with one recipient; `address` in lower case tells recipients apart."""

    __tablename__ = "mail_recipient"
    __table_args__ = ({"sqlite_with_rowid": False},)
    message: str = Field(primary_key=True, foreign_key="mail_sent.id")
    address_key: str = Field(primary_key=True)
    plan: str
    ordinal: int
    state: str
    recipient: str = Field(sa_type=Text)


class MailNoticeRow(SQLModel, table=True):
    """A notice about a recipient, in the order they came."""

    __tablename__ = "mail_notice"
    __table_args__ = (
        Index("mail_notice_of", "message"),
        Index("mail_notice_once", "message", "received", "address_key", "kind", unique=True),
    )
    number: int | None = Field(default=None, primary_key=True, sa_type=BigNumber)
    message: str = Field(foreign_key="mail_sent.id")
    plan: str
    address_key: str
    kind: str
    received: str
    heard: str = Field(sa_type=Text)


class DirectKeyRow(SQLModel, table=True):
    """A key of one of our addresses or domains; the private one sealed under its plan's key."""

    __tablename__ = "direct_key"
    plan: str = Field(primary_key=True, foreign_key="plan.id")
    owner: str = Field(primary_key=True)
    fingerprint: str = Field(primary_key=True)
    certificates: str = Field(sa_type=Text)
    generation: int
    sealed: bytes = Field(sa_type=LargeBinary)
    imported: datetime = Field(sa_type=UtcTime)
    since: datetime | None = Field(default=None, sa_type=UtcTime)


# ---- the record ------------------------------------------------------------------------------


class ExchangeRow(SQLModel, table=True):
    """Append-only by trigger; `canon` is what was hashed, the other columns must agree with it."""

    __tablename__ = "exchange"
    __table_args__ = (
        Index("exchange_of_plan", "plan", "sequence"),
        Index("exchange_of_member", "member", "sequence"),
        Index("exchange_of_conversation", "conversation", "sequence"),
        Index("exchange_by_time", "time", "sequence"),
        Index("exchange_by_transaction", "transaction", "sequence"),
        Index("exchange_by_outcome", "outcome", "sequence"),
        Index("exchange_by_partner", "partner", "sequence"),
        Index("exchange_by_person", "person", "sequence"),
        Index("exchange_by_purpose", "purpose", "sequence"),
    )
    sequence: int = Field(
        primary_key=True, sa_type=BigNumber, sa_column_kwargs={"autoincrement": False}
    )
    time: datetime = Field(sa_type=UtcTime)
    direction: str
    transaction: str
    outcome: str
    plan: str | None = None
    partner: str | None = None
    peer: str | None = None
    person: str | None = None
    role: str | None = None
    purpose: str | None = None
    authority: str | None = None
    member: str | None = None
    documents: str = Field(sa_type=Text)
    reason: str | None = None
    conversation: str | None = None
    message_id: str | None = None
    duration_ms: int | None = None
    count: int
    request_hash: str | None = None
    answer_hash: str | None = None
    canon: str = Field(sa_type=Text)
    previous_hash: str
    hash: str


class ExchangeDocumentRow(SQLModel, table=True):
    """Which records name a document: the column `documents`, turned around for searching."""

    __tablename__ = "exchange_document"
    __table_args__ = ({"sqlite_with_rowid": False},)
    document: str = Field(primary_key=True)
    sequence: int = Field(
        primary_key=True, sa_type=BigNumber, sa_column_kwargs={"autoincrement": False}
    )
    plan: str | None = None


class WireMessageRow(SQLModel, table=True):
    """An envelope as it crossed the wire, sealed under its plan's key, or under the house's."""

    __tablename__ = "wire_message"
    hash: str = Field(primary_key=True)
    """SHA-256 of the envelope, as hex: what its exchange record names."""
    scope: str = Field(primary_key=True)
    """The plan, or empty for the house: an envelope that concerns two plans is kept for each."""
    plan: str | None = None
    generation: int
    sealed: bytes = Field(sa_type=LargeBinary)


class ExchangeHeadRow(SQLModel, table=True):
    """The last record's place, so that a tail cut by mistake is seen without a checkpoint."""

    __tablename__ = "exchange_head"
    id: int = Field(primary_key=True, sa_column_kwargs={"autoincrement": False})
    plan: str | None = None
    sequence: int = Field(sa_type=BigNumber)
    hash: str


class CheckpointRow(SQLModel, table=True):
    """The log sealed at a size; `frontier` are the roots on which the tree goes on."""

    __tablename__ = "checkpoint"
    size: int = Field(
        primary_key=True, sa_type=BigNumber, sa_column_kwargs={"autoincrement": False}
    )
    plan: str | None = None
    note: str = Field(sa_type=Text)
    key: str
    frontier: str = Field(sa_type=Text)
    made: datetime = Field(sa_type=UtcTime)
    published: str = Field(sa_type=Text)


class AuditFeedRow(SQLModel, table=True):
    """How far an audit repository has been told of the log, and the process that tells it."""

    __tablename__ = "audit_feed"
    repository: str = Field(primary_key=True)
    plan: str | None = None
    sequence: int = Field(sa_type=BigNumber)
    process: str | None = None
    attempts: int
    trouble: str | None = None


class AuditDeadLetterRow(SQLModel, table=True):
    """A record of which a repository could not be told, and why; `again` once it is to be tried."""

    __tablename__ = "audit_dead_letter"
    repository: str = Field(primary_key=True)
    sequence: int = Field(
        primary_key=True, sa_type=BigNumber, sa_column_kwargs={"autoincrement": False}
    )
    plan: str | None = None
    reason: str = Field(sa_type=Text)
    again: bool


class ExchangeOpenRow(SQLModel, table=True):
    """Begun and not yet recorded: mutable, no evidence (DECISIONS 16)."""

    __tablename__ = "exchange_open"
    __table_args__ = ({"sqlite_autoincrement": True},)  # an id closed once is never another's
    id: int | None = Field(default=None, primary_key=True, sa_type=BigNumber)
    plan: str | None = None
    process: str
    exchange: str = Field(sa_type=Text)


class RefusalRow(SQLModel, table=True):
    """Refusals before anyone was known, gathered until their minute is over (DECISIONS 17)."""

    __tablename__ = "refusal"
    minute: datetime = Field(primary_key=True, sa_type=UtcTime)
    peer: str = Field(primary_key=True)
    reason: str = Field(primary_key=True)
    transaction: str = Field(primary_key=True)
    plan: str | None = None
    first: datetime = Field(sa_type=UtcTime)
    count: int


class ReplayRow(SQLModel, table=True):
    __tablename__ = "replay"
    peer: str = Field(primary_key=True)
    key: str = Field(primary_key=True)
    plan: str | None = None
    expires: datetime = Field(sa_type=UtcTime, index=True)


class DiscoveryTallyRow(SQLModel, table=True):
    """How often a community has asked in a period: about anybody, or about one member in vain.

    `about` is that member's id or empty; `variant` tells the questions about it apart.
    """

    __tablename__ = "discovery_tally"
    __table_args__ = ({"sqlite_with_rowid": False},)
    home_community_id: str = Field(primary_key=True)
    period: str = Field(primary_key=True)
    about: str = Field(primary_key=True)
    variant: str = Field(primary_key=True)
    plan: str | None = None
    count: int
    expires: datetime = Field(sa_type=UtcTime, index=True)


# ---- work to be done later -------------------------------------------------------------------


class JobRow(SQLModel, table=True):
    """Jobs of the in-process worker; on PostgreSQL Procrastinate keeps its own."""

    __tablename__ = "job"
    __table_args__ = (Index("job_due", "state", "run_at"), {"sqlite_autoincrement": True})
    id: int | None = Field(default=None, primary_key=True, sa_type=BigNumber)
    plan: str | None = None
    kind: str
    payload: str = Field(sa_type=Text)
    state: str
    attempt: int = 0
    run_at: datetime = Field(sa_type=UtcTime)
    lease_until: datetime | None = Field(default=None, sa_type=UtcTime)
    worker: str | None = None
    error: str | None = None


class JobKeyRow(SQLModel, table=True):
    """What was asked for once under a key is never queued again under it."""

    __tablename__ = "job_key"
    kind: str = Field(primary_key=True)
    key: str = Field(primary_key=True)
    plan: str | None = None
    job: int = Field(sa_type=BigNumber)
    created: datetime = Field(sa_type=UtcTime, index=True)


class ScheduleRow(SQLModel, table=True):
    __tablename__ = "schedule"
    name: str = Field(primary_key=True)
    plan: str | None = None
    kind: str
    payload: str = Field(sa_type=Text)
    every_seconds: int
    next_run: datetime = Field(sa_type=UtcTime)


plan = _table(PlanRow)
member = _table(MemberRow)
member_key = _table(MemberKeyRow)
token = _table(TokenRow)
plan_key = _table(PlanKeyRow)
house_key = _table(HouseKeyRow)
partner = _table(PartnerRow)
partner_certificate = _table(PartnerCertificateRow)
direct_anchor = _table(DirectAnchorRow)
direct_bundle = _table(DirectBundleRow)
direct_bundle_version = _table(DirectBundleVersionRow)
direct_bundle_anchor = _table(DirectBundleAnchorRow)
delegation = _table(DelegationRow)
own_key = _table(OwnKeyRow)
policy_rule = _table(PolicyRuleRow)
link = _table(LinkRow)
blob = _table(BlobRow)
document = _table(DocumentRow)
replacement = _table(ReplacementRow)
quarantine = _table(QuarantineRow)
offer = _table(OfferRow)
snapshot = _table(SnapshotRow)
section = _table(SectionRow)
entry = _table(EntryRow)
summary = _table(SummaryRow)
retrieval = _table(RetrievalRow)
retrieval_partner = _table(RetrievalPartnerRow)
mail_received = _table(MailReceivedRow)
mail_claim = _table(MailClaimRow)
mailbox_cursor = _table(MailboxCursorRow)
mail_sent = _table(MailSentRow)
mail_recipient = _table(MailRecipientRow)
mail_notice = _table(MailNoticeRow)
direct_key = _table(DirectKeyRow)
exchange = _table(ExchangeRow)
exchange_document = _table(ExchangeDocumentRow)
wire_message = _table(WireMessageRow)
exchange_head = _table(ExchangeHeadRow)
checkpoint = _table(CheckpointRow)
audit_feed = _table(AuditFeedRow)
audit_dead_letter = _table(AuditDeadLetterRow)
exchange_open = _table(ExchangeOpenRow)
refusal = _table(RefusalRow)
replay = _table(ReplayRow)
discovery_tally = _table(DiscoveryTallyRow)
awaited_answer = _table(AwaitedAnswerRow)
visit_claim = _table(VisitClaimRow)
owed_answer = _table(OwedAnswerRow)
job = _table(JobRow)
job_key = _table(JobKeyRow)
schedule = _table(ScheduleRow)
