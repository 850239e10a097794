"""The plans of this house, as the settings name them."""

from typing import Any

from sqlalchemy import Row, select

from gateway.model.identity import PlanId
from gateway.model.member import Plan
from gateway.store import tables
from gateway.store.sql import upsert
from gateway.store.transaction import Transaction


def put(transaction: Transaction, plan: Plan) -> Plan:
    """Adds the plan, or changes the one of that id; returns it."""
    values = {
        "id": plan.id,
        "name": plan.name,
        "member_id_root": plan.member_id_root,
        "treatment_agreement": plan.treatment_agreement,
        "requester_role": plan.requester_role,
        "authority": plan.authority,
    }
    upsert(transaction, tables.plan, values, ["id"])
    return plan


def get(transaction: Transaction, *, plan: PlanId) -> Plan | None:
    row = transaction.connection.execute(
        select(tables.plan).where(tables.plan.c.id == plan)
    ).first()
    return None if row is None else _plan(row)


def list_all(transaction: Transaction) -> tuple[Plan, ...]:
    """All of them, by id."""
    rows = transaction.connection.execute(select(tables.plan).order_by(tables.plan.c.id))
    return tuple(_plan(row) for row in rows)


def _plan(row: Row[Any]) -> Plan:
    return Plan(
        PlanId(row.id),
        row.name,
        row.member_id_root,
        row.treatment_agreement,
        row.requester_role,
        row.authority,
    )
