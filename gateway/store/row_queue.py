"""The job queue as rows beside the data, for SQLite: workers in the process that serves.

A worker claims a job under a lease, and renews it while it works. A lease that ran out, or whose
process is dead, is anybody's again; what the first worker then still says counts for nothing.
"""

import asyncio
import contextlib
from collections.abc import Collection, Mapping
from datetime import datetime, timedelta
from functools import cache, partial
from typing import Any

import orjson
from sqlalchemy import (
    ColumnElement,
    Integer,
    Row,
    String,
    Update,
    UpdateBase,
    and_,
    bindparam,
    func,
    insert,
    or_,
    select,
    union_all,
    update,
)

from gateway.model.identity import PlanId
from gateway.model.job import Job, JobStatus
from gateway.model.metering import JobCount
from gateway.store import schedules, tables
from gateway.store.column_types import UtcTime
from gateway.store.database import Database
from gateway.store.errors import StoreUnavailable
from gateway.store.job_port import (
    KINDS,
    ROOM,
    Perform,
    PermanentFailure,
    Place,
    PutOff,
    QueueOptions,
    WorkerDied,
    checked_payload,
    place_of,
)
from gateway.store.scope import Scope, within
from gateway.store.transaction import Transaction


class RowQueue:
    """JobQueue on the table `job`."""

    def __init__(self, database: Database, options: QueueOptions) -> None:
        self._database = database
        self._options = options
        self._sleepers: set[tuple[asyncio.AbstractEventLoop, asyncio.Event]] = set()

    # ---- asking for work ---------------------------------------------------------------------

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
        now = self._options.clock()
        values = {
            "plan": plan,
            "kind": kind,
            "payload": orjson.dumps(checked_payload(payload)).decode(),
            "state": "waiting",
            "attempt": 0,
            "run_at": run_at or now,
        }

        def make() -> int:
            table = tables.job
            made = transaction.connection.execute(
                insert(table).values(values).returning(table.c.id)
            )
            return int(made.scalar_one())

        transaction.after_commit(self._wake)
        return schedules.enqueue_once(
            transaction, kind=kind, key=idempotency_key, plan=plan, now=now, enqueue=make
        )

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
        schedules.put(
            transaction,
            name=name,
            kind=kind,
            plan=plan,
            payload=payload,
            every_seconds=every_seconds,
            first=first,
        )

    def unschedule(self, transaction: Transaction, *, name: str) -> bool:
        return schedules.remove(transaction, name=name)

    # ---- looking -----------------------------------------------------------------------------

    def status(self, transaction: Transaction, *, plan: Scope, job: int) -> JobStatus | None:
        table = tables.job
        row = transaction.connection.execute(
            select(table).where(table.c.id == job, within(table.c.plan, plan))
        ).first()
        return None if row is None else JobStatus(self._job(row), row.state, row.error)

    def dead(
        self, transaction: Transaction, *, plan: Scope, limit: int = 100
    ) -> tuple[JobStatus, ...]:
        table = tables.job
        rows = transaction.connection.execute(
            select(table)
            .where(table.c.state == "dead", within(table.c.plan, plan))
            .order_by(table.c.id)
            .limit(limit)
        )
        return tuple(JobStatus(self._job(row), row.state, row.error) for row in rows)

    def counts(self, transaction: Transaction) -> tuple[JobCount, ...]:
        table = tables.job
        by = (table.c.kind, table.c.state)
        rows = transaction.connection.execute(
            select(*by, func.count().label("number"), func.min(table.c.run_at).label("due"))
            .where(table.c.state.in_(("waiting", "running", "dead")))
            .group_by(*by)
            .order_by(*by)
        )
        return tuple(JobCount(row.kind, row.state, row.number, row.due) for row in rows)

    def revive(self, transaction: Transaction, *, plan: Scope, job: int) -> bool:
        table = tables.job
        result = transaction.connection.execute(
            update(table)
            .where(table.c.id == job, table.c.state == "dead", within(table.c.plan, plan))
            .values(state="waiting", attempt=0, run_at=self._options.clock())
        )
        transaction.after_commit(self._wake)
        return result.rowcount > 0

    # ---- working -----------------------------------------------------------------------------

    async def work(
        self,
        perform: Perform,
        *,
        wake: asyncio.Event | None = None,
        room: Mapping[Place, int] = ROOM,
        until_idle: bool = False,
    ) -> None:
        wake = wake or asyncio.Event()
        sleeper = (asyncio.get_running_loop(), wake)
        self._sleepers.add(sleeper)
        running = _Running(room)
        try:
            while True:
                wake.clear()
                due = await self._fill(running, perform)
                if until_idle and not running.tasks and not due:
                    return
                await self._pause(running.tasks, wake)
        finally:
            self._sleepers.discard(sleeper)
            tasks = running.tasks
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _fill(self, running: "_Running", perform: Perform) -> bool:
        """Begins jobs until as many run as may; whether more may be due."""
        try:
            await self._database.write_async(
                lambda t: schedules.enqueue_due(t, self, now=self._options.clock())
            )
            while (full := running.full()) != _EVERYWHERE:
                job = await self._database.write_async(partial(self._claim, full=full))
                if job is None:
                    return False
                running.add(job, asyncio.create_task(self._run(job, perform)))
        except StoreUnavailable:
            return True  # the next look comes soon enough
        return True

    async def _pause(self, running: set[asyncio.Task[None]], wake: asyncio.Event) -> None:
        """Until a job ends, one is enqueued, or it is time to look again."""
        waking = asyncio.create_task(wake.wait())
        try:
            await asyncio.wait(
                {waking, *running},
                timeout=self._options.poll_seconds,
                return_when=asyncio.FIRST_COMPLETED,
            )
        finally:
            waking.cancel()

    async def _run(self, job: Job, perform: Perform) -> None:
        renewing = asyncio.create_task(self._renew(job, asyncio.current_task()))
        try:
            await perform(job)
            if job.is_worn_out:
                raise WorkerDied
        except asyncio.CancelledError:
            await asyncio.shield(self._settle(job, state="waiting", attempt=job.attempt - 1))
            raise
        except PutOff as later:
            at = self._options.clock() + timedelta(seconds=later.seconds)
            await self._settle(job, state="waiting", attempt=job.attempt - 1, run_at=at)
        except Exception as error:  # the door where a verb's failure becomes a row
            await self._settle(job, **self._failed(job, error))
        else:
            await self._settle(job, state="done", error=None)
        finally:
            renewing.cancel()

    def _failed(self, job: Job, error: Exception) -> dict[str, Any]:
        """What becomes of a job whose verb raised; only the error's type is kept."""
        kind = type(error).__name__
        if isinstance(error, PermanentFailure) or job.attempt >= self._options.attempts:
            return {"state": "dead", "error": kind}
        wait = timedelta(seconds=self._options.backoff(job.attempt))
        return {"state": "waiting", "run_at": self._options.clock() + wait, "error": kind}

    async def _settle(self, job: Job, **values: Any) -> bool:
        """Whether the job is still ours; while the database cannot say, it is."""
        statement = _mine(job).values(values)
        try:
            return 0 < await self._database.write_async(
                lambda t: t.connection.execute(statement).rowcount
            )
        except StoreUnavailable:
            return True  # the lease will run out, and the job is done again

    async def _renew(self, job: Job, running: asyncio.Task[Any] | None) -> None:
        while await self._settle(job, lease_until=self._lease_until()):
            await asyncio.sleep(self._options.lease_seconds / 3)
        # A stall longer than the lease: another worker has the job by now, and two must not do it.
        if running is not None:
            running.cancel()

    def _claim(self, transaction: Transaction, full: Collection[Place]) -> Job | None:
        """The next job that is due, nobody's, and of a kind there is room for, under our lease."""
        now, gone = self._options.clock(), _gone(transaction)
        given = {"now": now, "gone": gone, "attempts": self._options.attempts}
        transaction.connection.execute(_WORN_OUT, given)
        own = {"until": self._lease_until(), "own": transaction.process}
        row = transaction.connection.execute(_claiming(frozenset(full)), {**given, **own}).first()
        return None if row is None else self._job(row)

    def _job(self, row: Row[Any]) -> Job:
        return Job(
            id=row.id,
            kind=row.kind,
            plan=None if row.plan is None else PlanId(row.plan),
            payload=orjson.loads(row.payload),
            attempt=row.attempt,
            run_at=row.run_at,
            attempts_left=max(0, self._options.attempts - row.attempt),
            is_worn_out=row.attempt > self._options.attempts,
        )

    def _lease_until(self) -> datetime:
        return self._options.clock() + timedelta(seconds=self._options.lease_seconds)

    def _wake(self) -> None:
        for loop, event in list(self._sleepers):
            with contextlib.suppress(RuntimeError):  # a loop that has just closed
                loop.call_soon_threadsafe(event.set)


