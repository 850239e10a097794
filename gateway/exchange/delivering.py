"""An answer of ours that goes out on a connection of its own (ITI TF-2: Appendix V.3.1.4).

It was computed and sealed, and its record committed with its envelope, when the request came; here
it is only brought, if it may still be given. Once its Timestamp is no longer fresh it is sealed
anew. That is an act of its own, whose record names the new envelope under the same message id; the
exchange has the one record that it had, so nobody is told of twice. Documents are read as they are
sent. Should it never arrive, a second record says so (DECISIONS 16).
"""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Final
from uuid import uuid4

from ccda.safe_xml import Limits, parse_xml
from gateway.clients.packages import Package, mtom_package, plain_package
from gateway.clients.soap_client import SoapClient
from gateway.exchange.archive import Archive
from gateway.exchange.asker import Asker, ways
from gateway.exchange.asking import explain, is_refusal
from gateway.exchange.in_turn import in_turn
from gateway.exchange.keeping import keep
from gateway.exchange.shelf import open_shelf
from gateway.model.community import Community
from gateway.model.document import Document
from gateway.model.exchange import Exchange
from gateway.model.later import OwedAnswer
from gateway.model.member import Plan
from gateway.model.partner import RETIRED, Partner
from gateway.store import (
    documents,
    exchange_log,
    members,
    owed_answers,
    partners,
    wire_messages,
)
from gateway.store.database import Transaction
from gateway.store.job_queue import PermanentFailure
from gateway.store.scope import ALL_PLANS
from ihe.errors import SoapFault
from ihe.mtom_writing import Part
from ihe.soap import ITI_39_ANSWER, MESSAGE_KINDS
from ihe.wire import seal_again, seal_answer

_BODY: Final = Limits(size_bytes=64 * 1024 * 1024, text_characters=64 * 1024 * 1024)
_FRESH: Final = timedelta(minutes=5)
"""How long an envelope is brought as it was sealed: half of what its Timestamp says."""
SEALED_ANEW: Final = "ANSWER-SEALED-ANEW"


@dataclass(frozen=True, slots=True)
class Answering:
    """What answers are made with, and whose rules they were made under."""

    archive: Archive
    client: SoapClient
    community: Community
    plans: Sequence[Plan]


@asynccontextmanager
async def in_turn_with_asker(house: Answering, answer_id: str) -> AsyncIterator[None]:
    """While the answer is brought: to one partner, as many at once as it takes.

    Raises:
        PutOff: as many are on their way to it, and wait for that.
    """
    partner = await house.archive.database.read_async(lambda tx: _asker(tx, answer_id))
    if partner is None:
        yield
        return
    async with in_turn(house.client.restraint.answering(partner)):
        yield


def _asker(transaction: Transaction, answer_id: str) -> Partner | None:
    owed = owed_answers.get(transaction, owed=answer_id)
    if owed is None:
        return None
    return partners.get(transaction, plan=ALL_PLANS, partner=owed.partner)


async def deliver(house: Answering, answer_id: str) -> None:
    """Brings the answer; one that is with the partner already, or given up, is not brought again.

    Raises:
        PermanentFailure: it can never arrive.
        PartnerFailed, SoapFault: not this time.
    """
    archive, client = house.archive, house.client
    found = await archive.database.read_async(lambda tx: load_owed(tx, house, answer_id))
    if found is None:
        return
    owed, partner, attached, against = found
    if partner is None or not partner.endpoints.takes_replies_at(owed.address):
        raise PermanentFailure("its address is no longer registered for the partner")
    if against is not None:
        raise PermanentFailure(against)
    if any(document is None for document in attached):
        raise PermanentFailure("a document of it is gone")
    envelope = await _envelope(archive, client, owed)
    package = _package(archive, envelope, owed, [one for one in attached if one is not None])
    try:
        await client.deliver(partner=partner, address=owed.address, package=package)
    except SoapFault as fault:
        if is_refusal(fault):
            raise PermanentFailure(explain(fault)) from None
        raise
    await archive.database.write_async(lambda tx: owed_answers.remove(tx, owed=answer_id))


def load_owed(
    transaction: Transaction, house: Answering, answer_id: str
) -> tuple[OwedAnswer, Partner | None, list[Document | None], str | None] | None:
    """The answer, for whom, its documents, and why it may not be given now; None once brought."""
    owed = owed_answers.get(transaction, owed=answer_id)
    if owed is None:
        return None
    partner = partners.get(transaction, plan=ALL_PLANS, partner=owed.partner)
    attached = [
        documents.get(transaction, plan=part.plan, document=part.document) for part in owed.parts
    ]
    against = None if partner is None else _why_not_now(transaction, house, owed, partner)
    return owed, partner, attached, against


def _why_not_now(
    transaction: Transaction, house: Answering, owed: OwedAnswer, partner: Partner
) -> str | None:
    """What has happened since the answer was computed that keeps it here (DECISIONS 9, 10, 14)."""
    if partner.profile.retired:
        return RETIRED
    reasons = (
        _why_not_told(transaction, house, owed, partner, told)
        for told in owed.exchanges
        if told.plan is not None and told.member is not None
    )
    return next((reason for reason in reasons if reason is not None), None)


