"""Whose rows a read may see: one plan's, or by an operator's command every plan's."""

from enum import Enum
from typing import Final

from sqlalchemy import ColumnElement, true

from gateway.model.identity import PlanId


class AllPlans(Enum):
    ALL_PLANS = "all plans"


ALL_PLANS: Final = AllPlans.ALL_PLANS
"""Said by name in an operator's command; no text from a caller can turn into it."""

Scope = PlanId | AllPlans


def within(column: ColumnElement[str | None], scope: Scope) -> ColumnElement[bool]:
    """The condition that keeps a read inside its scope."""
    return true() if isinstance(scope, AllPlans) else column == scope
