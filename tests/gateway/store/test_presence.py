"""On PostgreSQL a process goes on after its sessions ended, and is not taken for dead."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime

import psycopg
import pytest
from sqlalchemy import make_url

from gateway.model.exchange import Exchange
from gateway.store import exchange_log, presence
from gateway.store.database import Database
from gateway.store.errors import StoreUnavailable
from tests.gateway.store.builders import adding


@pytest.fixture
def server_itself(server: str) -> Iterator[psycopg.Connection]:
    with psycopg.connect(server, autocommit=True) as connection:
        yield connection


def _end_sessions(server: psycopg.Connection, url: str, which: str = "") -> None:
    """As a restart or a failover does, of all or of those whose last statement is `which`."""
    statement = (
        "SELECT pg_terminate_backend(pid, 20000) FROM pg_stat_activity"
        " WHERE datname = %s AND query LIKE %s"
    )
    assert server.execute(statement, (make_url(url).database, f"%{which}%")).fetchall()


_HOLDS_THE_LOCK = "pg_advisory_lock("


def _mark(database: Database) -> str:
    return database.write(lambda t: t.process)


def _lives(database: Database, mark: str) -> bool:
    return database.read(lambda t: t.is_running(mark))


def test_who_comes_back_after_a_restart_lives_and_keeps_its_open_exchanges(
    postgres_url: str, opened: Callable[..., Database], server_itself: psycopg.Connection
) -> None:
    house = opened(postgres_url)
    mark = _mark(house)
    _end_sessions(server_itself, postgres_url)
    exchange = Exchange(datetime.now(UTC), "out", "ITI-55", "unknown", peer="https://p/")
    house.write(lambda t: exchange_log.open_exchange(t, exchange))
    assert _mark(house) == mark
    other = opened(postgres_url)
    assert _lives(other, mark)
    assert other.write(lambda t: exchange_log.recover(t, now=datetime.now(UTC))) == 0


def test_a_lock_that_alone_is_lost_is_missed_and_taken_again(
    postgres_url: str,
    opened: Callable[..., Database],
    server_itself: psycopg.Connection,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(presence, "SURE_SECONDS", 0.0)
    house, other = opened(postgres_url), opened(postgres_url)
    mark = _mark(house)
    _end_sessions(server_itself, postgres_url, _HOLDS_THE_LOCK)
    assert not _lives(opened(postgres_url), mark)
    house.read(lambda _t: None)
    assert _lives(opened(postgres_url), mark)
    assert _lives(other, mark)


def test_no_unit_runs_while_the_lock_cannot_be_had(
    postgres_url: str,
    opened: Callable[..., Database],
    server_itself: psycopg.Connection,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(presence, "SURE_SECONDS", 0.0)
    house = opened(postgres_url)
    mark = _mark(house)
    name = make_url(postgres_url).database
    server_itself.execute(f"ALTER DATABASE {name} ALLOW_CONNECTIONS false")
    _end_sessions(server_itself, postgres_url, _HOLDS_THE_LOCK)
    for _ in range(2):
        with pytest.raises(StoreUnavailable):
            house.write(adding("a"))
        with pytest.raises(StoreUnavailable):
            house.read(lambda _t: None)
    server_itself.execute(f"ALTER DATABASE {name} ALLOW_CONNECTIONS true")
    assert house.write(adding("b")) == "b"
    assert _lives(opened(postgres_url), mark)


def test_who_was_cut_off_itself_gives_the_others_time_to_come_back(
    postgres_url: str,
    opened: Callable[..., Database],
    server_itself: psycopg.Connection,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    house, other = opened(postgres_url), opened(postgres_url)
    mark, _ = _mark(house), _mark(other)
    _end_sessions(server_itself, postgres_url)
    assert _lives(other, mark)
    monkeypatch.setattr(presence, "RETURN_SECONDS", 0.0)
    _end_sessions(server_itself, postgres_url)
    assert not _lives(other, mark)
