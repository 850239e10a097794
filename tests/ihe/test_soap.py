"""Envelopes, addressing and faults, in every dress that peers give them."""

from pathlib import Path

import pytest
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
    VersionMismatch,
)
from ihe.soap import (
    ADDRESSING_FAULT_ACTION,
    ANONYMOUS,
    FAULT_ACTION,
    ITI_38_REQUEST,
    MESSAGE_KINDS,
    Addressing,
    Envelope,
    MessageKind,
    fault_action,
    find_fault,
    http_status,
    parse_envelope,
    read_envelope,
    read_kind,
    write_envelope,
    write_fault,
)

SOAP = "http://www.w3.org/2003/05/soap-envelope"
SOAP_1_1 = "http://schemas.xmlsoap.org/soap/envelope/"
SPACES = (
    f'xmlns:s="{SOAP}" xmlns:a="http://www.w3.org/2005/08/addressing" '
    'xmlns:q="urn:oasis:names:tc:ebxml-regrep:xsd:query:3.0"'
)
ACTION = "<a:Action>urn:ihe:iti:2007:CrossGatewayQuery</a:Action>"


def message(header: str = ACTION, body: str = "<q:AdhocQueryRequest/>") -> bytes:
    return (
        f"<s:Envelope {SPACES}><s:Header>{header}</s:Header><s:Body>{body}</s:Body></s:Envelope>"
    ).encode()


def read(data: bytes) -> Envelope:
    return read_envelope(parse_envelope(data))


def test_what_is_written_is_read_back() -> None:
    addressing = Addressing(
        ITI_38_REQUEST.action, "urn:uuid:1", "https://a.example/", ANONYMOUS, "urn:uuid:0"
    )
    root = write_envelope(addressing, etree.Element(ITI_38_REQUEST.root))
    envelope = read(etree.tostring(root))
    assert envelope.addressing == addressing
    assert read_kind(envelope) == ITI_38_REQUEST


def test_what_the_receiver_must_understand_is_marked() -> None:
    root = write_envelope(Addressing("urn:x", to="urn:y"), etree.Element("x"))
    marked = root.xpath("//*[@s:mustUnderstand='1']", namespaces={"s": SOAP})
    assert [etree.QName(element).localname for element in marked] == ["Action", "To"]


def test_line_breaks_inside_addresses_are_trimmed() -> None:
    header = (
        "<a:To>\n  https://a.example/\n</a:To><a:Action>\n urn:x\n</a:Action>"
        "<a:ReplyTo><a:Address> urn:r </a:Address></a:ReplyTo><a:MessageID/>"
    )
    assert read(message(header)).addressing == Addressing(
        "urn:x", None, "https://a.example/", "urn:r"
    )


@pytest.mark.parametrize("kind", MESSAGE_KINDS.values(), ids=lambda kind: kind.action)
def test_each_action_demands_its_own_body(kind: MessageKind) -> None:
    root = write_envelope(Addressing(kind.action), etree.Element(kind.root))
    assert read_kind(read_envelope(root)) == kind
    other = write_envelope(Addressing(kind.action), etree.Element("{urn:example}Other"))
    with pytest.raises(UnexpectedMessage, match="not the one that its wsa:Action demands"):
        read_kind(read_envelope(other))


def test_an_action_that_is_none_of_ours_is_refused() -> None:
    with pytest.raises(UnexpectedMessage) as error:
        read_kind(read(message("<a:Action>urn:ihe:iti:2007:Other</a:Action>")))
    assert error.value.subcode == "wsa:ActionNotSupported"


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "the message is empty"),
        (b" \r\n ", "the message is empty"),
        (b"<html><body/></html>", "the root element is no SOAP 1.2 envelope"),
        (b"not xml", "the envelope cannot be read: the XML is not well-formed"),
        (b"<!DOCTYPE x><x/>", "the envelope cannot be read: a DOCTYPE is not accepted"),
        (message(body=""), "the SOAP body is empty"),
        (message(body="only text"), "the SOAP body is empty"),
        (message(body="<x/><y/>"), "the SOAP body has more than one child"),
        (message(header=""), "wsa:Action is missing"),
        (message(header="<a:Action> </a:Action>"), "wsa:Action is missing"),
        (message(header=ACTION + ACTION), "wsa:Action stands more than once"),
        (
            message(ACTION + "<a:ReplyTo/><a:ReplyTo/>"),
            "wsa:ReplyTo stands more than once",
        ),
        (
            f"<s:Envelope {SPACES}><s:Body><x/></s:Body></s:Envelope>".encode(),
            "the envelope has not exactly one soap:Header",
        ),
        (
            f"<s:Envelope {SPACES}><s:Header>{ACTION}</s:Header></s:Envelope>".encode(),
            "the envelope has not exactly one soap:Body",
        ),
        (
            message(ACTION + '<i:Include xmlns:i="http://www.w3.org/2004/08/xop/include"/>'),
            "a header holds an xop:Include",
        ),
        (
            message(
                body='<x><i:Include xmlns:i="http://www.w3.org/2004/08/xop/include" '
                'href="http://mallory.example/"/></x>'
            ),
            "an xop:Include refers to something other than a part",
        ),
    ],
)
def test_what_is_no_message_is_refused_in_words(data: bytes, reason: str) -> None:
    with pytest.raises(MalformedMessage) as error:
        read(data)
    assert error.value.reason == error.value.said == reason


