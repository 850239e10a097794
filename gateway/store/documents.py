"""Documents: received once, filed, held, quarantined, withdrawn, superseded (DECISIONS 14)."""

from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime
from functools import cache
from typing import Any, Final

from sqlalchemy import Row, Select, bindparam, select, update

from gateway.model.document import Blob, Document, DocumentState, Quarantined, Source
from gateway.model.identity import DocumentId, MemberId, PartnerId, PlanId
from gateway.store import tables
from gateway.store.errors import UnknownId
from gateway.store.prepared import Prepared
from gateway.store.sql import indexable, insert_new, insert_numbered, upsert
from gateway.store.transaction import Transaction

NOT_READ: Final = "worker"
"""The stage of a quarantined document whose reader failed: it may be read yet."""
_ONCE = ("plan", "blob_address", "source_key")
_IS_IT = (tables.document.c.plan == bindparam("plan")) & (tables.document.c.id == bindparam("id"))
_STANDING: Final = frozenset({"state", "member", "candidate", "reason", "superseded_by"})
"""What becomes of a document; these are called alike in its row and in its value."""
_NUMBER: Final = Prepared(select(tables.document.c.number).where(_IS_IT))


def insert(transaction: Transaction, document: Document) -> Document:
    """The stored document: this one, or the one that holds the same bytes from the same source.

    Another `id` than the given one means that it was known. The source is the partner where there
    is one, else who the door says sent it, else the door.
    """
    keep_blob(transaction, plan=document.plan, blob=document.blob)
    number = insert_numbered(transaction, tables.document, _values(document), _ONCE, "number")
    if number is not None:
        transaction.document_numbers[document.plan, document.id] = number
        transaction.new_documents[document.plan, document.id] = document
        return document
    table = tables.document
    row = transaction.connection.execute(
        select_documents().where(
            table.c.plan == document.plan,
            table.c.blob_address == document.blob.address,
            table.c.source_key == _source_key(document.source),
        )
    ).one()
    return read_document(row)


def keep_blob(transaction: Transaction, *, plan: PlanId, blob: Blob) -> None:
    """Says that the stored bytes are wanted; until then the sweeper may take them."""
    values = {
        "plan": plan,
        "address": blob.address,
        "size_bytes": blob.size_bytes,
        "sha1": blob.sha1,
        "sha256": blob.sha256,
    }
    insert_new(transaction, tables.blob, values, ["plan", "address"])


def known_addresses(
    transaction: Transaction, *, plan: PlanId, addresses: Iterable[str]
) -> frozenset[str]:
    """Those of the addresses that something refers to."""
    table = tables.blob
    rows = transaction.connection.execute(
        select(table.c.address).where(table.c.plan == plan, table.c.address.in_(list(addresses)))
    )
    return frozenset(row.address for row in rows)


# ---- what becomes of a document --------------------------------------------------------------


def describe(transaction: Transaction, document: Document) -> Document:
    """Gives the stored document these header fields, as a later reading found them."""
    values = _values(document)
    described = (
        "mime_type title type_code type_system type_display effective_time clinical_id set_id"
        " version author custodian is_derived document_unique_id repository_unique_id"
        " on_demand_unique_id"
    )
    return _change(
        transaction,
        document.plan,
        document.id,
        **{name: values[name] for name in described.split()},
    )


def file(
    transaction: Transaction, *, plan: PlanId, document: DocumentId, member: MemberId
) -> Document:
    """From now on the document is the member's."""
    return _change(
        transaction, plan, document, state="filed", member=member, candidate=None, reason=None
    )


def hold(
    transaction: Transaction,
    *,
    plan: PlanId,
    document: DocumentId,
    reason: str,
    candidate: MemberId | None = None,
) -> Document:
    """The document is nobody's until a person decides."""
    return _change(
        transaction, plan, document, state="held", member=None, candidate=candidate, reason=reason
    )


def quarantine(
    transaction: Transaction,
    *,
    plan: PlanId,
    document: DocumentId,
    stage: str,
    reason: str,
    now: datetime,
) -> Document:
    """The document could not be read; `stage` says where reading stopped. Counts the attempts."""
    changed = _change(transaction, plan, document, state="quarantined", member=None, reason=reason)
    number = number_of(transaction, plan=plan, document=document)
    table = tables.quarantine
    before = transaction.connection.execute(select(table).where(table.c.document == number)).first()
    values = {
        "document": number,
        "plan": plan,
        "stage": stage,
        "error": reason,
        "attempts": 1 if before is None else before.attempts + 1,
        "first": now if before is None else before.first,
        "last": now,
    }
    upsert(transaction, table, values, ["document"])
    return changed


