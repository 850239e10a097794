"""What the gateway measures of itself: counts, how long things take, what waits, who ails.

Exchanges are counted from their log, so that what other processes did counts too, and each record
is looked at once; counts begin with the process. No figure tells of a member: of a record only
what happened, with which partner and for which purpose is read, and what a peer could choose
freely is counted as `other`.
"""

import re
from bisect import bisect_left
from collections import Counter, defaultdict
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import partial
from threading import Lock
from typing import Final

from gateway.exchange.ledger import TRANSACTIONS
from gateway.exchange.refusal_kinds import RefusalKind, refusal_kind
from gateway.exchange.refusals import kept_out
from gateway.model.audit_feed import FeedState
from gateway.model.identity import PlanId
from gateway.model.ledger import Visits
from gateway.model.metering import Counted, JobCount
from gateway.model.partner import Partner
from gateway.model.partner_state import Health
from gateway.model.purpose import NHIN_CODES, RETIRED_CODES, TEFCA_CODES
from gateway.store import (
    audit_feed,
    checkpoints,
    exchange_counts,
    partner_health,
    partners,
    retrievals,
)
from gateway.store.database import Database, Transaction
from gateway.store.job_queue import JobQueue
from gateway.store.scope import ALL_PLANS

BOUNDS_SECONDS: Final = (
    0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0
)  # fmt: skip
"""The upper ends of what durations are sorted into; partners are given a minute and more."""
LEDGER_TIME: Final = timedelta(days=1)
"""Of so long ago retrievals still count among those of `members`."""
_EVER: Final = datetime(1970, 1, 1, tzinfo=UTC)
_SURELY_WRITTEN: Final = timedelta(hours=1)
"""Before now: what began then is in the database, whichever process' clock and disk are slow."""
_PAGE: Final = 10_000
_NAME: Final = re.compile(r"[A-Z][A-Z0-9-]{0,39}")
_PURPOSES: Final = NHIN_CODES | TEFCA_CODES | RETIRED_CODES
_OTHER: Final = "other"

_Ended = tuple[str, str, str]
"""Transaction, direction, outcome."""
_Entry = tuple[str, str, str, str, str]
"""Partner, purpose, transaction, direction, outcome."""
_Refused = tuple[str, str, str, str, RefusalKind]
"""Partner, purpose, transaction, direction, and why."""


@dataclass(slots=True)
class Durations:
    """How many took as long, by the bounds they stay within, the last without one."""

    within: list[int] = field(default_factory=lambda: [0] * (len(BOUNDS_SECONDS) + 1))
    seconds: float = 0.0

    def add(self, seconds: float) -> None:
        self.within[bisect_left(BOUNDS_SECONDS, seconds)] += 1
        self.seconds += seconds


def _no_seconds() -> defaultdict[tuple[str, str, str], float]:
    return defaultdict(float)


@dataclass(slots=True)
class Tally:
    """The log's records after the one at `after`, counted."""

    after: int
    ended: Counter[_Ended] = field(default_factory=Counter)
    ledger: Counter[_Entry] = field(default_factory=Counter)
    refused: Counter[_Refused] = field(default_factory=Counter)
    withheld: Counter[_Refused] = field(default_factory=Counter)
    """Documents that rules kept out of answers, whether or not these gave others."""
    took: dict[tuple[str, str], Durations] = field(default_factory=dict)
    partners_took: dict[tuple[str, str, str], Durations] = field(default_factory=dict)
    """By partner, purpose and direction."""
    seconds: defaultdict[tuple[str, str, str], float] = field(default_factory=_no_seconds)
    """Spent on exchanges, by partner, transaction and direction."""
    lock: Lock = field(default_factory=Lock)

    def catch_up(self, database: Database) -> None:
        """Counts what was recorded since. It reads the database, page by page."""
        with self.lock:
            while True:
                page = partial(exchange_counts.following, after=self.after, limit=_PAGE)
                found = database.read(page)
                for one in found:
                    self._count(one)
                if len(found) < _PAGE:
                    return

    def _count(self, one: Counted) -> None:
        self.after = one.sequence
        transaction = one.transaction if _NAME.fullmatch(one.transaction) else _OTHER
        self.ended[transaction, one.direction, one.outcome] += one.count
        if one.duration_ms is not None:
            took = self.took.setdefault((transaction, one.direction), Durations())
            took.add(one.duration_ms / 1000)
        if one.partner is not None and transaction in TRANSACTIONS:
            purpose = purpose_label(one.purpose)
            entry = (one.partner, purpose, transaction, one.direction, one.outcome)
            self.ledger[entry] += one.count
            if one.outcome == "refused":
                why = refusal_kind(one.refused_for)
                self.refused[one.partner, purpose, transaction, one.direction, why] += one.count
            for number, rule in kept_out(one.refused_for):
                why = refusal_kind(rule)
                self.withheld[one.partner, purpose, transaction, one.direction, why] += number
            if one.duration_ms is not None:
                partner = (one.partner, purpose, one.direction)
                self.partners_took.setdefault(partner, Durations()).add(one.duration_ms / 1000)
                self.seconds[one.partner, transaction, one.direction] += one.duration_ms / 1000


