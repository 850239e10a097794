"""A member's accounting over REST in each of its forms: the same lines, and the look on record."""

import csv
import io
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest

from gateway.model.exchange import Exchange
from gateway.model.identity import DocumentId
from gateway.store import exchange_log
from tests.gateway.api.doors import Doors, open_doors
from tests.gateway.house import MEMBER, OTHER_PLAN, PLAN

NOW = datetime.now(UTC)


def gave(purpose: str, **changes: Any) -> Exchange:
    """A document that a partner was given."""
    given: dict[str, Any] = {
        "time": NOW - timedelta(days=40),
        "direction": "in",
        "transaction": "ITI-39",
        "outcome": "success",
        "plan": PLAN,
        "partner": "2.999.7",
        "purpose": purpose,
        "member": MEMBER.id,
        "documents": (DocumentId("d-1"),),
        **changes,
    }
    return Exchange(**given)


FACTS = (
    gave("PUBLICHEALTH", partner="=2.999.8"),
    gave("TREATMENT"),
    gave("PUBLICHEALTH", time=NOW - timedelta(days=7 * 365)),
)


@pytest.fixture(scope="module")
def doors(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Doors]:
    with open_doors(tmp_path_factory.mktemp("disclosures")) as opened:
        for one in FACTS:
            opened.house.database.write(lambda tx, one=one: exchange_log.append(tx, one))
        yield opened


def ask(doors: Doors, **params: Any) -> httpx.Response:
    token = doors.token(params.pop("plan", PLAN), "auditor")
    return doors.get(f"/api/v1/members/{MEMBER.id}/disclosures", token, **params)


def lines(answer: httpx.Response) -> list[dict[str, str]]:
    """Under the heading, which says whose it is and of when."""
    rows = list(csv.reader(io.StringIO(answer.text)))
    head = next(place for place, row in enumerate(rows) if "purpose" in row)
    return [dict(zip(rows[head], row, strict=True)) for row in rows[head + 1 :] if row]


def test_a_spreadsheet_has_the_lines_of_the_json_and_runs_nothing(doors: Doors) -> None:
    told = ask(doors).json()
    answer = ask(doors, format="csv")
    assert (answer.status_code, answer.headers["content-type"]) == (200, "text/csv; charset=utf-8")
    assert len(lines(answer)) == len(told["disclosures"]) == 1
    assert "PUBLICHEALTH" in answer.text
    assert "'=2.999.8" in answer.text and ",=2.999.8" not in answer.text
    assert "TREATMENT" in ask(doors, format="csv", all="true").text


def test_the_page_to_print_is_a_pdf(doors: Doors) -> None:
    answer = ask(doors, format="pdf")
    assert (answer.status_code, answer.headers["content-type"]) == (200, "application/pdf")
    assert answer.content.startswith(b"%PDF-") and b"%%EOF" in answer.content[-1024:]
    longer = ask(doors, format="pdf", all="true")
    assert len(longer.content) > len(answer.content)


@pytest.mark.parametrize(
    "days",
    [
        {"from": "2026-05-02", "to": "2026-05-01"}, {"from": "9000-01-01"}, {"to": "2000-01-01"},
    ],
)  # fmt: skip
def test_of_no_days_there_is_no_accounting(doors: Doors, days: dict[str, str]) -> None:
    last = doors.last()
    answer = ask(doors, **days)
    assert answer.status_code == 422
    assert "no accounting of those days" in answer.json()["detail"]
    assert [one["outcome"] for one in doors.recorded(last)] == ["refused"]


@pytest.mark.parametrize("form", ["json", "csv", "pdf"])
def test_each_look_is_on_record_with_the_member(doors: Doors, form: str) -> None:
    last = doors.last()
    assert ask(doors, format=form).status_code == 200
    (record,) = doors.recorded(last)
    assert (record["transaction"], record["outcome"]) == ("REST-DISCLOSURES", "success")
    assert (record["member"], record["person"]) == (MEMBER.id, f"{PLAN} auditor")


@pytest.mark.parametrize("form", ["json", "csv", "pdf"])
def test_of_another_plans_member_there_is_no_accounting(doors: Doors, form: str) -> None:
    last = doors.last()
    assert ask(doors, format=form, plan=OTHER_PLAN).status_code == 404
    (record,) = doors.recorded(last)
    assert (record["outcome"], record["member"]) == ("refused", None)
