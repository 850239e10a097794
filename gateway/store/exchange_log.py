"""The record of every exchange: append-only, in one chain, in the same transaction as its effect.

What crosses a wire is first `open` (DECISIONS 16): mutable, no evidence, marked with the process
that holds it. It is closed with its effect, or by `recover` once that process is dead. Strangers
are counted, one record a peer, reason and minute (DECISIONS 17), of each plan by itself.
"""

from dataclasses import replace
from datetime import datetime
from functools import lru_cache
from typing import Any, Final

from sqlalchemy import Row, delete, insert, select
from sqlalchemy.dialects import postgresql, sqlite

from gateway.model.exchange import Exchange
from gateway.store import tables
from gateway.store.column_types import utc_text
from gateway.store.errors import ExchangeNotOpen, StoreUnavailable
from gateway.store.exchange_chain import SEALED, canonical, chain_hash, columns_of, verify
from gateway.store.exchange_private import has_private
from gateway.store.exchange_search import following, get, search
from gateway.store.month_keys import month_of
from gateway.store.sql import indexable, insertion
from gateway.store.transaction import Transaction
from gateway.store.values import dump, load

__all__ = [
    "Place",
    "append",
    "close_exchange",
    "count_refusal",
    "flush_refusals",
    "following",
    "get",
    "open_exchange",
    "recover",
    "search",
    "verify",
]

INTERRUPTED: Final = "interrupted"
"""The reason of a record whose process died before it knew the outcome."""
_AT_ONCE: Final = 64
"""Records of one statement: as many as units share a COMMIT."""
_NONE: Final = "[]"
_COUNTED: Final = ["minute", "peer", "reason", "transaction", "scope", "outcome"]
"""What is one to be counted together."""
_LOCK: Final = 0x65786368  # "exch": the advisory lock under which sequences are given


class Place:
    """Where a record stands in the chain: known only once its transaction is durable."""

    __slots__ = ("_sequence",)

    def __init__(self) -> None:
        self._sequence: int | None = None

    @property
    def sequence(self) -> int:
        if self._sequence is None:
            raise RuntimeError("a record has its sequence only after COMMIT")
        return self._sequence


_Unchained = tuple[dict[str, Any], str, Place]
"""A record's columns, its canonical text, and where its place is told."""


def append(transaction: Transaction, exchange: Exchange) -> Place:
    """Records the exchange with everything else this unit does, or not at all."""
    place = Place()
    transaction.after_unit(_seal, (exchange, place))
    return place


def _seal(transaction: Transaction, records: list[tuple[Exchange, Place]]) -> None:
    """Makes what is hashed of each; its place in the chain is given last of all."""
    if transaction.is_postgres:
        # Before any key: from here on no other lock is waited for.
        transaction.cursor().execute(f"SELECT pg_advisory_xact_lock({_LOCK})")
    for exchange, place in records:
        key = None
        if has_private(exchange):
            month = month_of(exchange.time)
            key = transaction.log_keys.sealing(transaction, exchange.plan, month)
        values = columns_of(exchange, key)
        if not transaction.is_postgres:
            values["time"] = utc_text(exchange.time)
        transaction.before_commit(_chain, (values, canonical(values), place))


def _chain(transaction: Transaction, records: list[_Unchained]) -> None:
    """Gives the records their places.

    Every exchange comes through here, so it speaks to the driver itself, and in as few steps as
    can be: in each the writer may have to wait for the interpreter.
    """
    cursor = transaction.cursor()
    first, previous = cursor.execute("SELECT sequence, hash FROM exchange_head").fetchone()
    mark, sequence = "%s" if transaction.is_postgres else "?", first
    for start in range(0, len(records), _AT_ONCE):
        some, rows = records[start : start + _AT_ONCE], list[Any]()
        for values, canon, place in some:
            sequence += 1
            sealed = chain_hash(previous=previous, canon=canon, sequence=sequence)
            rows += (*values.values(), sequence, canon, previous, sealed)
            place._sequence, previous = sequence, sealed
        cursor.execute(_insert(len(some), mark), rows)
        _require(cursor, len(some))
    if any(values["documents"] != _NONE for values, _, _ in records):
        cursor.execute(
            _NAME_POSTGRES if transaction.is_postgres else _NAME_SQLITE, (first, sequence)
        )
    cursor.execute(
        f"UPDATE exchange_head SET sequence = {mark}, hash = {mark}",  # noqa: S608
        (sequence, previous),
    )
    _require(cursor, 1)
    cursor.close()


def _require(cursor: Any, rows: int) -> None:
    """A trigger or a rule that somebody added may have a statement do nothing, and say nothing."""
    if cursor.rowcount != rows:
        raise StoreUnavailable("the database did not take a record of the exchange log")


