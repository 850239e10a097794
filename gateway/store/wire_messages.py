"""Envelopes as they crossed the wire, kept for whoever has to prove or to follow what was said.

Each is compressed, by a dictionary of what all of them say alike, then sealed under the key that
its plan's log has for the month, or the house's for what belongs to no single plan; it goes when
its month is disposed of. Those from before there were such keys are sealed under the plan's own.
The exchange record names it by the hash of its plain bytes, so that what is opened can be shown to
be what was sealed. A request that was answered at once is sealed together with its answer: a row
less for every exchange. Attachments are documents, and kept as such.
"""

import hashlib
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cache, lru_cache
from pathlib import Path
from typing import Any, Final

import zstandard
from cryptography.exceptions import InvalidTag
from sqlalchemy import ColumnElement, Row, and_, select, type_coerce
from sqlalchemy.types import NullType

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
MOST_TOGETHER: Final = 1024 * 1024
"""Octets of a request and its answer that are sealed together; far below what is opened at once."""
AS_KEPT: Final[tuple[ColumnElement[Any], ...]] = tuple(
    type_coerce(column, NullType()).label(column.name) for column in tables.wire_message.c
)
"""The columns as the driver gives them: SQLite keeps anything anywhere, and what is no octets is
for `open_message` to say."""
_local = threading.local()


@quickly_made
@dataclass(frozen=True, slots=True)
class WireMessage:
    """An envelope as it is kept, or an answer with its request before it."""

    hash: str
    """Of the answer, where there are two."""
    plan: PlanId | None
    sealed: bytes
    month: str | None
    generation: int = 0
    """Of the plan's own key, for what was sealed before months had one."""
    asked: str | None = None
    """The request's hash, where there are two."""
    asked_bytes: int | None = None
    """How long that request is."""
    wanted: str | None = None
    """The hash that it was looked for by, if that is not `hash`."""


def seal_message(
    keys: KeyRing, envelope: bytes, *, plan: PlanId | None, now: datetime
) -> WireMessage:
    """Before the unit of work that keeps it, for a month's first key is made with it."""
    digest, month = hashlib.sha256(envelope).hexdigest(), month_of(now)
    key = keys.sealing_month_key(plan, month)
    return WireMessage(digest, plan, key.seal(_compressor().compress(envelope), digest), month)


def seal_together(
    keys: KeyRing, request: bytes, answer: bytes, *, plan: PlanId | None, now: datetime
) -> WireMessage:
    """`seal_message` of both, for an exchange each of whose records names both.

    The answer must be one of a kind, which its message id makes it: else it would be kept with
    the first of its requests alone. Both are `MOST_TOGETHER` at the most.
    """
    asked, digest = hashlib.sha256(request).hexdigest(), hashlib.sha256(answer).hexdigest()
    month, packed = month_of(now), _compressor().compress(request + answer)
    sealed = keys.sealing_month_key(plan, month).seal(packed, digest)
    return WireMessage(digest, plan, sealed, month, asked=asked, asked_bytes=len(request))


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


def _row(message: WireMessage) -> tuple[str | bytes | int | None, ...]:
    scope = f"{message.plan or ''}/{message.month}"
    asked = message.asked, message.asked_bytes
    return message.hash, scope, message.plan, message.month, message.sealed, *asked


@lru_cache(maxsize=2 * _AT_ONCE)
def _insert(count: int, mark: str) -> str:
    row = f"({mark}, {mark}, {mark}, {mark}, 0, {mark}, {mark}, {mark})"
    insert = insertion(is_postgres=mark == "%s")
    return (
        f"{insert} wire_message (hash, scope, plan, month, generation, sealed, asked, asked_bytes)"
        f" VALUES {', '.join([row] * count)} ON CONFLICT (hash, scope) DO NOTHING"
    )


def get(
    transaction: Transaction, *, plan: Scope, hash: str, answer: str | None = None
) -> WireMessage | None:
    """The envelope of that hash, still sealed; None when the scope has none.

    `answer` is the hash of the answer that its record names beside it: a request may be sealed
    together with that.
    """
    table = tables.wire_message
    places = [table.c.hash == hash]
    if answer is not None:
        places.append(and_(table.c.hash == answer, table.c.asked == hash))
    for place in places:
        found = select(*AS_KEPT).where(place, within(table.c.plan, plan)).limit(1)
        row = transaction.connection.execute(found).first()
        if row is not None:
            return of_row(row, wanted=hash)
    return None


def of_row(row: Row[Any], *, wanted: str | None = None) -> WireMessage:
    """What that row of the table keeps."""
    plan = None if row.plan is None else PlanId(row.plan)
    asked = row.asked, row.asked_bytes
    return WireMessage(row.hash, plan, row.sealed, row.month, row.generation, *asked, wanted)


def open_message(keys: KeyRing, message: WireMessage) -> bytes:
    """The bytes of the envelope that was looked for; of two the answer, if none was.

    Raises:
        DamagedWireMessage: they, or those that are sealed with them, are not what was sealed.
        MonthDisposed: their month was disposed of meanwhile.
        KeyFileUnusable: they were sealed under another key than the file holds.
    """
    try:
        content = _unsealed(keys, message)
        number = zstandard.get_frame_parameters(content).dict_id
        unpacker = zstandard.ZstdDecompressor(dict_data=_dictionary(number) if number else None)
        plain = unpacker.decompress(content, max_output_size=_MOST_BYTES)
        parts = {message.hash: plain}
        if message.asked is not None:
            length = message.asked_bytes or 0
            parts = {message.asked: plain[:length], message.hash: plain[length:]}
    # What is too short to be sealed at all has no nonce, which is a ValueError; SQLite keeps
    # anything anywhere, also what is no octets and no number.
    except (InvalidTag, ValueError, TypeError, zstandard.ZstdError, FileNotFoundError):
        raise DamagedWireMessage(message.hash) from None
    if any(hashlib.sha256(part).hexdigest() != hash for hash, part in parts.items()):
        raise DamagedWireMessage(message.hash)
    return parts[message.wanted or message.hash]


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
