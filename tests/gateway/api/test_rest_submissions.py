"""Submissions over REST: ordered, refused, and how they stand."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from gateway.exchange.submitting import give_up_submission, refuse_submission
from gateway.model.partner import Endpoints
from gateway.model.submission import Submission
from gateway.store import partners
from gateway.store.values import load
from tests.gateway.api.doors import PROBLEM, PURPOSE, Doors, open_doors
from tests.gateway.house import MEMBER, OTHER_PLAN, PLAN, a_partner, a_rule

PARTNER = a_partner(endpoints=Endpoints(iti41="https://localhost:1/ihe/xdr"))


@pytest.fixture
def doors(tmp_path: Path) -> Iterator[Doors]:
    with open_doors(tmp_path, rules=(a_rule(PARTNER),)) as opened:
        opened.house.database.write(lambda tx: partners.put(tx, PARTNER))
        yield opened


def order(doors: Doors, **changes: Any) -> Any:
    form = {"partner": PARTNER.id, **PURPOSE, **changes}
    path = f"/api/v1/members/{MEMBER.id}/submissions"
    return doors.call("POST", path, doors.token(PLAN, "staff"), json=form)


def test_a_submission_is_queued_with_its_record(doors: Doors) -> None:
    last = doors.last()
    answer = order(doors)
    assert answer.status_code == 202, answer.text
    form = answer.json()
    assert form == {**form, "state": "waiting", "documents": [], "attempts": []}
    assert answer.headers["location"] == f"/api/v1/submissions/{form['id']}"
    assert [row["kind"] for row in doors.rows("SELECT kind FROM job")] == ["submit"]
    (record,) = doors.recorded(last)
    assert (record["transaction"], record["purpose"]) == ("REST-SUBMISSION", "PAYMENT")
    assert (record["member"], record["conversation"]) == (MEMBER.id, form["id"])


def test_it_is_followed_at_its_own_address_by_its_plan_alone(doors: Doors) -> None:
    address = order(doors).headers["location"]
    last = doors.last()
    answer = doors.get(address, doors.token(PLAN, "staff"))
    assert (answer.status_code, answer.json()["state"]) == (200, "waiting")
    (record,) = doors.recorded(last)
    assert (record["transaction"], record["member"]) == ("REST-SUBMISSION-STATE", MEMBER.id)
    assert doors.get(address, doors.token(OTHER_PLAN, "staff")).status_code == 404


def test_one_that_may_not_be_sent_when_its_time_comes_is_refused(doors: Doors) -> None:
    address = order(doors).headers["location"]
    (job,) = doors.rows("SELECT payload FROM job")
    given = load(Submission, json.loads(job["payload"])["submission"])
    doors.house.database.write(lambda tx: refuse_submission(tx, given, "It may not leave."))
    told = doors.get(address, doors.token(PLAN, "staff")).json()
    assert (told["state"], told["detail"]) == ("refused", "It may not leave.")
    assert [one["transaction"] for one in told["attempts"]] == ["SUBMISSION"]


def test_one_that_is_given_up_says_so_and_why(doors: Doors) -> None:
    address = order(doors).headers["location"]
    (job,) = doors.rows("SELECT payload FROM job")
    given = load(Submission, json.loads(job["payload"])["submission"])
    now = datetime.now(UTC)
    doors.house.database.write(
        lambda tx: give_up_submission(tx, given, "its process died", is_known=False, now=now)
    )
    told = doors.get(address, doors.token(PLAN, "staff")).json()
    assert told["state"] == "unknown"
    assert told["detail"] == "the submission was given up: its process died"


@pytest.mark.parametrize(
    ("changes", "status", "word"),
    [
        ({"purpose": "OPERATIONS"}, 403, "no rule gives"),
        ({"purpose": "CURIOSITY"}, 422, "purpose"),
        ({"documents": ["x"]}, 403, "no rule gives"),
        ({"summary": True}, 403, "no rule gives"),
        ({"partner": "2.999.404"}, 403, "not there"),
        ({"requester": None}, 422, ""),
    ],
)
def test_what_may_not_leave_is_a_problem_and_no_job(
    doors: Doors, changes: dict[str, Any], status: int, word: str
) -> None:
    last = doors.last()
    answer = order(doors, **changes)
    assert answer.status_code == status, answer.text
    (record,) = doors.recorded(last)
    assert record["outcome"] == "refused"
    assert record["partner"] == (PARTNER.id if word == "no rule gives" else None)
    assert answer.headers["content-type"] == PROBLEM
    assert word in answer.json()["detail"]
    assert doors.rows("SELECT kind FROM job") == []


def test_nobody_but_staff_orders_one(doors: Doors) -> None:
    path = f"/api/v1/members/{MEMBER.id}/submissions"
    form = {"partner": PARTNER.id, **PURPOSE}
    answer = doors.call("POST", path, doors.token(PLAN, "auditor"), json=form)
    assert answer.status_code == 403
