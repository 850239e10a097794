"""Which messages each TLS peer has sent already (DECISIONS 3)."""

from datetime import datetime

from sqlalchemy import delete

from gateway.model.identity import PlanId
from gateway.store import tables
from gateway.store.sql import indexable, insert_new
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
    table = tables.replay
    peer = indexable(peer) or ""
    transaction.connection.execute(
        delete(table).where(table.c.peer == peer, table.c.key == key, table.c.expires <= now)
    )
    values = {"peer": peer, "key": key, "plan": plan, "expires": expires}
    return insert_new(transaction, table, values, ["peer", "key"])


def forget_expired(transaction: Transaction, *, now: datetime) -> int:
    """How many keys no longer had to be kept."""
    table = tables.replay
    return transaction.connection.execute(delete(table).where(table.c.expires <= now)).rowcount
