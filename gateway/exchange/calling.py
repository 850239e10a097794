"""A question to a partner, in whichever way the partner answers: at once, again, or later."""

import copy
from dataclasses import replace
from random import SystemRandom
from typing import Final, TypeVar

from gateway.clients.failures import Busy, PartnerFailed, Passing
from gateway.exchange.asking import Answered, Asking, Call, Effect, Read, ask
from gateway.exchange.awaiting import ask_later
from gateway.exchange.question import Divisible, Question
from gateway.exchange.visit import Visit
from gateway.store.database import Transaction
from ihe.errors import IheError

T = TypeVar("T")
_FIRST_PAUSE_SECONDS: Final = 0.5
"""Before a partner is asked again, half of it more or less; three times as long each time."""
_chance = SystemRandom()


async def put(visit: Visit, question: Question, read: Read[T], effect: Effect[T]) -> T | None:
    """What `read` makes of the answer; None if it was taken in an earlier run of the visit.

    Raises:
        AnswerAwaited: the answer comes later.
        PartnerFailed: no answer, or none over a connection we trust.
        IheError: an answer that is not what its transaction demands.
    """
    call = question.call
    if question.is_deferred or call.partner.profile.asynchronous:
        return await ask_later(visit, question, read, effect)

    def counted(transaction: Transaction, value: T) -> Answered:
        answered = effect(transaction, value)
        visit.count(transaction, found=answered.found, missing=answered.missing)
        return answered

    try:
        return await _ask_again(visit.asking, call, read, counted)
    except Divisible:
        raise
    except (PartnerFailed, IheError):
        if call.missing:
            await visit.save(documents_missing=visit.progress.documents_missing + call.missing)
        raise


async def _ask_again(asking: Asking, call: Call, read: Read[T], effect: Effect[T]) -> T:
    """As `ask`, again where nothing was answered and nothing refused: signed anew, with a record
    of its own each time, and never before the last attempt has ended.

    Such an answer says nothing, least of all that there are no documents (user-asks 2).
    """
    pause = _FIRST_PAUSE_SECONDS
    for _ in range(call.partner.profile.attempts - 1):
        attempt = replace(call, body=copy.deepcopy(call.body))
        try:
            return await ask(asking, attempt, read, effect)
        except Passing as failure:
            if call.attachments is not None:
                call.attachments.discard()
            seconds = pause * _chance.uniform(0.5, 1.5)
            if isinstance(failure, Busy):
                seconds = max(seconds, failure.after_seconds or 0.0)
            if not await call.patience.pause(seconds):
                raise
            pause *= 3
    return await ask(asking, call, read, effect)
