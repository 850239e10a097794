"""We submit a member's documents to another gateway, over a real socket."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from gateway.app.house import House, open_client
from gateway.clients.failures import PartnerFailed
from gateway.exchange.jobs import perform
from gateway.exchange.submitting import NotSubmitted, SubmitMeans, Submitted, submit
from gateway.model.document import Document
from gateway.model.exchange import Exchange
from gateway.model.identity import DocumentId
from gateway.model.job import Job
from gateway.model.partner import Endpoints, Partner
from gateway.model.retrieval import Requester
from gateway.model.submission import SUBMIT, Submission
from gateway.store import members, partners, policy_rules
from gateway.store.documents import list_page
from gateway.store.job_queue import PermanentFailure
from gateway.store.values import dump
from ihe.registry_response import (
    ErrorCode,
    RegistryError,
    RegistryResponse,
    ResponseStatus,
    write_registry_response,
)
from ihe.soap import ITI_41_ANSWER
from tests.gateway import house as lakeshore
from tests.gateway.clients import asking_house as acme
from tests.gateway.clients.scripted_partner import Heard, Reply, scripted
from tests.gateway.exchange.atna_told import PROCESS, kept, told
from tests.gateway.submitting import a_take_rule

MEMBER = lakeshore.MEMBER


@dataclass(slots=True)
class Pair:
    """Our house, which submits, and the plan's gateway, which takes."""

    ours: House
    theirs: House
    partner: Partner

    def send(self, **changes: Any) -> Submitted:
        return send(self.ours, an_order(self.partner, **changes))

    @property
    def arrived(self) -> list[Document]:
        found = self.theirs.database.read(lambda tx: list_page(tx, plan=acme.PLAN))
        return [one for one in found if one.source.door == "ITI-41"]


def an_order(partner: Partner, **changes: Any) -> Submission:
    given = Submission(
        id=str(uuid4()),
        plan=lakeshore.PLAN,
        member=MEMBER.id,
        partner=partner.id,
        purpose="PAYMENT",
        requester=Requester("Nora Nurse", "care manager", "urn:oid:2.999.9"),
        created=datetime.now(UTC),
    )
    return replace(given, **changes)


def send(house: House, given: Submission) -> Submitted:
    async def sent() -> Submitted:
        client = open_client(house)
        try:
            means = SubmitMeans(house.archive, client, house.community, house.plans)
            return await submit(means, given, now=datetime.now(UTC))
        finally:
            await client.close()

    return asyncio.run(sent())


def of(house: House) -> list[Exchange]:
    return [one for one in lakeshore.records(house) if one.transaction in ("ITI-41", "ITI-80")]


@contextmanager
def a_pair(folder: Path, *, iti80: bool = False, **rule: Any) -> Iterator[Pair]:
    us = lakeshore.a_partner(lakeshore.US, str(lakeshore.HOME))
    with (
        acme.asking_house(folder / "theirs", [us]) as theirs,
        lakeshore.serving(theirs) as door,
    ):
        theirs.database.write(lambda tx: policy_rules.put(tx, a_take_rule(plan=acme.PLAN)))
        address = f"https://localhost:{door.port}/ihe/xdr"
        endpoints = Endpoints(iti80=address) if iti80 else Endpoints(iti41=address)
        partner = lakeshore.a_partner(acme.NAME, acme.HOME, endpoints=endpoints)
        rules = [lakeshore.a_rule(partner, **rule)]
        with lakeshore.open_house(folder / "ours", rules=rules, known=[partner]) as ours:
            yield Pair(ours, theirs, partner)


@pytest.fixture(scope="module")
def sent(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Pair, Submitted]]:
    with a_pair(tmp_path_factory.mktemp("pair")) as pair:
        yield pair, pair.send()


def test_all_current_documents_that_the_rule_gives_arrive_byte_for_byte(
    sent: tuple[Pair, Submitted],
) -> None:
    pair, done = sent
    assert done.outcome == "success" and len(done.documents) > 1
    ours = {one.document.blob.sha256 for one in done.documents}
    assert {one.blob.sha256 for one in pair.arrived} == ours
    assert {one.member for one in pair.arrived if one.state == "filed"} == {acme.MEMBER.id}
    assert all(one.document.superseded_by is None for one in done.documents)


