"""Outgoing SOAP over mutual TLS: signed by us, streamed, opened by `ihe.wire` (DECISIONS 23).

The envelope is written by zeep and sealed through its wsse seam; attachments of the answer go
straight to a sink, so a document of any size passes in constant memory.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta
from typing import Final

import httpx
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import rsa
from lxml import etree

from ccda.safe_xml import Element
from gateway.clients.answer_reading import ENVELOPE_LIMIT_BYTES, Crossing, read_answer
from gateway.clients.connections import Connections
from gateway.clients.failures import NotCalled, NotSoap, TooLarge
from gateway.clients.packages import Package, request_package
from gateway.clients.pouring import Sink
from gateway.clients.restraint import Restraint
from gateway.clients.zeep_operations import header_of, invoke
from gateway.model.partner import Partner
from gateway.model.purpose import PurposeSystem
from gateway.model.trust import RequireUnrevoked, trust_of
from ihe.correlation import grant
from ihe.mtom_writing import Part
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
_UNCOMPRESSED: Final = {"Accept-Encoding": "identity"}


Ready = Callable[[tuple[str, ...]], Awaitable[None]]
"""Told the SignatureValues of a request that is about to leave."""


@dataclass(frozen=True, slots=True)
class Looked:
    """What came of a GET: over which TLS version, and the certificate that was shown."""

    status: int
    content: bytes
    date: str | None
    tls_version: str
    certificate: x509.Certificate


@dataclass(frozen=True, slots=True)
class SoapClient:
    """Our side of every outgoing exchange; one a process.

    `own_key` gives the key that signs now, `anchors_for` the PEM texts of the anchors of a
    partner's network, `purposes_for` the code system of its purposes.
    """

    own_key: Callable[[], SigningKey]
    connections: Connections
    anchors_for: Callable[[Partner], Sequence[str]]
    purposes_for: Callable[[Partner], PurposeSystem]
    require_unrevoked: RequireUnrevoked
    skew: timedelta
    message_limit_bytes: int
    restraint: Restraint = field(default_factory=Restraint)

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
        async with self._posted(partner, address, package) as given:
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
        async with self.connections.opened(partner, "GET", address, {}, None) as given:
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
            package = request_package(kind, crossing.request, parts, is_mtom=is_mtom)
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
        await self.connections.close()

    # ---- one POST ----------------------------------------------------------------------------

    def _posted(
        self, partner: Partner, url: str, package: Package
    ) -> AbstractAsyncContextManager[httpx.Response]:
        headers = {"Content-Type": package.content_type}
        return self.connections.opened(partner, "POST", url, headers, package.content)

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
        async with self._posted(partner, url, package) as response:
            if response.status_code == 202 or (may_wait and _is_empty(response)):
                return None
            limit = self.message_limit_bytes
            return response.status_code, await read_answer(response, sink, crossing, limit)


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
