"""How exchange records are sealed into one chain, and how the chain is verified.

Each record's columns make one canonical text; leaf = SHA-256(0x00 ‖ canon), as in RFC 6962, and
hash = SHA-256(0x02 ‖ previous hash ‖ leaf ‖ sequence). Sequences are gapless from 1. The chain
alone cannot tell that its last records were cut off together with the head: for that a copy of
the head must lie elsewhere.
"""

import hashlib
from binascii import hexlify, unhexlify
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import fields
from operator import attrgetter
from typing import Any, Final

import orjson
from sqlalchemy import func, select, text

from gateway.model.exchange import Exchange, VerifyResult
from gateway.model.merkle import Frontier, leaf_hash
from gateway.store import tables
from gateway.store.column_types import utc_text
from gateway.store.document_index import Filing, first_misfiled
from gateway.store.exchange_columns import TIME_POSTGRES, Agreement
from gateway.store.exchange_indexes import first_unindexed
from gateway.store.exchange_private import private_columns
from gateway.store.month_key import MonthKey
from gateway.store.sql import indexable
from gateway.store.sqlite_any_text import any_text
from gateway.store.transaction import Transaction

GENESIS: Final = "0" * 64
"""What the first record stands on."""
_BATCH: Final = 2000
_PLACE: Final = frozenset({"sequence", "canon", "previous_hash", "hash"})
SEALED: Final = tuple(column.name for column in tables.exchange.c if column.name not in _PLACE)
"""The columns that the canonical text holds: all but the record's place in the chain."""
_NAMES: Final = tuple(sorted(SEALED))
_STATED: Final = tuple(field.name for field in fields(Exchange) if field.name in SEALED)
_stated_by: Final[Callable[[Exchange], tuple[Any, ...]]] = attrgetter(*_STATED)
"""What the exchange itself says of the columns; the others hold what is private, or how."""
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
    values = dict.fromkeys(SEALED) | dict(zip(_STATED, _stated_by(exchange), strict=True))
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
    with any_text(transaction):
        return _verified(transaction, sizes)


def _verified(
    transaction: Transaction, sizes: Iterable[int]
) -> tuple[VerifyResult, dict[int, bytes]]:
    chain = _Chain(sizes)
    with Filing(transaction) as filing:
        broken = _walk(transaction, chain, filing)
        is_filed = broken is None and filing.is_whole()
    walked = chain.records
    if broken is not None:
        return VerifyResult(walked, *broken), chain.roots
    head = transaction.connection.execute(select(tables.exchange_head)).first()
    # SQLite keeps anything anywhere: a head that is no number names no record.
    if head is None or (isinstance(head.sequence, int) and head.sequence > walked):
        reason = f"record {walked + 1} is missing: the end is cut"
        return VerifyResult(walked, walked + 1, reason), chain.roots
    if (head.sequence, head.hash) != (walked, chain.hash):
        bad, reason = max(walked, 1), "the head does not name the last record"
        return VerifyResult(walked, bad, reason), chain.roots
    if (found := _uncounted(transaction, walked)) is not None:
        return VerifyResult(max(found[0], 1) - 1, *found), chain.roots
    if not is_filed and (found := _misfiled(transaction)) is not None:
        return VerifyResult(min(found[0], walked + 1) - 1, *found), chain.roots
    return VerifyResult(walked), chain.roots


def _misfiled(transaction: Transaction) -> tuple[int, str] | None:
    try:
        sequence = first_misfiled(transaction)
    except ValueError:
        return 1, "a document is named by what is no record"
    if sequence is None:
        return None
    return sequence, f"record {sequence} is not found by just the documents that it names"


