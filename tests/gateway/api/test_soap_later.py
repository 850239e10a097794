"""We answer later: 202, and the answer to the ReplyTo, if it is one that the partner registered."""

import asyncio
from collections.abc import Callable, Iterator
from contextlib import AsyncExitStack, contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text

from ccda.safe_xml import Element
from gateway.app.house import House, open_client
from gateway.clients import restraint
from gateway.exchange.disclosures import account
from gateway.exchange.jobs import perform
from gateway.exchange.withdrawing import withdraw
from gateway.model.exchange import Exchange
from gateway.model.partner import Endpoints
from gateway.settings import Limits
from gateway.store import members, owed_answers, partners, policy_rules
from gateway.store.database import Transaction
from gateway.store.scope import ALL_PLANS
from ihe.mtom import MultipartReader, PartData, is_multipart
from ihe.soap import (
    ANONYMOUS,
    ITI_38_REQUEST,
    ITI_39_REQUEST,
    ITI_55_REQUEST,
    NOBODY,
    MessageKind,
)
from ihe.wire import SealedRequest
from ihe.xca_query import read_adhoc_query_response
from ihe.xca_retrieve import DocumentRequest, read_retrieve_response
from ihe.xcpd import Matched, read_discovery_response
from tests.gateway import house as lakeshore
from tests.gateway.asking import (
    REPOSITORY,
    SOAP,
    answer_to,
    ask,
    discovery,
    fault_of,
    find_documents,
    retrieve,
)
from tests.gateway.clients.asking_house import job_means, work_off
from tests.gateway.clients.scripted_partner import Heard, Reply, Script, scripted
from tests.gateway.clients.test_misbehaving_partners import fault
from tests.gateway.exchange.atna_told import kept
from tests.gateway.house import Door, documents, records

DOORS: dict[MessageKind, str] = {
    ITI_55_REQUEST: "/ihe/xcpd",
    ITI_38_REQUEST: "/ihe/xca",
    ITI_39_REQUEST: "/ihe/xca",
}


@dataclass(slots=True)
class Asker:
    """Northfield, that asks us and takes answers at its own doors."""

    house: House
    door: Door
    script: Script
    delivered: list[bytes]

    @property
    def address(self) -> str:
        """The one that is registered."""
        assert self.script.partner.endpoints.iti55 is not None
        return self.script.partner.endpoints.iti55

    def ask(
        self, body: Element, kind: MessageKind, reply_to: str | None = None, **changes: Any
    ) -> tuple[SealedRequest, lakeshore.Reply]:
        address = reply_to or self.address
        sealed = ask(body, kind, partner=self.script.partner, reply_to=address, **changes)
        return sealed, self.door.post(DOORS[kind], sealed.envelope)

    def work(self) -> None:
        asyncio.run(work_off(self.house))

    def records(self) -> list[Exchange]:
        return [one for one in records(self.house) if one.direction == "in"]

    def jobs(self) -> list[tuple[str, str, int]]:
        rows = lakeshore.rows_of(self.house, "job")
        return [(one["kind"], one["state"], one["attempt"]) for one in rows]


@contextmanager
def asker(
    folder: Path,
    answer: Callable[[Heard], Reply] | None = None,
    *,
    on_demand: bool = False,
    **changes: Any,
) -> Iterator[Asker]:
    delivered: list[bytes] = []

    def take(heard: Heard) -> Reply:
        delivered.append(heard.envelope)
        return answer(heard) if answer else Reply(b"", status=202)

    with scripted(ITI_55=take, ITI_38=take, ITI_39=take) as script:
        rules = [lakeshore.a_rule(script.partner, on_demand=on_demand)]
        known = [script.partner]
        with (
            lakeshore.open_house(folder, rules=rules, known=known, **changes) as house,
            lakeshore.serving(house) as door,
        ):
            yield Asker(house, door, script, delivered)


