"""A deferred result on its way to who has asked: tried again, taken once, given up in words."""

import asyncio
from collections.abc import Callable, Iterator
from contextlib import AsyncExitStack, contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from ccda.hl7v3 import II, TS
from gateway.app.house import open_client
from gateway.clients import restraint
from gateway.exchange.jobs import perform
from gateway.model.exchange import Exchange
from gateway.model.job import Job
from gateway.model.later import BRING_RESULT, OwedAnswer
from gateway.settings import Limits
from gateway.store import owed_answers, partners
from gateway.store.job_port import PutOff
from gateway.store.job_queue import PermanentFailure
from gateway.store.scope import ALL_PLANS
from gateway.store.values import load
from ihe.acknowledgement import (
    DUPLICATE_KEY,
    UNKNOWN_KEY,
    Acknowledgement,
    read_acknowledgement,
    write_acknowledgement,
)
from ihe.correlation import read_time_to_live
from ihe.discovery import Matched
from ihe.saml import read_assertion
from ihe.soap import ITI_55_ACKNOWLEDGEMENT, parse_envelope, read_envelope
from ihe.xcpd import read_answered, read_discovery_response
from tests.gateway import house as lakeshore
from tests.gateway.asking import discovery
from tests.gateway.clients.asking_house import assert_sound, job_means
from tests.gateway.clients.scripted_partner import HOME, Heard, Reply, scripted
from tests.gateway.clients.test_misbehaving_partners import fault
from tests.gateway.exchange.atna_told import PROCESS, told
from tests.gateway.house import MEMBER, records
from tests.gateway.visiting import Visitor, visiting


@dataclass(slots=True)
class Place:
    """Our house after a deferred question; the asker answers results as `replies` say in turn."""

    visitor: Visitor
    heard: list[Heard] = field(default_factory=list)
    replies: list[Callable[[Heard], Reply]] = field(default_factory=list)

    @property
    def owed(self) -> OwedAnswer | None:
        found = lakeshore.rows_of(self.visitor.house, "owed_answer")
        return load(OwedAnswer, found[0]["answer"]) if found else None

    @property
    def lines(self) -> list[tuple[str, str, str, str | None]]:
        """After the question's own record."""
        return [(one.direction, one.transaction, one.outcome, one.reason) for one in self.records]

    @property
    def records(self) -> list[Exchange]:
        found = [one for one in records(self.visitor.house) if one.transaction.startswith("ITI")]
        return found[1:]

    def bring(self, attempts_left: int = 9) -> None:
        owed, house = self.owed, self.visitor.house
        assert owed is not None

        async def once() -> None:
            client = open_client(house)
            try:
                job = Job(
                    1, BRING_RESULT, owed.plan, {"answer": owed.id}, 1, datetime.now(UTC),
                    attempts_left=attempts_left,
                )  # fmt: skip
                await perform(job, job_means(house, client))
            finally:
                await client.close()

        asyncio.run(once())


def taken(heard: Heard, **changes: Any) -> Reply:
    message_id, _ = read_answered(heard.body)
    said = Acknowledgement(
        II(f"{HOME}.9", "ack"), TS("20260101000000+0000"), HOME, lakeshore.HOME, message_id
    )
    body = write_acknowledgement(replace(said, **changes))
    return Reply(heard.seal(body, ITI_55_ACKNOWLEDGEMENT))


def away(_heard: Heard) -> Reply:
    return Reply(b"busy", "text/plain", 503)


@contextmanager
def place(folder: Path, *replies: Callable[[Heard], Reply], **changes: Any) -> Iterator[Place]:
    heard: list[Heard] = []
    answers = list(replies)

    def answer(result: Heard) -> Reply:
        heard.append(result)
        return answers.pop(0)(result)

    with scripted(RESULT=answer) as script:
        address = (script.partner.endpoints.iti55 or "").replace("ITI_55", "RESULT")
        endpoints = replace(script.partner.endpoints, replies=(address,))
        partner = replace(script.partner, endpoints=endpoints)
        rules = [lakeshore.a_rule(partner)]
        with visiting(folder, rules=rules, partner=partner, **changes) as visitor:
            body = visitor.say(discovery(deferred=True, respond_to=address))
            assert read_acknowledgement(body).accepted
            yield Place(visitor, heard, answers)


def test_the_result_is_a_signed_message_of_our_own_with_the_members_id(tmp_path: Path) -> None:
    with place(tmp_path, taken) as there:
        there.bring()
        envelope = read_envelope(parse_envelope(there.heard[0].envelope))
        assert envelope.addressing.action == (
            "urn:hl7-org:v3:PRPA_IN201306UV02:Deferred:CrossGatewayPatientDiscovery"
        )
        found = read_discovery_response(envelope.payload).discovery
        assert isinstance(found, Matched)
        assert [one.patient_id.id for one in found.matches] == [MEMBER.id]
        assertion = read_assertion(
            envelope.header.find(".//{urn:oasis:names:tc:SAML:2.0:assertion}Assertion")  # type: ignore[arg-type]
        )
        assert assertion.subject == lakeshore.ORGANIZATION
        assert assertion.role is not None
        assert (assertion.role.code, assertion.role.system) == ("responding gateway", None)
        assert assertion.purpose_of_use is not None and assertion.purpose_of_use.code == "PAYMENT"
        assert there.lines == [
            ("in", "ITI-55", "success", "judged: match (96)"),
            ("out", "ITI-55-DEFERRED", "success", None),
        ]
        assert there.owed is None
        assert_sound(there.visitor.house)


