"""Units of work: all or nothing each, durable before they are answered."""

import asyncio
import multiprocessing
import os
import sqlite3
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from pathlib import Path

import pytest
from sqlalchemy import text

import gateway.store.sqlite_writing
from gateway.model.exchange import VerifyResult
from gateway.model.identity import PlanId
from gateway.model.member import Plan
from gateway.store import exchange_log, plans
from gateway.store.database import Database, Transaction, open_database
from gateway.store.errors import StoreUnavailable
from gateway.store.migrations import upgrade
from gateway.store.sqlite import GROUP
from tests.gateway.store.builders import adding, failing, plan_names


def test_what_a_unit_returns_comes_once_it_is_durable(
    url: str, database: Database, opened: Callable[[str], Database]
) -> None:
    assert database.write(adding("a")) == "a"
    assert plan_names(opened(url)) == ["a"]


def test_a_failing_unit_raises_its_own_error_and_leaves_nothing(database: Database) -> None:
    with pytest.raises(LookupError, match="of the unit's own"):
        database.write(failing)
    assert plan_names(database) == []
    assert database.read(exchange_log.verify) == VerifyResult(0)


async def test_units_run_from_the_event_loop_too(database: Database) -> None:
    names = [f"{number:02}" for number in range(20)]
    done = await asyncio.gather(*(database.write_async(adding(name)) for name in names))
    assert list(done) == names
    assert [plan.name for plan in await database.read_async(plans.list_all)] == names
    with pytest.raises(LookupError):
        await database.write_async(failing)


def test_many_threads_write_without_gaps(database: Database) -> None:
    names = [f"{number:03}" for number in range(120)]
    with ThreadPoolExecutor(12) as threads:
        list(threads.map(lambda name: database.write(adding(name)), names))
    assert plan_names(database) == names
    assert database.read(exchange_log.verify) == VerifyResult(120)


def _write_from_a_process(url: str, key_file: Path, first: int) -> None:
    database = open_database(url, key_file=key_file)
    for number in range(first, first + 30):
        database.write(adding(f"{number:03}"))
    database.close()


def test_processes_write_at_once_without_gaps(url: str, database: Database, key_file: Path) -> None:
    spawn = multiprocessing.get_context("spawn")
    writers = [
        spawn.Process(target=_write_from_a_process, args=(url, key_file, first))
        for first in (0, 100)
    ]
    for writer in writers:
        writer.start()
    for number in range(300, 330):
        database.write(adding(f"{number:03}"))
    for writer in writers:
        writer.join()
    assert [writer.exitcode for writer in writers] == [0, 0]
    assert len(plan_names(database)) == 90
    assert database.read(exchange_log.verify) == VerifyResult(90)


def test_a_forked_child_connects_by_itself(database: Database) -> None:
    database.write(adding("parent"))
    child = os.fork()
    if child == 0:  # no assertion may escape into a second pytest
        status = 1
        try:
            database.write(adding("child"))
            status = 0
        finally:
            os._exit(status)
    assert os.waitpid(child, 0)[1] == 0
    database.write(adding("parent again"))
    assert plan_names(database) == ["child", "parent", "parent again"]
    assert database.write(lambda t: t.is_running(t.process)) is True


def test_reading_changes_nothing(database: Database) -> None:
    with pytest.raises(Exception, match=r"(?i)read"):
        database.read(lambda t: plans.put(t, Plan(PlanId("x"), "x")))
    assert plan_names(database) == []


def test_a_read_sees_one_moment(database: Database) -> None:
    database.write(adding("a"))

    def twice(transaction: Transaction) -> tuple[int, int]:
        before = len(plans.list_all(transaction))
        with ThreadPoolExecutor(1) as thread:
            thread.submit(database.write, adding("b")).result()
        return before, len(plans.list_all(transaction))

    assert database.read(twice) == (1, 1)
    assert len(plan_names(database)) == 2


def test_a_transaction_is_useless_after_its_unit(database: Database) -> None:
    kept = database.write(lambda transaction: transaction)
    with pytest.raises(RuntimeError, match="over"):
        plans.list_all(kept)


def test_callbacks_run_only_for_what_became_durable(database: Database) -> None:
    called: list[str] = []

    def unit(transaction: Transaction, *, fails: bool) -> None:
        transaction.after_commit(lambda: called.append("failed" if fails else "done"))
        if fails:
            raise LookupError

    database.write(lambda t: unit(t, fails=False))
    with pytest.raises(LookupError):
        database.write(lambda t: unit(t, fails=True))
    assert called == ["done"]


