"""One document, from whichever door, into the index; the same bytes twice are one document.

Strategy: first the bytes are safe in the blob store, then a worker process reads them, and only
then one short transaction decides whose document it is, indexes it and renews the member's
summary, beside whatever the caller adds (the exchange record, a retrieval's progress). A document
is filed only with a member whom it names (DECISIONS 14, 15); otherwise it is held for a person to
decide, and what cannot be read at all is quarantined. Nothing is dropped: when the bytes of a held
or quarantined document come again, it is decided anew.
"""

import asyncio
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final, Literal
from uuid import uuid4

from ccda.model import ClinicalDocument, Section
from ccda.safe_xml import DEFAULT_LIMITS
from gateway.exchange.archive import Archive
from gateway.exchange.derived import is_derived
from gateway.exchange.filing import file_document
from gateway.exchange.header_encounter import header_encounter
from gateway.exchange.reading import Reading, read_document, sniff
from gateway.exchange.reading_share import Share
from gateway.exchange.summaries import Allowance, hold_summary, renew_summary
from gateway.exchange.superseding import settle_versions
from gateway.exchange.whose import Told, Undecided, whose
from gateway.exchange.words_of_section import denial_in_words
from gateway.exchange.workers import WorkerFailed
from gateway.model.community import Community
from gateway.model.document import (
    Blob,
    Document,
    DocumentState,
    IndexedEntry,
    Replaced,
    Source,
)
from gateway.model.identity import DocumentId, MemberId, PlanId
from gateway.model.member import Member, Plan
from gateway.store import clinical as clinical_store
from gateway.store import documents, replacements
from gateway.store.database import Transaction
from ihe.xcpd import Demographics

Outcome = Literal["filed", "held", "quarantined", "duplicate"]
_WORKER_SENTENCES: Final = {
    "deadline": "reading it took longer than is allowed",
    "memory": "reading it took more memory than is allowed",
}
_TOO_LARGE: Final = "it is larger than what is read: it is kept as it came"


@dataclass(frozen=True, slots=True)
class Received:
    """A document whose bytes are safe, and what reading them gave."""

    blob: Blob
    reading: Reading
    source: Source
    candidate: MemberId | None = None
    """Whom it was asked for; None when it came unasked."""
    doubt: str | None = None
    """Why it may not be filed, whomever it names."""
    named_member: MemberId | None = None
    """Whom the metadata of a submission surely names."""
    named_person: Demographics | None = None
    """What that metadata says of the patient: a document of somebody else is not filed."""
    replaced: tuple[Replaced, ...] = ()
    """What it replaces, as its submission says beside the document."""


@dataclass(frozen=True, slots=True)
class Ingested:
    """What became of a document; `duplicate` when it was known and stays as it is."""

    document: Document
    outcome: Outcome


async def receive(
    archive: Archive,
    blob: Blob,
    *,
    plan: Plan,
    source: Source,
    candidate: MemberId | None = None,
    doubt: str | None = None,
    share: Share | None = None,
) -> Received:
    """Reads stored bytes, outside any transaction; within the share if there is one."""
    reading = await _read_stored(archive, plan.id, blob, share)
    return Received(blob, reading, source, candidate, doubt)


async def _read_stored(archive: Archive, plan: PlanId, blob: Blob, share: Share | None) -> Reading:
    """DECISIONS 26: over the cap it is kept and not read, nor ever held in memory."""
    if blob.size_bytes > DEFAULT_LIMITS.size_bytes:
        head = await asyncio.to_thread(lambda: next(archive.chunks(plan, blob), b""))
        return Reading(sniff(head), reason=_TOO_LARGE)
    if share is not None:
        return await share.read(archive.chunks(plan, blob))
    return await read(archive, await asyncio.to_thread(archive.load, plan, blob))


async def read(archive: Archive, content: bytes) -> Reading:
    """What the bytes say, found out in a worker process."""
    try:
        return await archive.workers.run_async(read_document, content)
    except WorkerFailed as failure:
        if failure.reason == "closed":  # we are stopping: it says nothing about the document
            raise
        sentence = _WORKER_SENTENCES.get(failure.reason, "the reader failed on it")
        return Reading("text/xml", reason=sentence, is_final=False)


def ingest(
    transaction: Transaction,
    received: Sequence[Received],
    *,
    plan: Plan,
    community: Community,
    now: datetime,
    create_members: bool = False,
    allowance: Allowance | None = None,
) -> tuple[Ingested, ...]:
    """Files, holds or quarantines each document, and renews the summaries it changes; those
    that take more than the `allowance` are left to a job."""
    indexed: dict[DocumentId, tuple[IndexedEntry, ...]] = {}
    done = tuple(
        _ingest_one(transaction, one, plan, community, now, indexed, create_members=create_members)
        for one in received
    )
    filed = {one.document.member for one in done if one.outcome == "filed"}
    changed = sorted(member for member in filed if member is not None)
    for member in changed:
        hold_summary(transaction, plan=plan.id, member=member, now=now)
    # Once all are filed: a replacement may stand before what it replaces.
    settled: frozenset[DocumentId] = frozenset()
    for one in done:
        if one.outcome == "filed" and one.document.id not in settled:
            settled |= settle_versions(transaction, one.document)
    for member in changed:
        renew_summary(
            transaction, plan=plan.id, member=member, now=now, indexed=indexed, allowance=allowance
        )
    return done


