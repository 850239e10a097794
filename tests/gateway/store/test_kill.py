"""kill -9 at any step: nothing answered is lost, nothing is doubled, the log still stands."""

import multiprocessing
import os
import signal
import time
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import func, select, text

from gateway.model.exchange import VerifyResult
from gateway.model.identity import PartnerId
from gateway.store import documents, exchange_log, tables
from gateway.store.blobs import BlobStore
from gateway.store.database import Database, Transaction
from gateway.store.keys import KeyRing
from tests.gateway.store.builders import ACME, NOW
from tests.gateway.store.doomed import (
    receive,
    receive_under_load,
    receive_until_killed,
    record_briefly_until_killed,
)

# Forked, for speed: the child connects by itself, as any process does.
FORK = multiprocessing.get_context("fork")


@pytest.fixture
def folder(key_file: Path, house: Database) -> Path:
    KeyRing(key_file, house).plan_key(ACME)
    return key_file.parent


@pytest.mark.parametrize(
    ("step", "occurrence"),
    [(step, count) for step in ("before commit", "after commit") for count in (1, 2, 3, 8)]
    + [("blob synced", 2), ("blob named", 2)],
)
def test_a_killed_process_loses_nothing_answered_and_doubles_nothing(
    url: str, house: Database, folder: Path, step: str, occurrence: int
) -> None:
    ours, theirs = FORK.Pipe(duplex=False)
    child = FORK.Process(target=receive_until_killed, args=(url, folder, step, occurrence, theirs))
    child.start()
    theirs.close()
    answered = _answers(ours)
    child.join()
    assert child.exitcode == -signal.SIGKILL
    _assert_sound(house, folder, answered, unanswered_at_most=1)

    for number in range(6):  # the senders try again, those who were answered too
        receive(house, folder, number)
    found = _assert_sound(house, folder, list(range(6)), unanswered_at_most=0)
    assert len(found) == 6
    assert house.read(_jobs) == 6


@pytest.mark.parametrize("occurrence", [1, 3])
@pytest.mark.parametrize("step", ["before commit", "after commit"])
def test_what_an_event_loop_has_answered_is_durable_too(
    url: str, house: Database, folder: Path, step: str, occurrence: int
) -> None:
    ours, theirs = FORK.Pipe(duplex=False)
    child = FORK.Process(
        target=record_briefly_until_killed, args=(url, folder, step, occurrence, theirs)
    )
    child.start()
    theirs.close()
    answered = _answers(ours)
    child.join()
    assert child.exitcode == -signal.SIGKILL
    told = house.read(lambda t: exchange_log.search(t, plan=ACME, limit=50))
    recorded = [int(one.exchange.message_id or "") for one in told]
    assert len(set(recorded)) == len(recorded) >= len(answered)
    assert set(answered) <= set(recorded)
    if step == "before commit" and not house.is_postgres:
        assert sorted(recorded) == list(range(3 * (occurrence - 1))), "a group is all or nothing"
    assert house.read(exchange_log.verify) == VerifyResult(len(recorded))


def test_a_process_killed_under_load_loses_nothing_answered(
    url: str, house: Database, folder: Path
) -> None:
    ours, theirs = FORK.Pipe(duplex=False)
    child = FORK.Process(target=receive_under_load, args=(url, folder, theirs))
    child.start()
    theirs.close()
    answered = [ours.recv() for _ in range(60)]
    os.kill(child.pid or 0, signal.SIGKILL)
    answered += _answers(ours)
    child.join()
    _assert_sound(house, folder, answered, unanswered_at_most=8)


def test_a_process_killed_within_a_unit_leaves_no_trace_but_the_open_exchange(
    url: str, house: Database, folder: Path, opened: Callable[[str], Database]
) -> None:
    ours, theirs = FORK.Pipe(duplex=False)
    child = FORK.Process(
        target=receive_until_killed, args=(url, folder, "before commit", 2, theirs)
    )
    child.start()
    theirs.close()
    child.join()
    second = opened(url)
    while second.read(_open):
        second.write(lambda t: exchange_log.recover(t, now=NOW))
    (record,) = second.read(lambda t: exchange_log.search(t, plan=ACME))
    assert (record.exchange.outcome, record.exchange.partner) == ("unknown", PartnerId("p1"))
    assert second.read(lambda t: documents.list_page(t, plan=ACME)) == ()
    assert _answers(ours) == []


def _answers(connection: object) -> list[int]:
    """All that was answered before the end."""
    answered: list[int] = []
    try:
        while True:
            answered.append(connection.recv())  # type: ignore[attr-defined]
    except EOFError:
        return answered


def _assert_sound(
    house: Database, folder: Path, answered: list[int], unanswered_at_most: int
) -> dict[str, str]:
    """Every answered document is there once with its bytes; nothing is left open."""
    deadline = time.monotonic() + 20
    while house.read(_open) and time.monotonic() < deadline:
        # PostgreSQL sees a moment after the kernel that a process is gone.
        house.write(lambda t: exchange_log.recover(t, now=NOW + timedelta(minutes=2)))
    assert house.read(_open) == 0
    assert house.read(exchange_log.verify).first_bad is None
    blobs = BlobStore(folder / "blobs", KeyRing(folder / "kek", house))
    found: dict[str, str] = {}
    for document in house.read(lambda t: documents.list_page(t, plan=ACME, limit=10_000)):
        content = b"".join(blobs.read(plan=ACME, address=document.blob.address)).decode()
        assert content not in found, "a document is there twice"
        found[content] = document.id
    missing = {f"document {number}" for number in answered} - set(found)
    assert missing == set(), "a document that was answered is lost"
    assert len(found) - len(set(answered)) <= unanswered_at_most
    return found


def _open(transaction: Transaction) -> int:
    statement = select(func.count()).select_from(tables.exchange_open)
    return int(transaction.connection.execute(statement).scalar_one())


def _jobs(transaction: Transaction) -> int:
    table = "procrastinate_jobs" if transaction.is_postgres else "job"
    return int(transaction.connection.execute(text(f"SELECT count(*) FROM {table}")).scalar_one())  # noqa: S608
