"""Envelopes as they crossed the wire, kept for whoever has to prove or to follow what was said.

Each is compressed, then sealed under the key that its plan's log has for the month, or the house's
for what belongs to no single plan; it goes when its month is disposed of. Those from before there
were such keys are sealed under the plan's own. The exchange record names it by the hash of its
plain bytes, so that what is opened can be shown to be what was sealed. Attachments are documents,
and kept as such.
"""

import hashlib
import threading
from dataclasses import dataclass
from datetime import datetime
from typing import Final

import zstandard
from cryptography.exceptions import InvalidTag
from sqlalchemy import select

from gateway.model.identity import PlanId
from gateway.store import tables
from gateway.store.errors import DamagedWireMessage
from gateway.store.keys import KeyRing
from gateway.store.month_keys import month_of
from gateway.store.scope import Scope, within
from gateway.store.transaction import Transaction

_LEVEL: Final = 1  # on the way of every answer: two thirds of the time for a tenth more space
_MOST_BYTES: Final = 64 * 1024 * 1024
_PUT_SQLITE: Final = (
    "INSERT INTO wire_message (hash, scope, plan, month, generation, sealed)"
    " VALUES (?, ?, ?, ?, 0, ?) ON CONFLICT (hash, scope) DO NOTHING"
)
_PUT_POSTGRES: Final = _PUT_SQLITE.replace("?", "%s")
_local = threading.local()


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
    """Keeps it; the same bytes twice are kept once.

    Every exchange keeps two, so it speaks to the driver itself, as `exchange_log` does.
    """
    cursor = transaction.cursor()
    scope = f"{message.plan or ''}/{message.month}"
    cursor.execute(
        _PUT_POSTGRES if transaction.is_postgres else _PUT_SQLITE,
        (message.hash, scope, message.plan, message.month, message.sealed),
    )
    cursor.close()


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
        envelope = zstandard.ZstdDecompressor().decompress(content, max_output_size=_MOST_BYTES)
    except (InvalidTag, zstandard.ZstdError):
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
        compressor = _local.compressor = zstandard.ZstdCompressor(level=_LEVEL)
    return compressor
