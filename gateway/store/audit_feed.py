"""How far each audit repository has been told of the log: a cursor, and no row for an event.

What an event says is derived from its record whenever it is sent (DECISIONS 16), so that the log
itself is the outbox: it is durable, in order, and loses nothing. One process feeds a repository;
another takes over when it is dead. What cannot be sent for good is a dead letter.
"""

from dataclasses import replace
from datetime import datetime
from typing import Any, Final

from sqlalchemy import delete, func, insert, select, update

from gateway.model.audit_feed import DeadLetter, FeedState
from gateway.store import checkpoints, tables
from gateway.store.transaction import Transaction

_LONGEST: Final = 500
"""How much of a trouble is kept: it may be words of the other side."""


def begin(transaction: Transaction, repository: str, *, whole_log: bool) -> None:
    """Makes the cursor of a repository that is new: at the log's end, or before its start."""
    table = tables.audit_feed
    if _row(transaction, repository) is None:
        sequence = 0 if whole_log else checkpoints.size(transaction)
        values = {"repository": repository, "plan": None, "sequence": sequence, "attempts": 0}
        transaction.connection.execute(insert(table).values(values))


def hold(transaction: Transaction, repository: str) -> FeedState | None:
    """Where to go on, if this process may: None while another one that lives feeds it.

    Raises:
        KeyError: the repository has no cursor.
    """
    table = tables.audit_feed
    statement = select(table).where(table.c.repository == repository).with_for_update()
    row = transaction.connection.execute(statement).first()
    if row is None:
        raise KeyError(repository)
    mine = transaction.process
    if row.process not in (None, mine) and transaction.is_running(row.process):
        return None
    if row.process != mine:
        _update(transaction, repository, process=mine)
    return _state(row)


def release(transaction: Transaction, repository: str) -> None:
    """Lets another process feed it."""
    table = tables.audit_feed
    transaction.connection.execute(
        update(table)
        .where(table.c.repository == repository, table.c.process == transaction.process)
        .values(process=None)
    )


def advance(transaction: Transaction, repository: str, *, sequence: int) -> None:
    """That it has been told of every record up to that place."""
    _update(transaction, repository, sequence=sequence, attempts=0, trouble=None)


def failed(transaction: Transaction, repository: str, trouble: str, *, attempts: int) -> None:
    """That so many attempts were in vain, the last for this reason."""
    _update(transaction, repository, attempts=attempts, trouble=trouble[:_LONGEST])


# ---- dead letters ----------------------------------------------------------------------------


def bury(transaction: Transaction, repository: str, letter: DeadLetter) -> None:
    """Keeps the place and the reason of a record that could not be told."""
    table = tables.audit_dead_letter
    values = {
        "repository": repository,
        "sequence": letter.sequence,
        "plan": None,
        "reason": letter.reason[:_LONGEST],
        "again": False,
    }
    forget(transaction, repository, letter.sequence)
    transaction.connection.execute(insert(table).values(values))


def dead_letters(
    transaction: Transaction, repository: str, *, again: bool = False, limit: int = 100
) -> tuple[DeadLetter, ...]:
    """The oldest so many; with `again`, of those that are to be tried once more."""
    table = tables.audit_dead_letter
    statement = select(table).where(table.c.repository == repository)
    if again:
        statement = statement.where(table.c.again.is_(True))
    rows = transaction.connection.execute(statement.order_by(table.c.sequence).limit(limit))
    return tuple(DeadLetter(row.sequence, row.reason) for row in rows)


def revive(transaction: Transaction, repository: str) -> int:
    """Lets every dead letter be tried once more; how many there are."""
    table = tables.audit_dead_letter
    found = transaction.connection.execute(
        update(table).where(table.c.repository == repository).values(again=True)
    )
    return int(found.rowcount)


def forget(transaction: Transaction, repository: str, sequence: int) -> None:
    """The letter has arrived after all."""
    table = tables.audit_dead_letter
    transaction.connection.execute(
        delete(table).where(table.c.repository == repository, table.c.sequence == sequence)
    )


# ---- lag -------------------------------------------------------------------------------------


def states(transaction: Transaction, *, now: datetime) -> tuple[FeedState, ...]:
    """How far behind each repository is."""
    rows = transaction.connection.execute(
        select(tables.audit_feed).order_by(tables.audit_feed.c.repository)
    ).all()
    size = checkpoints.size(transaction)
    return tuple(_behind(transaction, row, size, now) for row in rows)


def _behind(transaction: Transaction, row: Any, size: int, now: datetime) -> FeedState:
    told = tables.exchange.c
    waiting = select(told.time).where(told.sequence > row.sequence).order_by(told.sequence)
    oldest = transaction.connection.execute(waiting.limit(1)).scalar() or now
    table = tables.audit_dead_letter
    dead = transaction.connection.execute(
        select(func.count()).select_from(table).where(table.c.repository == row.repository)
    ).scalar_one()
    return replace(
        _state(row),
        records_behind=max(size - row.sequence, 0),
        seconds_behind=max((now - oldest).total_seconds(), 0.0),
        dead_letters=int(dead),
    )


def _state(row: Any) -> FeedState:
    return FeedState(row.repository, row.sequence, 0, 0.0, row.attempts, row.trouble, 0)


def _row(transaction: Transaction, repository: str) -> Any | None:
    table = tables.audit_feed
    return transaction.connection.execute(
        select(table).where(table.c.repository == repository)
    ).first()


def _update(transaction: Transaction, repository: str, **values: object) -> None:
    table = tables.audit_feed
    transaction.connection.execute(
        update(table).where(table.c.repository == repository).values(values)
    )
