"""A retrieval from its job to the summary, on both databases, each with its own job queue."""

import asyncio
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from gateway.app.house import House
from gateway.app.working import working
from gateway.exchange.summaries import read_summary
from gateway.model.identity import RetrievalId
from gateway.model.partner import Partner
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
    retrieval_of,
)
from tests.gateway.clients.scripted_partner import NAME, Heard, Reply, Script, discovered, scripted


@pytest.fixture(scope="module")
def good(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Partner]:
    with lakeshore_running(tmp_path_factory.mktemp("lakeshore")) as partner:
        yield partner


@pytest.fixture(params=["sqlite", "postgresql"])
def changes(request: pytest.FixtureRequest) -> dict[str, Any]:
    """Settings for each database."""
    if request.param == "sqlite":
        return {}
    return {"database_url": request.getfixturevalue("postgres_url")}


async def until(condition: Callable[[], bool], seconds: float = 30.0) -> None:
    async with asyncio.timeout(seconds):
        while not condition():
            await asyncio.sleep(0.05)


async def finished(house: House, retrieval: RetrievalId) -> None:
    ends = {"done", "partial", "failed"}
    await until(lambda: retrieval_of(house, retrieval).state in ends)


async def test_a_retrieval_is_queued_done_and_summarised(
    changes: dict[str, Any], tmp_path: Path, good: Partner
) -> None:
    with scripted() as script, asking_house(tmp_path, [good, script.partner], **changes) as house:
        kind = type(house.queue).__name__
        assert kind == ("ProcrastinateQueue" if changes else "RowQueue")
        retrieval = new_retrieval(house)
        async with working(house):
            job = enqueue(house, retrieval)
            await finished(house, retrieval)
            await until(lambda: _state(house, job) == "done")
        ended = retrieval_of(house, retrieval)
        assert ended.state == "done"
        assert {one.partner_name: one.documents_new for one in ended.partners} == {
            lakeshore.US: 3,
            NAME: 2,
        }
        assert len(calls(house)) == 6
        summary = house.database.read(
            lambda tx: read_summary(tx, member=MEMBER, now=datetime.now(UTC))
        )
        assert summary["sections"]["problems"]
        assert {one["outcome"] for one in summary["completeness"]} == {"matched"}
        assert_sound(house)


async def test_a_worker_that_is_stopped_leaves_the_retrieval_to_the_next(
    changes: dict[str, Any], tmp_path: Path, good: Partner
) -> None:
    waits = iter([60.0, 0.0])

    def slow_once(heard: Heard) -> Reply:
        return Reply(discovered(heard), delay_seconds=next(waits))

    with (
        scripted(ITI_55=slow_once) as script,
        asking_house(tmp_path, [good, script.partner], **changes) as house,
    ):
        retrieval = new_retrieval(house)
        enqueue(house, retrieval)
        async with working(house):
            await until(lambda: _is_served(house, retrieval, script))
        assert open_rows(house) == 0
        assert [one.outcome for one in calls(house, script.partner.id)] == ["unknown"]
        assert retrieval_of(house, retrieval).state == "running"
        before = len(calls(house, good.id))
        async with working(house):
            await finished(house, retrieval)
        assert retrieval_of(house, retrieval).state == "done"
        assert len(calls(house, good.id)) == before
        assert_sound(house)


def _is_served(house: House, retrieval: RetrievalId, script: Script) -> bool:
    """The one partner has answered, the other one is being waited for."""
    rows = {one.partner_name: one.outcome for one in retrieval_of(house, retrieval).partners}
    return rows.get(lakeshore.US) == "matched" and script.heard == ["ITI_55"]


def _state(house: House, job: int) -> str | None:
    status = house.database.read(lambda tx: house.queue.status(tx, plan=PLAN, job=job))
    return None if status is None else status.state
