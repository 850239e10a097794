"""By which index a page of the exchange log is found, so that its length does not matter.

Each index is of one plan and one column and ends with the sequence, so it gives what it is asked
for in the order of records. Neither engine knows how many records say something, SQLite not even
what is rare, and either may walk a million to find twenty. So it is not left to choose: what fits
is counted, as far as it matters, and every condition that is not to lead is spelled so that no
index answers to it.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from math import isqrt
from typing import Any, Final

from sqlalchemy import (
    ColumnElement,
    Select,
    and_,
    case,
    false,
    func,
    literal,
    literal_column,
    not_,
    null,
    or_,
    select,
    text,
    union_all,
)

from gateway.model.exchange import Among, ExchangeFilter
from gateway.store import tables
from gateway.store.exchange_looking import Looking, Stretch
from gateway.store.transaction import Transaction

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
_VALUES: Final = 16
"""Looked at one by one; of a column that says more different things a walk is as good."""
_Spelling = Callable[[str], ColumnElement[Any]]
_READ_WHOLE: Final = 300_000
"""Records of a set that are read and sorted in a second or two."""
_SAMPLE: Final = 1000
"""Records of one condition that tell how far apart they lie: as many in a log of any length."""


def keys(transaction: Transaction, looking: Looking, plan: str | None) -> Select[Any]:
    """Sequence and sorted value of the plan's first records that fit, as many as the limit."""
    sets, leading = _narrow(looking, plan), frozenset[str]()
    if not sets:
        sets, leading = _chosen(transaction, looking, plan)

    asked = None if sets else _asked_of_index(looking.wanted, leading)
    beside = looking.wanted if asked is None else replace(looking.wanted, **{asked: None})
    column, sorting = _spelling(leading)

    statement = select(_TABLE.c.sequence, beginning(looking.order).label("value"))
    statement = statement.where(*(_TABLE.c.sequence.in_(each) for each in sets))
    statement = statement.where(_of_plan(column("plan"), plan), *fitting(beside, column))
    if asked is not None:
        fits = _says(transaction, looking.wanted, asked, plan, _TABLE.c.sequence)
        statement = statement.where(fits)
    statement = statement.where(*_begins(looking.wanted, leading))
    statement = statement.where(*_within(looking, column, sorting))
    if not sets and "time" not in leading:
        statement = statement.where(*_bounds(transaction, looking, plan))
    return statement.order_by(*_order(looking, sorting)).limit(looking.limit)


def _spelling(leading: frozenset[str]) -> tuple[_Spelling, _Spelling]:
    """How a column is spelled where it is asked for, and where it is sorted by."""

    def column(name: str) -> ColumnElement[Any]:
        return _TABLE.c[name] if name in leading else _mute(_TABLE.c[name])

    def sorting(name: str) -> ColumnElement[Any]:
        return beginning(name) if name in {*leading, "sequence"} else _mute(beginning(name))

    return column, sorting


def _order(looking: Looking, sorting: _Spelling) -> Iterator[ColumnElement[Any]]:
    # What all say alike is not sorted by: of an expression SQLite does not see that it is alike.
    by = "sequence" if looking.stretch.at is not None else looking.sorted_by
    return map(looking.turned, map(sorting, dict.fromkeys((by, "sequence"))))


def _within(
    looking: Looking,
    column: _Spelling,
    sorting: _Spelling,
) -> Iterator[ColumnElement[bool]]:
    """That a record lies in the stretch."""
    stretch, order = looking.stretch, looking.order
    if order != "sequence":
        value = column(order)
        yield value.is_not(None) if stretch.is_stated else value.is_(None)
    if stretch.at is not None:
        yield sorting(order) == stretch.at
    if stretch.beyond is not None:
        yield looking.beyond(sorting(order), stretch.beyond)
    if stretch.after is not None:
        yield looking.beyond(_TABLE.c.sequence, stretch.after)


def fitting(wanted: ExchangeFilter, column: _Spelling) -> list[ColumnElement[bool]]:
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


def _asked_of_index(wanted: ExchangeFilter, leading: frozenset[str]) -> str | None:
    """Of a walk by another index, the condition that is asked of its own, record by record.

    That index is small beside the records, and the walk then looks at none that do not fit.
    """
    others = (name for name in _EQUAL if name not in {*_LONG, *leading})
    return next((name for name in others if getattr(wanted, name) is not None), None)


def _says(
    transaction: Transaction,
    wanted: ExchangeFilter,
    name: str,
    plan: str | None,
    sequence: ColumnElement[int],
) -> ColumnElement[bool]:
    """That the index of the column has the record of that sequence under what is wanted."""

    def other(column: str) -> ColumnElement[Any]:
        return literal_column(f'other."{column}"', _TABLE.c[column].type)

    # Left to choose, SQLite asks the record itself.
    by = "" if transaction.is_postgres else f" INDEXED BY exchange_by_{name}"
    of_plan = other("plan").is_(None) if plan is None else other("plan") == literal(plan)
    found: Select[Any] = (
        select(literal_column("1"))
        .select_from(text(f"exchange AS other{by}"))
        .where(of_plan, other(name) == literal(getattr(wanted, name)))
        .where(other("sequence") == sequence)
        .correlate_except()
        .limit(1)
    )
    return found.scalar_subquery().is_not(None)


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


