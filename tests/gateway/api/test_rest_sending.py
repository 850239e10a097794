"""Sending by Direct over REST, and how it stands with what was sent."""

import asyncio
import threading
from base64 import b64encode
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import pytest

from direct.discovery import NotFound
from direct.message import read_message
from gateway.model.identity import MailId, PlanId
from gateway.store import mail_sent
from ihe.xdm import read_xdm
from tests.gateway.api.doors import PROBLEM, PURPOSE, Doors, open_doors
from tests.gateway.house import MEMBER, OTHER_PLAN, PLAN, a_rule

DESK, ANNE = "desk@direct.acme.example", "anne@clinic.example"


@pytest.fixture
def doors(tmp_path: Path) -> Iterator[Doors]:
    with open_doors(tmp_path, rules=(a_rule(on_demand=True),)) as opened:
        yield opened


def send(doors: Doors, **changes: Any) -> Any:
    form = {"from": DESK, "to": [ANNE], **PURPOSE, **changes}
    return doors.call("POST", "/api/v1/direct/messages", doors.token(PLAN, "staff"), json=form)


def test_a_message_is_queued_with_its_jobs_and_its_record(doors: Doors) -> None:
    last = doors.last()
    content = b64encode(b"%PDF-1.4").decode()
    file = {"name": "letter.pdf", "media_type": "application/pdf", "content": content}
    answer = send(doors, subject="Hello", text="One", files=[file], to=[ANNE, "bob@else.example"])
    assert answer.status_code == 202, answer.text
    form = answer.json()
    assert [one["state"] for one in form["recipients"]] == ["queued", "queued"]
    assert answer.headers["location"] == f"/api/v1/direct/sent/{form['id']}"
    assert [row["kind"] for row in doors.rows("SELECT kind FROM job")] == ["mail_send"] * 2
    (record,) = doors.recorded(last)
    assert (record["transaction"], record["purpose"]) == ("REST-SEND", "PAYMENT")
    message = doors.house.database.read(
        lambda tx: mail_sent.get(tx, plan=PLAN, message=MailId(form["id"]))
    )
    assert message is not None
    read = read_message(doors.house.archive.load(PLAN, message.blob))
    assert read.subject == "Hello"
    assert read.parts[-1].content() == b"%PDF-1.4"


def test_a_message_may_be_as_large_as_one_that_we_take(doors: Doors) -> None:
    letter = b"%PDF-1.4" + bytes(3_000_000)
    file = {"name": "a.pdf", "media_type": "application/pdf"}
    files = [{**file, "content": b64encode(letter).decode()}]
    answer = send(doors, text="é" * 100_000, files=files)
    assert answer.status_code == 202, answer.text
    message = doors.house.database.read(
        lambda tx: mail_sent.get(tx, plan=PLAN, message=MailId(answer.json()["id"]))
    )
    assert message is not None
    read = read_message(doors.house.archive.load(PLAN, message.blob))
    assert read.parts[-1].content() == letter
    state = doors.application.state
    state.means = replace(state.means, mail_limit_bytes=1_000_000)
    refused = send(doors, files=files)
    assert (refused.status_code, refused.headers["content-type"]) == (413, PROBLEM)
    assert "1,000,000 bytes" in refused.json()["detail"]


def test_a_members_summary_goes_as_a_rule_gives_it(doors: Doors) -> None:
    answer = send(doors, member=MEMBER.id, summary=True)
    assert answer.status_code == 202, answer.text
    assert len(answer.json()["documents"]) == 1
    last = doors.last()
    refused = send(doors, member=MEMBER.id, summary=True, purpose="OPERATIONS")
    (record,) = doors.recorded(last)
    assert (record["outcome"], record["member"], record["purpose"]) == (
        "refused", MEMBER.id, "OPERATIONS",
    )  # fmt: skip
    assert refused.status_code == 422
    assert "no rule gives" in refused.json()["detail"]


def test_the_summary_goes_in_an_xdm_package_when_that_is_asked_for(doors: Doors) -> None:
    sent = send(doors, member=MEMBER.id, summary=True, package="xdm", context=False).json()["id"]
    message = doors.house.database.read(
        lambda tx: mail_sent.get(tx, plan=PLAN, message=MailId(sent))
    )
    assert message is not None
    parts = read_message(doors.house.archive.load(PLAN, message.blob)).parts
    assert [one.filename for one in parts] == [None, "XDM.zip"]
    assert read_xdm(parts[-1].content()).is_xdm


