"""A question to a partner that answers on a connection of its own (ITI TF-2: Appendix V.3.1.4).

Strategy: a retrieval must not occupy anybody while it waits, for hours perhaps, and must go on
after a restart. So a question is asked once: its row commits before the first byte leaves, and
whoever asks it again while there is no answer is told to come back (`AnswerAwaited`). When the
answer is there the partner's part of the retrieval is run anew from its beginning; what it asked
before it finds answered, and comes to the first question that is open.
"""

import asyncio
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Final, TypeVar
from uuid import uuid4

from lxml import etree

from ccda.safe_xml import Limits, parse_xml
from gateway.clients.answer_reading import Crossing
from gateway.clients.failures import NotCalled, PartnerFailed, PartnerLate
from gateway.exchange.asking import (
    Answered,
    Call,
    Effect,
    Read,
    explain,
    failure_outcome,
    is_refusal,
    new_assertion,
    new_record,
)
from gateway.exchange.deferral import take_acknowledgement
from gateway.exchange.keeping import keep
from gateway.exchange.question import AnswerAwaited, Divisible, PartnerRefused, Question
from gateway.exchange.visit import Visit
from gateway.model.exchange import Exchange
from gateway.model.identity import PartnerId, PlanId, RetrievalId
from gateway.model.later import ArrivedAnswer, AwaitedAnswer, Result
from gateway.store import awaited_answers, exchange_log
from gateway.store.database import Transaction
from gateway.store.errors import StoreUnavailable
from ihe.errors import SoapFault
from ihe.soap import ANONYMOUS, ITI_55_ACKNOWLEDGEMENT, MESSAGE_KINDS, MessageKind
from ihe.wire import OpenedAnswer

T = TypeVar("T")
_BODY: Final = Limits(size_bytes=128 * 1024 * 1024, text_characters=128 * 1024 * 1024)
"""Our own rows: what came over the wire has met the limits there."""
ABANDONED: Final = "the retrieval ended without it"
_DOORS: Final = {"ITI-55": "xcpd", "ITI-56": "xcpd", "ITI-38": "xca", "ITI-39": "xca"}


async def ask_later(visit: Visit, question: Question, read: Read[T], effect: Effect[T]) -> T | None:
    """What `read` makes of the answer, once it is there; None if it was taken before this run and
    is not read again.

    `effect` and the record happen once, together, as in `asking.ask`.

    Raises:
        AnswerAwaited: there is no answer yet; nothing is to be done until it comes.
        PartnerFailed, IheError: as of `asking.ask`.
    """
    known = await _known(visit, question)
    if known is None:
        known = await _send(visit, question)
    if known.state == "settled":
        return await _look_again(visit, question, known, read)
    if known.answer is not None:
        return await _take(visit, question, known, known.answer, read, effect)
    if datetime.now(UTC) < known.expires:
        raise AnswerAwaited(known.expires, is_deferred=question.is_deferred)
    waited = known.expires - known.sent
    late = PartnerLate(f"no answer came within {_words(waited)}")
    await _fail(visit, question, known, late)
    raise late


async def _known(visit: Visit, question: Question) -> AwaitedAnswer | None:
    retrieval = visit.asking.retrieval
    return await visit.asking.archive.database.read_async(
        lambda tx: awaited_answers.of_question(
            tx,
            plan=retrieval.plan,
            retrieval=retrieval.id,
            visited=visit.partner.id,
            question=question.name,
        )
    )


# ---- the request -----------------------------------------------------------------------------


