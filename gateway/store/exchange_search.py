"""Looking into the exchange log: by what a record says, in any order, page after page.

A member or a document is looked for by its keyed hash of every month that the search may reach, and
as it is for records from before there were any (`exchange_private`). Sorted by member, those of one
member and month stand together.

A page goes on after a record, not after a number of records: records never change, so the place
where the next page begins is found by an index however deep it lies, and what is appended
meanwhile moves nothing. Records that lack the column they are sorted by come last.
"""

from collections.abc import Collection, Iterator, Sequence
from datetime import datetime
from typing import Any, Final, Literal

from sqlalchemy import ColumnElement, Row, Select, and_, false, func, not_, or_, select, tuple_

from gateway.model.exchange import Among, Exchange, ExchangeFilter, RecordedExchange
from gateway.model.identity import ConversationId, MemberId, PartnerId, PlanId
from gateway.store import tables
from gateway.store.exchange_private import (
    Private,
    document_index,
    member_index,
    month_name,
    private_of,
)
from gateway.store.scope import Scope, within
from gateway.store.transaction import Transaction

Column = Literal[
    "sequence", "time", "direction", "transaction", "outcome", "partner", "peer", "person",
    "role", "purpose", "authority", "member", "reason", "conversation", "message_id",
    "duration_ms", "count",
]  # fmt: skip
_EQUAL: Final = (
    "direction", "transaction", "outcome", "partner", "person", "purpose", "conversation",
    "message_id",
)  # fmt: skip
_TABLE: Final = tables.exchange
_LOOKS: Final = 5000


class NoSuchRecord(LookupError):
    """The record after which a page was to go on is not among the plan's."""


def get(transaction: Transaction, *, plan: Scope, sequence: int) -> RecordedExchange | None:
    """The record at that place, if it is the plan's."""
    row = transaction.connection.execute(
        select(_TABLE).where(_TABLE.c.sequence == sequence, within(_TABLE.c.plan, plan))
    ).first()
    return None if row is None else _recorded(transaction, [row])[0]


def following(transaction: Transaction, *, after: int, limit: int) -> tuple[RecordedExchange, ...]:
    """The records of all plans that come after that place, the oldest first."""
    statement = select(_TABLE).where(_TABLE.c.sequence > after).order_by(_TABLE.c.sequence)
    return _recorded(transaction, transaction.connection.execute(statement.limit(limit)).all())


def search(
    transaction: Transaction,
    *,
    plan: Scope,
    wanted: ExchangeFilter | None = None,
    order: Column = "sequence",
    descending: bool = True,
    limit: int = 100,
    offset: int = 0,
    after: int | None = None,
) -> tuple[RecordedExchange, ...]:
    """The plan's records that fit, newest first unless another column is to order them.

    `after` is the sequence of the last page's last record.

    Raises:
        NoSuchRecord: the plan has no record `after`.
    """
    fitting = select(_TABLE).where(_of_plan(plan, wanted))
    if wanted is not None:
        fitting = _private(transaction, plan, _fitting(fitting, wanted), wanted)
    value = None if after is None else _value_at(transaction, plan, after, order)
    column = _TABLE.c[order]
    rows: list[Row[Any]] = []
    if after is None or value is not None:
        stated = fitting.where(column.is_not(None)) if column.nullable else fitting
        if after is not None:
            stated = stated.where(_beyond(order, value, after, descending))
        rows += _run(transaction, stated, order, descending, limit, offset)
    if column.nullable and len(rows) < limit:
        unstated = fitting.where(column.is_(None))
        if after is not None and value is None:
            unstated = unstated.where(_beyond("sequence", after, after, descending))
        skipped = 0 if rows or not offset else _skipped(transaction, fitting, order, offset)
        rows += _run(transaction, unstated, "sequence", descending, limit - len(rows), skipped)
    return _recorded(transaction, rows)