def test_an_action_of_an_older_addressing_does_not_count() -> None:
    older = "http://schemas.xmlsoap.org/ws/2004/08/addressing"
    with pytest.raises(MalformedMessage, match="wsa:Action is missing"):
        read(message(f'<a:Action xmlns:a="{older}">urn:x</a:Action>'))


def test_a_soap_1_1_envelope_is_another_version() -> None:
    data = message().replace(SOAP.encode(), SOAP_1_1.encode())
    with pytest.raises(VersionMismatch) as error:
        read(data)
    assert error.value.fault_code == "VersionMismatch"


def test_an_envelope_over_the_limit_is_refused() -> None:
    with pytest.raises(MessageTooLarge):
        parse_envelope(message(), limit_bytes=100)
    with pytest.raises(MessageTooLarge):
        parse_envelope(b"<x>" * 300 + b"</x>" * 300)


# ---- mustUnderstand --------------------------------------------------------------------------

DEMANDED = '<x:Header xmlns:x="urn:x" s:mustUnderstand="{value}"{role}/>'


@pytest.mark.parametrize("value", ["1", "true", " 1 "])
@pytest.mark.parametrize(
    "role",
    ["", ' s:role=""', f' s:role="{SOAP}/role/next"', f' s:role="{SOAP}/role/ultimateReceiver"'],
)
def test_a_header_that_must_be_understood_and_is_not_is_refused(value: str, role: str) -> None:
    with pytest.raises(NotUnderstood) as error:
        read(message(ACTION + DEMANDED.format(value=value, role=role)))
    assert error.value.fault_code == "MustUnderstand"


@pytest.mark.parametrize(
    "header",
    [
        DEMANDED.format(value="0", role=""),
        DEMANDED.format(value="false", role=""),
        DEMANDED.format(value="1", role=f' s:role="{SOAP}/role/none"'),
        DEMANDED.format(value="1", role=' s:role="urn:someone-else"'),
        '<x:Header xmlns:x="urn:x" mustUnderstand="1"/>',
        '<a:From s:mustUnderstand="1"/>',
        '<w:Security s:mustUnderstand="1" xmlns:w="http://docs.oasis-open.org/wss/2004/01/'
        'oasis-200401-wss-wssecurity-secext-1.0.xsd"/>',
    ],
)
def test_other_headers_do_no_harm(header: str) -> None:
    assert read(message(ACTION + header)).payload.tag == ITI_38_REQUEST.root


def test_what_else_a_message_relates_to_is_no_answer() -> None:
    """WS-Addressing 1.0 Core: 3.1: any number of relationships, of which one kind is a reply."""
    other = '<a:RelatesTo RelationshipType="urn:x:follows">urn:uuid:{}</a:RelatesTo>'
    reply = '<a:RelatesTo RelationshipType="http://www.w3.org/2005/08/addressing/reply">'
    others = other.format(1) + other.format(2)
    assert read(message(ACTION + others)).addressing.relates_to is None
    for own in ("<a:RelatesTo>urn:uuid:0</a:RelatesTo>", f"{reply}urn:uuid:0</a:RelatesTo>"):
        assert read(message(ACTION + others + own)).addressing.relates_to == "urn:uuid:0"
    with pytest.raises(MalformedMessage, match="stands more than once"):
        read(message(ACTION + 2 * "<a:RelatesTo>urn:uuid:0</a:RelatesTo>"))


# ---- faults ----------------------------------------------------------------------------------

FAULT = (
    "<s:Fault><s:Code><s:Value>s:Receiver</s:Value><s:Subcode><s:Value>x:y</s:Value></s:Subcode>"
    '</s:Code><s:Reason><s:Text xml:lang="de">Leider nein</s:Text>'
    '<s:Text xml:lang="en-US">Sorry, no</s:Text></s:Reason></s:Fault>'
)


