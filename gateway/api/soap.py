"""The SOAP doors: ITI-55 at /ihe/xcpd, ITI-38 and ITI-39 at /ihe/xca, ITI-41 and ITI-80 at
/ihe/xdr (ITI TF-2: Appendix V).

Each request goes the same way: whom TLS has verified, what `ihe.wire` opens, what the verb
answers, whether the message is a replay; then the record commits, and only then the first byte
leaves. A sender that is not verified by then is only counted (DECISIONS 16, 17). Opening,
answering and sealing run in a thread: an envelope may have 10 MB, and the loop waits for nobody.
A request with a ReplyTo gets 202, and its answer later; answers to ours come here as well.
"""

import asyncio
import logging
import time
import traceback
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import lru_cache, partial
from hashlib import sha256
from typing import Final, Literal
from uuid import uuid4

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from fastapi import APIRouter, Request
from fastapi.responses import Response

from gateway.api import soap_submissions
from gateway.api.partner_means import PartnerMeans
from gateway.api.peer import partners_of, require_tls
from gateway.api.proxy import client_certificate
from gateway.api.soap_answers import UnwantedAnswer, find_awaited, open_awaited, take
from gateway.api.soap_arrival import Message, Welcome, read_message
from gateway.api.soap_later import owe, owe_fault, time_to_live
from gateway.api.soap_package import Package
from gateway.api.soap_submissions import Declined
from gateway.api.soap_verbs import Replied, reply
from gateway.exchange.asker import Asker, Effect
from gateway.exchange.delegating import refuse_delegates
from gateway.exchange.keeping import Kept, keep
from gateway.exchange.on_demand import MadeMeanwhile
from gateway.exchange.policy import Refused, peer_sentence, purpose_stated
from gateway.exchange.respond_submission import Addressed, Taken
from gateway.model.exchange import Exchange
from gateway.model.later import ArrivedAnswer, AwaitedAnswer
from gateway.model.partner import Partner
from gateway.model.trust import trust_of
from gateway.store import exchange_log, replay
from gateway.store.database import Transaction
from ihe.errors import (
    IheError,
    MalformedMessage,
    SecurityRefused,
    Unavailable,
    UnexpectedMessage,
)
from ihe.soap import ANONYMOUS, ITI_39_ANSWER, http_status
from ihe.wire import (
    OpenedRequest,
    may_relate,
    open_request,
    read_related,
    read_unopened,
    seal_answer,
    seal_fault,
)
from ihe.ws_verification import Expectations
from ihe.wsdl import wsdl_bytes

log = logging.getLogger("gateway")
router = APIRouter(prefix="/ihe", tags=["partners"])
Door = Literal["xcpd", "xca", "xdr"]
_SOAP: Final = "application/soap+xml; charset=UTF-8"
_LONGEST_TEXT: Final = 1000
_CANNOT: Final = "The gateway cannot answer now."


@router.get("/{door}")
async def wsdl(request: Request, door: Door) -> Response:
    """The WSDL that this door speaks, with its own address."""
    location = str(request.url.replace(query=""))
    return Response(wsdl_bytes(door, location), media_type="text/xml")


async def xcpd(request: Request) -> Response:
    """ITI-55 Cross Gateway Patient Discovery."""
    return await _answer(request, frozenset({"ITI-55"}))


async def xca(request: Request) -> Response:
    """ITI-38 Cross Gateway Query and ITI-39 Cross Gateway Retrieve."""
    return await _answer(request, frozenset({"ITI-38", "ITI-39"}))


async def xdr(request: Request) -> Response:
    """ITI-41 Provide and Register Document Set-b, and ITI-80 Cross-Gateway Document Provide."""
    return await _answer(request, soap_submissions.TRANSACTIONS)


# Plain routes: their answers are bytes, and FastAPI takes longer to look for parameters.
router.add_route("/ihe/xcpd", xcpd, methods=["POST"])
router.add_route("/ihe/xca", xca, methods=["POST"])
router.add_route("/ihe/xdr", xdr, methods=["POST"])


# ---- one request -----------------------------------------------------------------------------


@dataclass(slots=True)
class _Visit:
    """One request at a door, and what is known of its sender so far.

    `certificate` is what TLS verified, ours or our proxy's, in DER. `partner` and `opened` are set
    together, once the sender is verified.
    """

    means: PartnerMeans
    transactions: frozenset[str]
    certificate: bytes | None
    peer: str
    started: float
    candidates: tuple[Partner, ...] = ()
    envelope: bytes = b""
    partner: Partner | None = None
    opened: OpenedRequest | None = None
    asker: Asker | None = None
    submission: Addressed | Declined | Taken | None = None
    kept: Kept = field(default_factory=Kept)

    @property
    def is_later(self) -> bool:
        """Whether the answer is to go out on a connection of its own."""
        return self.opened is not None and self.opened.reply_to != ANONYMOUS

    @property
    def fault_to(self) -> str:
        """Where a fault goes: back, unless its sender has registered the other place it names."""
        if self.opened is None or self.partner is None:
            return ANONYMOUS
        stated = self.opened.fault_to
        return stated if self.partner.endpoints.takes_replies_at(stated) else ANONYMOUS

    @property
    def transaction_name(self) -> str:
        return self.opened.transaction if self.opened else "/".join(sorted(self.transactions))


