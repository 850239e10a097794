"""By which entry UUIDs a partner has submitted documents: what a later RPLC of its refers to."""

from sqlalchemy import select

from gateway.model.document import Document
from gateway.model.identity import DocumentId, PartnerId, PlanId
from gateway.store import tables
from gateway.store.documents import number_of, read_document, select_documents
from gateway.store.sql import upsert
from gateway.store.transaction import Transaction


def put(
    transaction: Transaction,
    *,
    plan: PlanId,
    partner: PartnerId,
    entry_uuid: str,
    document: DocumentId,
) -> None:
    """Remembers under which id the partner submitted the document.

    Raises:
        UnknownId: no such document in this plan.
    """
    values = {
        "plan": plan,
        "partner": partner,
        "entry_uuid": entry_uuid,
        "document": number_of(transaction, plan=plan, document=document),
    }
    upsert(transaction, tables.submitted_entry, values, ["plan", "partner", "entry_uuid"])


def get(
    transaction: Transaction, *, plan: PlanId, partner: PartnerId, entry_uuid: str
) -> Document | None:
    """The document that this partner submitted under that id; nobody else's is looked at."""
    table = tables.submitted_entry
    numbers = select(table.c.document).where(
        table.c.plan == plan, table.c.partner == partner, table.c.entry_uuid == entry_uuid
    )
    row = transaction.connection.execute(
        select_documents().where(tables.document.c.number.in_(numbers))
    ).first()
    return None if row is None else read_document(row)
