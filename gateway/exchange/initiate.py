"""We ask every partner at once for a member's records: ITI-55, then 38, then 39 at each.

One partner's failure is a row in the answer, never an exception, and never slows another: each
has its own deadline (STYLE 21). Whom a partner returns is looked at a second time before its id
is used, and only documents that name the member are filed.
"""

import asyncio
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Final
from uuid import uuid4

from ccda.hl7v3 import II, TS
from ccda.safe_xml import Element
from gateway.clients.soap_client import PartnerFailed
from gateway.exchange.asking import Answered, Asking, Call, ask, explain
from gateway.exchange.ingest import Ingested, Received, demographics, ingest, receive
from gateway.exchange.matching import MatchResult, compare
from gateway.exchange.metadata import patient_id
from gateway.exchange.retrieving import Arrived, Attachments, collect
from gateway.model.document import Source
from gateway.model.link import Link, LinkState
from gateway.model.partner import Partner
from gateway.model.retrieval import PartnerOutcome, PartnerProgress, RetrievalState
from gateway.store import documents, links, partners, retrievals
from gateway.store.database import Transaction
from ihe.errors import IheError, SecurityRefused
from ihe.identifiers import HomeCommunityId
from ihe.metadata import DocumentEntry
from ihe.soap import ITI_38_REQUEST, ITI_39_REQUEST, ITI_55_REQUEST
from ihe.stored_query import FindDocumentsQuery, TimeRange
from ihe.xca_query import (
    AdhocQueryResponse,
    read_adhoc_query_response,
    write_adhoc_query_request,
)
from ihe.xca_retrieve import DocumentRequest, RetrieveDocumentSetRequest, write_retrieve_request
from ihe.xcpd import (
    DiscoveryResponse,
    Match,
    Matched,
    MoreDemographicsRequested,
    PatientDiscoveryRequest,
    read_discovery_response,
    write_discovery_request,
)

_LINK_STATES: Final[dict[str, LinkState]] = {
    "match": "confirmed",
    "possible": "held",
    "no_match": "rejected",
}


async def ask_partners(asking: Asking, asked: Sequence[Partner]) -> RetrievalState:
    """Asks all of them at once; returns the state in which that leaves the retrieval."""
    progress = [await _begin(asking, partner) for partner in asked]
    tasks = [
        _within_deadline(asking, partner, one) for partner, one in zip(asked, progress, strict=True)
    ]
    outcomes = await asyncio.gather(*tasks)
    state = _state(outcomes)
    retrieval = asking.retrieval
    await asking.archive.database.write_async(
        lambda tx: retrievals.set_state(
            tx,
            plan=retrieval.plan,
            retrieval=retrieval.id,
            state=state,
            finished=datetime.now(UTC),
        )
    )
    return state


def _state(outcomes: Iterable[PartnerOutcome]) -> RetrievalState:
    answered = {"matched", "no_match"}
    found = set(outcomes)
    if found <= answered:
        return "done"
    return "partial" if found & answered else "failed"


# ---- one partner -----------------------------------------------------------------------------


@dataclass(slots=True)
class _Visit:
    """One partner's part of a retrieval; `progress` is what is known so far."""

    asking: Asking
    partner: Partner
    progress: PartnerProgress
    started: float = field(default_factory=time.monotonic)

    def note(self, transaction: Transaction, **changes: object) -> None:
        """Keeps the progress with `changes`, in the transaction of what it tells of."""
        elapsed = round((time.monotonic() - self.started) * 1000)
        self.progress = replace(self.progress, elapsed_ms=elapsed, **changes)  # type: ignore[arg-type]
        # The names of `changes` are those of PartnerProgress; a wrong one fails at once.
        retrieval = self.asking.retrieval
        retrievals.put_progress(
            transaction, plan=retrieval.plan, retrieval=retrieval.id, progress=self.progress
        )

    async def save(self, **changes: object) -> None:
        await self.asking.archive.database.write_async(lambda tx: self.note(tx, **changes))


async def _begin(asking: Asking, partner: Partner) -> PartnerProgress:
    progress = PartnerProgress(partner.id, partner.name)
    await _Visit(asking, partner, progress).save()
    return progress