async def _answer(request: Request, transactions: frozenset[str]) -> Response:
    visit = _Visit(
        means=request.app.state.means,
        transactions=transactions,
        certificate=None,
        peer=request.client.host if request.client else "a socket file",
        started=time.monotonic(),
    )
    try:
        visit.certificate = client_certificate(request.scope, visit.means.proxy)
        await _identify(visit)
        message = await read_message(
            request,
            partial(_look, visit),
            archive=visit.means.archive,
            limit_bytes=visit.means.message_limit_bytes,
        )
        visit.envelope = message.envelope
        if message.awaited is not None:
            return await _take_answer(visit, message, message.awaited)
        if isinstance(visit.submission, Addressed | Declined):
            visit.submission = await soap_submissions.receive_submission(
                visit.submission, message.parts, visit.means
            )
        replied, envelope = await _reply_on_record(visit)
    except IheError as error:
        return await _fault(visit, error)
    except Exception as error:  # the door: no stack trace and no bare 500 leaves this house
        _log(error)
        return await _fault(visit, Unavailable(_CANNOT))
    if visit.is_later:
        return Response(status_code=202)
    if replied.kind is not ITI_39_ANSWER:
        return Response(envelope, media_type=_SOAP)
    broken = partial(_record_broken, visit, replied.effects)
    return Package(envelope, replied.parts, action=replied.kind.action, broken=broken)


async def _reply_on_record(visit: _Visit) -> tuple[Replied, bytes]:
    """The answer and its envelope, once they are durable."""
    while True:
        replied, envelope = await visit.means.turns.run(partial(_reply, visit))
        with suppress(MadeMeanwhile):  # then what it gives is there, and found by the next turn
            await _record(visit, replied)
            return replied, envelope


async def _identify(visit: _Visit) -> None:
    """The partners whose TLS certificate this is; nobody else is heard (DECISIONS 2)."""
    if visit.certificate is None:
        raise SecurityRefused("no client certificate was shown")
    visit.peer = f"{_subject(visit.certificate)} at {visit.peer}"
    visit.candidates = await partners_of(visit.means, visit.certificate)
    if not visit.candidates:
        raise SecurityRefused("the client certificate belongs to no partner")


@lru_cache(maxsize=1024)
def _subject(certificate: bytes) -> str:
    return x509.load_der_x509_certificate(certificate).subject.rfc4514_string()


async def _look(visit: _Visit, envelope: bytes) -> Welcome | None:
    """What may come with the envelope: an answer that we wait for, or a submission that is let in.

    Of a question nothing is looked at before it is whole.
    """
    visit.envelope = envelope
    related = await asyncio.to_thread(read_related, envelope) if may_relate(envelope) else None
    if related is not None:
        awaited = await find_awaited(visit.means.archive.database, related, visit.candidates)
        # No other answer has attachments.
        plan = awaited.plan if awaited.transaction == "ITI-39" else None
        return Welcome(plan, awaited)
    if visit.transactions is not soap_submissions.TRANSACTIONS:
        return None
    visit.submission = await visit.means.turns.run(partial(_admit, visit))
    given = visit.submission
    return Welcome(given.plan.id if isinstance(given, Addressed) else None)


async def _take_answer(visit: _Visit, message: Message, awaited: AwaitedAnswer) -> Response:
    """202 once the answer is durable."""
    means = visit.means
    partner = next(one for one in visit.candidates if one.id == awaited.partner)

    def opened() -> ArrivedAnswer:
        require_tls(means, partner, visit.certificate or b"")
        return open_awaited(
            message.envelope,
            awaited,
            partner=partner,
            anchors=means.anchors_for(partner),
            require_unrevoked=means.require_unrevoked,
            skew=means.skew,
            transactions=visit.transactions,
            parts=message.parts,
            archive=means.archive,
        )

    answer = await asyncio.to_thread(opened)
    kept = await asyncio.to_thread(
        keep, means.archive, None, message.envelope, [awaited.plan], now=datetime.now(UTC)
    )
    if not await means.archive.database.write_async(take(awaited, answer, kept, means.queue)):
        raise UnwantedAnswer("an answer to this request came before")
    return Response(status_code=202)


# ---- in a thread -----------------------------------------------------------------------------


