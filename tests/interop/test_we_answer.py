"""The peer asks us: IPF and WSS4J on one side, `gateway serve` on the other."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pytest

from gateway.model.document import Document
from gateway.model.exchange import Exchange
from tests.interop import facts, peer
from tests.interop.conftest import World
from tests.interop.our_gateway import OurGateway
from tests.interop.peer import Asked
from tests.interop.wire import Relay, send

STEPS = ("ITI-55", "ITI-38 FindDocuments", "ITI-38 GetDocuments", "ITI-39")


@dataclass(frozen=True, slots=True)
class Round:
    """One round of the peer, the document it could have, and what we recorded."""

    asked: Asked
    document: Document
    records: tuple[Exchange, ...]


@pytest.fixture(scope="module")
def whole_round(world: World, our_responder: OurGateway) -> Round:
    document = our_responder.file(facts.DOCUMENT)
    asked = _ask(world, our_responder)
    return Round(asked, document, our_responder.records())


def test_the_peer_finds_the_patient_and_gets_the_document_byte_for_byte(
    whole_round: Round, our_responder: OurGateway
) -> None:
    asked = whole_round.asked
    assert asked.exit_code == 0, asked.log
    assert tuple(step["step"] for step in asked.steps) == STEPS
    discovery, found, again, retrieved = asked.steps
    assert discovery["outcome"] == "match"
    assert discovery["home"] == facts.GATEWAY_HOME.removeprefix("urn:oid:")
    assert discovery["patient_id"].startswith(f"{our_responder.member.id}^^^&")
    (entry,) = found["documents"]
    assert again["documents"] == [entry]
    assert entry["home"] == facts.GATEWAY_HOME
    assert entry["hash"] == hashlib.sha1(facts.DOCUMENT, usedforsecurity=False).hexdigest()
    assert entry["size"] == str(len(facts.DOCUMENT))
    (document,) = retrieved["documents"]
    assert document["unique_id"] == entry["unique_id"]
    assert document["sha256"] == hashlib.sha256(facts.DOCUMENT).hexdigest()
    assert retrieved["content_type"].startswith('multipart/related; type="application/xop+xml"')


def test_the_peer_verifies_in_every_answer_a_signed_timestamp_and_its_own_signature_confirmed(
    whole_round: Round,
) -> None:
    for step in whole_round.asked.steps:
        assert {"Signature", "SignatureConfirmation", "Timestamp"} <= set(step["security"])


def test_every_exchange_is_recorded_with_who_asked_for_whom_and_why(
    whole_round: Round, our_responder: OurGateway
) -> None:
    records = whole_round.records
    assert [one.transaction for one in records] == ["ITI-55", "ITI-38", "ITI-38", "ITI-39"]
    for one in records:
        assert (one.direction, one.outcome) == ("in", "success")
        assert one.partner == facts.INITIATOR_HOME.removeprefix("urn:oid:")
        assert one.peer is not None and one.peer.startswith("CN=initiator tls,")
        assert one.person == facts.INITIATOR["user.name"]
        assert one.role == facts.INITIATOR["user.role.name"]
        assert one.purpose == facts.INITIATOR["user.purpose"]
        assert one.member == our_responder.member.id
    assert records[0].documents == ()
    assert {one.documents for one in records[1:]} == {(whole_round.document.id,)}


def test_several_come_in_one_retrieve_and_one_that_nobody_has_is_an_error_in_its_place(
    world: World, our_responder: OurGateway, whole_round: Round
) -> None:
    second = our_responder.file(facts.MORE_DOCUMENTS[0])
    before, nowhere = len(our_responder.records()), "2.25.4711"
    asked = _ask(world, our_responder, and_for=nowhere)
    assert asked.exit_code == 3, asked
    assert asked.steps[-1]["outcome"] == "PARTIAL_SUCCESS"
    assert asked.steps[-1]["errors"] == [f"DOCUMENT_UNIQUE_ID_ERROR at {facts.GATEWAY_HOME}"]
    sums = {document["sha256"] for document in asked.steps[-1]["documents"]}
    held = (facts.DOCUMENT, facts.MORE_DOCUMENTS[0])
    assert sums == {hashlib.sha256(content).hexdigest() for content in held}
    record = our_responder.records()[before:][-1]
    assert (record.transaction, record.outcome) == ("ITI-39", "partial")
    assert set(record.documents) == {whole_round.document.id, second.id}


# ---- who gets nothing ------------------------------------------------------------------------


def test_answers_come_to_a_registered_reply_address(world: World, reply_port: str) -> None:
    components = ("xcpd-iti55", "xca-iti38", "xca-iti39")
    replies = tuple(f"https://127.0.0.1:{reply_port}/replies/{name}" for name in components)
    with world.our_responder("answers-later", replies=replies) as ours:
        ours.file(facts.DOCUMENT)
        asked = _ask(world, ours, reply_port=reply_port)
        assert asked.exit_code == 0, asked
        assert tuple(step["step"] for step in asked.steps) == STEPS
        (document,) = asked.steps[-1]["documents"]
        assert document["sha256"] == hashlib.sha256(facts.DOCUMENT).hexdigest()
        assert {one.outcome for one in ours.records()} == {"success"}


def test_the_result_of_a_deferred_discovery_is_brought_to_ipf(
    world: World, deferred_port: str
) -> None:
    replies = (f"https://127.0.0.1:{deferred_port}/results",)
    with world.our_responder("answers-deferred", replies=replies) as ours:
        document = ours.file(facts.DOCUMENT)
        asked = _ask(world, ours, deferred_port=deferred_port)
        assert asked.exit_code == 0, asked
        assert tuple(step["step"] for step in asked.steps) == STEPS
        found = asked.steps[0]
        assert (found["deferred"], found["outcome"]) == ("AA", "match")
        assert found["brought_by"] == "Interop Health Plan"
        assert found["brought_for"] == facts.INITIATOR["user.purpose"]
        told = ours.records()
        assert sorted((one.direction, one.transaction, one.outcome) for one in told[:3]) == [
            ("in", "ITI-55", "success"),
            ("in", "ITI-55-DEFERRED", "success"),
            ("out", "ITI-55-DEFERRED", "success"),
        ]
        assert told[-1].documents == (document.id,)


def test_no_result_is_brought_to_an_address_that_is_not_registered(
    world: World, deferred_port: str
) -> None:
    with world.our_responder("answers-no-deferred") as ours:
        asked = _ask(world, ours, deferred_port=deferred_port)
        assert asked.exit_code == 1, asked
        (record,) = ours.records()
        assert (record.transaction, record.outcome) == ("ITI-55-DEFERRED", "refused")


def test_an_answer_is_sent_to_no_address_that_is_not_registered(
    world: World, reply_port: str
) -> None:
    with world.our_responder("answers-nowhere") as ours:
        asked = _ask(world, ours, reply_port=reply_port)
        assert asked.exit_code == 1, asked
        (record,) = ours.records()
        assert record.outcome == "refused"
        assert record.reason == "The reply address is not registered for this community."


@pytest.mark.parametrize(
    "changed",
    [{"patient.family": "Nobody"}, {"user.purpose": "RESEARCH"}],
    ids=["person", "purpose"],
)
def test_somebody_unknown_and_a_purpose_without_a_rule_look_the_same(
    world: World, our_responder: OurGateway, changed: Mapping[str, str]
) -> None:
    before = len(our_responder.records())
    path = peer.write_facts(
        world.folder / "nobody.properties", {**facts.INITIATOR_OF_OURS, **changed}
    )
    asked = world.java_initiator(our_responder.addresses, facts_file=path)
    assert asked.exit_code == 3, asked.log
    (step,) = asked.steps
    assert (step["outcome"], step["acknowledgement"], step["response"]) == ("no match", "AA", "NF")
    (record,) = our_responder.records()[before:]
    assert (record.transaction, record.outcome, record.member) == ("ITI-55", "success", None)


@pytest.mark.parametrize(
    ("tamper", "step"),
    [
        ("untrusted-issuer", 0),
        ("altered-assertion", 0),
        ("altered-timestamp", 0),
        ("other-key", 0),
        ("expired", 0),
        ("unsigned", 0),
        ("no-security", 0),
        ("altered-assertion", 1),
        ("other-key", 3),
    ],
)
def test_a_spoiled_request_is_refused_with_a_fault_that_the_peer_believes(
    world: World, our_responder: OurGateway, whole_round: Round, tamper: str, step: int
) -> None:
    before = len(our_responder.records())
    asked = _ask(world, our_responder, tamper=tamper, tamper_at=STEPS[step].split()[0])
    assert asked.exit_code == 1
    assert len(asked.steps) == step + 1
    assert (asked.steps[-1]["outcome"], asked.steps[-1]["code"]) == ("fault", "Sender")
    *answered, refused = our_responder.records()[before:]
    assert [one.outcome for one in answered] == ["success"] * step
    assert (refused.outcome, refused.count, refused.member) == ("refused", 1, None)
    assert refused.peer is not None and refused.peer.startswith("CN=initiator tls,")
    # Ours is in words, for the auditor; the peer's tells nothing that helps to forge.
    assert refused.reason and refused.reason not in asked.steps[-1]["reason"]


def test_a_replayed_request_is_refused(world: World, our_responder: OurGateway) -> None:
    before, certificates = len(our_responder.records()), world.certificates
    with Relay(
        our_responder.addresses,
        server=certificates.gateway.tls,
        client=certificates.initiator.tls,
        authority=certificates.authority,
    ) as relay:
        nobody = peer.write_facts(
            world.folder / "replayed.properties",
            {**facts.INITIATOR_OF_OURS, "patient.family": "Nobody"},
        )
        asked = world.java_initiator(relay.addresses, facts_file=nobody)
    assert asked.outcomes == (("ITI-55", "no match"),), asked.log
    answer = send(
        relay.exchanges[0].request.raw,
        our_responder.addresses,
        client=certificates.initiator.tls,
        authority=certificates.authority,
    )
    assert answer.start_line == "HTTP/1.1 400 Bad Request"
    assert b"Fault" in answer.body
    (_, replayed) = our_responder.records()[before:]
    assert (replayed.outcome, replayed.reason) == ("refused", "the message was received before")


def test_a_stranger_is_refused_by_tls(world: World, our_responder: OurGateway) -> None:
    before = our_responder.records()
    asked = _ask(world, our_responder, party=world.certificates.stranger)
    assert asked.outcomes == (("ITI-55", "connection failed"),)
    assert our_responder.records() == before


def _ask(world: World, ours: OurGateway, **arguments: Any) -> Asked:
    return world.java_initiator(
        ours.addresses, facts_file=world.initiator_of_ours_facts, **arguments
    )