def extent(
    transaction: Transaction, *, plan: Scope, wanted: ExchangeFilter
) -> tuple[int, int | None]:
    """How many records fit, and the last of them; nothing of a member or a document is asked."""
    fitting = _fitting(select(_TABLE.c.sequence).where(_of_plan(plan, wanted)), wanted).subquery()
    statement = select(func.count(), func.max(fitting.c.sequence))
    number, last = transaction.connection.execute(statement).one()
    return number, last


def _of_plan(plan: Scope, wanted: ExchangeFilter | None) -> ColumnElement[bool]:
    """The plan's, spelt so that its index is used only where nothing narrower is asked for.

    SQLite takes a plan of a million records for as narrow as a member of twenty.
    """
    if wanted is None or wanted == ExchangeFilter():
        return within(_TABLE.c.plan, plan)
    return within(func.coalesce(_TABLE.c.plan, ""), plan)


def _run(
    transaction: Transaction,
    statement: Select[Any],
    order: Column,
    descending: bool,
    limit: int,
    offset: int,
) -> list[Row[Any]]:
    by = [_TABLE.c.sequence] if order == "sequence" else [_TABLE.c[order], _TABLE.c.sequence]
    ordered = statement.order_by(*(column.desc() if descending else column for column in by))
    return list(transaction.connection.execute(ordered.limit(limit).offset(offset)))


def past_looks(
    transaction: Transaction,
    *,
    plan: Scope,
    since: datetime,
    until: datetime,
    members: Collection[MemberId],
) -> Iterator[RecordedExchange]:
    """Who looked at which member in that time, in its order; of the record no more than that.

    A member who is not among `members` is called by the keyed hash of the month: good for counting
    within a month, and nothing is unsealed for it.
    """
    keys = transaction.log_keys.within(transaction, plan, since, until)
    known = {member_index(key, member): member for key in keys for member in members}
    place: tuple[datetime, int] | None = None
    while True:
        rows = transaction.connection.execute(_looks(plan, since, until, place)).all()
        for row in rows:
            looked = Exchange(
                row.time,
                "in",
                row.transaction,
                row.outcome,
                partner=None if row.partner is None else PartnerId(row.partner),
                person=row.person,
                role=row.role,
                member=known.get(row.member, MemberId(row.member)),
            )
            yield RecordedExchange(row.sequence, looked, "", "")
        if len(rows) < _LOOKS:
            return
        place = rows[-1].time, rows[-1].sequence


def _looks(
    plan: Scope, since: datetime, until: datetime, after: tuple[datetime, int] | None
) -> Select[Any]:
    names = ("sequence", "time", "transaction", "outcome", "partner", "person", "role", "member")
    statement = select(*(_TABLE.c[name] for name in names)).where(
        within(_TABLE.c.plan, plan),
        _TABLE.c.direction == "in",
        _TABLE.c.outcome.in_(("success", "partial")),
        _TABLE.c.member.is_not(None),
    )
    statement = _within_times(statement, since, until)
    if after is not None:
        statement = statement.where(_beyond("time", after[0], after[1], False))
    return statement.order_by(_TABLE.c.time, _TABLE.c.sequence).limit(_LOOKS)


def _skipped(transaction: Transaction, fitting: Select[Any], order: Column, offset: int) -> int:
    """How much of an offset is left once all records that state the column are passed."""
    stated = fitting.where(_TABLE.c[order].is_not(None)).with_only_columns(_TABLE.c.sequence)
    passed = transaction.connection.execute(stated.limit(offset)).fetchall()
    return offset - len(passed)


def _value_at(transaction: Transaction, plan: Scope, sequence: int, order: Column) -> Any:
    row = transaction.connection.execute(
        select(_TABLE.c[order]).where(_TABLE.c.sequence == sequence, within(_TABLE.c.plan, plan))
    ).first()
    if row is None:
        raise NoSuchRecord(sequence)
    return row[0]


