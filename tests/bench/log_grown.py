"""The exchange log as a busy gateway leaves it after years, grown in bulk.

One after the other, with all indexes in place, ten million records take hours. So the indexes are
dropped, the records inserted, and the indexes made again over all of them at once, which packs them
more tightly than they would have grown. The records are sealed by the log's own functions, under a
key a plan and month; triggers and head stay in place. PostgreSQL is given those that SQLite holds,
with their keys: they are the same, byte for byte.
"""

import binascii
import random
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import fields
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import orjson

from gateway.model.exchange import Exchange
from gateway.model.identity import DocumentId, MemberId, PlanId
from gateway.store import tables
from gateway.store.database import Database
from gateway.store.exchange_chain import canonical, chain_hash, columns_of
from gateway.store.exchange_private import VERSION
from gateway.store.month_key import MonthKey
from gateway.store.month_keys import month_of
from gateway.store.transaction import Transaction

START: Final = datetime(2026, 1, 1, tzinfo=UTC)
BETWEEN: Final = timedelta(seconds=15)
"""From one record to the next: ten million take almost five years."""
PLAN: Final = PlanId("acme")
_OTHER: Final = PlanId("other")
_PURPOSES: Final = ("PAYMENT", "OPERATIONS", "TREATMENT")
_TRANSACTIONS: Final = ("ITI-55", "ITI-38", "ITI-39", "REST-SUMMARY", "REST-DOCUMENT")
_NAMED_AT_ONCE: Final = 1_000
"""Documents that records of one time name."""
_GROUP: Final = 20_000
"""Records in one COMMIT."""
_RECORD: Final = (
    "count", "direction", "documents", "duration_ms", "member", "message_id", "month", "outcome",
    "partner", "peer", "person", "plan", "private", "purpose", "request_hash", "role", "time",
    "transaction", "version", "sequence", "canon", "previous_hash", "hash",
)  # fmt: skip
"""What a record of this log says, in the sealed order, and its place."""
_MONTH: Final = tuple(column.name for column in tables.log_month.c)
_Index = tuple[str, str]
"""Its name, and the statement that makes it."""


