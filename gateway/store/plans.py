"""The plans of this house, as the settings name them."""

from sqlalchemy import select

from gateway.model.identity import PlanId
from gateway.model.member import Plan
from gateway.store import tables
from gateway.store.sql import upsert
from gateway.store.transaction import Transaction


def put(transaction: Transaction, plan: Plan) -> None:
    """Adds the plan, or renames it."""
    upsert(transaction, tables.plan, {"id": plan.id, "name": plan.name}, ["id"])


def get(transaction: Transaction, *, plan: PlanId) -> Plan | None:
    row = transaction.connection.execute(
        select(tables.plan).where(tables.plan.c.id == plan)
    ).first()
    return None if row is None else Plan(row.id, row.name)


def list_all(transaction: Transaction) -> tuple[Plan, ...]:
    """All of them, by id."""
    rows = transaction.connection.execute(select(tables.plan).order_by(tables.plan.c.id))
    return tuple(Plan(row.id, row.name) for row in rows)
