"""How it goes with one partner for one purpose: what was asked and what came of it, both ways."""

from dataclasses import dataclass

from gateway.model.identity import PartnerId
from gateway.model.retrieval import PartnerOutcome


@dataclass(frozen=True, slots=True)
class Visits:
    """How often retrievals for a purpose ended so at a partner; counts over all of them."""

    partner: PartnerId
    partner_name: str
    purpose: str
    outcome: PartnerOutcome
    times: int
    documents_found: int
    documents_new: int
    documents_missing: int


@dataclass(frozen=True, slots=True)
class Latency:
    """Of the requests that were answered, in milliseconds."""

    p50_ms: int
    p95_ms: int
    p99_ms: int


@dataclass(frozen=True, slots=True)
class Requests:
    """Messages in one direction, by how they ended; `documents` is what they gave."""

    sent: int = 0
    answered: int = 0
    partial: int = 0
    refused: int = 0
    failed: int = 0
    documents: int = 0
    latency: Latency | None = None
    reasons: tuple[tuple[str, int], ...] = ()
    """Why not answered in full, in words, the most frequent first."""


@dataclass(frozen=True, slots=True)
class LedgerLine:
    """`members` counts retrievals, each of one member, by how they ended at the partner.

    `purpose` is None where a request states none. `charges` says that the partner takes a fee for
    this purpose, as its profile tells.
    """

    partner: PartnerId
    name: str
    purpose: str | None
    members: dict[PartnerOutcome, int]
    documents_found: int
    documents_new: int
    documents_missing: int
    we_asked: Requests
    they_asked: Requests
    charges: bool = False