def test_one_record_on_each_side_says_who_why_and_what(sent: tuple[Pair, Submitted]) -> None:
    pair, done = sent
    (ours,), (theirs,) = of(pair.ours), of(pair.theirs)
    assert (ours.direction, theirs.direction) == ("out", "in")
    assert ours.documents == tuple(one.document.id for one in done.documents)
    assert theirs.documents == tuple(one.id for one in pair.arrived)
    for record in (ours, theirs):
        assert (record.transaction, record.outcome) == ("ITI-41", "success")
        assert (record.person, record.purpose) == ("Nora Nurse", "PAYMENT")
        assert record.request_hash and record.answer_hash
    assert ours.message_id == theirs.message_id


def test_atna_hears_of_an_export_of_which_we_are_the_source(sent: tuple[Pair, Submitted]) -> None:
    pair, _ = sent
    (event,) = told(pair.ours, of(pair.ours)[0])
    assert event.event == ("110106", "R", "ITI-41", "0")
    assert event.patients == [f"{MEMBER.id}^^^&{lakeshore.HOME}.1&ISO"]
    assert event.participant("110153")["AlternativeUserID"] == PROCESS
    assert event.participant("110152")["UserID"] == pair.partner.endpoints.iti41


def test_sent_again_nothing_is_doubled(tmp_path: Path) -> None:
    with a_pair(tmp_path) as pair:
        order = an_order(pair.partner)
        first, second = send(pair.ours, order), send(pair.ours, order)
        assert first.outcome == second.outcome == "success"
        assert len(pair.arrived) == len(first.documents)
        envelopes = [one.reason for one in of(pair.theirs)]
        assert envelopes[1] == f"{len(first.documents)} had come before"


def test_a_gateway_gets_iti_80_with_its_home_community(tmp_path: Path) -> None:
    with a_pair(tmp_path, iti80=True) as pair:
        assert pair.send().outcome == "success"
        assert [one.transaction for one in of(pair.ours)] == ["ITI-80"]
        assert [one.outcome for one in of(pair.theirs)] == ["success"]


def test_what_a_newer_version_replaces_is_said_to_who_has_the_older(tmp_path: Path) -> None:
    with a_pair(tmp_path) as pair:
        held = lakeshore.documents(pair.ours)
        (older,) = [one for one in held if one.superseded_by is not None]
        assert older.superseded_by is not None
        assert pair.send(documents=(older.id,)).outcome == "success"
        assert pair.send(documents=(older.superseded_by,)).outcome == "success"
        first, second = pair.arrived
        assert (first.superseded_by, second.superseded_by) == (second.id, None)
        request = of(pair.ours)[-1].request_hash
        assert request is not None
        assert b"AssociationType:RPLC" in (kept(pair.ours, request) or b"")


# ---- what may not leave ----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"purpose": "OPERATIONS"}, "no rule gives this partner any document"),
        ({"summary": True}, "no rule gives this partner the member's summary"),
        ({"documents": (DocumentId("x"),)}, "no rule gives this partner one of the documents"),
        ({"purpose": "TREATMENT"}, "treatment"),
    ],
)
def test_what_no_rule_gives_does_not_leave(
    sent: tuple[Pair, Submitted], changes: dict[str, Any], reason: str
) -> None:
    pair, _ = sent
    before = len(of(pair.ours))
    with pytest.raises(NotSubmitted, match=reason):
        pair.send(**changes)
    assert len(of(pair.ours)) == before


def test_of_a_member_who_opted_out_nothing_leaves(tmp_path: Path) -> None:
    with a_pair(tmp_path) as pair:
        out = replace(MEMBER, opted_out=True)
        pair.ours.database.write(lambda tx: members.put(tx, out))
        pair.ours.database.write(
            lambda tx: members.set_opted_out(tx, plan=out.plan, member=out.id, opted_out=True)
        )
        with pytest.raises(NotSubmitted, match="opted out"):
            pair.send()


