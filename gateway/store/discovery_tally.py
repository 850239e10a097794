"""How often each community asks whom we know, and how often it nearly names one member.

A row is a community's questions of a period; those that nearly name a member have a row for each
way of asking, so that the same question sent again is no attempt to guess.
"""

from datetime import datetime
from functools import cache
from typing import Final

from sqlalchemy import bindparam, delete, func, select
from sqlalchemy.dialects import postgresql, sqlite

from gateway.model.identity import MemberId, PlanId
from gateway.store import tables
from gateway.store.prepared import Prepared
from gateway.store.transaction import Transaction
from ihe.identifiers import HomeCommunityId

_TABLE: Final = tables.discovery_tally
_KEY: Final = ("home_community_id", "period", "about", "variant")
_VARIANTS: Final = Prepared(
    select(func.count()).where(
        *(_TABLE.c[name] == bindparam(name) for name in _KEY if name != "variant")
    )
)
_ASKED: Final = Prepared(
    select(_TABLE.c.count).where(*(_TABLE.c[name] == bindparam(name) for name in _KEY))
)


def asked(transaction: Transaction, *, community: HomeCommunityId, period: str) -> int:
    """How many questions of that period are counted."""
    given = {"home_community_id": str(community), "period": period, "about": "", "variant": ""}
    found = _ASKED.first(transaction, given)
    return 0 if found is None else int(found.count)


def count_question(
    transaction: Transaction, *, community: HomeCommunityId, period: str, expires: datetime
) -> int:
    """Counts one question, and says how many that makes in the period."""
    return _count(transaction, community, period, expires)


def count_near_miss(
    transaction: Transaction,
    *,
    community: HomeCommunityId,
    period: str,
    expires: datetime,
    plan: PlanId | None,
    member: MemberId | None,
    variant: str,
) -> tuple[int, bool]:
    """In how many ways that member was nearly named in the period, and whether this one is new.

    Without a member the statements are the same, and their time (DECISIONS 11).
    """
    about, variant = (member, variant) if member else ("", "")
    times = _count(transaction, community, period, expires, plan, about, variant)
    given = {"home_community_id": str(community), "period": period, "about": about}
    ((ways,),) = _VARIANTS.rows(transaction, given)
    return (ways, times == 1) if member else (0, False)


def forget_expired(transaction: Transaction, *, now: datetime) -> int:
    """How many counts no longer had to be kept."""
    statement = delete(_TABLE).where(_TABLE.c.expires <= now)
    return transaction.connection.execute(statement).rowcount


def _count(
    transaction: Transaction,
    community: HomeCommunityId,
    period: str,
    expires: datetime,
    plan: PlanId | None = None,
    about: str = "",
    variant: str = "",
) -> int:
    values = {
        "home_community_id": str(community),
        "period": period,
        "about": about,
        "variant": variant,
        "plan": plan,
        "count": 1,
        "expires": expires,
    }
    ((counted,),) = _one_more(transaction.is_postgres).rows(transaction, values)
    return int(counted)


@cache
def _one_more(is_postgres: bool) -> Prepared:
    statement = postgresql.insert(_TABLE) if is_postgres else sqlite.insert(_TABLE)
    counting = statement.on_conflict_do_update(
        index_elements=_KEY, set_={"count": _TABLE.c.count + 1}
    )
    return Prepared(counting.returning(_TABLE.c.count), _TABLE.c.keys())