def _among(kind: Among, column: _Spelling) -> ColumnElement[bool]:
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
    if not sets:
        return [], frozenset({"plan", looking.order})
    if order == "sequence" and "time" not in sets:
        return [], frozenset({"plan", _rarest(transaction, looking, sets)})
    if order in sets and order != "time":
        return [], frozenset({"plan", order})
    most = _most(transaction, looking.limit)
    numbers: dict[str, int] = {
        name: looking.once(plan, name, partial(_number, transaction, one, most))
        for name, one in sets.items()
    }
    rarest = min(numbers, key=numbers.__getitem__)
    if order == "time" and rarest == "time":
        return [], frozenset({"plan", "time"})
    if order == "sequence" and rarest != "time":
        return [], frozenset({"plan", rarest})
    if numbers[rarest] <= most:
        return [sets[rarest]], frozenset()
    leading = frozenset({"plan", "time" if order == "time" else looking.order})
    if "time" not in sets and _lies_far(transaction, looking, plan, leading):
        if _number(transaction, sets[rarest], _READ_WHOLE) <= _READ_WHOLE:
            return [sets[rarest]], frozenset()
    return [], leading


def _lies_far(
    transaction: Transaction, looking: Looking, plan: str | None, leading: frozenset[str]
) -> bool:
    """Whether of the first records that the walk passes none fits, and it goes on.

    A partner may always be called by the same name: sorted by that, all of its records stand
    together, and a walk may pass millions of others before it meets them.
    """
    asked = _asked_of_index(looking.wanted, leading)
    if asked is None:
        return False
    column, sorting = _spelling(leading)

    first = select(_TABLE.c.sequence).where(_of_plan(_TABLE.c.plan, plan))
    first = first.where(*_within(looking, column, sorting)).order_by(*_order(looking, sorting))
    passed = first.limit(_SAMPLE).subquery("passed")
    fits = _says(transaction, looking.wanted, asked, plan, passed.c.sequence)
    counted = select(func.count(), func.count(case((fits, 1)))).select_from(passed)
    number, fitting = transaction.connection.execute(counted).one()
    return bool(number == _SAMPLE and fitting == 0)


def _rarest(transaction: Transaction, looking: Looking, sets: Mapping[str, Select[Any]]) -> str:
    """The condition whose next records lie farthest apart: by its index the fewest are passed."""
    if len(sets) == 1:
        return next(iter(sets))
    after, sequence = looking.stretch.after, _TABLE.c.sequence
    reached: dict[str, int] = {}
    for name, one in sets.items():
        ahead = one if after is None else one.where(looking.beyond(sequence, after))
        last = ahead.order_by(looking.turned(sequence)).offset(_SAMPLE - 1).limit(1)
        found = transaction.connection.execute(last).scalar()
        if found is None:
            return name  # there are no more of it than that
        reached[name] = found
    farthest = min if looking.descending else max
    return farthest(reached, key=reached.__getitem__)


def _bounds(
    transaction: Transaction, looking: Looking, plan: str | None
) -> list[ColumnElement[bool]]:
    """Between which sequences the records of the time in question lie.

    The time stands in no other index, the sequence in all: what lies before or behind is passed
    over without a look at the record itself.
    """
    span = _span(looking.wanted, _TABLE.c.time)
    if not span:
        return []
    within = _records(plan, *span).subquery().c.sequence
    ends = select(func.min(within), func.max(within))
    first, last = looking.once(plan, "ends", lambda: transaction.connection.execute(ends).one())
    sequence = _TABLE.c.sequence
    return [false()] if first is None else [sequence >= first, sequence <= last]


def _most(transaction: Transaction, limit: int) -> int:
    """How many records to read whole cost as much as to walk to a page of what is as rare."""
    head = transaction.connection.execute(select(tables.exchange_head.c.sequence)).scalar()
    return isqrt(limit * max(head or 0, 1))


def _number(transaction: Transaction, records: Select[Any], most: int) -> int:
    """How many there are; of more than `most` no more is known than that."""
    # To pass over records costs a third of counting them.
    if transaction.connection.execute(records.offset(most).limit(1)).first() is not None:
        return most + 1
    counted = select(func.count()).select_from(records.subquery())
    return int(transaction.connection.execute(counted).scalar_one())


# ---- value by value --------------------------------------------------------------------------


def by_value(
    transaction: Transaction, looking: Looking, plans: Sequence[str | None]
) -> Iterator[Stretch]:
    """The stretch, or the same in smaller ones: a value each, the first of them, and the rest.

    Of a time long ago a walk in the order of a column that says few different things would pass
    over all that was recorded since; of each value it begins where that time does.
    """
    stretch = looking.stretch
    if any(_walks(transaction, looking, plan) for plan in plans):
        for _ in range(_VALUES):
            value = _next_value(transaction, replace(looking, stretch=stretch), plans)
            if value is None:
                return
            yield Stretch(at=value)
            stretch = Stretch(beyond=value)
    yield stretch


def _walks(transaction: Transaction, looking: Looking, plan: str | None) -> bool:
    """Whether the plan's records of some time are walked in the order of a column's values."""
    if looking.stretch.at is not None or looking.sorted_by in ("sequence", "time"):
        return False
    if not _span(looking.wanted, _TABLE.c.time) or _narrow(looking, plan):
        return False
    return not _chosen(transaction, looking, plan)[0]


def _next_value(
    transaction: Transaction, looking: Looking, plans: Sequence[str | None]
) -> Any | None:
    """What the next records say in the column, whichever plan they are of."""
    value = beginning(looking.order)
    parts = [
        select(value.label("value"))
        .where(
            _of_plan(_TABLE.c.plan, plan), *_within(looking, lambda name: _TABLE.c[name], beginning)
        )
        .order_by(looking.turned(value))
        .limit(1)
        for plan in plans
    ]
    one = union_all(*(select(part.subquery()) for part in parts)).subquery().c.value
    return transaction.connection.execute(
        select(one).order_by(looking.turned(one)).limit(1)
    ).scalar()
