"""Which messages each TLS peer has sent already (DECISIONS 3)."""

from datetime import datetime
from functools import cache

from sqlalchemy import bindparam, delete
from sqlalchemy.dialects import postgresql, sqlite

from gateway.model.identity import PlanId
from gateway.store import tables
from gateway.store.prepared import Prepared
from gateway.store.sql import indexable
from gateway.store.transaction import Transaction


def is_first(
    transaction: Transaction,
    *,
    peer: str,
    key: str,
    expires: datetime,
    now: datetime,
    plan: PlanId | None = None,
) -> bool:
    """Whether this peer never sent that key before; from now on it has, until `expires`."""
    values = {"peer": indexable(peer) or "", "key": key, "plan": plan, "expires": expires}
    take = _take(transaction.is_postgres)
    return take.first(transaction, {**values, "now": now}) is not None


@cache
def _take(is_postgres: bool) -> Prepared:
    """Gives a row back if the key was not there, or its time was over."""
    table = tables.replay
    statement = postgresql.insert(table) if is_postgres else sqlite.insert(table)
    given = statement.excluded
    taking = statement.on_conflict_do_update(
        index_elements=["peer", "key"],
        set_={"plan": given.plan, "expires": given.expires},
        where=table.c.expires <= bindparam("now", type_=table.c.expires.type),
    )
    return Prepared(taking.returning(table.c.key), table.c.keys())


def forget_expired(transaction: Transaction, *, now: datetime) -> int:
    """How many keys no longer had to be kept."""
    table = tables.replay
    return transaction.connection.execute(delete(table).where(table.c.expires <= now)).rowcount
