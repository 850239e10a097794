"""The SOAP doors: ITI-55 at /ihe/xcpd, ITI-38 and ITI-39 at /ihe/xca (ITI TF-2: Appendix V).

Each request goes the same way: whom TLS has verified, what `ihe.wire` opens, whether it is a
replay, what the verb answers; then the record commits, and only then the first byte leaves. A
peer that is not known by then is only counted (DECISIONS 16, 17).
"""

import secrets
import time
from collections.abc import Awaitable, Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import sha256
from typing import Final, Literal
from uuid import uuid4

from cryptography import x509
from fastapi import APIRouter, Request
from fastapi.responses import Response, StreamingResponse

from ccda.hl7v3 import II, TS
from ccda.safe_xml import Element
from gateway.api.listener import PEER_CERTIFICATE
from gateway.api.partner_means import PartnerMeans
from gateway.exchange.policy import Refused, purpose_stated
from gateway.exchange.respond import Asker, Effect, discover, query, retrieve
from gateway.model.exchange import Exchange
from gateway.model.partner import Partner
from gateway.model.trust import trust_of
from gateway.store import exchange_log, partners, replay
from gateway.store.database import Transaction
from ihe.errors import IheError, MessageTooLarge, SecurityRefused, UnexpectedMessage
from ihe.metadata import ObjectRef
from ihe.mtom import MultipartReader, MultipartWriter, Part, RootPart, is_multipart
from ihe.registry_response import RegistryRefusal, RegistryResponse, ResponseStatus, status_of
from ihe.soap import (
    ENVELOPE_LIMIT_BYTES,
    ITI_38_ANSWER,
    ITI_39_ANSWER,
    ITI_55_ANSWER,
    MessageKind,
    http_status,
)
from ihe.wire import OpenedRequest, open_request, read_unopened, seal_answer, seal_fault
from ihe.ws_verification import Expectations
from ihe.wsdl import wsdl_bytes
from ihe.xca_query import (
    AdhocQueryResponse,
    read_adhoc_query_request,
    write_adhoc_query_response,
    write_stored_entries,
)
from ihe.xca_retrieve import (
    ContentId,
    RetrievedDocument,
    RetrieveDocumentSetResponse,
    read_retrieve_request,
    write_retrieve_response,
)
from ihe.xcpd import read_discovery_request, write_discovery_response

router = APIRouter(prefix="/ihe", tags=["partners"])
_SOAP: Final = "application/soap+xml; charset=UTF-8"
Door = Literal["xcpd", "xca"]


@router.get("/{door}")
async def wsdl(request: Request, door: Door) -> Response:
    """The WSDL that this door speaks, with its own address."""
    location = str(request.url.replace(query=""))
    return Response(wsdl_bytes(door, location), media_type="text/xml")


@router.post("/xcpd")
async def xcpd(request: Request) -> Response:
    """ITI-55 Cross Gateway Patient Discovery."""
    return await _answer(request, frozenset({"ITI-55"}))


@router.post("/xca")
async def xca(request: Request) -> Response:
    """ITI-38 Cross Gateway Query and ITI-39 Cross Gateway Retrieve."""
    return await _answer(request, frozenset({"ITI-38", "ITI-39"}))


# ---- one request -----------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Replied:
    """What a verb answers: the body, its attachments, and what to record."""

    kind: MessageKind
    body: Element
    effect: Effect
    parts: tuple[Part, ...] = ()


@dataclass(slots=True)
class _Visit:
    """One request at a door, and what is known of its sender so far."""

    means: PartnerMeans
    transactions: frozenset[str]
    peer: str
    started: float
    partner: Partner | None = None
    opened: OpenedRequest | None = None
    envelope: bytes = b""

    @property
    def transaction_name(self) -> str:
        return self.opened.transaction if self.opened else "/".join(sorted(self.transactions))


async def _answer(request: Request, transactions: frozenset[str]) -> Response:
    means: PartnerMeans = request.app.state.means
    certificate = _peer_certificate(request)
    peer = request.client.host if request.client else "unknown"
    visit = _Visit(means, transactions, _named(certificate, peer), time.monotonic())
    try:
        await _identify(visit, certificate)
        visit.envelope = await _read_envelope(request)
        _open(visit)
        replied = await _reply(visit)
        await _record(visit, replied.effect)
    except IheError as error:
        return await _fault(visit, error)
    return _respond(visit, replied)


def _peer_certificate(request: Request) -> bytes | None:
    der: bytes | None = request.scope.get("state", {}).get(PEER_CERTIFICATE)
    return der


def _named(der: bytes | None, address: str) -> str:
    """The peer as the wire shows it: the subject TLS verified, else its address."""
    if der is None:
        return address
    return f"{x509.load_der_x509_certificate(der).subject.rfc4514_string()} at {address}"


