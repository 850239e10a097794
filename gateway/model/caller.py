"""Who calls our REST doors. A token names one person or one system and its plan (DECISIONS 6)."""

from dataclasses import dataclass
from datetime import datetime
from typing import Literal, get_args

from gateway.model.identity import PlanId

Role = Literal["staff", "auditor", "operator", "system"]
ROLES: tuple[Role, ...] = get_args(Role)


@dataclass(frozen=True, slots=True)
class Caller:
    """A verified caller: never a role alone."""

    token_id: str
    name: str
    role: Role
    plan: PlanId


@dataclass(frozen=True, slots=True)
class Token:
    """A token as listed: the secret itself was shown once, only its hash is kept."""

    id: str
    caller: Caller
    created: datetime
    expires: datetime | None = None
    revoked: datetime | None = None
