"""Whether a community asks too much, or feels its way to one member (DECISIONS 11).

Each question counts once in its minute, and once more in its day about the member it nearly names,
whether or not there is one: what is done for a question does not depend on whom we know.
"""

import logging
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import partial
from hashlib import sha256
from typing import Final

from gateway.exchange.asker import Effect
from gateway.model.discovery_limits import DiscoveryLimits
from gateway.model.identity import MemberId, PlanId
from gateway.store import discovery_tally
from gateway.store.database import Transaction
from gateway.store.values import dump
from ihe.identifiers import HomeCommunityId
from ihe.xcpd import Demographics

log = logging.getLogger("gateway")
_MINUTE: Final = timedelta(minutes=1)
_DAY: Final = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class NearMiss:
    """The member that a question nearly names."""

    plan: PlanId
    member: MemberId


def is_too_often(
    transaction: Transaction, community: HomeCommunityId, limits: DiscoveryLimits, now: datetime
) -> bool:
    """Whether this minute's questions are used up.

    Questions that arrive at the same moment all see the count before them: the limit may be passed
    by as many as are answered at once.
    """
    asked = discovery_tally.asked(transaction, community=community, period=_minute(now))
    return asked >= limits.per_minute


def note(
    transaction: Transaction,
    effects: tuple[Effect, ...],
    *,
    community: HomeCommunityId,
    asked: Demographics,
    near: NearMiss | None,
    limits: DiscoveryLimits,
    now: datetime,
) -> tuple[Effect, ...]:
    """Counts the question, in the transaction of its record; the effects with what is alarming.

    An alarm is a warning in the log of the service when a limit is passed, and a reason in the
    record of every exchange beyond it.
    """
    many = discovery_tally.count_question(
        transaction, community=community, period=_minute(now), expires=now + _MINUTE
    )
    ways, is_new = discovery_tally.count_near_miss(
        transaction,
        community=community,
        period=_day(now),
        expires=now + _DAY,
        plan=near.plan if near else None,
        member=near.member if near else None,
        variant=_variant(asked),
    )
    if many == limits.per_minute + 1:
        _warn(
            transaction,
            f"community {community} asks for more than {limits.per_minute} persons in a minute:"
            " it hears that we are busy",
        )
    if near is None or ways <= limits.near_misses_per_day:
        return effects
    if is_new and ways == limits.near_misses_per_day + 1:
        _warn(
            transaction,
            f"community {community} has nearly named one member in more than"
            f" {limits.near_misses_per_day} ways today: it may be probing, see the exchange log",
        )
    alarm = f"probing? this community has nearly named the member in {ways} ways today"
    first, *others = effects
    reason = f"{alarm}; {first.reason}" if first.reason else alarm
    return (replace(first, plan=near.plan, member=near.member, reason=reason), *others)


def _warn(transaction: Transaction, text: str) -> None:
    transaction.after_commit(partial(log.warning, text))


def _variant(asked: Demographics) -> str:
    return sha256(dump(asked).encode()).hexdigest()


def _minute(now: datetime) -> str:
    return now.isoformat()[:16]


def _day(now: datetime) -> str:
    return now.isoformat()[:10]
