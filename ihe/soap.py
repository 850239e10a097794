"""SOAP 1.2 envelopes with WS-Addressing 1.0, and faults (SOAP 1.2 Part 1; ITI TF-2: Appendix V)."""

from dataclasses import dataclass
from functools import lru_cache
from typing import Final, Literal
from xml.sax.saxutils import escape

from lxml import etree

from ccda.errors import MalformedXml, XmlOverLimit
from ccda.safe_xml import Element, Limits, parse_xml
from ccda.values import quickly_made
from ihe.correlation import TIME_TO_LIVE
from ihe.errors import (
    IheError,
    MalformedMessage,
    MessageTooLarge,
    NotUnderstood,
    SoapFault,
    UnexpectedMessage,
    VersionMismatch,
)
from ihe.mime import read_cid_url
from ihe.namespaces import PREFIXES, SOAP, SOAP_1_1, WSA, XOP, child, children, name, spaces
from ihe.xdr_headers import ADDRESS_BLOCK, HOME_COMMUNITY_BLOCK, METADATA_LEVEL

ANONYMOUS: Final = "http://www.w3.org/2005/08/addressing/anonymous"
NOBODY: Final = "http://www.w3.org/2005/08/addressing/none"
"""What goes there is thrown away (WS-Addressing 1.0 Core: 2.1)."""
FAULT_ACTION: Final = "http://www.w3.org/2005/08/addressing/soap/fault"
ADDRESSING_FAULT_ACTION: Final = "http://www.w3.org/2005/08/addressing/fault"
ENVELOPE_LIMIT_BYTES: Final = 10 * 1024 * 1024

# Beside those of WS-Addressing; the last ones are read by `xdr_headers`.
_KNOWN_HEADERS: Final = frozenset(
    {name("wsse:Security"), TIME_TO_LIVE, ADDRESS_BLOCK, METADATA_LEVEL, HOME_COMMUNITY_BLOCK}
)
_MUST_UNDERSTAND: Final = name("soap:mustUnderstand")
_ROLE: Final = name("soap:role")
# SOAP 1.2 Part 1: 2.2: the roles that an ultimate receiver acts in; absent is one of them.
_OUR_ROLES: Final = frozenset({None, "", f"{SOAP}/role/next", f"{SOAP}/role/ultimateReceiver"})
_REPLY: Final = f"{WSA}/reply"
_INCLUDE: Final = f"{{{XOP}}}Include"
_START: Final = (
    "<?xml version='1.0' encoding='UTF-8'?>\n"
    f'<soap:Envelope xmlns:soap="{SOAP}" xmlns:wsa="{WSA}"><soap:Header>'
)
_UNDERSTOOD: Final = ' soap:mustUnderstand="1"'
_LINE_END: Final = {"\r": "&#13;"}
"""A parser would read it as another."""
_STRING: Final = etree.XPath("string()")
_XML_LANG: Final = "{http://www.w3.org/XML/1998/namespace}lang"


# ---- which message is which ------------------------------------------------------------------

Transaction = Literal["ITI-55", "ITI-56", "ITI-38", "ITI-39", "ITI-41", "ITI-80"]


@dataclass(frozen=True, slots=True)
class MessageKind:
    """One message of one transaction: its action, and the body that the action demands."""

    transaction: Transaction
    role: Literal["request", "answer"]
    action: str
    root: str


_QUERY: Final = "{urn:oasis:names:tc:ebxml-regrep:xsd:query:3.0}"
_XDS: Final = "{urn:ihe:iti:xds-b:2007}"
_V3: Final = "{urn:hl7-org:v3}"
_XCPD: Final = "{urn:ihe:iti:xcpd:2009}"
_REGISTRY_RESPONSE: Final = "{urn:oasis:names:tc:ebxml-regrep:xsd:rs:3.0}RegistryResponse"

