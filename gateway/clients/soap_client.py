"""Outgoing SOAP over mutual TLS: signed by us, streamed, opened by `ihe.wire` (DECISIONS 23).

The envelope is written by zeep and sealed through its wsse seam; attachments of the answer go
straight to a sink, so a document of any size passes in constant memory.
"""

import asyncio
import secrets
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta
from functools import partial
from typing import Any, Final

import httpx
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import rsa
from lxml import etree

from ccda.safe_xml import Element
from gateway.clients.answer_reading import ENVELOPE_LIMIT_BYTES, Crossing, read_answer
from gateway.clients.failures import (
    BrokenOff,
    NotCalled,
    NotSoap,
    NotTrusted,
    PartnerFailed,
    PartnerLate,
    TooLarge,
    Unreachable,
)
from gateway.clients.http_transport import HttpTransport
from gateway.clients.pouring import Sink
from gateway.clients.restraint import Restraint
from gateway.clients.tls import NothingToTrust
from gateway.clients.zeep_operations import header_of, invoke
from gateway.model.partner import Partner
from gateway.model.purpose import PurposeSystem
from gateway.model.trust import RequireUnrevoked, certificate, trust_of
from ihe.correlation import grant
from ihe.errors import SecurityRefused
from ihe.mtom import MultipartWriter, Part
from ihe.saml import Assertion
from ihe.signature import Digest
from ihe.soap import (
    ITI_38_REQUEST,
    ITI_39_REQUEST,
    ITI_41_REQUEST,
    ITI_55_DEFERRED_REQUEST,
    ITI_55_DEFERRED_RESULT,
    ITI_55_REQUEST,
    ITI_56_REQUEST,
    ITI_80_REQUEST,
    MessageKind,
    find_fault,
    parse_envelope,
)
from ihe.trust import SigningKey
from ihe.wire import OpenedAnswer, SealedRequest, open_answer
from ihe.ws_security import sign_request
from ihe.wsdl import WsdlName

_OPERATIONS: Final[dict[MessageKind, tuple[WsdlName, str]]] = {
    ITI_55_REQUEST: ("xcpd", "RespondingGateway_PRPA_IN201305UV02"),
    ITI_55_DEFERRED_REQUEST: ("xcpd", "RespondingGateway_Deferred_PRPA_IN201305UV02"),
    ITI_55_DEFERRED_RESULT: ("xcpd", "InitiatingGateway_Deferred_PRPA_IN201306UV02"),
    ITI_56_REQUEST: ("xcpd", "RespondingGateway_PatientLocationQuery"),
    ITI_38_REQUEST: ("xca", "RespondingGateway_CrossGatewayQuery"),
    ITI_39_REQUEST: ("xca", "RespondingGateway_CrossGatewayRetrieve"),
    ITI_41_REQUEST: ("xdr", "DocumentRecipient_ProvideAndRegisterDocumentSet-b"),
    ITI_80_REQUEST: ("xdr", "RespondingGateway_CrossGatewayDocumentProvide"),
}
# These are sent as MTOM always (DECISIONS 23); the others have nothing to attach.
_AS_MTOM: Final = frozenset({"ITI-39", "ITI-41", "ITI-80"})
_UNCOMPRESSED: Final = {"Accept-Encoding": "identity"}


Ready = Callable[[tuple[str, ...]], Awaitable[None]]
"""Told the SignatureValues of a request that is about to leave."""


@dataclass(frozen=True, slots=True)
class Package:
    """A sealed message as HTTP content: whole, or in pieces that are made as they are sent."""

    content_type: str
    content: bytes | AsyncIterator[bytes]


def plain_package(envelope: bytes, action: str) -> Package:
    """An envelope without attachments."""
    return Package(f'application/soap+xml; charset=UTF-8; action="{action}"', envelope)


def mtom_package(envelope: bytes, action: str, parts: Iterable[Part]) -> Package:
    """An envelope with its attachments, each read only as it is sent."""
    writer = MultipartWriter(envelope, boundary=f"gw-{secrets.token_hex(16)}", action=action)

    async def pieces() -> AsyncIterator[bytes]:
        chunks = writer.chunks(parts)
        while (chunk := await asyncio.to_thread(next, chunks, None)) is not None:
            yield chunk

    return Package(writer.content_type, pieces())


@dataclass(frozen=True, slots=True)
class Looked:
    """What came of a GET: over which TLS version, and the certificate that was shown."""

    status: int
    content: bytes
    date: str | None
    tls_version: str
    certificate: x509.Certificate


