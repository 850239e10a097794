"""A message as it came through one of the mail doors, and what became of it."""

from dataclasses import dataclass
from datetime import datetime
from typing import Final, Literal, get_args

from gateway.model.document import Blob
from gateway.model.identity import MailId, PlanId

MAIL_RECEIVE: Final = "mail_receive"
"""The kind of the job that judges a message; its payload is `{"message": id}`."""

MailDoor = Literal["SMTP", "REST", "IMAP", "FOLDER", "OUTBOX"]
OUTBOX: Final = "OUTBOX"
"""No door to outside: our own report that a message of ours was not delivered."""
MailState = Literal["spooled", "judged", "filed", "held", "quarantined", "notice", "duplicate"]
"""Spooled is kept and not looked at; judged is trusted, and its content not yet dealt with.

Then it ends: its documents filed or held, itself quarantined, a notice (MDN or DSN) that belongs
to a message of ours, or a duplicate of one that was dealt with.
"""
MAIL_STATES: Final[tuple[MailState, ...]] = get_args(MailState)


@dataclass(frozen=True, slots=True)
class ReceivedMail:
    """One message for recipients of one plan; `blob` is the whole of it as it crossed the wire.

    `mail_from` is the envelope's, empty for a notice's null reverse-path, None where the door does
    not tell; `rcpt_to` those of its recipients that are the plan's, as given. `message_id` is the
    outer header's, which nobody has vouched for. `attempts` counts how often it was queued.
    """

    id: MailId
    plan: PlanId
    door: MailDoor
    mail_from: str | None
    rcpt_to: tuple[str, ...]
    blob: Blob
    arrived: datetime
    peer: str | None = None
    message_id: str | None = None
    state: MailState = "spooled"
    reason: str | None = None
    settled: datetime | None = None
    attempts: int = 1
