"""What an answer breaks of the rules of its transaction: each with its place in the standard.

Reading is liberal elsewhere; here everything that is not as the book has it is said, for the one
who wrote it. A fragment shows the element at fault without anything that could name a person.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from lxml import etree

from ccda.hl7v3 import v3
from ccda.safe_xml import Element
from ihe.errors import MalformedMessage, MessageTooLarge
from ihe.identifiers import HomeCommunityId
from ihe.namespaces import SOAP_1_1, WSA, name
from ihe.registry_answer_rules import query_deviations, retrieve_deviations
from ihe.rule_breaking import Deviation, fragment
from ihe.saml import read_time
from ihe.soap import MESSAGE_KINDS, MessageKind, find_fault, parse_envelope

__all__ = ["FAULT", "Asked", "Deviation", "answer_deviations", "fragment", "result_deviations"]

FAULT: Final = "a well-formed request is answered with a SOAP fault"
_SOAP: Final = "ITI TF-2: V.3.2 (SOAP 1.2)"
_ADDRESSING: Final = "ITI TF-2: V.3.1 (WS-Addressing 1.0)"
_SECURITY: Final = "NHIN Messaging Platform; WS-Security 1.1: 8.5 (Signature Confirmation)"
_TIMESTAMP: Final = "WS-Security 1.1: 10 (Timestamp)"
_DISCOVERY: Final = "ITI TF-2: 3.55.4.2.2"
_LOCATION: Final = "XCPD Health Data Locator and Revoke: 3.56.4.2.2"


@dataclass(frozen=True, slots=True)
class Asked:
    """The request that is answered, as far as its answer must refer to it."""

    kind: MessageKind
    message_id: str
    community: HomeCommunityId
    body: Element
    signature_values: tuple[str, ...] = ()


def answer_deviations(
    data: bytes, asked: Asked, *, now: datetime, skew: timedelta
) -> Iterator[Deviation]:
    """In the order of the message: envelope, addressing, security, body."""
    try:
        root = parse_envelope(data, limit_bytes=64 * 1024 * 1024)
    except (MalformedMessage, MessageTooLarge) as error:
        yield Deviation(_SOAP, f"the answer is no XML that can be read: {error.reason}")
        return
    if root.tag == f"{{{SOAP_1_1}}}Envelope":
        yield Deviation(_SOAP, "the answer is a SOAP 1.1 envelope", fragment(root))
    elif root.tag != name("soap:Envelope"):
        yield Deviation(_SOAP, "the answer is no SOAP envelope", fragment(root))
        return
    fault = find_fault(root)
    if fault is not None:
        said = next(root.iter("{*}Fault"))
        yield Deviation(_SOAP, FAULT, fragment(said))
        return
    header, body = root.find(name("soap:Header")), root.find(name("soap:Body"))
    yield from _addressing(header, asked)
    yield from _security(header, asked, now, skew)
    payload = None if body is None or not len(body) else body[0]
    yield from _body(payload, asked)


def _addressing(header: Element | None, asked: Asked) -> Iterator[Deviation]:
    def texts(local: str) -> list[Element]:
        return [] if header is None else header.findall(f"{{{WSA}}}{local}")

    expected = {
        kind.action
        for kind in MESSAGE_KINDS.values()
        if kind.role == "answer" and kind.transaction == asked.kind.transaction
    }
    action, relates = texts("Action"), texts("RelatesTo")
    if len(action) != 1 or _text(action[0]) not in expected:
        said = fragment(action[0] if action else header)
        yield Deviation(_ADDRESSING, "wsa:Action is not that of the answer", said)
    if len(relates) != 1 or _text(relates[0]) != asked.message_id:
        said = fragment(relates[0] if relates else header)
        yield Deviation(_ADDRESSING, "wsa:RelatesTo is not the request's wsa:MessageID", said)
    if not texts("MessageID"):
        yield Deviation(_ADDRESSING, "wsa:MessageID is missing", fragment(header))


def _security(
    header: Element | None, asked: Asked, now: datetime, skew: timedelta
) -> Iterator[Deviation]:
    found = [] if header is None else header.findall(name("wsse:Security"))
    if len(found) != 1:
        text = f"there are {len(found)} wsse:Security headers, not one"
        yield Deviation(_SECURITY, text, fragment(header))
        return
    (security,) = found
    timestamp = security.find(name("wsu:Timestamp"))
    if timestamp is None:
        yield Deviation(_TIMESTAMP, "wsu:Timestamp is missing", fragment(security))
    else:
        yield from _timestamp(timestamp, now, skew)
    if security.find(name("ds:Signature")) is None:
        yield Deviation(_SECURITY, "the Timestamp of the answer is not signed", fragment(security))
    confirmations = security.findall(name("wsse11:SignatureConfirmation"))
    values = {one.get("Value") for one in confirmations}
    if not confirmations:
        text = "wsse11:SignatureConfirmation is missing"
        yield Deviation(_SECURITY, text, fragment(security))
    elif asked.signature_values and asked.signature_values[0] not in values:
        text = "wsse11:SignatureConfirmation does not confirm the request's signature"
        yield Deviation(_SECURITY, text, fragment(confirmations[0]))


def _timestamp(timestamp: Element, now: datetime, skew: timedelta) -> Iterator[Deviation]:
    created = read_time(timestamp.findtext(name("wsu:Created")))
    if created is None:
        yield Deviation(_TIMESTAMP, "wsu:Created is missing or no time", fragment(timestamp))
        return
    off = (created - now).total_seconds()
    if abs(off) > skew.total_seconds():
        way = "ahead of" if off > 0 else "behind"
        text = f"the clock is {abs(off):.0f} s {way} ours (wsu:Created)"
        yield Deviation(_TIMESTAMP, text, fragment(timestamp.find(name("wsu:Created"))))


def _body(payload: Element | None, asked: Asked) -> Iterator[Deviation]:
    roots = {
        kind.root
        for kind in MESSAGE_KINDS.values()
        if kind.role == "answer" and kind.transaction == asked.kind.transaction
    }
    if payload is None or payload.tag not in roots:
        said = None if payload is None else fragment(payload)
        yield Deviation(_SOAP, "the SOAP body is not the answer of the transaction", said)
    elif asked.kind.transaction == "ITI-55":
        yield from _discovery(payload, asked)
    elif asked.kind.transaction == "ITI-56":
        yield from _locations(payload, asked)
    elif asked.kind.transaction == "ITI-38":
        yield from query_deviations(payload, asked.community)
    elif asked.kind.transaction == "ITI-39":
        yield from retrieve_deviations(payload, asked.community)


def _locations(message: Element, asked: Asked) -> Iterator[Deviation]:
    """XCPD Health Data Locator: 3.56.4.2.2, and its schema."""
    given = message.findall("{*}PatientLocationResponse")
    if not given:
        yield Deviation(_LOCATION, "the answer names no location", fragment(message))
    wanted = asked.body.find("{*}RequestedPatientId")
    who = None if wanted is None else dict(wanted.attrib)
    for one in given:
        home, there, named = (
            one.find(f"{{*}}{step}")
            for step in ("HomeCommunityId", "CorrespondingPatientId", "RequestedPatientId")
        )
        if home is None or not (home.text or "").strip().startswith("urn:oid:"):
            yield Deviation(_LOCATION, "HomeCommunityId is no urn:oid: URI", fragment(one))
        if there is None or not (there.get("root") and there.get("extension")):
            text = "CorrespondingPatientId has no root and extension"
            yield Deviation(_LOCATION, text, fragment(one))
        if named is None or dict(named.attrib) != who:
            text = "RequestedPatientId is not the one that was asked for"
            yield Deviation(_LOCATION, text, fragment(one))


def result_deviations(message: Element, asked: Asked) -> Iterator[Deviation]:
    """Of a deferred result, which is a message of its own: what its body breaks."""
    yield from _discovery(message, asked)


def _discovery(message: Element, asked: Asked) -> Iterator[Deviation]:
    act = _find(message, "controlActProcess")
    for path, wanted in (
        ("interactionId", ("extension", "PRPA_IN201306UV02")),
        ("acknowledgement/typeCode", ("code", None)),
        ("sender/device", None),
        ("receiver/device", None),
        ("controlActProcess/code", ("code", "PRPA_TE201306UV02")),
        ("controlActProcess/queryAck/queryId", None),
        ("controlActProcess/queryAck/queryResponseCode", ("code", None)),
        ("controlActProcess/queryByParameter", None),
    ):
        found = _find(message, path)
        if found is None:
            yield Deviation(
                _DISCOVERY, f"{path} is missing", fragment(message if act is None else act)
            )
        elif wanted is not None and not _is(found, *wanted):
            yield Deviation(_DISCOVERY, f"{path} is not {wanted[1] or 'stated'}", fragment(found))
    for path, theirs in (
        ("controlActProcess/queryAck/queryId", "controlActProcess/queryByParameter/queryId"),
        ("acknowledgement/targetMessage/id", "id"),
    ):
        answered, request = _find(message, path), _find(asked.body, theirs)
        if answered is not None and request is not None and not _same_id(answered, request):
            yield Deviation(_DISCOVERY, f"{path} is not that of the request", fragment(answered))
    for subject in message.iter(v3("registrationEvent")):
        yield from _registration(subject)


def _registration(event: Element) -> Iterator[Deviation]:
    ids = event.findall("/".join(v3(step) for step in ("subject1", "patient", "id")))
    if len(ids) != 1:
        yield Deviation(_DISCOVERY, f"a patient has {len(ids)} ids, not one", fragment(event))
    custodian = _find(event, "custodian/assignedEntity")
    if custodian is None or _find(custodian, "id") is None:
        yield Deviation(
            _DISCOVERY, "custodian with the home community id is missing", fragment(event)
        )
    elif _find(custodian, "code") is None:
        text = "custodian says not whether it is a NotHealthDataLocator"
        yield Deviation(_DISCOVERY, text, fragment(custodian))
    if not list(event.iter(v3("queryMatchObservation"))):
        yield Deviation(_DISCOVERY, "queryMatchObservation is missing", fragment(event))


def _find(parent: Element, path: str) -> Element | None:
    return parent.find("/".join(v3(step) for step in path.split("/")))


def _is(element: Element, attribute: str, value: str | None) -> bool:
    stated = element.get(attribute)
    return bool(stated) if value is None else stated == value


def _same_id(one: Element, other: Element) -> bool:
    return all(one.get(part) == other.get(part) for part in ("root", "extension"))


def _text(element: Element) -> str:
    return str(etree.XPath("string()")(element)).strip()
