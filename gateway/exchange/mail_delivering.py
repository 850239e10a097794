"""The outbox: one message to one domain, sealed to who is found there, and handed over.

A job for each domain: its recipients share a server, and are sealed to in one message. Each
attempt looks for certificates anew, for what was there an hour ago may have been revoked; what
left is kept to the byte. Before the first byte leaves an open row says so (DECISIONS 16); a
recipient's state changes in the transaction that records the attempt. Recipients who cannot be
sealed to fail alone, and the others go.
"""

import asyncio
import time
from collections.abc import Iterable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, nullcontext
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Final

from cryptography.hazmat.primitives.serialization import Encoding

from direct.errors import DirectError
from direct.message import outer_headers, wrap
from gateway.clients.dns_client import LookupFailed
from gateway.clients.smtp_client import HandedOver, NotHandedOver, Server
from gateway.exchange.asking_others import ask_others
from gateway.exchange.direct_means import DirectMeans
from gateway.exchange.in_turn import in_turn
from gateway.exchange.mail_attempt import in_one, move
from gateway.exchange.mail_failing import tell_sender
from gateway.exchange.mail_partners import partner_of_domain
from gateway.exchange.mail_reaching import Reached, look_for
from gateway.exchange.mail_sealing import key_pair_der, seal_mail
from gateway.exchange.notices import expire, refuse
from gateway.model.document import Blob
from gateway.model.exchange import Exchange, Outcome
from gateway.model.identity import MailId, PlanId
from gateway.model.sent_mail import MAIL_SEND, MAIL_WATCH, Recipient, SentMail
from gateway.store import direct_keys, exchange_log, mail_sent
from gateway.store.database import Transaction
from gateway.store.documents import keep_blob
from gateway.store.job_port import PutOff
from gateway.store.job_queue import JobQueue

TRANSACTION: Final = "DIRECT-SEND"
_OTHERS_FIRST: Final = "other messages go to its domain, or by its mail server, before it"


class NotDelivered(Exception):
    """Not this time; the text is ours. `each` says of a recipient what holds of it alone."""

    def __init__(self, reason: str, each: Mapping[str, str] | None = None) -> None:
        super().__init__(reason)
        self.each = each or {}


def enqueue_message(transaction: Transaction, queue: JobQueue, message: SentMail) -> None:
    """Keeps the message, and the jobs that will send it, in one transaction."""
    mail_sent.insert_message(transaction, message)
    for domain in sorted({one.domain for one in message.recipients}):
        queue.enqueue(
            transaction,
            kind=MAIL_SEND,
            plan=message.plan,
            payload={"message": message.id, "domain": domain},
            idempotency_key=f"{message.id} {domain}",
            run_at=message.created,
        )


async def deliver_mail(means: DirectMeans, plan: PlanId, message_id: MailId, domain: str) -> None:
    """Hands the message over to whom it has not been handed over yet in that domain.

    Raises:
        NotDelivered: somebody is still waiting for it, and why; trying again may help.
        PutOff: as many messages as may be are on their way to that domain, or by that server.
    """
    try:
        async with in_turn(means.restraint.mailing(domain)):
            await _deliver(means, plan, message_id, domain)
    except (NotDelivered, PutOff) as ended:
        why = ended
        await means.archive.database.write_async(
            lambda tx: _say_why(tx, plan, message_id, domain, why)
        )
        raise


def _say_why(
    transaction: Transaction,
    plan: PlanId,
    message_id: MailId,
    domain: str,
    ended: NotDelivered | PutOff,
) -> None:
    """That others go first is no news where something has failed before."""
    message = mail_sent.get(transaction, plan=plan, message=message_id, to_change=True)
    for one in _waiting(message, domain):
        reason = one.reason or _OTHERS_FIRST
        if isinstance(ended, NotDelivered):
            reason = ended.each.get(one.address, str(ended))
        if reason != one.reason:
            mail_sent.put_recipient(
                transaction, plan=plan, message=message_id, recipient=replace(one, reason=reason)
            )


async def _deliver(means: DirectMeans, plan: PlanId, message_id: MailId, domain: str) -> None:
    message = await means.archive.database.read_async(
        lambda tx: mail_sent.get(tx, plan=plan, message=message_id)
    )
    waiting = _waiting(message, domain)
    if message is None or not waiting:
        return
    looked = await look_for(means, message, waiting)
    if looked.unreachable:
        await means.archive.database.write_async(
            lambda tx: _refuse(tx, means.queue, message, looked.unreachable)
        )
    waits = dict(looked.doubts)
    if looked.reached:
        waits |= await _send(means, message, looked.reached, domain)
    if waits:
        raise NotDelivered("; ".join(dict.fromkeys(waits.values())), waits)


def _waiting(message: SentMail | None, domain: str) -> tuple[Recipient, ...]:
    if message is None:
        return ()
    return tuple(
        one for one in message.recipients if one.domain == domain and one.state == "queued"
    )


# ---- who will not get it ----------------------------------------------------------------------