async def _within_deadline(
    asking: Asking, partner: Partner, progress: PartnerProgress
) -> PartnerOutcome:
    visit = _Visit(asking, partner, progress)
    try:
        async with asyncio.timeout(partner.profile.timeout_seconds):
            outcome, detail = await _visit(visit)
    except TimeoutError:
        seconds = partner.profile.timeout_seconds
        outcome, detail = "late", f"no answer within {seconds:g} s"
    except SecurityRefused as error:
        outcome, detail = "failed", f"its answer could not be trusted: {explain(error)}"
    except (PartnerFailed, IheError) as error:
        outcome, detail = "failed", explain(error)
    await visit.save(outcome=outcome, detail=detail)
    return outcome


async def _visit(visit: _Visit) -> tuple[PartnerOutcome, str | None]:
    endpoints = visit.partner.endpoints
    if endpoints.iti55 is None:
        return "not_asked", "it has no address for patient discovery"
    found = await _discover(visit, endpoints.iti55)
    confirmed = [link for link in found if link.state == "confirmed"]
    if not confirmed:
        return _nobody(visit, found)
    for link in confirmed:
        await _fetch(visit, link)
    missing = visit.progress.documents_missing
    return "matched", f"{missing} listed documents did not come" if missing else None


def _nobody(visit: _Visit, found: Sequence[Link]) -> tuple[PartnerOutcome, str | None]:
    held = next((link for link in found if link.state == "held"), None)
    if held is not None:
        return "held", held.detail
    if found:
        return "no_match", "it returned someone else"
    return "no_match", visit.progress.detail


# ---- ITI-55 ----------------------------------------------------------------------------------


async def _discover(visit: _Visit, address: str) -> tuple[Link, ...]:
    """Whom the partner returned, each looked at a second time."""
    asking = visit.asking

    async def read(body: Element) -> DiscoveryResponse:
        return read_discovery_response(body, asked=visit.partner.home_community_id)

    found: list[Link] = []

    def effect(transaction: Transaction, answer: DiscoveryResponse) -> Answered:
        found.extend(_links(visit, answer))
        for link in found:
            links.put(transaction, link)
        detail = _discovery_detail(answer)
        visit.note(transaction, step="query" if found else "discovery", detail=detail)
        return Answered(reason=detail)

    body = write_discovery_request(_discovery_request(asking, visit.partner))
    call = Call(visit.partner, ITI_55_REQUEST, address, body)
    await ask(asking, call, read, effect)
    return tuple(found)


def _discovery_request(asking: Asking, partner: Partner) -> PatientDiscoveryRequest:
    root = str(asking.community.messages)
    return PatientDiscoveryRequest(
        message_id=II(root, str(uuid4())),
        creation_time=TS(datetime.now(UTC).strftime("%Y%m%d%H%M%S+0000")),
        sender=asking.community.home_community_id,
        receiver=partner.home_community_id,
        query_id=II(root, str(uuid4())),
        demographics=asking.member.demographics,
        patient_id=patient_id(asking.member, asking.community),
        sender_authority=asking.community.patient_authority,
    )


def _discovery_detail(answer: DiscoveryResponse) -> str | None:
    match answer.discovery:
        case MoreDemographicsRequested(attributes=attributes):
            return f"it asks for more: {', '.join(attributes) or 'unnamed attributes'}"
        case Matched(unreadable=unreadable) if unreadable:
            return f"{unreadable} of its matches could not be read"
        case _:
            return None


def _links(visit: _Visit, answer: DiscoveryResponse) -> Iterable[Link]:
    if not isinstance(answer.discovery, Matched):
        return
    ours = demographics(visit.asking.member, visit.asking.plan)
    for match in answer.discovery.matches:
        result = compare(ours, match.demographics)
        yield _link(visit, match, result)


def _link(visit: _Visit, match: Match, result: MatchResult) -> Link:
    state = _LINK_STATES[result.decision]
    against = "; ".join(reason.text for reason in result.reasons if reason.points < 0)
    return Link(
        plan=visit.asking.plan.id,
        member=visit.asking.member.id,
        partner=visit.partner.id,
        home_community_id=match.home_community_id,
        patient_id=match.patient_id,
        state=state,
        found=datetime.now(UTC),
        score=float(result.score),
        detail=against or ("too little agrees to be sure" if state == "held" else None),
    )


# ---- ITI-38 and ITI-39 -----------------------------------------------------------------------