async def _identify(visit: _Visit, der: bytes | None) -> None:
    """The partner whose TLS certificate this is; nobody else gets further (DECISIONS 2)."""
    if der is None:
        raise SecurityRefused("no client certificate was shown")
    fingerprint = sha256(der).hexdigest()
    known = await visit.means.archive.database.read_async(
        lambda tx: partners.by_certificate(tx, fingerprint=fingerprint)
    )
    if not known:
        raise SecurityRefused("the client certificate belongs to no partner")
    visit.partner = known[0]


async def _read_envelope(request: Request) -> bytes:
    content_type = request.headers.get("content-type", "")
    reader = MultipartReader(content_type) if is_multipart(content_type) else None
    kind = content_type.partition(";")[0].strip().lower()
    # ihe-wire 2.3: partners send SOAP 1.2 as text/xml and application/xml too.
    if reader is None and kind not in ("application/soap+xml", "text/xml", "application/xml"):
        raise UnexpectedMessage("the content type is not one of SOAP 1.2")
    content = bytearray()
    async for chunk in request.stream():
        if reader is None:
            content += chunk
        else:
            for event in reader.feed(chunk):
                if isinstance(event, RootPart):
                    content += event.content
        if len(content) > ENVELOPE_LIMIT_BYTES:
            raise MessageTooLarge("the envelope is larger than we take")
    if reader is not None:
        reader.close()
    return bytes(content)


def _open(visit: _Visit) -> None:
    assert visit.partner is not None  # noqa: S101 - `_identify` has raised otherwise
    partner, means = visit.partner, visit.means
    opened = open_request(
        visit.envelope,
        trust_of(partner, means.anchors_for(partner)),
        Expectations(
            now=datetime.now(UTC),
            skew=means.skew,
            audiences=means.audiences_for(partner),
            audience_required=partner.profile.audience_required,
        ),
    )
    stated = opened.assertion.home_community_id
    if stated is not None and stated != partner.home_community_id:
        raise SecurityRefused("the assertion states another community than the certificate's")
    visit.opened = opened
    if opened.transaction not in visit.transactions:
        raise UnexpectedMessage(f"{opened.transaction} is not answered at this address")


async def _reply(visit: _Visit) -> _Replied:
    assert visit.opened is not None and visit.partner is not None  # noqa: S101
    purpose = purpose_stated(visit.opened.assertion)
    if isinstance(purpose, Refused):
        raise SecurityRefused(purpose.reason)
    asker = Asker(visit.partner, purpose)
    return await _VERBS[visit.opened.transaction](visit, visit.opened.body, asker)


# ---- the verbs on the wire -------------------------------------------------------------------


async def _discover(visit: _Visit, body: Element, asker: Asker) -> _Replied:
    means = visit.means
    request = read_discovery_request(body)
    discovery, effect = await means.archive.database.read_async(
        lambda tx: discover(tx, request, asker=asker, plans=means.plans, community=means.community)
    )
    body = write_discovery_response(
        discovery,
        request=request,
        message_id=II(str(means.community.messages), str(uuid4())),
        creation_time=TS(datetime.now(UTC).strftime("%Y%m%d%H%M%S+0000")),
        sender=means.community.home_community_id,
    )
    return _Replied(ITI_55_ANSWER, body, effect)


async def _query(visit: _Visit, body: Element, asker: Asker) -> _Replied:
    means = visit.means
    try:
        asked = read_adhoc_query_request(body)
        given, effect = await means.archive.database.read_async(
            lambda tx: query(tx, asked, asker=asker, plans=means.plans, community=means.community)
        )
    except RegistryRefusal as refusal:
        outcome = refusal.answered_by(means.community.home_community_id)
        refused = Effect("refused", reason=str(refusal))
        return _Replied(ITI_38_ANSWER, write_stored_entries(outcome, ()), refused)
    if asked.return_type == "ObjectRef":
        home = means.community.home_community_id
        references = tuple(ObjectRef(offered.entry_uuid, home) for offered in given)
        response = AdhocQueryResponse(ResponseStatus.SUCCESS, object_refs=references)
        return _Replied(ITI_38_ANSWER, write_adhoc_query_response(response), effect)
    entries = tuple(offered.entry_xml.encode() for offered in given)
    success = RegistryResponse(ResponseStatus.SUCCESS)
    return _Replied(ITI_38_ANSWER, write_stored_entries(success, entries), effect)