def _refuse(
    transaction: Transaction, queue: JobQueue, message: SentMail, refused: Iterable[Recipient]
) -> None:
    gone = _not_heard_of(transaction, message, refused)
    if gone:
        _give_up(transaction, queue, message, gone)


def _not_heard_of(
    transaction: Transaction, message: SentMail, recipients: Iterable[Recipient]
) -> list[Recipient]:
    """A notice may have come while we looked or the message left: what it moved stays moved."""
    found = mail_sent.get(transaction, plan=message.plan, message=message.id, to_change=True)
    heard = {one.address for one in (found or message).recipients if one.state != "queued"}
    return [one for one in recipients if one.address not in heard]


def _give_up(
    transaction: Transaction, queue: JobQueue, message: SentMail, failed: Iterable[Recipient]
) -> None:
    """These recipients will not get it: each state, and one record that says why."""
    gone = tuple(failed)
    for recipient in gone:
        mail_sent.put_recipient(
            transaction, plan=message.plan, message=message.id, recipient=recipient
        )
    reasons = "; ".join(dict.fromkeys(one.reason or "" for one in gone))
    record = _record(transaction, message, gone, "failed", now=gone[0].since, reason=reasons)
    exchange_log.append(transaction, record)
    tell_sender(transaction, queue, message, gone)


# ---- sealing and sending ---------------------------------------------------------------------


async def _send(
    means: DirectMeans, message: SentMail, reached: Sequence[Reached], domain: str
) -> Mapping[str, str]:
    """By address, why who of them must wait.

    Raises:
        PutOff: as many messages as may be are on their way by that server.
    """
    try:
        servers = await _servers(means, message, reached, domain)
        if not servers:
            return {}
        async with _at(means, servers[0]), means.restraint.holding_message():
            return await _send_by(means, message, reached, domain, servers)
    except NotDelivered as failure:
        return {one.recipient.address: str(failure) for one in reached}


def _at(means: DirectMeans, server: Server) -> AbstractAsyncContextManager[None]:
    """A server that MX records name may be that of many domains. One that the settings name is the
    only way that there is, and nobody is held up by who waits for it."""
    if server.address is None:
        return nullcontext()
    return in_turn(means.restraint.handing_over(server.host))


async def _send_by(
    means: DirectMeans,
    message: SentMail,
    reached: Sequence[Reached],
    domain: str,
    servers: Sequence[Server],
) -> Mapping[str, str]:
    """By address, who was put off and why.

    Raises:
        NotDelivered: nobody has it, for one reason.
    """
    started = time.monotonic()
    content = await asyncio.to_thread(means.archive.load, message.plan, message.blob)
    sealed = content if means.mode == "hisp" else await _sealed(means, message, content, reached)
    blob = await means.archive.store_async(message.plan, sealed)
    now = means.clock()
    recipients = tuple(_marked(one, blob, means.algorithms(domain)) for one in reached)

    def begin(transaction: Transaction) -> tuple[Exchange, int]:
        begun = _record(transaction, message, recipients, "unknown", now=now, sha256=blob.sha256)
        return begun, exchange_log.open_exchange(transaction, begun)

    record, opened = await means.archive.database.write_async(begin)
    mail_from = "" if message.kind == "notice" else message.sender
    addresses = [one.address for one in recipients]
    ended: HandedOver | NotHandedOver
    try:
        ended = await means.smtp.hand_over(
            servers, mail_from=mail_from, recipients=addresses, message=sealed
        )
    except NotHandedOver as failure:
        ended = failure

    def close(transaction: Transaction) -> None:
        outcome, reason = _move(transaction, means, message, recipients, ended)
        if isinstance(ended, HandedOver):
            # Its record names these bytes, also where a notice has moved every recipient already.
            keep_blob(transaction, plan=message.plan, blob=blob)
        elapsed = round((time.monotonic() - started) * 1000)
        told = replace(record, outcome=outcome, reason=reason, duration_ms=elapsed)
        exchange_log.close_exchange(transaction, opened, told)

    await means.archive.database.write_async(close)
    if isinstance(ended, NotHandedOver) and not ended.is_permanent and not ended.refused:
        raise NotDelivered(ended.reason)
    return {
        one.address: f"its server does not take it yet: {one.reason}"
        for one in ended.refused
        if not one.is_permanent
    }


async def _servers(
    means: DirectMeans, message: SentMail, reached: Sequence[Reached], domain: str
) -> Sequence[Server]:
    """The domain's; none once its recipients are given up because it takes no mail."""
    try:
        servers = await ask_others("mail", means.route, domain)
    except LookupFailed as failure:
        raise NotDelivered(f"the domain's mail server is unknown: it {failure}") from None
    if not servers:  # RFC 7505: 3, a null MX
        said = "its domain takes no mail"
        gone = [refuse(one.recipient, said, now=means.clock()) for one in reached]
        await means.archive.database.write_async(lambda tx: _refuse(tx, means.queue, message, gone))
    if means.mode == "hisp" and any(one.security == "opportunistic" for one in servers):
        raise NotDelivered("what is not sealed goes to a HISP under verified TLS alone")
    return servers


