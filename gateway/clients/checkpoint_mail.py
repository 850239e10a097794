"""Checkpoints by mail: the auditor's mailbox is a place that whoever runs the database cannot edit.

A checkpoint says nothing of anybody, so it goes in the clear within TLS; its signature is its own.
"""

import asyncio
from dataclasses import dataclass
from datetime import UTC, datetime

from direct.addresses import Mailbox
from direct.message_writing import OutgoingPart, write_message
from gateway.clients.audit_client import NotSent
from gateway.clients.smtp_client import NotHandedOver, Server, SmtpClient

_TEXT = """The exchange log of {sender} had {size} records when this was signed. Keep the file:
`gateway audit verify --checkpoint FILE` shows later whether they still are the same.
"""


@dataclass(frozen=True, slots=True)
class CheckpointMail:
    """To one auditor by one server. Blocking: for a thread without an event loop."""

    to: str
    sender: str
    server: Server

    def bring(self, size: int, note: str) -> None:
        """Returns once the server has taken it.

        Raises:
            NotSent: it has not, or may not have.
        """
        message = self._written(size, note, datetime.now(UTC))
        client = SmtpClient(self.sender.rpartition("@")[2])
        sending = client.hand_over(
            [self.server], mail_from=self.sender, recipients=[self.to], message=message
        )
        try:
            asyncio.run(sending)
        except NotHandedOver as error:
            raise NotSent(f"the auditor's mail: {error.reason}") from None

    def _written(self, size: int, note: str, now: datetime) -> bytes:
        sender = Mailbox.parse(self.sender)
        text = _TEXT.format(sender=sender.domain, size=size).replace("\n", "\r\n")
        # One id a checkpoint: what is sent twice is seen to be the same.
        return write_message(
            from_=sender,
            to=[Mailbox.parse(self.to)],
            message_id=f"checkpoint-{size}@{sender.domain}",
            date=now,
            subject=f"Checkpoint of the exchange log: {size} records",
            parts=[
                OutgoingPart(text.encode(), "text/plain", parameters=(("charset", "utf-8"),)),
                OutgoingPart(note.encode(), "text/plain", f"checkpoint-{size:012}.txt"),
            ],
            wants_notice=False,
        )