def test_an_answer_is_brought_signed_to_the_registered_address(tmp_path: Path) -> None:
    with asker(tmp_path) as there:
        sealed, reply = there.ask(discovery(), ITI_55_REQUEST)
        assert (reply.status, reply.body) == (202, b"")
        (record,) = there.records()  # before the first byte of the answer
        assert (record.outcome, record.message_id) == ("success", sealed.message_id)
        assert there.delivered == []
        there.work()
        (envelope,) = there.delivered
        found = read_discovery_response(answer_to(sealed, envelope)).discovery
        assert isinstance(found, Matched)
        assert there.address.encode() in envelope
        assert lakeshore.rows_of(there.house, "owed_answer") == []
        assert there.records() == [record]


def test_a_query_and_documents_are_answered_later_as_well(tmp_path: Path) -> None:
    with asker(tmp_path) as there:
        sealed, _ = there.ask(find_documents(), ITI_38_REQUEST)
        there.work()
        listed = read_adhoc_query_response(answer_to(sealed, there.delivered[0]))
        assert len(listed.entries) == 3
        document = next(
            one
            for one in documents(there.house)
            if one.type_code == "34133-9"
            and one.source.door == "FILE"
            and one.custodian == lakeshore.ORGANIZATION
        )
        sealed, reply = there.ask(retrieve(document), ITI_39_REQUEST)
        assert reply.status == 202
        there.work()
        given = read_retrieve_response(answer_to(sealed, there.delivered[1]))
        assert len(given.documents) == 1


def test_documents_go_out_as_attachments_to_the_byte(tmp_path: Path) -> None:
    with asker(tmp_path) as there:
        document = next(
            one for one in documents(there.house) if one.custodian == lakeshore.ORGANIZATION
        )
        there.ask(retrieve(document), ITI_39_REQUEST)
        there.work()
        ((content_type, content),) = there.script.packages
        assert is_multipart(content_type)
        reader = MultipartReader(content_type)
        data = b"".join(
            event.content for event in reader.feed(content) if isinstance(event, PartData)
        )
        assert data == there.house.archive.load(document.plan, document.blob)


@pytest.mark.parametrize(
    "address",
    [
        "https://localhost:1/ihe/xcpd",
        "http://169.254.169.254/latest/meta-data",
        "http://www.w3.org/2005/08/addressing/none",
        "file:///etc/passwd",
    ],
)
def test_an_address_that_is_not_registered_is_a_fault_and_is_never_called(
    address: str, tmp_path: Path
) -> None:
    with asker(tmp_path) as there:
        sealed, reply = there.ask(discovery(), ITI_55_REQUEST, address)
        assert reply.status == 400
        said = fault_of(reply)
        assert said.subcode == "wsa:InvalidAddressingHeader"
        assert said.sentence == "The reply address is not registered for this community."
        assert said.relates_to == sealed.message_id
        (record,) = there.records()
        assert (record.outcome, record.reason) == ("refused", said.sentence)
        assert lakeshore.rows_of(there.house, "owed_answer") == []
        assert there.jobs() == []


def test_an_address_beside_the_registered_one_is_not_registered(tmp_path: Path) -> None:
    with asker(tmp_path) as there:
        _, reply = there.ask(discovery(), ITI_55_REQUEST, f"{there.address}/../admin")
        assert reply.status == 400
        assert there.jobs() == []


def test_a_request_that_comes_twice_is_answered_once(tmp_path: Path) -> None:
    with asker(tmp_path) as there:
        sealed, _ = there.ask(discovery(), ITI_55_REQUEST)
        again = there.door.post("/ihe/xcpd", sealed.envelope)
        assert again.status == 400
        there.work()
        assert len(there.delivered) == 1


