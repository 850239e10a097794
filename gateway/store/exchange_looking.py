"""What is looked for in the exchange log, in which order, and from where on."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Literal

from sqlalchemy import ColumnElement, select

from gateway.model.exchange import ExchangeFilter
from gateway.store import tables
from gateway.store.transaction import Transaction

Column = Literal[
    "sequence", "time", "direction", "transaction", "outcome", "partner", "peer", "person",
    "role", "purpose", "authority", "member", "reason", "conversation", "message_id",
    "duration_ms", "count",
]  # fmt: skip
_TABLE: Final = tables.exchange


@dataclass(frozen=True, slots=True)
class Stretch:
    """A run of records in their order, which an index finds by its beginning.

    Those that say something in the column they are sorted by, or those that do not: all of them,
    or those that say `at`, or whose value comes beyond `beyond`; and of these all, or those whose
    sequence comes beyond `after`. Of a row's place as a whole, (value, sequence) < (?, ?), SQLite
    seeks by the value alone, and would pass all that say the same.
    """

    is_stated: bool = True
    at: Any = None
    beyond: Any = None
    after: int | None = None


def stretches(order: Column, value: Any = None, after: int | None = None) -> Iterator[Stretch]:
    """What a search goes through, in its order: all, or what comes after a record.

    `after` is that record's sequence, `value` what it says in the column `order`.
    """
    if after is None:
        yield Stretch()
    elif order == "sequence":
        yield Stretch(after=after)
    elif value is None:
        yield Stretch(is_stated=False, after=after)
        return
    else:
        yield Stretch(at=value, after=after)
        yield Stretch(beyond=value)
    if _TABLE.c[order].nullable:
        yield Stretch(is_stated=False)


@dataclass(frozen=True, slots=True)
class Looking:
    """What is looked for, in which order; a member and a document by all that stands for them.

    `known` is what was found out about a plan's records on the way; it holds for one search.
    """

    wanted: ExchangeFilter
    members: tuple[str, ...] | None = None
    documents: tuple[str, ...] | None = None
    order: Column = "sequence"
    descending: bool = True
    stretch: Stretch = field(default_factory=Stretch)
    limit: int = 100
    known: dict[tuple[str | None, str], Any] = field(default_factory=dict, compare=False)

    @property
    def sorted_by(self) -> Column:
        return self.order if self.stretch.is_stated else "sequence"

    def once(self, plan: str | None, what: str, find: Callable[[], Any]) -> Any:
        if (plan, what) not in self.known:
            self.known[plan, what] = find()
        return self.known[plan, what]

    def beyond(self, column: ColumnElement[Any], place: Any) -> ColumnElement[bool]:
        """That the column's value comes after `place`."""
        found: ColumnElement[bool] = column < place if self.descending else column > place
        return found

    def turned(self, column: ColumnElement[Any]) -> ColumnElement[Any]:
        """The column, as it is sorted by."""
        return column.desc() if self.descending else column


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
