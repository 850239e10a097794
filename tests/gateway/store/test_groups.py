"""Units that share a COMMIT: which do, and what is done once for all of them."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from sqlalchemy.exc import DBAPIError

from gateway.model.exchange import VerifyResult
from gateway.store import exchange_log, plans
from gateway.store.database import Database, Transaction
from gateway.store.errors import StoreFull, StoreUnavailable
from tests.gateway.store.builders import adding, failing, plan_names


@pytest.fixture(params=["write_async", "write_briefly"])
def way(request: pytest.FixtureRequest) -> str:
    """Whether the writer's thread runs the units, or the loop itself."""
    return str(request.param)


def _asked(database: Database, way: str, unit: Callable[[Transaction], object]) -> Awaitable[Any]:
    write: Callable[..., Awaitable[Any]] = getattr(database, way)
    return write(unit)


async def _together(
    database: Database, way: str, *units: Callable[[Transaction], object]
) -> list[object]:
    asked = (_asked(database, way, unit) for unit in units)
    return await asyncio.gather(*asked, return_exceptions=True)


async def test_what_the_loop_has_at_hand_shares_a_commit(
    way: str, sqlite_url: str, opened: Callable[..., Database]
) -> None:
    steps: list[str] = []
    database = opened(sqlite_url, steps.append)
    names = [f"{number:02}" for number in range(15)]
    assert await _together(database, way, *map(adding, names)) == names
    assert steps == ["before commit", "after commit"]
    first, failed, last = await _together(database, way, adding("15"), failing, adding("16"))
    assert (first, type(failed), last) == ("15", LookupError, "16")
    assert steps.count("after commit") == 2
    assert database.read(exchange_log.verify) == VerifyResult(17)


async def test_a_unit_that_is_cancelled_at_once_never_runs(way: str, database: Database) -> None:
    first, second = (asyncio.ensure_future(_asked(database, way, adding(name))) for name in "ab")
    await asyncio.sleep(0)
    first.cancel()
    with pytest.raises(asyncio.CancelledError):
        await first
    assert await second == "b"
    if not database.is_postgres:  # there it may have begun
        assert plan_names(database) == ["b"]


async def test_a_database_that_is_closed_meanwhile_says_so(
    way: str, sqlite_url: str, opened: Callable[..., Database]
) -> None:
    database = opened(sqlite_url)
    database.read(plans.list_all)
    first, second = (asyncio.ensure_future(_asked(database, way, adding(name))) for name in "ab")
    await asyncio.sleep(0)
    database.close()
    first.cancel()
    with pytest.raises(StoreUnavailable):
        await second


async def test_what_is_asked_for_before_the_commit_is_done_once_for_all(
    way: str, sqlite_url: str, opened: Callable[..., Database]
) -> None:
    database, done = opened(sqlite_url), list[list[str]]()

    def hook(_transaction: Transaction, items: list[str]) -> None:
        done.append(items)

    def unit(name: str) -> Callable[[Transaction], object]:
        return lambda transaction: transaction.before_commit(hook, name)

    def refused(transaction: Transaction) -> None:
        transaction.before_commit(hook, "failed")
        raise LookupError

    await _together(database, way, unit("a"), refused, unit("b"))
    assert done == [["a", "b"]]


async def test_where_that_fails_nothing_of_any_is_kept(way: str, database: Database) -> None:
    def hook(_transaction: Transaction, _items: list[None]) -> None:
        raise LookupError("of the hook's own")

    def unit(transaction: Transaction) -> None:
        adding("a")(transaction)
        transaction.before_commit(hook, None)

    asked, beside = await _together(database, way, unit, adding("b"))
    assert await _asked(database, way, adding("c")) == "c"
    assert isinstance(asked, LookupError)
    if database.is_postgres:  # there each has a COMMIT of its own
        assert (beside, plan_names(database)) == ("b", ["b", "c"])
    else:
        assert (type(beside), plan_names(database)) == (LookupError, ["c"])
    assert database.read(exchange_log.verify) == VerifyResult(len(plan_names(database)))


async def test_a_connection_that_is_of_no_more_use_costs_its_group_and_no_other(
    way: str, sqlite_url: str, opened: Callable[..., Database], monkeypatch: pytest.MonkeyPatch
) -> None:
    database = opened(sqlite_url)

    def breaking(transaction: Transaction) -> None:
        transaction.cursor().connection.close()
        # Nor can another be made before they have been told.
        monkeypatch.setattr(database._engine._groups, "_engine", None)  # type: ignore[union-attr]

    asked = await asyncio.wait_for(_together(database, way, adding("a"), breaking, adding("b")), 20)
    monkeypatch.undo()
    assert all(isinstance(one, Exception) for one in asked)
    assert await _asked(database, way, adding("c")) == "c"
    assert plan_names(database) == ["c"]


async def test_where_one_finds_the_disk_full_all_of_its_group_are_told_so(
    way: str, sqlite_url: str, opened: Callable[..., Database]
) -> None:
    database = opened(sqlite_url)

    def cap(transaction: Transaction) -> None:
        pages = transaction.connection.exec_driver_sql("PRAGMA page_count").scalar()
        transaction.connection.exec_driver_sql(f"PRAGMA max_page_count = {pages}")

    def large(transaction: Transaction) -> None:
        transaction.connection.exec_driver_sql("CREATE TABLE large (content)")
        transaction.connection.exec_driver_sql("INSERT INTO large VALUES (zeroblob(1000000))")

    def hiding(transaction: Transaction) -> None:
        with pytest.raises(DBAPIError):
            large(transaction)
        raise LookupError("what it made of that")

    database.write(cap)
    for filling in (large, hiding):
        told = await _together(database, way, adding("a"), filling, adding("b"))
        assert all(isinstance(one, StoreUnavailable) for one in (told[0], told[2])), told
        assert isinstance(told[1], StoreFull if filling is large else LookupError)
    assert await _asked(database, way, adding("c")) == "c"
