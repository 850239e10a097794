"""Looking into the exchange log: by what a record says, in any order, page after page.

A member or a document is looked for by its keyed hash of every month that the search may reach, and
as it is for records from before there were any (`exchange_private`). Sorted by member, those of one
member and month stand together.

A page goes on after a record, not after a number of records: records never change, so the place
where the next page begins is found by an index however deep it lies, and what is appended
meanwhile moves nothing. Records that lack the column they are sorted by come last.
"""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any, Final

from sqlalchemy import Row, Select, func, or_, select, tuple_, union_all

from gateway.model.exchange import Exchange, ExchangeFilter, RecordedExchange
from gateway.model.identity import ConversationId, MemberId, PartnerId, PlanId
from gateway.store import exchange_paths, tables
from gateway.store.exchange_looking import Column, Looking, plans_of, stretches
from gateway.store.exchange_private import Private, month_name, private_of
from gateway.store.scope import AllPlans, Scope, within
from gateway.store.transaction import Transaction

_TABLE: Final = tables.exchange
_LOOKS: Final = 5000
_AT_ONCE: Final = 1000


__all__ = [
    "Column",
    "NoSuchRecord",
    "extent",
    "following",
    "get",
    "number",
    "past_looks",
    "search",
]


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
    value = None if after is None else _value_at(transaction, plan, after, order)
    looking = _looking(transaction, plan, wanted or ExchangeFilter(), order, descending)
    found: list[int] = []
    plans = plans_of(transaction) if isinstance(plan, AllPlans) else (plan,)
    for stretch in stretches(order, value, after):
        whole = replace(looking, stretch=stretch, limit=limit + offset)
        for part in exchange_paths.by_value(transaction, whole, plans):
            room = limit + offset - len(found)
            if room <= 0:
                break
            ahead = replace(looking, stretch=part, limit=room)
            found += _sequences(transaction, plans, ahead)
    return _recorded(transaction, _rows(transaction, found[offset:]))


def _looking(
    transaction: Transaction, plan: Scope, wanted: ExchangeFilter, order: Column, descending: bool
) -> Looking:
    """A member and a document by their keyed hashes of every month in question, and as they are."""
    members, documents = None, None
    if wanted.member is not None or wanted.document is not None:
        keys = transaction.log_keys.within(transaction, plan, wanted.since, wanted.until)
        if (member := wanted.member) is not None:
            members = (member, *(key.member(member) for key in keys))
        if (document := wanted.document) is not None:
            documents = (document, *(one for key in keys for one in key.documents([document])))
    return Looking(wanted, members, documents, order, descending)


def _sequences(
    transaction: Transaction, plans: Sequence[str | None], looking: Looking
) -> list[int]:
    """Of all plans each one's first, and of these the first."""
    parts = [exchange_paths.keys(transaction, looking, one) for one in plans]
    if not parts:
        return []
    statement: Any = parts[0]
    if len(parts) > 1:
        one = union_all(*(select(part.subquery()) for part in parts)).subquery()
        names = ("value", "sequence") if looking.stretch.is_stated else ("sequence",)
        by = (looking.turned(one.c[name]) for name in names)
        statement = select(one.c.sequence, one.c.value).order_by(*by).limit(looking.limit)
    return [row[0] for row in transaction.connection.execute(statement)]


def _rows(transaction: Transaction, sequences: Sequence[int]) -> list[Row[Any]]:
    """Those records, in that order."""
    found: dict[int, Row[Any]] = {}
    for first in range(0, len(sequences), _AT_ONCE):
        some = sequences[first : first + _AT_ONCE]
        statement = select(_TABLE).where(_TABLE.c.sequence.in_(some))
        found |= {row.sequence: row for row in transaction.connection.execute(statement)}
    return [found[sequence] for sequence in sequences]


def extent(
    transaction: Transaction, *, plan: Scope, wanted: ExchangeFilter
) -> tuple[int, int | None]:
    """How many records fit, and the last of them; nothing of a member or a document is asked."""
    conditions = exchange_paths.fitting(wanted, lambda name: _TABLE.c[name])
    own = within(_TABLE.c.plan, plan)
    fitting = select(_TABLE.c.sequence).where(own, *conditions).subquery()
    statement = select(func.count(), func.max(fitting.c.sequence))
    number, last = transaction.connection.execute(statement).one()
    return number, last


