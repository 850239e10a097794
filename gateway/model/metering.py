"""What is counted for whoever watches the gateway; nothing here tells of a member."""

from dataclasses import dataclass
from datetime import datetime

from gateway.model.exchange import Direction, Outcome
from gateway.model.identity import PartnerId
from gateway.model.job import JobState


@dataclass(frozen=True, slots=True)
class Counted:
    """An exchange record, less all that names a person: what is counted of it.

    `refused_for` is why it was refused, or documents were kept out of it.
    """

    sequence: int
    direction: Direction
    transaction: str
    outcome: Outcome
    partner: PartnerId | None
    purpose: str | None
    duration_ms: int | None
    count: int
    refused_for: str | None = None


@dataclass(frozen=True, slots=True)
class JobCount:
    """How many jobs of a kind are in a state; `due` is since when the oldest of them could run."""

    kind: str
    state: JobState
    number: int
    due: datetime
