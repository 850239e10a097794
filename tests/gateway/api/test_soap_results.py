"""Deferred results at our door: taken once, in time, from whom was asked; others are refused."""

from collections.abc import Callable
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from lxml import etree

from ccda.hl7v3 import II, TS
from ccda.safe_xml import Element
from gateway.model.exchange import Exchange
from ihe.acknowledgement import (
    DEFERRAL_NOT_SUPPORTED,
    DUPLICATE_KEY,
    UNKNOWN_KEY,
    Acknowledgement,
    read_acknowledgement,
    write_acknowledgement,
)
from ihe.correlation import grant
from ihe.discovery import Matched, NoMatch
from ihe.namespaces import name
from ihe.soap import ITI_55_ACKNOWLEDGEMENT, ITI_55_DEFERRED_RESULT, parse_envelope
from ihe.xcpd import read_discovery_request
from tests.gateway import house as lakeshore
from tests.gateway.asking import ask
from tests.gateway.clients.asking_house import HOME as OURS
from tests.gateway.clients.asking_house import assert_sound, calls, retrieval_of
from tests.gateway.clients.later_partner import Later, later
from tests.gateway.clients.scripted_partner import (
    HOME,
    NAME,
    Heard,
    Reply,
    a_match,
    discovered,
    discovery_body,
    listed,
    retrieved,
)
from tests.gateway.exchange.test_discovering import links_of

OTHER = "Southfield Health"


def acknowledged(heard: Heard, **changes: Any) -> Reply:
    request = read_discovery_request(heard.body)
    said = Acknowledgement(
        message_id=II(f"{HOME}.9", str(uuid4())),
        creation_time=TS("20260101000000+0000"),
        sender=HOME,
        receiver=request.sender,
        request_id=request.message_id,
    )
    body = write_acknowledgement(replace(said, **changes))
    return Reply(heard.seal(body, ITI_55_ACKNOWLEDGEMENT))


@contextmanager
def deferring(folder: Path, answer: Callable[[Heard], Reply] = acknowledged, **given: Any) -> Any:
    """The partner acknowledges, and has heard what stands in `heard`; the rest it answers well."""
    heard: list[tuple[str, Heard]] = []

    def take(request: Heard) -> Reply:
        heard.append(("ITI_55", request))
        return answer(request)

    at_once = {
        "ITI_55": take,
        "ITI_38": lambda request: Reply(listed(request)),
        "ITI_39": retrieved,
    }
    profile = {"asynchronous": False, "deferred_discovery": True, **given}
    others = profile.pop("others", ())
    with later(folder, others=others, at_once=at_once, **profile) as there:
        there.heard = heard
        yield there


def result(there: Later, answer: Any = None, number: int = -1) -> Element:
    request = read_discovery_request(there.heard[number][1].body)
    return discovery_body(request, answer or Matched((a_match(),)))


def bring(there: Later, body: Element, *, by: str = NAME, **asserted: Any) -> lakeshore.Reply:
    partner = replace(there.script.partner, name=by)
    if by == OTHER:
        partner = lakeshore.a_partner(OTHER, "2.999.7309.1")
    sealed = ask(body, ITI_55_DEFERRED_RESULT, partner=partner, **asserted)
    return there.door.post("/ihe/xcpd", sealed.envelope, by=by)


def said(reply: lakeshore.Reply) -> tuple[bool, str | None]:
    assert reply.status == 200, reply.body
    (payload,) = reply.envelope.find("{http://www.w3.org/2003/05/soap-envelope}Body")  # type: ignore[misc]
    acknowledgement = read_acknowledgement(payload)
    assert str(acknowledgement.sender) == OURS
    return acknowledgement.accepted, acknowledgement.problem


def arrivals(there: Later) -> list[Exchange]:
    return [one for one in lakeshore.records(there.house) if one.direction == "in"]


def refused(there: Later, reason: str) -> None:
    """The last record of what came says so, and names its envelopes and who it was."""
    record = arrivals(there)[-1]
    assert (record.transaction, record.outcome) == ("ITI-55-DEFERRED", "refused")
    assert (record.reason, record.member) == (reason, None)
    assert record.partner is not None
    assert record.request_hash is not None and record.answer_hash is not None


def test_a_result_is_taken_and_the_retrieval_goes_on(tmp_path: Path) -> None:
    with deferring(tmp_path) as there:
        there.ask()
        assert (there.row.detail or "").startswith("waiting for a deferred answer until ")
        asked = read_discovery_request(there.heard[0][1].body)
        assert (asked.deferred, asked.respond_to) == (
            True, f"{there.house.settings.replies_at}/xcpd",
        )  # fmt: skip
        # Nobody is asked for anything, so no purpose need be stated.
        assert said(bring(there, result(there), purpose_of_use=None)) == (True, None)
        (record,) = arrivals(there)
        assert (record.transaction, record.outcome) == ("ITI-55-DEFERRED", "success")
        order = retrieval_of(there.house, there.retrieval)
        assert (record.member, record.conversation) == (order.member, order.conversation)
        there.work()
        assert (there.row.outcome, there.row.documents_new) == ("matched", 2)
        assert [one.transaction for one in calls(there.house)] == [
            "ITI-55-DEFERRED", "ITI-55", "ITI-38", "ITI-39",
        ]  # fmt: skip
        assert_sound(there.house)


