"""kill -9 before and after each commit of an ingest and of a retrieval: nothing acknowledged is
lost, nothing is doubled.

A process dies at the n-th hit of a durable step, for every n until it lives through all of them
(every third n where time is short: `tests.thinning`).
Then the house is opened again, recovers, does the same work to its end, and must hold what a
house holds that nobody disturbed.
"""

import asyncio
import json
import shutil
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from gateway.app.house import House
from gateway.exchange.summaries import read_summary
from gateway.model.exchange import Exchange
from gateway.model.partner import Partner
from gateway.store import exchange_log
from tests.flows.crash_child import FILES, take_in
from tests.gateway import house as lakeshore
from tests.gateway.clients.asking_house import (
    MEMBER,
    PLAN,
    asking_house,
    assert_sound,
    calls,
    enqueue,
    lakeshore_running,
    new_retrieval,
    open_rows,
    reading_inline,
    retrieval_of,
    settings,
    work_off,
)
from tests.thinning import STEP

ROOT = Path(__file__).resolve().parents[2]
KILLED, LIVED = -9, 0
BETWEEN = min(STEP, 3)
STEPS = ("before commit", "after commit", "blob synced", "blob named")


@dataclass(frozen=True, slots=True)
class Crasher:
    """The process whose children die."""

    process: subprocess.Popen[str]

    def run(self, folder: Path, *, database_url: str | None = None, **job: Any) -> int:
        """How the child ended: killed, or done."""
        own = settings(folder, database_url=database_url)
        given = {"settings": json.loads(own.model_dump_json()), **job}
        assert self.process.stdin is not None and self.process.stdout is not None
        self.process.stdin.write(json.dumps(given) + "\n")
        self.process.stdin.flush()
        return int(self.process.stdout.readline())


