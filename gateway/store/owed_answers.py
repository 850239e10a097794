"""Answers of ours that are computed and recorded, until the partner has them."""

from sqlalchemy import delete, insert, select, update

from gateway.model.later import OwedAnswer
from gateway.store import tables
from gateway.store.transaction import Transaction
from gateway.store.values import dump, load


def put(transaction: Transaction, owed: OwedAnswer) -> None:
    """Keeps the answer, in the transaction of its records."""
    values = {
        "id": owed.id,
        "plan": owed.plan,
        "partner": owed.partner,
        "created": owed.created,
        "answer": dump(owed),
    }
    transaction.connection.execute(insert(tables.owed_answer).values(values))


def get(transaction: Transaction, *, owed: str) -> OwedAnswer | None:
    """The answer of that id; None once it was brought."""
    table = tables.owed_answer
    row = transaction.connection.execute(select(table).where(table.c.id == owed)).first()
    return None if row is None else load(OwedAnswer, row.answer)


def change(transaction: Transaction, owed: OwedAnswer) -> None:
    """Keeps what has become of the answer since; one that is gone stays so."""
    table = tables.owed_answer
    statement = update(table).where(table.c.id == owed.id).values(answer=dump(owed))
    transaction.connection.execute(statement)


def remove(transaction: Transaction, *, owed: str) -> bool:
    """Whether it was there: it is with the partner, or given up."""
    table = tables.owed_answer
    return transaction.connection.execute(delete(table).where(table.c.id == owed)).rowcount == 1
