"""Summaries made for a partner on demand, kept as they were given."""

from collections.abc import Iterable
from functools import cache
from typing import Any

import orjson
from sqlalchemy import BindParameter, Delete, Row, Select, bindparam, delete, select

from gateway.model.document import OfferedDocument, Snapshot
from gateway.model.identity import DocumentId, MemberId, PartnerId, PlanId
from gateway.store import tables
from gateway.store.documents import number_of, read_document, select_documents
from gateway.store.sql import insert_new
from gateway.store.transaction import Transaction

_ONCE = ("plan", "member", "partner", "purpose", "digest")


def put(transaction: Transaction, snapshot: Snapshot) -> bool:
    """Keeps it, unless the same facts are kept for the same asker; whether it did.

    One whose document was taken out of the member's record is given to nobody any more, and stands
    in no other's way.

    Raises:
        UnknownId: no such document in its plan.
    """
    offered = snapshot.offered
    document = offered.document
    values = {
        "document": number_of(transaction, plan=document.plan, document=document.id),
        "plan": document.plan,
        "member": document.member,
        "partner": snapshot.partner,
        "purpose": snapshot.purpose,
        "digest": snapshot.digest,
        "entry_uuid": offered.entry_uuid,
        "unique_id": offered.unique_id,
        "class_code": offered.class_code,
        "confidentiality": offered.confidentiality,
        "sources": orjson.dumps(snapshot.sources).decode(),
        "entry_xml": offered.entry_xml,
    }
    if insert_new(transaction, tables.snapshot, values, _ONCE):
        return True
    of_key = {name: values[name] for name in _ONCE}
    is_gone = transaction.connection.execute(_taken_out(), of_key).rowcount > 0
    return is_gone and insert_new(transaction, tables.snapshot, values, _ONCE)


@cache
def _taken_out() -> Delete:
    """The one of the key, if its document is filed no more."""
    document, table = tables.document, tables.snapshot
    unfiled = select(document.c.number).where(document.c.state != "filed")
    statement = delete(table).where(table.c.document.in_(unfiled))
    return statement.where(*(table.c[name] == bindparam(name) for name in _ONCE))


def find(
    transaction: Transaction,
    *,
    plan: PlanId,
    member: MemberId,
    partner: PartnerId,
    purpose: str,
    digest: str,
) -> Snapshot | None:
    """The one that says just this, made for the same partner and purpose."""
    given = {
        "plan": plan,
        "member": member,
        "partner": partner,
        "purpose": purpose,
        "digest": digest,
    }
    row = transaction.connection.execute(_select(tuple(given)), given).first()
    return None if row is None else _snapshot(row)


def of_member(
    transaction: Transaction, *, plan: PlanId, member: MemberId, partner: PartnerId
) -> tuple[Snapshot, ...]:
    """Those of the member that the partner was given, in the order they were made."""
    given = {"plan": plan, "member": member, "partner": partner}
    rows = transaction.connection.execute(_select(tuple(given)), given)
    return tuple(map(_snapshot, rows))


def by_ids(
    transaction: Transaction, *, plan: PlanId, partner: PartnerId, ids: Iterable[str]
) -> tuple[Snapshot, ...]:
    """Those of these unique ids or entry UUIDs that the partner was given."""
    given = {"plan": plan, "partner": partner, "ids": list(ids)}
    rows = transaction.connection.execute(_by_ids(), given)
    return tuple(map(_snapshot, rows))


@cache
def _by_ids() -> Select[Any]:
    table = tables.snapshot
    ids: BindParameter[str] = bindparam("ids", expanding=True)
    is_named = table.c.unique_id.in_(ids) | table.c.entry_uuid.in_(ids)
    return _select(("plan", "partner")).where(is_named)


@cache
def _select(named: tuple[str, ...]) -> Select[Any]:
    document, table = tables.document, tables.snapshot
    names = ("entry_uuid", "unique_id", "entry_xml", "class_code", "confidentiality", "purpose")
    columns = (table.c[name] for name in (*names, "digest", "sources"))
    made_for = table.c.partner.label("made_for")  # the document's own partner is its source
    statement = (
        select_documents()
        .join(table, table.c.document == document.c.number)
        .add_columns(*columns, made_for)
        .where(document.c.state == "filed")
        .order_by(document.c.number)
    )
    for name in named:
        statement = statement.where(table.c[name] == bindparam(name))
    return statement


def _snapshot(row: Row[Any]) -> Snapshot:
    offered = OfferedDocument(
        document=read_document(row),
        entry_uuid=row.entry_uuid,
        unique_id=row.unique_id,
        entry_xml=row.entry_xml,
        class_code=row.class_code,
        confidentiality=row.confidentiality,
        third_party=False,
    )
    return Snapshot(
        offered=offered,
        partner=PartnerId(row.made_for),
        purpose=row.purpose,
        digest=row.digest,
        sources=tuple(map(DocumentId, orjson.loads(row.sources))),
    )