def test_a_partner_that_is_slow_with_other_answers_gets_this_one_later(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(restraint, "IN_LINE_SECONDS", 0.0)
    with asker(tmp_path) as there:
        there.ask(discovery(), ITI_55_REQUEST)
        partner = there.script.partner

        async def work_while_it_is_busy() -> None:
            client = open_client(there.house)
            means = job_means(there.house, client)
            async with AsyncExitStack() as others:
                for _ in range(partner.profile.members_at_once):
                    await others.enter_async_context(client.restraint.answering(partner))
                await there.house.queue.work(lambda job: perform(job, means), until_idle=True)
            await client.close()

        asyncio.run(work_while_it_is_busy())
        assert there.delivered == []
        assert there.jobs() == [("deliver", "waiting", 0)]


def test_an_answer_that_is_not_taken_is_brought_again_and_not_computed_again(
    tmp_path: Path,
) -> None:
    replies = iter([Reply(b"busy", "text/plain", 503), Reply(b"", status=202)])
    with asker(tmp_path, lambda _heard: next(replies)) as there:
        sealed, _ = there.ask(discovery(), ITI_55_REQUEST)
        there.work()
        assert there.jobs() == [("deliver", "waiting", 1)]
        assert len(lakeshore.rows_of(there.house, "owed_answer")) == 1
        _now(there.house)
        there.work()
        assert there.jobs() == [("deliver", "done", 2)]
        first, second = (answer_to(sealed, envelope) for envelope in there.delivered)
        assert [one.get("extension") for one in first.iterfind("{*}id")] == [
            one.get("extension") for one in second.iterfind("{*}id")
        ]
        assert len(there.records()) == 1


def test_an_answer_that_is_refused_for_good_has_a_second_record(tmp_path: Path) -> None:
    with asker(tmp_path, lambda _heard: Reply(fault("Sender"), status=400)) as there:
        sealed, _ = there.ask(discovery(), ITI_55_REQUEST)
        there.work()
        first, second = there.records()
        assert first.message_id == second.message_id == sealed.message_id
        assert (first.outcome, second.outcome) == ("success", "failed")
        reason = "the answer was not delivered: it answered with a SOAP fault (Sender)"
        assert second.reason == reason
        assert second.member == first.member
        assert lakeshore.rows_of(there.house, "owed_answer") == []


def test_who_opts_out_before_the_answer_leaves_is_told_of_no_more(tmp_path: Path) -> None:
    with asker(tmp_path) as there:
        there.ask(discovery(), ITI_55_REQUEST)
        there.ask(find_documents(), ITI_38_REQUEST)
        there.house.database.write(
            lambda tx: members.set_opted_out(
                tx, plan=lakeshore.PLAN, member=lakeshore.MEMBER.id, opted_out=True
            )
        )
        there.work()
        assert there.delivered == []
        assert [one.reason for one in there.records() if one.outcome == "failed"] == [
            "the answer was not delivered: the member has opted out of exchange since"
        ] * 2


def test_who_leaves_the_network_before_the_answer_leaves_gets_none(tmp_path: Path) -> None:
    with asker(tmp_path) as there:
        there.ask(discovery(), ITI_55_REQUEST)
        (known,) = there.house.database.read(lambda tx: partners.list_all(tx, plan=ALL_PLANS))
        gone = replace(known, profile=replace(known.profile, retired=True))
        there.house.database.write(lambda tx: partners.put(tx, gone))
        there.work()
        assert there.delivered == []
        assert [one.reason for one in there.records() if one.outcome == "failed"] == [
            "the answer was not delivered: it has left its network"
        ]


def test_a_document_that_is_unfiled_before_it_leaves_stays(tmp_path: Path) -> None:
    with asker(tmp_path) as there:
        document = next(
            one for one in documents(there.house) if one.custodian == lakeshore.ORGANIZATION
        )
        there.ask(retrieve(document), ITI_39_REQUEST)
        there.house.database.write(
            lambda tx: withdraw(tx, document, now=datetime.now(UTC), reason="another person's")
        )
        there.work()
        assert there.delivered == []
        assert [one.reason for one in there.records() if one.outcome == "failed"] == [
            "the answer was not delivered: a document that it tells of was withdrawn since"
        ]


NOT_OPEN = "a document that it tells of, or is made of, may not be given any more"


def a_summary_asked_for(there: Asker) -> None:
    """A member's summary that is made, and owed to the partner."""
    sealed, _ = there.ask(find_documents(entry_types=("on-demand",)), ITI_38_REQUEST)
    there.work()
    (entry,) = read_adhoc_query_response(answer_to(sealed, there.delivered[-1])).entries
    one = DocumentRequest(REPOSITORY, entry.unique_id, lakeshore.HOME)
    _, reply = there.ask(retrieve(one), ITI_39_REQUEST)
    assert reply.status == 202


def not_delivered(there: Asker, reason: str) -> None:
    """What was owed has stayed, for that reason."""
    before = len(there.delivered)
    there.work()
    assert len(there.delivered) == before
    last = there.records()[-1]
    assert (last.outcome, last.reason) == ("failed", f"the answer was not delivered: {reason}")


def test_a_summary_stays_once_a_document_it_was_made_of_is_unfiled(tmp_path: Path) -> None:
    with asker(tmp_path, on_demand=True) as there:
        a_summary_asked_for(there)
        source = next(
            one
            for one in documents(there.house)
            if one.type_code == "34133-9" and one.source.door == "FILE"
            and one.custodian == lakeshore.ORGANIZATION
        )  # fmt: skip
        there.house.database.write(
            lambda tx: withdraw(tx, source, now=datetime.now(UTC), reason="another person's")
        )
        not_delivered(
            there, "a document that it tells of, or is made of, may not be given any more"
        )


def test_a_summary_stays_once_its_rule_gives_less_than_is_in_it(tmp_path: Path) -> None:
    with asker(tmp_path, on_demand=True) as there:
        a_summary_asked_for(there)
        narrower = lakeshore.a_rule(there.script.partner, class_code="11506-3", on_demand=True)
        there.house.database.write(lambda tx: policy_rules.put(tx, narrower))
        not_delivered(
            there, "a document that it tells of, or is made of, may not be given any more"
        )


def test_nothing_leaves_once_its_rule_is_gone(tmp_path: Path) -> None:
    with asker(tmp_path) as there:
        there.ask(discovery(), ITI_55_REQUEST)
        there.house.database.write(
            lambda tx: policy_rules.remove(tx, plan=lakeshore.PLAN, name="a rule")
        )
        not_delivered(there, "no rule opens the plan to the partner any more")


def test_a_summary_whose_rule_still_stands_is_brought(tmp_path: Path) -> None:
    with asker(tmp_path, on_demand=True) as there:
        a_summary_asked_for(there)
        there.work()
        assert len(there.delivered) == 2
        assert {one.outcome for one in there.records()} == {"success"}


# ---- what is kept ----------------------------------------------------------------------------


@pytest.mark.parametrize("kind", [ITI_55_REQUEST, ITI_38_REQUEST, ITI_39_REQUEST])
def test_the_envelope_that_was_brought_is_kept_with_its_record(
    kind: MessageKind, tmp_path: Path
) -> None:
    with asker(tmp_path) as there:
        document = next(
            one for one in documents(there.house) if one.custodian == lakeshore.ORGANIZATION
        )
        bodies = {
            ITI_55_REQUEST: discovery(),
            ITI_38_REQUEST: find_documents(),
            ITI_39_REQUEST: retrieve(document),
        }
        sealed, _ = there.ask(bodies[kind], kind)
        there.work()
        (record,) = there.records()
        assert kept(there.house, record.request_hash) == sealed.envelope
        assert kept(there.house, record.answer_hash) == there.delivered[0]


@pytest.mark.parametrize("kind", [ITI_55_REQUEST, ITI_38_REQUEST, ITI_39_REQUEST])
def test_an_answer_that_is_sealed_anew_is_one_exchange_and_accounted_for_once(
    kind: MessageKind, tmp_path: Path
) -> None:
    with asker(tmp_path) as there:
        document = next(
            one for one in documents(there.house) if one.custodian == lakeshore.ORGANIZATION
        )
        bodies = {
            ITI_55_REQUEST: discovery(),
            ITI_38_REQUEST: find_documents(),
            ITI_39_REQUEST: retrieve(document),
        }
        sealed, _ = there.ask(bodies[kind], kind)
        (counted,) = disclosed(there.house)
        _grow_old(there.house)
        there.work()
        first, second = there.records()
        assert disclosed(there.house) == [counted]
        assert (first.transaction, first.outcome) == (kind.transaction, "success")
        assert first.member is not None
        assert (second.transaction, second.outcome) == ("ANSWER-SEALED-ANEW", "success")
        assert (second.member, second.documents) == (None, ())
        assert (second.plan, second.partner) == (first.plan, first.partner)
        assert (second.message_id, second.person) == (first.message_id, first.person)
        assert second.reason == f"the answer to {kind.transaction} was sealed anew to be brought"
        assert kept(there.house, second.answer_hash) == there.delivered[0]
        assert kept(there.house, first.answer_hash) != there.delivered[0]
        assert sealed.message_id.encode() in there.delivered[0]


def disclosed(house: House) -> list[int]:
    """By which records the member would be accounted to, and what excludes them aside."""
    (member,) = house.database.read(lambda tx: tuple(members.iter_all(tx, plan=lakeshore.PLAN)))
    keys, today = house.archive.blobs.keys, datetime.now(UTC).date()
    told = house.database.read(lambda tx: account(tx, keys, member=member, asked=today))
    return [one.sequence for one in (*told.listed, *told.excluded)]


def _grow_old(house: House) -> None:
    """What is owed was sealed long ago."""
    (row,) = lakeshore.rows_of(house, "owed_answer")

    def unit(transaction: Transaction) -> None:
        owed = owed_answers.get(transaction, owed=row["id"])
        assert owed is not None
        owed_answers.remove(transaction, owed=owed.id)
        owed_answers.put(transaction, replace(owed, created=owed.created - timedelta(minutes=6)))

    house.database.write(unit)


# ---- faults ----------------------------------------------------------------------------------


def as_reply(envelope: bytes) -> lakeshore.Reply:
    return lakeshore.Reply(400, {"content-type": SOAP}, envelope)


def test_a_fault_goes_to_where_its_sender_has_registered(tmp_path: Path) -> None:
    with asker(tmp_path) as there:
        sealed, reply = there.ask(
            discovery(), ITI_55_REQUEST, fault_to=there.address, purpose_of_use=None
        )
        assert (reply.status, reply.body) == (202, b"")
        (record,) = there.records()  # before the fault's first byte
        assert record.outcome == "refused"
        there.work()
        (envelope,) = there.delivered
        said = fault_of(as_reply(envelope))
        assert (said.code, said.relates_to) == ("soap:Sender", sealed.message_id)
        assert said.confirmed[0] == sealed.signature_values[0]
        assert kept(there.house, record.answer_hash) == envelope
        assert there.address.encode() in envelope
        assert there.records() == [record]
        assert lakeshore.rows_of(there.house, "owed_answer") == []


def test_a_fault_goes_to_where_the_answer_would_unless_another_place_is_named(
    tmp_path: Path,
) -> None:
    """WS-Addressing 1.0 Core: 3.4: without a FaultTo the ReplyTo is where faults go."""
    with asker(tmp_path) as there:
        sealed, reply = there.ask(discovery(), ITI_55_REQUEST, purpose_of_use=None)
        assert (reply.status, reply.body) == (202, b"")
        there.work()
        (envelope,) = there.delivered
        assert fault_of(as_reply(envelope)).relates_to == sealed.message_id
        assert [one.outcome for one in there.records()] == ["refused"]


def test_who_wants_to_hear_of_no_fault_has_its_answers_and_no_fault(tmp_path: Path) -> None:
    """WS-Addressing 1.0 Core: 2.1: what is sent to `none` is thrown away."""
    with asker(tmp_path) as there:
        _, reply = there.ask(discovery(), ITI_55_REQUEST, ANONYMOUS, fault_to=NOBODY)
        assert reply.status == 200
        _, reply = there.ask(
            discovery(), ITI_55_REQUEST, ANONYMOUS, fault_to=NOBODY, purpose_of_use=None
        )
        assert (reply.status, reply.body) == (202, b"")
        assert [one.outcome for one in there.records()] == ["success", "refused"]
        assert there.records()[-1].answer_hash is None
        assert there.jobs() == []


def test_a_message_that_came_before_is_refused_where_it_came_again(tmp_path: Path) -> None:
    """A fault at the ReplyTo would be taken for the answer to the first."""
    with asker(tmp_path) as there:
        sealed, _ = there.ask(discovery(), ITI_55_REQUEST)
        again = there.door.post("/ihe/xcpd", sealed.envelope)
        assert again.status == 400
        assert fault_of(again).subcode == "wsse:FailedCheck"
        there.work()
        assert len(there.delivered) == 1


def test_a_fault_goes_there_though_the_answer_would_come_back(tmp_path: Path) -> None:
    with asker(tmp_path) as there:
        _, reply = there.ask(
            discovery(),
            ITI_55_REQUEST,
            ANONYMOUS,
            fault_to=there.address,
            purpose_of_use=None,
        )
        assert reply.status == 202
        there.work()
        assert len(there.delivered) == 1


def test_a_fault_that_has_waited_is_sealed_anew(tmp_path: Path) -> None:
    with asker(tmp_path) as there:
        sealed, _ = there.ask(
            discovery(), ITI_55_REQUEST, fault_to=there.address, purpose_of_use=None
        )
        _grow_old(there.house)
        there.work()
        (envelope,) = there.delivered
        assert fault_of(as_reply(envelope)).relates_to == sealed.message_id
        assert kept(there.house, there.records()[-1].answer_hash) == envelope


@pytest.mark.parametrize("reply_to", [None, ANONYMOUS])
def test_a_fault_address_that_is_not_registered_is_a_fault_and_is_never_called(
    reply_to: str | None, tmp_path: Path
) -> None:
    with asker(tmp_path) as there:
        _, reply = there.ask(
            discovery(), ITI_55_REQUEST, reply_to, fault_to=f"{there.address}/elsewhere"
        )
        assert reply.status == 400
        said = fault_of(reply)
        assert said.subcode == "wsa:InvalidAddressingHeader"
        assert said.sentence == "The fault address is not registered for this community."
        assert there.jobs() == []


def test_an_anonymous_fault_address_is_the_connection(tmp_path: Path) -> None:
    with asker(tmp_path) as there:
        _, reply = there.ask(discovery(), ITI_55_REQUEST, fault_to=ANONYMOUS, purpose_of_use=None)
        assert reply.status == 400
        assert fault_of(reply)
        assert there.jobs() == []


# ---- what has changed ------------------------------------------------------------------------


def test_an_address_that_is_registered_no_more_is_not_called(tmp_path: Path) -> None:
    with asker(tmp_path) as there:
        there.ask(discovery(), ITI_55_REQUEST)
        moved = replace(there.script.partner, endpoints=Endpoints())
        there.house.database.write(lambda tx: partners.put(tx, moved))
        there.work()
        assert there.delivered == []
        assert there.records()[-1].reason == (
            "the answer was not delivered: its address is no longer registered for the partner"
        )


def _now(house: House) -> None:
    """The job's wait is over."""
    house.database.write(
        lambda tx: tx.connection.execute(text("UPDATE job SET run_at = '2020-01-01 00:00:00'"))
    )


def test_the_granted_time_to_live_comes_with_a_match_and_with_nothing_else(
    tmp_path: Path,
) -> None:
    with asker(tmp_path, limits=Limits(correlation_days=7)) as there:
        there.ask(discovery(), ITI_55_REQUEST)
        there.work()
        there.ask(find_documents(), ITI_38_REQUEST)
        there.work()
        granted = [b">P7D</xcpd:CorrelationTimeToLive>" in envelope for envelope in there.delivered]
        assert granted == [True, False]