class _Chain:
    """The chain as it is recomputed: how many records fit so far, the last one's hash, and the
    Merkle roots over as many as were wanted."""

    def __init__(self, sizes: Iterable[int]) -> None:
        self.records = 0
        self.hash = GENESIS
        self._tree = Frontier()
        self._wanted = sorted({size for size in sizes if size >= 0}, reverse=True)
        self.roots: dict[int, bytes] = {}
        self._grow([])

    def take_as_said(self, rows: Iterator[Sequence[Any]]) -> Sequence[Any] | None:
        """Takes records that fit, and whose columns agree by the database's word.

        Returns the first that is none of these; None at the end. A million go by here: half of
        the time is the database's, most of the rest is hashing.
        """
        expected, before = self.records + 1, self.hash.encode()
        previous, leaves, other = unhexlify(before), list[bytes](), None
        for row in rows:
            sequence, stands_on, sealed, content, agrees, _, _ = row
            if not agrees or sequence != expected or stands_on != before:
                other = row
                break
            leaf = _sha256(b"\x00" + content).digest()
            found = _sha256(b"\x02" + previous + leaf + expected.to_bytes(8, "big")).digest()
            if hexlify(found) != sealed:
                other = row
                break
            leaves.append(leaf)
            expected, before, previous = expected + 1, sealed, found
        self.hash = before.decode()
        self._grow(leaves)
        return other

    def take(self, leaf: bytes, sealed: str) -> None:
        """Takes the next record, of which the caller has found that it fits."""
        self.hash = sealed
        self._grow([leaf])

    def _grow(self, leaves: list[bytes]) -> None:
        before, self.records = self.records, self.records + len(leaves)
        while self._wanted and self._wanted[-1] <= self.records:
            size = self._wanted.pop()
            self._tree.extend(leaves[self._tree.size - before : size - before])
            self.roots[size] = self._tree.root()
        self._tree.extend(leaves[self._tree.size - before :])


def _walk(transaction: Transaction, chain: _Chain, filing: Filing) -> tuple[int, str] | None:
    """Which record is the first that is not as sealed, and why; None if all are."""
    agreement = Agreement(transaction, _NAMES)
    rows = agreement.following()
    while rows:
        filing.compare(agreement.named)
        ahead = iter(rows)
        while (row := chain.take_as_said(ahead)) is not None:
            expected = chain.records + 1
            if row[_SEQUENCE] != expected:
                return _misplaced(row[_SEQUENCE], expected)
            # Column by column, for the database may only spell it otherwise than we do.
            whole = next(_rows(transaction, after=chain.records, batch=1))
            leaf = _leaf_if_sealed(whole, expected, chain.hash)
            if leaf is None:
                return _fault(whole, expected, chain.hash)
            chain.take(leaf, whole[_HASH])
            if agreement.learn(whole[_COLUMNS:]):
                break  # the rest is asked for again, by what was just learned
        rows = agreement.following(chain.records)
    return None


def _uncounted(transaction: Transaction, walked: int) -> tuple[int, str] | None:
    """A record that a search would show and the walk has not met, or the other way round.

    Whoever owns the database may drop the key, and let a record stand twice; put one before all
    others; have PostgreSQL hide some from whom it likes; or keep some out of an index.
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
    return first_unindexed(transaction)


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


def _leaf_if_sealed(row: Sequence[Any], expected: int, previous: str) -> bytes | None:
    """The leaf of a row with all its columns, each of them compared here; None if it does not fit
    the record before."""
    sequence, before, sealed, canon, *columns = row
    stated = {n: v for n, v in zip(_NAMES, columns, strict=True) if v is not None}
    try:
        content = orjson.dumps(stated)
        is_alike = canon.encode() == content
    except (TypeError, AttributeError, UnicodeError):  # SQLite keeps anything anywhere
        return None
    if not is_alike or sequence != expected or before != previous:
        return None
    leaf = _sha256(b"\x00" + content).digest()
    found = _sha256(b"\x02" + bytes.fromhex(previous) + leaf + expected.to_bytes(8, "big"))
    return leaf if found.hexdigest() == sealed else None


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
        return canonical({name: _spelled(name, value) for name, value in values.items()})


def _spelled(name: str, value: object) -> object:
    """The value, or what Python calls it if no record has such a one there."""
    try:
        orjson.dumps(value)
    except TypeError:
        return repr(value)
    return repr(value) if name == "time" and not isinstance(value, str) else value


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