@pytest.mark.parametrize(
    "header",
    [
        None,
        "",
        "<a:MessageID>urn:uuid:1</a:MessageID><a:To>urn:x</a:To>",
        f"<a:Action>{FAULT_ACTION}</a:Action>",
        "<a:Action>urn:ihe:iti:2007:X:Fault:Fault</a:Action>",
        "<a:Action>nonsense</a:Action><a:Action>twice</a:Action>",
    ],
)
def test_a_fault_is_read_in_every_dress(header: str | None) -> None:
    data = message(header or "", FAULT)
    if header is None:
        data = data.replace(b"<s:Header></s:Header>", b"")
    fault = find_fault(parse_envelope(data))
    assert fault is not None
    assert (fault.code, fault.text) == ("Receiver", "Sorry, no")


@pytest.mark.parametrize("prefix", ["", "s:"])
def test_a_soap_1_1_fault_is_read(prefix: str) -> None:
    body = (
        f"<s:Fault><{prefix}faultcode>s:Client</{prefix}faultcode>"
        f"<{prefix}faultstring>No</{prefix}faultstring></s:Fault>"
    )
    data = message("", body).replace(SOAP.encode(), SOAP_1_1.encode())
    fault = find_fault(parse_envelope(data))
    assert fault is not None
    assert (fault.code, fault.text) == ("Client", "No")


def test_a_fault_that_says_nothing_is_still_one() -> None:
    fault = find_fault(parse_envelope(message("", "<s:Fault/>")))
    assert fault is not None
    assert (fault.code, fault.text) == (None, None)


def test_an_answer_is_no_fault() -> None:
    assert find_fault(parse_envelope(message())) is None


@pytest.mark.parametrize(
    ("error", "code", "subcode", "text", "status"),
    [
        (MalformedMessage("No body."), "soap:Sender", None, "No body.", 400),
        (
            SecurityRefused("the digest differs"),
            "soap:Sender",
            "wsse:FailedCheck",
            "The security of the message could not be verified.",
            400,
        ),
        (
            SecurityRefused("too late", subcode="wsu:MessageExpired"),
            "soap:Sender",
            "wsu:MessageExpired",
            "The security of the message could not be verified.",
            400,
        ),
        (NotUnderstood("What?"), "soap:MustUnderstand", None, "What?", 400),
        (VersionMismatch("Old."), "soap:VersionMismatch", None, "Old.", 400),
        (Unavailable("Not now."), "soap:Receiver", None, "Not now.", 500),
    ],
)
def test_an_error_becomes_a_fault(
    error: IheError, code: str, subcode: str | None, text: str, status: int
) -> None:
    fault = etree.fromstring(etree.tostring(write_fault(error)))
    spaces = {"s": SOAP}
    assert fault.findtext("s:Code/s:Value", namespaces=spaces) == code
    value = fault.find("s:Code/s:Subcode/s:Value", spaces)
    if subcode is None:
        assert value is None
    else:
        assert value is not None
        assert value.text == subcode
        assert subcode.partition(":")[0] in value.nsmap
    assert fault.findtext("s:Reason/s:Text", namespaces=spaces) == text
    assert http_status(error) == status


def test_a_fault_about_addressing_has_its_own_action() -> None:
    assert fault_action(MalformedMessage("x", subcode="wsa:ActionNotSupported")) == (
        ADDRESSING_FAULT_ACTION
    )
    assert fault_action(SecurityRefused("x")) == FAULT_ACTION


def test_a_written_fault_is_read_back() -> None:
    root = write_envelope(Addressing(FAULT_ACTION), write_fault(Unavailable("Not now.")))
    fault = find_fault(parse_envelope(etree.tostring(root)))
    assert isinstance(fault, SoapFault)
    assert (fault.code, fault.text) == ("Receiver", "Not now.")


CONNECT = Path(__file__).resolve().parents[3] / "shared/samples/ihe/CONNECT"


@pytest.mark.public_samples
@pytest.mark.parametrize(
    ("file", "code"),
    [
        ("soapui_Fault__Fanout-Test__FindCandidates_Soap-Fault_01.xml", "Receiver"),
        ("soapui_Fault__Fanout-Test__FindCandidates_Soap-Fault-2_02.xml", "Server"),
    ],
)
def test_the_faults_of_connect_are_read(file: str, code: str) -> None:
    fault = find_fault(parse_envelope((CONNECT / file).read_bytes()))
    assert fault is not None
    assert fault.code == code
    assert fault.text