@pytest.mark.parametrize("days", [0, 7])
def test_for_how_long_the_result_may_be_used_is_said_with_it(tmp_path: Path, days: int) -> None:
    with place(tmp_path, taken, limits=Limits(correlation_days=days)) as there:
        there.bring()
        header = read_envelope(parse_envelope(there.heard[0].envelope)).header
        assert read_time_to_live(header) == (timedelta(days=days) or None)


def test_what_is_told_is_recorded_once_however_often_it_is_brought(tmp_path: Path) -> None:
    with place(tmp_path, away, taken) as there:
        with pytest.raises(Exception, match="busy or away"):
            there.bring()
        first = there.owed
        assert first is not None
        there.bring()
        busy = "it answered HTTP 503: it is busy or away"
        assert there.lines == [
            ("in", "ITI-55", "success", "judged: match (96)"),
            ("out", "ITI-55-DEFERRED", "failed", busy),
            ("out", "ITI-55-DEFERRED", "success", None),
        ]
        assert there.heard[0].envelope != there.heard[1].envelope  # signed anew
        ids = {read_answered(one.body) for one in there.heard}
        assert len(ids) == 1  # and the same message to whoever has it already
        assert there.records[0].answer_hash == there.records[1].request_hash
        assert_sound(there.visitor.house)


def test_an_asker_that_is_slow_with_other_answers_gets_it_later(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(restraint, "IN_LINE_SECONDS", 0.0)
    with place(tmp_path, taken) as there:
        owed, house = there.owed, there.visitor.house
        assert owed is not None
        partner = house.database.read(
            lambda tx: partners.get(tx, plan=ALL_PLANS, partner=owed.partner)
        )
        assert partner is not None
        job = Job(1, BRING_RESULT, owed.plan, {"answer": owed.id}, 1, datetime.now(UTC))

        async def twice() -> None:
            client = open_client(house)
            means = job_means(house, client)
            async with AsyncExitStack() as others:
                for _ in range(partner.profile.members_at_once):
                    await others.enter_async_context(client.restraint.answering(partner))
                with pytest.raises(PutOff):
                    await perform(job, means)
                assert there.lines == []  # nobody has given it up, though it was the last attempt
            await perform(job, means)
            await client.close()

        asyncio.run(twice())
        assert (len(there.heard), there.owed) == (1, None)


def test_who_has_it_already_has_it(tmp_path: Path) -> None:
    again = lambda heard: taken(heard, accepted=False, problem=DUPLICATE_KEY)  # noqa: E731
    with place(tmp_path, again) as there:
        there.bring()
        assert there.lines[-1][2:] == ("success", "it had the result already")
        assert there.owed is None


@pytest.mark.parametrize(
    ("reply", "outcome", "reason"),
    [
        (
            lambda heard: taken(heard, accepted=False, problem=UNKNOWN_KEY),
            "failed",
            "it did not take the result (KEY204)",
        ),
        (
            lambda _: Reply(fault("Sender"), status=400),
            "refused",
            "it answered with a SOAP fault (Sender)",
        ),
    ],
)
def test_a_result_that_is_refused_is_not_brought_again(
    reply: Callable[[Heard], Reply], outcome: str, reason: str, tmp_path: Path
) -> None:
    with place(tmp_path, reply) as there:
        with pytest.raises(PermanentFailure):
            there.bring()
        assert there.lines[1:] == [
            ("out", "ITI-55-DEFERRED", outcome, reason),
            ("in", "ITI-55", "failed", f"the answer was not delivered: {reason}"),
        ]
        assert there.owed is None
        assert_sound(there.visitor.house)


def test_it_is_given_up_after_a_day_and_never_leaves(tmp_path: Path) -> None:
    with place(tmp_path) as there:
        owed = there.owed
        assert owed is not None
        old = replace(owed, created=owed.created - timedelta(days=1, minutes=1))
        there.visitor.house.database.write(lambda tx: owed_answers.change(tx, old))
        with pytest.raises(PermanentFailure, match="within 1 day"):
            there.bring()
        assert there.heard == []
        reason = "the answer was not delivered: it could not be brought within 1 day"
        assert there.lines == [("in", "ITI-55", "failed", reason)]


def test_each_half_is_told_as_a_query_with_whom_the_result_names(tmp_path: Path) -> None:
    with place(tmp_path, taken) as there:
        there.bring()
        house = there.visitor.house
        named = MEMBER.id.encode()
        question = next(one for one in records(house) if one.transaction == "ITI-55-DEFERRED")
        whole, brought = there.records
        for record, is_named in ((question, False), (whole, True), (brought, True)):
            (event,) = told(house, record)
            assert event.event == ("110112", "E", "ITI-55", "0")
            ids = [one.get("ParticipantObjectID", "") for one in event.message.iter()]
            assert any(named.decode() in one for one in ids) is is_named
            # We were asked, whoever sent the message: our process is the destination of the query.
            assert event.participant("110152")["AlternativeUserID"] == PROCESS
