"""How long the exchange log is kept, what holds it longer, and what is left of it afterwards.

DECISIONS 19: years by plan and line of business, ten by default (42 CFR 422.504(d), Medicare
Advantage; 438.3(u), Medicaid). A month goes as a whole, since it has one key. The certificate is a
signed note as a checkpoint is, so that the same key checks both.
"""

import re
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from gateway.model.identity import MemberId, PartnerId, PlanId

_MONTH: Final = re.compile(r"[12]\d{3}-(0[1-9]|1[0-2])")
DISPOSAL: Final = "LOG-DISPOSAL"
"""The transaction of a record that says that a month was disposed of, or why it was not."""
HOLD_PLACED: Final = "CLI-AUDIT-HOLD"
HOLD_LIFTED: Final = "CLI-AUDIT-HOLD-LIFT"
"""Those of records of legal holds, which name them by id."""
HOUSE: Final = "the house itself"
"""Whose month it is that belongs to no plan."""


@dataclass(frozen=True, slots=True)
class PlanMonth:
    """A month, in UTC, of a plan's part of the log, or of what belongs to no plan."""

    plan: PlanId | None
    month: str

    def __post_init__(self) -> None:
        if not _MONTH.fullmatch(self.month):
            raise ValueError("a month is written like 2026-11")

    @property
    def begins(self) -> datetime:
        return datetime.fromisoformat(f"{self.month}-01").replace(tzinfo=UTC)

    @property
    def ends(self) -> datetime:
        """The first moment that is not in it any more."""
        year, month = divmod(self.begins.year * 12 + self.begins.month, 12)
        return datetime(year, month + 1, 1, tzinfo=UTC)

    def due(self, years: int) -> datetime:
        """From when on it may be disposed of: so many years after its last moment."""
        return self.ends.replace(year=self.ends.year + years)


@dataclass(frozen=True, slots=True)
class Hold:
    """What must stay while somebody may need it as evidence; None means any.

    It holds every month in which one record of `since` to `until`, exclusive, is what it says.
    """

    id: str
    reason: str
    placed_by: str
    placed: datetime
    plan: PlanId | None = None
    member: MemberId | None = None
    partner: PartnerId | None = None
    since: datetime | None = None
    until: datetime | None = None
    lifted_by: str | None = None
    lifted: datetime | None = None
    lifted_because: str | None = None

    @property
    def is_in_force(self) -> bool:
        return self.lifted is None

    def reaches(self, month: PlanMonth) -> bool:
        """Whether a record of that month could be what it holds, by plan and time alone."""
        begins_before = self.since is None or self.since < month.ends
        ends_after = self.until is None or self.until > month.begins
        is_plans = self.plan is None or self.plan == month.plan
        return self.is_in_force and is_plans and begins_before and ends_after


@dataclass(frozen=True, slots=True)
class MonthContent:
    """What the log has of a month: its records, first to last, and what is kept beside them.

    `in_the_clear` counts records from before what is private was sealed: they keep naming members.
    """

    records: int
    first: int | None
    last: int | None
    closing_hash: str | None
    in_the_clear: int
    envelopes: int


@dataclass(frozen=True, slots=True)
class Disposal:
    """That a month was disposed of: what, when, by whom, and what of it still stands."""

    month: PlanMonth
    content: MonthContent
    years: int
    by: str
    at: datetime

    def note(self, origin: str) -> str:
        """The certificate's words, to be signed in the name of `origin`."""
        content = self.content
        lines = (
            origin,
            "certificate of disposal",
            f"of {self.month.plan or HOUSE}, {self.month.month}",
            f"records {content.records}, from {content.first or '-'} to {content.last or '-'}",
            f"closing hash {content.closing_hash or '-'}",
            "destroyed the key of whose they were and of the documents they named",
            f"destroyed {content.envelopes} envelopes as they crossed the wire",
            f"left {content.in_the_clear} records from before there was a key, which name them",
            f"due {self.month.due(self.years):%Y-%m-%d}, after {self.years} years",
            f"by {' '.join(self.by.split())}",
            f"at {self.at.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}",
        )
        return "".join(f"{line}\n" for line in lines)
