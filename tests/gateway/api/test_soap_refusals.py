"""Bad input at the partner doors: the protocol's own error, a count, and nothing else."""

from collections.abc import Iterator

import pytest
from lxml import etree
from lxml.etree import _Element as Element

from ihe.namespaces import name
from ihe.soap import ENVELOPE_LIMIT_BYTES, ITI_38_REQUEST
from tests.gateway.api.soap_place import (
    Place,
    Spoil,
    a_place,
    a_request,
    at,
    edited,
    nothing_but_a_count,
    says_nothing,
    with_text,
    without,
)
from tests.gateway.asking import fault_of


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    with a_place(tmp_path_factory.mktemp("house")) as place:
        yield place


UNREADABLE = "the envelope cannot be read: the XML is not well-formed"


@pytest.mark.parametrize(
    ("spoil", "sentence"),
    [
        pytest.param(lambda sent: sent[:-20], UNREADABLE, id="malformed XML"),
        pytest.param(lambda sent: b"hello", UNREADABLE, id="no XML"),
        pytest.param(
            lambda sent: b'<!DOCTYPE a [<!ENTITY b SYSTEM "file:///etc/passwd">]>' + sent[38:],
            "the envelope cannot be read: a DOCTYPE is not accepted",
            id="DOCTYPE",
        ),
        pytest.param(lambda sent: b"", "the message is empty", id="empty"),
        pytest.param(lambda sent: b"<a/>", "the root element is no SOAP 1.2 envelope", id="other"),
        pytest.param(
            without("soap:Header"),
            "the envelope has not exactly one soap:Header",
            id="no header",
        ),
        pytest.param(
            edited(lambda root: at(root, "soap:Body").clear()),
            "the SOAP body is empty",
            id="empty body",
        ),
        pytest.param(without("soap:Header/wsa:Action"), "wsa:Action is missing", id="no action"),
        pytest.param(without("soap:Header/wsa:MessageID"), "wsa:MessageID is missing", id="no id"),
        pytest.param(
            with_text("soap:Header/wsa:Action", "urn:unknown"),
            "the wsa:Action is not one of this service",
            id="unknown action",
        ),
        pytest.param(
            with_text("soap:Header/wsa:Action", ITI_38_REQUEST.action),
            "the body is not the one that its wsa:Action demands",
            id="disagreeing action",
        ),
        pytest.param(
            lambda sent: sent + b" " * (ENVELOPE_LIMIT_BYTES + 1 - len(sent)),
            "the envelope is larger than we take",
            id="over the limit",
        ),
    ],
)
def test_a_message_that_is_none_is_a_sender_fault_and_a_count(
    place: Place, spoil: Spoil, sentence: str
) -> None:
    sealed = a_request()
    with nothing_but_a_count(place, sentence):
        reply = place.door.post("/ihe/xcpd", spoil(sealed.envelope))
    fault = fault_of(reply)
    assert (reply.status, fault.code, fault.sentence) == (400, "soap:Sender", sentence)
    says_nothing(reply)


def test_a_soap_1_1_envelope_is_a_version_mismatch(place: Place) -> None:
    old = a_request().envelope.replace(
        b"http://www.w3.org/2003/05/soap-envelope", b"http://schemas.xmlsoap.org/soap/envelope/"
    )
    sentence = "the envelope is SOAP 1.1; this transaction demands SOAP 1.2"
    with nothing_but_a_count(place, sentence):
        reply = place.door.post("/ihe/xcpd", old)
    fault = fault_of(reply)
    assert (reply.status, fault.code) == (400, "soap:VersionMismatch")
    assert fault.sentence == sentence


def test_a_header_that_must_be_understood_and_is_not_is_refused(place: Place) -> None:
    def add(root: Element) -> None:
        block = etree.SubElement(at(root, "soap:Header"), "{urn:other}Policy")
        block.set(name("soap:mustUnderstand"), "1")

    sentence = "a header marked mustUnderstand is not known to this service"
    with nothing_but_a_count(place, sentence):
        reply = place.door.post("/ihe/xcpd", edited(add)(a_request().envelope))
    fault = fault_of(reply)
    assert (reply.status, fault.code, fault.sentence) == (400, "soap:MustUnderstand", sentence)


@pytest.mark.parametrize(
    "content_type",
    ["application/json", "text/plain", None],
)
def test_another_content_type_is_refused_unread(place: Place, content_type: str | None) -> None:
    sentence = "the content type is not one of SOAP 1.2"
    with nothing_but_a_count(place, sentence):
        reply = place.door.post("/ihe/xcpd", a_request().envelope, content_type=content_type)
    assert (reply.status, fault_of(reply).sentence) == (400, sentence)


@pytest.mark.parametrize(
    "content_type", ["application/xop+xml", "multipart/form-data; boundary=a", "multipart/mixed"]
)
def test_a_package_that_is_none_hears_that_mtom_is_required(
    place: Place, content_type: str
) -> None:
    sentence = (
        'MTOM required: a message with attachments is multipart/related; type="application/xop+xml"'
    )
    with nothing_but_a_count(place, sentence):
        reply = place.door.post("/ihe/xcpd", a_request().envelope, content_type=content_type)
    assert (reply.status, fault_of(reply).sentence) == (400, sentence)


@pytest.mark.parametrize(
    ("content_type", "body", "sentence"),
    [
        ("multipart/related", b"x", "the Content-Type has no usable boundary"),
        (
            "multipart/related; boundary=b",
            b"--b\r\n\r\n",
            "the message ends before its closing boundary",
        ),
        (
            "multipart/related; boundary=b",
            b"x" * 70_000,
            "the message does not begin with its boundary",
        ),
        (
            "multipart/related; boundary=b",
            b"--b\r\nContent-Type: text/xml\r\n\r\n" + b" " * (ENVELOPE_LIMIT_BYTES + 1000),
            "the envelope is over our limit",
        ),
        (
            "multipart/related; boundary=b; start=a",
            b"--b\r\nContent-ID: <b>\r\n\r\n" + b" " * (ENVELOPE_LIMIT_BYTES + 1024 * 1024),
            "the message is over our limit",
        ),
    ],
)
def test_a_broken_package_is_refused(
    place: Place, content_type: str, body: bytes, sentence: str
) -> None:
    with nothing_but_a_count(place, sentence):
        reply = place.door.post("/ihe/xcpd", body, content_type=content_type)
    assert (reply.status, fault_of(reply).sentence) == (400, sentence)
