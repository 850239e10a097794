"""How exchange records are sealed into one chain, and how the chain is verified.

Each record's columns make one canonical text; leaf = SHA-256(0x00 ‖ canon), as in RFC 6962, and
hash = SHA-256(0x02 ‖ previous hash ‖ leaf ‖ sequence). Sequences are gapless from 1. The chain
alone cannot tell that its last records were cut off together with the head: for that a copy of
the head must lie elsewhere.
"""

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

import orjson
from sqlalchemy import Row, String, select, type_coerce

from gateway.model.exchange import Exchange, VerifyResult
from gateway.store import tables
from gateway.store.column_types import utc_text
from gateway.store.transaction import Transaction

GENESIS: Final = "0" * 64
"""What the first record stands on."""
_BATCH: Final = 2000
_PLACE: Final = frozenset({"sequence", "canon", "previous_hash", "hash"})
SEALED: Final = tuple(column.name for column in tables.exchange.c if column.name not in _PLACE)
"""The columns that the canonical text holds: all but the record's place in the chain."""


def columns_of(exchange: Exchange) -> dict[str, Any]:
    """The record's own columns."""
    values = {name: getattr(exchange, name) for name in SEALED}
    return {**values, "documents": orjson.dumps(exchange.documents).decode()}


def canonical(values: Mapping[str, Any]) -> str:
    """One text for these columns. None is left out: a column added later changes no old record."""
    stated = {name: value for name, value in values.items() if value is not None}
    if not isinstance(stated["time"], str):
        stated["time"] = utc_text(stated["time"])
    return orjson.dumps(stated, option=orjson.OPT_SORT_KEYS).decode()


def chain_hash(*, previous: str, canon: str, sequence: int) -> str:
    """The hash of the record of that text at that place, as hex."""
    leaf = hashlib.sha256(b"\x00" + canon.encode()).digest()
    place = sequence.to_bytes(8, "big")
    return hashlib.sha256(b"\x02" + bytes.fromhex(previous) + leaf + place).hexdigest()


def verify(transaction: Transaction) -> VerifyResult:
    """Reads every record and recomputes the chain; names the first that is not as sealed."""
    previous, expected = GENESIS, 1
    for row in _rows(transaction):
        fault = _fault(row, expected, previous)
        if fault is not None:
            bad, reason = fault
            return VerifyResult(expected - 1, bad, reason)
        previous, expected = row.hash, expected + 1
    head = transaction.connection.execute(select(tables.exchange_head)).first()
    if head is None or head.sequence > expected - 1:
        return VerifyResult(expected - 1, expected, f"record {expected} is missing: the end is cut")
    if (head.sequence, head.hash) != (expected - 1, previous):
        bad = max(expected - 1, 1)
        return VerifyResult(expected - 1, bad, "the head does not name the last record")
    return VerifyResult(expected - 1)


def _fault(row: Row[Any], expected: int, previous: str) -> tuple[int, str] | None:
    """Which record is wrong and why, seen from this row; None when it stands as it should."""
    if row.sequence != expected:
        return expected, f"record {expected} is missing"
    values = {name: row._mapping[name] for name in SEALED}
    if _readable(values) != row.canon:
        return expected, f"record {expected} was changed: {_changed(values, row.canon)}"
    if row.previous_hash != previous:
        if expected > 1 and _is_sealed_over(row, row.previous_hash):
            # It still fits the record it was sealed over, so the one before is another now.
            return expected - 1, f"record {expected - 1} was rewritten after it was sealed"
        return expected, f"record {expected} was changed: previous_hash"
    if not _is_sealed_over(row, previous):
        return expected, f"record {expected} was changed: its hash does not fit its content"
    return None


def _readable(values: Mapping[str, Any]) -> str:
    """The canonical text even of what could never be sealed: SQLite keeps anything anywhere."""
    try:
        return canonical(values)
    except (TypeError, ValueError):
        return canonical({name: repr(value) for name, value in values.items()})


def _is_sealed_over(row: Row[Any], previous: object) -> bool:
    try:
        sealed = chain_hash(
            previous=str(previous), canon=str(row.canon), sequence=int(row.sequence)
        )
    except ValueError:
        return False
    return bool(sealed == row.hash)


def _changed(values: Mapping[str, Any], canon: object) -> str:
    """Names of the columns that no longer agree with the sealed text."""
    try:
        sealed = orjson.loads(str(canon))
        now = orjson.loads(_readable(values))
        return (
            ", ".join(name for name in SEALED if sealed.get(name) != now.get(name))
            or "its canonical text"
        )
    except (ValueError, AttributeError):
        return "its canonical text"


def _rows(transaction: Transaction) -> Iterator[Row[Any]]:
    """All records by sequence, in batches; the time as SQLite holds it, readable or not."""
    table = tables.exchange
    time = table.c.time if transaction.is_postgres else type_coerce(table.c.time, String)
    others = [column for column in table.c if column.name != "time"]
    after = None
    while True:
        statement = select(*others, time.label("time")).order_by(table.c.sequence).limit(_BATCH)
        if after is not None:
            statement = statement.where(table.c.sequence > after)
        rows: Sequence[Any] = transaction.connection.execute(statement).all()
        yield from rows
        if len(rows) < _BATCH:
            return
        after = rows[-1].sequence