_Asked = tuple[str, str, str]
"""Partner, purpose, and how it ended or what was counted of documents."""


@dataclass(frozen=True, slots=True)
class VisitCounts:
    """How often members' records were asked for, and the documents that were listed."""

    members: Counter[_Asked] = field(default_factory=Counter)
    documents: Counter[_Asked] = field(default_factory=Counter)

    def add(self, visit: Visits) -> None:
        purpose = purpose_label(visit.purpose)
        self.members[visit.partner, purpose, visit.outcome] += visit.times
        for state, number in (
            ("found", visit.documents_found),
            ("new", visit.documents_new),
            ("missing", visit.documents_missing),
        ):
            self.documents[visit.partner, purpose, state] += number

    def take(self, other: "VisitCounts", sign: int = 1) -> None:
        for mine, theirs in ((self.members, other.members), (self.documents, other.documents)):
            for key, number in theirs.items():
                mine[key] += sign * number


@dataclass(slots=True)
class VisitTally:
    """What became of a plan's retrievals, from when this process began.

    A retrieval has no place in a row that tells when it ended. So those begun since `since` are
    added up at each look, on top of what is settled: all that began before the oldest that is still
    open, an hour ago at the latest, will not change any more, and is not looked at again.
    """

    plan: PlanId
    since: datetime
    settled: VisitCounts = field(default_factory=VisitCounts)

    def look(self, transaction: Transaction, now: datetime) -> VisitCounts:
        oldest = retrievals.oldest_open(transaction, plan=self.plan, since=self.since)
        until = max(self.since, min(oldest or now, now - _SURELY_WRITTEN))
        self.settled.take(self._between(transaction, self.since, until))
        self.since = until
        found = VisitCounts()
        found.take(self.settled)
        found.take(self._between(transaction, until, now + _SURELY_WRITTEN))
        return found

    def forget_the_past(self, transaction: Transaction, now: datetime) -> None:
        """What has ended by now is of other processes."""
        begun = retrievals.oldest_open(transaction, plan=self.plan, since=_EVER)
        self.since = min(begun or now, now - _SURELY_WRITTEN)
        before = self._between(transaction, self.since, now + _SURELY_WRITTEN)
        self.settled.take(before, -1)

    def _between(self, transaction: Transaction, since: datetime, until: datetime) -> VisitCounts:
        found = VisitCounts()
        for visit in retrievals.visits(transaction, plan=self.plan, since=since, until=until):
            found.add(visit)
        return found


@dataclass(frozen=True, slots=True)
class Standing:
    """How it stands now: what waits, who ails, and what came of the last day's retrievals."""

    now: datetime
    partners: tuple[Partner, ...]
    ailing: tuple[Health, ...]
    jobs: tuple[JobCount, ...]
    feeds: tuple[FeedState, ...]
    visits: tuple[Visits, ...]
    counts: VisitCounts
    records: int
    under_way: int


def visits_from_now(
    database: Database, plans: tuple[PlanId, ...], *, now: datetime
) -> tuple[VisitTally, ...]:
    """Tallies of what becomes of each plan's retrievals from now on."""
    tallies = tuple(VisitTally(plan, now) for plan in plans)

    def unit(transaction: Transaction) -> None:
        for one in tallies:
            one.forget_the_past(transaction, now)

    database.read(unit)
    return tallies


def tally_from_now(database: Database) -> Tally:
    """A tally of what is recorded from now on."""
    return Tally(database.read(checkpoints.size))


def standing(
    transaction: Transaction,
    queue: JobQueue,
    plans: tuple[PlanId, ...],
    tallies: tuple[VisitTally, ...],
    *,
    now: datetime,
) -> Standing:
    """How it stands, of all plans."""
    since, counts = now - LEDGER_TIME, VisitCounts()
    for tally in tallies:
        counts.take(tally.look(transaction, now))
    return Standing(
        now=now,
        partners=partners.list_all(transaction, plan=ALL_PLANS),
        ailing=partner_health.list_all(transaction),
        jobs=queue.counts(transaction),
        feeds=audit_feed.states(transaction, now=now),
        visits=tuple(
            visit
            for plan in plans
            for visit in retrievals.visits(transaction, plan=plan, since=since, until=now)
        ),
        counts=counts,
        records=checkpoints.size(transaction),
        under_way=exchange_counts.under_way(transaction),
    )


def purpose_label(purpose: str | None) -> str:
    """A network's code; whatever else a peer states is `other`."""
    if purpose is None:
        return ""
    return purpose if purpose in _PURPOSES else _OTHER
