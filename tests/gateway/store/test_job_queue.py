"""The contract of the job queue, held by both carriers."""

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import TextClause, text

from gateway.model.job import Job
from gateway.model.later import RENEW_SUMMARY
from gateway.model.member import Plan
from gateway.model.received_mail import MAIL_RECEIVE
from gateway.model.sent_mail import MAIL_REPORT, MAIL_SEND, MAIL_WATCH
from gateway.store import plans
from gateway.store.database import Database
from gateway.store.job_port import KINDS, PAYLOAD_LIMIT_BYTES, ROOM, PutOff
from gateway.store.job_queue import JobQueue, PermanentFailure, QueueOptions, open_queue
from gateway.store.scope import ALL_PLANS
from gateway.store.transaction import Transaction
from tests.gateway.store.builders import ACME, OTHER

PAYLOAD = {"retrieval": "r1"}
AT_PARTNERS = KINDS["partners"]


@pytest.fixture
def queue(database: Database) -> JobQueue:
    return _queue(database)


def _queue(database: Database, **options: object) -> JobQueue:
    values: dict[str, object] = {
        "backoff": lambda _attempt: 0.0,
        "attempts": 3,
        "poll_seconds": 0.05,
        "lease_seconds": 20.0,
    }
    return open_queue(database, QueueOptions(**{**values, **options}))  # type: ignore[arg-type]


class Recorder:
    """A verb that remembers what it was given, and fails as it is told."""

    def __init__(self, *failures: Exception) -> None:
        self.jobs: list[Job] = []
        self._failures = list(failures)

    async def __call__(self, job: Job) -> None:
        self.jobs.append(job)
        if self._failures:
            raise self._failures.pop(0)


def _enqueue(database: Database, queue: JobQueue, **changes: object) -> int:
    values: dict[str, object] = {"kind": "retrieve", "plan": ACME, "payload": PAYLOAD}
    return database.write(lambda t: queue.enqueue(t, **{**values, **changes}))  # type: ignore[arg-type]


def _state(database: Database, queue: JobQueue, job: int) -> tuple[str, str | None]:
    status = database.read(lambda t: queue.status(t, plan=ACME, job=job))
    assert status is not None
    return status.state, status.error


async def _work(queue: JobQueue, perform: Callable[[Job], object], times: int = 1) -> None:
    for _ in range(times):
        await queue.work(perform, until_idle=True)  # type: ignore[arg-type]


async def test_a_job_is_done_with_what_it_was_given(database: Database, queue: JobQueue) -> None:
    job = _enqueue(database, queue)
    assert _state(database, queue, job) == ("waiting", None)
    verb = Recorder()
    await _work(queue, verb)
    (done,) = verb.jobs
    assert (done.id, done.kind, done.plan, done.payload, done.attempt) == (
        job,
        "retrieve",
        ACME,
        PAYLOAD,
        1,
    )
    assert _state(database, queue, job) == ("done", None)
    await _work(queue, verb)
    assert len(verb.jobs) == 1


async def test_a_job_comes_with_the_callers_commit_or_not_at_all(
    database: Database, queue: JobQueue
) -> None:
    def fail(transaction: object) -> None:
        queue.enqueue(transaction, kind="k", plan=None, payload={}, idempotency_key="x")  # type: ignore[arg-type]
        raise LookupError

    with pytest.raises(LookupError):
        database.write(fail)
    verb = Recorder()
    await _work(queue, verb)
    assert verb.jobs == []
    _enqueue(database, queue, kind="k", idempotency_key="x")
    await _work(queue, verb)
    assert len(verb.jobs) == 1


async def test_the_same_key_is_one_job_even_after_it_is_done(
    database: Database, queue: JobQueue
) -> None:
    first = _enqueue(database, queue, idempotency_key="r1")
    assert _enqueue(database, queue, idempotency_key="r1") == first
    assert _enqueue(database, queue, idempotency_key="r1", kind="other") != first
    verb = Recorder()
    await _work(queue, verb)
    assert _enqueue(database, queue, idempotency_key="r1") == first
    await _work(queue, verb)
    assert sorted(job.kind for job in verb.jobs) == ["other", "retrieve"]


