"""What an auditor asks of the log as a whole over REST: counted, flagged, and taken away."""

import csv
import io
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import orjson
import pytest

from gateway.model.exchange import Exchange
from gateway.model.identity import DocumentId
from gateway.store import exchange_log
from tests.gateway.api.doors import Doors, open_doors
from tests.gateway.house import MEMBER, OTHER_PLAN, PLAN

NOW = datetime.now(UTC).replace(hour=12)
MONTH = f"{NOW - timedelta(days=1):%Y-%m}"


def fact(transaction: str, outcome: str = "success", **changes: Any) -> Exchange:
    given: dict[str, Any] = {
        "time": NOW - timedelta(days=1),
        "direction": "in",
        "plan": PLAN,
        "partner": "2.999.7",
        "purpose": "PAYMENT",
        "member": MEMBER.id,
        **changes,
    }
    return Exchange(transaction=transaction, outcome=outcome, **given)  # type: ignore[arg-type]


FACTS = (
    fact("ITI-39", documents=(DocumentId("d-1"), DocumentId("d-2"))),
    fact("ITI-38", "refused", reason="=No purpose is stated.", member=None),
    fact("ITI-38", "refused", reason="Treatment only.", plan=OTHER_PLAN, partner="2.999.8"),
    fact("REST-SUMMARY", partner=None, person="Nora", role="staff"),
    fact("ITI-39", time=NOW - timedelta(days=400), documents=(DocumentId("d-9"),)),
)


@pytest.fixture(scope="module")
def doors(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Doors]:
    with open_doors(tmp_path_factory.mktemp("reports"), furnished=False) as opened:
        for one in FACTS:
            opened.house.database.write(lambda tx, one=one: exchange_log.append(tx, one))
        yield opened


def ask(doors: Doors, what: str, **params: Any) -> httpx.Response:
    token = doors.token(PLAN, "auditor")
    answer = doors.get(f"/api/v1/exchanges/{what}", token, **params)
    assert answer.status_code == 200, answer.text
    return answer


def test_what_left_is_counted_of_the_last_month_or_of_any_span(doors: Doors) -> None:
    (line,) = ask(doors, "outflow").json()["outflow"]
    assert line == {
        "month": MONTH, "partner": "2.999.7", "purpose": "PAYMENT", "transaction": "ITI-39",
        "exchanges": 1, "documents": 2,
    }  # fmt: skip
    long = ask(doors, "outflow", since="2020-01-01T00:00:00Z", limit=1).json()
    assert (len(long["outflow"]), long["next_offset"]) == (1, 1)
    rest = ask(doors, "outflow", since="2020-01-01T00:00:00Z", limit=1, offset=1).json()
    assert (rest["outflow"], rest["next_offset"]) == ([line], None)


def test_a_plan_sees_its_own_refusals_alone_and_a_spreadsheet_runs_nothing(doors: Doors) -> None:
    (line,) = ask(doors, "refusals").json()["refusals"]
    assert (line["who"], line["rule"], line["refused"]) == ("2.999.7", "=No purpose is stated.", 1)
    answer = ask(doors, "refusals", format="csv")
    assert answer.headers["content-type"].startswith("text/csv")
    _, row = csv.reader(io.StringIO(answer.text))
    assert row == [MONTH, "2.999.7", "ITI-38", "'=No purpose is stated.", "1", "0"]


def test_first_access_is_flagged_with_its_reason(doors: Doors) -> None:
    found = ask(doors, "unusual").json()["unusual"]
    flagged = {one["who"]: one for one in found if one["kind"] == "first_time"}
    assert {"2.999.7", "Nora"} <= set(flagged)
    assert flagged["Nora"]["member"] == MEMBER.id
    assert flagged["Nora"]["record"] == 4
    assert "first time" in flagged["Nora"]["why"]
    assert "2.999.8" not in str(found)


def test_the_log_is_taken_away_page_by_page_in_every_form(doors: Doors) -> None:
    until = {"until": NOW.isoformat(), "limit": 2}
    first = [orjson.loads(line) for line in ask(doors, "export", **until).text.splitlines()]
    assert [one["sequence"] for one in first] == [1, 2]
    after = ask(doors, "export", after=2, **until, format="csv").text
    rows = list(csv.DictReader(io.StringIO(after)))
    assert [row["sequence"] for row in rows] == ["4", "5"], "the other plan's is not shown"
    events = ask(doors, "export", format="fhir", **until)
    assert events.headers["content-type"] == "application/fhir+ndjson"
    assert [orjson.loads(one)["resourceType"] for one in events.text.splitlines()] == [
        "AuditEvent"
    ] * 2


@pytest.mark.parametrize("form", ["jsonl", "csv", "fhir"])
def test_a_page_that_is_full_links_to_the_next_and_the_last_does_not(
    doors: Doors, form: str
) -> None:
    until = NOW - timedelta(hours=13)  # yesterday: before the looks of this test are recorded
    span = {"since": "2020-01-01T00:00:00+00:00", "until": until.isoformat()}
    answer = ask(doors, "export", **span, format=form, limit=2)
    seen = answer.text.splitlines()
    while "next" in answer.links:
        answer = doors.call("GET", answer.links["next"]["url"], doors.token(PLAN, "auditor"))
        seen += answer.text.splitlines()
    whole = ask(doors, "export", **span, format=form)
    assert "link" not in whole.headers
    assert [one for one in seen if not one.startswith("sequence,")] == [
        one for one in whole.text.splitlines() if not one.startswith("sequence,")
    ]


@pytest.mark.parametrize(
    ("what", "name", "reason"),
    [
        ("outflow", "REST-OUTFLOW", "1 lines"),
        ("refusals", "REST-REFUSALS", "1 lines"),
        ("unusual", "REST-UNUSUAL", "lines"),
        ("export", "REST-LOG-EXPORT", "records as jsonl"),
    ],
)
def test_each_look_says_how_much_was_seen(doors: Doors, what: str, name: str, reason: str) -> None:
    last = doors.last()
    ask(doors, what)
    (record,) = doors.recorded(last)
    assert (record["transaction"], record["person"]) == (name, f"{PLAN} auditor")
    assert reason in record["reason"]


@pytest.mark.parametrize("what", ["", "/outflow", "/refusals", "/unusual", "/export"])
def test_of_no_time_at_all_nothing_is_answered(doors: Doors, what: str) -> None:
    """An empty answer would say that nothing happened."""
    last = doors.last()
    span = {"since": "2026-05-02T00:00:00Z", "until": "2026-05-02T00:00:00Z"}
    answer = doors.get(f"/api/v1/exchanges{what}", doors.token(PLAN, "auditor"), **span)
    assert (answer.status_code, answer.json()["detail"]) == (422, "since must be before until.")
    assert [one["outcome"] for one in doors.recorded(last)] == ["refused"]