def withdraw(
    transaction: Transaction, *, plan: PlanId, document: DocumentId, reason: str
) -> Document:
    """The document no longer counts; its bytes and rows stay."""
    return _change(transaction, plan, document, state="withdrawn", member=None, reason=reason)


def supersede(
    transaction: Transaction, *, plan: PlanId, document: DocumentId, by: DocumentId | None
) -> Document:
    """`by` is its newer version; None when it is the current one after all."""
    return _change(transaction, plan, document, superseded_by=by)


# ---- looking ---------------------------------------------------------------------------------


def get(
    transaction: Transaction, *, plan: PlanId, document: DocumentId, to_change: bool = False
) -> Document | None:
    """The document; `to_change` keeps whoever else would change it waiting until COMMIT."""
    new = transaction.new_documents.get((plan, document))
    if new is not None:
        return new
    if to_change and transaction.is_postgres:  # SQLite lets one write at a time
        table = tables.document
        held = select(table.c.id).where(table.c.plan == plan, table.c.id == document)
        transaction.connection.execute(held.with_for_update())
    row = _by_id().first(transaction, {"plan": plan, "id": document})
    return None if row is None else read_document(row)


def list_page(
    transaction: Transaction,
    *,
    plan: PlanId,
    state: DocumentState | None = None,
    member: MemberId | None = None,
    after: DocumentId | None = None,
    limit: int = 100,
) -> tuple[Document, ...]:
    """Documents in the order they came, from the one after `after`."""
    table = tables.document
    statement = select_documents().where(table.c.plan == plan).order_by(table.c.number).limit(limit)
    if state is not None:
        statement = statement.where(table.c.state == state)
    if member is not None:
        statement = statement.where(table.c.member == member)
    if after is not None:
        number = number_of(transaction, plan=plan, document=after)
        statement = statement.where(table.c.number > number)
    return _documents(transaction, statement)


def by_set(transaction: Transaction, *, plan: PlanId, set_id: str) -> tuple[Document, ...]:
    """Every version of a document that its authors count as one, in the order they came."""
    return _by(transaction, plan, "set_id", set_id)


def by_clinical_id(
    transaction: Transaction, *, plan: PlanId, clinical_id: str
) -> tuple[Document, ...]:
    """Those whose ClinicalDocument/id it is; more than one when sources differ."""
    return _by(transaction, plan, "clinical_id", clinical_id)


def by_unique_id(transaction: Transaction, *, plan: PlanId, unique_id: str) -> tuple[Document, ...]:
    """Those retrieved or received under that XDS document unique id, made on demand or not."""
    own = _by(transaction, plan, "document_unique_id", unique_id)
    return (*own, *_by(transaction, plan, "on_demand_unique_id", unique_id))


def quarantined(
    transaction: Transaction, *, plan: PlanId, limit: int = 100
) -> tuple[Quarantined, ...]:
    """Documents that could not be read, the longest waiting first."""
    rows = transaction.connection.execute(_select_quarantined(plan).limit(limit))
    return tuple(_read_quarantined(row) for row in rows)


def quarantine_of(
    transaction: Transaction, *, plan: PlanId, document: DocumentId
) -> Quarantined | None:
    """How reading the document went; None when it is not quarantined."""
    statement = _select_quarantined(plan).where(tables.document.c.id == document)
    row = transaction.connection.execute(statement).first()
    return None if row is None else _read_quarantined(row)


def number_of(transaction: Transaction, *, plan: PlanId, document: DocumentId) -> int:
    """The number that the store's own tables know it by.

    Raises:
        UnknownId: no such document in this plan.
    """
    known = transaction.document_numbers
    number = known.get((plan, document))
    if number is None:
        row = _NUMBER.first(transaction, {"plan": plan, "id": document})
        if row is None:
            raise UnknownId("document", document)
        number = known[plan, document] = int(row.number)
    return number


# ---- rows and values -------------------------------------------------------------------------


@cache
def select_documents() -> Select[Any]:
    """Documents with their blobs' hashes."""
    table, blob = tables.document, tables.blob
    same = (blob.c.plan == table.c.plan) & (blob.c.address == table.c.blob_address)
    return select(table, blob.c.size_bytes, blob.c.sha1, blob.c.sha256).join_from(table, blob, same)


@cache
def _by_id() -> Prepared:
    return Prepared(select_documents().where(_IS_IT))


def _by(transaction: Transaction, plan: PlanId, name: str, value: str) -> tuple[Document, ...]:
    given = {"plan": plan, "value": indexable(value)}
    return tuple(read_document(row) for row in _by_column(name).rows(transaction, given))


@cache
def _by_column(name: str) -> Prepared:
    table = tables.document
    same = (table.c.plan == bindparam("plan")) & (table.c[name] == bindparam("value"))
    return Prepared(select_documents().where(same).order_by(table.c.number))


