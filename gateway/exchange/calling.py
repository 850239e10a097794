"""A question to a partner, in whichever way the partner answers: at once, or later."""

from typing import TypeVar

from gateway.clients.soap_client import PartnerFailed
from gateway.exchange.asking import Answered, Effect, Read, ask
from gateway.exchange.awaiting import Divisible, Question, ask_later
from gateway.exchange.visit import Visit
from gateway.store.database import Transaction
from ihe.errors import IheError

T = TypeVar("T")


async def put(visit: Visit, question: Question, read: Read[T], effect: Effect[T]) -> T | None:
    """What `read` makes of the answer; None if it was taken in an earlier run of the visit.

    Raises:
        AnswerAwaited: the answer comes later.
        PartnerFailed: no answer, or none over a connection we trust.
        IheError: an answer that is not what its transaction demands.
    """
    call = question.call
    if call.partner.profile.asynchronous:
        return await ask_later(visit, question, read, effect)

    def counted(transaction: Transaction, value: T) -> Answered:
        answered = effect(transaction, value)
        visit.count(transaction, found=answered.found, missing=answered.missing)
        return answered

    try:
        return await ask(visit.asking, call, read, counted)
    except Divisible:
        raise
    except (PartnerFailed, IheError):
        if call.missing:
            await visit.save(documents_missing=visit.progress.documents_missing + call.missing)
        raise
