"""Documents submitted to IPF and by IPF, as XDR (ITI-41) and as XCDR (ITI-80), validators on."""

import hashlib
from collections.abc import Iterator

import pytest

from gateway.model.partner import Endpoints
from tests.interop import facts
from tests.interop.conftest import World
from tests.interop.our_gateway import PERSON, PURPOSE, OurGateway
from tests.interop.peer import JavaResponder

TRANSACTIONS = ("ITI-41", "ITI-80")
CONTENT = facts.MORE_DOCUMENTS[0]


@pytest.fixture(scope="module")
def we_submit(world: World) -> Iterator[OurGateway]:
    with world.our_initiator("submits") as ours:
        ours.file(CONTENT)
        yield ours


@pytest.fixture(scope="module")
def we_take(world: World) -> Iterator[OurGateway]:
    with world.our_responder("takes") as ours:
        yield ours


@pytest.mark.parametrize("transaction", TRANSACTIONS)
def test_ipf_takes_what_we_submit(
    transaction: str, we_submit: OurGateway, java_responder: JavaResponder
) -> None:
    endpoint = {transaction.replace("-", "").lower(): java_responder.submissions[transaction]}
    state = we_submit.submit(we_submit.member, Endpoints(**endpoint))
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
    asked = world.java_submits(we_take.submissions, transaction, document=document)
    assert asked.outcomes == ((transaction, "SUCCESS"),), asked
    (record,) = we_take.records(direction="in", transaction=transaction)
    assert (record.outcome, record.person) == ("success", facts.INITIATOR["user.name"])
    assert content in [we_take.content(one) for one in we_take.filed()]
