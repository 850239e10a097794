"""Work to be done later, and again when it fails (DECISIONS 27)."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from gateway.model.identity import PlanId

JobState = Literal["waiting", "running", "done", "dead"]


@dataclass(frozen=True, slots=True)
class Job:
    """One job as handed to its verb. The payload holds references, never content."""

    id: int
    kind: str
    plan: PlanId | None
    payload: Mapping[str, str]
    attempt: int
    run_at: datetime
    attempts_left: int = 0
    """How often it is tried again should this attempt fail."""
    is_worn_out: bool = False
    """Its process died at the last attempt: it is not to be done, only given up."""


@dataclass(frozen=True, slots=True)
class JobStatus:
    """A job as seen from outside. `error` is the last failure's type; a dead job waits for us."""

    job: Job
    state: JobState
    error: str | None = None
