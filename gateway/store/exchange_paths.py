"""By which index a page of the exchange log is found, so that its length does not matter.

Each index is of one plan and one column and ends with the sequence, so it gives what it is asked
for in the order of records. Neither engine knows how many records say something, SQLite not even
what is rare, and either may walk a million to find twenty. So it is not left to choose: what fits
is counted, as far as it matters, and every condition that is not to lead is spelled so that no
index answers to it.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from math import isqrt
from typing import Any, Final, Literal

from sqlalchemy import (
    ColumnElement,
    Select,
    and_,
    false,
    func,
    literal,
    literal_column,
    not_,
    null,
    or_,
    select,
    tuple_,
)

from gateway.model.exchange import Among, ExchangeFilter
from gateway.store import tables
from gateway.store.transaction import Transaction

Column = Literal[
    "sequence", "time", "direction", "transaction", "outcome", "partner", "peer", "person",
    "role", "purpose", "authority", "member", "reason", "conversation", "message_id",
    "duration_ms", "count",
]  # fmt: skip
_TABLE: Final = tables.exchange
_EQUAL: Final = (
    "conversation", "message_id", "peer", "person", "partner", "purpose", "transaction", "outcome",
    "direction",
)  # fmt: skip
"""What may be asked for by its value, the rarest first as a rule."""
_LONG: Final = ("peer", "authority", "reason", "message_id")
"""What may be of any length, and is sorted by its beginning."""
_BEGINNING: Final = 200
"""Characters: PostgreSQL refuses index entries of more than a third of a page."""


@dataclass(frozen=True, slots=True)
class Looking:
    """What is looked for, in which order; a member and a document by all that stands for them.

    `place` is the value and the sequence of the record after which the page goes on. With
    `is_stated` the records that say something in the column, else those that do not.
    """

    wanted: ExchangeFilter
    members: tuple[str, ...] | None
    documents: tuple[str, ...] | None
    order: Column
    descending: bool
    place: tuple[Any, int] | None
    is_stated: bool
    limit: int

    @property
    def sorted_by(self) -> Column:
        return self.order if self.is_stated else "sequence"


def keys(transaction: Transaction, looking: Looking, plan: str | None) -> Select[Any]:
    """Sequence and sorted value of the plan's first records that fit, as many as the limit."""
    sets, leading = _narrow(looking, plan), frozenset[str]()
    if not sets:
        sets, leading = _chosen(transaction, looking, plan)

    def column(name: str) -> ColumnElement[Any]:
        return _TABLE.c[name] if name in leading else _mute(_TABLE.c[name])

    def sorting(name: str) -> ColumnElement[Any]:
        return beginning(name) if name in {*leading, "sequence"} else _mute(beginning(name))

    statement = select(_TABLE.c.sequence, beginning(looking.order).label("value"))
    statement = statement.where(*(_TABLE.c.sequence.in_(each) for each in sets))
    statement = statement.where(_of_plan(column("plan"), plan), *fitting(looking.wanted, column))
    statement = statement.where(*_begins(looking.wanted, leading))
    if looking.order != "sequence":
        value = column(looking.order)
        statement = statement.where(value.is_not(None) if looking.is_stated else value.is_(None))
    if looking.place is not None:
        statement = statement.where(_beyond(looking, sorting))
    ordered = map(sorting, dict.fromkeys((looking.sorted_by, "sequence")))
    statement = statement.order_by(*(one.desc() if looking.descending else one for one in ordered))
    return statement.limit(looking.limit)


def fitting(
    wanted: ExchangeFilter, column: Callable[[str], ColumnElement[Any]]
) -> list[ColumnElement[bool]]:
    """The conditions on what a record says in the clear; `column` gives each of its columns."""
    found = [
        # SQLite would put a long one's value into its index's expression, and find none any more.
        (_mute(_TABLE.c[name]) if name in _LONG else column(name)) == value
        for name in _EQUAL
        if (value := getattr(wanted, name)) is not None
    ]
    if wanted.peer is not None:
        found.append(column("partner").is_(None))
    if wanted.outcomes is not None:
        found.append(column("outcome").in_(wanted.outcomes))
    if wanted.among is not None:
        found.append(or_(false(), *(_among(one, column) for one in wanted.among)))
    return [*found, *_span(wanted, column("time"))]


def beginning(name: str) -> ColumnElement[Any]:
    """What records are sorted by: the column, or of one that may be long so much as is indexed."""
    column = _TABLE.c[name]
    if name not in _LONG:
        return column
    # Spelled out: a bound value would be no part of an index's expression.
    first: Any = literal_column("1")
    length: Any = literal_column(str(_BEGINNING))
    return func.substr(column, first, length, type_=column.type)


def _begins(wanted: ExchangeFilter, names: Iterable[str]) -> list[ColumnElement[bool]]:
    """What says the same to the indexes of beginnings, which are of stated values alone."""
    return [
        and_(_TABLE.c[name].is_not(None), beginning(name) == value[:_BEGINNING])
        for name in names
        if name in _LONG and (value := getattr(wanted, name, None)) is not None
    ]


