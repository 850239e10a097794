"""Which notices a received message gets from us, and their messages (IG Delivery Notification 1.0).

The rules: none before the signer is trusted; none to a notice; `processed` to every trusted
message; `dispatched` when it was asked for in a way that we understand, and once the documents are
with the plan; `failed` after `processed` when the content cannot be had. When our HISP is the
security agent it has sent `processed` itself (DECISIONS 31).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final
from uuid import uuid4

from direct.addresses import Mailbox
from direct.errors import Disposition
from direct.mdn import write_notification
from direct.message import DirectMessage
from direct.mime import read_part
from gateway.exchange.derived import SOFTWARE
from gateway.exchange.direct_means import DirectMeans
from gateway.exchange.mail_letter import Letter
from gateway.model.exchange import Exchange
from gateway.model.identity import ConversationId, MailId
from gateway.model.received_mail import ReceivedMail
from gateway.model.sent_mail import NoticeKind, Recipient, SentMail

_SAID: Final[dict[NoticeKind, Disposition]] = {
    "processed": Disposition.PROCESSED,
    "dispatched": Disposition.DISPATCHED,
    "failed": Disposition.FAILED,
}


@dataclass(frozen=True, slots=True)
class Answer:
    """One notice: what it says, in the name of which of our recipients."""

    kind: NoticeKind
    recipient: str
    reason: str | None = None


def answers_to(
    means: DirectMeans, letter: Letter, trusted: Sequence[str], *, failure: str | None
) -> tuple[Answer, ...]:
    """The notices, in the order they are to leave; `failure` is why it is not delivered."""
    if letter.report is not None or letter.notice_to is None:
        return ()  # never a notice to a notice (RFC 8098: 3)
    kinds: list[NoticeKind] = ["processed"] if means.mode == "agent" else []
    ours = means.mode == "agent" or means.sends_dispatched
    if failure is not None:
        kinds += ["failed"] if ours else []
    elif letter.wants_dispatched and ours:
        kinds.append("dispatched")
    return tuple(
        Answer(kind, recipient, failure if kind == "failed" else None)
        for recipient in trusted
        for kind in kinds
    )


async def write_answers(
    means: DirectMeans,
    mail: ReceivedMail,
    letter: Letter,
    answers: Sequence[Answer],
    *,
    now: datetime,
) -> tuple[SentMail, ...]:
    """The notices as messages for the outbox, their bytes stored."""
    written: list[SentMail] = []
    to = letter.notice_to
    if to is None:
        return ()
    for answer in answers:
        sender = Mailbox.parse(answer.recipient)
        message_id = f"{uuid4()}@{sender.domain}"
        content = write_notification(
            _SAID[answer.kind],
            original=_original(letter),
            from_=sender,
            to=Mailbox.parse(to),
            message_id=message_id,
            date=now,
            agent=SOFTWARE,
            failure=answer.reason,
        )
        record = Exchange(
            time=now,
            direction="out",
            transaction="DIRECT-SEND",
            outcome="unknown",
            plan=mail.plan,
            conversation=ConversationId(mail.id),
        )
        written.append(
            SentMail(
                id=MailId(str(uuid4())),
                plan=mail.plan,
                kind="notice",
                message_id=message_id,
                sender=answer.recipient,
                blob=await means.archive.store_async(mail.plan, content),
                created=now,
                record=record,
                recipients=(Recipient(to),),
                answers=mail.id,
            )
        )
    return tuple(written)


def _original(letter: Letter) -> DirectMessage:
    """As much of the message as a notice about it repeats: its header."""
    return DirectMessage(
        header=letter.header,
        root=read_part(b"\r\n"),
        from_=Mailbox.parse(letter.from_),
        message_id=letter.message_id,
    )