def _select_quarantined(plan: PlanId) -> Select[Any]:
    table, info = tables.document, tables.quarantine
    return (
        select_documents()
        .join(info, info.c.document == table.c.number)
        .add_columns(info.c.stage, info.c.attempts, info.c.first, info.c.last)
        .where(table.c.plan == plan, table.c.state == "quarantined")
        .order_by(table.c.number)
    )


def _read_quarantined(row: Row[Any]) -> Quarantined:
    return Quarantined(read_document(row), row.stage, row.attempts, row.first, row.last)


def _change(
    transaction: Transaction, plan: PlanId, document: DocumentId, **values: Any
) -> Document:
    given = {f"new_{name}": value for name, value in values.items()}
    given |= {"plan_": plan, "id_": document}
    new = transaction.new_documents.pop((plan, document), None)
    if new is not None and values.keys() <= _STANDING:
        _update(tuple(values)).run(transaction, given)
        new = transaction.new_documents[plan, document] = replace(new, **values)
        return new
    row = _update(tuple(values), is_told=True).first(transaction, given)
    if row is None:
        raise UnknownId("document", document)
    return read_document(row)


@cache
def _update(names: tuple[str, ...], *, is_told: bool = False) -> Prepared:
    """An UPDATE, which gives the whole row if it `is_told`: for what was not all known before.

    It keeps its columns' own names for itself, hence `plan_` and `id_`.
    """
    table = tables.document
    is_it = (table.c.plan == bindparam("plan_")) & (table.c.id == bindparam("id_"))
    new: dict[str, Any] = {name: bindparam(f"new_{name}") for name in names}
    statement = update(table).where(is_it).values(new)
    return Prepared(statement.returning(*table.c, *_hashes()) if is_told else statement)


def _hashes() -> tuple[Any, ...]:
    """What `select_documents` joins, where nothing can be joined."""
    table, blob = tables.document, tables.blob
    is_its = (blob.c.plan == table.c.plan) & (blob.c.address == table.c.blob_address)
    columns = (blob.c.size_bytes, blob.c.sha1, blob.c.sha256)
    return tuple(
        select(one).where(is_its).correlate(table).scalar_subquery().label(one.name)
        for one in columns
    )


def _documents(transaction: Transaction, statement: Select[Any]) -> tuple[Document, ...]:
    return tuple(read_document(row) for row in transaction.connection.execute(statement))


def _source_key(source: Source) -> str:
    named = source.partner or source.home_community_id or source.partner_name
    return source.door if named is None else str(indexable(named))


def _values(document: Document) -> dict[str, Any]:
    source = document.source
    return {
        "id": document.id,
        "plan": document.plan,
        "state": document.state,
        "blob_address": document.blob.address,
        "source_key": _source_key(source),
        "door": source.door,
        "partner": source.partner,
        "partner_name": source.partner_name,
        "source_community": source.home_community_id,
        "repository_unique_id": source.repository_unique_id,
        "document_unique_id": indexable(source.document_unique_id),
        "on_demand_unique_id": indexable(source.on_demand_unique_id),
        "received": document.received,
        "member": document.member,
        "candidate": document.candidate,
        "reason": document.reason,
        "mime_type": document.mime_type,
        "title": document.title,
        "type_code": document.type_code,
        "type_system": document.type_system,
        "type_display": document.type_display,
        "effective_time": document.effective_time,
        "clinical_id": indexable(document.clinical_id),
        "set_id": indexable(document.set_id),
        "version": document.version,
        "superseded_by": document.superseded_by,
        "author": document.author,
        "custodian": document.custodian,
        "is_derived": document.is_derived,
    }


def read_document(row: Row[Any]) -> Document:
    return Document(
        id=DocumentId(row.id),
        plan=PlanId(row.plan),
        state=row.state,
        blob=Blob(row.blob_address, row.size_bytes, row.sha1, row.sha256),
        source=Source(
            door=row.door,
            partner=None if row.partner is None else PartnerId(row.partner),
            partner_name=row.partner_name,
            home_community_id=row.source_community,
            repository_unique_id=row.repository_unique_id,
            document_unique_id=row.document_unique_id,
            on_demand_unique_id=row.on_demand_unique_id,
        ),
        received=row.received,
        member=None if row.member is None else MemberId(row.member),
        candidate=None if row.candidate is None else MemberId(row.candidate),
        reason=row.reason,
        mime_type=row.mime_type,
        title=row.title,
        type_code=row.type_code,
        type_system=row.type_system,
        type_display=row.type_display,
        effective_time=row.effective_time,
        clinical_id=row.clinical_id,
        set_id=row.set_id,
        version=row.version,
        superseded_by=None if row.superseded_by is None else DocumentId(row.superseded_by),
        author=row.author,
        custodian=row.custodian,
        is_derived=row.is_derived,
    )
