"""We answer later: 202, and the answer to the ReplyTo, if it is one that the partner registered."""

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text

from ccda.safe_xml import Element
from gateway.app import House
from gateway.exchange.withdrawing import withdraw
from gateway.model.exchange import Exchange
from gateway.model.partner import Endpoints
from gateway.settings import Limits
from gateway.store import members, partners
from ihe.mtom import MultipartReader, PartData, is_multipart
from ihe.soap import (
    ITI_38_REQUEST,
    ITI_39_REQUEST,
    ITI_55_REQUEST,
    MessageKind,
)
from ihe.wire import SealedRequest
from ihe.xca_query import read_adhoc_query_response
from ihe.xca_retrieve import read_retrieve_response
from ihe.xcpd import Matched, read_discovery_response
from tests.gateway import house as lakeshore
from tests.gateway.asking import (
    answer_to,
    ask,
    discovery,
    fault_of,
    find_documents,
    retrieve,
)
from tests.gateway.clients.asking_house import work_off
from tests.gateway.clients.scripted_partner import Heard, Reply, Script, scripted
from tests.gateway.clients.test_misbehaving_partners import fault
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
        self, body: Element, kind: MessageKind, reply_to: str | None = None
    ) -> tuple[SealedRequest, lakeshore.Reply]:
        sealed = ask(body, kind, partner=self.script.partner, reply_to=reply_to or self.address)
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
    folder: Path, answer: Callable[[Heard], Reply] | None = None, **changes: Any
) -> Iterator[Asker]:
    delivered: list[bytes] = []

    def take(heard: Heard) -> Reply:
        delivered.append(heard.envelope)
        return answer(heard) if answer else Reply(b"", status=202)

    with scripted(ITI_55=take, ITI_38=take, ITI_39=take) as script:
        rules = [lakeshore.a_rule(script.partner)]
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
