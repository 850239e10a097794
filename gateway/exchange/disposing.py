"""Certified disposal: a month of the exchange log made unreadable, once nobody may need it.

Refused before the plan's years are over, while a legal hold is on one of its records, and while a
hold is not as the log says: whoever can write to the database could have lifted it. What was hashed
stays, so that the log verifies as before; a signed certificate says what is gone, and the
disposal is itself a record (DECISIONS 16, 19). Clinical documents are not of the log: they stay.
"""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime

from gateway.exchange.checkpoints import LogSeal
from gateway.model.checkpoint import sign_note
from gateway.model.exchange import Exchange
from gateway.model.retention import Disposal, Hold, MonthContent, PlanMonth
from gateway.store import disposals, exchange_log, legal_holds
from gateway.store.database import Transaction
from gateway.store.evidence import holds_in_doubt

YearsOf = Callable[[str | None], int]
"""For how many years a plan's log is kept, or what belongs to none."""


@dataclass(frozen=True, slots=True)
class Assessed:
    """A month, and what keeps it from being disposed of now."""

    month: PlanMonth
    content: MonthContent
    years: int
    is_due: bool
    holds: tuple[Hold, ...]
    doubts: tuple[str, ...] = ()
    is_disposed: bool = False

    @property
    def refusal(self) -> str | None:
        """Why it may not be disposed of, in words; None if it may."""
        if self.is_disposed:
            return "it was disposed of before"
        if not self.is_due:
            return f"it is not due before {self.month.due(self.years):%Y-%m-%d}"
        if self.holds:
            return f"it is under legal hold {', '.join(hold.id for hold in self.holds)}"
        if self.doubts:
            return f"a hold is not as the log says: {'; '.join(self.doubts)}"
        return None


def due(transaction: Transaction, years_of: YearsOf, *, now: datetime) -> tuple[Assessed, ...]:
    """Every month whose years are over, held or not."""
    found = disposals.months(transaction, before=now)
    over = (month for month in found if month.due(years_of(month.plan)) <= now)
    return tuple(assess(transaction, month, years_of, now=now) for month in over)


def assess(
    transaction: Transaction, month: PlanMonth, years_of: YearsOf, *, now: datetime
) -> Assessed:
    """Whether that month may be disposed of."""
    years = years_of(month.plan)
    holds = legal_holds.list_all(transaction)
    return Assessed(
        month,
        disposals.content(transaction, month),
        years,
        month.due(years) <= now,
        disposals.holding(transaction, month, holds),
        tuple(one.what for one in holds_in_doubt(transaction)),
        month in disposals.disposed(transaction, month.plan),
    )


def dispose(
    transaction: Transaction,
    month: PlanMonth,
    years_of: YearsOf,
    *,
    seal: LogSeal,
    by: Exchange,
    now: datetime,
) -> Assessed:
    """Disposes of the month if it may be; the record `by` says which, or why it was refused."""
    legal_holds.freeze(transaction)
    found = assess(transaction, month, years_of, now=now)
    act = replace(by, plan=month.plan, time=now)
    if found.refusal is not None:
        reason = f"{month.month}: {found.refusal}"
        exchange_log.append(transaction, replace(act, outcome="refused", reason=reason))
        return found
    done = Disposal(month, found.content, found.years, by.person or "nobody", now)
    certificate = sign_note(done.note(seal.origin), seal.origin, seal.key)
    disposals.shred(transaction, month, now=now)
    disposals.certify(transaction, done, certificate=certificate, key=seal.public.text)
    exchange_log.append(transaction, replace(act, reason=_in_words(done, certificate)))
    return found


def _in_words(done: Disposal, certificate: str) -> str:
    content, digest = done.content, hashlib.sha256(certificate.encode()).hexdigest()
    return f"{done.month.month}: {content.records} records, certificate {digest}"
