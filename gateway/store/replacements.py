"""What documents say they replace: relatedDocument RPLC (CDA R2; DECISIONS 14).

It stays beside the document, so that it counts also for what comes later.
"""

from collections.abc import Iterable
from typing import Final

from sqlalchemy import and_, bindparam, delete, insert, or_, select

from gateway.model.document import Document, Replaced
from gateway.model.identity import DocumentId, PlanId
from gateway.store import tables
from gateway.store.documents import (
    by_clinical_id,
    by_set,
    number_of,
    read_document,
    select_documents,
)
from gateway.store.sql import indexable
from gateway.store.transaction import Transaction

_NONE_OF_IT: Final = delete(tables.replacement).where(
    tables.replacement.c.document == bindparam("number")
)


def put(
    transaction: Transaction, *, plan: PlanId, document: DocumentId, replaced: Iterable[Replaced]
) -> None:
    """Keeps what the document says it replaces, in place of what an earlier reading found.

    Raises:
        UnknownId: no such document in this plan.
    """
    number, table = number_of(transaction, plan=plan, document=document), tables.replacement
    transaction.connection.execute(_NONE_OF_IT, {"number": number})
    rows = [
        {
            "document": number,
            "ordinal": ordinal,
            "plan": plan,
            "clinical_id": indexable(one.clinical_id),
            "set_id": indexable(one.set_id),
            "version": one.version,
        }
        for ordinal, one in enumerate(replaced)
    ]
    if rows:
        transaction.connection.execute(insert(table), rows)


def replaced_by(transaction: Transaction, document: Document) -> tuple[Document, ...]:
    """Those of the plan's documents that it says it replaces.

    Raises:
        UnknownId: no such document in its plan.
    """
    plan, table = document.plan, tables.replacement
    number = number_of(transaction, plan=plan, document=document.id)
    found: dict[DocumentId, Document] = {}
    for row in transaction.connection.execute(select(table).where(table.c.document == number)):
        named: list[Document] = []
        if row.clinical_id is not None:
            named += by_clinical_id(transaction, plan=plan, clinical_id=row.clinical_id)
        if row.set_id is not None and row.version is not None:
            versions = by_set(transaction, plan=plan, set_id=row.set_id)
            named += (one for one in versions if one.version == row.version)
        found.update({one.id: one for one in named})
    return tuple(found.values())


def replacing(transaction: Transaction, document: Document) -> tuple[Document, ...]:
    """Those of the plan's documents that say they replace it."""
    table = tables.replacement
    names = []
    if document.clinical_id is not None:
        names.append(table.c.clinical_id == indexable(document.clinical_id))
    if document.set_id is not None and document.version is not None:
        is_set = table.c.set_id == indexable(document.set_id)
        names.append(and_(is_set, table.c.version == document.version))
    if not names:
        return ()
    numbers = select(table.c.document).where(table.c.plan == document.plan, or_(*names))
    rows = transaction.connection.execute(
        select_documents().where(tables.document.c.number.in_(numbers))
    )
    return tuple(read_document(row) for row in rows)