def _beyond(order: Column, value: Any, after: int, descending: bool) -> ColumnElement[bool]:
    """A comparison of whole rows: both engines seek by it where an index has these columns."""
    if order == "sequence":
        return _TABLE.c.sequence < after if descending else _TABLE.c.sequence > after
    place = tuple_(_TABLE.c[order], _TABLE.c.sequence)
    there = tuple_(value, after, types=[_TABLE.c[order].type, _TABLE.c.sequence.type])
    return place < there if descending else place > there


def _fitting(statement: Select[Any], wanted: ExchangeFilter) -> Select[Any]:
    for name in _EQUAL:
        if (value := getattr(wanted, name)) is not None:
            statement = statement.where(_TABLE.c[name] == value)
    if wanted.peer is not None:
        statement = statement.where(_TABLE.c.partner.is_(None), _TABLE.c.peer == wanted.peer)
    if wanted.outcomes is not None:
        statement = statement.where(_TABLE.c.outcome.in_(wanted.outcomes))
    if wanted.among is not None:
        statement = statement.where(or_(false(), *map(_among, wanted.among)))
    return _within_times(statement, wanted.since, wanted.until)


def _among(kind: Among) -> ColumnElement[bool]:
    refused = _TABLE.c.outcome == "refused"
    unknown = and_(refused, _TABLE.c.partner.is_(None), _TABLE.c.person.is_(None))
    return and_(
        _TABLE.c.direction == kind.direction,
        refused if kind.is_refused else not_(refused),
        *((unknown if kind.is_stranger else not_(unknown),) if kind.direction == "in" else ()),
        _TABLE.c.transaction.in_(kind.transactions),
    )


def _private(
    transaction: Transaction, plan: Scope, statement: Select[Any], wanted: ExchangeFilter
) -> Select[Any]:
    """Narrowed to the member and the document that are wanted."""
    member, document = wanted.member, wanted.document
    if member is None and document is None:
        return statement
    keys = transaction.log_keys.within(transaction, plan, wanted.since, wanted.until)
    if member is not None:
        stands_for = [member, *(member_index(key, member) for key in keys)]
        statement = statement.where(_TABLE.c.member.in_(stands_for))
    if document is not None:
        stands_for = [document, *(document_index(key, document) for key in keys)]
        holds = tables.exchange_document
        named = select(holds.c.sequence).where(holds.c.document.in_(stands_for))
        statement = statement.where(_TABLE.c.sequence.in_(named))
    return statement


def _within_times(
    statement: Select[Any], since: datetime | None, until: datetime | None
) -> Select[Any]:
    if since is not None:
        statement = statement.where(_TABLE.c.time >= since)
    if until is not None:
        statement = statement.where(_TABLE.c.time < until)
    return statement


def _recorded(transaction: Transaction, rows: Sequence[Row[Any]]) -> tuple[RecordedExchange, ...]:
    names = {name for row in rows if (name := month_name(row)) is not None}
    keys = transaction.log_keys.reading(transaction, names) if names else {}
    return tuple(_as_recorded(row, private_of(row, keys)) for row in rows)


def _as_recorded(row: Row[Any], private: Private) -> RecordedExchange:
    member, documents, is_disposed = private
    exchange = Exchange(
        time=row.time,
        direction=row.direction,
        transaction=row.transaction,
        outcome=row.outcome,
        plan=None if row.plan is None else PlanId(row.plan),
        partner=None if row.partner is None else PartnerId(row.partner),
        peer=row.peer,
        person=row.person,
        role=row.role,
        purpose=row.purpose,
        authority=row.authority,
        member=member,
        documents=documents,
        reason=row.reason,
        conversation=None if row.conversation is None else ConversationId(row.conversation),
        message_id=row.message_id,
        duration_ms=row.duration_ms,
        count=row._mapping["count"],  # `row.count` is the tuple's own method
        request_hash=row.request_hash,
        answer_hash=row.answer_hash,
    )
    return RecordedExchange(row.sequence, exchange, row.hash, row.previous_hash, is_disposed)