@lru_cache(maxsize=2 * _AT_ONCE)
def _insert(count: int, mark: str) -> str:
    columns = (*SEALED, "sequence", "canon", "previous_hash", "hash")
    names = ", ".join(f'"{name}"' for name in columns)
    row = f"({', '.join([mark] * len(columns))})"
    insert = insertion(is_postgres=mark == "%s")
    return f"{insert} exchange ({names}) VALUES {', '.join([row] * count)}"


# From the list that each record itself holds: one step for all, where each would be one.
_NAME_SQLITE: Final = (
    f"{insertion(is_postgres=False)} exchange_document (sequence, plan, document) "  # noqa: S608
    "SELECT sequence, plan, value FROM exchange, json_each(documents) "
    "WHERE sequence > ? AND sequence <= ?"
)
_NAME_POSTGRES: Final = (
    "INSERT INTO exchange_document (sequence, plan, document) "
    "SELECT sequence, plan, value FROM exchange, json_array_elements_text(documents::json) "
    "WHERE sequence > %s AND sequence <= %s"
)


# ---- what crosses a wire ---------------------------------------------------------------------


def open_exchange(transaction: Transaction, exchange: Exchange) -> int:
    """Says that the exchange is about to begin; commit before the first byte leaves."""
    values = {"plan": exchange.plan, "process": transaction.process, "exchange": dump(exchange)}
    table = tables.exchange_open
    result = transaction.connection.execute(insert(table).values(values).returning(table.c.id))
    return int(result.scalar_one())


def close_exchange(transaction: Transaction, open_id: int, exchange: Exchange) -> Place:
    """Records how an open exchange ended, in the same transaction as its effect.

    Raises:
        ExchangeNotOpen: it was closed before, or recovery has given it up.
    """
    table = tables.exchange_open
    result = transaction.connection.execute(
        delete(table).where(table.c.id == open_id, table.c.process == transaction.process)
    )
    if result.rowcount == 0:
        raise ExchangeNotOpen(open_id)
    return append(transaction, exchange)


def recover(transaction: Transaction, *, now: datetime) -> int:
    """Records as `unknown` what dead processes left open, and counts of minutes gone by.

    Returns how many records that makes. For every start, and now and then: other processes that
    live are left alone.
    """
    table = tables.exchange_open
    rows = transaction.connection.execute(
        select(table).order_by(table.c.id).with_for_update(skip_locked=True)
    ).all()
    alive = {process: transaction.is_running(process) for process in {row.process for row in rows}}
    left = [row for row in rows if not alive[row.process]]
    for row in left:
        exchange = load(Exchange, row.exchange)
        append(transaction, replace(exchange, outcome="unknown", reason=INTERRUPTED))
        transaction.connection.execute(delete(table).where(table.c.id == row.id))
    return len(left) + flush_refusals(transaction, now=now)


# ---- strangers -------------------------------------------------------------------------------


def count_refusal(transaction: Transaction, exchange: Exchange) -> None:
    """Counts what was refused to someone who was not yet known, or failed; its time says which
    minute it is in."""
    table = tables.refusal
    statement = (
        (postgresql if transaction.is_postgres else sqlite)
        .insert(table)
        .values(
            minute=_minute(exchange.time),
            peer=indexable(exchange.peer) or "",
            reason=indexable(exchange.reason) or "",
            transaction=exchange.transaction,
            scope=exchange.plan or "",
            outcome=exchange.outcome,
            plan=exchange.plan,
            first=exchange.time,
            count=exchange.count,
        )
    )
    transaction.connection.execute(
        statement.on_conflict_do_update(
            index_elements=_COUNTED, set_={"count": table.c.count + statement.excluded.count}
        )
    )
    flush_refusals(transaction, now=exchange.time)


def flush_refusals(transaction: Transaction, *, now: datetime) -> int:
    """Records the counts of every minute before this one; how many records that makes."""
    table = tables.refusal
    rows = transaction.connection.execute(
        select(table)
        .where(table.c.minute < _minute(now))
        .order_by(*(table.c[name] for name in _COUNTED))
        .with_for_update(skip_locked=True)
    ).all()
    for row in rows:
        is_it = (table.c[name] == row._mapping[name] for name in _COUNTED)
        transaction.connection.execute(delete(table).where(*is_it))
        append(transaction, _refusal(row))
    return len(rows)


def _refusal(row: Row[Any]) -> Exchange:
    return Exchange(
        time=row.first,
        direction="in",
        transaction=row.transaction,
        outcome=row.outcome,
        plan=row.plan,
        peer=row.peer or None,
        reason=row.reason or None,
        count=row._mapping["count"],  # `row.count` is the tuple's own method
    )


def _minute(time: datetime) -> datetime:
    return time.replace(second=0, microsecond=0)
