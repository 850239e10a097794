"""The relay door, the messages that came, and quarantine with replay, over REST."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from gateway.api.applications import create_plan_application
from gateway.model.identity import MailId
from gateway.store import documents, mail_received
from gateway.store.errors import StoreUnavailable
from tests.gateway.api.doors import PROBLEM, Doors, open_doors
from tests.gateway.house import OTHER_PLAN, PLAN, demo_document

INTAKE, OTHER_INTAKE = "intake@direct.acme.example", "intake@direct.other.example"
MESSAGE = b"Message-ID: <m1@clinic.example>\r\nSubject: sealed\r\n\r\nbytes\n.\r\nmore\r\n"


@pytest.fixture
def doors(tmp_path: Path) -> Iterator[Doors]:
    with open_doors(tmp_path) as opened:
        yield opened


def relay(
    doors: Doors,
    content: Any = MESSAGE,
    *,
    to: tuple[str, ...] = (INTAKE,),
    sender: str = "nurse@clinic.example",
    **given: Any,
) -> Any:
    params = [("mail_from", sender), *(("rcpt_to", one) for one in to)]
    token = doors.token(PLAN, "system")
    return doors.call("POST", "/direct/messages", token, params=params, content=content, **given)


def quarantine(doors: Doors, message: str, reason: str = "its signer is not trusted") -> None:
    doors.house.database.write(
        lambda tx: mail_received.settle(
            tx,
            plan=PLAN,
            message=MailId(message),
            state="quarantined",
            reason=reason,
            now=datetime.now(UTC),
        )
    )


# ---- the relay door --------------------------------------------------------------------------


def test_a_message_is_accepted_once_it_is_safe(doors: Doors) -> None:
    answer = relay(doors, to=(INTAKE, "care@direct.acme.example"), sender="")
    assert answer.status_code == 202
    form = answer.json()
    assert (form["state"], form["duplicate"]) == ("spooled", False)
    (row,) = doors.rows("SELECT * FROM mail_received")
    assert (row["id"], row["door"], row["mail_from"]) == (form["id"], "REST", "")
    assert answer.headers["location"] == f"/api/v1/direct/messages/{form['id']}"
    message = doors.house.database.read(
        lambda tx: mail_received.get(tx, plan=PLAN, message=MailId(form["id"]))
    )
    assert message is not None
    assert doors.house.archive.load(PLAN, message.blob) == MESSAGE
    (job,) = doors.rows("SELECT * FROM job")
    assert (job["kind"], job["plan"]) == ("mail_receive", PLAN)


def test_the_same_message_again_has_the_same_answer(doors: Doors) -> None:
    first, second = relay(doors).json(), relay(doors).json()
    assert first["id"] == second["id"]
    assert (first["duplicate"], second["duplicate"]) == (False, True)
    assert len(doors.rows("SELECT * FROM job")) == 1


def test_an_arrival_makes_one_record_that_names_the_relay(doors: Doors) -> None:
    last = doors.last()
    form = relay(doors).json()
    (record,) = doors.recorded(last)
    assert (record["transaction"], record["outcome"]) == ("REST-DIRECT-IN", "success")
    assert (record["person"], record["role"]) == ("acme system", "system")
    assert (record["conversation"], record["message_id"]) == (form["id"], "<m1@clinic.example>")


@pytest.mark.parametrize(
    ("to", "sender"),
    [
        ((OTHER_INTAKE,), "a@clinic.example"),
        ((INTAKE, OTHER_INTAKE), "a@clinic.example"),
        (("jane@elsewhere.example",), "a@clinic.example"),
        (("jane",), "a@clinic.example"),
        (("jane\r\nBcc: x@direct.acme.example",), "a@clinic.example"),
        ((INTAKE,), "jane"),
        ((INTAKE,), "jane\n@clinic.example"),
        ((), "a@clinic.example"),
    ],
)
def test_a_recipient_that_is_not_the_callers_is_refused_whole_and_unnamed(
    doors: Doors, to: tuple[str, ...], sender: str
) -> None:
    last = doors.last()
    answer = relay(doors, to=to, sender=sender)
    assert answer.status_code == 422
    assert answer.headers["content-type"] == PROBLEM
    assert "jane" not in answer.text and "elsewhere" not in answer.text
    assert doors.rows("SELECT * FROM mail_received") == []
    (record,) = doors.recorded(last)
    assert record["outcome"] == "refused" and "jane" not in str(record)


def test_as_many_recipients_at_once_as_by_smtp(doors: Doors) -> None:
    domain = INTAKE.rpartition("@")[2]
    many = tuple(f"desk{number}@{domain}" for number in range(101))
    assert relay(doors, to=many).status_code == 422
    assert relay(doors, to=many[:100]).status_code == 202


def test_an_oversize_message_is_refused_before_it_is_read(doors: Doors) -> None:
    means = replace(doors.application.state.means, mail_limit_bytes=1000)
    doors.application = create_plan_application(means)

    async def chunks() -> Any:
        for _ in range(3):
            yield b"x" * 500
        raise AssertionError("more was read than is allowed")

    assert relay(doors, b"x" * 1001).status_code == 413
    assert relay(doors, chunks()).status_code == 413
    assert relay(doors, b"x" * 1000).status_code == 202
    blobs = doors.house.archive.blobs.folder(PLAN)
    assert list(blobs.glob("*.new")) == []


def test_an_empty_body_is_no_message(doors: Doors) -> None:
    assert relay(doors, b"").status_code == 422


def test_a_database_that_is_away_is_no_acceptance(doors: Doors) -> None:
    house = doors.house
    write, failing = house.database.write_async, []

    async def away(unit: Any) -> Any:
        if not failing:
            failing.append(1)
            raise StoreUnavailable("away")
        return await write(unit)

    house.database.write_async = away  # type: ignore[method-assign]
    answer = relay(doors)
    assert answer.status_code == 503 and answer.headers["retry-after"]
    assert doors.rows("SELECT * FROM mail_received") == []


def test_a_house_without_mail_takes_none(doors: Doors) -> None:
    doors.application = create_plan_application(replace(doors.application.state.means, mail=None))
    assert relay(doors).status_code == 404


# ---- looking ---------------------------------------------------------------------------------


def test_messages_are_listed_in_pages_and_by_state(doors: Doors) -> None:
    ids = [relay(doors, b"x%d\r\n" % number).json()["id"] for number in range(5)]
    quarantine(doors, ids[1])
    staff = doors.token(PLAN, "staff")
    path = "/api/v1/direct/messages"
    page = doors.get(path, staff, limit=2).json()
    assert [one["id"] for one in page["messages"]] == ids[:2]
    page = doors.get(path, staff, limit=3, after=page["next"]).json()
    assert [one["id"] for one in page["messages"]] == ids[2:]
    assert doors.get(path, staff, limit=3, after=page["next"]).json()["messages"] == []
    (kept,) = doors.get(path, staff, state="quarantined").json()["messages"]
    assert (kept["id"], kept["reason"]) == (ids[1], "its signer is not trusted")
    assert doors.get(path, doors.token(OTHER_PLAN, "staff")).json()["messages"] == []


def test_one_message_is_shown_to_its_plan_alone(doors: Doors) -> None:
    form = relay(doors).json()
    path = f"/api/v1/direct/messages/{form['id']}"
    shown = doors.get(path, doors.token(PLAN, "staff")).json()
    assert (shown["to"], shown["size"]) == ([INTAKE], len(MESSAGE))
    assert doors.get(path, doors.token(OTHER_PLAN, "staff")).status_code == 404


# ---- quarantine with replay ------------------------------------------------------------------


def test_a_quarantined_message_is_replayed_as_a_new_job(doors: Doors) -> None:
    form, staff = relay(doors).json(), doors.token(PLAN, "staff")
    quarantine(doors, form["id"])
    (kept,) = doors.get("/api/v1/quarantine", staff).json()["messages"]
    assert kept["id"] == form["id"]
    last = doors.last()
    answer = doors.call("POST", f"/api/v1/quarantine/{form['id']}/replay", staff)
    assert (answer.status_code, answer.json()["state"]) == (202, "spooled")
    (record,) = doors.recorded(last)
    assert (record["transaction"], record["conversation"]) == ("REST-REPLAY", form["id"])
    assert len(doors.rows("SELECT * FROM job")) == 2
    assert doors.get("/api/v1/quarantine", staff).json()["messages"] == []


def test_only_what_is_in_quarantine_is_replayed(doors: Doors) -> None:
    form, staff = relay(doors).json(), doors.token(PLAN, "staff")
    listed = doors.get("/api/v1/documents", staff).json()["documents"]
    for item in (form["id"], listed[0]["id"]):
        answer = doors.call("POST", f"/api/v1/quarantine/{item}/replay", staff)
        assert answer.status_code == 409, answer.text
    assert len(doors.rows("SELECT * FROM job")) == 1


def test_another_plans_quarantine_cannot_be_replayed(doors: Doors) -> None:
    form = relay(doors).json()
    quarantine(doors, form["id"])
    theirs = doors.token(OTHER_PLAN, "staff")
    answer = doors.call("POST", f"/api/v1/quarantine/{form['id']}/replay", theirs)
    assert answer.status_code == 404


def test_a_quarantined_document_is_read_again(doors: Doors) -> None:
    staff = doors.token(PLAN, "staff")
    bad = doors.give(b"no document")
    answer = doors.call("POST", f"/api/v1/quarantine/{bad['id']}/replay", staff)
    assert (answer.status_code, answer.json()["state"]) == (200, "quarantined")
    (kept,) = doors.rows("SELECT * FROM quarantine")
    assert kept["attempts"] == 2


def test_a_document_whose_reader_has_recovered_is_filed_by_replay(doors: Doors) -> None:
    """The bytes are a sound document's: only the state says that a worker once failed on it."""
    document = demo_document("northfield_ccd.xml").replace(b"</title>", b" </title>", 1)
    given = doors.give(document)
    doors.house.database.write(lambda tx: _fail(tx, given["id"]))
    staff = doors.token(PLAN, "staff")
    answer = doors.call("POST", f"/api/v1/quarantine/{given['id']}/replay", staff)
    assert (answer.json()["state"], answer.json()["outcome"]) == ("filed", "filed")
    assert doors.get("/api/v1/quarantine", staff).json()["documents"] == []


def _fail(transaction: Any, document: str) -> None:

    documents.quarantine(
        transaction,
        plan=PLAN,
        document=document,  # type: ignore[arg-type]
        stage=documents.NOT_READ,
        reason="the reader failed on it",
        now=datetime.now(UTC),
    )


def test_documents_and_messages_in_quarantine_have_pages_of_their_own(doors: Doors) -> None:
    staff = doors.token(PLAN, "staff")
    bad = [doors.give(b"no document %d" % number)["id"] for number in range(3)]
    kept = [relay(doors, b"x%d\r\n" % number).json()["id"] for number in range(3)]
    for one in kept:
        quarantine(doors, one)
    first = doors.get("/api/v1/quarantine", staff, limit=2).json()
    after = {"after": first["next"], "after_message": first["next_message"]}
    second = doors.get("/api/v1/quarantine", staff, limit=2, **after).json()
    assert [one["id"] for one in first["documents"] + second["documents"]] == bad
    assert [one["id"] for one in first["messages"] + second["messages"]] == kept
    assert (second["next"], second["next_message"]) == (None, None)
