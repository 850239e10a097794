"""Documents registered for partners: what an ITI-38 answer is put together from."""

from collections.abc import Iterable
from functools import cache
from typing import Any

from sqlalchemy import BindParameter, Row, Select, bindparam

from gateway.model.document import OfferedDocument
from gateway.model.identity import DocumentId, MemberId, PlanId
from gateway.store import tables
from gateway.store.documents import number_of, read_document, select_documents
from gateway.store.prepared import Prepared
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
    transaction: Transaction,
    *,
    plan: PlanId,
    member: MemberId,
    replaced: bool = False,
    class_codes: Iterable[str] = (),
    type_codes: Iterable[str] = (),
) -> tuple[OfferedDocument, ...]:
    """The member's registered documents that are filed; rules have yet to be asked.

    Only current ones unless `replaced`, and only those of these codes where any are given; their
    coding schemes are not compared.
    """
    given: dict[str, Any] = {"plan": plan, "member": member}
    codes = {"class_codes": list(class_codes), "type_codes": list(type_codes)}
    named = tuple(name for name, values in codes.items() if values)
    if not named:
        return tuple(map(_offered, _all_of_member(replaced).rows(transaction, given)))
    given |= {name: codes[name] for name in named}
    rows = transaction.connection.execute(_of_member(replaced, named), given)
    return tuple(map(_offered, rows))


def by_ids(
    transaction: Transaction, *, plan: PlanId, ids: Iterable[str]
) -> tuple[OfferedDocument, ...]:
    """The registered documents of these unique ids (ours) or entry UUIDs that are still filed."""
    wanted = list(dict.fromkeys(ids))
    if not wanted:
        return ()
    places = 1 << (len(wanted) - 1).bit_length()
    # The last one again and again: so few statements serve lists of any length.
    wanted += wanted[-1:] * (places - len(wanted))
    given = {"plan": plan, **{_place(n): one for n, one in enumerate(wanted)}}
    return tuple(map(_offered, _by_ids(places).rows(transaction, given)))


def of_document(
    transaction: Transaction, *, plan: PlanId, document: DocumentId
) -> OfferedDocument | None:
    """The document as it is registered, if it is and still filed."""
    row = _of_document().first(transaction, {"plan": plan, "document": document})
    return None if row is None else _offered(row)


@cache
def _of_document() -> Prepared:
    return Prepared(_select().where(tables.document.c.id == bindparam("document")))


@cache
def _all_of_member(replaced: bool) -> Prepared:
    return Prepared(_of_member(replaced, ()))


@cache
def _of_member(replaced: bool, named: tuple[str, ...]) -> Select[Any]:
    table = tables.document
    statement = _select().where(table.c.member == bindparam("member"))
    if not replaced:
        statement = statement.where(table.c.superseded_by.is_(None))
    columns = {"class_codes": tables.offer.c.class_code, "type_codes": table.c.type_code}
    for name in named:
        statement = statement.where(columns[name].in_(bindparam(name, expanding=True)))
    return statement


@cache
def _by_ids(places: int) -> Prepared:
    offer = tables.offer
    ids: list[BindParameter[str]] = [bindparam(_place(n)) for n in range(places)]
    return Prepared(_select().where(offer.c.unique_id.in_(ids) | offer.c.entry_uuid.in_(ids)))


def _place(number: int) -> str:
    return f"id_{number}"


def _select() -> Select[Any]:
    """A summary of ours that came back is nobody's to give: it holds what others wrote."""
    table, offer = tables.document, tables.offer
    names = ("entry_uuid", "unique_id", "entry_xml", "class_code", "confidentiality", "third_party")
    return (
        select_documents()
        .join(offer, offer.c.document == table.c.number)
        .add_columns(*(offer.c[name] for name in names))
        .where(table.c.plan == bindparam("plan"), table.c.state == "filed")
        .where(table.c.is_derived.is_(False))
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