async def test_the_same_key_from_many_threads_is_one_job(
    database: Database, queue: JobQueue
) -> None:
    jobs = await asyncio.gather(
        *(asyncio.to_thread(_enqueue, database, queue, idempotency_key="r1") for _ in range(8))
    )
    assert len(set(jobs)) == 1
    verb = Recorder()
    await _work(queue, verb)
    assert len(verb.jobs) == 1


async def test_a_job_for_later_waits(database: Database, queue: JobQueue) -> None:
    later = datetime.now(UTC) + timedelta(hours=1)
    job = _enqueue(database, queue, run_at=later)
    verb = Recorder()
    await _work(queue, verb)
    assert verb.jobs == []
    assert _state(database, queue, job) == ("waiting", None)


async def test_a_payload_holds_references_and_no_content(
    database: Database, queue: JobQueue
) -> None:
    fits = {"message": "m" * (PAYLOAD_LIMIT_BYTES - len('{"message":""}'))}
    _enqueue(database, queue, payload=fits)
    too_large = {"message": fits["message"] + "m"}
    with pytest.raises(ValueError, match="references"):
        _enqueue(database, queue, payload=too_large)
    with pytest.raises(ValueError, match="references"):
        database.write(
            lambda t: queue.schedule(
                t,
                name="n",
                kind="retrieve",
                plan=ACME,
                payload=too_large,
                every_seconds=60,
                first=datetime.now(UTC),
            )
        )
    done = Recorder()
    await _work(queue, done)
    assert [job.payload for job in done.jobs] == [fits]


async def test_a_failed_job_is_tried_again(database: Database, queue: JobQueue) -> None:
    job = _enqueue(database, queue)
    verb = Recorder(ConnectionError("Ada O'Neil"))
    await _work(queue, verb, times=2)
    assert [tried.attempt for tried in verb.jobs] == [1, 2]
    assert _state(database, queue, job)[0] == "done"


async def test_the_next_attempt_waits_as_long_as_the_backoff_says(database: Database) -> None:
    queue = _queue(database, backoff=lambda attempt: 600.0 * attempt)
    job = _enqueue(database, queue)
    verb = Recorder(ConnectionError(), ConnectionError())
    began = datetime.now(UTC)
    await _work(queue, verb, times=2)
    assert len(verb.jobs) == 1
    status = database.read(lambda t: queue.status(t, plan=ACME, job=job))
    assert status is not None
    assert status.state == "waiting"
    assert timedelta(seconds=599) < status.job.run_at - began < timedelta(seconds=660)


async def test_a_job_that_fails_too_often_is_dead_and_may_be_revived(
    database: Database, queue: JobQueue
) -> None:
    job = _enqueue(database, queue)
    verb = Recorder(*(ConnectionError("Ada O'Neil") for _ in range(3)))
    await _work(queue, verb, times=4)
    assert [tried.attempts_left for tried in verb.jobs] == [2, 1, 0]
    assert _state(database, queue, job) == ("dead", "ConnectionError")
    (dead,) = database.read(lambda t: queue.dead(t, plan=ACME))
    assert (dead.job.id, dead.job.payload) == (job, PAYLOAD)
    assert database.read(lambda t: queue.dead(t, plan=OTHER)) == ()
    assert len(database.read(lambda t: queue.dead(t, plan=ALL_PLANS))) == 1
    assert database.write(lambda t: queue.revive(t, plan=OTHER, job=job)) is False
    assert database.write(lambda t: queue.revive(t, plan=ACME, job=job)) is True
    assert database.write(lambda t: queue.revive(t, plan=ACME, job=job)) is False
    await _work(queue, verb)
    assert _state(database, queue, job)[0] == "done"