def _why_not_told(
    transaction: Transaction, house: Answering, owed: OwedAnswer, partner: Partner, told: Exchange
) -> str | None:
    plan, purpose = told.plan, owed.purpose
    if plan is None or told.member is None or purpose is None:
        return None
    member = members.get(transaction, plan=plan, member=told.member)
    if member is None:
        return "the member is not known any more"
    if member.opted_out:
        return "the member has opted out of exchange since"
    held = [documents.get(transaction, plan=plan, document=each) for each in told.documents]
    if any(one is not None and one.state != "filed" for one in held):
        return "a document that it tells of was withdrawn since"
    same = partners.by_home_community(
        transaction, plan=plan, home_community_id=partner.home_community_id
    )
    asker = Asker((partner, *same), purpose)
    served = (one for one in house.plans if one.id == plan)
    way = next(ways(transaction, served, asker), None)
    if way is None:
        return "no rule opens the plan to the partner any more"
    if not told.documents:
        return None
    # A summary stands there only while all that it was made of does, and may be given.
    shelf = open_shelf(transaction, way, member, house.community)
    still_open = {one.document.id for one in (*shelf.documents, *shelf.snapshots)}
    if still_open.issuperset(told.documents):
        return None
    return "a document that it tells of, or is made of, may not be given any more"


async def _envelope(archive: Archive, client: SoapClient, owed: OwedAnswer) -> bytes:
    """The one that the records name; a fresh one, with a record of its own, once that is stale."""
    sealed = owed.exchanges[0].answer_hash if owed.exchanges else None
    if sealed is not None and datetime.now(UTC) - owed.created < _FRESH:
        kept = await archive.database.read_async(
            lambda tx: wire_messages.get(tx, plan=ALL_PLANS, hash=sealed)
        )
        if kept is not None:
            return await asyncio.to_thread(wire_messages.open_message, archive.blobs.keys, kept)
    envelope = await asyncio.to_thread(_seal, client, owed)
    plans = {exchange.plan for exchange in owed.exchanges}
    now = datetime.now(UTC)
    anew = await asyncio.to_thread(keep, archive, None, envelope, plans, now=now)

    def unit(transaction: Transaction) -> None:
        anew.put(transaction)
        for exchange in {one.plan: one for one in owed.exchanges}.values():
            exchange_log.append(transaction, anew.named_in(_sealing(exchange, now)))

    await archive.database.write_async(unit)  # before its first byte leaves
    return envelope


def _sealing(exchange: Exchange, now: datetime) -> Exchange:
    """That the answer of this exchange was sealed anew: whom it tells of is in its own record."""
    return replace(
        exchange,
        time=now,
        transaction=SEALED_ANEW,
        outcome="success",
        member=None,
        documents=(),
        reason=f"the answer to {exchange.transaction} was sealed anew to be brought",
        duration_ms=None,
        request_hash=None,
    )


def _seal(client: SoapClient, owed: OwedAnswer) -> bytes:
    kind = MESSAGE_KINDS.get(owed.action)
    seconds = owed.time_to_live_seconds
    body = parse_xml(owed.body.encode(), limits=_BODY)
    message_id, now = f"urn:uuid:{uuid4()}", datetime.now(UTC)
    if kind is None:
        return seal_again(
            body,
            action=owed.action,
            relates_to=owed.relates_to,
            message_id=message_id,
            confirmations=owed.confirmations,
            signing_key=client.signing_key,
            now=now,
            to=owed.address,
        )
    return seal_answer(
        body,
        kind=kind,
        relates_to=owed.relates_to,
        message_id=message_id,
        confirmations=owed.confirmations,
        signing_key=client.signing_key,
        now=now,
        to=owed.address,
        time_to_live=None if seconds is None else timedelta(seconds=seconds),
    )


def _package(
    archive: Archive, envelope: bytes, owed: OwedAnswer, attached: list[Document]
) -> Package:
    if owed.action != ITI_39_ANSWER.action:
        return plain_package(envelope, owed.action)
    parts = (
        Part(part.cid, part.mime_type, archive.chunks(document.plan, document.blob))
        for part, document in zip(owed.parts, attached, strict=True)
    )
    return mtom_package(envelope, owed.action, parts)


def give_up_delivery(transaction: Transaction, answer_id: str, reason: str) -> None:
    """The partner does not get the answer; each of its records is followed by one that says so."""
    owed = owed_answers.get(transaction, owed=answer_id)
    if owed is None:
        return
    now = datetime.now(UTC)
    for exchange in owed.exchanges:
        failed = replace(
            exchange, time=now, outcome="failed", reason=f"the answer was not delivered: {reason}"
        )
        exchange_log.append(transaction, failed)
    owed_answers.remove(transaction, owed=answer_id)
