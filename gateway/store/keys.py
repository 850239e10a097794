"""Every plan's keys, sealed under the key-encryption key.

A plan's keys never change under data that they sealed: a new generation is added.
"""

import secrets
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from sqlalchemy import Row, select, update

from gateway.model.identity import PlanId
from gateway.store import tables
from gateway.store.database import Database
from gateway.store.errors import KeyFileUnusable
from gateway.store.key_file import KEY_BYTES, KeyFile, unwrap, wrap
from gateway.store.month_key import MonthKey
from gateway.store.month_keys import MonthKeys
from gateway.store.sql import insert_new
from gateway.store.transaction import Transaction


@dataclass(frozen=True, slots=True)
class PlanKey:
    """One generation of a plan's keys: for the addresses of its blobs, and for their data keys.

    The house's own, for what belongs to no single plan, has none.
    """

    plan: PlanId | None
    generation: int
    address_key: bytes
    data_key: bytes

    def __repr__(self) -> str:
        return f"PlanKey(plan={self.plan!r}, generation={self.generation})"


class KeyRing:
    """The plans' keys, opened once and then held in memory."""

    def __init__(self, key_file: Path, database: Database) -> None:
        """Raises KeyFileMissing or KeyFileUnusable."""
        self._file = KeyFile(key_file)
        self._months = MonthKeys(self._file)
        self._database = database
        self._opened: dict[PlanId | None, PlanKey] = {}
        self._generations: dict[tuple[PlanId | None, int], PlanKey] = {}
        self._making = threading.Lock()

    def plan_key(self, plan: PlanId | None, generation: int | None = None) -> PlanKey:
        """That generation, or the newest; a plan's first key is made when first asked for.

        None is the house's own.

        Never inside a unit of work: a key must outlive the unit that wanted it.

        Raises:
            KeyFileUnusable: the plan's key was sealed under another key than the file holds.
        """
        if generation is None:
            return self._opened.get(plan) or self._open_newest(plan)
        known = self._generations.get((plan, generation))
        return known or self._open(plan, self._database.read(lambda t: _row(t, plan, generation)))

    def seal(self, plan: PlanId | None, content: bytes, name: str) -> tuple[int, bytes]:
        """A few bytes sealed under the plan's newest key, and that key's generation.

        Bound to `name`: under another one they do not open. Never inside a unit of work.
        """
        key = self.plan_key(plan)
        return key.generation, wrap(key.data_key, content, _small(plan, name))

    def open(self, plan: PlanId | None, generation: int, sealed: bytes, name: str) -> bytes:
        """What `seal` sealed.

        Raises:
            InvalidTag: it was changed, or is another's.
            KeyFileUnusable: the key that it names is not here.
        """
        return unwrap(self.plan_key(plan, generation).data_key, sealed, _small(plan, name))

    def sealing_month_key(self, plan: PlanId | None, month: str) -> MonthKey:
        """The key of that month in the plan's log, for what is kept beside it; made if need be.

        Never inside a unit of work, as `plan_key`.
        """
        known = self._months.known(plan, month)
        return known or self._database.write(lambda t: self._months.sealing(t, plan, month))

    def opening_month_key(self, plan: PlanId | None, month: str) -> MonthKey:
        """The same, for what was sealed.

        Raises:
            MonthDisposed: it was shredded.
            KeyFileUnusable: there is none.
        """
        found = self._database.read(lambda t: self._months.opened(t, plan, month))
        if found is None:
            raise KeyFileUnusable("the log has no key of the month that its envelopes name")
        return found

    def rewrap(self) -> int:
        """Seals every key under the file's last key; how many were sealed under others."""
        return self._database.write(self._rewrap)

    def _open_newest(self, plan: PlanId | None) -> PlanKey:
        with self._making:
            row = self._database.read(lambda t: _row(t, plan, None))
            if row is None:
                self._database.write(lambda t: self._make(t, plan))
                row = self._database.read(lambda t: _row(t, plan, None))
            self._opened[plan] = self._open(plan, row)
            return self._opened[plan]

    def _make(self, transaction: Transaction, plan: PlanId | None) -> None:
        """Another process may make it at the same time: the first one counts."""
        fresh, identity = secrets.token_bytes(2 * KEY_BYTES), self._file.newest
        values = {
            "generation": 1,
            "kek_id": identity,
            "wrapped": self._file.wrap(identity, fresh, _name(plan, 1)),
            "created": datetime.now(UTC),
        }
        if plan is None:
            insert_new(transaction, tables.house_key, values, ["generation"])
        else:
            row = {"plan": plan, **values}
            insert_new(transaction, tables.plan_key, row, ["plan", "generation"])

    def _open(self, plan: PlanId | None, row: Row[Any] | None) -> PlanKey:
        if row is None:
            raise KeyFileUnusable("the plan has no key of the generation that its data names")
        both = self._unwrap(plan, row)
        key = PlanKey(plan, row.generation, both[:KEY_BYTES], both[KEY_BYTES:])
        self._generations[plan, row.generation] = key
        return key

    def _unwrap(self, plan: PlanId | None, row: Row[Any]) -> bytes:
        return self._file.unwrap(row.kek_id, row.wrapped, _name(plan, row.generation))

    def _rewrap(self, transaction: Transaction) -> int:
        identity = self._file.newest
        count = self._months.rewrap(transaction)
        for table in (tables.plan_key, tables.house_key):
            rows: Sequence[Row[Any]] = transaction.connection.execute(
                select(table).where(table.c.kek_id != identity)
            ).all()
            for row in rows:
                plan = None if table is tables.house_key else PlanId(row.plan)
                name = _name(plan, row.generation)
                wrapped = self._file.wrap(identity, self._unwrap(plan, row), name)
                is_it = table.c.generation == row.generation
                if plan is not None:
                    is_it &= table.c.plan == plan
                values = {"kek_id": identity, "wrapped": wrapped}
                transaction.connection.execute(update(table).where(is_it).values(values))
            count += len(rows)
        return count


def _row(transaction: Transaction, plan: PlanId | None, generation: int | None) -> Row[Any] | None:
    table = tables.house_key if plan is None else tables.plan_key
    statement = select(table).order_by(table.c.generation.desc())
    if plan is not None:
        statement = statement.where(table.c.plan == plan)
    if generation is not None:
        statement = statement.where(table.c.generation == generation)
    return transaction.connection.execute(statement.limit(1)).first()


def _name(plan: str | None, generation: int) -> bytes:
    """No plan's id is empty: the house's key cannot pass for a plan's."""
    return f"plan key\x00{plan or ''}\x00{generation}".encode()


def _small(plan: PlanId | None, name: str) -> bytes:
    return f"small\x00{plan or ''}\x00{name}".encode()
