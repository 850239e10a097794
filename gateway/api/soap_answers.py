"""Answers that come at our own doors, to requests that said so in their ReplyTo.

An answer is taken once, from the very partner that was asked, before its time is over; anything
else is refused and recorded, and costs the request that waits nothing. Of what is attached to it,
only the documents that were asked for are kept. What it says is read by the
retrieval, which is gone on with as soon as the answer is durable.
"""

from collections.abc import Callable, Collection, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from lxml import etree

from gateway.exchange.archive import Archive
from gateway.exchange.keeping import Kept
from gateway.model.later import CHECK, GO_ON, ArrivedAnswer, AwaitedAnswer, StoredPart
from gateway.model.partner import Partner
from gateway.model.trust import RequireUnrevoked, trust_of
from gateway.store import awaited_answers, documents, wire_messages
from gateway.store.database import Database, Transaction
from gateway.store.job_queue import JobQueue
from ihe.document_content import ContentId
from ihe.errors import MalformedMessage, SoapFault, UnexpectedMessage
from ihe.soap import MESSAGE_KINDS, MessageKind, parse_envelope, read_envelope
from ihe.wire import OpenedAnswer, Related, SealedRequest, open_answer
from ihe.xca_retrieve import read_retrieve_request, read_retrieve_response


class UnwantedAnswer(UnexpectedMessage):
    """An answer that nobody waits for; the peer hears the same whatever the reason."""

    @property
    def said(self) -> str:
        return "The message answers no request that waits for an answer."


async def find_awaited(
    database: Database, related: Related, candidates: Sequence[Partner]
) -> AwaitedAnswer:
    """The request of ours that waits for this answer.

    Raises:
        UnwantedAnswer: there is none, it was to another partner, or its time is over.
    """
    awaited = await database.read_async(
        lambda tx: awaited_answers.get(tx, message_id=related.relates_to)
    )
    if awaited is None:
        raise UnwantedAnswer("the answer relates to no request of ours")
    if awaited.partner not in {partner.id for partner in candidates}:
        raise UnwantedAnswer("the answer relates to a request to another partner")
    if awaited.state == "answered" or (awaited.state == "settled" and awaited.result == "success"):
        raise UnwantedAnswer("an answer to this request came before")
    if awaited.state == "settled" or awaited.expires <= datetime.now(UTC):
        raise UnwantedAnswer("the answer came when its request was given up")
    return awaited


def open_awaited(
    envelope: bytes,
    awaited: AwaitedAnswer,
    *,
    partner: Partner,
    anchors: Sequence[str],
    require_unrevoked: RequireUnrevoked,
    skew: timedelta,
    transactions: Collection[str],
    parts: tuple[StoredPart, ...],
    archive: Archive,
) -> ArrivedAnswer:
    """The answer, verified as one on the same connection would be.

    Raises:
        MalformedMessage: it is not what the transaction demands, or came to another door.
        SecurityRefused: it is not surely the partner's, or not to our request.
    """
    if awaited.transaction not in transactions:
        raise MalformedMessage(f"{awaited.transaction} is not answered at this address")
    sent = SealedRequest(b"", _kind(awaited), awaited.message_id, awaited.signature_values)
    now = datetime.now(UTC)
    try:
        opened = open_answer(
            envelope,
            trust_of(partner, anchors),
            request=sent,
            now=now,
            skew=skew,
            confirmation_required=partner.profile.confirmation_required,
            limit_bytes=len(envelope) + 1,  # the door has set the limit
        )
    except SoapFault as fault:
        return ArrivedAnswer(now, is_fault=True, fault_code=fault.code)
    if opened.signer is not None:
        require_unrevoked(partner, opened.signer, opened.chain)
    lifetime = opened.time_to_live
    return ArrivedAnswer(
        arrived=now,
        body=etree.tostring(opened.body, encoding="unicode", with_tail=False),
        parts=_asked_for(archive, awaited, opened, parts),
        time_to_live_seconds=None if lifetime is None else int(lifetime.total_seconds()),
    )


def _asked_for(
    archive: Archive, awaited: AwaitedAnswer, opened: OpenedAnswer, parts: tuple[StoredPart, ...]
) -> tuple[StoredPart, ...]:
    """Those parts that are documents of the request; no row names the others, so they are swept."""
    if not parts:
        return ()
    wanted = _requested(archive, awaited)
    given = read_retrieve_response(opened.body).documents
    cids = {
        one.content.value
        for one in given
        if one.unique_id.bare in wanted and isinstance(one.content, ContentId)
    }
    return tuple(part for part in parts if part.cid in cids)


def _requested(archive: Archive, awaited: AwaitedAnswer) -> frozenset[str]:
    """What the request named, however it is written; its envelope was kept before its first byte
    left."""
    kept = archive.database.read(
        lambda tx: wire_messages.get(
            tx, plan=awaited.plan, hash=awaited.exchange.request_hash or ""
        )
    )
    if kept is None:
        return frozenset()
    envelope = wire_messages.open_message(archive.blobs.keys, kept)
    payload = read_envelope(parse_envelope(envelope)).payload
    return frozenset(one.unique_id.bare for one in read_retrieve_request(payload).documents)


def _kind(awaited: AwaitedAnswer) -> MessageKind:
    kinds = MESSAGE_KINDS.values()
    return next(
        one for one in kinds if one.transaction == awaited.transaction and one.role == "request"
    )


def take(
    awaited: AwaitedAnswer, answer: ArrivedAnswer, kept: Kept, queue: JobQueue
) -> Callable[[Transaction], bool]:
    """A unit that makes the answer durable and lets its retrieval go on; False if it came twice."""
    answer = replace(answer, envelope_hash=kept.answer_hash)

    def unit(transaction: Transaction) -> bool:
        if not go_on(transaction, queue, awaited, answer):
            return False
        kept.put(transaction)
        for part in answer.parts:
            documents.keep_blob(transaction, plan=awaited.plan, blob=part.blob)
        return True

    return unit


def go_on(
    transaction: Transaction, queue: JobQueue, awaited: AwaitedAnswer, answer: ArrivedAnswer
) -> bool:
    """Keeps the answer and lets its retrieval go on with it; False if it came before."""
    message_id = awaited.message_id
    if not awaited_answers.arrive(transaction, message_id=message_id, answer=answer):
        return False
    if awaited.question == CHECK:  # whoever checks looks for it
        return True
    queue.enqueue(
        transaction,
        kind=GO_ON,
        plan=awaited.plan,
        payload={"retrieval": awaited.retrieval, "partner": awaited.visited},
        idempotency_key=message_id,
    )
    return True