def test_a_partner_without_an_address_for_it_is_said(tmp_path: Path) -> None:
    partner = lakeshore.a_partner(acme.NAME, acme.HOME)
    rules = [lakeshore.a_rule(partner)]
    with (
        lakeshore.open_house(tmp_path, rules=rules, known=[partner]) as ours,
        pytest.raises(NotSubmitted, match="takes no submissions"),
    ):
        send(ours, an_order(partner))


def test_a_partner_that_has_left_its_network_gets_nothing(tmp_path: Path) -> None:
    with a_pair(tmp_path) as pair:
        gone = replace(pair.partner, profile=replace(pair.partner.profile, retired=True))
        pair.ours.database.write(lambda tx: partners.put(tx, gone))
        with pytest.raises(NotSubmitted, match="it has left its network"):
            pair.send()
        assert of(pair.ours) == []


# ---- what the partner answers ----------------------------------------------------------------


@contextmanager
def answering(folder: Path, answer: Any) -> Iterator[tuple[House, Partner, list[str]]]:
    with scripted(ITI_41=answer) as other:
        base = (other.partner.endpoints.iti55 or "").rpartition("/")[0]
        partner = replace(other.partner, endpoints=Endpoints(iti41=f"{base}/ITI_41"))
        rules = [lakeshore.a_rule(partner)]
        with lakeshore.open_house(folder, rules=rules, known=[partner]) as ours:
            yield ours, partner, other.heard


def responded(code: ErrorCode) -> Any:
    def answer(heard: Heard) -> Reply:
        error = RegistryError(code, "said by the partner")
        body = write_registry_response(RegistryResponse(ResponseStatus.FAILURE, (error,)))
        return Reply(heard.seal(body, ITI_41_ANSWER))

    return answer


def test_a_failure_by_name_is_a_refusal_with_plain_words(tmp_path: Path) -> None:
    answer = responded(ErrorCode.REPOSITORY_METADATA_ERROR)
    with answering(tmp_path, answer) as (ours, partner, heard):
        done = send(ours, an_order(partner))
        assert done.outcome == "refused" and "XDSRepositoryMetadataError" in (done.reason or "")
        assert heard == ["ITI_41"]
        (record,) = of(ours)
        assert (record.outcome, record.documents != ()) == ("refused", True)


def test_a_busy_partner_is_asked_again_by_the_queue_alone(tmp_path: Path) -> None:
    with answering(tmp_path, responded(ErrorCode.REPOSITORY_BUSY)) as (ours, partner, heard):
        with pytest.raises(PartnerFailed, match="too busy"):
            send(ours, an_order(partner))
        assert heard == ["ITI_41"] and [one.outcome for one in of(ours)] == ["failed"]


def test_an_empty_answer_is_sent_again_with_the_same_ids(tmp_path: Path) -> None:
    said: list[bytes] = []

    def answer(heard: Heard) -> Reply:
        said.append(heard.envelope)
        if len(said) == 1:
            return Reply(b"")
        body = write_registry_response(RegistryResponse(ResponseStatus.SUCCESS))
        return Reply(heard.seal(body, ITI_41_ANSWER))

    with answering(tmp_path, answer) as (ours, partner, _):
        assert send(ours, an_order(partner)).outcome == "success"
        assert [one.outcome for one in of(ours)] == ["failed", "success"]
        assert len({one.message_id for one in of(ours)}) == 2
    first, second = (
        one.partition(b"<rim:RegistryObjectList")[2].partition(b"Body>")[0] for one in said
    )
    assert first and first == second


# ---- as a job --------------------------------------------------------------------------------


def test_a_job_that_is_done_twice_sends_once(tmp_path: Path) -> None:
    with a_pair(tmp_path) as pair:
        order = an_order(pair.partner)

        async def twice() -> None:
            client = open_client(pair.ours)
            means = acme.job_means(pair.ours, client)
            job = Job(1, SUBMIT, order.plan, {"submission": dump(order)}, 1, datetime.now(UTC))
            try:
                await perform(job, means)
                await perform(job, means)
            finally:
                await client.close()

        asyncio.run(twice())
        assert [one.outcome for one in of(pair.ours)] == ["success"]


