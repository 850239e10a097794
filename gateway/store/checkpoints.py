"""The log's checkpoints as we made them, and where each was published.

They are no evidence here: whoever can rewrite the log can rewrite these too. They say from where
the tree goes on without being read again, as far as our key has signed it, and what still has to
be published. `kept_checkpoints` says whether they are what was signed.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

import orjson
from sqlalchemy import bindparam, select, update

from gateway.model.checkpoint import InvalidCheckpoint, LogKey, read_checkpoint
from gateway.model.merkle import Frontier
from gateway.store import tables
from gateway.store.exchange_chain import leaves
from gateway.store.prepared import Prepared
from gateway.store.sql import insert_new
from gateway.store.transaction import Transaction

_HEAD: Final = Prepared(select(tables.exchange_head.c.sequence, tables.exchange_head.c.hash))
_LAST: Final = Prepared(
    select(tables.checkpoint)
    .where(tables.checkpoint.c.size <= bindparam("head"))
    .order_by(tables.checkpoint.c.size.desc())
    .limit(bindparam("limit"))
)
_KEPT: Final = 100
"""How many of the last are looked through for what is still to be published, or believed."""


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


def grown(transaction: Transaction, key: LogKey) -> Grown:
    """The tree over every record; read from the last checkpoint on that `key` has signed.

    A row is believed only if its frontier leads to the root that was signed: else what we sign
    next would say that there are records which there are not. Without one all is read again.
    """
    head = _head(transaction)
    found = _believed(transaction, key)
    tree = Frontier() if found is None else found[1]
    for leaf in leaves(transaction, after=tree.size, until=head.sequence):
        tree.add(leaf)
    return Grown(tree.size, head.hash, tree)


def put(transaction: Transaction, grown: Grown, *, note: str, key: str, now: datetime) -> bool:
    """Keeps the checkpoint; False if there is one of that size, whoever made it."""
    values = {
        "size": grown.size,
        "plan": None,
        "note": note,
        "key": key,
        "frontier": orjson.dumps([root.hex() for root in grown.tree.roots]).decode(),
        "made": now,
        "published": "[]",
    }
    return insert_new(transaction, tables.checkpoint, values, ["size"])


def last(transaction: Transaction) -> StoredCheckpoint | None:
    """The newest of no more records than there are, if there is one."""
    return next(iter(newest(transaction, 1)), None)


def last_signed(transaction: Transaction, key: LogKey) -> StoredCheckpoint | None:
    """The newest that `key` has signed."""
    found = _believed(transaction, key)
    return None if found is None else _stored(found[0])


def newest(transaction: Transaction, limit: int = _KEPT) -> tuple[StoredCheckpoint, ...]:
    """The newest so many, the oldest of them first."""
    return tuple(map(_stored, reversed(_rows(transaction, limit))))


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


def _rows(transaction: Transaction, limit: int) -> Sequence[Any]:
    """The last so many rows; whoever adds one beyond the head stops nothing by it."""
    head = _head(transaction).sequence
    return list(_LAST.rows(transaction, {"head": head, "limit": limit}))


def _believed(transaction: Transaction, key: LogKey) -> tuple[Any, Frontier] | None:
    for row in _rows(transaction, _KEPT):
        tree = signed_tree(row, key)
        if tree is not None:
            return row, tree
    return None


def signed_tree(row: Any, key: LogKey) -> Frontier | None:
    """The tree that the row stands for; None unless `key` has signed its root for its size."""
    try:
        signed = read_checkpoint(row.note, key)
        tree = Frontier(row.size, [bytes.fromhex(one) for one in orjson.loads(row.frontier)])
    except (InvalidCheckpoint, TypeError, ValueError, AttributeError):
        return None
    return tree if (signed.size, signed.root) == (row.size, tree.root()) else None


def _stored(row: Any) -> StoredCheckpoint:
    return StoredCheckpoint(
        row.size, row.note, row.key, row.made, frozenset(orjson.loads(row.published))
    )
