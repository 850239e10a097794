"""Which partners have failed in a row, and until when they are left alone (a circuit breaker).

A partner has a row only while it fails. Once it has failed three times it is left alone for a
while, a longer one each time; then one visit tries it, and how that ends decides for the others.
"""

from datetime import datetime, timedelta
from typing import Any, Final

from sqlalchemy import delete, select, update

from gateway.model.identity import PartnerId, PlanId
from gateway.model.partner_state import Health
from gateway.store import tables
from gateway.store.sql import upsert
from gateway.store.transaction import Transaction

FAILURES: Final = 3
_FIRST_REST: Final = timedelta(minutes=1)
_LONGEST_REST: Final = timedelta(minutes=15)
_TABLE: Final = tables.partner_health


def admit(
    transaction: Transaction, *, partner: PartnerId, now: datetime, trial: timedelta
) -> Health | None:
    """None if the partner may be asked now; else how it stands.

    Of a partner whose rest is over one visit is let in, and for `trial` no other.
    """
    known = get(transaction, partner=partner)
    if known is None or known.until is None:
        return None
    if now < known.until:
        return known
    taken = transaction.connection.execute(
        update(_TABLE)
        .where(_TABLE.c.partner == partner, _TABLE.c.until == known.until)
        .values(until=now + trial)
    )
    return None if taken.rowcount == 1 else known


def failed(
    transaction: Transaction,
    *,
    partner: PartnerId,
    plan: PlanId | None,
    reason: str,
    now: datetime,
) -> Health:
    """Counts a failure; how the partner stands after it."""
    known = get(transaction, partner=partner)
    failures = 1 if known is None else known.failures + 1
    beyond = failures - FAILURES
    until = None
    if beyond >= 0:
        until = now + min(_FIRST_REST * 2 ** min(beyond, 10), _LONGEST_REST)
    since = now if known is None else known.since
    health = Health(partner, failures, since, reason, until)
    values = {
        "partner": partner,
        "plan": plan,
        "failures": failures,
        "since": since,
        "until": until,
        "reason": reason,
    }
    upsert(transaction, _TABLE, values, ["partner"])
    return health


def succeeded(transaction: Transaction, *, partner: PartnerId) -> None:
    """The partner answers: nothing stands against it."""
    transaction.connection.execute(delete(_TABLE).where(_TABLE.c.partner == partner))


def get(transaction: Transaction, *, partner: PartnerId) -> Health | None:
    rows = transaction.connection.execute(select(_TABLE).where(_TABLE.c.partner == partner))
    return next(map(_health, rows), None)


def list_all(transaction: Transaction) -> tuple[Health, ...]:
    """All partners that have failed since they last answered."""
    return tuple(map(_health, transaction.connection.execute(select(_TABLE))))


def _health(row: Any) -> Health:
    return Health(PartnerId(row.partner), row.failures, row.since, row.reason, row.until)
