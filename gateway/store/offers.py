"""Documents registered for partners: what an ITI-38 answer is put together from."""

from collections.abc import Iterable
from typing import Any

from sqlalchemy import Row, Select

from gateway.model.document import OfferedDocument
from gateway.model.identity import MemberId, PlanId
from gateway.store import tables
from gateway.store.documents import number_of, read_document, select_documents
from gateway.store.sql import upsert
from gateway.store.transaction import Transaction


def put(transaction: Transaction, offered: OfferedDocument) -> None:
    """Registers the document for partners; again, it changes what was registered.

    Raises:
        UnknownId: no such document in its plan.
    """
    document = offered.document
    values = {
        "document": number_of(transaction, plan=document.plan, document=document.id),
        "plan": document.plan,
        "entry_uuid": offered.entry_uuid,
        "unique_id": offered.unique_id,
        "class_code": offered.class_code,
        "confidentiality": offered.confidentiality,
        "third_party": offered.third_party,
        "entry_xml": offered.entry_xml,
    }
    upsert(transaction, tables.offer, values, ["document"])


def of_member(
    transaction: Transaction, *, plan: PlanId, member: MemberId
) -> tuple[OfferedDocument, ...]:
    """The member's registered documents that are filed and current; rules have yet to be asked."""
    table = tables.document
    statement = _select(plan).where(table.c.member == member, table.c.superseded_by.is_(None))
    return tuple(_offered(row) for row in transaction.connection.execute(statement))


def by_ids(
    transaction: Transaction, *, plan: PlanId, ids: Iterable[str]
) -> tuple[OfferedDocument, ...]:
    """The registered documents of these unique ids (ours) or entry UUIDs that are still filed."""
    wanted, offer = list(ids), tables.offer
    statement = _select(plan).where(offer.c.unique_id.in_(wanted) | offer.c.entry_uuid.in_(wanted))
    return tuple(_offered(row) for row in transaction.connection.execute(statement))


def _select(plan: PlanId) -> Select[Any]:
    table, offer = tables.document, tables.offer
    names = ("entry_uuid", "unique_id", "entry_xml", "class_code", "confidentiality", "third_party")
    return (
        select_documents()
        .join(offer, offer.c.document == table.c.number)
        .add_columns(*(offer.c[name] for name in names))
        .where(table.c.plan == plan, table.c.state == "filed")
        .order_by(table.c.number)
    )


def _offered(row: Row[Any]) -> OfferedDocument:
    return OfferedDocument(
        document=read_document(row),
        entry_uuid=row.entry_uuid,
        unique_id=row.unique_id,
        entry_xml=row.entry_xml,
        class_code=row.class_code,
        confidentiality=row.confidentiality,
        third_party=row.third_party,
    )
