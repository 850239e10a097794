"""Whether the checkpoints that are kept here are signed by the log's keys, and of this log."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

from sqlalchemy import select

from gateway.model.checkpoint import InvalidCheckpoint, LogKey, read_checkpoint
from gateway.model.exchange import VerifyResult
from gateway.store import tables
from gateway.store.checkpoints import signed_tree
from gateway.store.exchange_chain import verify_with_roots
from gateway.store.sqlite_any_text import any_text
from gateway.store.transaction import Transaction

_LOOKED_AT: Final = 100
"""Of the newest: from these the tree goes on, and each costs a signature to check."""
NEW_KEY: Final = "CHECKPOINT-KEY"
"""The transaction of a record that says with which key the log is signed from then on."""


def verify_with_kept(
    transaction: Transaction, sizes: Iterable[int], keys: Sequence[LogKey]
) -> tuple[VerifyResult, dict[int, bytes], str | None]:
    """`verify_with_roots`, and in the same snapshot what is wrong with what is kept, in words."""
    table = tables.checkpoint
    columns = (table.c.size, table.c.note, table.c.key, table.c.frontier)
    newest = select(*columns).order_by(table.c.size.desc()).limit(_LOOKED_AT)
    with any_text(transaction):
        rows = transaction.connection.execute(newest).all()
    result, roots = verify_with_roots(transaction, [*sizes, *(row.size for row in rows)])
    if result.reason is not None:
        return result, roots, None
    hints = _hints(transaction)
    faults = (_fault(row, result.records, roots, keys, hints) for row in rows)
    return result, roots, next(filter(None, faults), None)


def _fault(
    row: Any,
    records: int,
    roots: Mapping[int, bytes],
    keys: Sequence[LogKey],
    hints: frozenset[str],
) -> str | None:
    name = f"the checkpoint of {row.size} records that is kept here"
    if row.size > records:
        return f"{name} is of more than there are"
    signer = _signer(row, [*keys, *_named(row, hints)])
    if signer is None:
        return f"{name} was signed by no key of this log"
    if roots.get(row.size) != read_checkpoint(row.note, signer).root:
        return f"{name} was signed over others"
    return None if signed_tree(row, signer) else f"{name} does not lead to what was signed"


def _signer(row: Any, keys: Sequence[LogKey]) -> LogKey | None:
    for key in keys:
        try:
            if read_checkpoint(row.note, key).size == row.size:
                return key
        except (InvalidCheckpoint, TypeError, AttributeError, UnicodeError):
            continue
    return None


def _named(row: Any, hints: frozenset[str]) -> list[LogKey]:
    """The key beside it, if a record says that the log was signed with it."""
    try:
        key = LogKey.parse(row.key)
    except (InvalidCheckpoint, AttributeError):
        return []
    return [key] if key.hint.hex() in hints else []


def _hints(transaction: Transaction) -> frozenset[str]:
    table = tables.exchange
    said = select(table.c.reason).where(
        table.c.transaction == NEW_KEY, table.c.outcome == "success"
    )
    reasons = transaction.connection.execute(said).scalars()
    return frozenset(str(reason).rpartition(" ")[2] for reason in reasons)