@pytest.fixture(scope="module")
def crasher() -> Iterator[Crasher]:
    command = [sys.executable, "-m", "tests.flows.crash_child"]
    with subprocess.Popen(
        command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        yield Crasher(process)
        assert process.stdin is not None
        process.stdin.close()


@pytest.fixture(scope="module")
def partner(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Partner]:
    with lakeshore_running(tmp_path_factory.mktemp("lakeshore")) as running:
        yield running


# ---- what must be so afterwards --------------------------------------------------------------


def summary_of(house: House) -> Any:
    """What the member's summary says, without ids and the order they give."""
    summary = house.database.read(lambda tx: read_summary(tx, member=MEMBER, now=datetime.now(UTC)))
    text = json.dumps(summary["sections"])
    for one in lakeshore.documents(house):
        text = text.replace(one.id, one.blob.sha256)
    return _unordered(json.loads(text))


def _unordered(value: Any) -> Any:
    """Of sources that say the same, whose comes first is for their random ids to decide."""
    if isinstance(value, dict):
        return {name: _unordered(one) for name, one in value.items() if name != "joined_by"}
    if isinstance(value, list):
        return sorted((_unordered(one) for one in value), key=lambda one: json.dumps(one))
    return value


def assert_kept_once(house: House, documents: int) -> None:
    """Every document is there once, and all its bytes."""
    found = lakeshore.documents(house)
    assert [one.state for one in found] == ["filed"] * documents
    assert len({one.blob.sha256 for one in found}) == documents
    for one in found:
        assert len(house.archive.load(PLAN, one.blob)) == one.blob.size_bytes


def recover(house: House) -> list[Exchange]:
    """Does what each start does; what it found open."""
    left = open_rows(house)
    assert house.database.write(lambda tx: exchange_log.recover(tx, now=datetime.now(UTC))) == left
    assert_sound(house)
    return lakeshore.records(house)


# ---- ingest ----------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def ingested(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """The summary of a house that nobody disturbed."""
    with asking_house(tmp_path_factory.mktemp("undisturbed")) as house:
        for name in FILES:
            take_in(house, lakeshore.demo_document(name))
        return summary_of(house)


@pytest.mark.parametrize("step", STEPS)
def test_an_ingest_killed_at_any_hit_of_a_step_loses_and_doubles_nothing(
    step: str, tmp_path: Path, crasher: Crasher, ingested: dict[str, Any]
) -> None:
    with asking_house(tmp_path / "start"):
        pass
    hit = 1
    while True:
        folder = tmp_path / str(hit)
        shutil.copytree(tmp_path / "start", folder)
        noted = folder / "acknowledged"
        noted.touch()
        ended = crasher.run(folder, what="ingest", step=step, hit=hit, acknowledged=str(noted))
        _check_ingest(folder, noted.read_text(encoding="ascii").split(), ingested)
        if ended == LIVED:
            break
        assert ended == KILLED
        hit += BETWEEN
    assert hit > len(FILES)


def _check_ingest(folder: Path, acknowledged: list[str], undisturbed: dict[str, Any]) -> None:
    with asking_house(folder, member=None) as house:
        reading_inline(house)
        before = recover(house)
        known = {one.id for one in lakeshore.documents(house)}
        assert known >= set(acknowledged)
        # Each document came with its record, or neither did.
        assert sorted(known) == sorted(one.documents[0] for one in before)
        for name in FILES:
            take_in(house, lakeshore.demo_document(name))
        assert_kept_once(house, len(FILES))
        assert summary_of(house) == undisturbed
        assert_sound(house)


# ---- a retrieval -----------------------------------------------------------------------------


@pytest.fixture(scope="module")
def retrieved(
    tmp_path_factory: pytest.TempPathFactory, partner: Partner
) -> tuple[dict[str, Any], Counter[str]]:
    with asking_house(tmp_path_factory.mktemp("undisturbed"), [partner]) as house:
        enqueue(house, new_retrieval(house))
        asyncio.run(work_off(house))
        made = Counter(one.transaction for one in calls(house))
        return summary_of(house), made


@pytest.mark.parametrize("step", STEPS)
def test_a_retrieval_killed_at_any_hit_of_a_step_goes_on_where_it_stopped(
    step: str,
    tmp_path: Path,
    crasher: Crasher,
    partner: Partner,
    retrieved: tuple[dict[str, Any], Counter[str]],
) -> None:
    with asking_house(tmp_path / "start", [partner]) as house:
        retrieval = new_retrieval(house)
        job = enqueue(house, retrieval)
    hit = 1
    while True:
        folder = tmp_path / str(hit)
        shutil.copytree(tmp_path / "start", folder)
        ended = crasher.run(folder, what="retrieve", step=step, hit=hit)
        _check_retrieval(folder, retrieval, job, retrieved)
        if ended == LIVED:
            break
        assert ended == KILLED
        hit += BETWEEN
    assert hit > (3 if step.startswith("blob") else 8)


def _check_retrieval(
    folder: Path, retrieval: Any, job: int, undisturbed: tuple[dict[str, Any], Counter[str]]
) -> None:
    summary, made = undisturbed
    with asking_house(folder, member=None) as house:
        reading_inline(house)
        before = recover(house)
        asyncio.run(work_off(house))
        assert_kept_once(house, 3)
        assert summary_of(house) == summary
        ended = retrieval_of(house, retrieval)
        (row,) = ended.partners
        assert (ended.state, row.outcome) == ("done", "matched")
        assert (row.documents_found, row.documents_new, row.documents_missing) == (3, 3, 0)
        _assert_each_call_has_its_record(calls(house), made)
        # A call that was answered before the crash is not made again.
        answered = Counter(one.transaction for one in before if one.outcome == "success")
        after = Counter(one.transaction for one in calls(house)[len(before) :])
        assert not (answered["ITI-55"] and after["ITI-55"])
        assert not (answered["ITI-39"] and after["ITI-39"])
        assert_sound(house)
        status = house.database.read(lambda tx: house.queue.status(tx, plan=PLAN, job=job))
        assert status is not None and status.state == "done"


def _assert_each_call_has_its_record(found: list[Exchange], made: Counter[str]) -> None:
    unknown = [one for one in found if one.outcome == "unknown"]
    assert len(unknown) <= 1
    assert all(one.reason == exchange_log.INTERRUPTED for one in unknown)
    succeeded = Counter(one.transaction for one in found if one.outcome == "success")
    assert len(unknown) + sum(succeeded.values()) == len(found)
    assert succeeded["ITI-55"] == made["ITI-55"]
    assert succeeded["ITI-39"] == made["ITI-39"]
    assert succeeded["ITI-38"] in (made["ITI-38"], made["ITI-38"] + 1)