def test_what_may_not_leave_when_its_time_comes_is_on_record_as_refused(tmp_path: Path) -> None:
    partner = lakeshore.a_partner(acme.NAME, acme.HOME, endpoints=Endpoints(iti41="https://a.test"))
    with lakeshore.open_house(tmp_path, known=[partner]) as ours:
        order = an_order(partner, documents=(DocumentId("d-1"),))

        async def once() -> None:
            client = open_client(ours)
            job = Job(1, SUBMIT, order.plan, {"submission": dump(order)}, 1, datetime.now(UTC))
            try:
                await perform(job, acme.job_means(ours, client))
            finally:
                await client.close()

        with pytest.raises(PermanentFailure, match="no rule gives"):
            asyncio.run(once())
        (record,) = lakeshore.records(ours)
    assert (record.transaction, record.outcome) == ("SUBMISSION", "refused")
    assert "no rule gives" in (record.reason or "")
    assert (record.plan, record.member, record.partner) == (order.plan, order.member, partner.id)
    assert (record.person, record.purpose) == (order.requester.person, order.purpose)
    assert (record.documents, record.conversation) == (order.documents, order.id)


# ---- given up --------------------------------------------------------------------------------


def do(house: House, order: Submission, **changes: Any) -> None:
    """The job of the order, once."""
    job = Job(1, SUBMIT, order.plan, {"submission": dump(order)}, 1, datetime.now(UTC))

    async def once() -> None:
        client = open_client(house)
        try:
            await perform(replace(job, **changes), acme.job_means(house, client))
        finally:
            await client.close()

    asyncio.run(once())


def ends(house: House) -> list[tuple[str, str, str | None]]:
    return [(one.transaction, one.outcome, one.reason) for one in lakeshore.records(house)]


def test_one_whose_process_died_at_the_last_attempt_leaves_no_more_and_says_so(
    tmp_path: Path,
) -> None:
    with a_pair(tmp_path) as pair:
        order = an_order(pair.partner, documents=(DocumentId("d-1"),))
        for _ in range(2):  # whoever gives it up may die too
            do(pair.ours, order, is_worn_out=True)
        assert pair.arrived == []
        (record,) = lakeshore.records(pair.ours)
    assert (record.transaction, record.outcome) == ("SUBMISSION-GIVEN-UP", "unknown")
    assert record.reason == "the submission was given up: its process died at the last attempt"
    assert (record.plan, record.member) == (order.plan, order.member)
    assert (record.partner, record.conversation) == (order.partner, order.id)
    assert (record.documents, record.purpose) == (order.documents, order.purpose)


def test_one_that_was_answered_before_its_process_died_is_not_given_up(tmp_path: Path) -> None:
    with a_pair(tmp_path) as pair:
        order = an_order(pair.partner)
        assert send(pair.ours, order).outcome == "success"
        do(pair.ours, order, is_worn_out=True)
        assert [transaction for transaction, _, _ in ends(pair.ours)] == ["ITI-41"]


def test_the_last_attempt_that_fails_is_followed_by_the_end(tmp_path: Path) -> None:
    with answering(tmp_path, responded(ErrorCode.REPOSITORY_BUSY)) as (ours, partner, _):
        order = an_order(partner)
        for left in (1, 0):
            with pytest.raises(PartnerFailed):
                do(ours, order, attempts_left=left)
        (_, first, why), (_, second, _), end = ends(ours)
    assert (first, second) == ("failed", "failed")
    assert end == ("SUBMISSION-GIVEN-UP", "failed", f"the submission was given up: {why}")


def test_one_that_may_not_leave_has_ended_with_its_refusal(tmp_path: Path) -> None:
    partner = lakeshore.a_partner(acme.NAME, acme.HOME, endpoints=Endpoints(iti41="https://a.test"))
    with lakeshore.open_house(tmp_path, known=[partner]) as ours:
        with pytest.raises(PermanentFailure, match="no rule gives"):
            do(ours, an_order(partner))
        assert [transaction for transaction, _, _ in ends(ours)] == ["SUBMISSION"]


def test_a_partner_that_is_gone_is_said(tmp_path: Path) -> None:
    with a_pair(tmp_path) as pair:
        partner = pair.partner
        pair.ours.database.write(
            lambda tx: partners.remove(tx, plan=lakeshore.PLAN, partner=partner.id)
        )
        with pytest.raises(NotSubmitted, match="not there"):
            pair.send()