def test_a_result_is_used_again_for_as_long_as_it_says(tmp_path: Path) -> None:
    with deferring(tmp_path) as there:
        there.ask()
        sealed = ask(result(there), ITI_55_DEFERRED_RESULT, partner=there.script.partner)
        root = parse_envelope(sealed.envelope)
        grant(root.find(name("soap:Header")), timedelta(days=7))  # type: ignore[arg-type]
        # The header is the TLS peer's word, as body and addressing are (DECISIONS 1).
        reply = there.door.post("/ihe/xcpd", etree.tostring(root), by=NAME)
        assert said(reply) == (True, None)
        there.work()
        (link,) = links_of(there.house)
        assert link.valid_until is not None
        left = link.valid_until - datetime.now(UTC)
        assert timedelta(days=6, hours=23) < left <= timedelta(days=7)
        there.ask()
        there.work()
        assert len(there.heard) == 1
        assert "asked by the patient id it gave before" in (there.row.detail or "")


def test_a_second_result_is_refused_before_and_after_the_first_was_read(tmp_path: Path) -> None:
    with deferring(tmp_path) as there:
        there.ask()
        assert said(bring(there, result(there))) == (True, None)
        assert said(bring(there, result(there, NoMatch()))) == (False, DUPLICATE_KEY)
        refused(there, "a result of this question came before")
        there.work()
        assert said(bring(there, result(there, NoMatch()))) == (False, DUPLICATE_KEY)
        assert there.row.outcome == "matched"
        assert_sound(there.house)


def test_a_result_that_nobody_asked_for_is_refused(tmp_path: Path) -> None:
    with deferring(tmp_path) as there:
        there.ask()
        request = read_discovery_request(there.heard[0][1].body)
        stray = discovery_body(replace(request, message_id=II(OURS, "another")), NoMatch())
        assert said(bring(there, stray)) == (False, UNKNOWN_KEY)
        refused(there, "the result names no question of ours")
        assert said(bring(there, result(there))) == (True, None)  # the question still waits


def test_a_result_of_another_partner_is_refused_and_says_no_more(tmp_path: Path) -> None:
    other = lakeshore.a_partner(OTHER, "2.999.7309.1")
    with deferring(tmp_path, others=[other]) as there:
        there.ask()
        assert said(bring(there, result(there), by=OTHER)) == (False, UNKNOWN_KEY)
        refused(there, "the result is of a question to another partner")
        assert said(bring(there, result(there))) == (True, None)


def test_expiry_gives_up_in_words_and_what_comes_after_it_is_refused(tmp_path: Path) -> None:
    with deferring(tmp_path, answer_within_seconds=0.3) as there:
        there.ask()
        there.work_until_ended()
        late = "no answer came within 0.3 s"
        assert (there.row.outcome, there.row.detail) == ("late", late)
        assert [(one.transaction, one.outcome, one.reason) for one in calls(there.house)][1:] == [
            ("ITI-55", "failed", late)
        ]
        assert said(bring(there, result(there))) == (False, UNKNOWN_KEY)
        refused(there, "the result came when its question was given up")
        assert_sound(there.house)


def test_a_stranger_brings_nothing(tmp_path: Path) -> None:
    with deferring(tmp_path) as there:
        there.ask()
        assert bring(there, result(there), by="Mallory").status == 400
        (row,) = lakeshore.rows_of(there.house, "awaited_answer")
        assert row["state"] == "sent"


def test_the_same_message_twice_is_a_replay(tmp_path: Path) -> None:
    with deferring(tmp_path) as there:
        there.ask()
        sealed = ask(result(there), ITI_55_DEFERRED_RESULT, partner=there.script.partner)
        replies = [there.door.post("/ihe/xcpd", sealed.envelope, by=NAME) for _ in range(2)]
        assert [one.status for one in replies] == [200, 400]
        assert arrivals(there)[-1].reason == "the message was received before"


@pytest.mark.parametrize(
    ("changes", "detail"),
    [
        (
            {"accepted": False, "problem": DEFERRAL_NOT_SUPPORTED},
            "it did not take the question as a deferred one (NS250)",
        ),
        (
            {"request_id": II(OURS, "another")},
            "it acknowledged another message than the question",
        ),
    ],
)
def test_a_partner_that_does_not_defer_ends_the_visit(
    changes: dict[str, Any], detail: str, tmp_path: Path
) -> None:
    with deferring(tmp_path, lambda heard: acknowledged(heard, **changes)) as there:
        there.ask()
        assert (there.row.outcome, there.row.detail) == ("failed", detail)
        assert "deferred_discovery = false" in (there.row.next_step or "")
        assert [(one.transaction, one.outcome, one.reason) for one in calls(there.house)] == [
            ("ITI-55-DEFERRED", "refused", detail),
            ("ITI-55", "failed", detail),
        ]
        assert said(bring(there, result(there))) == (False, UNKNOWN_KEY)
        assert_sound(there.house)


def test_who_answers_at_once_all_the_same_is_heard(tmp_path: Path) -> None:
    with deferring(tmp_path, lambda heard: Reply(discovered(heard))) as there:
        there.ask()
        assert (there.row.outcome, there.row.documents_new) == ("matched", 2)
        assert [one.transaction for one in calls(there.house)] == ["ITI-55", "ITI-38", "ITI-39"]
        assert_sound(there.house)


@pytest.mark.emits_invalid("a partner's result may be anything")
def test_a_result_that_cannot_be_read_ends_the_visit_in_words(tmp_path: Path) -> None:
    with deferring(tmp_path) as there:
        there.ask()
        body = result(there)
        body.remove(body.find("{urn:hl7-org:v3}controlActProcess"))  # type: ignore[arg-type]
        assert said(bring(there, body)) == (True, None)
        there.work()
        assert (there.row.outcome, there.row.detail) == (
            "failed",
            "controlActProcess is missing",
        )
        assert calls(there.house)[-1].outcome == "failed"
        assert_sound(there.house)
