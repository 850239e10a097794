"""What was not delivered comes back to who sent it, as a delivery status notification (RFC 3464).

IG for Delivery Notification in Direct 1.0: 1.3: the sender's own agent tells it when a message
could not be handed over, or when no notice came in time. The report is put into the inbox of the
plan, for the address that the message went out from. It never leaves the house, so nobody signs
it. A failure that the other side reports comes with a notice of its own, and is not told twice.
"""

from collections.abc import Iterable
from dataclasses import replace
from typing import Final
from uuid import UUID, uuid5

from direct.addresses import Mailbox
from direct.dsn import RecipientStatus, write_delivery_status
from gateway.exchange.direct_means import DirectMeans
from gateway.exchange.notices import REPORTED
from gateway.exchange.spooling import TRANSACTIONS
from gateway.model.exchange import Exchange
from gateway.model.identity import ConversationId, MailId, PlanId
from gateway.model.received_mail import OUTBOX, ReceivedMail
from gateway.model.sent_mail import MAIL_REPORT, Recipient, RecipientState, SentMail
from gateway.store import exchange_log, mail_received, mail_sent
from gateway.store.database import Transaction
from gateway.store.job_queue import JobQueue

_REPORTS: Final = UUID("7b0c2a5e-3f0e-5d57-9c67-5f1f0a1f4d20")
"""The namespace of our reports: one a message and recipient, however often it is written."""
# RFC 3463: 3.5: delivery time expired; else what went wrong is no matter of numbers.
_STATUS: Final[dict[RecipientState, str]] = {"timed_out": "5.4.7"}
_ANY_STATUS: Final = "5.0.0"


def tell_sender(
    transaction: Transaction, queue: JobQueue, message: SentMail, recipients: Iterable[Recipient]
) -> None:
    """Sees to it that who sent the message hears of those who will not get it.

    Of a notice of ours nobody hears: that is how two agents would write to each other for ever.
    """
    for recipient in recipients:
        if message.kind == "message" and recipient.state in REPORTED:
            queue.enqueue(
                transaction,
                kind=MAIL_REPORT,
                plan=message.plan,
                payload={"message": message.id, "address": recipient.address},
                idempotency_key=f"report {message.id} {recipient.address}",
            )


async def report_failure(
    means: DirectMeans, plan: PlanId, message_id: MailId, address: str
) -> None:
    """Puts the report about one recipient into the inbox; written again, it is the same."""
    message = await means.archive.database.read_async(
        lambda tx: mail_sent.get(tx, plan=plan, message=message_id)
    )
    recipients = () if message is None else message.recipients
    recipient = next((one for one in recipients if one.address == address), None)
    if message is None or recipient is None or recipient.state not in REPORTED:
        return
    report = uuid5(_REPORTS, f"{message.id} {address}")
    content = _written(message, recipient, f"{report}@{_domain(message.sender)}")
    now = recipient.since or message.created
    mail = ReceivedMail(
        id=MailId(str(report)),
        plan=plan,
        door=OUTBOX,
        mail_from="",
        rcpt_to=(message.sender,),
        blob=await means.archive.store_async(plan, content),
        arrived=now,
        message_id=f"<{report}@{_domain(message.sender)}>",
        state="notice",
        reason=f"not delivered to {address}: {recipient.reason or 'no reason is known'}"[:500],
        settled=now,
    )
    await means.archive.database.write_async(lambda tx: _take(tx, message, mail))


def _take(transaction: Transaction, message: SentMail, mail: ReceivedMail) -> None:
    known = mail_received.get(transaction, plan=mail.plan, message=mail.id)
    if known is not None:
        return
    mail_received.insert(transaction, mail)
    record = Exchange(
        time=mail.arrived,
        direction="in",
        transaction=TRANSACTIONS[OUTBOX],
        outcome="success",
        plan=mail.plan,
        member=message.record.member,
        conversation=ConversationId(mail.id),
        message_id=mail.message_id,
    )
    exchange_log.append(transaction, replace(record, reason=mail.reason))


def _written(message: SentMail, recipient: Recipient, report_id: str) -> bytes:
    domain = _domain(message.sender)
    sent = message.created.isoformat(timespec="seconds")
    reason = recipient.reason or "No reason is known"
    return write_delivery_status(
        [RecipientStatus(recipient.address, "failed", _STATUS.get(recipient.state, _ANY_STATUS))],
        original_message_id=message.message_id,
        from_=Mailbox("postmaster", domain),
        to=Mailbox.parse(message.sender),
        message_id=report_id,
        date=recipient.since or message.created,
        text=(
            f"Your message of {sent} was not delivered to {recipient.address}.\r\n\r\n"
            f"Why: {reason}.\r\n\r\n"
            f"It is the message {message.id} of those that were sent."
        ),
        reporting_mta=domain,
    )


def _domain(address: str) -> str:
    return address.rpartition("@")[2].lower()
