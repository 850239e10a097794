"""A message of ours as it is written, before it is sealed: kept, then put into the outbox."""

import asyncio
from dataclasses import dataclass, replace
from datetime import datetime
from uuid import uuid4

from direct.addresses import Mailbox
from direct.message import OutgoingPart, write_message
from gateway.exchange.archive import Archive
from gateway.model.exchange import Exchange
from gateway.model.identity import ConversationId, MailId, PlanId
from gateway.model.sent_mail import Recipient, SentMail


@dataclass(frozen=True, slots=True)
class Draft:
    """What is to be sent. `record` is what the exchange records start from: purpose, person,
    member, documents; their conversation is the message's id. The subject travels sealed."""

    sender: str
    to: tuple[str, ...]
    parts: tuple[OutgoingPart, ...]
    record: Exchange
    text: str = ""
    subject: str | None = None
    wants_dispatched: bool = True
    fields: tuple[tuple[str, str], ...] = ()
    """Further fields of the header."""


async def write_draft(archive: Archive, plan: PlanId, draft: Draft, *, now: datetime) -> SentMail:
    """The message, its bytes stored, ready for `mail_delivering.enqueue_message`.

    Raises:
        ValueError: an address, the subject or a part cannot be written in a message.
    """
    sender = Mailbox.parse(draft.sender)
    recipients = tuple(dict.fromkeys(Mailbox.parse(one).address.lower() for one in draft.to))
    message_id = f"{uuid4()}@{sender.domain}"
    text = "".join(f"{line}\r\n" for line in draft.text.splitlines()) or "\r\n"
    content = await asyncio.to_thread(
        write_message,
        from_=sender,
        to=[Mailbox.parse(one) for one in recipients],
        message_id=message_id,
        date=now,
        subject=draft.subject,
        parts=[
            OutgoingPart(text.encode(), "text/plain", parameters=(("charset", "utf-8"),)),
            *draft.parts,
        ],
        wants_dispatched=draft.wants_dispatched,
        fields=draft.fields,
    )
    id = MailId(str(uuid4()))
    return SentMail(
        id=id,
        plan=plan,
        kind="message",
        message_id=message_id,
        sender=sender.address,
        blob=await archive.store_async(plan, content),
        created=now,
        record=replace(draft.record, conversation=ConversationId(id)),
        recipients=tuple(map(Recipient, recipients)),
        wants_dispatched=draft.wants_dispatched,
    )
