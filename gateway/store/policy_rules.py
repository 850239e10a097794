"""The rules that say what may leave the house (DECISIONS 10)."""

from typing import Final

from sqlalchemy import bindparam, delete, select

from gateway.model.identity import PlanId
from gateway.model.policy import Rule
from gateway.store import tables
from gateway.store.prepared import Prepared
from gateway.store.sql import upsert
from gateway.store.transaction import Transaction
from gateway.store.values import dump, load_known

_RULES_OF: Final = Prepared(
    select(tables.policy_rule.c.rule)
    .where(tables.policy_rule.c.plan == bindparam("plan"))
    .order_by(tables.policy_rule.c.name)
)


def put(transaction: Transaction, rule: Rule) -> None:
    """Adds the rule, or changes the plan's rule of that name."""
    values = {"plan": rule.plan, "name": rule.name, "rule": dump(rule)}
    upsert(transaction, tables.policy_rule, values, ["plan", "name"])


def list_all(transaction: Transaction, *, plan: PlanId) -> tuple[Rule, ...]:
    """The plan's rules, by name."""
    rows = _RULES_OF.rows(transaction, {"plan": plan})
    return tuple(load_known(Rule, row.rule) for row in rows)


def remove(transaction: Transaction, *, plan: PlanId, name: str) -> bool:
    """Whether there was such a rule."""
    table = tables.policy_rule
    result = transaction.connection.execute(
        delete(table).where(table.c.plan == plan, table.c.name == name)
    )
    return result.rowcount > 0
