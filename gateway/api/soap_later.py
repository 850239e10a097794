"""Answers of ours that go out later, to the ReplyTo of their request (ITI TF-2: V.3.1.4), and
faults that go to its FaultTo (WS-Addressing 1.0 Core: 3.4)."""

from datetime import UTC, datetime, timedelta
from uuid import uuid4

from lxml import etree

from ccda.safe_xml import Element
from gateway.api.partner_means import PartnerMeans
from gateway.api.soap_replied import Replied, Result
from gateway.exchange.asker import Effect
from gateway.exchange.policy import purpose_stated
from gateway.model.exchange import Exchange
from gateway.model.later import BRING_RESULT, DELIVER, OwedAnswer
from gateway.model.partner import Partner
from gateway.model.purpose import PurposeOfUse
from gateway.store import owed_answers
from gateway.store.database import Transaction
from ihe.errors import IheError
from ihe.soap import (
    ITI_55_ANSWER,
    ITI_55_DEFERRED_RESULT,
    WrittenPayload,
    fault_action,
    write_fault,
)
from ihe.wire import OpenedRequest


def owe(
    transaction: Transaction,
    opened: OpenedRequest,
    replied: Replied,
    partner: Partner | None,
    exchanges: tuple[Exchange, ...],
    means: PartnerMeans,
) -> None:
    """Keeps the answer, computed once, and has it brought; with the records of its request."""
    if partner is None:
        raise ValueError("an answer is owed to somebody")
    lifetime = time_to_live(replied, means)
    purpose = purpose_stated(opened.assertion)
    plans = {exchange.plan for exchange in exchanges}
    owed = OwedAnswer(
        id=str(uuid4()),
        plan=plans.pop() if len(plans) == 1 else None,
        partner=partner.id,
        created=datetime.now(UTC),
        address=opened.reply_to,
        action=replied.kind.action,
        relates_to=opened.message_id,
        confirmations=opened.signature_values,
        body=_text(replied.body),
        exchanges=exchanges,
        parts=replied.owed,
        time_to_live_seconds=None if lifetime is None else int(lifetime.total_seconds()),
        purpose=purpose if isinstance(purpose, PurposeOfUse) else None,
    )
    _put(transaction, owed, means)


def owe_result(
    transaction: Transaction,
    opened: OpenedRequest,
    result: Result,
    exchanges: tuple[Exchange, ...],
    means: PartnerMeans,
) -> None:
    """Keeps a deferred answer, with the records that it will have, and has it brought."""
    purpose = purpose_stated(opened.assertion)
    lifetime = means.time_to_live if _names_someone(result.effects) else None
    plans = {exchange.plan for exchange in exchanges}
    owed = OwedAnswer(
        id=str(uuid4()),
        plan=plans.pop() if len(plans) == 1 else None,
        partner=result.partner.id,
        created=datetime.now(UTC),
        address=result.address,
        action=ITI_55_DEFERRED_RESULT.action,
        relates_to=opened.message_id,
        confirmations=(),
        body=_text(result.body),
        exchanges=exchanges,
        time_to_live_seconds=None if lifetime is None else int(lifetime.total_seconds()),
        purpose=purpose if isinstance(purpose, PurposeOfUse) else None,
    )
    _put(transaction, owed, means, kind=BRING_RESULT)


def owe_fault(
    transaction: Transaction,
    opened: OpenedRequest,
    error: IheError,
    partner: Partner,
    exchange: Exchange,
    means: PartnerMeans,
) -> None:
    """Keeps the fault, with the record of the refusal, and has it brought."""
    owed = OwedAnswer(
        id=str(uuid4()),
        partner=partner.id,
        created=datetime.now(UTC),
        address=opened.fault_to,
        action=fault_action(error),
        relates_to=opened.message_id,
        confirmations=opened.signature_values,
        body=_text(write_fault(error)),
        exchanges=(exchange,),
    )
    _put(transaction, owed, means)


def _put(
    transaction: Transaction, owed: OwedAnswer, means: PartnerMeans, *, kind: str = DELIVER
) -> None:
    owed_answers.put(transaction, owed)
    means.queue.enqueue(
        transaction,
        kind=kind,
        plan=owed.plan,
        payload={"answer": owed.id},
        idempotency_key=owed.id,
    )


def _text(body: Element | WrittenPayload) -> str:
    if isinstance(body, WrittenPayload):
        return body.xml.decode()
    return etree.tostring(body, encoding="unicode", with_tail=False)


def time_to_live(replied: Replied, means: PartnerMeans) -> timedelta | None:
    """What we grant with an ITI-55 answer that names a member; nothing with any other."""
    is_answer = replied.kind is ITI_55_ANSWER
    return means.time_to_live if is_answer and _names_someone(replied.effects) else None


def _names_someone(effects: tuple[Effect, ...]) -> bool:
    return any(effect.member is not None for effect in effects)
