"""What documents say, statement by statement, and the summary made of it (DECISIONS 28)."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from functools import cache, reduce
from operator import add
from typing import Any, Final

import orjson
from sqlalchemy import Integer, bindparam, delete, func, select

from ccda.model import Entry, Section
from gateway.model.document import Document, IndexedEntry
from gateway.model.identity import DocumentId, MemberId, PlanId
from gateway.store import tables
from gateway.store.documents import number_of, read_document, select_documents
from gateway.store.entry_rows import (
    ENTRY_COLUMNS,
    SECTION_COLUMNS,
    read_entry,
    read_section,
    write_entry,
    write_section,
)
from gateway.store.prepared import Prepared
from gateway.store.sql import insert_values, upsert
from gateway.store.transaction import Transaction

Statements = Mapping[DocumentId, tuple[IndexedEntry, ...]]
"""Those of each document."""
_SECTION: Final = ("document", "plan", "ordinal", *SECTION_COLUMNS)
_ENTRY: Final = ("document", "plan", "ordinal", "section", *ENTRY_COLUMNS)
_SECTIONS: Final = Prepared(
    select(tables.section)
    .where(tables.section.c.document == bindparam("number"))
    .order_by(tables.section.c.ordinal)
)
_SUMMARY: Final = Prepared(
    select(tables.summary.c.summary).where(
        tables.summary.c.member == bindparam("member"), tables.summary.c.plan == bindparam("plan")
    )
)
_FORGET_SUMMARY: Final = Prepared(
    delete(tables.summary).where(
        tables.summary.c.member == bindparam("member"), tables.summary.c.plan == bindparam("plan")
    )
)
_WRITTEN: Final = ("path", "display", "value", "rest")
"""The columns of a statement that may be long."""
_LENGTHS: Final = (
    select(
        reduce(add, (func.coalesce(func.length(tables.entry.c[one]), 0) for one in _WRITTEN)).label(
            "characters"
        )
    )
    .join_from(
        tables.document,
        tables.entry,
        tables.entry.c.document == tables.document.c.number,
        isouter=True,
    )
    .where(
        tables.document.c.plan == bindparam("plan"),
        tables.document.c.member == bindparam("member"),
        tables.document.c.state == "filed",
    )
    .limit(bindparam("most", type_=Integer))
    .subquery()
)
_EXTENT: Final = Prepared(
    select(
        func.count().label("statements"),
        func.coalesce(func.sum(_LENGTHS.c.characters), 0).label("characters"),
    ).select_from(_LENGTHS)
)
_FORGET_ENTRIES, _FORGET_SECTIONS = (
    Prepared(delete(table).where(table.c.document == bindparam("number")))
    for table in (tables.entry, tables.section)
)


def insert_sections(
    transaction: Transaction,
    *,
    plan: PlanId,
    document: DocumentId,
    sections: Sequence[Section],
    is_new: bool = False,
) -> tuple[IndexedEntry, ...]:
    """Indexes the document anew; the statements as `of_member` would read them back.

    Ordinals count over the whole document, in section order. What an earlier reading of the same
    document left is replaced, unless it `is_new` and there was none.

    Raises:
        UnknownId: no such document in this plan.
    """
    number = number_of(transaction, plan=plan, document=document)
    for statement in () if is_new else (_FORGET_ENTRIES, _FORGET_SECTIONS):
        statement.run(transaction, {"number": number})
    rows = [
        (number, plan, ordinal, *write_section(section)) for ordinal, section in enumerate(sections)
    ]
    insert_values(transaction, tables.section, _SECTION, rows)
    indexed: list[IndexedEntry] = []
    entries: list[tuple[Any, ...]] = []
    for position, section in enumerate(sections):
        code = _code(section)
        for entry in section.entries:
            entries.append((number, plan, len(indexed), position, *write_entry(entry)))
            indexed.append(IndexedEntry(document, len(indexed), code, entry))
    insert_values(transaction, tables.entry, _ENTRY, entries)
    return tuple(indexed)


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
    rows = _filed(superseded).rows(transaction, {"plan": plan, "member": member})
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
    rows = _SECTIONS.rows(transaction, {"number": number})
    return tuple(read_section(row, tuple(inside.get(row.ordinal, ()))) for row in rows)


def extent_of_member(
    transaction: Transaction, *, plan: PlanId, member: MemberId, most: int
) -> tuple[int, int]:
    """How many statements the member's filed documents make, and in how many characters; a document
    without any counts as one. Not more than `most` are looked at."""
    given = {"plan": plan, "member": member, "most": most}
    (row,) = _EXTENT.rows(transaction, given)
    return row.statements, row.characters


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
    row = _SUMMARY.first(transaction, {"plan": plan, "member": member})
    return None if row is None else dict(orjson.loads(row.summary))


def forget_summary(transaction: Transaction, *, plan: PlanId, member: MemberId) -> None:
    """The saved summary no longer holds; until another is saved, none is there."""
    _FORGET_SUMMARY.run(transaction, {"plan": plan, "member": member})


def _entries(transaction: Transaction, documents: Iterable[int]) -> dict[int, list[Any]]:
    """Rows by document number, in order, with their section's code as `section_code`."""
    return {number: _entries_of().rows(transaction, {"number": number}) for number in documents}


@cache
def _filed(superseded: bool) -> Prepared:
    table = tables.document
    statement = select_documents().where(
        table.c.plan == bindparam("plan"),
        table.c.member == bindparam("member"),
        table.c.state == "filed",
    )
    if not superseded:
        statement = statement.where(table.c.superseded_by.is_(None))
    return Prepared(statement.order_by(table.c.number))


@cache
def _entries_of() -> Prepared:
    entry, section = tables.entry, tables.section
    same = (section.c.document == entry.c.document) & (section.c.ordinal == entry.c.section)
    return Prepared(
        select(entry, section.c.code.label("section_code"))
        .join_from(entry, section, same)
        .where(entry.c.document == bindparam("number"))
        .order_by(entry.c.ordinal)
    )


def _code(section: Section) -> str | None:
    return None if section.code is None else section.code.code


def _indexed(document: DocumentId, rows: Iterable[Any]) -> tuple[IndexedEntry, ...]:
    return tuple(
        IndexedEntry(document, row.ordinal, row.section_code, read_entry(row)) for row in rows
    )