def _among(kind: Among, column: Callable[[str], ColumnElement[Any]]) -> ColumnElement[bool]:
    refused = column("outcome") == "refused"
    unknown = and_(refused, column("partner").is_(None), column("person").is_(None))
    return and_(
        column("direction") == kind.direction,
        refused if kind.is_refused else not_(refused),
        *((unknown if kind.is_stranger else not_(unknown),) if kind.direction == "in" else ()),
        column("transaction").in_(kind.transactions),
    )


def _span(wanted: ExchangeFilter, time: ColumnElement[Any]) -> list[ColumnElement[bool]]:
    found = [] if wanted.since is None else [time >= wanted.since]
    return found if wanted.until is None else [*found, time < wanted.until]


def _beyond(looking: Looking, sorting: Callable[[str], ColumnElement[Any]]) -> ColumnElement[bool]:
    """A comparison of whole rows: both engines seek by it where an index has these columns."""
    value, sequence = looking.place or (None, 0)
    name = looking.sorted_by
    if name == "sequence":
        place: Any = _TABLE.c.sequence
        there: Any = literal(sequence, _TABLE.c.sequence.type)
    else:
        place = tuple_(sorting(name), _TABLE.c.sequence)
        there = tuple_(value, sequence, types=[_TABLE.c[name].type, _TABLE.c.sequence.type])
    beyond: ColumnElement[bool] = place < there if looking.descending else place > there
    return beyond


def _mute(column: ColumnElement[Any]) -> ColumnElement[Any]:
    """The column, spelled so that no index answers to it."""
    return func.coalesce(column, null(), type_=column.type)


def _of_plan(column: ColumnElement[Any], plan: str | None) -> ColumnElement[bool]:
    return column.is_(None) if plan is None else column == plan


# ---- what leads ------------------------------------------------------------------------------


def _narrow(looking: Looking, plan: str | None) -> list[Select[Any]]:
    """The few records of a member, and of a document."""
    found: list[Select[Any]] = []
    if looking.members is not None:
        found.append(_records(plan, _TABLE.c.member.in_(looking.members)))
    if looking.documents is not None:
        holds = tables.exchange_document.c
        found.append(select(holds.sequence).where(holds.document.in_(looking.documents)))
    return found


def _records(plan: str | None, *conditions: ColumnElement[bool]) -> Select[Any]:
    return select(_TABLE.c.sequence).where(_of_plan(_TABLE.c.plan, plan), *conditions)


def _chosen(
    transaction: Transaction, looking: Looking, plan: str | None
) -> tuple[list[Select[Any]], frozenset[str]]:
    """A set that is small enough to be read whole, or the columns whose index is walked.

    Walking in order ends once the page is full; a set must be read to its end before it is sorted.
    """
    wanted, order = looking.wanted, looking.sorted_by
    sets = {
        name: _records(plan, *(_begins(wanted, (name,)) or [_TABLE.c[name] == value]))
        for name in _EQUAL
        if (value := getattr(wanted, name)) is not None
    }
    if span := _span(wanted, _TABLE.c.time):
        sets["time"] = _records(plan, *span)
    if len(sets) == 1 and order == "sequence" and "time" not in sets:
        return [], frozenset({"plan", *sets})
    most = _most(transaction, looking.limit) if sets else 0
    numbers = {name: _number(transaction, one, most) for name, one in sets.items()}
    rarest = min(numbers, key=numbers.__getitem__, default=None)
    if rarest is None or (order == "time" and rarest == "time"):
        return [], frozenset({"plan", "time", order} if sets else {"plan", looking.order})
    if order == "sequence" and rarest != "time":
        return [], frozenset({"plan", rarest})
    if order in sets and order != "time":
        return [], frozenset({"plan", order})
    if numbers[rarest] <= most:
        return [sets[rarest]], frozenset()
    if order == "sequence" and _lies_behind(looking):
        return [sets["time"]], frozenset()
    return [], frozenset({"plan", order, *(("time",) if order == "time" else ())})


def _lies_behind(looking: Looking) -> bool:
    """Whether records that do not fit would have to be passed first."""
    wanted = looking.wanted
    return (wanted.until if looking.descending else wanted.since) is not None


def _most(transaction: Transaction, limit: int) -> int:
    """How many records to read whole cost as much as to walk to a page of what is as rare."""
    head = transaction.connection.execute(select(tables.exchange_head.c.sequence)).scalar()
    return isqrt(limit * max(head or 0, 1))


def _number(transaction: Transaction, records: Select[Any], most: int) -> int:
    """How many there are; of more than `most` no more is known than that."""
    counted = select(func.count()).select_from(records.limit(most + 1).subquery())
    return int(transaction.connection.execute(counted).scalar_one())


# ---- plans -----------------------------------------------------------------------------------


def plans_of(transaction: Transaction) -> Sequence[str | None]:
    """Every plan that has records, and None if some are of none: a step of an index each."""
    plan, found = _TABLE.c.plan, list[str | None]()
    run = transaction.connection.execute
    statement = select(plan).where(plan.is_not(None)).order_by(plan).limit(1)
    last = run(statement).scalar()
    while last is not None:
        found.append(last)
        last = run(statement.where(plan > last)).scalar()
    if run(select(_TABLE.c.sequence).where(plan.is_(None)).limit(1)).scalar() is not None:
        found.append(None)
    return found
