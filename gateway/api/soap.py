"""The SOAP doors: ITI-55 and ITI-56 at /ihe/xcpd, ITI-38 and ITI-39 at /ihe/xca, ITI-41 and
ITI-80 at /ihe/xdr (ITI TF-2: Appendix V).

Each request goes the same way: whom TLS has verified, what `ihe.wire` opens, what the verb
answers, whether the message is a replay; then the record commits, and only then the first byte
leaves. A sender that is not verified by then is only counted (DECISIONS 16, 17). Opening,
answering and sealing run in a thread, unless they are brief: an envelope may have 10 MB, and the
loop waits for nobody.
A request with a ReplyTo gets 202, and its answer later; answers to ours come here as well. A
deferred question gets an acknowledgement, as does the result of ours (`soap_results`).
"""

import asyncio
import time
from contextlib import suppress
from datetime import UTC, datetime
from functools import lru_cache, partial
from typing import Final, Literal
from uuid import uuid4

from cryptography import x509
from fastapi import APIRouter, Request
from fastapi.responses import Response

from gateway.api import soap_submissions
from gateway.api.peer import partners_of, require_tls
from gateway.api.proxy import client_certificate
from gateway.api.soap_answers import UnwantedAnswer, find_awaited, open_awaited, take
from gateway.api.soap_arrival import Message, Welcome, read_message
from gateway.api.soap_later import time_to_live
from gateway.api.soap_opening import verified, verified_asker, verified_bringer
from gateway.api.soap_package import Package
from gateway.api.soap_records import log_failure, note_refusal, record_broken, record_reply
from gateway.api.soap_replied import Replied
from gateway.api.soap_results import take_result
from gateway.api.soap_submissions import Declined
from gateway.api.soap_verbs import reply
from gateway.api.soap_visit import Visit
from gateway.exchange.asker import Effect
from gateway.exchange.keeping import keep
from gateway.exchange.on_demand import ROUNDS, MadeMeanwhile
from gateway.exchange.respond_submission import Addressed, Taken
from gateway.model.later import ArrivedAnswer, AwaitedAnswer
from gateway.store.brief import leave
from ihe.errors import (
    IheError,
    SecurityRefused,
    Unavailable,
)
from ihe.soap import (
    ANONYMOUS,
    ITI_39_ANSWER,
    ITI_55_DEFERRED_REQUEST,
    ITI_55_DEFERRED_RESULT,
    http_status,
)
from ihe.wire import (
    may_relate,
    read_related,
    read_unopened,
    seal_answer,
    seal_fault,
)
from ihe.wsdl import wsdl_bytes

router = APIRouter(prefix="/ihe", tags=["partners"])
Door = Literal["xcpd", "xca", "xdr"]
_XCPD: Final = frozenset({"ITI-55", "ITI-56"})
_SOAP: Final = "application/soap+xml; charset=UTF-8"
_CANNOT: Final = "The gateway cannot answer now."
_BRIEF: Final = frozenset({"ITI-55", "ITI-38", "ITI-39"})
"""What is usually answered in a millisecond or two, and leaves the loop itself where it is not."""
_DEFERRED: Final = frozenset({ITI_55_DEFERRED_REQUEST, ITI_55_DEFERRED_RESULT})
_BRIEF_BYTES: Final = 32 * 1024
"""An envelope of more is not opened on the loop; most requests have ten thousand."""


@router.get("/{door}")
async def wsdl(request: Request, door: Door) -> Response:
    """The WSDL that this door speaks, with its own address."""
    location = str(request.url.replace(query=""))
    return Response(wsdl_bytes(door, location), media_type="text/xml")


async def xcpd(request: Request) -> Response:
    """ITI-55 Cross Gateway Patient Discovery, and ITI-56 Patient Location Query."""
    return await _answer(request, _XCPD)


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


async def _answer(request: Request, transactions: frozenset[str]) -> Response:
    visit = Visit(
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
        log_failure(error)
        return await _fault(visit, Unavailable(_CANNOT))
    if visit.is_later:
        return Response(status_code=202)
    if replied.kind is not ITI_39_ANSWER:
        return Response(envelope, media_type=_SOAP)
    broken = partial(record_broken, visit, replied.effects)
    # Where a plan's key may have to be asked for at another machine nothing is brief.
    is_near = not visit.means.archive.database.is_postgres
    action = replied.kind.action
    return Package(envelope, replied.parts, action=action, broken=broken, may_be_brief=is_near)


async def _reply_on_record(visit: Visit) -> tuple[Replied, bytes]:
    """The answer and its envelope, once they are durable."""
    is_brief = len(visit.envelope) <= _BRIEF_BYTES
    for _ in range(ROUNDS):
        replied, envelope = await visit.means.turns.run(partial(_reply, visit), is_brief=is_brief)
        with suppress(MadeMeanwhile):  # then what it gives is there, and found by the next turn
            await record_reply(visit, replied)
            return replied, envelope
    raise Unavailable(_CANNOT)


async def _identify(visit: Visit) -> None:
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


async def _look(visit: Visit, envelope: bytes) -> Welcome | None:
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


async def _take_answer(visit: Visit, message: Message, awaited: AwaitedAnswer) -> Response:
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


# ---- in a thread, or briefly on the loop -----------------------------------------------------


def _reply(visit: Visit) -> tuple[Replied, bytes]:
    """What the verb answers, and its envelope, sealed."""
    _, opened = verified(visit)
    if opened.transaction not in _BRIEF or opened.kind in _DEFERRED:
        leave()
    if opened.kind is ITI_55_DEFERRED_RESULT:
        partners, opened = verified_bringer(visit)
        replied = take_result(opened, visit.envelope, partners, visit.means)
    else:
        replied = _answer_asker(visit)
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
    # What is owed, or brought for later, is recorded with another answer, or none.
    are_one = replied.result is None and not visit.is_later
    archive = visit.means.archive
    visit.kept = keep(archive, visit.envelope, envelope, plans, now=now, are_one=are_one)
    return replied, envelope


def _answer_asker(visit: Visit) -> Replied:
    asker, opened = verified_asker(visit)
    if isinstance(visit.submission, Taken | Declined):
        return soap_submissions.answer(opened, visit.submission, visit.means)
    return reply(opened, asker, visit.means)


def _admit(visit: Visit) -> Addressed | Declined:
    asker, opened = verified_asker(visit)
    return soap_submissions.admit(opened, asker, visit.means)


# ---- faults ----------------------------------------------------------------------------------


async def _fault(visit: Visit, error: IheError) -> Response:
    """The fault the peer hears, once the refusal is on record."""
    failed = isinstance(error, Unavailable)
    fault = await asyncio.to_thread(_seal_fault, visit, error)
    effect = Effect("failed" if failed else "refused", reason=error.reason)
    if not await note_refusal(visit, effect, fault, error):
        error = Unavailable(_CANNOT)
        fault = await asyncio.to_thread(_seal_fault, visit, error)
    elif visit.fault_to(error) != ANONYMOUS:
        return Response(status_code=202)
    return Response(fault, http_status(error), media_type=_SOAP)


def _seal_fault(visit: Visit, error: IheError) -> bytes:
    heard = visit.opened or read_unopened(visit.envelope)
    return seal_fault(
        error,
        relates_to=heard.message_id,
        message_id=f"urn:uuid:{uuid4()}",
        confirmations=heard.signature_values,
        signing_key=visit.means.signing_key,
        now=datetime.now(UTC),
        to=visit.fault_to(error),
    )
