"""How exchange records are sealed into one chain, and how the chain is verified.

Each record's columns make one canonical text; leaf = SHA-256(0x00 ‖ canon), as in RFC 6962, and
hash = SHA-256(0x02 ‖ previous hash ‖ leaf ‖ sequence). Sequences are gapless from 1. The chain
alone cannot tell that its last records were cut off together with the head: for that a copy of
the head must lie elsewhere.
"""

import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Final

import orjson
from sqlalchemy import func, select, text

from gateway.model.exchange import Exchange, VerifyResult
from gateway.model.merkle import Frontier, leaf_hash
from gateway.store import tables
from gateway.store.column_types import utc_text
from gateway.store.document_index import first_misfiled
from gateway.store.exchange_columns import TIME_POSTGRES, Agreement
from gateway.store.exchange_private import private_columns
from gateway.store.month_key import MonthKey
from gateway.store.sql import indexable
from gateway.store.transaction import Transaction

GENESIS: Final = "0" * 64
"""What the first record stands on."""
_BATCH: Final = 2000
_BEFORE_ALL: Final = -(2**63)
_PLACE: Final = frozenset({"sequence", "canon", "previous_hash", "hash"})
SEALED: Final = tuple(column.name for column in tables.exchange.c if column.name not in _PLACE)
"""The columns that the canonical text holds: all but the record's place in the chain."""
_NAMES: Final = tuple(sorted(SEALED))
_FILTERED: Final = text(
    "SELECT relname FROM pg_catalog.pg_class WHERE (relrowsecurity OR relkind <> 'r') "
    "AND oid IN ('exchange'::regclass, 'exchange_document'::regclass)"
)
_sha256: Final = hashlib.sha256
_SEQUENCE, _PREVIOUS, _HASH, _CANON, _COLUMNS = range(5)
"""Where a row that is verified has what; the sealed columns follow, by name."""


def columns_of(exchange: Exchange, key: MonthKey | None = None) -> dict[str, Any]:
    """The record's own columns; what a peer calls itself, no longer than an index takes.

    `key` is that of the record's month, for one that has something private.
    """
    values = {name: getattr(exchange, name, None) for name in SEALED}
    values |= private_columns(exchange, key)
    values["person"], values["purpose"] = indexable(exchange.person), indexable(exchange.purpose)
    return values


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
    return verify_with_roots(transaction, ())[0]


def verify_with_roots(
    transaction: Transaction, sizes: Iterable[int]
) -> tuple[VerifyResult, dict[int, bytes]]:
    """As `verify`; also the Merkle root over so many records, for each size that is reached."""
    wanted, tree = set(sizes), Frontier()
    roots = {0: tree.root()} if 0 in wanted else {}
    previous, expected, after = bytes.fromhex(GENESIS), 1, _BEFORE_ALL
    agreement = Agreement(transaction, _NAMES)
    for row in agreement.rows():
        sealed = _sealed_as_said(row, expected, previous)
        if sealed is None and row[_SEQUENCE] != expected:
            return VerifyResult(expected - 1, *_misplaced(row[_SEQUENCE], expected)), roots
        if sealed is None:
            # Column by column, for the database may only spell it otherwise than we do.
            whole = next(_rows(transaction, after=after, batch=1))
            sealed = _sealed(whole, expected, previous)
            if sealed is None:
                bad, reason = _fault(whole, expected, previous.hex())
                return VerifyResult(expected - 1, bad, reason), roots
            agreement.learn(whole[_COLUMNS:])
        leaf, previous = sealed
        after = expected
        tree.add(leaf)
        if expected in wanted:
            roots[expected] = tree.root()
        expected += 1
    head = transaction.connection.execute(select(tables.exchange_head)).first()
    if head is None or head.sequence > expected - 1:
        reason = f"record {expected} is missing: the end is cut"
        return VerifyResult(expected - 1, expected, reason), roots
    if (head.sequence, head.hash) != (expected - 1, previous.hex()):
        bad, reason = max(expected - 1, 1), "the head does not name the last record"
        return VerifyResult(expected - 1, bad, reason), roots
    if (found := _uncounted(transaction, expected - 1)) is not None:
        return VerifyResult(max(found[0], 1) - 1, *found), roots
    misfiled = first_misfiled(transaction)
    if misfiled is not None:
        reason = f"record {misfiled} is not found by just the documents that it names"
        return VerifyResult(min(misfiled, expected) - 1, misfiled, reason), roots
    return VerifyResult(expected - 1), roots


def _uncounted(transaction: Transaction, walked: int) -> tuple[int, str] | None:
    """A record that a search would show and the walk has not met, or the other way round.

    Whoever owns the database may drop the key, and let a record stand twice; put one before all
    others; or have PostgreSQL hide some from whom it likes.
    """
    table = tables.exchange.c.sequence
    # Asked for apart: each alone is had from an index, both at once from the whole table.
    run = transaction.connection.execute
    number = run(select(func.count()).select_from(tables.exchange)).scalar_one()
    lowest = run(select(func.min(table))).scalar()
    if lowest is not None and lowest < 1:
        return _misplaced(lowest, 1)
    if number != walked:
        again = select(table).group_by(table).having(func.count() > 1).order_by(table).limit(1)
        return _misplaced(run(again).scalar() or walked, walked + 1)
    if transaction.is_postgres and run(_FILTERED).scalar() is not None:
        return 1, "the database does not show the log's records to everybody alike"
    return None


