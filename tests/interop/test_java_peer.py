"""The peer against itself: as strict as a strict partner, and its wire is as expected."""

import hashlib
import re
from collections.abc import Iterator
from email import message_from_bytes
from email.message import Message
from urllib.parse import unquote

import pytest
from lxml import etree

from tests.installs import Unavailable
from tests.interop import facts, peer
from tests.interop.conftest import World
from tests.interop.peer import Asked, JavaResponder
from tests.interop.wire import HttpMessage, Relay, WireExchange, send

NAMES = {
    "soap": "http://www.w3.org/2003/05/soap-envelope",
    "wsa": "http://www.w3.org/2005/08/addressing",
    "wsse": ("http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-wssecurity-secext-1.0.xsd"),
    "wsse11": "http://docs.oasis-open.org/wss/oasis-wss-wssecurity-secext-1.1.xsd",
    "wsu": "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-wssecurity-utility-1.0.xsd",
    "ds": "http://www.w3.org/2000/09/xmldsig#",
    "saml": "urn:oasis:names:tc:SAML:2.0:assertion",
    "xds": "urn:ihe:iti:xds-b:2007",
    "xop": "http://www.w3.org/2004/08/xop/include",
}
STEPS = ("ITI-55", "ITI-38 FindDocuments", "ITI-38 GetDocuments", "ITI-39")
ACTIONS = (
    "urn:hl7-org:v3:PRPA_IN201305UV02:CrossGatewayPatientDiscovery",
    "urn:ihe:iti:2007:CrossGatewayQuery",
    "urn:ihe:iti:2007:CrossGatewayQuery",
    "urn:ihe:iti:2007:CrossGatewayRetrieve",
)


@pytest.fixture(scope="module")
def relay(world: World, java_responder: JavaResponder) -> Iterator[Relay]:
    certificates = world.certificates
    with Relay(
        java_responder.addresses,
        server=certificates.responder.tls,
        client=certificates.initiator.tls,
        authority=certificates.authority,
    ) as running:
        yield running


@pytest.fixture(scope="module")
def round_trip(
    world: World, relay: Relay, java_responder: JavaResponder
) -> tuple[Asked, tuple[peer.Line, ...]]:
    """One whole round over the relay: what was asked, and what the responder says it served."""
    asked = world.java_initiator(relay.addresses)
    return asked, tuple(java_responder.served() for _ in STEPS)


@pytest.fixture(scope="module")
def exchanges(
    relay: Relay, round_trip: tuple[Asked, tuple[peer.Line, ...]]
) -> tuple[WireExchange, ...]:
    return tuple(relay.exchanges[: len(STEPS)])


