"""Envelopes as they crossed the wire, kept for whoever has to prove or to follow what was said.

Each is compressed, by a dictionary of what all of them say alike, then sealed under the key that
its plan's log has for the month, or the house's for what belongs to no single plan; it goes when
its month is disposed of. Those from before there were such keys are sealed under the plan's own.
The exchange record names it by the hash of its plain bytes, so that what is opened can be shown to
be what was sealed. Attachments are documents, and kept as such.
"""

import hashlib
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cache, lru_cache
from pathlib import Path
from typing import Final

import zstandard
from cryptography.exceptions import InvalidTag
from sqlalchemy import select

from ccda.values import quickly_made
from gateway.model.identity import PlanId
from gateway.store import tables
from gateway.store.errors import DamagedWireMessage
from gateway.store.keys import KeyRing
from gateway.store.month_keys import month_of
from gateway.store.scope import Scope, within
from gateway.store.sql import insertion
from gateway.store.transaction import Transaction

_LEVEL: Final = 1
"""On the way of every answer; with the dictionary half the space of any level without."""
_DICTIONARY: Final = 1
"""By which envelopes are packed now; what was packed by another says so, or had none (0)."""
_AT_ONCE: Final = 64
_MOST_BYTES: Final = 64 * 1024 * 1024
_local = threading.local()


@quickly_made
@dataclass(frozen=True, slots=True)
class WireMessage:
    """An envelope ready to be kept."""

    hash: str
    plan: PlanId | None
    sealed: bytes
    month: str | None
    generation: int = 0
    """Of the plan's own key, for what was sealed before months had one."""


def seal_message(
    keys: KeyRing, envelope: bytes, *, plan: PlanId | None, now: datetime
) -> WireMessage:
    """Before the unit of work that keeps it, for a month's first key is made with it."""
    digest, month = hashlib.sha256(envelope).hexdigest(), month_of(now)
    key = keys.sealing_month_key(plan, month)
    return WireMessage(digest, plan, key.seal(_compressor().compress(envelope), digest), month)


def put(transaction: Transaction, message: WireMessage) -> None:
    """Keeps it; the same bytes twice are kept once."""
    put_all(transaction, [message])


def put_all(transaction: Transaction, messages: Sequence[WireMessage]) -> None:
    """Keeps each, with those of all others that share the COMMIT."""
    for message in messages:
        transaction.before_commit(_put, message)


def _put(transaction: Transaction, messages: list[WireMessage]) -> None:
    """Every exchange keeps two, so it speaks to the driver itself, as `exchange_log` does."""
    cursor, mark = transaction.cursor(), "%s" if transaction.is_postgres else "?"
    for start in range(0, len(messages), _AT_ONCE):
        some = messages[start : start + _AT_ONCE]
        values = [value for one in some for value in _row(one)]
        cursor.execute(_insert(len(some), mark), values)
    cursor.close()


def _row(message: WireMessage) -> tuple[str | bytes | None, ...]:
    scope = f"{message.plan or ''}/{message.month}"
    return message.hash, scope, message.plan, message.month, message.sealed


@lru_cache(maxsize=2 * _AT_ONCE)
def _insert(count: int, mark: str) -> str:
    row = f"({mark}, {mark}, {mark}, {mark}, 0, {mark})"
    insert = insertion(is_postgres=mark == "%s")
    return (
        f"{insert} wire_message (hash, scope, plan, month, generation, sealed)"
        f" VALUES {', '.join([row] * count)} ON CONFLICT (hash, scope) DO NOTHING"
    )


def get(transaction: Transaction, *, plan: Scope, hash: str) -> WireMessage | None:
    """The envelope of that hash, still sealed; None when the scope has none."""
    table = tables.wire_message
    row = transaction.connection.execute(
        select(table).where(table.c.hash == hash, within(table.c.plan, plan)).limit(1)
    ).first()
    if row is None:
        return None
    owner = None if row.plan is None else PlanId(row.plan)
    return WireMessage(row.hash, owner, row.sealed, row.month, row.generation)


def open_message(keys: KeyRing, message: WireMessage) -> bytes:
    """The envelope's bytes.

    Raises:
        DamagedWireMessage: they are not what was sealed.
        MonthDisposed: their month was disposed of meanwhile.
        KeyFileUnusable: they were sealed under another key than the file holds.
    """
    try:
        content = _unsealed(keys, message)
        number = zstandard.get_frame_parameters(content).dict_id
        unpacker = zstandard.ZstdDecompressor(dict_data=_dictionary(number) if number else None)
        envelope = unpacker.decompress(content, max_output_size=_MOST_BYTES)
    except (InvalidTag, zstandard.ZstdError, FileNotFoundError):
        raise DamagedWireMessage(message.hash) from None
    if hashlib.sha256(envelope).hexdigest() != message.hash:
        raise DamagedWireMessage(message.hash)
    return envelope


def _unsealed(keys: KeyRing, message: WireMessage) -> bytes:
    if message.month is None:
        return keys.open(message.plan, message.generation, message.sealed, message.hash)
    return keys.opening_month_key(message.plan, message.month).open(message.sealed, message.hash)


def _compressor() -> zstandard.ZstdCompressor:
    """One a thread: making one costs more than an envelope does."""
    compressor: zstandard.ZstdCompressor | None = getattr(_local, "compressor", None)
    if compressor is None:
        packing = _dictionary(_DICTIONARY)
        compressor = zstandard.ZstdCompressor(level=_LEVEL, dict_data=packing)
        _local.compressor = compressor
    return compressor


@cache
def _dictionary(number: int) -> zstandard.ZstdCompressionDict:
    """Made by `tests/wire_dictionary.py`; none that was ever used may change, or go."""
    file = Path(__file__).with_name(f"envelopes-{number}.zdict")
    found = zstandard.ZstdCompressionDict(file.read_bytes())
    found.precompute_compress(level=_LEVEL)
    return found