def members(records: int) -> int:
    """How many a log of so many records knows: they join as it grows, so that each has as many."""
    return max(1_000, records // 200)


def stored(records: int) -> int:
    """As `members`, the documents."""
    return max(_NAMED_AT_ONCE, records // 100)


def seal_in_bulk(database: Database, draw: random.Random, done: int, size: int) -> None:
    """Records on SQLite after the first `done`, until there are `size`."""
    indexes = database.write(_without_indexes)
    for first in range(done, size, _GROUP):
        numbers = range(first, min(first + _GROUP, size))
        database.write(lambda tx, numbers=numbers: _seal(tx, draw, numbers))  # type: ignore[misc]
    database.write(lambda tx: _name_documents(tx, done))
    for index in indexes:
        # Each in a COMMIT of its own: what was not yet copied from the journal lies there twice.
        database.write(lambda tx, index=index: _index(tx, [index]))  # type: ignore[misc]


def copy_in_bulk(source: Database, target: Database, done: int, size: int) -> None:
    """As `seal_in_bulk`, on PostgreSQL: the records that the SQLite of `source` has sealed."""

    def unit(tx: Transaction) -> None:
        indexes = _without_indexes(tx)
        source.read(lambda sealed: _copy(sealed, tx, done, size))
        _name_documents(tx, done)
        _index(tx, indexes)

    target.write(unit)


# ---- records ---------------------------------------------------------------------------------


def _seal(transaction: Transaction, draw: random.Random, numbers: Iterable[int]) -> None:
    cursor = transaction.cursor()
    sealed = _Sealed(transaction, draw)
    insert = f"INSERT INTO {_into('exchange', _RECORD, '?')}"
    cursor.executemany(insert, sealed.rows(numbers))
    head = (sealed.sequence, sealed.hash)
    cursor.execute("UPDATE exchange_head SET sequence = ?, hash = ?", head)


class _Sealed:
    """Records as rows of the table on SQLite, each standing on the one before.

    The log's own functions make the keys, seal, and chain. What they spell anew for each record
    takes them three times as long: so it is spelled here, and for one record of each COMMIT theirs
    must say the same.
    """

    def __init__(self, transaction: Transaction, draw: random.Random) -> None:
        self._transaction, self._draw = transaction, draw
        self._keys: dict[tuple[PlanId, str], MonthKey] = {}
        head = transaction.cursor().execute("SELECT sequence, hash FROM exchange_head").fetchone()
        self.sequence, self.hash = head

    def rows(self, numbers: Iterable[int]) -> Iterator[tuple[Any, ...]]:
        is_first = True
        for number in numbers:
            key, member, documents, values = self._drawn(number)
            canon, previous = orjson.dumps(values).decode(), self.hash
            if is_first:
                _check(key, member, documents, values, canon)
                is_first = False
            self.sequence += 1
            self.hash = chain_hash(previous=previous, canon=canon, sequence=self.sequence)
            yield (*values.values(), self.sequence, canon, previous, self.hash)

    def _drawn(self, number: int) -> tuple[MonthKey, MemberId, list[DocumentId], dict[str, Any]]:
        """Its key, member and documents; and the columns in which it says something, by name."""
        share, bits = self._draw.random, self._draw.getrandbits
        time = (START + BETWEEN * number).isoformat(timespec="microseconds")
        plan = PLAN if share() < 0.8 else _OTHER
        key = self._key(plan, time[:7])
        member = MemberId(f"member-{int(share() * members(number))}")
        given = share() < 0.4
        # A document is exchanged in its time; the same ones for ever would be in every answer.
        one = stored(number) - 1 - int(share() * _NAMED_AT_ONCE)
        documents = [DocumentId(f"document-{one}")] if given else []
        values = {
            "count": 1,
            "direction": "in" if share() < 0.5 else "out",
            "documents": orjson.dumps(key.documents(documents)).decode(),
            "duration_ms": int(share() * 900),
            "member": key.member(member),
            "message_id": f"urn:uuid:{bits(128):032x}",
            "month": key.month,
            "outcome": "refused" if share() < 0.1 else "success",
            "partner": f"2.999.{int(share() * 40)}",
            "peer": f"10.0.0.{int(share() * 200)}",
            "person": f"Person {int(share() * 60)}",
            "plan": plan,
            "private": _sealed(key, member, documents),
            "purpose": _PURPOSES[int(share() * 3)],
            "request_hash": f"{bits(256):064x}",
            "role": "case manager",
            "time": time.replace("+00:00", "Z"),
            "transaction": _TRANSACTIONS[int(share() * 5)],
            "version": VERSION,
        }
        return key, member, documents, values

    def _key(self, plan: PlanId, month: str) -> MonthKey:
        """One just made is in the log's own memory only after COMMIT."""
        found = self._keys.get((plan, month))
        if found is None:
            found = self._transaction.log_keys.sealing(self._transaction, plan, month)
            self._keys[plan, month] = found
        return found


def _sealed(key: MonthKey, member: MemberId, documents: list[DocumentId]) -> str:
    content = key.seal(orjson.dumps((member, documents)), "record")
    return binascii.b2a_base64(content, newline=False).decode()


def _check(
    key: MonthKey,
    member: MemberId,
    documents: list[DocumentId],
    values: Mapping[str, Any],
    canon: str,
) -> None:
    """That the log's own functions say the same of it, but for what is sealed under a nonce."""
    said = {field.name: values[field.name] for field in fields(Exchange) if field.name in values}
    said["time"] = datetime.fromisoformat(values["time"])
    said |= {"member": member, "documents": tuple(documents)}
    own = columns_of(Exchange(**said), key) | {"private": values["private"]}
    assert canonical(own) == canon


def _copy(source: Transaction, target: Transaction, done: int, size: int) -> None:
    cursor = target.cursor()
    rows = source.cursor().execute(
        f"SELECT {_names(_RECORD)} FROM exchange "  # noqa: S608
        "WHERE sequence > ? AND sequence <= ? ORDER BY sequence",
        (done, size),
    )
    with cursor.copy(f"COPY exchange ({_names(_RECORD)}) FROM STDIN") as copy:
        for row in rows:
            copy.write_row(row)
    months = source.cursor().execute(
        f"SELECT {_names(_MONTH)} FROM log_month WHERE month <= ?",  # noqa: S608
        (month_of(START + BETWEEN * (size - 1)),),
    )
    # As many as a log of that size has: a search asks by each.
    insert = f"INSERT INTO {_into('log_month', _MONTH, '%s')} ON CONFLICT DO NOTHING"
    cursor.executemany(insert, months.fetchall())
    cursor.execute(
        "UPDATE exchange_head SET (sequence, hash) = "
        "(SELECT sequence, hash FROM exchange ORDER BY sequence DESC LIMIT 1)"
    )


def _name_documents(transaction: Transaction, done: int) -> None:
    """In the order of their key: in that of the records each would be a page to write again."""
    named = "json_each(documents) AS named"
    if transaction.is_postgres:
        named = "json_array_elements_text(documents::json) AS named(value)"
    transaction.cursor().execute(
        "INSERT INTO exchange_document (document, sequence, plan) "  # noqa: S608
        f"SELECT named.value, sequence, plan FROM exchange, {named} WHERE sequence > {done:d} "
        "AND documents <> '[]' ORDER BY named.value, sequence"
    )


# ---- indexes ---------------------------------------------------------------------------------


def _without_indexes(transaction: Transaction) -> list[_Index]:
    """Those that were dropped: all of the log but what keeps it from naming a record twice."""
    cursor = transaction.cursor()
    log = "('exchange', 'exchange_document')"
    known = (
        "SELECT name, sql FROM sqlite_schema WHERE type = 'index' AND sql IS NOT NULL AND tbl_name"
    )
    if transaction.is_postgres:
        known = (
            "SELECT indexname, indexdef FROM pg_indexes WHERE schemaname = current_schema() "
            "AND indexdef NOT LIKE 'CREATE UNIQUE %' AND tablename"
        )
    indexes: list[_Index] = cursor.execute(f"{known} IN {log}").fetchall()
    assert indexes
    for name, _ in indexes:
        cursor.execute(f'DROP INDEX "{name}"')
    return indexes


_ROOM_POSTGRES: Final = ("SET LOCAL maintenance_work_mem = '1GB'",)
_ROOM_SQLITE: Final = ("PRAGMA cache_size = -500000", "PRAGMA threads = 2")


def _index(transaction: Transaction, indexes: Iterable[_Index]) -> None:
    """Makes them again, with room to sort in; of the writer alone, whom nobody measures here."""
    cursor = transaction.cursor()
    for statement in _ROOM_POSTGRES if transaction.is_postgres else _ROOM_SQLITE:
        cursor.execute(statement)
    for _, statement in indexes:
        cursor.execute(statement)


def _into(table: str, columns: tuple[str, ...], mark: str) -> str:
    return f"{table} ({_names(columns)}) VALUES ({', '.join([mark] * len(columns))})"


def _names(columns: tuple[str, ...]) -> str:
    return ", ".join(f'"{name}"' for name in columns)