ITI_55_REQUEST: Final = MessageKind(
    "ITI-55",
    "request",
    "urn:hl7-org:v3:PRPA_IN201305UV02:CrossGatewayPatientDiscovery",
    f"{_V3}PRPA_IN201305UV02",
)
ITI_55_ANSWER: Final = MessageKind(
    "ITI-55",
    "answer",
    "urn:hl7-org:v3:PRPA_IN201306UV02:CrossGatewayPatientDiscovery",
    f"{_V3}PRPA_IN201306UV02",
)
ITI_55_DEFERRED_REQUEST: Final = MessageKind(
    "ITI-55",
    "request",
    "urn:hl7-org:v3:PRPA_IN201305UV02:Deferred:CrossGatewayPatientDiscovery",
    f"{_V3}PRPA_IN201305UV02",
)
ITI_55_ACKNOWLEDGEMENT: Final = MessageKind(
    "ITI-55", "answer", "urn:hl7-org:v3:MCCI_IN000002UV01", f"{_V3}MCCI_IN000002UV01"
)
# ITI TF-2: 3.55.4.2: it comes as a request of its own, to the respondTo of the question.
ITI_55_DEFERRED_RESULT: Final = MessageKind(
    "ITI-55",
    "request",
    "urn:hl7-org:v3:PRPA_IN201306UV02:Deferred:CrossGatewayPatientDiscovery",
    f"{_V3}PRPA_IN201306UV02",
)
ITI_56_REQUEST: Final = MessageKind(
    "ITI-56",
    "request",
    "urn:ihe:iti:2009:PatientLocationQuery",
    f"{_XCPD}PatientLocationQueryRequest",
)
ITI_56_ANSWER: Final = MessageKind(
    "ITI-56",
    "answer",
    "urn:ihe:iti:2009:PatientLocationQueryResponse",
    f"{_XCPD}PatientLocationQueryResponse",
)
ITI_38_REQUEST: Final = MessageKind(
    "ITI-38", "request", "urn:ihe:iti:2007:CrossGatewayQuery", f"{_QUERY}AdhocQueryRequest"
)
ITI_38_ANSWER: Final = MessageKind(
    "ITI-38", "answer", "urn:ihe:iti:2007:CrossGatewayQueryResponse", f"{_QUERY}AdhocQueryResponse"
)
ITI_39_REQUEST: Final = MessageKind(
    "ITI-39",
    "request",
    "urn:ihe:iti:2007:CrossGatewayRetrieve",
    f"{_XDS}RetrieveDocumentSetRequest",
)
ITI_39_ANSWER: Final = MessageKind(
    "ITI-39",
    "answer",
    "urn:ihe:iti:2007:CrossGatewayRetrieveResponse",
    f"{_XDS}RetrieveDocumentSetResponse",
)
ITI_41_REQUEST: Final = MessageKind(
    "ITI-41",
    "request",
    "urn:ihe:iti:2007:ProvideAndRegisterDocumentSet-b",
    f"{_XDS}ProvideAndRegisterDocumentSetRequest",
)
ITI_41_ANSWER: Final = MessageKind(
    "ITI-41",
    "answer",
    "urn:ihe:iti:2007:ProvideAndRegisterDocumentSet-bResponse",
    _REGISTRY_RESPONSE,
)
ITI_80_REQUEST: Final = MessageKind(
    "ITI-80",
    "request",
    "urn:ihe:iti:2015:CrossGatewayDocumentProvide",
    f"{_XDS}ProvideAndRegisterDocumentSetRequest",
)
ITI_80_ANSWER: Final = MessageKind(
    "ITI-80",
    "answer",
    "urn:ihe:iti:2015:CrossGatewayDocumentProvideResponse",
    _REGISTRY_RESPONSE,
)

MESSAGE_KINDS: Final = {
    kind.action: kind
    for kind in (
        ITI_55_REQUEST,
        ITI_55_ANSWER,
        ITI_55_DEFERRED_REQUEST,
        ITI_55_ACKNOWLEDGEMENT,
        ITI_55_DEFERRED_RESULT,
        ITI_56_REQUEST,
        ITI_56_ANSWER,
        ITI_38_REQUEST,
        ITI_38_ANSWER,
        ITI_39_REQUEST,
        ITI_39_ANSWER,
        ITI_41_REQUEST,
        ITI_41_ANSWER,
        ITI_80_REQUEST,
        ITI_80_ANSWER,
    )
}