def _move(
    transaction: Transaction,
    means: DirectMeans,
    message: SentMail,
    recipients: Sequence[Recipient],
    ended: HandedOver | NotHandedOver,
) -> tuple[Outcome, str | None]:
    """Each recipient to the state that this attempt has brought it to; how the attempt ended."""
    now = means.clock()
    left = _not_heard_of(transaction, message, recipients)
    wanted = message.kind == "message"
    moved = tuple(
        move(each, ended, clocks=means.clocks, wants_processed=wanted, now=now) for each in left
    )
    for recipient in moved:
        mail_sent.put_recipient(
            transaction, plan=message.plan, message=message.id, recipient=recipient
        )
        watch(transaction, means.queue, message, recipient)
    tell_sender(transaction, means.queue, message, moved)
    return in_one(ended, moved)


async def _sealed(
    means: DirectMeans, message: SentMail, content: bytes, reached: Sequence[Reached]
) -> bytes:
    now = means.clock()
    keys = await means.archive.database.read_async(
        lambda tx: direct_keys.of_address(tx, plan=message.plan, address=message.sender)
    )
    own = direct_keys.signing(keys, now=now)
    if own is None:
        raise NotDelivered("the sender has no key in use that could sign")
    key = direct_keys.open_key(means.archive.blobs.keys, own)
    certificates = {
        candidate.certificate.public_bytes(Encoding.DER): None
        for one in reached
        for candidate in one.candidates
    }
    domain = reached[0].recipient.domain
    try:
        return await means.archive.workers.run_async(
            seal_mail,
            wrap(content),
            # `seal` writes those that say how the sealed content is encoded.
            tuple(one for one in outer_headers(content) if one[0] != "MIME-Version"),
            key_pair_der(key, own.certificate, own.certificates[1:]),
            tuple(certificates),
            means.algorithms(domain),
            now,
        )
    except DirectError as error:
        raise NotDelivered(f"it cannot be sealed: {error.reason}") from None


def _marked(one: Reached, blob: Blob, algorithms: object) -> Recipient:
    """With what it was sealed to, so that a verdict can say so later."""
    if not one.candidates:
        return replace(one.recipient, sealed=blob)
    certificate = direct_keys.fingerprint(one.candidates[0].certificate)
    return replace(one.recipient, sealed=blob, certificate=certificate, algorithms=str(algorithms))


def watch(
    transaction: Transaction, queue: JobQueue, message: SentMail, recipient: Recipient
) -> None:
    """Sees to it that somebody looks when the recipient's time is over."""
    if recipient.deadline is None:
        return
    queue.enqueue(
        transaction,
        kind=MAIL_WATCH,
        plan=message.plan,
        payload={"message": message.id, "address": recipient.address},
        idempotency_key=f"{message.id} {recipient.address} {recipient.deadline.isoformat()}",
        run_at=recipient.deadline + timedelta(milliseconds=1),
    )


# ---- when nobody answers ---------------------------------------------------------------------


async def watch_mail(means: DirectMeans, plan: PlanId, message_id: MailId, address: str) -> None:
    """Reports the recipient as timed out, if its time is over by now."""
    now = means.clock()

    def unit(transaction: Transaction) -> None:
        message = mail_sent.get(transaction, plan=plan, message=message_id, to_change=True)
        recipients = message.recipients if message is not None else ()
        for recipient in recipients:
            over = expire(recipient, now=now)
            if message is not None and recipient.address == address and over != recipient:
                _give_up(transaction, means.queue, message, [over])

    await means.archive.database.write_async(unit)


def give_up_mail(
    transaction: Transaction,
    queue: JobQueue,
    plan: PlanId,
    message_id: MailId,
    domain: str,
    reason: str,
    each: Mapping[str, str],
    now: datetime,
) -> None:
    """Nobody tries any more: whoever still waits for the message in that domain will not get it,
    for the `reason`, or for what `each` says of an address."""
    message = mail_sent.get(transaction, plan=plan, message=message_id, to_change=True)
    waiting = _waiting(message, domain)
    if message is not None and waiting:
        gone = [refuse(one, each.get(one.address, reason), now=now) for one in waiting]
        _give_up(transaction, queue, message, gone)


def _record(
    transaction: Transaction,
    message: SentMail,
    recipients: Sequence[Recipient],
    outcome: Outcome,
    *,
    now: datetime | None,
    reason: str | None = None,
    sha256: str | None = None,
) -> Exchange:
    """Of recipients in one domain, all of them: whoever is left out was disclosed to unnamed."""
    partner = partner_of_domain(transaction, message.plan, recipients[0].domain)
    return replace(
        message.record,
        time=now or message.created,
        direction="out",
        transaction=TRANSACTION,
        outcome=outcome,
        partner=None if partner is None else partner.id,
        peer=", ".join(one.address for one in recipients),
        reason=reason,
        message_id=message.message_id,
        request_hash=sha256,
    )
