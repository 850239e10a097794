"""What documents say they replace: relatedDocument RPLC (CDA R2; DECISIONS 14).

It stays beside the document, so that it counts also for what comes later.
"""

from collections.abc import Iterable
from functools import cache
from typing import Final

from sqlalchemy import and_, bindparam, delete, or_, select

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
from gateway.store.prepared import Prepared
from gateway.store.sql import indexable, insert_rows
from gateway.store.transaction import Transaction

_OF_IT: Final = tables.replacement.c.document == bindparam("number")
_NONE_OF_IT: Final = Prepared(delete(tables.replacement).where(_OF_IT))
_ALL_OF_IT: Final = Prepared(select(tables.replacement).where(_OF_IT))
_BY_NUMBER: Final = Prepared(
    select_documents().where(tables.document.c.number == bindparam("number"))
)


def put(
    transaction: Transaction,
    *,
    plan: PlanId,
    document: DocumentId,
    replaced: Iterable[Replaced],
    is_new: bool = False,
) -> None:
    """Keeps what the document says it replaces, in place of what an earlier reading found.

    Of one that `is_new` none has found anything.

    Raises:
        UnknownId: it, or one that it replaces by itself, is no document of this plan.
    """
    number, table = number_of(transaction, plan=plan, document=document), tables.replacement
    if not is_new:
        _NONE_OF_IT.run(transaction, {"number": number})
    rows = [
        {
            "document": number,
            "ordinal": ordinal,
            "plan": plan,
            "clinical_id": indexable(one.clinical_id),
            "set_id": indexable(one.set_id),
            "version": one.version,
            "replaced": None
            if one.document is None
            else number_of(transaction, plan=plan, document=one.document),
        }
        for ordinal, one in enumerate(replaced)
    ]
    insert_rows(transaction, table, rows)


def replaced_by(transaction: Transaction, document: Document) -> tuple[Document, ...]:
    """Those of the plan's documents that it says it replaces.

    Raises:
        UnknownId: no such document in its plan.
    """
    plan = document.plan
    number = number_of(transaction, plan=plan, document=document.id)
    found: dict[DocumentId, Document] = {}
    for row in _ALL_OF_IT.rows(transaction, {"number": number}):
        named: list[Document] = []
        if row.clinical_id is not None:
            named += by_clinical_id(transaction, plan=plan, clinical_id=row.clinical_id)
        if row.set_id is not None and row.version is not None:
            versions = by_set(transaction, plan=plan, set_id=row.set_id)
            named += (one for one in versions if one.version == row.version)
        if row.replaced is not None:
            named += map(read_document, _BY_NUMBER.rows(transaction, {"number": row.replaced}))
        found.update({one.id: one for one in named})
    return tuple(found.values())


def replacing(transaction: Transaction, document: Document) -> tuple[Document, ...]:
    """Those of the plan's documents that say they replace it.

    Raises:
        UnknownId: no such document in its plan.
    """
    number = number_of(transaction, plan=document.plan, document=document.id)
    given = {
        "number": number,
        "plan": document.plan,
        "clinical_id": indexable(document.clinical_id),
        "set_id": indexable(document.set_id),
        "version": document.version,
    }
    return tuple(read_document(row) for row in _replacing().rows(transaction, given))


@cache
def _replacing() -> Prepared:
    """What is not stated is NULL, and equals nothing."""
    table = tables.replacement
    is_named = table.c.clinical_id == bindparam("clinical_id")
    is_set = table.c.set_id == bindparam("set_id")
    is_version = and_(is_set, table.c.version == bindparam("version"))
    numbers = select(table.c.document).where(
        table.c.plan == bindparam("plan"),
        or_(is_named, is_version, table.c.replaced == bindparam("number")),
    )
    return Prepared(select_documents().where(tables.document.c.number.in_(numbers)))