async def test_what_is_not_done_is_counted_by_kind_and_state(
    database: Database, queue: JobQueue
) -> None:
    _enqueue(database, queue, kind="fails")
    await _work(queue, Recorder(PermanentFailure()))
    _enqueue(database, queue, kind="does")
    await _work(queue, Recorder())
    earlier, later = (datetime.now(UTC) + timedelta(hours=hours) for hours in (1, 2))
    for plan, when in ((ACME, later), (OTHER, earlier)):
        _enqueue(database, queue, plan=plan, run_at=when)
    found = database.read(queue.counts)
    assert [(one.kind, one.state, one.number) for one in found] == [
        ("fails", "dead", 1),
        ("retrieve", "waiting", 2),
    ]
    assert found[1].due == earlier


async def test_a_permanent_failure_is_dead_at_once(database: Database, queue: JobQueue) -> None:
    job = _enqueue(database, queue)
    verb = Recorder(PermanentFailure())
    await _work(queue, verb, times=2)
    assert len(verb.jobs) == 1
    assert _state(database, queue, job) == ("dead", "PermanentFailure")


async def test_a_job_that_is_put_off_comes_back_and_has_lost_no_attempt(
    database: Database, queue: JobQueue
) -> None:
    job = _enqueue(database, queue)
    verb = Recorder(*(PutOff(0.0) for _ in range(5)))
    await _work(queue, verb, times=6)
    assert [given.attempt for given in verb.jobs] == [1] * 6
    assert _state(database, queue, job) == ("done", None)


async def test_a_job_that_is_put_off_waits_for_as_long_as_was_said(
    database: Database, queue: JobQueue
) -> None:
    job = _enqueue(database, queue)
    verb = Recorder(PutOff(600.0))
    began = datetime.now(UTC)
    await _work(queue, verb, times=2)
    assert len(verb.jobs) == 1
    status = database.read(lambda t: queue.status(t, plan=ACME, job=job))
    assert status is not None
    assert (status.state, status.job.attempts_left) == ("waiting", 3)
    assert timedelta(seconds=599) < status.job.run_at - began < timedelta(seconds=660)


async def test_a_job_whose_worker_is_stopped_waits_for_the_next(
    database: Database, queue: JobQueue
) -> None:
    job = _enqueue(database, queue)
    began = asyncio.Event()

    async def endless(_job: Job) -> None:
        began.set()
        await asyncio.Event().wait()

    working = asyncio.create_task(queue.work(endless))
    await asyncio.wait_for(began.wait(), 20)
    assert _state(database, queue, job)[0] == "running"
    working.cancel()
    with pytest.raises(asyncio.CancelledError):
        await working
    assert _state(database, queue, job)[0] == "waiting"
    verb = Recorder()
    await _work(queue, verb)
    assert _state(database, queue, job)[0] == "done"
    assert [given.attempt for given in verb.jobs] == [1], "to be stopped uses up no attempt"


async def test_all_jobs_of_a_stopped_worker_wait_whoever_it_was_they_waited_for(
    database: Database, queue: JobQueue
) -> None:
    for kind in ("retrieve", "retrieve", "renew-summary"):
        _enqueue(database, queue, kind=kind)
    began, ended = asyncio.Semaphore(0), 0

    async def slow_to_end(job: Job) -> None:
        nonlocal ended
        began.release()
        try:
            await asyncio.Event().wait()
        finally:
            await asyncio.sleep(0.3 if job.kind == "retrieve" else 0.0)
            ended += 1

    working = asyncio.create_task(queue.work(slow_to_end))
    for _ in range(3):
        await asyncio.wait_for(began.acquire(), 20)
    working.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asyncio.wait_for(working, 20)
    assert ended == 3
    assert {one.state for one in database.read(queue.counts)} == {"waiting"}


