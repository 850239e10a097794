"""A document we hold: where it came from, where its bytes lie, and whether it is filed."""

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from ccda.model import Entry
from ccda.values import quickly_made
from gateway.model.identity import DocumentId, MemberId, PartnerId, PlanId

DocumentState = Literal["filed", "held", "quarantined", "withdrawn"]


@quickly_made
@dataclass(frozen=True, slots=True)
class Blob:
    """Stored bytes: `address` is keyed and per plan; hashes as hex of the plain bytes."""

    address: str
    size_bytes: int
    sha1: str
    sha256: str


@quickly_made
@dataclass(frozen=True, slots=True)
class Source:
    """Where a document came from; `partner` is None for a file that an operator ingested.

    Through the door ON-DEMAND nothing came: we wrote it when a partner asked for a summary.
    """

    door: Literal["ITI-39", "ITI-41", "DIRECT", "FILE", "REST", "ON-DEMAND"]
    partner: PartnerId | None = None
    partner_name: str | None = None
    home_community_id: str | None = None
    repository_unique_id: str | None = None
    document_unique_id: str | None = None
    on_demand_unique_id: str | None = None
    """Under which id it was asked for, where it was made on demand and got a new one."""


@quickly_made
@dataclass(frozen=True, slots=True)
class Document:
    """One document row. `member` is set only while it is filed (DECISIONS 14, 15).

    `reason` says in words why it is held, quarantined or withdrawn. Times of the document itself
    are HL7 TS as written; `received` is ours.
    """

    id: DocumentId
    plan: PlanId
    state: DocumentState
    blob: Blob
    source: Source
    received: datetime
    member: MemberId | None = None
    candidate: MemberId | None = None
    """For a held document, whom it was asked for or most likely names."""
    reason: str | None = None
    mime_type: str | None = None
    title: str | None = None
    type_code: str | None = None
    type_system: str | None = None
    type_display: str | None = None
    effective_time: str | None = None
    clinical_id: str | None = None
    """ClinicalDocument/id as root^extension."""
    set_id: str | None = None
    version: int | None = None
    superseded_by: DocumentId | None = None
    author: str | None = None
    custodian: str | None = None
    is_derived: bool = False
    """A summary that we wrote ourselves, kept or come back: no evidence (DECISIONS 10)."""


@dataclass(frozen=True, slots=True)
class Replaced:
    """What a document says it replaces: by its ClinicalDocument/id, as a version of a set, or,
    where it has no such id, as the very document that is here."""

    clinical_id: str | None = None
    set_id: str | None = None
    version: int | None = None
    document: DocumentId | None = None


@quickly_made
@dataclass(frozen=True, slots=True)
class IndexedEntry:
    """One clinical statement of a filed document: `ordinal` counts from 0 over the document."""

    document: DocumentId
    ordinal: int
    section: str | None
    entry: Entry


@quickly_made
@dataclass(frozen=True, slots=True)
class OfferedDocument:
    """A filed document as registered for partners: what rules look at, and its ebRIM entry.

    `unique_id` and `entry_uuid` are ours. `entry_xml` is the whole ExtrinsicObject, canonical.
    """

    document: Document
    entry_uuid: str
    unique_id: str
    entry_xml: str
    class_code: str | None = None
    confidentiality: str | None = None
    third_party: bool = True


@dataclass(frozen=True, slots=True)
class Snapshot:
    """A member's summary as one partner was given it, made from `sources` for a purpose.

    `digest` is of what it says: the same facts for the same asker are the same snapshot.
    """

    offered: OfferedDocument
    partner: PartnerId
    purpose: str
    digest: str
    sources: tuple[DocumentId, ...]


@dataclass(frozen=True, slots=True)
class Quarantined:
    """A document that could not be read: at which stage, how often tried, first and last when."""

    document: Document
    stage: str
    attempts: int
    first: datetime
    last: datetime
