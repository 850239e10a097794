"""Requests whose answers come on a connection of their own, and those answers.

A row is the open record of its exchange (DECISIONS 16): it commits before the first byte leaves,
outlives the process that sent the request, and is settled once: with the answer's effect, with the
failure, or when its time is over.
"""

from datetime import datetime, timedelta
from typing import Any, Final

from sqlalchemy import Row, delete, insert, select, update

from gateway.model.exchange import Exchange
from gateway.model.identity import PartnerId, PlanId, RetrievalId
from gateway.model.later import ArrivedAnswer, AwaitedAnswer, Result
from gateway.store import tables
from gateway.store.sql import indexable
from gateway.store.transaction import Transaction
from gateway.store.values import dump, load

_REMEMBERED: Final = timedelta(days=7)
"""How long after its time an answer is still told apart from one that nobody asked for."""


def put(transaction: Transaction, awaited: AwaitedAnswer) -> None:
    """Says that the request is about to leave."""
    values = {
        "message_id": awaited.message_id,
        "plan": awaited.plan,
        "partner": awaited.partner,
        "retrieval": awaited.retrieval,
        "visited": awaited.visited,
        "question": indexable(awaited.question),
        "transaction": awaited.transaction,
        "state": awaited.state,
        "sent": awaited.sent,
        "expires": awaited.expires,
        "signature_values": dump(awaited.signature_values),
        "exchange": dump(awaited.exchange),
        "found": 0,
        "missing": 0,
        "request_id": None if awaited.request_id is None else indexable(awaited.request_id),
    }
    transaction.connection.execute(insert(tables.awaited_answer).values(values))


def get(transaction: Transaction, *, message_id: str) -> AwaitedAnswer | None:
    """The request of that id, whatever its plan: an answer on the wire names nothing else."""
    table = tables.awaited_answer
    return _first(transaction, table.c.message_id == message_id)


def of_request(transaction: Transaction, *, request_id: str) -> AwaitedAnswer | None:
    """The deferred question that a result names, whatever its plan."""
    table = tables.awaited_answer
    return _first(transaction, table.c.request_id == indexable(request_id))


def of_question(
    transaction: Transaction,
    *,
    plan: PlanId,
    retrieval: RetrievalId,
    visited: PartnerId,
    question: str,
) -> AwaitedAnswer | None:
    """How it stands with that question."""
    table = tables.awaited_answer
    return _first(
        transaction,
        table.c.plan == plan,
        table.c.retrieval == retrieval,
        table.c.visited == visited,
        table.c.question == indexable(question),
    )


def of_visit(
    transaction: Transaction, *, plan: PlanId, retrieval: RetrievalId, visited: PartnerId
) -> tuple[AwaitedAnswer, ...]:
    """All that was asked for that partner's part of the retrieval, in the order it was sent."""
    table = tables.awaited_answer
    statement = (
        select(table)
        .where(table.c.plan == plan, table.c.retrieval == retrieval, table.c.visited == visited)
        .order_by(table.c.sent, table.c.message_id)
    )
    return tuple(_awaited(row) for row in transaction.connection.execute(statement))


def arrive(transaction: Transaction, *, message_id: str, answer: ArrivedAnswer) -> bool:
    """Keeps the answer; False when the request has one, is settled, or its time is over."""
    table = tables.awaited_answer
    result = transaction.connection.execute(
        update(table)
        .where(
            table.c.message_id == message_id,
            table.c.state == "sent",
            table.c.expires > answer.arrived,
        )
        .values(state="answered", answer=dump(answer))
    )
    return result.rowcount == 1


def settle(
    transaction: Transaction,
    *,
    message_id: str,
    result: Result,
    reason: str | None,
    found: int = 0,
    missing: int = 0,
    answer: ArrivedAnswer | None = None,
    unless_answered: bool = False,
) -> bool:
    """Ends the wait; `answer` is one that came on the same connection after all.

    `found` and `missing` are the documents that it adds to the visit's.

    False when it was settled before, or, with `unless_answered`, when an answer is there.
    """
    table = tables.awaited_answer
    open_states = ("sent",) if unless_answered else ("sent", "answered")
    values: dict[str, Any] = {"state": "settled", "result": result, "reason": reason}
    values |= {"found": found, "missing": missing}
    if answer is not None:
        values["answer"] = dump(answer)
    changed = transaction.connection.execute(
        update(table)
        .where(table.c.message_id == message_id, table.c.state.in_(open_states))
        .values(values)
    )
    return changed.rowcount == 1


def empty(
    transaction: Transaction, *, plan: PlanId, retrieval: RetrievalId, visited: PartnerId
) -> None:
    """Drops the answers' content, which nobody reads any more; that there was one is remembered."""
    table = tables.awaited_answer
    transaction.connection.execute(
        update(table)
        .where(table.c.plan == plan, table.c.retrieval == retrieval, table.c.visited == visited)
        .values(answer=None)
    )


def unsettled(
    transaction: Transaction, *, question: str, before: datetime
) -> tuple[AwaitedAnswer, ...]:
    """The requests of that question that nobody has settled though their time was over by then."""
    table = tables.awaited_answer
    statement = (
        select(table)
        .where(
            table.c.question == indexable(question),
            table.c.state != "settled",
            table.c.expires < before,
        )
        .order_by(table.c.sent, table.c.message_id)
    )
    return tuple(_awaited(row) for row in transaction.connection.execute(statement))


def forget_old(transaction: Transaction, *, now: datetime) -> int:
    """How many settled requests were long over and are gone now."""
    table = tables.awaited_answer
    return transaction.connection.execute(
        delete(table).where(table.c.state == "settled", table.c.expires < now - _REMEMBERED)
    ).rowcount


def _first(transaction: Transaction, *where: Any) -> AwaitedAnswer | None:
    row = transaction.connection.execute(select(tables.awaited_answer).where(*where)).first()
    return None if row is None else _awaited(row)


def _awaited(row: Row[Any]) -> AwaitedAnswer:
    return AwaitedAnswer(
        message_id=row.message_id,
        plan=PlanId(row.plan),
        partner=PartnerId(row.partner),
        retrieval=RetrievalId(row.retrieval),
        visited=PartnerId(row.visited),
        question=row.question,
        transaction=row.transaction,
        sent=row.sent,
        expires=row.expires,
        signature_values=load(tuple[str, ...], row.signature_values),
        exchange=load(Exchange, row.exchange),
        state=row.state,
        answer=None if row.answer is None else load(ArrivedAnswer, row.answer),
        result=row.result,
        reason=row.reason,
        found=row.found,
        missing=row.missing,
        request_id=row.request_id,
    )