_EVERYWHERE = frozenset(ROOM)
_LOST = and_(
    tables.job.c.state == "running",
    or_(
        tables.job.c.lease_until <= bindparam("now", type_=UtcTime()),
        tables.job.c.worker.in_(bindparam("gone", expanding=True)),
    ),
)
"""Begun by a worker that has said nothing for too long, or is dead."""
_WORN_OUT = (
    update(tables.job)
    .where(_LOST, tables.job.c.attempt > bindparam("attempts", type_=Integer()))
    .values(state="dead", error="WorkerDied", worker=None)
)
"""After its last attempt a job is handed out once more, to be given up; that failed, too."""


class _Running:
    """The jobs of one worker, and what it has room for."""

    def __init__(self, room: Mapping[Place, int]) -> None:
        self._room = {**ROOM, **room}
        self._at: dict[Place, set[asyncio.Task[None]]] = {place: set() for place in ROOM}

    @property
    def tasks(self) -> set[asyncio.Task[None]]:
        return set().union(*self._at.values())

    def add(self, job: Job, task: asyncio.Task[None]) -> None:
        there = self._at[place_of(job.kind)]
        there.add(task)
        task.add_done_callback(there.discard)

    def full(self) -> frozenset[Place]:
        """Where no more can be begun."""
        return frozenset(
            place for place, most in self._room.items() if len(self._at[place]) >= most
        )