@dataclass(frozen=True, slots=True)
class _Kept:
    """A connection pool, and the context it was made with."""

    context: ssl.SSLContext
    client: httpx.AsyncClient


@dataclass(frozen=True, slots=True)
class SoapClient:
    """Our side of every outgoing exchange; one a process.

    `own_key` gives the key that signs now, `context_for` the TLS context by which a partner is
    verified, the same object as long as nothing has changed, `anchors_for` the PEM
    texts of its network's anchors, `purposes_for` the code system of its network's purposes.
    """

    own_key: Callable[[], SigningKey]
    context_for: Callable[[Partner], ssl.SSLContext]
    anchors_for: Callable[[Partner], Sequence[str]]
    purposes_for: Callable[[Partner], PurposeSystem]
    require_unrevoked: RequireUnrevoked
    skew: timedelta
    message_limit_bytes: int
    restraint: Restraint = field(default_factory=Restraint)
    _connections: dict[Partner, _Kept] = field(default_factory=dict)
    _outdated: list[httpx.AsyncClient] = field(default_factory=list)

    @property
    def signing_key(self) -> SigningKey:
        """The key by which we are known now; another may follow it while we run."""
        return self.own_key()

    @property
    def issuer(self) -> str:
        """The name in which our assertions are issued: the signing certificate's subject."""
        return self.signing_key.certificate.subject.rfc4514_string()

    async def call(
        self,
        *,
        partner: Partner,
        kind: MessageKind,
        address: str,
        body: Element,
        assertion: Assertion,
        message_id: str,
        sink: Sink | None = None,
        crossing: Crossing | None = None,
        parts: Iterable[Part] = (),
    ) -> OpenedAnswer:
        """The partner's answer, once it is verified to answer this request.

        `crossing` is told of both envelopes, also where the answer is refused. `parts` are read as
        they are sent.

        Raises:
            PartnerFailed: no answer over a connection we trust, or none that is SOAP.
            IheError: an answer that is refused, a fault included.
        """
        sent = SealedRequest(b"", kind, message_id, ())
        crossing = crossing or Crossing()
        answer = await self._request(
            partner, sent, address, body, assertion, sink, crossing, parts=parts
        )
        if answer is None:
            raise NotSoap("it answered HTTP 202 without an answer, which was not asked for")
        return answer

    async def send(
        self,
        *,
        partner: Partner,
        kind: MessageKind,
        address: str,
        body: Element,
        assertion: Assertion,
        message_id: str,
        reply_to: str,
        ready: Ready,
        sink: Sink | None = None,
        crossing: Crossing | None = None,
        time_to_live: timedelta | None = None,
    ) -> OpenedAnswer | None:
        """None once the partner has taken the request; its answer will come to `reply_to`.

        `ready` is awaited with the request's SignatureValues before the first byte leaves.
        `time_to_live` is how long a deferred result may be used again. Quirk:
        some answer on the same connection all the same; then that is the answer.

        Raises:
            PartnerFailed, IheError: as of `call`; the request may have arrived or not.
        """
        sent = SealedRequest(b"", kind, message_id, ())
        later = _Later(reply_to, ready, time_to_live)
        crossing = crossing or Crossing()
        return await self._request(partner, sent, address, body, assertion, sink, crossing, later)

    async def deliver(self, *, partner: Partner, address: str, package: Package) -> None:
        """Brings an answer of ours, sealed already, to an address the partner has registered.

        Raises:
            PartnerFailed: it did not take it.
            SoapFault: it answered with a fault.
        """
        async with self._answer(partner, address, package.content_type, package.content) as given:
            if given.is_success:
                return
            envelope = await read_answer(given, None, Crossing(), self.message_limit_bytes)
        fault = find_fault(parse_envelope(envelope, limit_bytes=ENVELOPE_LIMIT_BYTES))
        if fault is not None:
            raise fault
        raise NotSoap(f"it answered HTTP {given.status_code} without a SOAP fault")

    async def look(self, *, partner: Partner, address: str) -> Looked:
        """What GET says there, as of `…?wsdl`: nobody is asked for anything.

        Raises:
            PartnerFailed: no answer over a connection we trust.
        """
        async with self._open_stream(partner, "GET", address, {}, None) as given:
            channel = given.extensions["network_stream"].get_extra_info("ssl_object")
            leaf = x509.load_der_x509_certificate(channel.getpeercert(binary_form=True))
            content = bytearray()
            async for chunk in given.aiter_raw():
                content += chunk
                if len(content) > ENVELOPE_LIMIT_BYTES:
                    raise TooLarge("its answer is larger than we take")
            date = given.headers.get("date")
            return Looked(given.status_code, bytes(content), date, channel.version() or "", leaf)

    async def _request(
        self,
        partner: Partner,
        sent: SealedRequest,
        address: str,
        body: Element,
        assertion: Assertion,
        sink: Sink | None,
        crossing: Crossing,
        later: "_Later | None" = None,
        parts: Iterable[Part] = (),
    ) -> OpenedAnswer | None:
        kind, message_id = sent.kind, sent.message_id
        values: list[str] = []
        digest = _digest(partner, self.signing_key, datetime.now(UTC).date())

        def sign(envelope: Element) -> Element:
            now = datetime.now(UTC)
            if later is not None and later.time_to_live is not None:
                grant(header_of(envelope), later.time_to_live)
            signed = sign_request(
                envelope,
                assertion=assertion,
                signing_key=self.signing_key,
                now=now,
                style=partner.profile.assertion,
                digest=digest,
            )
            values.extend(signed)
            return envelope

        async def post(url: str, envelope: Element) -> tuple[int, bytes] | None:
            crossing.request = etree.tostring(envelope)
            if later is not None:
                await later.ready(tuple(values))
            is_mtom = partner.profile.mtom == "always"
            package = _package(kind, crossing.request, parts, is_mtom=is_mtom)
            may_wait = later is not None
            return await self._post(partner, package, url, sink, crossing, may_wait=may_wait)

        wsdl, operation = _OPERATIONS[kind]
        got = await invoke(
            wsdl=wsdl,
            operation=operation,
            address=address,
            body=body,
            message_id=message_id,
            reply_to=None if later is None else later.reply_to,
            sign=sign,
            post=post,
        )
        if got is None:
            return None
        status, data = got
        # In a thread: signatures are verified, and documents may stand in the envelope.
        signed = replace(sent, signature_values=tuple(values))
        answer = await asyncio.to_thread(self._open, partner, signed, data)
        if status != 200:
            # Such a status is believed only to carry a fault, and `open_answer` found none.
            raise NotSoap(f"it answered HTTP {status} without a SOAP fault")
        return answer

    def _open(self, partner: Partner, sent: SealedRequest, data: bytes) -> OpenedAnswer:
        answer = open_answer(
            data,
            trust_of(partner, self.anchors_for(partner)),
            request=sent,
            now=datetime.now(UTC),
            skew=self.skew,
            confirmation_required=partner.profile.confirmation_required,
            limit_bytes=ENVELOPE_LIMIT_BYTES,
        )
        if answer.signer is not None:
            self.require_unrevoked(partner, answer.signer, answer.chain)
        return answer

    async def close(self) -> None:
        """Closes the connections that were kept open."""
        for connection in (*self._outdated, *(one.client for one in self._connections.values())):
            await connection.aclose()
        self._connections.clear()
        self._outdated.clear()

    # ---- one POST ----------------------------------------------------------------------------

    async def _post(
        self,
        partner: Partner,
        package: Package,
        url: str,
        sink: Sink | None,
        crossing: Crossing,
        *,
        may_wait: bool,
    ) -> tuple[int, bytes] | None:
        """The answer's status and envelope; its attachments have gone to `sink`.

        None when the request was taken and the answer comes later.
        """
        async with self._answer(partner, url, package.content_type, package.content) as response:
            if response.status_code == 202 or (may_wait and _is_empty(response)):
                return None
            limit = self.message_limit_bytes
            return response.status_code, await read_answer(response, sink, crossing, limit)

    @asynccontextmanager
    async def _answer(
        self, partner: Partner, url: str, content_type: str, content: bytes | AsyncIterator[bytes]
    ) -> AsyncIterator[httpx.Response]:
        headers = {"Content-Type": content_type}
        async with self._open_stream(partner, "POST", url, headers, content) as response:
            yield response

    @asynccontextmanager
    async def _open_stream(
        self,
        partner: Partner,
        method: str,
        url: str,
        headers: dict[str, str],
        content: bytes | AsyncIterator[bytes] | None,
    ) -> AsyncIterator[httpx.Response]:
        if not url.lower().startswith("https://"):
            raise NotCalled("its address is not https")
        try:
            connection = self._connection(partner)
            async with connection.stream(
                method,
                url,
                content=content,
                headers={**headers, "Accept": "*/*", **_UNCOMPRESSED},
                extensions={"trace": partial(self._look_at_tls, partner)},
            ) as response:
                yield response
        except NothingToTrust:
            raise NotCalled("nothing says which TLS certificate it must show") from None
        except httpx.TimeoutException:
            seconds = partner.profile.timeout_seconds
            raise PartnerLate(f"no answer within {seconds:g} s") from None
        except (httpx.ConnectError, ssl.SSLError) as error:
            # TLS 1.3 refuses our certificate only as we read, and then ssl speaks for itself.
            raise _why_not_connected(error) from None
        except httpx.InvalidURL:
            raise NotCalled("its address is not usable") from None
        except httpx.HTTPError as error:
            # Texts of the library may quote the URL, and are not repeated.
            raise _why_broken_off(error) from None

    def _connection(self, partner: Partner) -> httpx.AsyncClient:
        context = self.context_for(partner)
        kept = self._connections.get(partner)
        if kept is not None and kept.context is context:
            return kept.client
        if kept is not None:  # our certificate is another now; calls under way go on
            self._outdated.append(kept.client)
        client = httpx.AsyncClient(
            transport=HttpTransport(context),
            timeout=httpx.Timeout(partner.profile.timeout_seconds),
            trust_env=False,
            follow_redirects=False,
            headers={"User-Agent": "document-exchange-gateway"},
        )
        self._connections[partner] = _Kept(context, client)
        return client

    async def _look_at_tls(self, partner: Partner, event: str, info: dict[str, Any]) -> None:
        """Once TLS stands, and before our first byte: whether its certificate was revoked."""
        if event != "connection.start_tls.complete":
            return
        stream = info["return_value"]
        shown = stream.get_extra_info("ssl_object").getpeercert(binary_form=True)
        leaf = x509.load_der_x509_certificate(shown)
        # TLS has verified the chain and does not show it; its issuer is found from the leaf.
        chain = () if leaf in map(certificate, partner.tls_certificates) else (leaf,)
        try:
            await asyncio.to_thread(self.require_unrevoked, partner, leaf, chain)
        except SecurityRefused as refusal:
            await stream.aclose()
            raise NotTrusted(f"its TLS certificate is not trusted ({refusal.reason})") from None