async def _send(visit: Visit, question: Question) -> AwaitedAnswer:
    """How it stands once the partner has the request."""
    asking, call = visit.asking, question.call
    base = asking.replies_at
    if base is None:
        raise NotCalled("it answers later, and our own address for that is not set")
    waiting, crossing = _new_wait(visit, question), Crossing()
    door = f"{base}/{_DOORS[call.kind.transaction]}"

    async def ready(values: tuple[str, ...]) -> None:
        nonlocal waiting
        waiting = await _keep_request(visit, replace(waiting, signature_values=values), crossing)

    await asking.client.restraint.turn(call.partner)
    try:
        async with call.patience.waiting():
            answer = await asking.client.send(
                partner=call.partner,
                kind=call.kind,
                address=call.address,
                body=call.body,
                assertion=new_assertion(asking, call.partner, call.address),
                message_id=waiting.message_id,
                # Of a deferred question only the acknowledgement is an answer, and comes at once.
                reply_to=ANONYMOUS if question.is_deferred else door,
                ready=ready,
                sink=None if call.attachments is None else call.attachments.open,
                crossing=crossing,
            )
        acknowledged = answer is not None and answer.kind is ITI_55_ACKNOWLEDGEMENT
        if answer is not None and acknowledged and question.is_deferred:
            await take_acknowledgement(asking, waiting, answer.body, crossing)
            answer = None
    except StoreUnavailable:
        raise
    except Exception as error:
        # Not when we are cancelled: the partner may have it, and will answer all the same.
        said = replace(waiting.exchange, answer_hash=await _keep_answer(visit, crossing))
        failed = replace(waiting, exchange=said)
        if await _fail(visit, question, failed, error, unless_answered=True):
            raise
    else:
        if answer is not None:
            envelope_hash = await _keep_answer(visit, crossing)
            sent = await _known(visit, question) or waiting
            return replace(sent, answer=_as_arrived(answer, envelope_hash))
    return await _known(visit, question) or waiting


def _new_wait(visit: Visit, question: Question) -> AwaitedAnswer:
    """The question before it is signed; with the record that it will be."""
    asking, call, now = visit.asking, question.call, datetime.now(UTC)
    message_id = f"urn:uuid:{uuid4()}"
    return AwaitedAnswer(
        message_id=message_id,
        plan=asking.plan.id,
        partner=call.partner.id,
        retrieval=asking.retrieval.id,
        visited=visit.partner.id,
        question=question.name,
        transaction=call.kind.transaction,
        sent=now,
        expires=now + timedelta(seconds=call.partner.profile.answer_within_seconds),
        signature_values=(),
        exchange=new_record(asking, call, message_id),
        request_id=question.request_id,
    )


async def _keep_request(visit: Visit, waiting: AwaitedAnswer, crossing: Crossing) -> AwaitedAnswer:
    """Durable before the first byte leaves: that we wait, and the envelope that goes out."""
    archive = visit.asking.archive
    kept = await asyncio.to_thread(
        keep, archive, crossing.request, None, [waiting.plan], now=waiting.sent
    )

    named = replace(waiting, exchange=kept.named_in(waiting.exchange))

    def unit(transaction: Transaction) -> None:
        awaited_answers.put(transaction, named)
        kept.put(transaction)

    await archive.database.write_async(unit)
    return named


async def _keep_answer(visit: Visit, crossing: Crossing) -> str | None:
    """The hash of the envelope that came back on the same connection, once it is kept."""
    asking = visit.asking
    kept = await asyncio.to_thread(
        keep, asking.archive, None, crossing.answer, [asking.plan.id], now=datetime.now(UTC)
    )
    await asking.archive.database.write_async(kept.put)
    return kept.answer_hash


def _as_arrived(answer: OpenedAnswer, envelope_hash: str | None) -> ArrivedAnswer:
    """An answer that came back on the same connection; its attachments are where they belong."""
    return ArrivedAnswer(
        arrived=datetime.now(UTC),
        body=etree.tostring(answer.body, encoding="unicode", with_tail=False),
        time_to_live_seconds=_seconds(answer.time_to_live),
        envelope_hash=envelope_hash,
    )


def _seconds(duration: timedelta | None) -> int | None:
    return None if duration is None else int(duration.total_seconds())


# ---- the answer ------------------------------------------------------------------------------


async def _take(
    visit: Visit,
    question: Question,
    known: AwaitedAnswer,
    answer: ArrivedAnswer,
    read: Read[T],
    effect: Effect[T],
) -> T:
    """Reads the answer and settles: effect, record and the row's end in one transaction."""
    try:
        if answer.is_fault:
            raise SoapFault(answer.fault_code, None)
        value = await read(_opened(question.call, answer))

        def unit(transaction: Transaction) -> None:
            answered = effect(transaction, value)
            _settle(transaction, known, "success", answered, answer)
            visit.count(transaction, found=answered.found, missing=answered.missing)

        await visit.asking.archive.database.write_async(unit)
    except StoreUnavailable:
        raise  # the answer is safe, and taken by the next attempt
    except Exception as error:
        await _fail(visit, question, known, error)
        raise
    return value


