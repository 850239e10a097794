"""Documents: bytes, statements, offers, the summary."""

from datetime import datetime

from sqlalchemy import ForeignKeyConstraint, Index, Integer, Text
from sqlmodel import Field

from gateway.store.column_types import BigNumber, UtcTime
from gateway.store.tables.row import Row


class BlobRow(Row, table=True):
    """Bytes that something refers to; a file without such a row is a leftover."""

    __tablename__ = "blob"
    __table_args__ = ({"sqlite_with_rowid": False},)
    plan: str = Field(primary_key=True, foreign_key="plan.id")
    address: str = Field(primary_key=True)
    size_bytes: int = Field(sa_type=BigNumber)
    sha1: str
    sha256: str


class DocumentRow(Row, table=True):
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


class ReplacementRow(Row, table=True):
    """What a document says it replaces, whether or not that is here yet."""

    __tablename__ = "replacement"
    __table_args__ = (
        Index("replacement_of_document", "plan", "clinical_id"),
        Index("replacement_of_version", "plan", "set_id", "version"),
        Index("replacement_of_number", "replaced"),
        {"sqlite_with_rowid": False},
    )
    document: int = Field(primary_key=True, foreign_key="document.number", sa_type=BigNumber)
    ordinal: int = Field(primary_key=True, sa_type=Integer)
    plan: str
    clinical_id: str | None = None
    set_id: str | None = None
    version: int | None = None
    replaced: int | None = Field(default=None, sa_type=BigNumber)


class SubmittedEntryRow(Row, table=True):
    """By which entry UUID a partner submitted a document: it may say later what replaces it."""

    __tablename__ = "submitted_entry"
    __table_args__ = ({"sqlite_with_rowid": False},)
    plan: str = Field(primary_key=True)
    partner: str = Field(primary_key=True)
    entry_uuid: str = Field(primary_key=True)
    document: int = Field(foreign_key="document.number", sa_type=BigNumber)


class QuarantineRow(Row, table=True):
    """Where reading a quarantined document stopped, and how often it was tried."""

    __tablename__ = "quarantine"
    document: int = Field(primary_key=True, foreign_key="document.number", sa_type=BigNumber)
    plan: str
    stage: str
    error: str
    attempts: int = 1
    first: datetime = Field(sa_type=UtcTime)
    last: datetime = Field(sa_type=UtcTime)


class OfferRow(Row, table=True):
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


class SnapshotRow(Row, table=True):
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


class SectionRow(Row, table=True):
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


class EntryRow(Row, table=True):
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


class SummaryRow(Row, table=True):
    __tablename__ = "summary"
    member: str = Field(primary_key=True, foreign_key="member.id")
    plan: str
    as_of: datetime = Field(sa_type=UtcTime)
    summary: str = Field(sa_type=Text)
