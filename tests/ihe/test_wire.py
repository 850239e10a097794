"""Whole envelopes, sealed by one edge and opened by the other, and those of another stack."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from hypothesis import given, settings
from hypothesis import strategies as st
from lxml import etree

from ihe.errors import (
    IheError,
    MalformedMessage,
    MessageTooLarge,
    NotUnderstood,
    SecurityRefused,
    SoapFault,
    Unavailable,
    UnexpectedMessage,
)
from ihe.namespaces import name
from ihe.soap import (
    ANONYMOUS,
    FAULT_ACTION,
    ITI_38_ANSWER,
    ITI_38_REQUEST,
    ITI_39_ANSWER,
    ITI_55_ANSWER,
    ITI_55_REQUEST,
    MessageKind,
    WrittenPayload,
    parse_envelope,
    read_envelope,
)
from ihe.trust import Trust
from ihe.wire import (
    OpenedAnswer,
    Related,
    SealedRequest,
    Unopened,
    open_answer,
    open_request,
    read_related,
    read_unopened,
    replay_key,
    seal_answer,
    seal_fault,
    seal_request,
)
from ihe.ws_verification import Expectations
from tests.certificates import NOW
from tests.ihe_messages import (
    SECURITY,
    a_request,
    an_assertion,
    expected,
    find,
    opened,
    partner,
    tree,
    trust,
)

MESSAGE_ID = "urn:uuid:8d0c5c9e-0000-4000-8000-000000000001"
SAMPLES = Path(__file__).resolve().parents[1] / "samples/ihe"


def sealed_answer(
    request: SealedRequest,
    *,
    kind: MessageKind = ITI_38_ANSWER,
    relates_to: str | None = None,
    confirmations: tuple[str, ...] | None = None,
) -> bytes:
    return seal_answer(
        etree.Element(kind.root),
        kind=kind,
        relates_to=relates_to or request.message_id,
        message_id="urn:uuid:answer",
        confirmations=request.signature_values[:1] if confirmations is None else confirmations,
        signing_key=partner().signing_key,
        now=NOW,
    )


def answered(data: bytes, request: SealedRequest) -> OpenedAnswer:
    return open_answer(data, trust(), request=request, now=NOW)


# ---- there and back --------------------------------------------------------------------------


def test_a_request_arrives_as_it_was_sent() -> None:
    request = opened(a_request().envelope)
    assert (request.action, request.transaction) == (ITI_38_REQUEST.action, "ITI-38")
    assert request.message_id == MESSAGE_ID
    assert (request.to, request.reply_to) == ("https://gateway.example/ihe/xca", ANONYMOUS)
    assert request.body.tag == ITI_38_REQUEST.root
    assert request.assertion == an_assertion()
    assert request.signer == partner().certificate
    assert len(request.replay_key) == 32


def test_an_answer_arrives_as_it_was_sent() -> None:
    request = a_request()
    answer = answered(sealed_answer(request), request)
    assert answer.kind == ITI_38_ANSWER
    assert answer.message_id == "urn:uuid:answer"
    assert answer.body.tag == ITI_38_ANSWER.root
    assert answer.signer == partner().certificate


@pytest.mark.emits_invalid("whatever the payload, it goes in as it is")
def test_a_payload_that_was_written_before_makes_the_same_answer() -> None:
    def sealed(body: Any) -> bytes:
        return seal_answer(
            body,
            kind=ITI_38_ANSWER,
            relates_to="urn:uuid:1",
            message_id="urn:uuid:2",
            confirmations=(),
            signing_key=None,
            now=NOW,
        )

    def without_ids(data: bytes) -> bytes:
        root = etree.fromstring(data)
        for element in root.iter():
            element.attrib.pop(name("wsu:Id"), None)
        return etree.tostring(root, method="c14n")

    namespace, local = ITI_38_ANSWER.root[1:].split("}")
    xml = f"<q:{local} xmlns:q='{namespace}' status='\u00e9&lt;'><q:a/></q:{local}>"
    written = WrittenPayload(ITI_38_ANSWER.root, xml.encode())
    assert without_ids(sealed(written)) == without_ids(sealed(etree.fromstring(written.xml)))


def test_what_a_peer_calls_its_message_cannot_change_our_answer() -> None:
    hostile = "urn:x\"'<wsa:To>&\r\t]]></wsa:RelatesTo>"
    data = seal_answer(
        WrittenPayload(ITI_38_ANSWER.root, b"<x/>"),
        kind=ITI_38_ANSWER,
        relates_to=hostile,
        message_id="urn:uuid:2",
        confirmations=['a"b<c>&'],
        signing_key=None,
        now=NOW,
        to=hostile,
    )
    envelope = read_envelope(parse_envelope(data))
    assert (envelope.addressing.relates_to, envelope.addressing.to) == (hostile, hostile)
    (confirmed,) = envelope.header.iter(name("wsse11:SignatureConfirmation"))
    assert confirmed.get("Value") == 'a"b<c>&'


def test_what_a_responder_confirms_is_what_the_initiator_sent() -> None:
    request = a_request()
    received = opened(request.envelope)
    data = sealed_answer(request, confirmations=received.signature_values)
    assert answered(data, request).kind == ITI_38_ANSWER


@pytest.mark.parametrize(
    "text", ["\u00e9\u4e2d\U0001f600", "a\r\nb\tc", "<&>\"'", "]]>", " ", "\u2028"]
)
def test_writing_an_envelope_out_changes_nothing_under_a_signature(text: str) -> None:
    assertion = an_assertion(subject=f"x{text}x", organization=f"y{text}y")
    assert opened(a_request(assertion=assertion).envelope).assertion == assertion


def test_the_same_message_has_the_same_replay_key_and_no_other_has() -> None:
    first, second = a_request(), a_request()
    assert opened(first.envelope).replay_key == opened(first.envelope).replay_key
    assert opened(first.envelope).replay_key != opened(second.envelope).replay_key
    other_id = first.envelope.replace(MESSAGE_ID.encode(), b"urn:uuid:other")
    assert opened(other_id).replay_key != opened(first.envelope).replay_key


def test_two_envelopes_differ_only_in_ids_times_and_signatures() -> None:
    def skeleton(request: SealedRequest) -> bytes:
        root = tree(request)
        for element in root.iter("{*}SignatureValue", "{*}DigestValue"):
            element.text = ""
        for element in root.iter("{*}Timestamp"):
            element.attrib.clear()
        for element in root.iterfind(f".//{name('wsse:Security')}/{name('ds:Signature')}"):
            find(element, "ds:SignedInfo/ds:Reference").set("URI", "")
        return etree.tostring(root, method="c14n")

    assert skeleton(a_request()) == skeleton(a_request())


def test_a_body_that_is_not_the_messages_is_not_sealed() -> None:
    with pytest.raises(ValueError, match="not the one"):
        seal_request(
            etree.Element("x"),
            kind=ITI_38_REQUEST,
            to="",
            message_id="",
            assertion=an_assertion(),
            signing_key=partner().signing_key,
            now=NOW,
        )
    for body in (etree.Element("x"), WrittenPayload("x", b"<x/>")):
        with pytest.raises(ValueError, match="not the one"):
            seal_answer(
                body,
                kind=ITI_38_ANSWER,
                relates_to="",
                message_id="",
                confirmations=(),
                signing_key=None,
                now=NOW,
            )


# ---- replay ----------------------------------------------------------------------------------


def test_the_replay_key_is_that_of_one_message() -> None:
    body = etree.fromstring("<b><x a='1' b='2'/></b>")
    key = replay_key("QUJD", "urn:1", body)
    assert len(key) == 32
    assert replay_key("QUJD", "urn:1", etree.fromstring('<b><x  b="2" a="1"></x></b>')) == key
    assert replay_key("QU\nJD", "urn:1", body) == key
    for other in (
        replay_key("QUJE", "urn:1", body),
        replay_key("QUJD", "urn:2", body),
        replay_key("QUJD", "urn:1", etree.fromstring("<b><x a='1' b='3'/></b>")),
    ):
        assert other != key


def test_a_body_without_a_canonical_form_is_malformed() -> None:
    data = a_request().envelope.replace(b"<soap:Body>", b'<soap:Body xmlns:x="no-uri" x:y="">')
    with pytest.raises(MalformedMessage, match="canonical"):
        opened(data)


# ---- requests that are refused ---------------------------------------------------------------


def without(path: str) -> Callable[[etree._Element], None]:
    def remove(root: etree._Element) -> None:
        found = find(root, path)
        parent = found.getparent()
        assert parent is not None
        parent.remove(found)

    return remove


def another_action(root: etree._Element) -> None:
    find(root, "soap:Header/wsa:Action").text = ITI_55_REQUEST.action


def an_answers_action(root: etree._Element) -> None:
    find(root, "soap:Header/wsa:Action").text = ITI_38_ANSWER.action
    find(root, "soap:Body")[0].tag = ITI_38_ANSWER.root


def a_strange_header(root: etree._Element) -> None:
    strange = etree.SubElement(find(root, "soap:Header"), "{urn:x}Strange")
    strange.set(name("soap:mustUnderstand"), "1")


def two_children(root: etree._Element) -> None:
    etree.SubElement(find(root, "soap:Body"), "{urn:x}Second")


def included_header(root: etree._Element) -> None:
    include = "{http://www.w3.org/2004/08/xop/include}Include"
    etree.SubElement(find(root, f"{SECURITY}/ds:Signature/ds:SignatureValue"), include)


@pytest.mark.parametrize(
    ("change", "error"),
    [
        (without("soap:Header/wsa:Action"), MalformedMessage),
        (without("soap:Header/wsa:MessageID"), MalformedMessage),
        (without("soap:Header"), MalformedMessage),
        (without(SECURITY), SecurityRefused),
        (another_action, UnexpectedMessage),
        (an_answers_action, UnexpectedMessage),
        (a_strange_header, NotUnderstood),
        (two_children, MalformedMessage),
        (included_header, MalformedMessage),
    ],
)
def test_a_request_that_is_none_is_refused(
    change: Callable[[etree._Element], None], error: type[IheError]
) -> None:
    root = tree(a_request())
    change(root)
    with pytest.raises(error):
        opened(root)


DAMAGE = [" ", "", "x", "\n", "<!---->", "<x/>", "&#32;", "&#x0;", "\x00", "\ud800", "<?x?>", '"']


@pytest.fixture(scope="module")
def one_request() -> str:
    return a_request().envelope.decode()


@settings(max_examples=150)
@given(where=st.integers(0, 9999), damage=st.sampled_from(DAMAGE), length=st.integers(0, 3))
def test_a_damaged_request_is_refused_or_says_the_same(
    one_request: str, where: int, damage: str, length: int
) -> None:
    text = one_request
    position = where * len(text) // 10_000
    damaged = text[:position] + damage + text[position + length :]
    try:
        request = opened(damaged.encode("utf-8", "surrogatepass"))
    except IheError:
        return
    assert request.assertion == an_assertion()


def test_an_envelope_over_the_limit_is_refused_before_it_is_read() -> None:
    with pytest.raises(MessageTooLarge):
        open_request(a_request().envelope, trust(), expected(), limit_bytes=1000)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16", "utf-16-le", "utf-16-be", "utf-32"])
def test_a_message_is_the_same_in_each_encoding_of_unicode(encoding: str) -> None:
    """WS-I Basic Profile 2.0: R1012: UTF-8 and UTF-16 are both to be taken."""
    text = a_request().envelope.decode().partition("?>")[2]
    assert opened(text.encode(encoding)).assertion == an_assertion()
    hidden = text.replace("</ds:DigestValue>", "<!-- --></ds:DigestValue>", 1).encode(encoding)
    with pytest.raises(SecurityRefused, match="comment"):
        opened(hidden)
    answer = sealed_answer(a_request()).decode().partition("?>")[2].encode(encoding)
    assert read_related(answer) == Related(ITI_38_ANSWER.action, MESSAGE_ID)


def test_a_fault_can_relate_to_a_request_that_was_not_opened() -> None:
    request = a_request()
    assert read_unopened(request.envelope) == Unopened(MESSAGE_ID, request.signature_values[:1])
    assert read_unopened(b"nonsense") == Unopened(None, None)


# ---- answers that are refused ----------------------------------------------------------------


def test_an_answer_to_another_message_is_refused() -> None:
    request = a_request()
    with pytest.raises(UnexpectedMessage, match="relates to another message"):
        answered(sealed_answer(request, relates_to="urn:uuid:other"), request)


@pytest.mark.parametrize("kind", [ITI_55_ANSWER, ITI_39_ANSWER, ITI_38_REQUEST])
def test_an_answer_of_another_transaction_is_refused(kind: MessageKind) -> None:
    request = a_request()
    with pytest.raises(UnexpectedMessage, match="no answer of the transaction"):
        answered(sealed_answer(request, kind=kind), request)


def test_an_answer_to_another_signature_is_refused() -> None:
    request = a_request()
    with pytest.raises(SecurityRefused, match="did not send"):
        answered(sealed_answer(request, confirmations=("QUJD",)), request)


def test_a_comment_in_an_answers_signature_is_refused() -> None:
    request = a_request()
    data = sealed_answer(request).replace(b"</ds:DigestValue>", b"<!-- --></ds:DigestValue>")
    with pytest.raises(SecurityRefused, match="comment"):
        answered(data, request)


# ---- faults ----------------------------------------------------------------------------------


def test_a_fault_of_ours_says_one_sentence_and_carries_a_signed_time() -> None:
    data = seal_fault(
        SecurityRefused("the digest of a signed element is wrong"),
        relates_to=MESSAGE_ID,
        message_id="urn:uuid:fault",
        confirmations=("QUJD",),
        signing_key=partner().signing_key,
        now=NOW,
    )
    assert b"digest of" not in data
    root = parse_envelope(data)
    assert find(root, "soap:Header/wsa:Action").text == FAULT_ACTION
    assert find(root, "soap:Header/wsa:RelatesTo").text == MESSAGE_ID
    confirmation = find(root, f"{SECURITY}/wsse11:SignatureConfirmation")
    assert confirmation.get("Value") == "QUJD"
    find(root, f"{SECURITY}/ds:Signature")
    with pytest.raises(SoapFault) as fault:
        answered(data, a_request())
    assert fault.value.code == "Sender"
    assert fault.value.text == "The security of the message could not be verified."


def test_a_fault_to_nobody_in_particular_can_be_written() -> None:
    data = seal_fault(
        Unavailable("Not now."),
        relates_to=None,
        message_id="urn:uuid:fault",
        signing_key=None,
        now=NOW,
    )
    assert b"SignatureConfirmation" not in data
    with pytest.raises(SoapFault):
        answered(data, a_request())


# ---- CXF and WSS4J ---------------------------------------------------------------------------
# Messages of a responding and an initiating gateway built on IPF 4.8, CXF 3.6 and WSS4J 2.4.

CXF_NOW = datetime(2026, 11, 21, 7, 44, tzinfo=UTC)


def certificate(file: str) -> x509.Certificate:
    return x509.load_pem_x509_certificate((SAMPLES / file).read_bytes())


def cxf_trusts() -> list[Trust]:
    return [
        Trust(pinned=(certificate("cxf_initiator.pem"),)),
        Trust(anchors=(certificate("cxf_authority.pem"),), name="initiator.interop.test"),
    ]


@pytest.mark.parametrize("which", [0, 1], ids=["pinned", "chained"])
def test_a_request_of_cxf_is_taken(which: int) -> None:
    request = open_request(
        (SAMPLES / "cxf_query_request.xml").read_bytes(),
        cxf_trusts()[which],
        Expectations(CXF_NOW),
    )
    assert request.kind == ITI_38_REQUEST
    assert request.assertion.subject == "Wilma Osler"
    assert request.assertion.purpose_of_use is not None
    assert request.assertion.purpose_of_use.code == "TREATMENT"
    assert len(request.security.chain) == 2 * which


def test_a_request_of_cxf_whose_purpose_was_altered_is_refused() -> None:
    data = (SAMPLES / "cxf_altered_purpose_request.xml").read_bytes()
    for believed in cxf_trusts():
        with pytest.raises(SecurityRefused, match="changed after signing"):
            open_request(data, believed, Expectations(CXF_NOW))


def test_an_answer_of_cxf_is_taken() -> None:
    asked = open_request(
        (SAMPLES / "cxf_query_request.xml").read_bytes(), cxf_trusts()[0], Expectations(CXF_NOW)
    )
    request = SealedRequest(b"", ITI_38_REQUEST, asked.message_id, asked.signature_values)
    answer = open_answer(
        (SAMPLES / "cxf_query_answer.xml").read_bytes(), Trust(), request=request, now=CXF_NOW
    )
    assert (answer.kind, answer.signer) == (ITI_38_ANSWER, None)
    with pytest.raises(SecurityRefused, match="did not send"):
        open_answer(
            (SAMPLES / "cxf_query_answer.xml").read_bytes(),
            Trust(),
            request=SealedRequest(b"", ITI_38_REQUEST, asked.message_id, ("QUJD",)),
            now=CXF_NOW + timedelta(minutes=1),
        )


def test_a_fault_of_cxf_is_read() -> None:
    data = (SAMPLES / "cxf_security_fault.xml").read_bytes()
    with pytest.raises(SoapFault) as fault:
        answered(data, a_request())
    assert (fault.value.code, fault.value.text) == ("Sender", "SAML signature validation failed")
