"""Documents submitted to IPF and by IPF, as XDR (ITI-41) and as XCDR (ITI-80), validators on."""

import hashlib
from collections.abc import Iterator

import pytest

from gateway.model.partner import Endpoints
from tests.interop import facts, peer
from tests.interop.conftest import World
from tests.interop.our_gateway import PERSON, PURPOSE, OurGateway
from tests.interop.peer import Addresses, JavaResponder

GIVES = f"""
[[policy.rules]]
name = "what is brought to partners"
plan = "interop"
purpose = "{PURPOSE}"
third_party = true
"""
TAKES = f"""
[[policy.rules]]
name = "what partners submit"
plan = "interop"
direction = "take"
purpose = "{facts.INITIATOR["user.purpose"]}"
"""
TRANSACTIONS = ("ITI-41", "ITI-80")
CONTENT = facts.MORE_DOCUMENTS[0]


@pytest.fixture(scope="module")
def we_submit(world: World) -> Iterator[OurGateway]:
    with world.our_initiator("submits", rules=GIVES) as ours:
        ours.file(CONTENT)
        yield ours


@pytest.fixture(scope="module")
def we_take(world: World) -> Iterator[OurGateway]:
    with world.our_responder("takes", rules=TAKES) as ours:
        yield ours


@pytest.mark.parametrize("transaction", TRANSACTIONS)
def test_ipf_takes_what_we_submit(
    transaction: str, we_submit: OurGateway, java_responder: JavaResponder
) -> None:
    base = java_responder.addresses.discovery.removesuffix("/xcpd")
    endpoints = (
        Endpoints(iti41=f"{base}/xdr")
        if transaction == "ITI-41"
        else Endpoints(iti80=f"{base}/xcdr")
    )
    state = we_submit.submit(we_submit.member, endpoints)
    assert state["state"] == "success", (state, java_responder.log())
    line = java_responder.served()
    assert line["step"] == transaction
    assert line["outcome"] == f"took {hashlib.sha256(CONTENT).hexdigest()}"
    assert (line["subject"], line["purpose"]) == (PERSON, PURPOSE)
    (record,) = we_submit.records(direction="out", transaction=transaction)
    assert (record.outcome, record.member) == ("success", we_submit.member.id)
    assert len(record.documents) == 1


@pytest.mark.parametrize("transaction", TRANSACTIONS)
def test_we_take_what_ipf_submits(transaction: str, world: World, we_take: OurGateway) -> None:
    number = TRANSACTIONS.index(transaction)
    content = facts.MORE_DOCUMENTS[number]
    document = world.folder / f"submitted-{number}.xml"
    document.write_bytes(content)
    unique_id = f"{facts.RESPONDER['document.unique-id']}.4{number}"
    known = {
        **facts.INITIATOR_OF_OURS,
        "own.repository": facts.RESPONDER["own.repository"],
        "document.entry-id": f"urn:uuid:6f0fa5a8-6a4f-4c39-9d3e-0c6f4b1a2d4{number}",
        "document.unique-id": unique_id,
    }
    path = peer.write_facts(world.folder / f"submits-{number}.properties", known)
    xdr = we_take.addresses.discovery.replace("/xcpd", "/xdr")
    asked = world.java_initiator(
        Addresses(xdr, xdr, xdr), facts_file=path, submit=transaction, document=str(document)
    )
    assert asked.outcomes == ((transaction, "SUCCESS"),), asked
    (record,) = we_take.records(direction="in", transaction=transaction)
    assert (record.outcome, record.person) == ("success", facts.INITIATOR["user.name"])
    assert content in [we_take.content(one) for one in we_take.filed()]
