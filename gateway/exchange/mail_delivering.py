"""The outbox: one message to one domain, sealed to who is found there, and handed over.

A job for each domain: its recipients share a server, and are sealed to in one message. Each
attempt looks for certificates anew, for what was there an hour ago may have been revoked; what
left is kept to the byte. Before the first byte leaves an open row says so (DECISIONS 16); a
recipient's state changes in the transaction that records the attempt. Recipients who cannot be
sealed to fail alone, and the others go.
"""

import asyncio
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final

from cryptography.hazmat.primitives.serialization import Encoding

from direct.discovery import Candidate, Found, InvalidAddress
from direct.errors import DirectError
from direct.message import outer_headers, wrap
from gateway.clients.dns_client import LookupFailed
from gateway.clients.smtp_client import HandedOver, NotHandedOver, Server
from gateway.exchange.asking_others import ask_others
from gateway.exchange.direct_discovery import why_not_found
from gateway.exchange.direct_means import DirectMeans
from gateway.exchange.mail_failing import tell_sender
from gateway.exchange.mail_partners import partner_of_domain
from gateway.exchange.mail_sealing import key_pair_der, seal_mail
from gateway.exchange.notices import expire, hand_over, refuse
from gateway.model.document import Blob
from gateway.model.exchange import Exchange, Outcome
from gateway.model.identity import MailId, PlanId
from gateway.model.sent_mail import MAIL_SEND, MAIL_WATCH, Recipient, SentMail
from gateway.store import direct_keys, exchange_log, mail_sent
from gateway.store.database import Transaction
from gateway.store.documents import keep_blob
from gateway.store.job_queue import JobQueue

TRANSACTION: Final = "DIRECT-SEND"


class NotDelivered(Exception):
    """Not this time; the text is ours."""


@dataclass(frozen=True, slots=True)
class _Reached:
    """A recipient with the certificates that it is sealed to."""

    recipient: Recipient
    candidates: tuple[Candidate, ...] = ()


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
    """
    try:
        await _deliver(means, plan, message_id, domain)
    except NotDelivered as failure:
        said = str(failure)
        await means.archive.database.write_async(
            lambda tx: _say_why(tx, plan, message_id, domain, said)
        )
        raise


def _say_why(
    transaction: Transaction, plan: PlanId, message_id: MailId, domain: str, reason: str
) -> None:
    message = mail_sent.get(transaction, plan=plan, message=message_id, to_change=True)
    for one in _waiting(message, domain):
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
    reached, unreachable, doubt = await _find_all(means, message, waiting)
    if unreachable:
        await means.archive.database.write_async(
            lambda tx: _refuse(tx, means.queue, message, unreachable)
        )
    if reached:
        await _send(means, message, reached, domain)
    if doubt:
        raise NotDelivered(doubt)


def _waiting(message: SentMail | None, domain: str) -> tuple[Recipient, ...]:
    if message is None:
        return ()
    return tuple(
        one for one in message.recipients if one.domain == domain and one.state == "queued"
    )


# ---- to whom it can be sealed ----------------------------------------------------------------


async def _find_all(
    means: DirectMeans, message: SentMail, waiting: Iterable[Recipient]
) -> tuple[list[_Reached], list[Recipient], str | None]:
    """Who can be sealed to, who never will be, and why somebody must wait, if so."""
    reached: list[_Reached] = []
    unreachable: list[Recipient] = []
    doubt: str | None = None
    now = means.clock()
    for recipient in waiting:
        if means.mode == "hisp":
            reached.append(_Reached(recipient))  # the HISP finds and judges
            continue
        try:
            found = await ask_others("mail", means.find, recipient.address, sender=message.sender)
        except InvalidAddress as error:
            unreachable.append(refuse(recipient, f"its address is {error}", now=now))
            continue
        if isinstance(found, Found):
            reached.append(_Reached(recipient, found.candidates))
        elif found.certain:
            unreachable.append(refuse(recipient, why_not_found(found), now=now))
        else:
            doubt = why_not_found(found)
    return reached, unreachable, doubt


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
    means: DirectMeans, message: SentMail, reached: Sequence[_Reached], domain: str
) -> None:
    started = time.monotonic()
    servers = await _servers(means, message, reached, domain)
    if not servers:
        return
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
    if isinstance(ended, NotHandedOver):
        if not ended.is_permanent:
            raise NotDelivered(ended.reason)
        return
    later = [one.reason for one in ended.refused if not one.is_permanent]
    if later:
        raise NotDelivered(f"a recipient was not taken yet: {later[0]}")


async def _servers(
    means: DirectMeans, message: SentMail, reached: Sequence[_Reached], domain: str
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
    moved = tuple(_moved(each, ended, means, message, now) for each in left)
    for recipient in moved:
        mail_sent.put_recipient(
            transaction, plan=message.plan, message=message.id, recipient=recipient
        )
        watch(transaction, means.queue, message, recipient)
    tell_sender(transaction, means.queue, message, moved)
    return _ended(ended, moved)


async def _sealed(
    means: DirectMeans, message: SentMail, content: bytes, reached: Sequence[_Reached]
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


def _marked(one: _Reached, blob: Blob, algorithms: object) -> Recipient:
    """With what it was sealed to, so that a verdict can say so later."""
    if not one.candidates:
        return replace(one.recipient, sealed=blob)
    certificate = direct_keys.fingerprint(one.candidates[0].certificate)
    return replace(one.recipient, sealed=blob, certificate=certificate, algorithms=str(algorithms))


def _moved(
    recipient: Recipient,
    ended: HandedOver | NotHandedOver,
    means: DirectMeans,
    message: SentMail,
    now: datetime,
) -> Recipient:
    """How it stands with the recipient after the attempt; still queued if it is tried again."""
    against = next((one for one in ended.refused if one.address == recipient.address), None)
    if against is not None:
        if against.is_permanent:
            return refuse(recipient, f"its server refuses it: {against.reason}", now=now)
        return recipient
    if isinstance(ended, HandedOver):
        wanted = message.kind == "message"
        return hand_over(recipient, now=now, clocks=means.clocks, wants_processed=wanted)
    return refuse(recipient, ended.reason, now=now) if ended.is_permanent else recipient


def _ended(
    ended: HandedOver | NotHandedOver, moved: Sequence[Recipient]
) -> tuple[Outcome, str | None]:
    if isinstance(ended, NotHandedOver):
        return ("unknown" if ended.is_uncertain else "failed"), ended.reason
    if not ended.refused:
        return "success", None
    waits = sum(one.state == "queued" for one in moved)
    failed = sum(one.state == "failed" for one in moved)
    return "partial", f"{failed} of {len(moved)} recipients were refused, {waits} for now"


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
    now: datetime,
) -> None:
    """Nobody tries any more: whoever still waits for the message in that domain will not get it."""
    message = mail_sent.get(transaction, plan=plan, message=message_id, to_change=True)
    waiting = _waiting(message, domain)
    if message is not None and waiting:
        gone = [refuse(one, reason, now=now) for one in waiting]
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
