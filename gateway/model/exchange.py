"""One exchange, one record: who asked whom for what, why, under which authority, with what outcome.

ARCHITECTURE's `GET /api/v1/exchanges/{id}` is this value as JSON. DECISIONS 16 and 17.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from ccda.values import quickly_made
from gateway.model.identity import ConversationId, DocumentId, MemberId, PartnerId, PlanId

Direction = Literal["in", "out"]
Outcome = Literal["success", "partial", "refused", "failed", "unknown"]


@quickly_made
@dataclass(frozen=True, slots=True)
class Exchange:
    """What is recorded of one exchange before it has its place in the chain.

    `peer` is what the wire shows of the other side (certificate subject, address, token name);
    `partner` only what was verified. `count` is above 1 only for refusals before authentication,
    gathered by peer, reason and minute. Texts hold no PHI; ids are opaque.
    """

    time: datetime
    direction: Direction
    transaction: str
    outcome: Outcome
    plan: PlanId | None = None
    partner: PartnerId | None = None
    peer: str | None = None
    person: str | None = None
    role: str | None = None
    purpose: str | None = None
    authority: str | None = None
    member: MemberId | None = None
    documents: tuple[DocumentId, ...] = ()
    reason: str | None = None
    conversation: ConversationId | None = None
    message_id: str | None = None
    duration_ms: int | None = None
    count: int = 1
    request_hash: str | None = None
    """SHA-256 of the request's envelope as it crossed the wire, as hex; attachments stand apart."""
    answer_hash: str | None = None


@dataclass(frozen=True, slots=True)
class RecordedExchange:
    """An exchange with its place in the chain: gapless `sequence`, hashes as hex.

    Once it `is_disposed`, nobody knows any more which member and documents it was about.
    """

    sequence: int
    exchange: Exchange
    hash: str
    previous_hash: str
    is_disposed: bool = False


@dataclass(frozen=True, slots=True)
class Among:
    """Records of these transactions in that direction, refused or not; `is_stranger` if they are
    those of somebody who had not shown who he was."""

    direction: Direction
    is_refused: bool
    is_stranger: bool
    transactions: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class ExchangeFilter:
    """What is looked for in the record; None means any. `until` is exclusive.

    `among` wants any of its own; `peer` is that of records which name no partner.
    """

    since: datetime | None = None
    until: datetime | None = None
    direction: Direction | None = None
    transaction: str | None = None
    outcome: Outcome | None = None
    partner: PartnerId | None = None
    person: str | None = None
    purpose: str | None = None
    member: MemberId | None = None
    document: DocumentId | None = None
    conversation: ConversationId | None = None
    message_id: str | None = None
    peer: str | None = None
    outcomes: tuple[Outcome, ...] | None = None
    among: tuple[Among, ...] | None = None


@dataclass(frozen=True, slots=True)
class VerifyResult:
    """How many records were found sound, and the first that is not with the reason in words."""

    records: int
    first_bad: int | None = None
    reason: str | None = None