# ---- values ----------------------------------------------------------------------------------


@quickly_made
@dataclass(frozen=True, slots=True)
class Addressing:
    """The WS-Addressing headers (WS-Addressing 1.0 Core: 3.1)."""

    action: str
    message_id: str | None = None
    to: str | None = None
    reply_to: str | None = None
    relates_to: str | None = None
    fault_to: str | None = None


@quickly_made
@dataclass(frozen=True, slots=True)
class Envelope:
    """A SOAP 1.2 envelope as read. `payload` is the one element in `body`."""

    addressing: Addressing
    header: Element
    body: Element
    payload: Element


@quickly_made
@dataclass(frozen=True, slots=True)
class WrittenPayload:
    """A payload that is text already: `xml` is UTF-8, stands on its own, and its root is `tag`."""

    tag: str
    xml: bytes


# ---- reading ---------------------------------------------------------------------------------


def parse_envelope(data: bytes, *, limit_bytes: int = ENVELOPE_LIMIT_BYTES) -> Element:
    """The root element of `data`, which may still be anything.

    Raises:
        MalformedMessage: empty, or not XML that we take.
        MessageTooLarge: over `limit_bytes`, or over another cap on XML.
    """
    if not data.strip():
        raise MalformedMessage("the message is empty")
    try:
        return parse_xml(data, limits=_limits(limit_bytes))
    except MalformedXml as error:
        raise MalformedMessage(f"the envelope cannot be read: {error.reason}") from None
    except XmlOverLimit as error:
        raise MessageTooLarge(f"the envelope is over our limit on {error.limit}") from None


@lru_cache(maxsize=16)
def _limits(limit_bytes: int) -> Limits:
    return Limits(size_bytes=limit_bytes, text_characters=limit_bytes)


def read_envelope(root: Element) -> Envelope:
    """The envelope that `root` is.

    Raises:
        VersionMismatch: an envelope of another SOAP version.
        MalformedMessage: no envelope, or one without addressing, body or its one payload.
        NotUnderstood: a header must be understood that we do not know.
    """
    if root.tag == f"{{{SOAP_1_1}}}Envelope":
        raise VersionMismatch("the envelope is SOAP 1.1; this transaction demands SOAP 1.2")
    if root.tag != name("soap:Envelope"):
        raise MalformedMessage("the root element is no SOAP 1.2 envelope")
    header = _only(root, "soap:Header")
    body = _only(root, "soap:Body")
    payloads = [child for child in body if isinstance(child.tag, str)]
    if not payloads:
        raise MalformedMessage("the SOAP body is empty")
    if len(payloads) > 1:
        raise MalformedMessage("the SOAP body has more than one child")
    _refuse_foreign_includes(header, body)
    _refuse_not_understood(header)
    return Envelope(read_addressing(header), header, body, payloads[0])


def read_addressing(header: Element) -> Addressing:
    """The addressing headers, each at most once; other WS-Addressing versions are not looked at.

    Raises:
        MalformedMessage: `wsa:Action` is missing, or a header stands twice.
    """
    action = _header_text(header, "wsa:Action")
    if action is None:
        raise MalformedMessage(
            "wsa:Action is missing", subcode="wsa:MessageAddressingHeaderRequired"
        )
    return Addressing(
        action,
        message_id=_header_text(header, "wsa:MessageID"),
        to=_header_text(header, "wsa:To"),
        reply_to=_endpoint(header, "wsa:ReplyTo"),
        relates_to=_reply_to_what(header),
        fault_to=_endpoint(header, "wsa:FaultTo"),
    )


def _reply_to_what(header: Element) -> str | None:
    """WS-Addressing 1.0 Core: 3.1: a message may relate to any number of others; that it answers
    one is what a relationship says which names no type, or that of a reply."""
    replies = [
        related
        for related in children(header, "wsa:RelatesTo")
        if related.get("RelationshipType", _REPLY).strip() == _REPLY
    ]
    return _text(_at_most_one(replies, "wsa:RelatesTo"))