@dataclass(frozen=True, slots=True)
class _Later:
    """That an answer is to come on another connection, and what to do before it can."""

    reply_to: str
    ready: Ready
    time_to_live: timedelta | None = None


def _digest(partner: Partner, key: SigningKey, today: date) -> Digest:
    """By what our signatures to the partner digest.

    Raises:
        NotCalled: its exception for SHA-1 has ended, or is none for our key.
    """
    until = partner.profile.sha1_until
    if until is None:
        return "sha256"
    if today > until:
        raise NotCalled(f"the exception by which we signed with SHA-1 for it ended on {until}")
    if not isinstance(key.private_key, rsa.RSAPrivateKey):
        raise NotCalled("the exception by which we sign with SHA-1 for it needs an RSA key of ours")
    return "sha1"


def _is_empty(response: httpx.Response) -> bool:
    """Quirk: 200 or 204 and nothing else, from those who mean 202."""
    length = response.headers.get("content-length")
    return response.is_success and (length == "0" or response.status_code == 204)


def _package(
    kind: MessageKind, envelope: bytes, parts: Iterable[Part], *, is_mtom: bool
) -> Package:
    """`is_mtom` is the partner's wish; whatever has attachments is MTOM."""
    attached = tuple(parts)
    if attached:
        return mtom_package(envelope, kind.action, attached)
    if kind.transaction not in _AS_MTOM or not is_mtom:
        return plain_package(envelope, kind.action)
    writer = MultipartWriter(envelope, boundary=f"gw-{secrets.token_hex(16)}", action=kind.action)
    return Package(writer.content_type, b"".join(writer.chunks(())))


def _why_broken_off(error: httpx.HTTPError) -> PartnerFailed:
    if isinstance(error, httpx.NetworkError | httpx.RemoteProtocolError):
        return BrokenOff("it broke the connection off before its answer was whole")
    return PartnerFailed(f"the connection failed ({type(error).__name__})")


def _why_not_connected(error: Exception) -> PartnerFailed:
    causes: Any = error
    while causes is not None:
        if isinstance(causes, ssl.SSLCertVerificationError):
            return NotTrusted(f"its TLS certificate is not trusted ({causes.verify_message})")
        if isinstance(causes, ssl.SSLError):
            return NotTrusted("the TLS handshake failed")
        causes = causes.__cause__ or causes.__context__
    return Unreachable("no connection could be made")
