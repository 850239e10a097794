"""The exchange log as it is counted: what happened, and nothing of whom it was about."""

from sqlalchemy import case, func, null, or_, select

from gateway.model.identity import PartnerId
from gateway.model.metering import Counted
from gateway.store import tables
from gateway.store.transaction import Transaction

_TABLE = tables.exchange
_IS_REFUSED = or_(_TABLE.c.outcome == "refused", _TABLE.c.reason.contains(" not given: "))
"""Wholly, or some documents of it."""
_COLUMNS = (
    _TABLE.c.sequence,
    _TABLE.c.direction,
    _TABLE.c.transaction,
    _TABLE.c.outcome,
    _TABLE.c.partner,
    _TABLE.c.purpose,
    _TABLE.c.duration_ms,
    _TABLE.c["count"],
    case((_IS_REFUSED, _TABLE.c.reason), else_=null()).label("refused_for"),
)


def following(transaction: Transaction, *, after: int, limit: int) -> tuple[Counted, ...]:
    """The records that come after that place, of all plans, the oldest first."""
    statement = select(*_COLUMNS).where(_TABLE.c.sequence > after).order_by(_TABLE.c.sequence)
    return tuple(
        Counted(
            sequence=row.sequence,
            direction=row.direction,
            transaction=row.transaction,
            outcome=row.outcome,
            partner=None if row.partner is None else PartnerId(row.partner),
            purpose=row.purpose,
            duration_ms=row.duration_ms,
            count=row._mapping["count"],  # `row.count` is the tuple's own method
            refused_for=row.refused_for,
        )
        for row in transaction.connection.execute(statement.limit(limit))
    )


def under_way(transaction: Transaction) -> int:
    """How many exchanges have begun and not ended."""
    statement = select(func.count()).select_from(tables.exchange_open)
    return int(transaction.connection.execute(statement).scalar_one())