def _ingest_one(
    transaction: Transaction,
    received: Received,
    plan: Plan,
    community: Community,
    now: datetime,
    indexed: dict[DocumentId, tuple[IndexedEntry, ...]],
    *,
    create_members: bool,
) -> Ingested:
    """What becomes of one; `indexed` gains its statements."""
    new = _new_document(received, plan, community, now)
    document = documents.insert(transaction, new)
    before = None if document.id == new.id else document.state
    if before in ("filed", "withdrawn"):
        return Ingested(document, "duplicate")
    clinical = received.reading.clinical
    if clinical is None:
        if before != "held":  # it was read once, and says what it said then
            document = _quarantine(transaction, document, received.reading, now)
        return Ingested(document, _outcome(document, before))
    if before is not None:
        # What waits is decided anew: since then a member may have come, or the reader recovered.
        described = _described(document, clinical, community)
        anew = replace(described, mime_type=received.reading.mime_type)
        document = documents.describe(transaction, anew)
    indexed[document.id] = _index(
        transaction, document, clinical, received.replaced, is_new=before is None
    )
    told = Told(
        received.candidate,
        received.named_member,
        received.named_person,
        received.reading.policy_ids,
    )
    decision = whose(transaction, clinical, plan, told, create_members=create_members)
    if isinstance(decision, Member) and received.doubt is not None:
        decision = Undecided(received.doubt, decision.id)
    if isinstance(decision, Member):
        document = file_document(
            transaction,
            document,
            received.reading,
            member=decision,
            community=community,
        )
    # What another member's retrieval cannot settle still waits as the candidate's.
    elif document.candidate in (None, decision.candidate):
        document = documents.hold(
            transaction,
            plan=plan.id,
            document=document.id,
            reason=decision.reason,
            candidate=decision.candidate,
        )
    return Ingested(document, _outcome(document, before))


def _outcome(document: Document, before: DocumentState | None) -> Outcome:
    if document.state == before or document.state == "withdrawn":
        return "duplicate"
    return document.state


def _quarantine(
    transaction: Transaction, document: Document, reading: Reading, now: datetime
) -> Document:
    return documents.quarantine(
        transaction,
        plan=document.plan,
        document=document.id,
        stage="read" if reading.is_final else documents.NOT_READ,
        reason=reading.reason or "it cannot be read",
        now=now,
    )


def _index(
    transaction: Transaction,
    document: Document,
    clinical: ClinicalDocument,
    submitted: tuple[Replaced, ...],
    *,
    is_new: bool,
) -> tuple[IndexedEntry, ...]:
    plan, sections = document.plan, indexed_sections(clinical)
    indexed = clinical_store.insert_sections(
        transaction, plan=plan, document=document.id, sections=sections, is_new=is_new
    )
    replaced = dict.fromkeys((*_replaced(clinical), *submitted))
    replacements.put(transaction, plan=plan, document=document.id, replaced=replaced, is_new=is_new)
    return indexed


def indexed_sections(clinical: ClinicalDocument) -> tuple[Section, ...]:
    """What is indexed: the sections, then what stands in no entry: that no allergy is known, said
    in words alone, and the visit that the header alone may tell of."""
    denials = ((one, denial_in_words(one)) for one in clinical.sections)
    told = [(one.code, said) for one, said in denials if said is not None]
    if (visit := header_encounter(clinical)) is not None:
        told.append((None, visit))
    more = (
        Section(code=code, title=None, templates=(), text=None, entries=(entry,))
        for code, entry in told
    )
    return (*clinical.sections, *more)


def _replaced(clinical: ClinicalDocument) -> Iterator[Replaced]:
    """What it claims to replace; a document that names itself replaces nothing."""
    itself = {str(clinical.id), f"{clinical.set_id} {clinical.version}"}
    for parent in clinical.related:
        if parent.type_code != "RPLC":
            continue
        by_id = parent.id is not None and str(parent.id) not in itself
        by_set = parent.set_id is not None and f"{parent.set_id} {parent.version}" not in itself
        version = _whole_number(parent.version) if by_set else None
        if by_id or version is not None:
            yield Replaced(
                clinical_id=str(parent.id) if by_id else None,
                set_id=None if version is None else str(parent.set_id),
                version=version,
            )


def _new_document(received: Received, plan: Plan, community: Community, now: datetime) -> Document:
    document = Document(
        id=DocumentId(str(uuid4())),
        plan=plan.id,
        state="held",
        blob=received.blob,
        source=received.source,
        received=now,
        mime_type=received.reading.mime_type,
    )
    clinical = received.reading.clinical
    return document if clinical is None else _described(document, clinical, community)


def _described(document: Document, clinical: ClinicalDocument, community: Community) -> Document:
    code, author = clinical.code, next(iter(clinical.authors), None)
    return replace(
        document,
        title=clinical.title,
        type_code=code.code if code else None,
        type_system=code.system if code else None,
        type_display=code.display if code else None,
        effective_time=clinical.effective_time.value if clinical.effective_time else None,
        clinical_id=str(clinical.id) if clinical.id else None,
        set_id=str(clinical.set_id) if clinical.set_id else None,
        version=_whole_number(clinical.version),
        author=(author.name or author.device or author.organization) if author else None,
        custodian=clinical.custodian,
        is_derived=is_derived(clinical, community),
    )


def _whole_number(text: str | None) -> int | None:
    return int(text) if text and text.isascii() and text.isdigit() and len(text) < 10 else None
