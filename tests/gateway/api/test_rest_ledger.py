"""The ledger's days over REST: any that there are, and never none."""

from collections.abc import Iterator

import pytest

from tests.gateway.api.doors import PROBLEM, Doors, open_doors
from tests.gateway.house import PLAN

PATH = "/api/v1/partners/ledger"


@pytest.fixture(scope="module")
def doors(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Doors]:
    with open_doors(tmp_path_factory.mktemp("ledger"), furnished=False) as opened:
        yield opened


@pytest.mark.parametrize("form", ["json", "csv"])
@pytest.mark.parametrize(
    "days",
    [
        {"until": "9999-12-31"},
        {"until": "0001-01-01"},
        {"since": "0001-01-01"},
        {"since": "0001-01-01", "until": "9999-12-31"},
        {"since": "2026-02-01", "until": "2026-02-01"},
    ],
)
def test_any_day_can_be_the_first_or_the_last(
    doors: Doors, days: dict[str, str], form: str
) -> None:
    answer = doors.get(PATH, doors.token(PLAN, "operator"), format=form, **days)
    assert answer.status_code == 200, answer.text


@pytest.mark.parametrize(
    "days", [{"since": "2026-02-02", "until": "2026-02-01"}, {"since": "9999-12-31"}]
)
def test_of_no_day_at_all_there_is_no_ledger(doors: Doors, days: dict[str, str]) -> None:
    """An empty one would say that nothing was exchanged."""
    last = doors.last()
    answer = doors.get(PATH, doors.token(PLAN, "operator"), **days)
    assert (answer.status_code, answer.headers["content-type"]) == (422, PROBLEM)
    assert "the first day is after the last" in answer.json()["detail"]
    assert [one["outcome"] for one in doors.recorded(last)] == ["refused"]