def _endpoint(header: Element, prefixed: str) -> str | None:
    reference = _one_header(header, prefixed)
    return None if reference is None else _text(child(reference, "wsa:Address"))


def read_kind(envelope: Envelope) -> MessageKind:
    """Which message it is: action and body must say the same (ITI TF-2: Appendix V.3.2).

    Raises:
        UnexpectedMessage: an action we do not know, or a body that is not the action's.
    """
    kind = MESSAGE_KINDS.get(envelope.addressing.action)
    if kind is None:
        raise UnexpectedMessage(
            "the wsa:Action is not one of this service", subcode="wsa:ActionNotSupported"
        )
    if envelope.payload.tag != kind.root:
        raise UnexpectedMessage("the body is not the one that its wsa:Action demands")
    return kind


def find_fault(root: Element) -> SoapFault | None:
    """The fault in an answer, whatever its dress: either SOAP version, any headers or none."""
    for namespace, read in ((SOAP, _read_fault), (SOAP_1_1, _read_fault_1_1)):
        fault = root.find(f"{{*}}Body/{{{namespace}}}Fault")
        if fault is not None:
            return read(fault)
    return None


def _read_fault(fault: Element) -> SoapFault:
    texts = fault.findall("soap:Reason/soap:Text", PREFIXES)
    english = [text for text in texts if text.get(_XML_LANG, "").lower().startswith("en")]
    return SoapFault(
        _local(_text(fault.find("soap:Code/soap:Value", PREFIXES))),
        _text(next(iter(english or texts), None)),
    )


def _read_fault_1_1(fault: Element) -> SoapFault:
    # SOAP 1.1: 4.4: these children are in no namespace; some senders qualify them all the same.
    return SoapFault(_local(_text(fault.find("{*}faultcode"))), _text(fault.find("{*}faultstring")))


def _only(root: Element, prefixed: str) -> Element:
    found = children(root, prefixed)
    if len(found) != 1:
        raise MalformedMessage(f"the envelope has not exactly one {prefixed}")
    return found[0]


def _one_header(header: Element, prefixed: str) -> Element | None:
    return _at_most_one(children(header, prefixed), prefixed)


def _at_most_one(found: list[Element], prefixed: str) -> Element | None:
    if len(found) > 1:
        # WS-Addressing 1.0 SOAP Binding: 6.4.1
        raise MalformedMessage(
            f"{prefixed} stands more than once", subcode="wsa:InvalidAddressingHeader"
        )
    return found[0] if found else None


def _header_text(header: Element, prefixed: str) -> str | None:
    return _text(_one_header(header, prefixed))


def _text(element: Element | None) -> str | None:
    """The text of an element, trimmed: senders break lines inside addresses. Empty is absent."""
    if element is None:
        return None
    text = element.text if len(element) == 0 else str(_STRING(element))
    return (text or "").strip() or None


def _local(qname: str | None) -> str | None:
    return None if qname is None else qname.rpartition(":")[2]


def _refuse_not_understood(header: Element) -> None:
    """SOAP 1.2 Part 1: 5.2.3: what must be understood and is not ends the processing."""
    for block in header:
        demanded = block.get(_MUST_UNDERSTAND, "").strip() in ("1", "true")
        if not demanded or block.get(_ROLE) not in _OUR_ROLES:
            continue
        known = block.tag in _KNOWN_HEADERS
        if not known and not str(block.tag).startswith(f"{{{WSA}}}"):
            raise NotUnderstood("a header marked mustUnderstand is not known to this service")


def _refuse_foreign_includes(header: Element, body: Element) -> None:
    """XOP stands in for documents only: in a header it would change what a signature covers."""
    if next(header.iter(_INCLUDE), None) is not None:
        raise MalformedMessage("a header holds an xop:Include")
    for include in body.iter(_INCLUDE):
        read_cid_url(include.get("href", ""))