def _reply(visit: _Visit) -> tuple[Replied, bytes]:
    """What the verb answers, and its envelope, sealed."""
    asker, opened = _ask(visit)
    if isinstance(visit.submission, Taken | Declined):
        replied = soap_submissions.answer(opened, visit.submission, visit.means)
    else:
        replied = reply(opened, asker, visit.means)
    plans = {effect.plan for effect in replied.effects}
    envelope = seal_answer(
        replied.body,
        kind=replied.kind,
        relates_to=opened.message_id,
        message_id=f"urn:uuid:{uuid4()}",
        confirmations=opened.signature_values,
        signing_key=visit.means.signing_key,
        now=datetime.now(UTC),
        to=opened.reply_to,
        time_to_live=time_to_live(replied, visit.means),
    )
    now = datetime.now(UTC)
    visit.kept = keep(visit.means.archive, visit.envelope, envelope, plans, now=now)
    return replied, envelope


def _admit(visit: _Visit) -> Addressed | Declined:
    asker, opened = _ask(visit)
    return soap_submissions.admit(opened, asker, visit.means)


def _ask(visit: _Visit) -> tuple[Asker, OpenedRequest]:
    """Who asks, and what: verified once, and what every transaction demands of both."""
    if visit.asker is not None and visit.opened is not None:
        return visit.asker, visit.opened
    partner, opened = _open(visit)
    if opened.transaction not in visit.transactions:
        raise UnexpectedMessage(f"{opened.transaction} is not answered at this address")
    purpose = purpose_stated(opened.assertion)
    if isinstance(purpose, Refused):
        raise MalformedMessage(peer_sentence(purpose) or "The purpose of use is refused.")
    for name, address in (("reply", opened.reply_to), ("fault", opened.fault_to)):
        if address != ANONYMOUS and not partner.endpoints.takes_replies_at(address):
            # WS-Addressing 1.0 SOAP Binding: 6.4.1. We call nobody because a message says so.
            raise MalformedMessage(
                f"The {name} address is not registered for this community.",
                subcode="wsa:InvalidAddressingHeader",
            )
    speaking_as = _speaking_as(visit, partner)
    delegated: tuple[Partner, ...] | Refused = speaking_as
    if opened.assertion.query_auth_grantor is not None:
        delegated = visit.means.archive.database.read(
            lambda tx: refuse_delegates(tx, speaking_as, opened.assertion)
        )
    if isinstance(delegated, Refused):
        raise MalformedMessage(peer_sentence(delegated) or "The delegation is refused.")
    visit.asker = Asker(delegated, purpose)
    return visit.asker, opened


def _open(visit: _Visit) -> tuple[Partner, OpenedRequest]:
    """Whose request it is: the candidate whose key has signed and whose community it states."""
    refusal = SecurityRefused("the client certificate belongs to no partner")
    for partner in visit.candidates:
        try:
            opened = _open_from(visit, partner)
        except SecurityRefused as error:
            refusal = error
            continue
        visit.partner, visit.opened = partner, opened
        if opened.assertion.home_community_id in (None, partner.home_community_id):
            return partner, opened
    if visit.opened is None:
        raise refusal
    raise MalformedMessage("The assertion states another home community than the certificate's.")


def _speaking_as(visit: _Visit, verified: Partner) -> tuple[Partner, ...]:
    """The verified partner, and the same community as other plans have registered it.

    Where a plan demands other things of it, those are looked at: no other plan can waive them.
    """
    return tuple(
        one
        for one in visit.candidates
        if one.home_community_id == verified.home_community_id
        and (_demands(one) == _demands(verified) or _opens(visit, one))
    )


def _demands(partner: Partner) -> tuple[object, ...]:
    """What decides whether a message is taken for this partner's."""
    profile = partner.profile
    return (
        partner.network,
        partner.tls_certificates,
        partner.signing_certificates,
        profile.certificate_name,
        profile.audience_required,
        profile.bearer_accepted,
        profile.same_certificate,
    )


def _opens(visit: _Visit, partner: Partner) -> bool:
    try:
        _open_from(visit, partner)
    except SecurityRefused:
        return False
    return True


def _open_from(visit: _Visit, partner: Partner) -> OpenedRequest:
    means = visit.means
    require_tls(means, partner, visit.certificate or b"")
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
    means.require_unrevoked(partner, opened.signer, opened.security.chain)
    shown = visit.certificate
    if partner.profile.same_certificate and opened.signer.public_bytes(Encoding.DER) != shown:
        raise SecurityRefused("the signing certificate is not the one shown in TLS")
    return opened


# ---- the record ------------------------------------------------------------------------------


