"""A summary is read and laid out beside the one who writes, and recorded before it leaves."""

import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any, Final

import pytest

from gateway.exchange.workers import Reason, WorkerFailed
from gateway.store.transaction import Transaction
from tests.gateway.api.doors import Doors, open_doors
from tests.gateway.house import MEMBER, PLAN
from tests.gateway.watching import Statements, watching

PATH: Final = f"/api/v1/members/{MEMBER.id}/summary"


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Doors]:
    with open_doors(tmp_path_factory.mktemp("beside")) as opened:
        yield opened


@pytest.fixture
def doors(house: Doors) -> Iterator[Doors]:
    """As they were before, whatever is put into them."""
    state = house.application.state
    database, means = state.database, state.means
    yield house
    state.database, state.means = database, means


class Noting:
    """The database, and the statements that its writers execute."""

    def __init__(self, database: Any, seen: Statements) -> None:
        self._database, self._seen = database, seen
        self.written: list[str] = []

    def __getattr__(self, name: str) -> Any:
        return getattr(self._database, name)

    async def write_async(self, unit: Callable[[Transaction], Any]) -> Any:
        before = len(self._seen)
        result = await self._database.write_async(unit)
        self.written += [statement for statement, _ in self._seen[before:]]
        return result


@pytest.mark.parametrize("form", ["json", "text", "html", "pdf"])
def test_whoever_writes_does_not_wait_while_a_summary_is_made(doors: Doors, form: str) -> None:
    """On SQLite there is one writer at a time, and to merge a long record takes a second."""
    with watching() as seen:
        noting = Noting(doors.house.database, seen)
        doors.application.state.database = noting
        assert doors.get(PATH, doors.token(PLAN, "staff"), format=form).status_code == 200
    read = {name for one in noting.written for name in re.findall(r"\b(?:FROM|JOIN) (\w+)", one)}
    assert read <= {"log_month", "exchange_head"}, "the record of the look needs no more"
    assert any("INTO exchange " in one for one in noting.written)


class Failing:
    """Workers that fail for that reason."""

    def __init__(self, reason: Reason) -> None:
        self._reason: Reason = reason

    async def run_async(self, *_given: Any, **_named: Any) -> Any:
        raise WorkerFailed(self._reason)


@pytest.mark.parametrize("form", ["html", "pdf"])
@pytest.mark.parametrize(
    ("reason", "status", "outcome"),
    [("deadline", 409, "refused"), ("memory", 409, "refused"), ("crashed", 500, "failed")],
)
def test_a_summary_that_cannot_be_laid_out_is_recorded_with_its_member(
    doors: Doors, form: str, reason: Reason, status: int, outcome: str
) -> None:
    state, last = doors.application.state, doors.last()
    archive = replace(state.means.archive, workers=Failing(reason))
    state.means = replace(state.means, archive=archive)
    answer = doors.get(PATH, doors.token(PLAN, "staff"), format=form)
    assert answer.status_code == status
    (record,) = doors.recorded(last)
    assert (record["transaction"], record["outcome"]) == ("REST-SUMMARY", outcome)
    assert record["member"] == MEMBER.id
