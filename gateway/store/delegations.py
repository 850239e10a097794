"""Who may ask in whose name, as the partner directory says (Carequality: QueryAuthGrantor)."""

from collections.abc import Iterable

from sqlalchemy import delete, insert, select

from gateway.model.identity import PlanId
from gateway.model.partner import Delegation, Partner
from gateway.store import tables
from gateway.store.transaction import Transaction
from ihe.identifiers import Oid


def put(transaction: Transaction, partner: Partner, stated: Iterable[Delegation]) -> None:
    """Makes these the delegations of the partner's organizations, and no others."""
    table = tables.delegation
    transaction.connection.execute(delete(table).where(table.c.partner == partner.id))
    rows = [
        {
            "partner": partner.id,
            "plan": partner.plan,
            "principal": str(one.principal),
            "delegate": str(one.delegate),
        }
        for one in dict.fromkeys(stated)
    ]
    if rows:
        transaction.connection.execute(insert(table), rows)


def of_principal(
    transaction: Transaction, *, plan: PlanId | None, principal: Oid
) -> frozenset[Oid]:
    """Whom the principal lets ask in its name: as the plan's directory says, and the shared one.

    Without a plan, only what the shared directory says counts.
    """
    table = tables.delegation
    rows = transaction.connection.execute(
        select(table.c.delegate, table.c.plan).where(table.c.principal == str(principal))
    )
    return frozenset(Oid(row.delegate) for row in rows if row.plan in (None, plan))
