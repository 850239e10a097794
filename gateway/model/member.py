"""A plan and its members, as the roster states them."""

from dataclasses import dataclass
from datetime import date

from ccda.values import quickly_made
from gateway.model.identity import MemberId, PlanId
from ihe.xcpd import Demographics


@dataclass(frozen=True, slots=True)
class Plan:
    """A health plan owns members, documents and tokens; nothing crosses from one to another."""

    id: PlanId
    name: str
    member_id_root: str | None = None
    """The OID under which documents and partners write this plan's member ids."""
    treatment_agreement: str | None = None
    """The registered agreement that lets this plan assert treatment (DECISIONS 8)."""
    requester_role: str | None = None
    """The role of whoever asks for this plan, where a request states none."""
    authority: str | None = None
    """Under which authority this plan asks, where a request states none: an OID or a name."""


@quickly_made
@dataclass(frozen=True, slots=True)
class Member:
    """A person covered by a plan. `member_id` is the plan's own number; `id` is ours, opaque."""

    id: MemberId
    plan: PlanId
    member_id: str
    demographics: Demographics
    coverage_start: date | None = None
    coverage_end: date | None = None
    opted_out: bool = False

    def is_covered(self, on: date) -> bool:
        """Whether coverage is in force; a bound the roster left out is open (DECISIONS 9)."""
        started = self.coverage_start is None or self.coverage_start <= on
        return started and (self.coverage_end is None or on <= self.coverage_end)