async def test_a_waiting_worker_takes_up_a_new_job_soon(database: Database) -> None:
    # PostgreSQL's notices are heard only once the worker listens, some time after its first look.
    queue = _queue(database, poll_seconds=0.5 if database.is_postgres else 60.0)
    done = asyncio.Event()

    async def verb(_job: Job) -> None:
        done.set()

    working = asyncio.create_task(queue.work(verb))
    try:
        for _ in range(2):
            done.clear()
            await asyncio.to_thread(_enqueue, database, queue)
            await asyncio.wait_for(done.wait(), 20)
    finally:
        working.cancel()
        await asyncio.gather(working, return_exceptions=True)


async def test_jobs_that_wait_for_partners_hold_up_no_others(database: Database) -> None:
    queue = _queue(database)
    for kind in sorted(AT_PARTNERS):
        _enqueue(database, queue, kind=kind)
    _enqueue(database, queue, kind="renew-summary")
    waiting, done = asyncio.Semaphore(0), asyncio.Event()

    async def verb(job: Job) -> None:
        if job.kind not in AT_PARTNERS:
            done.set()
            return
        waiting.release()
        await asyncio.Event().wait()

    working = asyncio.create_task(
        queue.work(verb, room={"house": 1, "partners": len(AT_PARTNERS) - 1})
    )
    try:
        for _ in range(len(AT_PARTNERS) - 1):
            await asyncio.wait_for(waiting.acquire(), 20)
        await asyncio.wait_for(done.wait(), 20)
        assert waiting.locked()
        left = [one.kind for one in database.read(queue.counts) if one.state == "waiting"]
        assert len(left) == 1, "no more at once than there are places"
    finally:
        working.cancel()
        await asyncio.gather(working, return_exceptions=True)


async def test_mail_that_goes_out_holds_up_nothing_that_is_done_in_the_house(
    database: Database,
) -> None:
    queue = _queue(database)
    for _ in range(sum(ROOM.values())):
        _enqueue(database, queue, kind=MAIL_SEND)
    for kind in (MAIL_RECEIVE, MAIL_REPORT, MAIL_WATCH, RENEW_SUMMARY):
        _enqueue(database, queue, kind=kind)
    sending, done = 0, asyncio.Semaphore(0)

    async def verb(job: Job) -> None:
        nonlocal sending
        if job.kind != MAIL_SEND:
            done.release()
            return
        sending += 1
        await asyncio.Event().wait()

    working = asyncio.create_task(queue.work(verb))
    try:
        for _ in range(4):
            await asyncio.wait_for(done.acquire(), 20)
        assert sending <= ROOM["mail"]
    finally:
        working.cancel()
        await asyncio.gather(working, return_exceptions=True)


async def test_a_job_that_an_earlier_release_put_into_anothers_queue_is_done(
    postgres_url: str, opened: Callable[..., Database]
) -> None:
    """On PostgreSQL, where each place has a queue; put off, it goes to its own."""
    database = opened(postgres_url)
    queue = _queue(database)
    job = _enqueue(database, queue, kind=MAIL_SEND)

    def run(statement: TextClause) -> list[str]:
        return database.write(lambda t: [*t.connection.execute(statement).scalars()])

    assert run(_IN_THE_HOUSE) == ["gateway"]
    verb = Recorder(PutOff(600.0))
    await _work(queue, verb)
    assert run(_DUE_NOW) == ["gateway-mail"]
    await _work(queue, verb)
    assert [given.id for given in verb.jobs] == [job, job]
    assert _state(database, queue, job)[0] == "done"


_IN_THE_HOUSE = text("UPDATE procrastinate_jobs SET queue_name = 'gateway' RETURNING queue_name")
_DUE_NOW = text("UPDATE procrastinate_jobs SET scheduled_at = now() RETURNING queue_name")


async def test_a_full_house_holds_up_nobody_who_waits_for_partners(database: Database) -> None:
    queue = _queue(database)
    _enqueue(database, queue, kind="renew-summary")
    _enqueue(database, queue, kind="renew-summary")
    began, done = asyncio.Semaphore(0), asyncio.Event()

    async def verb(job: Job) -> None:
        if job.kind in AT_PARTNERS:
            done.set()
            return
        began.release()
        await asyncio.Event().wait()

    working = asyncio.create_task(queue.work(verb, room={"house": 1, "partners": 1}))
    try:
        await asyncio.wait_for(began.acquire(), 20)
        await asyncio.to_thread(_enqueue, database, queue, kind="retrieve")
        await asyncio.wait_for(done.wait(), 20)
        assert began.locked()
    finally:
        working.cancel()
        await asyncio.gather(working, return_exceptions=True)


