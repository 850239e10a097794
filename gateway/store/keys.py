"""Keys: the key-encryption key in a file of its own, every plan's keys sealed under it.

The file holds one key a line, `id base64`; the last line seals what is new, the others still open
what is old. A plan's keys never change under data that they sealed: a new generation is added.
Whoever has the data folder alone has nothing; whoever loses the file has nothing either.
"""

import base64
import binascii
import hashlib
import os
import secrets
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from sqlalchemy import Row, select, update

from gateway.model.identity import PlanId
from gateway.store import tables
from gateway.store.database import Database
from gateway.store.durable import sync_folder
from gateway.store.errors import KeyFileMissing, KeyFileUnusable
from gateway.store.sql import insert_new
from gateway.store.transaction import Transaction

_KEY_BYTES: Final = 32
_NONCE_BYTES: Final = 12


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


def create_key_file(path: Path) -> None:
    """Makes a new key-encryption key, readable by its owner alone.

    Raises:
        FileExistsError: there is one, and data may depend on it.
    """
    descriptor = os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
    with os.fdopen(descriptor, "w", encoding="ascii") as file:
        file.write(_line(secrets.token_bytes(_KEY_BYTES)))
        file.flush()
        os.fsync(file.fileno())
    sync_folder(path.parent)


def add_key(path: Path) -> None:
    """Adds a key that seals from now on; `KeyRing.rewrap` then makes the older ones needless."""
    with path.open("a", encoding="ascii") as file:
        file.write(_line(secrets.token_bytes(_KEY_BYTES)))
        file.flush()
        os.fsync(file.fileno())


class KeyRing:
    """The plans' keys, opened once and then held in memory."""

    def __init__(self, key_file: Path, database: Database) -> None:
        """Raises KeyFileMissing or KeyFileUnusable."""
        self._sealing = _read_key_file(key_file)
        self._key_file = key_file
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
        return key.generation, _wrap(key.data_key, content, _small(plan, name))

    def open(self, plan: PlanId | None, generation: int, sealed: bytes, name: str) -> bytes:
        """What `seal` sealed.

        Raises:
            InvalidTag: it was changed, or is another's.
            KeyFileUnusable: the key that it names is not here.
        """
        return _unwrap(self.plan_key(plan, generation).data_key, sealed, _small(plan, name))

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
        identity, kek = list(self._sealing.items())[-1]
        fresh = secrets.token_bytes(2 * _KEY_BYTES)
        values = {
            "generation": 1,
            "kek_id": identity,
            "wrapped": _wrap(kek, fresh, _name(plan, 1)),
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
        key = PlanKey(plan, row.generation, both[:_KEY_BYTES], both[_KEY_BYTES:])
        self._generations[plan, row.generation] = key
        return key

    def _unwrap(self, plan: PlanId | None, row: Row[Any]) -> bytes:
        kek = self._sealing.get(row.kek_id)
        if kek is None:
            raise KeyFileUnusable(
                f"{self._key_file} does not hold key {row.kek_id}, under which the keys of this"
                " data were sealed: it belongs to other data"
            )
        try:
            return _unwrap(kek, row.wrapped, _name(plan, row.generation))
        except InvalidTag:
            raise KeyFileUnusable("a plan's sealed key was changed in the database") from None

    def _rewrap(self, transaction: Transaction) -> int:
        identity, kek = list(self._sealing.items())[-1]
        count = 0
        for table in (tables.plan_key, tables.house_key):
            rows: Sequence[Row[Any]] = transaction.connection.execute(
                select(table).where(table.c.kek_id != identity)
            ).all()
            for row in rows:
                plan = None if table is tables.house_key else PlanId(row.plan)
                wrapped = _wrap(kek, self._unwrap(plan, row), _name(plan, row.generation))
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


def _read_key_file(path: Path) -> dict[str, bytes]:
    try:
        lines = path.read_text(encoding="ascii").split("\n")
    except FileNotFoundError:
        raise KeyFileMissing(f"there is no key file at {path}; restore it, or start anew") from None
    except (OSError, UnicodeDecodeError):
        raise KeyFileUnusable(f"the key file {path} cannot be read") from None
    keys = {}
    for line in filter(None, lines):
        identity, _, text = line.partition(" ")
        try:
            key = base64.b64decode(text, validate=True)
        except binascii.Error:
            key = b""
        if len(key) != _KEY_BYTES or identity != _identity(key):
            raise KeyFileUnusable(f"{path} is not a key file, or was changed")
        keys[identity] = key
    if not keys:
        raise KeyFileUnusable(f"the key file {path} is empty")
    return keys


def _line(key: bytes) -> str:
    return f"{_identity(key)} {base64.b64encode(key).decode()}\n"


def _identity(key: bytes) -> str:
    """A name for a key that tells nothing of it, and that a wrong key cannot bear."""
    return hashlib.sha256(b"key-encryption key id\x00" + key).hexdigest()[:16]


def _name(plan: str | None, generation: int) -> bytes:
    """No plan's id is empty: the house's key cannot pass for a plan's."""
    return f"plan key\x00{plan or ''}\x00{generation}".encode()


def _small(plan: PlanId | None, name: str) -> bytes:
    return f"small\x00{plan or ''}\x00{name}".encode()


def _wrap(kek: bytes, secret: bytes, name: bytes) -> bytes:
    nonce = secrets.token_bytes(_NONCE_BYTES)
    return nonce + AESGCM(kek).encrypt(nonce, secret, name)


def _unwrap(kek: bytes, wrapped: bytes, name: bytes) -> bytes:
    return AESGCM(kek).decrypt(wrapped[:_NONCE_BYTES], wrapped[_NONCE_BYTES:], name)
