"""The log's checkpoints as we made them, and where each was published.

They are no evidence here: whoever can rewrite the log can rewrite these too. They say from where
the tree goes on without being read again, and what still has to be published.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

import orjson
from sqlalchemy import bindparam, insert, select, update

from gateway.model.merkle import Frontier
from gateway.store import tables
from gateway.store.exchange_chain import leaves
from gateway.store.prepared import Prepared
from gateway.store.transaction import Transaction

_HEAD: Final = Prepared(select(tables.exchange_head.c.sequence, tables.exchange_head.c.hash))
_LAST: Final = Prepared(
    select(tables.checkpoint).order_by(tables.checkpoint.c.size.desc()).limit(bindparam("limit"))
)
_KEPT: Final = 100
"""How many of the last are looked through for what is still to be published."""


@dataclass(frozen=True, slots=True)
class StoredCheckpoint:
    """A checkpoint: the signed `note`, its key as `LogKey.text`, the places it was published at."""

    size: int
    note: str
    key: str
    made: datetime
    published: frozenset[str]


@dataclass(frozen=True, slots=True)
class Grown:
    """The log now: so many records, the last one's hash, and the tree over all."""

    size: int
    head: str
    tree: Frontier


def size(transaction: Transaction) -> int:
    """How many records there are."""
    return int(_head(transaction).sequence)


def grown(transaction: Transaction) -> Grown:
    """The tree over every record; read from the last checkpoint on."""
    head = _head(transaction)
    row = _last_row(transaction)
    tree = Frontier()
    if row is not None and row.size <= head.sequence:
        tree = Frontier(row.size, [bytes.fromhex(one) for one in orjson.loads(row.frontier)])
    for leaf in leaves(transaction, after=tree.size, until=head.sequence):
        tree.add(leaf)
    return Grown(tree.size, head.hash, tree)


def put(transaction: Transaction, grown: Grown, *, note: str, key: str, now: datetime) -> bool:
    """Keeps the checkpoint; False if another process has just made one of that size."""
    last = _last_row(transaction)
    if last is not None and last.size >= grown.size:
        return False
    values = {
        "size": grown.size,
        "plan": None,
        "note": note,
        "key": key,
        "frontier": orjson.dumps([root.hex() for root in grown.tree.roots]).decode(),
        "made": now,
        "published": "[]",
    }
    transaction.connection.execute(insert(tables.checkpoint).values(values))
    return True


def last(transaction: Transaction) -> StoredCheckpoint | None:
    """The newest, if there is one."""
    row = _last_row(transaction)
    return None if row is None else _stored(row)


def newest(transaction: Transaction, limit: int = _KEPT) -> tuple[StoredCheckpoint, ...]:
    """The newest so many, the oldest of them first."""
    rows = _LAST.rows(transaction, {"limit": limit})
    return tuple(_stored(row) for row in reversed(rows))


def mark_published(transaction: Transaction, size: int, place: str) -> None:
    """That the checkpoint of that size lies at that place."""
    table = tables.checkpoint
    row = transaction.connection.execute(
        select(table.c.published).where(table.c.size == size).with_for_update()
    ).one()
    places = sorted({*orjson.loads(row.published), place})
    transaction.connection.execute(
        update(table).where(table.c.size == size).values(published=orjson.dumps(places).decode())
    )


def _head(transaction: Transaction) -> Any:
    head = _HEAD.first(transaction, {})
    if head is None:
        raise RuntimeError("the log has lost its head")
    return head


def _last_row(transaction: Transaction) -> Any | None:
    return _LAST.first(transaction, {"limit": 1})


def _stored(row: Any) -> StoredCheckpoint:
    return StoredCheckpoint(
        row.size, row.note, row.key, row.made, frozenset(orjson.loads(row.published))
    )