async def test_a_job_whose_lease_ran_out_is_done_by_another_worker(database: Database) -> None:
    queue = _queue(database)
    job = _enqueue(database, queue)
    began = asyncio.Event()

    async def endless(_job: Job) -> None:
        began.set()
        await asyncio.Event().wait()

    working = asyncio.create_task(queue.work(endless))
    try:
        await asyncio.wait_for(began.wait(), 20)
        verb = Recorder()
        await _work(queue, verb)
        assert verb.jobs == [], "a living worker keeps its job"
        database.write(_run_out)
        await _work(queue, verb, times=2)
        # Once at least: two who look for what is left may both put it back, the one of them after
        # the other has taken it. The worker that was given up may also take it again first.
        assert {done.id for done in verb.jobs} == {job}
        assert verb.jobs[0].attempt >= 2
    finally:
        working.cancel()
        await asyncio.gather(working, return_exceptions=True)
    assert _state(database, queue, job)[0] == "done"


async def test_a_worker_that_lost_its_lease_stops_what_another_does_now(
    sqlite_url: str, opened: Callable[..., Database]
) -> None:
    """On SQLite; Procrastinate keeps no lease but a heartbeat of its own."""
    database = opened(sqlite_url)
    queue = _queue(database, lease_seconds=0.3)
    _enqueue(database, queue)
    stopped = asyncio.Event()

    async def endless(_job: Job) -> None:
        try:
            await asyncio.Event().wait()
        finally:
            stopped.set()

    working = asyncio.create_task(queue.work(endless))
    try:
        while not database.read(lambda t: t.connection.execute(_RUNNING).first()):
            await asyncio.sleep(0.01)
        database.write(lambda t: t.connection.execute(_TAKEN_OVER).rowcount)
        await asyncio.wait_for(stopped.wait(), 20)
    finally:
        working.cancel()
        await asyncio.gather(working, return_exceptions=True)


_RUNNING = text("SELECT 1 FROM job WHERE state = 'running'")
_TAKEN_OVER = text("UPDATE job SET attempt = attempt + 1, lease_until = '2999-01-01T00:00:00Z'")


async def test_a_job_that_kills_its_workers_is_handed_out_to_be_given_up_and_dies(
    database: Database,
) -> None:
    queue = _queue(database, attempts=1)
    job = _enqueue(database, queue)
    began = asyncio.Event()

    async def endless(_job: Job) -> None:
        began.set()
        await asyncio.Event().wait()

    working = asyncio.create_task(queue.work(endless, room={"partners": 1}))
    try:
        await asyncio.wait_for(began.wait(), 20)
        database.write(_run_out)
        verb = Recorder()
        await _work(queue, verb, times=2)
        assert [(given.id, given.is_worn_out) for given in verb.jobs] == [(job, True)]
        assert _state(database, queue, job) == ("dead", "WorkerDied")
        assert database.write(lambda t: queue.revive(t, plan=ACME, job=job))
        await _work(queue, verb)
        assert [given.is_worn_out for given in verb.jobs] == [True, False]
        assert _state(database, queue, job)[0] == "done"
    finally:
        working.cancel()
        await asyncio.gather(working, return_exceptions=True)


