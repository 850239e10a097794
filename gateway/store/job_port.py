"""What a job queue is, whichever database carries it (DECISIONS 27)."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Final, Literal, Protocol

import orjson

from gateway.model.direct_anchors import REFRESH_BUNDLE
from gateway.model.identity import PlanId
from gateway.model.job import Job, JobStatus
from gateway.model.later import BRING_RESULT, DELIVER, GO_ON
from gateway.model.metering import JobCount
from gateway.model.retrieval import RETRIEVE
from gateway.model.sent_mail import MAIL_SEND
from gateway.model.submission import SUBMIT
from gateway.store.scope import Scope
from gateway.store.transaction import Transaction

Perform = Callable[[Job], Awaitable[None]]
"""Does one job. It may be called again for a job that was done when its process died, and is once
more for one that is worn out, so that whoever waits for it hears of its end."""
Place = Literal["house", "partners", "mail"]
"""Where jobs run: each place has room for so many at once, so that no others are held up by those
that wait for partners, or for mail servers and directories."""
KINDS: Final[Mapping[Place, frozenset[str]]] = {
    "partners": frozenset({RETRIEVE, GO_ON, SUBMIT, DELIVER, BRING_RESULT, REFRESH_BUNDLE}),
    "mail": frozenset({MAIL_SEND}),
}
"""All others are done in the house."""
ROOM: Final[Mapping[Place, int]] = {"house": 4, "partners": 64, "mail": 64}
"""To wait for others costs little, and one that is slow holds no more than it takes at once and a
short line (`clients.restraint`)."""


def place_of(kind: str) -> Place:
    """Where jobs of that kind run."""
    return next((place for place, kinds in KINDS.items() if kind in kinds), "house")


class PermanentFailure(Exception):
    """Raised by a verb when trying again cannot help: the job is dead at once."""


class PutOff(Exception):
    """Raised by a verb whose turn has not come: the job comes back, and no attempt is used up."""

    def __init__(self, seconds: float) -> None:
        super().__init__(f"to come back in {seconds:.1f} s")
        self.seconds = seconds


class WorkerDied(PermanentFailure):
    """What a job is dead of whose process died at its last attempt."""


PAYLOAD_LIMIT_BYTES: Final = 16 * 1024
"""A payload names what the job is about; what that is stands in rows and blobs of its own."""


def checked_payload(payload: Mapping[str, str]) -> dict[str, str]:
    """The payload as it is kept.

    Raises:
        ValueError: it is too large to hold references alone.
    """
    given = dict(payload)
    if len(orjson.dumps(given)) > PAYLOAD_LIMIT_BYTES:
        raise ValueError("a job's payload holds references, never content")
    return given


def backoff_seconds(attempt: int) -> float:
    """10 s after the first failure, doubling up to an hour."""
    return float(min(10 * 2 ** (attempt - 1), 3600))


@dataclass(frozen=True, slots=True)
class QueueOptions:
    """How patient a queue is."""

    clock: Callable[[], datetime] = field(default=lambda: datetime.now(UTC))
    backoff: Callable[[int], float] = backoff_seconds
    """Seconds to wait after that many failed attempts."""
    attempts: int = 10
    lease_seconds: float = 30.0
    """A worker that says nothing for this long has lost its jobs."""
    poll_seconds: float = 1.0


class JobQueue(Protocol):
    """Enqueue in the caller's transaction; run by any number of workers, at least once each."""

    def enqueue(
        self,
        transaction: Transaction,
        *,
        kind: str,
        plan: PlanId | None,
        payload: Mapping[str, str],
        idempotency_key: str | None = None,
        run_at: datetime | None = None,
    ) -> int:
        """The job's id. Asked for again under the same kind and key, it is the first one's.

        Raises:
            ValueError: the payload is over `PAYLOAD_LIMIT_BYTES`.
        """

    async def work(
        self,
        perform: Perform,
        *,
        wake: asyncio.Event | None = None,
        room: Mapping[Place, int] = ROOM,
        until_idle: bool = False,
    ) -> None:
        """Does jobs until cancelled, or until none is due: in each place as many at once as it has
        room for, by `ROOM` where `room` does not say. A cancelled job waits for the next worker,
        and has lost no attempt. `wake` cuts short the wait for the next look, as any enqueue in
        this process does.
        """

    def status(self, transaction: Transaction, *, plan: Scope, job: int) -> JobStatus | None:
        """How it stands with the job."""

    def dead(
        self, transaction: Transaction, *, plan: Scope, limit: int = 100
    ) -> tuple[JobStatus, ...]:
        """Jobs that failed too often, or for good, oldest first."""

    def counts(self, transaction: Transaction) -> tuple[JobCount, ...]:
        """How many jobs of each kind wait, run or are dead, of all plans; those done are not."""

    def revive(self, transaction: Transaction, *, plan: Scope, job: int) -> bool:
        """Lets a dead job try again from the start; False when there is no such dead job."""

    def schedule(
        self,
        transaction: Transaction,
        *,
        name: str,
        kind: str,
        plan: PlanId | None,
        payload: Mapping[str, str],
        every_seconds: int,
        first: datetime,
    ) -> None:
        """Enqueues such a job every so often from `first` on, once for all workers. Times missed
        while nobody worked are not made up for. The same name again changes what was set.
        """

    def unschedule(self, transaction: Transaction, *, name: str) -> bool:
        """Whether there was such a schedule."""
