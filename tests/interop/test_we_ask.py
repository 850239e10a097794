"""We ask the peer: the retrieval job of `gateway serve` on one side, IPF and WSS4J on the other."""

import re
from dataclasses import dataclass

import pytest

from gateway.model.document import Document
from tests.interop import facts, peer
from tests.interop.conftest import World
from tests.interop.our_gateway import PERSON, PURPOSE, ROLE, OurGateway, Retrieved, member_from
from tests.interop.peer import JavaResponder
from tests.interop.wire import Relay

TRANSACTIONS = ("ITI-55", "ITI-38", "ITI-39")


@dataclass(frozen=True, slots=True)
class Round:
    """One retrieval, what it filed, and what the peer says it served."""

    retrieved: Retrieved
    filed: tuple[Document, ...]
    served: tuple[peer.Line, ...]


@pytest.fixture(scope="module")
def whole_round(our_initiator: OurGateway, java_responder: JavaResponder) -> Round:
    retrieved = our_initiator.retrieve(our_initiator.member, java_responder.addresses)
    assert retrieved.partner["outcome"] == "matched", retrieved.partner
    served = tuple(java_responder.served() for _ in TRANSACTIONS)
    return Round(retrieved, our_initiator.filed(), served)


def test_the_patient_is_found_and_the_document_is_filed_byte_for_byte(
    whole_round: Round, our_initiator: OurGateway
) -> None:
    assert whole_round.retrieved.state["state"] == "done"
    found = whole_round.retrieved.partner
    counts = [found[f"documents_{kind}"] for kind in ("found", "new", "missing")]
    assert counts == [1, 1, 0]
    (document,) = whole_round.filed
    assert document.member == our_initiator.member.id
    assert document.source.door == "ITI-39"
    assert document.source.document_unique_id == facts.RESPONDER["document.unique-id"]
    assert our_initiator.content(document) == facts.DOCUMENT


def test_the_summary_has_lines_that_name_the_peer_as_their_source(whole_round: Round) -> None:
    summary = whole_round.retrieved.summary
    (answer,) = summary["completeness"]
    assert (answer["outcome"], answer["documents"]) == ("matched", 1)
    for section in ("problems", "allergies", "medications", "immunizations", "results"):
        lines = summary["sections"][section]
        assert lines, f"the summary has no {section}"
        for line in lines:
            assert {source["partner"] for source in line["sources"]} == {answer["partner"]}


def test_every_exchange_is_recorded_with_who_asked_for_whom_and_why(
    whole_round: Round, our_initiator: OurGateway
) -> None:
    records = whole_round.retrieved.records
    assert tuple(one.transaction for one in records) == TRANSACTIONS
    for one in records:
        assert one.outcome == "success"
        assert one.partner == facts.RESPONDER_HOME.removeprefix("urn:oid:")
        assert (one.person, one.role, one.purpose) == (PERSON, ROLE, PURPOSE)
        assert one.member == our_initiator.member.id
    assert records[-1].documents == (whole_round.filed[0].id,)


def test_the_peer_knows_who_asks_and_why_from_our_assertion(whole_round: Round) -> None:
    assert tuple(line["step"] for line in whole_round.served) == TRANSACTIONS
    for line in whole_round.served:
        assert line["subject"] == PERSON
        assert line["home"] == facts.GATEWAY_HOME
        assert line["purpose"] == PURPOSE


def test_what_is_held_already_is_not_fetched_again(
    whole_round: Round, our_initiator: OurGateway, java_responder: JavaResponder
) -> None:
    again = our_initiator.retrieve(our_initiator.member, java_responder.addresses)
    assert [java_responder.served()["step"] for _ in range(2)] == ["ITI-55", "ITI-38"]
    assert (again.partner["documents_found"], again.partner["documents_new"]) == (1, 0)
    assert tuple(one.transaction for one in again.records) == ("ITI-55", "ITI-38")
    assert java_responder.served_nothing()


def test_documents_are_asked_for_and_come_as_xop_attachments(
    world: World, java_responder: JavaResponder
) -> None:
    certificates = world.certificates
    with (
        Relay(
            java_responder.addresses,
            server=certificates.responder.tls,
            client=certificates.gateway.tls,
            authority=certificates.authority,
        ) as relay,
        world.our_initiator("over-relay") as ours,
    ):
        retrieved = ours.retrieve(ours.member, relay.addresses)
        assert retrieved.partner["documents_new"] == 1, retrieved.partner
    for _ in TRANSACTIONS:
        java_responder.served()
    assert len(relay.exchanges) == len(TRANSACTIONS)
    exchange = relay.exchanges[-1]
    for message in (exchange.request, exchange.response):
        assert message.headers.get_content_type() == "multipart/related"
        assert message.headers.get_param("type") == "application/xop+xml"
    assert re.search(rb"<(\w+:)?Document><xop:Include ", exchange.response.body)
    assert facts.DOCUMENT in exchange.response.body


