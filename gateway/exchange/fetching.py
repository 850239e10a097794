"""ITI-38 and ITI-39 for one patient id, wherever its community answers (DECISIONS 12, 13)."""

import asyncio
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Final

from ccda.safe_xml import Element
from gateway.clients.soap_client import PartnerFailed, PartnerLate
from gateway.exchange.asking import Answered, Call, ask, codes_of, explain
from gateway.exchange.ingest import Ingested, Received, ingest, receive
from gateway.exchange.policy import Period, service_period
from gateway.exchange.retrieving import Arrived, Attachments, collect
from gateway.exchange.visit import Visit
from gateway.model.document import Blob, Document, Source
from gateway.model.identity import DocumentId
from gateway.model.link import Link
from gateway.model.partner import Partner
from gateway.store import documents, partners
from gateway.store.database import Transaction
from ihe.errors import IheError
from ihe.identifiers import HomeCommunityId, UniqueId
from ihe.metadata import DocumentEntry
from ihe.registry_response import ErrorCode, Severity
from ihe.soap import ITI_38_REQUEST, ITI_39_REQUEST
from ihe.stored_query import FindDocumentsQuery, TimeRange
from ihe.xca_query import (
    AdhocQueryResponse,
    read_adhoc_query_response,
    write_adhoc_query_request,
)
from ihe.xca_retrieve import DocumentRequest, RetrieveDocumentSetRequest, write_retrieve_request

_READINGS: Final = 5
"""How often a document is read whose reader fails."""
_DAY: Final = timedelta(days=1)


async def fetch(visit: Visit, link: Link) -> None:
    """Files what the community gives for that patient id.

    A batch that fails leaves the others as they are; its documents are counted as missing.

    Raises:
        PartnerFailed, IheError: nothing could be had.
    """
    holder = await _holder(visit, link.home_community_id)
    listed = await _query(visit, holder, link)
    wanted = await _not_yet_held(visit, holder, _of_the_period(visit, listed))
    requests = [request for entry in wanted if (request := _request(entry, link))]
    if len(requests) < len(wanted):
        await _miss(visit, len(wanted) - len(requests), "some of its documents name no repository")
    failures: list[PartnerFailed | IheError] = []
    size = holder.profile.documents_per_retrieve
    batches = [requests[start : start + size] for start in range(0, len(requests), size)]
    for number, batch in enumerate(batches):
        try:
            await _retrieve(visit, holder, batch, {entry.unique_id: entry for entry in wanted})
        except PartnerLate as late:
            await _miss(visit, sum(len(rest) for rest in batches[number:]), explain(late))
            raise
        except (PartnerFailed, IheError) as error:
            failures.append(error)
            await _miss(visit, len(batch), explain(error))
    if batches and len(failures) == len(batches):
        raise failures[0]


async def _miss(visit: Visit, number: int, remark: str) -> None:
    visit.remarks.append(remark)
    await visit.save(documents_missing=visit.progress.documents_missing + number)


async def _holder(visit: Visit, home: HomeCommunityId) -> Partner:
    if home == visit.partner.home_community_id:
        return visit.partner
    plan = visit.asking.plan.id
    known = await visit.asking.archive.database.read_async(
        lambda tx: partners.by_home_community(tx, plan=plan, home_community_id=home)
    )
    if not known:
        raise PartnerFailed(f"the community {home} is no longer in the directory")
    return known[0]


# ---- ITI-38 ----------------------------------------------------------------------------------


async def _query(visit: Visit, holder: Partner, link: Link) -> tuple[DocumentEntry, ...]:
    address = holder.endpoints.iti38
    if address is None:
        raise PartnerFailed("it has no address for document queries")
    since = visit.asking.retrieval.since
    query = FindDocumentsQuery(
        patient_id=link.patient_id,
        home_community_id=link.home_community_id,
        entry_types=("stable", "on-demand"),
        creation_time=TimeRange(since.strftime("%Y%m%d") if since else None),
    )

    async def read(body: Element) -> AdhocQueryResponse:
        return await asyncio.to_thread(read_adhoc_query_response, body)

    def effect(transaction: Transaction, answer: AdhocQueryResponse) -> Answered:
        listed = len(_distinct(answer.entries)) + answer.unreadable
        visit.note(
            transaction,
            step="retrieve",
            documents_found=visit.progress.documents_found + listed,
            documents_missing=visit.progress.documents_missing + answer.unreadable,
        )
        if not (codes := _errors(answer)):
            return Answered()
        return Answered("partial" if answer.entries else "failed", reason=f"it reported {codes}")

    call = Call(holder, ITI_38_REQUEST, address, write_adhoc_query_request(query), visit.patience)
    answer = await ask(visit.asking, call, read, effect)
    if codes := _errors(answer):
        if not answer.entries:
            raise PartnerFailed(f"its document query failed: {codes}")
        visit.remarks.append(f"its list of documents may be incomplete: it reported {codes}")
    if answer.unreadable:
        visit.remarks.append(f"{answer.unreadable} of its list could not be read")
    return _distinct(answer.entries)