def test_a_machine_without_the_tools_is_told_which(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    with pytest.raises(Unavailable, match="a JDK, 17 or newer"):
        peer.build()


def test_the_patient_is_found_and_the_document_arrives_byte_for_byte(
    round_trip: tuple[Asked, tuple[peer.Line, ...]],
) -> None:
    asked, _ = round_trip
    assert asked.exit_code == 0, asked.log
    assert tuple(step["step"] for step in asked.steps) == STEPS
    discovery, found, again, retrieved = asked.steps
    assert discovery["outcome"] == "match"
    assert discovery["patient_id"] == "interop-4711^^^&2.16.840.1.113883.3.9999.1.7&ISO"
    assert found["documents"] == again["documents"]
    assert found["documents"][0]["home"] == facts.RESPONDER_HOME
    (document,) = retrieved["documents"]
    assert document["sha256"] == hashlib.sha256(facts.DOCUMENT).hexdigest()


def test_answers_come_to_a_reply_address_too(
    world: World, java_responder: JavaResponder, reply_port: str
) -> None:
    asked = world.java_initiator(java_responder.addresses, reply_port=reply_port)
    assert asked.exit_code == 0, asked
    assert tuple(step["step"] for step in asked.steps) == STEPS
    assert asked.steps[0]["outcome"] == "match"
    (document,) = asked.steps[-1]["documents"]
    assert document["sha256"] == hashlib.sha256(facts.DOCUMENT).hexdigest()
    for _ in STEPS:
        java_responder.served()


def test_every_answer_confirms_the_signature_under_a_timestamp(
    round_trip: tuple[Asked, tuple[peer.Line, ...]],
) -> None:
    asked, _ = round_trip
    for step in asked.steps:
        assert step["security"] == ["SignatureConfirmation", "Timestamp"]


def test_the_responder_knows_who_asks_and_why_from_the_assertion(
    round_trip: tuple[Asked, tuple[peer.Line, ...]],
) -> None:
    _, served = round_trip
    assert [line["step"] for line in served] == ["ITI-55", "ITI-38", "ITI-38", "ITI-39"]
    for line in served:
        assert line["subject"] == facts.INITIATOR["user.name"]
        assert line["home"] == facts.INITIATOR_HOME
        assert line["role"] == facts.INITIATOR["user.role"]
        assert line["purpose"] == facts.INITIATOR["user.purpose"]


def test_requests_are_addressed_and_answers_relate_to_them(
    exchanges: tuple[WireExchange, ...],
) -> None:
    for exchange, action in zip(exchanges, ACTIONS, strict=True):
        request, response = _envelope(exchange.request), _envelope(exchange.response)
        assert _text(request, "//wsa:Action[@soap:mustUnderstand='true']") == action
        assert _text(request, "//wsa:ReplyTo/wsa:Address").endswith("/anonymous")
        assert _text(response, "//wsa:RelatesTo") == _text(request, "//wsa:MessageID")


def test_requests_carry_a_holder_of_key_assertion_that_endorses_the_timestamp(
    exchanges: tuple[WireExchange, ...],
) -> None:
    for exchange in exchanges:
        security = _one(_envelope(exchange.request), "//wsse:Security")
        assertion = _one(security, "saml:Assertion")
        names = [etree.QName(child).localname for child in assertion]
        assert names[:4] == ["Issuer", "Signature", "Subject", "Conditions"]
        method = _one(assertion, "saml:Subject/saml:SubjectConfirmation").get("Method")
        assert method == "urn:oasis:names:tc:SAML:2.0:cm:holder-of-key"
        signature = _one(security, "ds:Signature")
        reference = _one(signature, "ds:SignedInfo/ds:Reference").get("URI")
        assert reference == "#" + _attribute(security, "wsu:Timestamp/@wsu:Id")
        key = _one(signature, "ds:KeyInfo/wsse:SecurityTokenReference/wsse:KeyIdentifier")
        assert key.text == assertion.get("ID")
        assert str(key.get("ValueType")).endswith("#SAMLID")
        for algorithm in _all(security, ".//ds:SignatureMethod/@Algorithm"):
            assert algorithm == "http://www.w3.org/2001/04/xmldsig-more#rsa-sha256"


def test_answers_repeat_the_signature_value_they_confirm(
    exchanges: tuple[WireExchange, ...],
) -> None:
    for exchange in exchanges:
        signed = _text(_envelope(exchange.request), "//wsse:Security/ds:Signature/*[2]")
        confirmed = _attribute(
            _envelope(exchange.response), "//wsse11:SignatureConfirmation/@Value"
        )
        assert confirmed == re.sub(r"\s", "", signed)


def test_the_document_travels_as_an_xop_attachment(exchanges: tuple[WireExchange, ...]) -> None:
    response = exchanges[-1].response
    assert response.headers.get_param("type") == "application/xop+xml"
    root, attachment = _parts(response)
    assert root["Content-ID"] == response.headers.get_param("start")
    href = _attribute(_envelope(response), "//xds:Document/xop:Include/@href")
    assert f"<{unquote(href.removeprefix('cid:'))}>" == attachment["Content-ID"]
    assert facts.DOCUMENT in response.body


def test_somebody_unknown_is_no_match_and_no_fault(
    world: World, java_responder: JavaResponder
) -> None:
    nobody = peer.write_facts(
        world.folder / "nobody.properties", {**facts.INITIATOR, "patient.family": "Nobody"}
    )
    asked = world.java_initiator(java_responder.addresses, facts_file=nobody)
    assert asked.exit_code == 3
    assert asked.outcomes == (("ITI-55", "no match"),)
    assert java_responder.served()["outcome"] == "no match"


@pytest.mark.parametrize(
    "tamper",
    [
        "untrusted-issuer",
        "altered-assertion",
        "altered-timestamp",
        "other-key",
        "expired",
        "unsigned",
        "no-security",
    ],
)
def test_a_spoiled_request_gets_a_fault(
    world: World, java_responder: JavaResponder, tamper: str
) -> None:
    asked = world.java_initiator(java_responder.addresses, tamper=tamper)
    assert asked.exit_code == 1
    assert asked.outcomes == (("ITI-55", "fault"),)
    assert java_responder.served_nothing()


def test_a_discovery_that_breaks_its_schema_gets_an_error(
    world: World, java_responder: JavaResponder
) -> None:
    asked = world.java_initiator(java_responder.addresses, tamper="invalid-body")
    assert (asked.exit_code, asked.outcomes) == (1, (("ITI-55", "error"),))
    assert java_responder.served_nothing()


def test_a_query_that_breaks_its_schema_gets_a_fault(
    world: World, java_responder: JavaResponder
) -> None:
    asked = world.java_initiator(
        java_responder.addresses, tamper="invalid-body", tamper_at="ITI-38"
    )
    assert asked.outcomes == (("ITI-55", "match"), ("ITI-38 FindDocuments", "fault"))
    assert java_responder.served()["step"] == "ITI-55"
    assert java_responder.served_nothing()


@pytest.mark.parametrize("break_answer", ["without-confirmation", "without-security"])
def test_an_answer_that_confirms_nothing_is_refused(world: World, break_answer: str) -> None:
    with world.java_responder(break_answer=break_answer) as responder:
        asked = world.java_initiator(responder.addresses)
    assert asked.exit_code == 1
    assert asked.outcomes == (("ITI-55", "refused here"),)


def test_a_stranger_is_refused_by_tls(world: World, java_responder: JavaResponder) -> None:
    stranger = world.certificates.stranger
    asked = world.java_initiator(java_responder.addresses, party=stranger)
    assert asked.outcomes == (("ITI-55", "connection failed"),)
    assert java_responder.served_nothing()


def test_a_replayed_request_gets_a_fault(
    world: World, java_responder: JavaResponder, exchanges: tuple[WireExchange, ...]
) -> None:
    certificates = world.certificates
    answer = send(
        exchanges[0].request.raw,
        java_responder.addresses,
        client=certificates.initiator.tls,
        authority=certificates.authority,
    )
    assert answer.start_line.startswith("HTTP/1.1 500")
    assert "replay" in _text(_envelope(answer), "//soap:Fault/soap:Reason/soap:Text")
    assert java_responder.served_nothing()


def _parts(message: HttpMessage) -> list[Message]:
    head = f"Content-Type: {message.headers['Content-Type']}\r\n\r\n".encode()
    whole = message_from_bytes(head + message.body)
    return [part for part in whole.walk() if not part.is_multipart()]


def _envelope(message: HttpMessage) -> etree._Element:
    if message.headers.get_content_type() != "multipart/related":
        return etree.fromstring(message.body)
    root = _parts(message)[0].get_payload(decode=True)
    assert isinstance(root, bytes)
    return etree.fromstring(root)


def _all(element: etree._Element, path: str) -> list[etree._Element | str]:
    found = element.xpath(path, namespaces=NAMES)
    assert isinstance(found, list)
    return found


def _one(element: etree._Element, path: str) -> etree._Element:
    (found,) = _all(element, path)
    assert isinstance(found, etree._Element)
    return found


def _text(element: etree._Element, path: str) -> str:
    return _one(element, path).text or ""


def _attribute(element: etree._Element, path: str) -> str:
    (found,) = _all(element, path)
    return str(found)