async def _retrieve(visit: _Visit, body: Element, asker: Asker) -> _Replied:
    means = visit.means
    try:
        request = read_retrieve_request(body)
    except RegistryRefusal as refusal:
        failure = RetrieveDocumentSetResponse(
            refusal.answered_by(means.community.home_community_id)
        )
        refused = Effect("refused", reason=str(refusal))
        return _Replied(ITI_39_ANSWER, write_retrieve_response(failure), refused)
    given, errors, effect = await means.archive.database.read_async(
        lambda tx: retrieve(tx, request, asker=asker, plans=means.plans, community=means.community)
    )
    documents, parts = [], []
    for one in given:
        cid = f"{uuid4()}@{means.community.home_community_id}"
        mime_type = one.document.mime_type or "application/octet-stream"
        documents.append(
            RetrievedDocument(
                unique_id=one.asked.unique_id,
                content=ContentId(cid),
                repository_unique_id=one.asked.repository_unique_id,
                home_community_id=one.asked.home_community_id,
                mime_type=mime_type,
            )
        )
        chunks = means.archive.chunks(one.document.plan, one.document.blob)
        parts.append(Part(cid, mime_type, chunks))
    outcome = RegistryResponse(status_of(errors, has_content=bool(given)), errors)
    response = write_retrieve_response(RetrieveDocumentSetResponse(outcome, tuple(documents)))
    return _Replied(ITI_39_ANSWER, response, effect, tuple(parts))


_VERBS: Final[dict[str, Callable[[_Visit, Element, Asker], Awaitable[_Replied]]]] = {
    "ITI-55": _discover,
    "ITI-38": _query,
    "ITI-39": _retrieve,
}


# ---- the record ------------------------------------------------------------------------------


async def _record(visit: _Visit, effect: Effect) -> None:
    """Appends the record, unless this very message was here before."""
    opened = visit.opened
    assert opened is not None  # noqa: S101 - there is nothing to answer otherwise
    exchange = _exchange(visit, effect)

    def unit(transaction: Transaction) -> bool:
        first = replay.is_first(
            transaction,
            peer=visit.peer,
            key=opened.replay_key.hex(),
            expires=opened.security.fresh_until,
            now=exchange.time,
        )
        if first:
            exchange_log.append(transaction, exchange)
        return first

    if not await visit.means.archive.database.write_async(unit):
        raise SecurityRefused("the message was received before")


def _exchange(visit: _Visit, effect: Effect) -> Exchange:
    assertion = visit.opened.assertion if visit.opened else None
    role = assertion.role if assertion else None
    purpose = assertion.purpose_of_use if assertion else None
    return Exchange(
        time=datetime.now(UTC),
        direction="in",
        transaction=visit.transaction_name,
        outcome=effect.outcome,
        plan=effect.plan,
        partner=visit.partner.id if visit.partner else None,
        peer=visit.peer,
        person=assertion.subject if assertion else None,
        role=(role.display or role.code) if role else None,
        purpose=purpose.code if purpose else None,
        authority=next(iter(assertion.access_consent_policies), None) if assertion else None,
        member=effect.member,
        documents=effect.documents,
        reason=effect.reason,
        message_id=visit.opened.message_id if visit.opened else None,
        duration_ms=round((time.monotonic() - visit.started) * 1000),
    )


async def _fault(visit: _Visit, error: IheError) -> Response:
    """The fault the peer hears, once the refusal is on record."""
    exchange = _exchange(visit, Effect("refused", reason=error.reason))
    counted = visit.opened is None
    await visit.means.archive.database.write_async(
        lambda tx: (
            exchange_log.count_refusal(tx, exchange)
            if counted
            else exchange_log.append(tx, exchange)
        )
    )
    heard = visit.opened or read_unopened(visit.envelope)
    fault = seal_fault(
        error,
        relates_to=heard.message_id,
        message_id=f"urn:uuid:{uuid4()}",
        confirmations=heard.signature_values,
        signing_key=visit.means.signing_key,
        now=datetime.now(UTC),
    )
    return Response(fault, http_status(error), media_type=_SOAP)


# ---- the answer ------------------------------------------------------------------------------


def _respond(visit: _Visit, replied: _Replied) -> Response:
    opened = visit.opened
    assert opened is not None  # noqa: S101 - as above
    envelope = seal_answer(
        replied.body,
        kind=replied.kind,
        relates_to=opened.message_id,
        message_id=f"urn:uuid:{uuid4()}",
        confirmations=opened.signature_values,
        signing_key=visit.means.signing_key,
        now=datetime.now(UTC),
    )
    if replied.kind is not ITI_39_ANSWER:
        return Response(envelope, media_type=_SOAP)
    boundary = f"gw-{secrets.token_hex(16)}"
    writer = MultipartWriter(envelope, boundary=boundary, action=replied.kind.action)
    chunks = _stream(writer, replied.parts)
    return StreamingResponse(chunks, media_type=writer.content_type)


def _stream(writer: MultipartWriter, parts: Iterable[Part]) -> Iterator[bytes]:
    """The package; starlette runs a plain iterator in a thread, so decryption blocks no loop."""
    yield from writer.chunks(parts)
