"""A whole envelope as it crosses the wire: sealed when it leaves, opened when it comes.

Both edges use only this. Attachments never pass here: they stream through `mtom` beside it.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from hashlib import sha256
from typing import Final

from cryptography import x509
from lxml import etree

from ccda.errors import MalformedXml
from ccda.safe_xml import Element, in_utf8, serialize_xml
from ccda.values import quickly_made
from ihe.correlation import read_time_to_live, write_time_to_live
from ihe.errors import IheError, MalformedMessage, SecurityRefused, UnexpectedMessage
from ihe.key_info import read_base64
from ihe.namespaces import name
from ihe.saml import Assertion
from ihe.soap import (
    ANONYMOUS,
    ENVELOPE_LIMIT_BYTES,
    MESSAGE_KINDS,
    NOBODY,
    Addressing,
    MessageKind,
    WrittenPayload,
    fault_action,
    find_fault,
    parse_envelope,
    read_addressing,
    read_envelope,
    read_kind,
    write_answer,
    write_envelope,
    write_fault,
    written,
)
from ihe.trust import SigningKey, Trust
from ihe.ws_security import DEFAULT_LIFETIME, answer_security, sign_request
from ihe.ws_verification import (
    DEFAULT_SKEW,
    CheckedRequest,
    Expectations,
    check_answer,
    check_request,
)

_SIGNATURE_OR_COMMENT: Final = re.compile(rb"<!--|<\?|</?(?:[A-Za-z_][\w.-]*:)?Signature(?=[\s>])")


@dataclass(frozen=True, slots=True)
class SealedRequest:
    """A request ready to be sent, and what its answer must refer to and confirm."""

    envelope: bytes
    kind: MessageKind
    message_id: str
    signature_values: tuple[str, ...]


@quickly_made
@dataclass(frozen=True, slots=True)
class OpenedRequest:
    """A request whose sender is verified. `body` is the payload, trusted as far as the TLS peer.

    `reply_to` and `fault_to` are the sender's word: the anonymous address, or one to be looked up,
    never simply called; so is what else stands in the `header`. No second message of the same TLS
    peer may have this `replay_key` until `security.fresh_until`.
    """

    kind: MessageKind
    message_id: str
    to: str | None
    reply_to: str
    body: Element
    security: CheckedRequest
    replay_key: bytes
    header: Element
    fault_to: str = ANONYMOUS

    @property
    def action(self) -> str:
        return self.kind.action

    @property
    def transaction(self) -> str:
        return self.kind.transaction

    @property
    def assertion(self) -> Assertion:
        return self.security.assertion

    @property
    def signer(self) -> x509.Certificate:
        return self.security.signer

    @property
    def signature_values(self) -> tuple[str, ...]:
        """What the answer confirms."""
        return self.security.signature_values


@dataclass(frozen=True, slots=True)
class Unopened:
    """What a refused request says of itself: for the fault that answers it, and nothing else."""

    message_id: str | None
    signature_values: tuple[str, ...] | None


@dataclass(frozen=True, slots=True)
class Related:
    """What an unopened answer says of itself: nothing of it is believed yet."""

    action: str
    relates_to: str


@dataclass(frozen=True, slots=True)
class OpenedAnswer:
    """An answer that belongs to our request. `signer` is None if the partner signs no answers.

    `time_to_live` is how long an ITI-55 answer may be used again; None means that it may not.
    """

    kind: MessageKind
    message_id: str | None
    body: Element
    signer: x509.Certificate | None
    time_to_live: timedelta | None = None
    chain: tuple[x509.Certificate, ...] = ()


# ---- requests --------------------------------------------------------------------------------


def seal_request(
    body: Element,
    *,
    kind: MessageKind,
    to: str,
    message_id: str,
    assertion: Assertion,
    signing_key: SigningKey,
    now: datetime,
    reply_to: str = ANONYMOUS,
    fault_to: str | None = None,
    lifetime: timedelta = DEFAULT_LIFETIME,
) -> SealedRequest:
    """A request of ours; `body` moves into it. Its answer goes to `reply_to`, by default back.

    Raises:
        ValueError: `body` is not the one that `kind` demands.
    """
    _demand_root(kind, body)
    addressing = Addressing(
        kind.action, message_id=message_id, to=to, reply_to=reply_to, fault_to=fault_to
    )
    envelope = write_envelope(addressing, body)
    values = sign_request(
        envelope, assertion=assertion, signing_key=signing_key, now=now, lifetime=lifetime
    )
    return SealedRequest(serialize_xml(envelope), kind, message_id, values)


def open_request(
    data: bytes,
    trust: Trust,
    expected: Expectations,
    *,
    limit_bytes: int = ENVELOPE_LIMIT_BYTES,
) -> OpenedRequest:
    """The request in an envelope, and who asks.

    Raises:
        MalformedMessage: it is no request of a transaction that we know.
        NotUnderstood: it demands a header that we do not know.
        SecurityRefused: its sender is not proven.
    """
    _refuse_comments_in_signatures(data)
    envelope = read_envelope(parse_envelope(data, limit_bytes=limit_bytes))
    security = check_request(envelope.header, trust, expected)
    kind = read_kind(envelope)
    if kind.role != "request":
        raise UnexpectedMessage("the message is an answer; this is where requests are taken")
    addressing = envelope.addressing
    if addressing.message_id is None:
        # WS-Addressing 1.0 Core: 3.4: an answer is due, and must say to what.
        raise MalformedMessage(
            "wsa:MessageID is missing", subcode="wsa:MessageAddressingHeaderRequired"
        )
    return OpenedRequest(
        kind,
        addressing.message_id,
        addressing.to,
        addressing.reply_to or ANONYMOUS,
        envelope.payload,
        security,
        replay_key(security.proof, addressing.message_id, envelope.body),
        envelope.header,
        _fault_to(addressing),
    )


def _fault_to(addressing: Addressing) -> str:
    """WS-Addressing 1.0 Core: 3.4: where answers go is where faults go, unless it is said.

    That nobody takes an answer is itself refused, and its sender is to hear so.
    """
    reply_to = addressing.reply_to
    return addressing.fault_to or (None if reply_to == NOBODY else reply_to) or ANONYMOUS


def replay_key(proof: str, message_id: str, body: Element) -> bytes:
    """What no second message of one TLS peer may share while it is fresh (DECISIONS 3).

    Raises:
        MalformedMessage: the body declares a namespace that is no URI.
    """
    try:
        content = etree.tostring(body, method="c14n", exclusive=True)
    except etree.C14NError:
        raise MalformedMessage("the SOAP body has no canonical form") from None
    digest = sha256(read_base64(proof))
    # Lengths first: no two triples may run together into the same bytes.
    for part in (message_id.encode(), content):
        digest.update(len(part).to_bytes(8, "big"))
        digest.update(part)
    return digest.digest()


def read_unopened(data: bytes) -> Unopened:
    """What a refused request says of itself, as far as it can be read at all.

    WSS4J throws a fault away, and its reason with it, unless it confirms the signature of the
    request; so a fault confirms what it received, whether or not that was worth anything.
    """
    try:
        envelope = read_envelope(parse_envelope(data))
    except IheError:
        return Unopened(None, None)
    path = "wsse:Security/ds:Signature/ds:SignatureValue"
    found = envelope.header.findall("/".join(name(step) for step in path.split("/")))
    values = tuple("".join((value.text or "").split()) for value in found)
    return Unopened(envelope.addressing.message_id, values)


def read_related(data: bytes) -> Related | None:
    """Of an answer or a fault, the request that it says it is about; None of any other message.

    Nothing is verified by this: it is for finding out what the message is to be opened with.

    Raises:
        MalformedMessage, MessageTooLarge: it cannot be read.
    """
    if not may_relate(data):
        return None
    header = parse_envelope(data, limit_bytes=len(data) + 1).find(name("soap:Header"))
    addressing = None if header is None else read_addressing(header)
    if addressing is None or addressing.relates_to is None:
        return None
    kind = MESSAGE_KINDS.get(addressing.action)
    if kind is not None and kind.role == "request":
        return None
    return Related(addressing.action, addressing.relates_to)


def may_relate(data: bytes) -> bool:
    """False if `read_related` would say None at once; for whoever would start a thread for it."""
    return b"RelatesTo" in _readable(data)


# ---- answers ---------------------------------------------------------------------------------


def seal_answer(
    body: Element | WrittenPayload,
    *,
    kind: MessageKind,
    relates_to: str,
    message_id: str,
    confirmations: Sequence[str],
    signing_key: SigningKey | None,
    now: datetime,
    to: str = ANONYMOUS,
    time_to_live: timedelta | None = None,
    lifetime: timedelta = DEFAULT_LIFETIME,
) -> bytes:
    """Our answer to the request `relates_to`, which had the signatures `confirmations`.

    `time_to_live` lets the peer use an ITI-55 answer again for as long.

    Raises:
        ValueError: `body` is not the one that `kind` demands.
    """
    _demand_root(kind, body)
    addressing = Addressing(kind.action, message_id=message_id, to=to, relates_to=relates_to)
    granted = "" if time_to_live is None else write_time_to_live(time_to_live)
    security = answer_security(
        confirmations=confirmations, signing_key=signing_key, now=now, lifetime=lifetime
    )
    payload = body if isinstance(body, WrittenPayload) else written(body)
    return write_answer(addressing, f"{granted}{security}", payload)


def seal_fault(
    error: IheError,
    *,
    relates_to: str | None,
    message_id: str,
    confirmations: Sequence[str] | None = None,
    signing_key: SigningKey | None,
    now: datetime,
    to: str = ANONYMOUS,
) -> bytes:
    """The fault by which a peer learns of `error`; it says `error.said` and nothing else.

    What it relates to and confirms comes from the opened request, else from `read_unopened`.
    """
    return seal_again(
        write_fault(error),
        action=fault_action(error),
        relates_to=relates_to,
        message_id=message_id,
        confirmations=confirmations,
        signing_key=signing_key,
        now=now,
        to=to,
    )


def seal_again(
    payload: Element,
    *,
    action: str,
    relates_to: str | None,
    message_id: str,
    confirmations: Sequence[str] | None,
    signing_key: SigningKey | None,
    now: datetime,
    to: str,
) -> bytes:
    """A fault that was written before, under its `action`, in an envelope that is fresh now."""
    addressing = Addressing(action, message_id=message_id, to=to, relates_to=relates_to)
    security = answer_security(confirmations=confirmations, signing_key=signing_key, now=now)
    return write_answer(addressing, security, written(payload))


def open_answer(
    data: bytes,
    trust: Trust,
    *,
    request: SealedRequest,
    now: datetime,
    skew: timedelta = DEFAULT_SKEW,
    confirmation_required: bool = True,
    limit_bytes: int = ENVELOPE_LIMIT_BYTES,
) -> OpenedAnswer:
    """The partner's answer to `request`.

    Raises:
        SoapFault: the partner answered with a fault, in whatever dress.
        MalformedMessage: it is not the answer of the transaction, or to another message.
        NotUnderstood: it demands a header that we do not know.
        SecurityRefused: it is stale, does not confirm our signature, or somebody else signed it.
    """
    root = parse_envelope(data, limit_bytes=limit_bytes)
    fault = find_fault(root)
    if fault is not None:
        raise fault
    _refuse_comments_in_signatures(data)
    envelope = read_envelope(root)
    checked = check_answer(
        envelope.header,
        trust,
        sent=request.signature_values,
        now=now,
        skew=skew,
        confirmation_required=confirmation_required,
    )
    kind = read_kind(envelope)
    if kind.role != "answer" or kind.transaction != request.kind.transaction:
        raise UnexpectedMessage("the message is no answer of the transaction")
    if envelope.addressing.relates_to != request.message_id:
        raise UnexpectedMessage("the answer relates to another message than our request")
    return OpenedAnswer(
        kind,
        envelope.addressing.message_id,
        envelope.payload,
        checked.signer,
        read_time_to_live(envelope.header),
        checked.chain,
    )


def _demand_root(kind: MessageKind, body: Element | WrittenPayload) -> None:
    if body.tag != kind.root:
        raise ValueError("the body is not the one that the action demands")


def _readable(data: bytes) -> bytes:
    """The message for whoever looks for words in it, whichever of Unicode's encodings it is in."""
    try:
        return in_utf8(data)
    except MalformedXml:
        return data  # whoever parses it will say so


def _refuse_comments_in_signatures(given: bytes) -> None:
    """Our parser drops comments, so one cannot hide anything; whoever puts one in means to."""
    data = _readable(given)
    # Behind the XML declaration most messages have no question mark at all.
    if b"!--" not in data and data.rfind(b"?") < data.find(b">"):
        return
    depth = 0
    for token in _SIGNATURE_OR_COMMENT.finditer(data):
        text = token.group()
        if text.startswith((b"<!--", b"<?")):
            if depth > 0:
                raise SecurityRefused("a Signature holds a comment")
        else:
            depth += -1 if text.startswith(b"</") else 1
