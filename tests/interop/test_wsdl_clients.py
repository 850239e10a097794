"""Clients made from our `?wsdl` alone call all three transactions, with SAML of their own."""

import hashlib
from base64 import b64decode

import pytest

from gateway.model.document import Document
from tests.interop import facts, wsdl_clients
from tests.interop.conftest import World
from tests.interop.our_gateway import OurGateway
from tests.interop.wsdl_clients import CLIENTS


@pytest.fixture(scope="module")
def filed(our_responder: OurGateway) -> Document:
    return our_responder.file(facts.DOCUMENT)


@pytest.mark.parametrize("name", CLIENTS)
def test_it_finds_the_patient_and_gets_the_document(
    world: World, our_responder: OurGateway, filed: Document, wsdl_clients_built: None, name: str
) -> None:
    before = len(our_responder.records())
    client, addresses = CLIENTS[name](world.certificates), our_responder.addresses

    found = client.call(wsdl_clients.discovery(), addresses)
    assert found["patient_id"].startswith(f"{our_responder.member.id}^^^&")
    assert found["home"] == facts.GATEWAY_HOME.removeprefix("urn:oid:")

    entry = client.call(wsdl_clients.find_documents(found["patient_id"]), addresses)
    assert entry["repository"]

    got = client.call(wsdl_clients.retrieve(entry["repository"], entry["unique_id"]), addresses)
    assert got["unique_id"] == entry["unique_id"]
    (attachment,) = got["attachments"]
    # zeep strips the line ends of a part, so only of it are they left out of account.
    stripped = name == "zeep"
    assert _sum(b64decode(attachment), stripped) == _sum(facts.DOCUMENT, stripped)

    records = our_responder.records()[before:]
    assert [(one.transaction, one.outcome) for one in records] == [
        ("ITI-55", "success"),
        ("ITI-38", "success"),
        ("ITI-39", "success"),
    ]
    assert {one.person for one in records} == {facts.INITIATOR["user.name"]}
    assert records[-1].documents == (filed.id,)


def _sum(content: bytes, stripped: bool) -> str:
    return hashlib.sha256(content.strip() if stripped else content).hexdigest()