def _opened(call: Call, answer: ArrivedAnswer) -> OpenedAnswer:
    if call.attachments is not None:
        for part in answer.parts:
            call.attachments.take(part)
    body = parse_xml((answer.body or "").encode(), limits=_BODY)
    seconds = answer.time_to_live_seconds
    lifetime = None if seconds is None else timedelta(seconds=seconds)
    return OpenedAnswer(_kind(call, str(body.tag)), None, body, None, lifetime)


def _kind(call: Call, root: str) -> MessageKind:
    """The door took the answer for one of this transaction."""
    kinds = MESSAGE_KINDS.values()
    found = (one for one in kinds if one.role == "answer" and one.root == root)
    return next(found, call.kind)


def _settle(
    transaction: Transaction,
    known: AwaitedAnswer,
    result: Result,
    answered: Answered,
    answer: ArrivedAnswer | None = None,
    *,
    unless_answered: bool = False,
) -> bool:
    """Whether it was open: then its record is appended."""
    settled = awaited_answers.settle(
        transaction,
        message_id=known.message_id,
        result=result,
        reason=answered.reason,
        found=answered.found,
        missing=answered.missing,
        answer=answer,
        unless_answered=unless_answered,
    )
    if settled:
        exchange_log.append(transaction, _record(known, answered, answer or known.answer))
    return settled


def _record(known: AwaitedAnswer, answered: Answered, answer: ArrivedAnswer | None) -> Exchange:
    ended = datetime.now(UTC) if answer is None else answer.arrived
    return replace(
        known.exchange,
        outcome=answered.outcome,
        documents=answered.documents,
        reason=answered.reason,
        duration_ms=max(0, round((ended - known.sent).total_seconds() * 1000)),
        answer_hash=known.exchange.answer_hash if answer is None else answer.envelope_hash,
    )


async def _fail(
    visit: Visit,
    question: Question,
    known: AwaitedAnswer,
    error: Exception,
    *,
    unless_answered: bool = False,
) -> bool:
    """Whether it has failed: with `unless_answered`, not if the answer came meanwhile."""
    missing = 0 if isinstance(error, Divisible) else question.call.missing
    answered = Answered(failure_outcome(error), reason=explain(error), missing=missing)

    def unit(transaction: Transaction) -> bool:
        settled = _settle(
            transaction, known, _result(error), answered, unless_answered=unless_answered
        )
        if not settled and awaited_answers.get(transaction, message_id=known.message_id) is None:
            exchange_log.append(transaction, _record(known, answered, None))
            settled = True
        if settled:
            visit.count(transaction, missing=missing)
        return settled

    with suppress(StoreUnavailable):
        return await asyncio.shield(visit.asking.archive.database.write_async(unit))
    return True


def _result(error: Exception) -> Result:
    if isinstance(error, PartnerLate):
        return "late"
    if isinstance(error, Divisible):
        return "divisible"
    return "refused" if is_refusal(error) else "failed"


# ---- run anew --------------------------------------------------------------------------------


async def _look_again(
    visit: Visit, question: Question, known: AwaitedAnswer, read: Read[T]
) -> T | None:
    """What a question that was settled in an earlier run came to."""
    counted = {"found": known.found, "missing": known.missing}
    await visit.asking.archive.database.write_async(lambda tx: visit.count(tx, **counted))
    reason = known.reason or "it failed before"
    match known.result:
        case "late":
            raise PartnerLate(reason)
        case "refused":
            raise PartnerRefused(reason)
        case "divisible":
            raise Divisible(reason)
        case "failed":
            raise PartnerFailed(reason)
    if known.answer is None or not question.is_read_again:
        if known.reason is not None:
            visit.remarks.append(known.reason)
        return None
    return await read(_opened(question.call, known.answer))


def _words(duration: timedelta) -> str:
    seconds = duration.total_seconds()
    if seconds >= 7200 and seconds % 3600 == 0:
        return f"{seconds / 3600:g} hours"
    return f"{seconds:g} s"


def abandon(
    transaction: Transaction, *, plan: PlanId, retrieval: RetrievalId, visited: PartnerId
) -> None:
    """The visit has ended: what it asked and nobody waits for any more is recorded as such, and
    what the answers said is kept in the index alone."""
    for one in awaited_answers.of_visit(
        transaction, plan=plan, retrieval=retrieval, visited=visited
    ):
        if one.state != "settled":
            _settle(transaction, one, "failed", Answered("unknown", reason=ABANDONED))
    awaited_answers.empty(transaction, plan=plan, retrieval=retrieval, visited=visited)