def number(transaction: Transaction, *, plan: Scope, wanted: ExchangeFilter) -> int:
    """How many records fit. All that may are looked at: it takes longer the longer the log is."""
    looking = _looking(transaction, plan, wanted, "sequence", True)
    fitting = exchange_paths.fitting(wanted, lambda name: _TABLE.c[name])
    if looking.members is not None:
        fitting.append(_TABLE.c.member.in_(looking.members))
    if looking.documents is not None:
        named = tables.exchange_document.c
        holding = select(named.sequence).where(named.document.in_(looking.documents))
        fitting.append(_TABLE.c.sequence.in_(holding))
    counted = select(func.count()).select_from(_TABLE).where(within(_TABLE.c.plan, plan), *fitting)
    return int(transaction.connection.execute(counted).scalar_one())


def past_looks(
    transaction: Transaction,
    *,
    plan: Scope,
    since: datetime,
    until: datetime,
    members: Collection[MemberId],
    lists: Collection[str] = (),
) -> Iterator[RecordedExchange]:
    """Who looked at which member in that time, in its order; of the record no more than that.

    Of the transactions `lists` also what names none, with the reason, which says how many.

    A member who is not among `members` is called by the keyed hash of the month: good for counting
    within a month, and nothing is unsealed for it.
    """
    keys = transaction.log_keys.within(transaction, plan, since, until)
    known = {key.member(member): member for key in keys for member in members}
    place: tuple[datetime, int] | None = None
    while True:
        statement = _looks(transaction, plan, since, until, lists, place)
        rows = transaction.connection.execute(statement).all()
        for row in rows:
            looked = Exchange(
                row.time,
                "in",
                row.transaction,
                row.outcome,
                partner=None if row.partner is None else PartnerId(row.partner),
                person=row.person,
                role=row.role,
                member=row.member and known.get(row.member, MemberId(row.member)),
                reason=None if row.member else row.reason,
            )
            yield RecordedExchange(row.sequence, looked, "", "")
        if len(rows) < _LOOKS:
            return
        place = rows[-1].time, rows[-1].sequence


def _looks(
    transaction: Transaction,
    plan: Scope,
    since: datetime,
    until: datetime,
    lists: Collection[str],
    after: tuple[datetime, int] | None,
) -> Any:
    """The next of each plan, by its index, and of these the next."""
    every = plans_of(transaction) if isinstance(plan, AllPlans) else (plan,)
    parts = [_looks_of(one, since, until, lists, after) for one in every]
    if len(parts) == 1:
        return parts[0]
    one = union_all(*(select(part.subquery()) for part in parts)).subquery()
    return select(one).order_by(one.c.time, one.c.sequence).limit(_LOOKS)


def _looks_of(
    plan: str | None,
    since: datetime,
    until: datetime,
    lists: Collection[str],
    after: tuple[datetime, int] | None,
) -> Select[Any]:
    names = ("sequence", "time", "transaction", "outcome", "partner", "person", "role", "member",
             "reason")  # fmt: skip
    time, is_list = _TABLE.c.time, _TABLE.c.transaction.in_(lists)
    statement = select(*(_TABLE.c[name] for name in names)).where(
        _TABLE.c.plan.is_(None) if plan is None else _TABLE.c.plan == plan,
        _TABLE.c.direction == "in",
        _TABLE.c.outcome.in_(("success", "partial")),
        or_(_TABLE.c.member.is_not(None), is_list),
        time >= since,
        time < until,
    )
    if after is not None:
        there = tuple_(*after, types=[time.type, _TABLE.c.sequence.type])
        statement = statement.where(tuple_(time, _TABLE.c.sequence) > there)
    return statement.order_by(time, _TABLE.c.sequence).limit(_LOOKS)


def _value_at(transaction: Transaction, plan: Scope, sequence: int, order: Column) -> Any:
    row = transaction.connection.execute(
        select(exchange_paths.beginning(order)).where(
            _TABLE.c.sequence == sequence, within(_TABLE.c.plan, plan)
        )
    ).first()
    if row is None:
        raise NoSuchRecord(sequence)
    return row[0]


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
