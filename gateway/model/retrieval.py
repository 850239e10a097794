"""One retrieval: a member's records asked of every partner, and how each of them answered."""

from dataclasses import dataclass
from datetime import date, datetime
from typing import Final, Literal

from gateway.model.identity import ConversationId, MemberId, PartnerId, PlanId, RetrievalId

RETRIEVE: Final = "retrieve"
"""The kind of the job that runs a retrieval."""

NOT_LOCATED: Final = "no Health Data Locator says that it knows the member"
"""Why a partner that is only asked where it is located was not: nothing is missing by that."""
NO_ADDRESS: Final = "it has no address for patient discovery"
"""Why a partner was not asked that takes no such question: one that only takes submissions or
mail, is asked through another, or has left its network."""

RetrievalState = Literal["waiting", "running", "done", "partial", "failed", "cancelled"]
Step = Literal["discovery", "query", "retrieve", "left"]
"""The last: all of its own is fetched, and the rest is left to other partners."""
PartnerOutcome = Literal["matched", "no_match", "refused", "failed", "late", "held", "not_asked"]


@dataclass(frozen=True, slots=True)
class PartnerProgress:
    """How far a retrieval has come at one partner; `outcome` is None while it runs.

    `documents_missing` counts what was listed and asked for but not given (DECISIONS 13).
    """

    partner: PartnerId
    partner_name: str
    step: Step = "discovery"
    outcome: PartnerOutcome | None = None
    documents_found: int = 0
    documents_new: int = 0
    documents_missing: int = 0
    elapsed_ms: int | None = None
    detail: str | None = None
    next_step: str | None = None
    """What the reader can do about what the detail says."""
    remarks: tuple[str, ...] = ()
    steps: tuple[str, ...] = ()
    """Of one that waits for others: what there is to say of its own part, for when it ends."""


@dataclass(frozen=True, slots=True)
class Requester:
    """Who asks: a person by name in a role, acting for an organization (DECISIONS 8)."""

    person: str
    role: str
    authority: str | None = None


@dataclass(frozen=True, slots=True)
class Retrieval:
    """A retrieval as asked, and its partners' progress as far as known."""

    id: RetrievalId
    plan: PlanId
    member: MemberId
    purpose: str
    requester: Requester
    conversation: ConversationId
    created: datetime
    state: RetrievalState = "waiting"
    since: date | None = None
    finished: datetime | None = None
    partners: tuple[PartnerProgress, ...] = ()