def test_a_closed_database_says_so(database: Database) -> None:
    database.write(adding("a"))
    database.close()
    database.close()
    with pytest.raises(StoreUnavailable, match="closed"):
        database.write(adding("b"))
    with pytest.raises(StoreUnavailable, match="closed"):
        database.read(plans.list_all)


def test_a_wrong_statement_is_our_own_error(database: Database) -> None:
    with pytest.raises(Exception, match="nowhere") as caught:
        database.write(lambda t: t.connection.execute(text("SELECT 1 FROM nowhere")).all())
    assert not isinstance(caught.value, StoreUnavailable)


def test_an_unreachable_server_is_unavailable(opened: Callable[[str], Database]) -> None:
    database = opened("postgresql://nobody@127.0.0.1:1/none")
    with pytest.raises(StoreUnavailable):
        database.read(plans.list_all)
    with pytest.raises(StoreUnavailable):
        database.write(adding("a"))


def test_a_lost_connection_is_unavailable_once_and_then_made_anew(
    postgres_url: str, opened: Callable[[str], Database]
) -> None:
    database = opened(postgres_url)
    kill = text("SELECT pg_terminate_backend(pg_backend_pid())")
    with pytest.raises(StoreUnavailable):
        database.write(lambda t: t.connection.execute(kill).all())
    assert database.write(adding("a")) == "a"


@pytest.mark.parametrize("url", ["sqlite://", "sqlite:///:memory:", "mysql://x/y"])
def test_a_database_that_cannot_serve_is_refused(
    opened: Callable[[str], Database], url: str
) -> None:
    with pytest.raises(ValueError, match=r"SQLite|sqlite"):
        opened(url).read(plans.list_all)


# ---- the writer's groups, on SQLite ----------------------------------------------------------


class Steps:
    """Counts the durable steps, and can make one of them fail."""

    def __init__(self) -> None:
        self.seen: list[str] = []
        self.fail_at: str | None = None

    def __call__(self, step: str) -> None:
        self.seen.append(step)
        if step == self.fail_at:
            raise OSError("no space left")


def _together(database: Database, units: list[Callable[[Transaction], object]]) -> list[object]:
    """Lets the units wait behind one that holds the writer, so that they form groups."""
    held, release = threading.Event(), threading.Event()

    def hold(_transaction: Transaction) -> None:
        held.set()
        release.wait(20)

    async def run() -> list[object]:
        first = asyncio.ensure_future(database.write_async(hold))
        await asyncio.to_thread(held.wait, 20)
        waiting = [asyncio.ensure_future(database.write_async(unit)) for unit in units]
        await asyncio.sleep(0)
        release.set()
        await first
        return list(await asyncio.gather(*waiting, return_exceptions=True))

    return asyncio.run(run())


@pytest.fixture
def steps() -> Steps:
    return Steps()


@pytest.fixture
def grouped(sqlite_url: str, opened: Callable[..., Database], steps: Steps) -> Database:
    return opened(sqlite_url, steps)


def test_waiting_units_share_a_commit(grouped: Database, steps: Steps) -> None:
    names = [f"{number:03}" for number in range(GROUP + 1)]
    assert _together(grouped, [adding(name) for name in names]) == names
    assert steps.seen.count("after commit") == 3  # the holder's, a full group's, the rest's
    assert grouped.read(exchange_log.verify) == VerifyResult(GROUP + 1)


def test_a_failing_unit_takes_nobody_in_its_group_with_it(grouped: Database) -> None:
    first, failed, last = _together(grouped, [adding("a"), failing, adding("b")])
    assert (first, last) == ("a", "b")
    assert isinstance(failed, LookupError)
    assert plan_names(grouped) == ["a", "b"]
    assert grouped.read(exchange_log.verify) == VerifyResult(2)


def test_a_commit_that_fails_is_told_to_everyone_in_the_group(
    grouped: Database, steps: Steps
) -> None:
    steps.fail_at = "before commit"
    with pytest.raises(OSError, match="no space"):
        grouped.write(adding("a"))
    steps.fail_at = None
    assert grouped.write(adding("b")) == "b"
    assert plan_names(grouped) == ["b"]


