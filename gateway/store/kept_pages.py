"""What is kept beside the log, a page at a time, for whoever has to read all of it."""

from collections.abc import Collection
from typing import Final

from sqlalchemy import func, or_, select, tuple_

from gateway.model.identity import DocumentId, PlanId
from gateway.store import tables
from gateway.store.sqlite_any_text import any_text
from gateway.store.transaction import Transaction
from gateway.store.wire_messages import AS_KEPT, WireMessage, of_row

Key = tuple[str, str]
"""After which of a table's keys a page goes on; before all of them two empty texts."""
FIRST: Final[Key] = ("", "")


def envelopes(
    transaction: Transaction, *, after: Key, limit: int
) -> tuple[tuple[Key, WireMessage], ...]:
    """Envelopes as they are sealed, each with its key."""
    table = tables.wire_message
    page = select(*AS_KEPT).where(tuple_(table.c.hash, table.c.scope) > tuple_(*after))
    page = page.order_by(table.c.hash, table.c.scope).limit(limit)
    with any_text(transaction):
        rows = transaction.connection.execute(page).all()
    return tuple(((row.hash, row.scope), of_row(row)) for row in rows)


def blobs(
    transaction: Transaction, *, after: Key, limit: int
) -> tuple[tuple[PlanId, str, str], ...]:
    """Plan, address and SHA-256 of the bytes that something refers to."""
    table = tables.blob
    page = select(table.c.plan, table.c.address, table.c.sha256)
    page = page.where(tuple_(table.c.plan, table.c.address) > tuple_(*after))
    rows = transaction.connection.execute(page.order_by(table.c.plan, table.c.address).limit(limit))
    return tuple((PlanId(row.plan), row.address, row.sha256) for row in rows)


def known_documents(transaction: Transaction, ids: Collection[DocumentId]) -> frozenset[DocumentId]:
    """Those of the ids that are a document's."""
    table = tables.document
    rows = transaction.connection.execute(select(table.c.id).where(table.c.id.in_(list(ids))))
    return frozenset(DocumentId(id) for id in rows.scalars())


def first_naming(transaction: Transaction, hash: str) -> int | None:
    """The first record that names an envelope by that hash; all of them are gone through."""
    table = tables.exchange
    named = or_(table.c.request_hash == hash, table.c.answer_hash == hash)
    found: int | None = transaction.connection.execute(
        select(func.min(table.c.sequence)).where(named)
    ).scalar()
    return found


def held_as(transaction: Transaction, plan: PlanId, address: str) -> str:
    """What those bytes are, in words."""
    table = tables.document
    ids = transaction.connection.execute(
        select(table.c.id).where(table.c.plan == plan, table.c.blob_address == address)
    ).scalars()
    return ", ".join(f"document {id}" for id in ids) or f"a message of {plan}"