def _errors(answer: AdhocQueryResponse) -> str:
    """Warnings come with whole answers too."""
    return codes_of(error for error in answer.errors if error.severity is Severity.ERROR)


def _distinct(entries: Iterable[DocumentEntry]) -> tuple[DocumentEntry, ...]:
    return tuple({entry.unique_id: entry for entry in entries}.values())


def _of_the_period(visit: Visit, listed: Sequence[DocumentEntry]) -> tuple[DocumentEntry, ...]:
    """Those that do not state service dates wholly outside what may be asked for (DECISIONS 9).

    The query itself names none: many documents state none, communities differ in whether those
    match a query that does, and what is not listed would be lost unseen.
    """
    asking = visit.asking
    on = datetime.now(UTC).date()
    period = service_period(asking.member, since=asking.retrieval.since, on=on)
    kept = tuple(entry for entry in listed if not _is_outside(entry, period))
    if outside := len(listed) - len(kept):
        visit.remarks.append(
            f"{outside} of its documents are of dates that may not be asked for: not retrieved"
        )
    return kept


def _is_outside(entry: DocumentEntry, period: Period) -> bool:
    """Compared in the precision that is stated; a start without an end may still go on."""
    start, stop = _day(entry.service_start_time), _day(entry.service_stop_time)
    # Service times are UTC and coverage counts local days: a day either way is no difference.
    first = None if period.start is None else f"{period.start - _DAY:%Y%m%d}"
    last = None if period.end is None else f"{period.end + _DAY:%Y%m%d}"
    is_before = bool(stop and first) and stop < (first or "")[: len(stop)]
    return is_before or (bool(start and last) and start > (last or "")[: len(start)])


def _day(time: str | None) -> str:
    """The stated date, as far as it is one."""
    digits = (time or "")[:8]
    return digits if digits.isascii() and digits.isdigit() and len(digits) in (4, 6, 8) else ""


async def _not_yet_held(
    visit: Visit, holder: Partner, listed: Iterable[DocumentEntry]
) -> list[DocumentEntry]:
    """Stable documents are fetched once; an on-demand one is new, once each retrieval.

    What we have of them and could not file is decided anew: nothing is disclosed twice for it.
    Only bytes that are not those that were listed are worth nothing, and fetched again.
    """
    retrieval = visit.asking.retrieval
    wanted: list[DocumentEntry] = []
    waiting: dict[DocumentId, Document] = {}

    def look(transaction: Transaction, entry: DocumentEntry) -> None:
        unique_id = str(entry.unique_id)
        known = [
            one
            for one in documents.by_unique_id(transaction, plan=retrieval.plan, unique_id=unique_id)
            if one.source.partner == holder.id
            and not (one.state in ("held", "quarantined") and _doubt(entry, one.blob))
            and (entry.object_type != "on-demand" or one.received >= retrieval.created)
        ]
        if not known:
            wanted.append(entry)
        waiting.update({one.id: one for one in known if _may_be_filed_yet(visit, transaction, one)})

    def look_at_all(transaction: Transaction) -> None:
        for entry in listed:
            look(transaction, entry)

    await visit.asking.archive.database.read_async(look_at_all)
    await _decide_again(visit, waiting.values())
    return wanted


def _may_be_filed_yet(visit: Visit, transaction: Transaction, document: Document) -> bool:
    if document.state == "held":
        return document.candidate in (None, visit.asking.member.id)
    known = documents.quarantine_of(transaction, plan=document.plan, document=document.id)
    # What fails its reader each time is not read for ever.
    return known is not None and known.stage == documents.NOT_READ and known.attempts < _READINGS