def leaves(transaction: Transaction, *, after: int, until: int) -> Iterator[bytes]:
    """The leaves of the records from the one after `after`, to `until`, as they are stored."""
    for row in _rows(transaction, after=after):
        if row[_SEQUENCE] > until:
            return
        yield leaf_hash(str(row[_CANON]).encode())


def canon_of(transaction: Transaction, sequence: int) -> str:
    """The canonical text of one record, as it is stored.

    Raises:
        LookupError: there is no such record.
    """
    table = tables.exchange
    statement = select(table.c.canon).where(table.c.sequence == sequence)
    canon = transaction.connection.execute(statement).scalar()
    if canon is None:
        raise LookupError("there is no such record")
    return str(canon)


def _sealed_as_said(
    row: Sequence[Any], expected: int, previous: bytes
) -> tuple[bytes, bytes] | None:
    """Leaf and hash of a record whose columns agree by the database's word; None for any other.

    A million go by here: half of the time is the database's, most of the rest is hashing.
    """
    sequence, before, sealed, content, agrees = row
    # `before` and `sealed` are compared as text: nothing but text equals it.
    if not agrees or sequence != expected or before != previous.hex():
        return None
    leaf = _sha256(b"\x00" + content).digest()
    found = _sha256(b"\x02" + previous + leaf + expected.to_bytes(8, "big")).digest()
    return (leaf, found) if found.hex() == sealed else None


def _sealed(row: Sequence[Any], expected: int, previous: bytes) -> tuple[bytes, bytes] | None:
    """As `_sealed_as_said`, of a row with all its columns, each of them compared here."""
    sequence, before, sealed, canon, *columns = row
    stated = {n: v for n, v in zip(_NAMES, columns, strict=True) if v is not None}
    try:
        content = orjson.dumps(stated)
        is_alike = canon.encode() == content
    except (TypeError, AttributeError, UnicodeError):  # SQLite keeps anything anywhere
        return None
    if not is_alike or sequence != expected or before != previous.hex():
        return None
    leaf = _sha256(b"\x00" + content).digest()
    found = _sha256(b"\x02" + previous + leaf + expected.to_bytes(8, "big"))
    return (leaf, found.digest()) if found.hexdigest() == sealed else None


def _misplaced(sequence: int, expected: int) -> tuple[int, str]:
    """What it is that stands where the record `expected` should."""
    if sequence > expected:
        return expected, f"record {expected} is missing"
    if sequence < 1:
        return sequence, f"record {sequence} was inserted: the first is 1"
    return sequence, f"record {sequence} was inserted beside the one that is sealed"


def _fault(row: Sequence[Any], expected: int, previous: str) -> tuple[int, str]:
    """Which record is wrong and why, seen from this row."""
    values = dict(zip(_NAMES, row[_COLUMNS:], strict=True))
    if _readable(values) != row[_CANON]:
        return expected, f"record {expected} was changed: {_changed(values, row[_CANON])}"
    if row[_PREVIOUS] != previous:
        if expected > 1 and _is_sealed_over_another(row, previous):
            # It still fits the record it was sealed over, so the one before is another now.
            return expected - 1, f"record {expected - 1} was rewritten after it was sealed"
        return expected, f"record {expected} was changed: previous_hash"
    return expected, f"record {expected} was changed: its hash does not fit its content"


def _readable(values: Mapping[str, Any]) -> str:
    """The canonical text even of what could never be sealed: SQLite keeps anything anywhere."""
    try:
        return canonical(values)
    except (TypeError, ValueError, KeyError, AttributeError):
        return canonical({**{name: repr(value) for name, value in values.items()}})


def _is_sealed_over_another(row: Sequence[Any], previous: str) -> bool:
    """Whether its hash fits the one that it names, and that is not `previous` spelled otherwise."""
    try:
        named = bytes.fromhex(str(row[_PREVIOUS])).hex()
        sealed = chain_hash(previous=named, canon=str(row[_CANON]), sequence=int(row[_SEQUENCE]))
    except ValueError:
        return False
    return named != previous and bool(sealed == row[_HASH])


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


def _rows(transaction: Transaction, *, after: int, batch: int = _BATCH) -> Iterator[Sequence[Any]]:
    """All records by sequence, in batches, as the driver gives them."""
    statement = _select(transaction.is_postgres)
    cursor = transaction.cursor()
    while True:
        rows = cursor.execute(statement, (after, batch)).fetchall()
        yield from rows
        if len(rows) < batch:
            break
        after = rows[-1][_SEQUENCE]
    cursor.close()


def _select(is_postgres: bool) -> str:
    """The time as text: on SQLite as it is held, readable or not, on PostgreSQL spelled alike."""
    columns = ", ".join(f'"{name}"' for name in _NAMES)
    mark = "?"
    if is_postgres:
        mark = "%s"
        columns = columns.replace('"time"', TIME_POSTGRES)
    return (
        f"SELECT sequence, previous_hash, hash, canon, {columns} FROM exchange "  # noqa: S608
        f"WHERE sequence > {mark} ORDER BY sequence LIMIT {mark}"
    )