# ---- writing ---------------------------------------------------------------------------------


def write_envelope(addressing: Addressing, payload: Element) -> Element:
    """An envelope around `payload`, which moves into it (WS-Addressing 1.0 SOAP Binding: 5)."""
    envelope = etree.Element(name("soap:Envelope"), nsmap=spaces("soap", "wsa"))
    header = etree.SubElement(envelope, name("soap:Header"))
    _add(header, "wsa:Action", addressing.action, must_understand=True)
    _add(header, "wsa:MessageID", addressing.message_id)
    _add(header, "wsa:RelatesTo", addressing.relates_to)
    _add(header, "wsa:To", addressing.to, must_understand=True)
    for prefixed, address in (
        ("wsa:ReplyTo", addressing.reply_to),
        ("wsa:FaultTo", addressing.fault_to),
    ):
        if address is not None:
            reference = etree.SubElement(header, name(prefixed))
            _add(reference, "wsa:Address", address)
    etree.SubElement(envelope, name("soap:Body")).append(payload)
    return envelope


def write_answer(addressing: Addressing, blocks: str, payload: WrittenPayload) -> bytes:
    """The envelope of an answer or fault, whole; `blocks` are its other headers, as text.

    A partner waits for it, and it is put together of text in a tenth of the time that it takes
    to build a tree and to write that out.
    """
    headers = (
        _header("Action", addressing.action, _UNDERSTOOD),
        _header("MessageID", addressing.message_id),
        _header("RelatesTo", addressing.relates_to),
        _header("To", addressing.to, _UNDERSTOOD),
    )
    start = f"{_START}{''.join(headers)}{blocks}</soap:Header><soap:Body>"
    return b"".join((start.encode(), payload.xml, b"</soap:Body></soap:Envelope>"))


def _header(local: str, text: str | None, attribute: str = "") -> str:
    if text is None:
        return ""
    return f"<wsa:{local}{attribute}>{escape(text, _LINE_END)}</wsa:{local}>"


def written(payload: Element) -> WrittenPayload:
    """`payload` as text."""
    return WrittenPayload(
        str(payload.tag), etree.tostring(payload, encoding="UTF-8", with_tail=False)
    )


def write_fault(error: IheError) -> Element:
    """`error` as the fault a peer reads: code, subcode and one sentence (SOAP 1.2 Part 1: 5.4)."""
    fault = etree.Element(name("soap:Fault"), nsmap=spaces("soap"))
    code = etree.SubElement(fault, name("soap:Code"))
    _add(code, "soap:Value", f"soap:{error.fault_code}")
    if error.subcode is not None:
        prefix = error.subcode.partition(":")[0]
        subcode = etree.SubElement(code, name("soap:Subcode"))
        value = etree.SubElement(subcode, name("soap:Value"), nsmap=spaces(prefix))
        value.text = error.subcode
    reason = etree.SubElement(fault, name("soap:Reason"))
    text = etree.SubElement(reason, name("soap:Text"))
    text.set(_XML_LANG, "en")
    text.text = error.said
    return fault


def fault_action(error: IheError) -> str:
    """The action of the fault that `error` becomes (WS-Addressing 1.0 SOAP Binding: 6)."""
    about_addressing = (error.subcode or "").startswith("wsa:")
    return ADDRESSING_FAULT_ACTION if about_addressing else FAULT_ACTION


def http_status(error: IheError) -> int:
    """The HTTP status that carries the fault (SOAP 1.2 Part 2: 7.5.2.2).

    Whatever the sender can mend is 400: the binding's table has 500 for a wrong version and for a
    header not understood, but a peer's mistake must not look like an outage of ours.
    """
    return 500 if error.fault_code == "Receiver" else 400


def _add(
    parent: Element, prefixed: str, text: str | None, *, must_understand: bool = False
) -> None:
    if text is None:
        return
    child = etree.SubElement(parent, name(prefixed))
    child.text = text
    if must_understand:
        child.set(_MUST_UNDERSTAND, "1")
