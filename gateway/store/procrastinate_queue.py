"""The job queue as Procrastinate, for PostgreSQL: any number of workers, on any machine.

A job is enqueued by Procrastinate's own SQL function on the caller's connection, so it comes with
the caller's COMMIT. Its worker fetches, keeps the heartbeat, retries; what it does not have stands
beside it: idempotency keys, schedules set at run time, and the type of the last error.
"""

import asyncio
import contextlib
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any, Final

import orjson
import procrastinate
from procrastinate.jobs import Status
from sqlalchemy import Row, make_url, text

from gateway.model.identity import PlanId
from gateway.model.job import Job, JobState, JobStatus
from gateway.model.metering import JobCount
from gateway.store import schedules, tables
from gateway.store.database import Database
from gateway.store.errors import StoreUnavailable
from gateway.store.job_port import (
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
from gateway.store.scope import AllPlans, Scope
from gateway.store.sql import upsert
from gateway.store.transaction import Transaction

_QUEUES: Final[Mapping[Place, str]] = {
    "house": "gateway",
    "partners": "gateway-partners",
    "mail": "gateway-mail",
}
"""A worker chooses by queue alone, so each place has one. What stands in another's, put there by an
earlier release, is done all the same, and goes to its own when it is put off or tried again."""
_ALL_QUEUES: Final = list(_QUEUES.values())
_TASK: Final = "gateway.perform"
_STATES: Final[Mapping[str, JobState]] = {
    "todo": "waiting",
    "doing": "running",
    "succeeded": "done",
    "failed": "dead",
    "cancelled": "dead",
    "aborting": "running",
    "aborted": "dead",
}
_DEFER: Final = text(
    "SELECT (procrastinate_defer_jobs_v1(ARRAY[ROW("
    " :queue, :task, 0, NULL, NULL, CAST(:args AS jsonb), CAST(:run_at AS timestamptz)"
    ")::procrastinate_job_to_defer_v1]))[1]"
)
_COUNT: Final = text(
    "SELECT args #>> '{job,kind}' AS kind, status::text AS status, count(*) AS number,"
    " min(scheduled_at) AS due FROM procrastinate_jobs"
    " WHERE queue_name = ANY(:queues) AND status <> 'succeeded' GROUP BY 1, 2 ORDER BY 1, 2"
)
_SELECT: Final = (
    "SELECT j.id, j.status::text AS status, j.attempts, j.scheduled_at, j.args, n.error"
    " FROM procrastinate_jobs j LEFT JOIN job n ON n.id = j.id WHERE j.queue_name = ANY(:queues)"
)
_GIVE_BACK: Final = text(
    "UPDATE procrastinate_jobs SET attempts = attempts - 1"
    " WHERE id = :job AND status = 'doing' AND attempts = :attempts"
)
_WORN_OUT: Final = "is_worn_out"
_TO_BE_GIVEN_UP: Final = text(
    "UPDATE procrastinate_jobs SET status = 'todo', attempts = attempts + 1, scheduled_at = :now,"
    " args = jsonb_set(args, ARRAY['job', :mark], 'true')"
    " WHERE id = :job AND status = 'doing' AND attempts = :attempts"
)


class ProcrastinateQueue:
    """JobQueue on Procrastinate's tables."""

    def __init__(self, database: Database, options: QueueOptions) -> None:
        self._database = database
        self._options = options

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
        # One argument, so that no payload's key can collide with the task's own.
        job = {"kind": kind, "plan": plan, "payload": checked_payload(payload)}
        values = {
            "queue": _QUEUES[place_of(kind)],
            "task": _TASK,
            "args": orjson.dumps({"job": job}).decode(),
            "run_at": run_at or now,
        }

        def make() -> int:
            return int(transaction.connection.execute(_DEFER, values).scalar_one())

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
        found = self._select(transaction, plan, " AND j.id = :job", {"job": job})
        return next(iter(found), None)

    def dead(
        self, transaction: Transaction, *, plan: Scope, limit: int = 100
    ) -> tuple[JobStatus, ...]:
        condition = " AND j.status IN ('failed', 'aborted', 'cancelled')"
        return self._select(transaction, plan, condition, {}, limit)

    def counts(self, transaction: Transaction) -> tuple[JobCount, ...]:
        found: dict[tuple[str, JobState], JobCount] = {}
        now = self._options.clock()
        for row in transaction.connection.execute(_COUNT, {"queues": _ALL_QUEUES}):
            state, due = _STATES[row.status], row.due or now
            known = found.get((row.kind, state), JobCount(row.kind, state, 0, due))
            found[row.kind, state] = replace(
                known, number=known.number + row.number, due=min(known.due, due)
            )
        return tuple(found[key] for key in sorted(found))

    def revive(self, transaction: Transaction, *, plan: Scope, job: int) -> bool:
        found = self.status(transaction, plan=plan, job=job)
        if found is None or found.state != "dead":
            return False
        transaction.connection.execute(
            text(
                "UPDATE procrastinate_jobs SET status = 'todo', attempts = 0, scheduled_at = :now,"
                " args = args #- ARRAY['job', :mark],"
                " abort_requested = false, worker_id = NULL WHERE id = :job"
            ),
            {"job": job, "now": self._options.clock(), "mark": _WORN_OUT},
        )
        return True

    def _select(
        self,
        transaction: Transaction,
        plan: Scope,
        condition: str,
        values: Mapping[str, Any],
        limit: int = 1,
    ) -> tuple[JobStatus, ...]:
        parameters = {"queues": _ALL_QUEUES, "limit": limit, **values}
        if not isinstance(plan, AllPlans):
            condition += " AND j.args #>> '{job,plan}' = :plan"
            parameters["plan"] = plan
        statement = text(f"{_SELECT}{condition} ORDER BY j.id LIMIT :limit")
        return tuple(
            self._status(row) for row in transaction.connection.execute(statement, parameters)
        )

    # ---- working -----------------------------------------------------------------------------

    async def work(
        self,
        perform: Perform,
        *,
        wake: asyncio.Event | None = None,
        room: Mapping[Place, int] = ROOM,
        until_idle: bool = False,
    ) -> None:
        """As the port says; `wake` is not needed here, PostgreSQL itself notifies workers."""
        url = make_url(self._database.url).set(drivername="postgresql")
        connector = procrastinate.PsycopgConnector(
            conninfo=url.render_as_string(hide_password=False), min_size=1, max_size=4
        )
        app = procrastinate.App(connector=connector)
        self._add_task(app, perform)
        async with app.open_async():
            stopping = asyncio.Event()
            ticking = asyncio.create_task(self._tick(app, stopping))
            working = [
                asyncio.create_task(self._work_off(app, _QUEUES[place], most, until_idle))
                for place, most in {**ROOM, **room}.items()
                if most
            ]
            try:
                await asyncio.gather(*working)
            finally:
                stopping.set()  # as well, for a cancellation can get lost
                for task in (ticking, *working):
                    # A second one would break off what a worker puts back after the first.
                    if not task.cancelling():
                        task.cancel()
                await asyncio.gather(ticking, *working, return_exceptions=True)

    async def _work_off(self, app: Any, queue: str, most: int, until_idle: bool) -> None:
        """One of the workers: the jobs of a queue, so many at once."""
        while True:
            await self._look_after(app)
            _heed_cancellation()
            await app.run_worker_async(
                queues=[queue],
                concurrency=most,
                wait=not until_idle,
                listen_notify=not until_idle,
                fetch_job_polling_interval=self._options.poll_seconds,
                update_heartbeat_interval=self._options.lease_seconds / 3,
                stalled_worker_timeout=self._options.lease_seconds,
                # When idle it shuts down while the last jobs still run: wait for them.
                shutdown_graceful_timeout=None if until_idle else 0.0,
                install_signal_handlers=False,
            )
            if until_idle:
                return
            # It ends by itself when the server went away under it.
            await asyncio.sleep(self._options.poll_seconds)

    def _add_task(self, app: Any, perform: Perform) -> None:
        async def run(context: Any, job: Mapping[str, Any]) -> None:
            try:
                attempt = context.job.attempts + 1
                given = self._job(context.job.id, job, attempt, context.job.scheduled_at)
                await perform(given)
                if given.is_worn_out:
                    raise WorkerDied
            except asyncio.CancelledError:
                await asyncio.shield(self._give_attempt_back(context.job))
                raise
            except PutOff:
                await self._give_attempt_back(context.job)
                raise
            except Exception as error:  # the door where a verb's failure becomes a row
                await self._note(context.job.id, job, type(error).__name__)
                # The library logs what is raised here, and what others' errors quote may be PHI.
                raise _Failed(isinstance(error, PermanentFailure)) from None

        app.task(name=_TASK, pass_context=True, retry=_Retry(self._options))(run)

    def _status(self, row: Row[Any]) -> JobStatus:
        state = _STATES[row.status]
        attempt = row.attempts + (1 if state == "running" else 0)
        job = self._job(row.id, row.args["job"], attempt, row.scheduled_at)
        return JobStatus(job, state, row.error)

    def _job(self, job_id: int, job: Mapping[str, Any], attempt: int, run_at: datetime) -> Job:
        return Job(
            id=job_id,
            kind=job["kind"],
            plan=None if job["plan"] is None else PlanId(job["plan"]),
            payload=job["payload"],
            attempt=attempt,
            run_at=run_at,
            attempts_left=max(0, self._options.attempts - attempt),
            is_worn_out=_WORN_OUT in job,
        )

    async def _note(self, job_id: int, job: Mapping[str, Any], error: str) -> None:
        """Keeps the type of the last error, which Procrastinate does not."""
        values = {
            "id": job_id,
            "plan": job["plan"],
            "kind": job["kind"],
            "payload": "{}",
            "state": "failed",
            "attempt": 0,
            "run_at": self._options.clock(),
            "error": error,
        }
        with contextlib.suppress(StoreUnavailable):
            await self._database.write_async(lambda t: upsert(t, tables.job, values, ["id"]))

    async def _give_attempt_back(self, job: Any) -> None:
        """The library counts one whenever it puts a job back: it is taken off before."""
        values = {"job": job.id, "attempts": job.attempts}
        # Without the database nothing is put back: the job is one whose worker died.
        with contextlib.suppress(StoreUnavailable):
            await self._database.write_async(
                lambda t: t.connection.execute(_GIVE_BACK, values).rowcount
            )

    async def _tick(self, app: Any, stopping: asyncio.Event) -> None:
        while not stopping.is_set():
            await asyncio.sleep(self._options.poll_seconds)
            with contextlib.suppress(StoreUnavailable, procrastinate.exceptions.ConnectorException):
                await self._look_after(app)

    async def _look_after(self, app: Any) -> None:
        """What Procrastinate's worker leaves to its owner: schedules, and dead workers' jobs."""
        await self._database.write_async(
            lambda t: schedules.enqueue_due(t, self, now=self._options.clock())
        )
        stalled = await app.job_manager.get_stalled_jobs(
            task_name=_TASK, seconds_since_heartbeat=self._options.lease_seconds
        )
        for job in stalled:
            # Another worker may have taken it up in between: then there is nothing to do.
            with contextlib.suppress(procrastinate.exceptions.ConnectorException):
                if job.attempts + 1 < self._options.attempts:
                    await app.job_manager.retry_job(job, retry_at=self._options.clock())
                elif _WORN_OUT not in job.task_kwargs["job"]:
                    await self._hand_out_to_be_given_up(job)
                else:
                    await self._note(job.id, job.task_kwargs["job"], "WorkerDied")
                    await app.job_manager.finish_job(job, status=Status.FAILED, delete_job=False)

    async def _hand_out_to_be_given_up(self, job: Any) -> None:
        """Once more, marked; its attempts tell whether another worker was quicker."""
        values = {
            "job": job.id,
            "attempts": job.attempts,
            "mark": _WORN_OUT,
            "now": self._options.clock(),
        }
        await self._database.write_async(
            lambda t: t.connection.execute(_TO_BE_GIVEN_UP, values).rowcount
        )


class _Failed(Exception):
    """A verb raised; of what, only the type's name is kept."""

    def __init__(self, is_permanent: bool) -> None:
        super().__init__("a job failed")
        self.is_permanent = is_permanent


# Untyped as mypy sees it here: the library is not followed.
class _Retry(procrastinate.BaseRetryStrategy):  # type: ignore[misc]
    """Backoff and dead letter, by our options."""

    def __init__(self, options: QueueOptions) -> None:
        self._options = options

    def get_retry_decision(self, *, exception: BaseException, job: Any) -> Any:
        seconds = self._seconds(exception, job.attempts + 1)
        if seconds is None:
            return None
        return procrastinate.RetryDecision(
            retry_at=self._options.clock() + timedelta(seconds=seconds),
            queue=_QUEUES[place_of(job.task_kwargs["job"]["kind"])],
        )

    def _seconds(self, ended_by: BaseException, attempt: int) -> float | None:
        """Until the job is done again; None if it is dead."""
        if isinstance(ended_by, (asyncio.CancelledError, procrastinate.exceptions.JobAborted)):
            return 0.0
        if isinstance(ended_by, PutOff):
            return ended_by.seconds
        is_permanent = isinstance(ended_by, _Failed) and ended_by.is_permanent
        if is_permanent or attempt >= self._options.attempts:
            return None
        return self._options.backoff(attempt)


def _heed_cancellation() -> None:
    """Python 3.11's wait_for, inside the driver, can swallow one: it must not be lost."""
    task = asyncio.current_task()
    if task is not None and task.cancelling():
        raise asyncio.CancelledError