@cache
def _claiming(full: frozenset[Place]) -> UpdateBase:
    """Claims the job that has been due for longest, of kinds that run where there is room.

    Of the kinds that wait the first job of each is looked at: of one alone there may be a hundred
    thousand.
    """
    table, other, now = tables.job, tables.job.alias(), bindparam("now", type_=UtcTime())
    waits = table.c.state == "waiting"
    kinds = select(func.min(table.c.kind).label("kind")).where(waits).cte(recursive=True)
    next_kind = select(func.min(other.c.kind)).where(
        other.c.state == "waiting", other.c.kind > kinds.c.kind
    )
    kinds = kinds.union_all(select(next_kind.scalar_subquery()).where(kinds.c.kind.is_not(None)))
    first = (
        select(other.c.id)
        .where(other.c.state == "waiting", other.c.kind == kinds.c.kind, other.c.run_at <= now)
        .order_by(other.c.run_at, other.c.id)
        .limit(1)
    )
    waiting = (
        select(table.c.id, table.c.run_at)
        .join_from(kinds, table, table.c.id == first.scalar_subquery())
        .where(*(~_runs_at(place, kinds.c.kind) for place in full))
    )
    again = select(table.c.id, table.c.run_at).where(
        _LOST, *(~_runs_at(place, table.c.kind) for place in full)
    )
    due = union_all(waiting, again).subquery()
    longest = select(due.c.id).order_by(due.c.run_at, due.c.id).limit(1)
    return (
        update(table)
        .where(table.c.id == longest.scalar_subquery())
        .values(
            state="running",
            attempt=table.c.attempt + 1,
            lease_until=bindparam("until", type_=UtcTime()),
            worker=bindparam("own", type_=String()),
        )
        .returning(*table.c)
    )


def _runs_at(place: Place, kind: ColumnElement[str]) -> ColumnElement[bool]:
    if place in KINDS:
        return kind.in_(KINDS[place])
    return kind.not_in(frozenset().union(*KINDS.values()))


def _gone(transaction: Transaction) -> list[str]:
    """Marks of dead processes that hold jobs: no need to wait for their leases."""
    table = tables.job
    workers = transaction.connection.execute(
        select(table.c.worker).where(table.c.state == "running").distinct()
    ).scalars()
    return [worker for worker in workers if worker and not transaction.is_running(worker)]


def _mine(job: Job) -> Update:
    """The job as long as it is in the attempt that we were given."""
    table = tables.job
    return update(table).where(
        table.c.id == job.id, table.c.state == "running", table.c.attempt == job.attempt
    )
