"""What documents say, statement by statement, and the summary made of it (DECISIONS 28)."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

import orjson
from sqlalchemy import Row, bindparam, delete, select

from ccda.model import Entry, Section
from gateway.model.document import Document, IndexedEntry
from gateway.model.identity import DocumentId, MemberId, PlanId
from gateway.store import tables
from gateway.store.documents import number_of, read_document, select_documents
from gateway.store.entry_rows import read_entry, read_section, write_entry, write_section
from gateway.store.sql import insert_rows, upsert
from gateway.store.transaction import Transaction

Statements = Mapping[DocumentId, tuple[IndexedEntry, ...]]
"""Those of each document."""
_FORGET_ENTRIES, _FORGET_SECTIONS = (
    delete(table).where(table.c.document == bindparam("number"))
    for table in (tables.entry, tables.section)
)


def insert_sections(
    transaction: Transaction, *, plan: PlanId, document: DocumentId, sections: Sequence[Section]
) -> tuple[IndexedEntry, ...]:
    """Indexes the document anew; the statements as `of_member` would read them back.

    Ordinals count over the whole document, in section order. What an earlier reading of the same
    document left is replaced.

    Raises:
        UnknownId: no such document in this plan.
    """
    number = number_of(transaction, plan=plan, document=document)
    for statement in (_FORGET_ENTRIES, _FORGET_SECTIONS):
        transaction.connection.execute(statement, {"number": number})
    key = {"document": number, "plan": plan}
    rows = [
        {**key, "ordinal": ordinal, **write_section(section)}
        for ordinal, section in enumerate(sections)
    ]
    placed = [
        (position, entry) for position, section in enumerate(sections) for entry in section.entries
    ]
    entries = [
        {**key, "ordinal": ordinal, "section": position, **write_entry(entry)}
        for ordinal, (position, entry) in enumerate(placed)
    ]
    insert_rows(transaction, tables.section, rows)
    insert_rows(transaction, tables.entry, entries)
    return tuple(
        IndexedEntry(document, ordinal, _code(sections[position]), entry)
        for ordinal, (position, entry) in enumerate(placed)
    )


def of_member(
    transaction: Transaction,
    *,
    plan: PlanId,
    member: MemberId,
    superseded: bool = False,
    known: Statements | None = None,
) -> tuple[tuple[Document, tuple[IndexedEntry, ...]], ...]:
    """The member's filed documents, oldest received first, each with its statements.

    Superseded versions only when asked for: a fact that the newer one dropped is in them. `known`
    are the statements of documents that this transaction indexed: they are not read back.
    """
    table = tables.document
    statement = select_documents().where(
        table.c.plan == plan, table.c.member == member, table.c.state == "filed"
    )
    if not superseded:
        statement = statement.where(table.c.superseded_by.is_(None))
    rows = transaction.connection.execute(statement.order_by(table.c.number)).all()
    known = known or {}
    found = _entries(transaction, [row.number for row in rows if row.id not in known])
    return tuple(
        (read_document(row), known.get(row.id) or _indexed(row.id, found.get(row.number, ())))
        for row in rows
    )


def of_document(
    transaction: Transaction, *, plan: PlanId, document: DocumentId
) -> tuple[IndexedEntry, ...]:
    """One document's statements, whatever its state.

    Raises:
        UnknownId: no such document in this plan.
    """
    number = number_of(transaction, plan=plan, document=document)
    return _indexed(document, _entries(transaction, [number]).get(number, ()))


def sections(
    transaction: Transaction, *, plan: PlanId, document: DocumentId
) -> tuple[Section, ...]:
    """The document's sections with their narrative text and statements, as they were read.

    Raises:
        UnknownId: no such document in this plan.
    """
    number = number_of(transaction, plan=plan, document=document)
    inside: dict[int, list[Entry]] = {}
    for row in _entries(transaction, [number]).get(number, ()):
        inside.setdefault(row.section, []).append(read_entry(row))
    table = tables.section
    rows = transaction.connection.execute(
        select(table).where(table.c.document == number).order_by(table.c.ordinal)
    )
    return tuple(read_section(row, tuple(inside.get(row.ordinal, ()))) for row in rows)


def save_summary(
    transaction: Transaction,
    *,
    plan: PlanId,
    member: MemberId,
    summary: Mapping[str, Any],
    as_of: datetime,
) -> None:
    """Keeps the member's merged summary, JSON values only, in place of the one before."""
    values = {
        "plan": plan,
        "member": member,
        "as_of": as_of,
        "summary": orjson.dumps(summary).decode(),
    }
    upsert(transaction, tables.summary, values, ["member"])


def load_summary(
    transaction: Transaction, *, plan: PlanId, member: MemberId
) -> dict[str, Any] | None:
    """The summary as saved; None before the member's first document."""
    table = tables.summary
    text = transaction.connection.execute(
        select(table.c.summary).where(table.c.member == member, table.c.plan == plan)
    ).scalar()
    return None if text is None else dict(orjson.loads(text))


def _entries(transaction: Transaction, documents: list[int]) -> dict[int, list[Row[Any]]]:
    """Rows by document number, in order, with their section's code as `section_code`."""
    if not documents:
        return {}
    entry, section = tables.entry, tables.section
    same = (section.c.document == entry.c.document) & (section.c.ordinal == entry.c.section)
    statement = (
        select(entry, section.c.code.label("section_code"))
        .join_from(entry, section, same)
        .where(entry.c.document.in_(documents))
        .order_by(entry.c.document, entry.c.ordinal)
    )
    found: dict[int, list[Row[Any]]] = {}
    for row in transaction.connection.execute(statement):
        found.setdefault(row.document, []).append(row)
    return found


def _code(section: Section) -> str | None:
    return None if section.code is None else section.code.code


def _indexed(document: DocumentId, rows: Iterable[Row[Any]]) -> tuple[IndexedEntry, ...]:
    return tuple(
        IndexedEntry(document, row.ordinal, row.section_code, read_entry(row)) for row in rows
    )
