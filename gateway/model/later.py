"""Answers that travel on a connection of their own: what we wait for, and what we owe.

WS-Addressing 1.0 Core: 3.4; ITI TF-2: Appendix V.3.1.4 (asynchronous exchange).
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Final, Literal

from gateway.model.document import Blob
from gateway.model.exchange import Exchange
from gateway.model.identity import DocumentId, PartnerId, PlanId, RetrievalId
from gateway.model.purpose import PurposeOfUse

GO_ON: Final = "go-on"
"""The kind of the job that goes on with one partner's part of a retrieval."""
DELIVER: Final = "deliver"
"""The kind of the job that brings an answer to the partner that waits for it."""
BRING_RESULT: Final = "bring-result"
"""The kind of the job that brings the result of a deferred question to who has asked it."""
DEFERRAL: Final = "ITI-55-DEFERRED"
"""How the record names the two halves of a deferred discovery, question and result, each with its
acknowledgement; what was asked and told in both together is the record of the ITI-55."""

RENEW_SUMMARY: Final = "renew-summary"
"""The kind of the job that merges what takes more than the message that brought it may."""

CHECK: Final = "check"
"""The question of a check of a partner: no retrieval goes on with its answer."""

AwaitedState = Literal["sent", "answered", "settled"]
Result = Literal["success", "late", "refused", "failed", "divisible"]


@dataclass(frozen=True, slots=True)
class StoredPart:
    """An attachment that is in the blob store already, by its Content-ID."""

    cid: str | None
    blob: Blob


@dataclass(frozen=True, slots=True)
class ArrivedAnswer:
    """An answer as it came, verified: its body as XML text, or the code of a SOAP fault."""

    arrived: datetime
    body: str | None = None
    is_fault: bool = False
    fault_code: str | None = None
    parts: tuple[StoredPart, ...] = ()
    time_to_live_seconds: int | None = None
    envelope_hash: str | None = None
    """By which the record names the envelope that was kept."""


@dataclass(frozen=True, slots=True)
class AwaitedAnswer:
    """One request, sent to `partner`, whose answer comes later.

    `question` is what it asked, the same for the same question of a retrieval at the partner
    `visited`; `exchange` is its record, appended once it is settled.
    """

    message_id: str
    plan: PlanId
    partner: PartnerId
    retrieval: RetrievalId
    visited: PartnerId
    question: str
    transaction: str
    sent: datetime
    expires: datetime
    signature_values: tuple[str, ...]
    exchange: Exchange
    state: AwaitedState = "sent"
    answer: ArrivedAnswer | None = None
    result: Result | None = None
    reason: str | None = None
    found: int = 0
    missing: int = 0
    request_id: str | None = None
    """By which a deferred result names the question (`correlation_key`); None of all others."""


@dataclass(frozen=True, slots=True)
class OwedPart:
    """A document that goes out with an answer."""

    cid: str
    mime_type: str
    plan: PlanId
    document: DocumentId


@dataclass(frozen=True, slots=True)
class OwedAnswer:
    """An answer that is computed and recorded; `address` is one the partner has registered.

    `exchanges` are its records, which name the envelope it was first sealed in: should it never
    arrive, each is followed by one that says so. A deferred result is first sealed when it is
    brought; until then they are not made and name no answer.
    """

    id: str
    partner: PartnerId
    created: datetime
    address: str
    action: str
    relates_to: str
    confirmations: tuple[str, ...]
    body: str
    exchanges: tuple[Exchange, ...]
    parts: tuple[OwedPart, ...] = ()
    time_to_live_seconds: int | None = None
    plan: PlanId | None = None
    purpose: PurposeOfUse | None = None
    """Why it was asked, as the rules were applied; None for a fault, which tells of nobody."""
