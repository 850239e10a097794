"""An exchange's envelopes, kept with its record: sealed before the unit of work, put inside it; and
read again."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime

from gateway.exchange.archive import Archive
from gateway.model.exchange import Exchange
from gateway.model.identity import PlanId
from gateway.store import wire_messages
from gateway.store.database import Transaction
from gateway.store.errors import StoreError
from gateway.store.keys import KeyRing
from gateway.store.scope import ALL_PLANS
from gateway.store.wire_messages import (
    MOST_TOGETHER,
    WireMessage,
    open_message,
    seal_message,
    seal_together,
)


@dataclass(frozen=True, slots=True)
class Kept:
    """Envelopes ready to be kept, and the hashes by which the record names them."""

    request_hash: str | None = None
    answer_hash: str | None = None
    messages: tuple[WireMessage, ...] = ()

    def put(self, transaction: Transaction) -> None:
        wire_messages.put_all(transaction, self.messages)

    def named_in(self, exchange: Exchange) -> Exchange:
        """The record with the hashes of what is kept; what it names already stays."""
        return replace(
            exchange,
            request_hash=self.request_hash or exchange.request_hash,
            answer_hash=self.answer_hash or exchange.answer_hash,
        )


def keep(
    archive: Archive,
    request: bytes | None,
    answer: bytes | None,
    plans: Iterable[PlanId | None],
    *,
    now: datetime,
    are_one: bool = False,
) -> Kept:
    """The envelopes as they crossed the wire, for every plan that they concern.

    None for what was not made, or never came. It compresses and seals: on the event loop only what
    is brief. `are_one` if all records of the exchange name both: then they are kept as one, up to
    `MOST_TOGETHER`, which costs less.
    """
    keys, wanted = archive.blobs.keys, tuple(plans)
    if are_one and request is not None and answer is not None:
        if len(request) + len(answer) <= MOST_TOGETHER:
            both = [seal_together(keys, request, answer, plan=plan, now=now) for plan in wanted]
            return Kept(both[0].asked, both[0].hash, tuple(both)) if both else Kept()

    def sealed(envelope: bytes | None) -> list[WireMessage]:
        if envelope is None:
            return []
        return [seal_message(keys, envelope, plan=plan, now=now) for plan in wanted]

    requests, answers = sealed(request), sealed(answer)
    return Kept(
        request_hash=requests[0].hash if requests else None,
        answer_hash=answers[0].hash if answers else None,
        messages=(*requests, *answers),
    )


def kept_request(transaction: Transaction, keys: KeyRing, told: Exchange) -> bytes | None:
    """The request that a record names; None of one that is lost, damaged or disposed of."""
    return _kept(transaction, keys, told.request_hash, told.answer_hash)


def kept_answer(transaction: Transaction, keys: KeyRing, told: Exchange) -> bytes | None:
    """The answer that a record names; None of one that is lost, damaged or disposed of."""
    return _kept(transaction, keys, told.answer_hash)


def _kept(
    transaction: Transaction, keys: KeyRing, hash: str | None, answer: str | None = None
) -> bytes | None:
    kept: WireMessage | None = None
    if hash is not None:
        kept = wire_messages.get(transaction, plan=ALL_PLANS, hash=hash, answer=answer)
    try:
        return None if kept is None else open_message(keys, kept)
    except StoreError:
        return None