@pytest.mark.parametrize(
    "changes",
    [
        {"purpose": "CURIOSITY"},
        {"package": "rar"},
        {"from": "desk@elsewhere.example"},
        {"from": "desk@direct.other.example"},
        {"to": []},
        {"to": ["anne"]},
        {"requester": {"person": "Pat"}},
        {"files": [{"name": "a", "content": "%%%"}]},
        {"files": [{"name": "a", "content": "é"}]},
        {"files": [{"name": "a", "content": "QQ==QQ=="}]},
        {"files": [{"name": "a", "content": "A" * (128 * 1024 - 4) + "QQ==AAAA"}]},
        {"member": "nobody", "summary": True},
        {"subject": "a\r\nBcc: eve@else.example"},
    ],
)
def test_what_may_not_be_sent_is_refused_and_recorded(
    doors: Doors, changes: dict[str, Any]
) -> None:
    last = doors.last()
    answer = send(doors, **changes)
    assert answer.status_code == 422, answer.text
    assert answer.headers["content-type"] == PROBLEM
    (record,) = doors.recorded(last)
    assert record["outcome"] == "refused"
    # Of what the caller writes only what is known stands in the log.
    assert record["member"] is None
    assert record["purpose"] in (None, "PAYMENT")
    assert doors.rows("SELECT * FROM mail_sent") == []


@pytest.mark.parametrize(
    ("changes", "place"),
    [
        ({"member": "a\0b"}, "body.member"),
        ({"member": MEMBER.id, "documents": ["a\0b"]}, "body.documents.0"),
    ],
)
def test_what_can_be_no_id_of_ours_is_not_looked_up(
    doors: Doors, changes: dict[str, Any], place: str
) -> None:
    answer = send(doors, **changes)
    assert answer.status_code == 422, answer.text
    assert [one["location"] for one in answer.json()["errors"]] == [place]


def test_what_was_sent_is_listed_for_its_own_plan_alone(doors: Doors) -> None:
    sent = send(doors, text="Hello").json()["id"]
    listed = doors.get("/api/v1/direct/sent", doors.token(PLAN, "staff")).json()
    assert [one["id"] for one in listed["messages"]] == [sent]
    path = f"/api/v1/direct/sent/{sent}"
    assert doors.get(path, doors.token(PLAN, "staff")).json()["recipients"][0]["notices"] == []
    assert doors.get(path, doors.token(OTHER_PLAN, "staff")).status_code == 404
    others = doors.get("/api/v1/direct/sent", doors.token(OTHER_PLAN, "staff")).json()
    assert others["messages"] == []


def test_a_check_says_why_we_could_not_send(doors: Doors) -> None:
    answer = doors.call(
        "POST",
        "/api/v1/direct/checks",
        doors.token(PLAN, "operator"),
        json={"address": ANNE},
    ).json()
    assert answer["send"]["possible"] is False
    said = answer["send"]["reason"].split("; ")
    assert "has no key in use that could sign" in said[0]
    assert said[1:] == ["it publishes no certificate", "its domain takes no mail"]
    assert answer["receive"]["possible"] is False
    assert "publish it in a DNS CERT record" in answer["tell_them"]


@pytest.mark.timeout(60)
def test_checks_that_nobody_answers_keep_no_other_plan_waiting(doors: Doors) -> None:
    document = doors.rows("SELECT id FROM document WHERE state = 'filed'")[0]["id"]
    asked, answered = threading.Semaphore(0), threading.Event()

    def find(_address: str, *, sender: str, fresh: bool = False) -> NotFound:
        asked.release()
        assert answered.wait(30)
        return NotFound((), certain=True)

    state = doors.application.state
    state.means = replace(state.means, direct=replace(state.means.direct, find=find))

    async def scenario() -> list[int]:
        transport = httpx.ASGITransport(doors.application)
        async with httpx.AsyncClient(transport=transport, base_url="http://plan") as client:

            def call(method: str, path: str, plan: PlanId, **form: Any) -> Any:
                token = {"Authorization": f"Bearer {doors.token(plan, 'staff')}"}
                return client.request(method, path, headers=token, **form)

            path, form = "/api/v1/direct/checks", {"address": ANNE}
            checks = [asyncio.ensure_future(call("POST", path, OTHER_PLAN, json=form))
                      for _ in range(40)]  # fmt: skip
            while not asked.acquire(blocking=False):
                await asyncio.sleep(0.01)
            try:
                path = f"/api/v1/documents/{document}/content"
                read = await asyncio.wait_for(call("GET", path, PLAN), 20)
            finally:
                answered.set()
            return [read.status_code, *(one.status_code for one in await asyncio.gather(*checks))]

    assert doors.runner.run(scenario()) == [200] * 41


def test_a_check_is_for_an_address_of_ones_own_plan(doors: Doors) -> None:
    token = doors.token(OTHER_PLAN, "operator")
    asked = {"address": ANNE, "from": DESK}
    refused = doors.call("POST", "/api/v1/direct/checks", token, json=asked)
    assert refused.status_code == 422
    own = doors.call("POST", "/api/v1/direct/checks", token, json={"address": ANNE}).json()
    assert own["send"]["reason"].startswith("postmaster@direct.other.example has no key")