async def _fetch(visit: _Visit, link: Link) -> None:
    """The documents of one patient id, wherever its community answers (DECISIONS 12)."""
    holder = await _holder(visit, link.home_community_id)
    if holder is None or holder.endpoints.iti38 is None:
        await visit.save(detail="the community that holds the records is not in the directory")
        return
    listed = await _query(visit, holder, link)
    wanted = await _not_yet_held(visit, holder, listed)
    await visit.save(step="retrieve", documents_found=visit.progress.documents_found + len(listed))
    size = holder.profile.documents_per_retrieve
    for start in range(0, len(wanted), size):
        await _retrieve(visit, holder, link, wanted[start : start + size])


async def _holder(visit: _Visit, home: HomeCommunityId) -> Partner | None:
    if home == visit.partner.home_community_id:
        return visit.partner
    plan = visit.asking.plan.id
    known = await visit.asking.archive.database.read_async(
        lambda tx: partners.by_home_community(tx, plan=plan, home_community_id=home)
    )
    return next(iter(known), None)


async def _query(visit: _Visit, holder: Partner, link: Link) -> tuple[DocumentEntry, ...]:
    since = visit.asking.retrieval.since
    query = FindDocumentsQuery(
        patient_id=link.patient_id,
        home_community_id=link.home_community_id,
        entry_types=("stable", "on-demand"),
        creation_time=TimeRange(since.strftime("%Y%m%d") if since else None),
    )

    async def read(body: Element) -> AdhocQueryResponse:
        return read_adhoc_query_response(body)

    def effect(_transaction: Transaction, answer: AdhocQueryResponse) -> Answered:
        if not answer.errors:
            return Answered()
        codes = ", ".join(sorted({str(error.code) for error in answer.errors}))
        return Answered("partial" if answer.entries else "failed", reason=f"it reported {codes}")

    address = holder.endpoints.iti38
    if address is None:
        return ()
    call = Call(holder, ITI_38_REQUEST, address, write_adhoc_query_request(query))
    answer = await ask(visit.asking, call, read, effect)
    if answer.errors and not answer.entries:
        codes = ", ".join(sorted({str(error.code) for error in answer.errors}))
        raise PartnerFailed(f"its document query failed: {codes}")
    return answer.entries


async def _not_yet_held(
    visit: _Visit, holder: Partner, listed: Iterable[DocumentEntry]
) -> list[DocumentEntry]:
    """Stable documents are fetched once; an on-demand one is new each time."""
    plan = visit.asking.plan.id

    def is_held(transaction: Transaction, entry: DocumentEntry) -> bool:
        known = documents.by_unique_id(transaction, plan=plan, unique_id=str(entry.unique_id))
        return any(one.source.partner == holder.id for one in known)

    return await visit.asking.archive.database.read_async(
        lambda tx: [
            entry for entry in listed if entry.object_type == "on-demand" or not is_held(tx, entry)
        ]
    )


async def _retrieve(
    visit: _Visit, holder: Partner, link: Link, entries: Sequence[DocumentEntry]
) -> None:
    asking = visit.asking
    address = holder.endpoints.iti39 or holder.endpoints.iti38
    usable = [entry for entry in entries if entry.repository_unique_id is not None]
    if address is None or not usable:
        await visit.save(
            documents_missing=visit.progress.documents_missing + len(entries),
            detail="its documents name no repository",
        )
        return
    request = RetrieveDocumentSetRequest(
        tuple(
            DocumentRequest(entry.repository_unique_id, entry.unique_id, link.home_community_id)
            for entry in usable
            if entry.repository_unique_id is not None
        )
    )
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
            )
            for one in arrived.documents
        ]
        return arrived, tuple(received)

    def effect(transaction: Transaction, answer: tuple[Arrived, tuple[Received, ...]]) -> Answered:
        arrived, received = answer
        done = ingest(
            transaction,
            received,
            plan=asking.plan,
            community=asking.community,
            now=datetime.now(UTC),
        )
        return _account(visit, transaction, arrived, done)

    call = Call(holder, ITI_39_REQUEST, address, write_retrieve_request(request), attachments.open)
    try:
        await ask(asking, call, read, effect)
    finally:
        attachments.discard()


def _account(
    visit: _Visit, transaction: Transaction, arrived: Arrived, done: Sequence[Ingested]
) -> Answered:
    new = sum(one.outcome != "duplicate" for one in done)
    missing = len(arrived.missing)
    visit.note(
        transaction,
        documents_new=visit.progress.documents_new + new,
        documents_missing=visit.progress.documents_missing + missing,
    )
    return Answered(
        outcome="success" if not missing else "partial" if done else "failed",
        documents=tuple(one.document.id for one in done),
        reason=f"partial: {missing} missing" if missing else None,
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
