"""Brief units on SQLite: run by the event loop, made durable by a thread, and never in the way."""

import asyncio
import sqlite3
import threading
from collections.abc import Callable
from contextlib import closing

import pytest

from gateway.model.exchange import VerifyResult
from gateway.store import exchange_log, sqlite_briefly
from gateway.store.database import Database, Transaction
from gateway.store.errors import StoreUnavailable
from tests.gateway.store.builders import adding, plan_names

Opened = Callable[..., Database]


def _thread_of(_transaction: Transaction) -> str:
    return threading.current_thread().name


async def test_the_loop_runs_them_and_a_thread_commits(sqlite_url: str, opened: Opened) -> None:
    threads: dict[str, str] = {}
    database = opened(
        sqlite_url, lambda step: threads.setdefault(step, threading.current_thread().name)
    )
    assert await database.write_briefly(_thread_of) == threading.current_thread().name
    assert threads["before commit"] == threading.current_thread().name
    assert threads["after commit"].startswith("store-committer")


async def test_on_postgresql_a_thread_runs_them(postgres_url: str, opened: Opened) -> None:
    ran_in = await opened(postgres_url).write_briefly(_thread_of)
    assert ran_in != threading.current_thread().name


async def test_they_and_other_units_take_turns_without_gaps(
    sqlite_url: str, opened: Opened
) -> None:
    database = opened(sqlite_url)

    async def many(first: int) -> None:
        for number in range(first, first + 40):
            await database.write_briefly(adding(f"{number:04}"))
            await database.write_async(adding(f"{number + 2000:04}"))

    beside = asyncio.to_thread(
        lambda: [database.write(adding(f"{number:04}")) for number in range(4000, 4080)]
    )
    await asyncio.gather(many(0), many(1000), beside)
    assert len(plan_names(database)) == 240
    assert database.read(exchange_log.verify) == VerifyResult(240)


async def test_while_the_writers_thread_is_at_work_they_wait_for_it_and_not_the_loop(
    sqlite_url: str, opened: Opened
) -> None:
    database, may_end = opened(sqlite_url), threading.Event()

    def long(transaction: Transaction) -> str:
        may_end.wait(20)
        return adding("a")(transaction)

    first = asyncio.ensure_future(database.write_async(long))
    await asyncio.sleep(0.05)
    others = [asyncio.ensure_future(database.write_briefly(adding(name))) for name in "bc"]
    ran_in = asyncio.ensure_future(database.write_briefly(_thread_of))
    done, _ = await asyncio.wait([first, *others, ran_in], timeout=0.1)
    assert not done
    may_end.set()
    assert await asyncio.gather(first, *others) == ["a", "b", "c"]
    assert await ran_in == "store-writer"
    assert await database.write_briefly(_thread_of) == threading.current_thread().name


async def test_what_is_more_than_one_group_comes_in_the_next(
    sqlite_url: str, opened: Opened
) -> None:
    steps: list[str] = []
    database = opened(sqlite_url, steps.append)
    names = [f"{number:02}" for number in range(40)]
    assert await asyncio.gather(*(database.write_briefly(adding(name)) for name in names)) == names
    assert steps.count("after commit") == 3
    assert plan_names(database) == names


async def test_the_loop_goes_on_while_another_process_writes(
    sqlite_url: str, opened: Opened
) -> None:
    database = opened(sqlite_url)
    assert await database.write_briefly(adding("a")) == "a"
    with closing(sqlite3.connect(sqlite_url[10:], isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        writing = asyncio.ensure_future(database.write_briefly(adding("b")))
        done, _ = await asyncio.wait([writing], timeout=0.2)
        assert not done
        other.execute("COMMIT")
        assert await writing == "b"
    assert plan_names(database) == ["a", "b"]


async def test_a_file_that_stays_locked_is_unavailable(
    sqlite_url: str, opened: Opened, monkeypatch: pytest.MonkeyPatch
) -> None:
    database = opened(sqlite_url)
    assert await database.write_briefly(adding("a")) == "a"
    monkeypatch.setattr(sqlite_briefly, "BUSY_SECONDS", 0.05)
    with closing(sqlite3.connect(sqlite_url[10:], isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        refused = await asyncio.gather(
            *(database.write_briefly(adding(name)) for name in "bc"), return_exceptions=True
        )
        other.execute("ROLLBACK")
    assert [type(one) for one in refused] == [StoreUnavailable, StoreUnavailable]
    assert await database.write_briefly(adding("d")) == "d"
    assert plan_names(database) == ["a", "d"]


async def test_where_the_disk_kept_the_loop_waiting_the_next_go_to_the_writer(
    sqlite_url: str, opened: Opened, monkeypatch: pytest.MonkeyPatch
) -> None:
    database, here = opened(sqlite_url), threading.current_thread().name
    assert await database.write_briefly(_thread_of) == here
    monkeypatch.setattr(sqlite_briefly, "_WAITED_SECONDS", -1.0)
    assert await database.write_briefly(_thread_of) == here
    assert await database.write_briefly(_thread_of) == "store-writer"
    monkeypatch.undo()
    for known in database._engine._brief.values():  # type: ignore[union-attr]
        known._elsewhere_until = 0.0  # as if that had been a while ago
    assert await database.write_briefly(_thread_of) == here


async def test_one_that_waits_for_another_says_so_instead_of_waiting_for_ever(
    sqlite_url: str, opened: Opened
) -> None:
    database = opened(sqlite_url)

    def nested(_transaction: Transaction) -> str:
        return database.write(adding("never"))

    with pytest.raises(RuntimeError, match="cannot wait for another"):
        await database.write_briefly(nested)
    assert await database.write_briefly(adding("a")) == "a"
    assert plan_names(database) == ["a"]


async def test_a_commit_under_way_is_finished_before_the_database_is_closed(
    sqlite_url: str, opened: Opened
) -> None:
    begun, may_end = threading.Event(), threading.Event()

    def failpoint(step: str) -> None:
        if step == "after commit":
            begun.set()
            may_end.wait(20)

    database = opened(sqlite_url, failpoint)
    writing = asyncio.ensure_future(database.write_briefly(adding("a")))
    await asyncio.to_thread(begun.wait, 20)
    assert not writing.done(), "told before it was durable"
    closing_it = asyncio.ensure_future(asyncio.to_thread(database.close))
    done, _ = await asyncio.wait([closing_it], timeout=0.1)
    assert not done
    may_end.set()
    await closing_it
    assert await writing == "a"
    assert plan_names(opened(sqlite_url)) == ["a"]


async def test_one_that_was_begun_while_the_database_was_closed_is_finished(
    sqlite_url: str, opened: Opened
) -> None:
    database = opened(sqlite_url)
    closers: list[threading.Thread] = []

    def unit(transaction: Transaction) -> str:
        engine = database._engine
        closers.append(threading.Thread(target=database.close))
        closers[0].start()
        while not engine._committer._shutdown:  # type: ignore[union-attr]
            threading.Event().wait(0.001)
        return adding("a")(transaction)

    assert await database.write_briefly(unit) == "a"
    closers[0].join()
    assert plan_names(opened(sqlite_url)) == ["a"]