async def _record(visit: _Visit, replied: Replied) -> None:
    """Appends the record, unless this very message was here before; an answer that goes out later
    is kept with it."""
    opened, certificate = visit.opened, visit.certificate
    assert opened is not None and certificate is not None  # noqa: S101 - or it was refused

    def unit(transaction: Transaction) -> bool:
        first = replay.is_first(
            transaction,
            peer=sha256(certificate).hexdigest(),  # wherever the peer connects from
            key=opened.replay_key.hex(),
            expires=opened.security.fresh_until,
            now=datetime.now(UTC),
        )
        if first:
            effects = replied.noted(transaction, replied.effects)
            exchanges = tuple(_exchange(visit, effect) for effect in effects)
            _append(transaction, visit, exchanges)
            if visit.is_later:
                owe(transaction, opened, replied, visit.partner, exchanges, visit.means)
        return first

    if not await visit.means.archive.database.write_async(unit):
        raise SecurityRefused("the message was received before")


def _append(transaction: Transaction, visit: _Visit, exchanges: Sequence[Exchange]) -> None:
    visit.kept.put(transaction)
    for exchange in exchanges:
        exchange_log.append(transaction, exchange)


async def _record_broken(visit: _Visit, effects: tuple[Effect, ...], reason: str) -> None:
    """A second record of the same message id: the answer did not arrive (DECISIONS 16)."""
    failed = [_exchange(visit, replace(one, outcome="failed", reason=reason)) for one in effects]
    await _write(visit, lambda tx: [exchange_log.append(tx, exchange) for exchange in failed])


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
        person=_short(assertion.subject if assertion else None),
        role=_short((role.display or role.code) if role else None),
        purpose=_short(purpose.code if purpose else None),
        authority=_short(next(iter(assertion.access_consent_policies if assertion else ()), None)),
        member=effect.member,
        documents=effect.documents,
        reason=effect.reason,
        message_id=_short(visit.opened.message_id if visit.opened else None),
        duration_ms=round((time.monotonic() - visit.started) * 1000),
        request_hash=visit.kept.request_hash,
        answer_hash=visit.kept.answer_hash,
    )


def _short(text: str | None) -> str | None:
    """What a peer says of itself: kept for good, so not at any length."""
    return text if text is None else text[:_LONGEST_TEXT]


async def _fault(visit: _Visit, error: IheError) -> Response:
    """The fault the peer hears, once the refusal is on record."""
    failed = isinstance(error, Unavailable)
    fault = await asyncio.to_thread(_seal_fault, visit, error)
    effect = Effect("failed" if failed else "refused", reason=error.reason)
    if not await _note_refusal(visit, effect, fault, error):
        error = Unavailable(_CANNOT)
        fault = await asyncio.to_thread(_seal_fault, visit, error)
    elif visit.fault_to != ANONYMOUS:
        return Response(status_code=202)
    return Response(fault, http_status(error), media_type=_SOAP)


async def _note_refusal(visit: _Visit, effect: Effect, fault: bytes, error: IheError) -> bool:
    """Recorded with its envelopes once the sender is known; a stranger is only counted."""
    try:
        if visit.opened is None:
            unit = partial(exchange_log.count_refusal, exchange=_exchange(visit, effect))
        else:
            visit.kept = await asyncio.to_thread(
                keep, visit.means.archive, visit.envelope, fault, [None], now=datetime.now(UTC)
            )
            unit = partial(_append_refusal, visit=visit, effect=effect, error=error)
        await visit.means.archive.database.write_async(unit)
    except Exception as failure:  # the door: there is nobody left to tell
        _log(failure)
        return False
    return True


def _append_refusal(
    transaction: Transaction, *, visit: _Visit, effect: Effect, error: IheError
) -> None:
    exchange = _exchange(visit, effect)
    _append(transaction, visit, [exchange])
    if visit.opened and visit.partner and visit.fault_to != ANONYMOUS:
        owe_fault(transaction, visit.opened, error, visit.partner, exchange, visit.means)


def _seal_fault(visit: _Visit, error: IheError) -> bytes:
    heard = visit.opened or read_unopened(visit.envelope)
    return seal_fault(
        error,
        relates_to=heard.message_id,
        message_id=f"urn:uuid:{uuid4()}",
        confirmations=heard.signature_values,
        signing_key=visit.means.signing_key,
        now=datetime.now(UTC),
        to=visit.fault_to,
    )


async def _write(visit: _Visit, unit: Callable[[Transaction], object]) -> bool:
    """Whether `unit` is durable; a record that cannot be written is at least in the log."""
    try:
        await visit.means.archive.database.write_async(unit)
    except Exception as error:  # the door: there is nobody left to tell
        _log(error)
        return False
    return True


def _log(error: Exception) -> None:
    """What failed and where, without the error's text, which may quote anything (DECISIONS 20)."""
    frames = traceback.extract_tb(error.__traceback__)[-3:]
    places = " < ".join(f"{frame.name}:{frame.lineno}" for frame in reversed(frames))
    log.error("a partner's request failed: %s in %s", type(error).__name__, places)