def test_answers_that_come_later_to_our_own_door_are_taken(
    world: World, java_responder: JavaResponder
) -> None:
    certificates = world.certificates
    with (
        Relay(
            java_responder.addresses,
            server=certificates.responder.tls,
            client=certificates.gateway.tls,
            authority=certificates.authority,
        ) as relay,
        world.our_initiator("answered-later", asynchronous=True) as ours,
    ):
        retrieved = ours.retrieve(ours.member, relay.addresses)
        assert retrieved.partner["outcome"] == "matched", retrieved.partner
        assert [java_responder.served()["step"] for _ in TRANSACTIONS] == list(TRANSACTIONS)
        (document,) = ours.filed()
        assert ours.content(document) == facts.DOCUMENT
        doors = {"ITI-55": ours.addresses.discovery}
        replies = [doors.get(one, ours.addresses.query) for one in TRANSACTIONS]
    # Nothing but the receipt came back on the connections that we had opened.
    assert [one.response.start_line.split()[1] for one in relay.exchanges] == ["202"] * 3
    for exchange, reply in zip(relay.exchanges, replies, strict=True):
        assert f"<wsa:ReplyTo><wsa:Address>{reply}<".encode() in exchange.request.body
    assert [(one.transaction, one.outcome) for one in retrieved.records] == [
        (transaction, "success") for transaction in TRANSACTIONS
    ]


# ---- what comes to nothing -------------------------------------------------------------------


def test_somebody_unknown_is_no_match(
    our_initiator: OurGateway, java_responder: JavaResponder
) -> None:
    nobody = member_from({**facts.PATIENT, "patient.family": "Nobody"}, "IP-2")
    our_initiator.enroll(nobody)
    retrieved = our_initiator.retrieve(nobody, java_responder.addresses)
    assert java_responder.served()["outcome"] == "no match"
    assert retrieved.state["state"] == "done"
    assert retrieved.partner["outcome"] == "no_match"
    assert [(one.transaction, one.outcome) for one in retrieved.records] == [("ITI-55", "success")]
    assert java_responder.served_nothing()


@pytest.mark.parametrize(
    ("break_answer", "reason"),
    [
        ("without-confirmation", "the answer does not confirm the signature of our request"),
        ("without-security", "there is not exactly one wsse:Security header"),
    ],
)
def test_an_answer_that_confirms_nothing_is_refused(
    world: World, our_initiator: OurGateway, break_answer: str, reason: str
) -> None:
    with world.java_responder(break_answer=break_answer) as responder:
        retrieved = our_initiator.retrieve(our_initiator.member, responder.addresses)
        assert responder.served()["outcome"] == "match"
    assert retrieved.state["state"] == "failed"
    assert retrieved.partner["outcome"] == "failed"
    assert reason in retrieved.partner["detail"]
    (record,) = retrieved.records
    assert (record.transaction, record.outcome) == ("ITI-55", "refused")
    assert record.reason is not None and reason in record.reason


def test_a_server_whose_certificate_is_not_pinned_hears_nothing(
    world: World, our_initiator: OurGateway, java_responder: JavaResponder
) -> None:
    retrieved = our_initiator.retrieve(
        our_initiator.member, java_responder.addresses, pinned=world.certificates.initiator
    )
    assert retrieved.partner["outcome"] == "failed"
    assert "TLS certificate is not trusted" in retrieved.partner["detail"]
    (record,) = retrieved.records
    assert (record.transaction, record.outcome) == ("ITI-55", "failed")
    assert java_responder.served_nothing()


def test_several_come_in_one_retrieve_and_what_is_lost_is_said(world: World) -> None:
    files = [world.document]
    for number, content in enumerate(facts.MORE_DOCUMENTS):
        files.append(world.folder / f"another-{number}.xml")
        files[-1].write_bytes(content)
    audit = world.folder / "audit-of-several.txt"
    documents = ",".join(map(str, files))
    with (
        world.java_responder(document=documents, lost="1", audit=str(audit)) as responder,
        world.our_initiator("several") as ours,
    ):
        retrieved = ours.retrieve(ours.member, responder.addresses)
        assert [responder.served()["outcome"] for _ in TRANSACTIONS] == [
            "match",
            "SUCCESS with 3",
            "PARTIAL_SUCCESS with 2",
        ]
        counts = [retrieved.partner[f"documents_{kind}"] for kind in ("found", "new", "missing")]
        assert counts == [3, 2, 1]
        assert retrieved.state["state"] == "partial"
        assert [one.outcome for one in retrieved.records] == ["success", "success", "partial"]
        held = {ours.content(document) for document in ours.filed()}
        assert held == {facts.DOCUMENT, facts.MORE_DOCUMENTS[0]}
    # IPF wrote its own ATNA messages of it: one of what it gave, one of what it could not.
    events = [
        re.findall(r'<EventTypeCode csd-code="([^"]+)"', line)
        for line in audit.read_text("utf-8").splitlines()
    ]
    assert events == [["ITI-55"], ["ITI-38"], ["ITI-39"], ["ITI-39"]]


@pytest.mark.parametrize("step", TRANSACTIONS)
def test_a_fault_ends_the_step_and_is_recorded(world: World, step: str) -> None:
    with (
        world.java_responder(fault_at=step) as responder,
        world.our_initiator(f"fault-at-{step}") as ours,
    ):
        retrieved = ours.retrieve(ours.member, responder.addresses)
    found = [one for one in retrieved.records if one.transaction == step]
    # What a Sender fault says is our request's, so it is asked once.
    assert [one.outcome for one in found] == ["refused"]
    assert found[0].reason == "it answered with a SOAP fault (Sender)"
    assert retrieved.records[-1] == found[0]
    assert retrieved.partner["outcome"] == "refused", retrieved.partner
