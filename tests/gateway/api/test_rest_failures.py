"""When we fail: nothing given away, nothing in the log of the process, one record all the same."""

import asyncio
import logging
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import pytest
from sqlalchemy.exc import IntegrityError

from gateway.api.applications import create_operations_application
from gateway.store.errors import StoreUnavailable
from gateway.store.transaction import Transaction
from tests.gateway.api.doors import PROBLEM, PURPOSE, Doors, open_doors
from tests.gateway.house import MEMBER, PLAN

SECRET: Final = "Zanzibarson, born 1975"
SUMMARY: Final = f"/api/v1/members/{MEMBER.id}/summary"
LARGE: Final = b"no document at all, but long " * 120_000
"""Several frames of the blob store."""


@pytest.fixture
def doors(tmp_path: Path) -> Iterator[Doors]:
    with open_doors(tmp_path) as opened:
        yield opened


class Failing:
    """The database, but its next `times` writes raise `error`."""

    def __init__(self, database: Any, error: Exception, times: int) -> None:
        self._database = database
        self._error = error
        self._times = times

    def __getattr__(self, name: str) -> Any:
        return getattr(self._database, name)

    async def write_async(self, unit: Callable[[Transaction], Any]) -> Any:
        if self._times > 0:
            self._times -= 1
            raise self._error
        return await self._database.write_async(unit)


@pytest.mark.parametrize(
    "error",
    [
        RuntimeError(SECRET),
        KeyError(SECRET),
        IntegrityError(SECRET, {"name": SECRET}, Exception(SECRET)),
        ExceptionGroup(SECRET, [ValueError(SECRET)]),
    ],
    ids=lambda error: type(error).__name__,
)
def test_an_unexpected_failure_tells_nothing_and_is_recorded(
    doors: Doors, error: Exception, caplog: pytest.LogCaptureFixture
) -> None:
    last = doors.last()
    doors.application.state.database = Failing(doors.house.database, error, times=1)
    with caplog.at_level(logging.DEBUG):
        answer = doors.get(SUMMARY, doors.token(PLAN, "staff"))
    assert answer.status_code == 500
    assert answer.headers["content-type"] == PROBLEM
    assert answer.headers["cache-control"] == "no-store"
    assert set(answer.json()) == {"type", "title", "status", "detail"}
    (record,) = doors.recorded(last)
    assert (record["outcome"], record["transaction"]) == ("failed", "REST-SUMMARY")
    assert (record["person"], record["documents"]) == (f"{PLAN} staff", "[]")
    assert SECRET not in answer.text + str(record) + caplog.text
    assert type(error).__name__ in caplog.text, "the operator must find where it was"
    assert "test_rest_failures.py" in caplog.text


def test_a_failing_unit_is_undone_and_its_failure_recorded(doors: Doors) -> None:
    means = doors.application.state.means
    doors.application.state.means = replace(means, queue=None)  # the act breaks in its middle
    last = doors.last()
    answer = doors.start(MEMBER.id)
    assert answer.status_code == 500
    assert doors.rows("SELECT * FROM retrieval") == []
    (record,) = doors.recorded(last)
    assert (record["outcome"], record["member"]) == ("failed", MEMBER.id)
    assert record["purpose"] == PURPOSE["purpose"]


def test_a_database_that_is_busy_or_gone_is_a_503_that_says_when_to_come_back(
    doors: Doors,
) -> None:
    gone = Failing(doors.house.database, StoreUnavailable("locked"), times=1)
    doors.application.state.database = gone
    last = doors.last()
    answer = doors.get(SUMMARY, doors.token(PLAN, "staff"))
    assert answer.status_code == 503
    assert answer.headers["content-type"] == PROBLEM
    assert int(answer.headers["retry-after"]) > 0
    (record,) = doors.recorded(last)
    assert record["outcome"] == "failed"


def test_while_nothing_can_be_recorded_nothing_is_answered(doors: Doors) -> None:
    doors.application.state.database = Failing(
        doors.house.database, StoreUnavailable("locked"), times=99
    )
    for path, token in ((SUMMARY, doors.token(PLAN, "staff")), (SUMMARY, None), ("/nowhere", None)):
        answer = doors.get(path, token)
        assert answer.status_code == 503, path
        assert answer.headers["content-type"] == PROBLEM


def test_a_closed_database_is_a_503_too(doors: Doors) -> None:
    doors.house.database.close()
    answer = doors.get(SUMMARY, doors.token(PLAN, "staff"))
    assert answer.status_code == 503
    assert answer.headers["retry-after"]