def test_a_full_disk_is_unavailable_and_writing_goes_on_once_there_is_room(
    grouped: Database,
) -> None:
    grouped.write(adding("a"))

    def limit(pages: int) -> None:
        grouped.write(lambda t: t.connection.execute(text(f"PRAGMA max_page_count = {pages}")))

    limit(1)  # SQLite takes the present size for the least
    with pytest.raises(StoreUnavailable):
        grouped.write(adding("x" * 1_000_000))
    limit(1_000_000)
    assert grouped.write(adding("b")) == "b"
    assert plan_names(grouped) == ["a", "b"]
    assert grouped.read(exchange_log.verify) == VerifyResult(2)


def test_a_unit_cancelled_while_it_waits_never_runs(grouped: Database) -> None:
    held, release = threading.Event(), threading.Event()

    def hold(_transaction: Transaction) -> None:
        held.set()
        release.wait(20)

    async def run() -> None:
        first = asyncio.ensure_future(grouped.write_async(hold))
        await asyncio.to_thread(held.wait, 20)
        second = asyncio.ensure_future(grouped.write_async(adding("cancelled")))
        await asyncio.sleep(0)
        second.cancel()
        with pytest.raises(asyncio.CancelledError):
            await second
        release.set()
        await first

    asyncio.run(run())
    assert grouped.write(adding("a")) == "a"
    assert plan_names(grouped) == ["a"]


def test_a_unit_that_waits_for_another_is_refused(grouped: Database) -> None:
    with pytest.raises(RuntimeError, match="hand it the transaction"):
        grouped.write(lambda _transaction: grouped.write(adding("inner")))


def test_closing_finishes_what_waits(grouped: Database, steps: Steps) -> None:
    held, release = threading.Event(), threading.Event()

    def hold(_transaction: Transaction) -> None:
        held.set()
        release.wait(20)

    with ThreadPoolExecutor(4) as threads:
        first = threads.submit(grouped.write, hold)
        held.wait(20)
        second = threads.submit(grouped.write, adding("waiting"))
        while not grouped.waiting:
            pass
        closing = threads.submit(grouped.close)
        release.set()
        assert (first.result(20), second.result(20), closing.result(20)) == (None, "waiting", None)


def test_a_callback_that_fails_costs_neither_the_answer_nor_the_writer(
    database: Database, caplog: pytest.LogCaptureFixture
) -> None:
    def unit(transaction: Transaction) -> str:
        transaction.after_commit(lambda: 1 / 0)  # type: ignore[arg-type, return-value]
        return "durable"

    assert database.write(unit) == "durable"
    assert database.write(lambda _t: "and the next") == "and the next"
    assert "after its commit" in caplog.text


def test_only_its_owner_can_read_the_file(tmp_path: Path) -> None:
    file = tmp_path / "open folder" / "gateway.sqlite"
    upgrade(f"sqlite:///{file}")
    database = open_database(f"sqlite:///{file}")
    database.write(lambda t: plans.put(t, Plan(PlanId("acme"), "Acme")))
    modes = {found.name: found.stat().st_mode & 0o077 for found in file.parent.glob("*sqlite*")}
    database.close()
    assert {"gateway.sqlite", "gateway.sqlite-wal"} <= modes.keys()
    assert {name: mode for name, mode in modes.items() if mode and "processes" not in name} == {}


@contextmanager
def _another_writes(url: str) -> Iterator[sqlite3.Connection]:
    """The writer of another process, in the midst of its group."""
    file = url.removeprefix("sqlite:///")
    with closing(sqlite3.connect(file, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        yield other


def test_whoever_waits_for_another_process_writes_soon_after_it(
    sqlite_url: str, grouped: Database
) -> None:
    assert grouped.write(adding("a")) == "a"
    with _another_writes(sqlite_url) as other, ThreadPoolExecutor(1) as pool:
        writing = pool.submit(grouped.write, adding("b"))
        with pytest.raises(TimeoutError):
            writing.result(timeout=0.3)
        other.execute("COMMIT")
        assert writing.result(timeout=20) == "b"
    assert plan_names(grouped) == ["a", "b"]


def test_a_file_that_stays_locked_is_unavailable(
    sqlite_url: str, grouped: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert grouped.write(adding("a")) == "a"
    monkeypatch.setattr(gateway.store.sqlite_writing, "BUSY_SECONDS", 0.05)
    with _another_writes(sqlite_url) as other:
        with pytest.raises(StoreUnavailable):
            grouped.write(adding("b"))
        other.execute("ROLLBACK")
        assert grouped.write(adding("c")) == "c"
    assert plan_names(grouped) == ["a", "c"]