async def test_a_job_that_kills_even_who_gives_it_up_is_not_handed_out_again(
    database: Database,
) -> None:
    queue = _queue(database, attempts=1)
    job = _enqueue(database, queue)
    began = asyncio.Semaphore(0)

    async def endless(_job: Job) -> None:
        began.release()
        await asyncio.Event().wait()

    workers = []
    try:
        for _ in range(2):
            workers.append(asyncio.create_task(queue.work(endless, room={"partners": 1})))
            await asyncio.wait_for(began.acquire(), 20)
            database.write(_run_out)
        verb = Recorder()
        await _work(queue, verb, times=2)
        assert verb.jobs == []
        assert _state(database, queue, job) == ("dead", "WorkerDied")
    finally:
        for worker in workers:
            worker.cancel()
        await asyncio.gather(*workers, return_exceptions=True)


def _run_out(transaction: object) -> None:
    """Makes every worker look as if it had been silent for a day."""
    if transaction.is_postgres:  # type: ignore[attr-defined]
        statement = "UPDATE procrastinate_workers SET last_heartbeat = now() - interval '1 day'"
    else:
        statement = "UPDATE job SET lease_until = '2000-01-01T00:00:00.000000Z'"
    transaction.connection.execute(text(statement))  # type: ignore[attr-defined]


async def test_a_schedule_enqueues_once_a_period_and_makes_up_for_nothing(
    database: Database,
) -> None:
    now = [datetime.now(UTC) - timedelta(hours=10)]
    queue = _queue(database, clock=lambda: now[0])
    database.write(lambda t: plans.put(t, Plan(ACME, "Acme")))

    def schedule(first: datetime) -> None:
        database.write(
            lambda t: queue.schedule(
                t,
                name="sweep",
                kind="sweep",
                plan=None,
                payload={},
                every_seconds=3600,
                first=first,
            )
        )

    schedule(now[0] + timedelta(seconds=1))
    verb = Recorder()
    await _work(queue, verb, times=2)
    assert verb.jobs == []
    now[0] += timedelta(seconds=2)
    await _work(queue, verb, times=2)
    assert [job.kind for job in verb.jobs] == ["sweep"]
    now[0] += timedelta(hours=5)
    schedule(now[0])  # a restart that sets it again changes nothing
    await _work(queue, verb, times=3)
    assert len(verb.jobs) == 2
    assert database.write(lambda t: queue.unschedule(t, name="sweep")) is True
    now[0] += timedelta(hours=2)
    await _work(queue, verb)
    assert len(verb.jobs) == 2


async def test_many_workers_do_every_job_once(
    url: str, database: Database, queue: JobQueue, opened: Callable[[str], Database]
) -> None:
    jobs = {_enqueue(database, queue) for _ in range(40)}
    verbs = [Recorder() for _ in range(3)]
    queues = [_queue(opened(url)) for _ in verbs]
    await asyncio.gather(*(_work(q, verb) for q, verb in zip(queues, verbs, strict=True)))
    done = [job.id for verb in verbs for job in verb.jobs]
    assert sorted(done) == sorted(jobs)


async def test_to_claim_the_next_job_costs_the_same_however_many_wait(
    sqlite_url: str, opened: Callable[[str], Database]
) -> None:
    database = opened(sqlite_url)
    queue = _queue(database)
    steps = []
    for more in (50, 1_000):
        database.write(
            lambda t, more=more: [  # type: ignore[misc]
                queue.enqueue(t, kind="retrieve", plan=None, payload=PAYLOAD) for _ in range(more)
            ]
        )
        for full in (frozenset[str](), frozenset({"partners"}), frozenset({"house", "mail"})):
            steps.append(_steps(database, lambda t, full=full: queue._claim(t, full)))  # type: ignore[attr-defined,misc]
    few, many = steps[:3], steps[3:]
    assert all(later < 1.5 * before for before, later in zip(few, many, strict=True)), steps


def _steps(database: Database, unit: Callable[[Transaction], object]) -> int:
    """Of SQLite's machine."""
    taken = 0

    def count() -> int:
        nonlocal taken
        taken += 1
        return 0

    def counted(transaction: Transaction) -> None:
        driver = transaction.cursor().connection
        driver.set_progress_handler(count, 1)
        try:
            unit(transaction)
        finally:
            driver.set_progress_handler(None, 0)

    database.write(counted)
    return taken