# ---- documents whose bytes do not all arrive -------------------------------------------------


def _file_of(doors: Doors, document: str) -> Path:
    (row,) = doors.rows("SELECT blob_address FROM document WHERE id = ?", document)
    return doors.house.archive.blobs.path(PLAN, row["blob_address"])


def test_bytes_that_are_gone_are_a_failure_recorded_beside_the_act(doors: Doors) -> None:
    id = doors.give(LARGE)["id"]
    _file_of(doors, id).unlink()
    last = doors.last()
    answer = doors.get(f"/api/v1/documents/{id}/content", doors.token(PLAN, "staff"))
    assert answer.status_code == 500
    assert answer.headers["content-type"] == PROBLEM
    act, ending = doors.recorded(last)
    assert act["outcome"] == "success"
    assert ending["outcome"] == "failed"
    assert ending["reason"].startswith(f"after record {act['sequence']}: ")
    assert ending["documents"] == act["documents"] == f'["{id}"]'


def test_an_answer_that_breaks_in_its_middle_is_cut_and_recorded(doors: Doors) -> None:
    id = doors.give(LARGE)["id"]
    file = _file_of(doors, id)
    content = bytearray(file.read_bytes())
    content[-20] ^= 1  # in the last frame: the ones before are genuine and may have left
    file.chmod(0o600)
    file.write_bytes(content)
    last = doors.last()
    begun, body, is_whole = _raw(doors, f"/api/v1/documents/{id}/content", leave_after=None)
    assert begun["status"] == 200
    assert 0 < len(body) < len(LARGE)
    assert LARGE.startswith(body)
    assert not is_whole, "a cut answer must never look whole"
    act, ending = doors.recorded(last)
    assert (act["outcome"], ending["outcome"]) == ("success", "failed")


def test_a_caller_that_leaves_before_the_last_byte_is_recorded_as_served_in_part(
    doors: Doors,
) -> None:
    id = doors.give(LARGE)["id"]
    last = doors.last()
    _, body, is_whole = _raw(doors, f"/api/v1/documents/{id}/content", leave_after=1)
    assert not is_whole
    assert len(body) < len(LARGE)
    act, ending = doors.recorded(last)
    assert (act["outcome"], ending["outcome"]) == ("success", "partial")


def _raw(doors: Doors, path: str, *, leave_after: int | None) -> tuple[dict[str, Any], bytes, bool]:
    """The answer as a server sees it: its start, its bytes, whether it ended."""
    token = doors.token(PLAN, "staff")
    scope = {
        "type": "http", "asgi": {"version": "3.0"}, "http_version": "1.1", "method": "GET",
        "scheme": "http", "path": path, "raw_path": path.encode(), "query_string": b"",
        "root_path": "", "headers": [(b"authorization", f"Bearer {token}".encode())],
        "client": ("192.0.2.7", 4711), "server": ("plan", 80),
    }  # fmt: skip
    sent: list[dict[str, Any]] = []

    async def run() -> None:
        left = asyncio.Event()
        asked = False

        async def receive() -> dict[str, Any]:
            nonlocal asked
            if not asked:
                asked = True
                return {"type": "http.request", "body": b"", "more_body": False}
            await left.wait()
            return {"type": "http.disconnect"}

        async def send(message: Any) -> None:
            sent.append(message)
            if leave_after is not None and len(sent) > leave_after:
                left.set()
                await asyncio.sleep(0.05)  # as a full buffer would hold it

        await doors.application(scope, receive, send)

    doors.runner.run(run())
    body = b"".join(message.get("body", b"") for message in sent[1:])
    return sent[0], body, not sent[-1].get("more_body", False)


# ---- health ----------------------------------------------------------------------------------


def test_health_says_when_the_database_cannot_be_read(doors: Doors) -> None:
    trouble: list[str | None] = [None]
    doors.application = create_operations_application(lambda: trouble[0])
    assert doors.get("/health/live", None).json() == {"status": "alive"}
    assert doors.get("/health/ready", None).status_code == 200
    trouble[0] = "the database is closed"
    assert doors.get("/health/ready", None).status_code == 503
    assert doors.get("/health/nothing", None).headers["content-type"] == PROBLEM
    assert doors.get("/docs", None).status_code == 404


def test_a_check_that_breaks_is_a_500_without_its_reason(doors: Doors) -> None:
    def broken() -> str | None:
        raise RuntimeError(SECRET)

    doors.application = create_operations_application(broken)
    answer = doors.get("/health/ready", None)
    assert answer.status_code == 500
    assert SECRET not in answer.text
