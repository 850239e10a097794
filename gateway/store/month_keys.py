"""The exchange log's keys: one a plan and month, so that a month can be made unreadable.

Each is made with the first record that needs it, in that record's own transaction: a key that
sealed something is as durable as what it sealed. It is kept sealed under the key-encryption key,
and once its month is disposed of it is not kept at all; then nobody reads what it sealed, here or
in a copy, and the hashes over what it sealed stay as they were (crypto-shredding).
"""

import secrets
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from functools import partial
from typing import Any, Final

from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from sqlalchemy import select, update

from gateway.model.identity import PlanId
from gateway.store import tables
from gateway.store.errors import KeyFileUnusable, MonthDisposed
from gateway.store.key_file import KEY_BYTES, KeyFile
from gateway.store.month_key import DocumentHashes, MonthKey, MonthName
from gateway.store.scope import Scope
from gateway.store.sql import insert_new
from gateway.store.transaction import Transaction

_KEYS_AT: Final = (0, KEY_BYTES, 2 * KEY_BYTES)
"""Where the key that seals begins, and those of the hashes of members and of documents. What was
made before documents had their own ends with the second."""
_MADE_BYTES: Final = 3 * KEY_BYTES


class MonthKeys:
    """The keys of all months, each opened once and then held in memory."""

    def __init__(self, file: KeyFile) -> None:
        self._file = file
        self._opened: dict[MonthName, MonthKey] = {}

    def sealing(self, transaction: Transaction, plan: PlanId | None, month: str) -> MonthKey:
        """The key that seals what is new; made when there is none.

        On PostgreSQL the log's lock is taken before, or nothing else is done in the unit: else two
        units might wait for each other.

        Raises:
            MonthDisposed: the clock stands in a month that is gone.
            KeyFileUnusable: the key was sealed under another key than the file holds.
        """
        return self.known(plan, month) or self._found_or_made(transaction, plan, month)

    def known(self, plan: PlanId | None, month: str) -> MonthKey | None:
        """The key, if it is held in memory."""
        return self._opened.get((plan or "", month))

    def opened(self, transaction: Transaction, plan: PlanId | None, month: str) -> MonthKey | None:
        """The key as it is known now; None if none was ever made.

        Raises:
            MonthDisposed, KeyFileUnusable
        """
        found = self.reading(transaction, [(plan or "", month)])
        if None in found.values():
            raise MonthDisposed(month)
        return next(iter(found.values()), None)

    def reading(
        self, transaction: Transaction, names: Iterable[MonthName]
    ) -> Mapping[MonthName, MonthKey | None]:
        """The keys of these months; None stands for one that was shredded.

        Read anew each time: another process may have shredded it since.
        """
        wanted = set(names)
        if not wanted:
            return {}
        months = sorted({month for _, month in wanted})
        table = tables.log_month
        needed = select(table.c.scope, table.c.month, table.c.kek_id, table.c.wrapped)
        rows = transaction.connection.execute(needed.where(table.c.month.in_(months)))
        return {
            name: self._opened_row(transaction, row)
            for row in rows
            if (name := (row.scope, row.month)) in wanted
        }

    def within(
        self,
        transaction: Transaction,
        scope: Scope,
        since: datetime | None,
        until: datetime | None,
    ) -> tuple[MonthKey, ...]:
        """The keys of all months of that time that can still be read."""
        table = tables.log_month
        statement = select(table).where(table.c.wrapped.is_not(None))
        if isinstance(scope, str):
            statement = statement.where(table.c.scope == scope)
        if since is not None:
            statement = statement.where(table.c.month >= month_of(since))
        if until is not None:
            statement = statement.where(table.c.month <= month_of(until))
        rows = transaction.connection.execute(statement)
        return tuple(key for row in rows if (key := self._opened_row(transaction, row)) is not None)

    def rewrap(self, transaction: Transaction) -> int:
        """Seals every key under the file's newest key; how many were sealed under others."""
        table, newest = tables.log_month, self._file.newest
        rows = transaction.connection.execute(
            select(table).where(table.c.wrapped.is_not(None), table.c.kek_id != newest)
        ).all()
        for row in rows:
            name = _name(row.scope, row.month)
            secret = self._file.unwrap(row.kek_id, row.wrapped, name)
            wrapped = self._file.wrap(newest, secret, name)
            is_it = (table.c.scope == row.scope) & (table.c.month == row.month)
            values = {"kek_id": newest, "wrapped": wrapped}
            transaction.connection.execute(update(table).where(is_it).values(values))
        return len(rows)

    def _found_or_made(self, transaction: Transaction, plan: PlanId | None, month: str) -> MonthKey:
        found = self.opened(transaction, plan, month)
        if found is None:
            self._make(transaction, plan, month)
            found = self.opened(transaction, plan, month)
        if found is None:
            raise KeyFileUnusable("a key of the log was not kept")
        return found

    def _make(self, transaction: Transaction, plan: PlanId | None, month: str) -> None:
        """Another process may make it at the same time: the first one counts."""
        fresh, identity = secrets.token_bytes(_MADE_BYTES), self._file.newest
        values = {
            "scope": plan or "",
            "month": month,
            "plan": plan,
            "kek_id": identity,
            "wrapped": self._file.wrap(identity, fresh, _name(plan or "", month)),
            "created": datetime.now(UTC),
            "disposed": None,
        }
        insert_new(transaction, tables.log_month, values, ["scope", "month"])

    def _opened_row(self, transaction: Transaction, row: Any) -> MonthKey | None:
        """Held in memory only once it is durable: what it seals may yet be undone with it."""
        name = row.scope, row.month
        if row.wrapped is None:
            self._opened.pop(name, None)
            return None
        if name in self._opened:
            return self._opened[name]
        keys = self._file.unwrap(row.kek_id, row.wrapped, _name(*name))
        sealing, members, documents = (keys[at : at + KEY_BYTES] for at in _KEYS_AT)
        plan = PlanId(row.scope) if row.scope else None
        hashes = DocumentHashes(documents) if documents else None
        key = MonthKey(plan, row.month, AESGCM(sealing), members, hashes)
        transaction.after_commit(partial(self._opened.__setitem__, name, key))
        return key


def month_of(time: datetime) -> str:
    """In which month, of UTC, that is."""
    there = time if time.tzinfo is UTC else time.astimezone(UTC)
    return f"{there.year:04}-{there.month:02}"


def _name(scope: str, month: str) -> bytes:
    return f"log month\x00{scope}\x00{month}".encode()