async def _decide_again(visit: Visit, waiting: Collection[Document]) -> None:
    asking = visit.asking
    received = [
        await receive(
            asking.archive,
            one.blob,
            plan=asking.plan,
            source=one.source,
            candidate=asking.member.id,
        )
        for one in waiting
    ]

    def unit(transaction: Transaction) -> None:
        done = _ingest(visit, transaction, received)
        new = sum(one.outcome != "duplicate" for one in done)
        visit.note(transaction, documents_new=visit.progress.documents_new + new)

    if received:
        await asking.archive.database.write_async(unit)


# ---- ITI-39 ----------------------------------------------------------------------------------


def _request(entry: DocumentEntry, link: Link) -> DocumentRequest | None:
    if entry.repository_unique_id is None:
        return None
    return DocumentRequest(entry.repository_unique_id, entry.unique_id, link.home_community_id)


async def _retrieve(
    visit: Visit,
    holder: Partner,
    batch: Sequence[DocumentRequest],
    listed: Mapping[UniqueId, DocumentEntry],
) -> None:
    asking = visit.asking
    address = holder.endpoints.iti39 or holder.endpoints.iti38
    if address is None:
        raise PartnerFailed("it has no address for documents")
    request = RetrieveDocumentSetRequest(tuple(batch))
    attachments = Attachments(asking.archive, asking.plan.id)

    async def read(body: Element) -> tuple[Arrived, tuple[Received, ...]]:
        arrived = await collect(attachments, body, request)
        received = [
            await receive(
                asking.archive,
                one.blob,
                plan=asking.plan,
                source=_source(holder, one.request),
                candidate=asking.member.id,
                doubt=_doubt(listed[one.request.unique_id], one.blob),
            )
            for one in arrived.documents
        ]
        return arrived, tuple(received)

    def effect(transaction: Transaction, answer: tuple[Arrived, tuple[Received, ...]]) -> Answered:
        arrived, received = answer
        done = _ingest(visit, transaction, received)
        return _account(visit, transaction, arrived, received, done)

    body = write_retrieve_request(request)
    call = Call(holder, ITI_39_REQUEST, address, body, visit.patience, attachments.open)
    try:
        arrived, received = await ask(asking, call, read, effect)
    finally:
        attachments.discard()
    if arrived.missing and arrived.errors:
        visit.remarks.append(f"it reported {codes_of(arrived.errors)}")
    visit.remarks.extend(one.doubt for one in received if one.doubt is not None)


def _doubt(entry: DocumentEntry, blob: Blob) -> str | None:
    """Whether these bytes are not the ones that were listed (ITI TF-3: Table 4.2.4.1-2).

    An on-demand document is made when it is asked for: its entry states neither.
    """
    if entry.object_type == "on-demand" or not entry.size_bytes:
        return None
    if entry.size_bytes != blob.size_bytes:
        return f"it is not the document that was listed ({ErrorCode.NON_IDENTICAL_SIZE.value})"
    # XDS hashes are SHA-1 in hex; anything else stated there cannot be compared.
    if entry.hash and len(entry.hash) == len(blob.sha1) and entry.hash.lower() != blob.sha1:
        return f"it is not the document that was listed ({ErrorCode.NON_IDENTICAL_HASH.value})"
    return None


def _ingest(
    visit: Visit, transaction: Transaction, received: Sequence[Received]
) -> tuple[Ingested, ...]:
    asking = visit.asking
    return ingest(
        transaction,
        received,
        plan=asking.plan,
        community=asking.community,
        now=datetime.now(UTC),
    )


def _account(
    visit: Visit,
    transaction: Transaction,
    arrived: Arrived,
    received: Sequence[Received],
    done: Sequence[Ingested],
) -> Answered:
    taken = [one for one, given in zip(done, received, strict=True) if given.doubt is None]
    new = sum(one.outcome != "duplicate" for one in taken)
    missing = len(arrived.missing) + len(done) - len(taken)
    visit.note(
        transaction,
        documents_new=visit.progress.documents_new + new,
        documents_missing=visit.progress.documents_missing + missing,
    )
    codes = f": {codes_of(arrived.errors)}" if arrived.errors else ""
    return Answered(
        outcome="success" if not missing else "partial" if taken else "failed",
        documents=tuple(one.document.id for one in done),
        reason=f"partial: {missing} missing{codes}" if missing else None,
    )


def _source(holder: Partner, asked: DocumentRequest) -> Source:
    return Source(
        door="ITI-39",
        partner=holder.id,
        partner_name=holder.name,
        home_community_id=str(holder.home_community_id),
        repository_unique_id=str(asked.repository_unique_id),
        document_unique_id=str(asked.unique_id),
    )
