"""A Direct message of ours, and how it stands with each of its recipients."""

from dataclasses import dataclass
from datetime import datetime
from typing import Final, Literal, get_args

from gateway.model.document import Blob
from gateway.model.exchange import Exchange
from gateway.model.identity import MailId, PlanId

MAIL_SEND: Final = "mail_send"
"""The kind of the job that seals a message and hands it over; `{"message": id, "domain": …}`."""
MAIL_WATCH: Final = "mail_watch"
"""The kind of the job that looks whether a recipient's time is over; `{"message", "address"}`."""

MAIL_REPORT: Final = "mail_report"
"""The kind of the job that tells a sender what was not delivered; `{"message", "address"}`."""
MAIL_FORWARD: Final = "mail_forward"
"""The kind of the job that looks what a rule has to send; its payload is `{"rule": name}`."""

RecipientState = Literal[
    "queued", "handed_over", "processed", "dispatched", "failed", "timed_out", "bounced"
]
RECIPIENT_STATES: Final[tuple[RecipientState, ...]] = get_args(RecipientState)
NoticeKind = Literal["processed", "dispatched", "failed", "delayed"]
"""What a notice says: an MDN's disposition, or a DSN's action."""
NoticeForm = Literal["MDN", "DSN"]
Effect = Literal["moved", "duplicate", "late", "contradicts", "noted"]
"""What a notice did: moved the state; said again what was known; came after we had reported the
recipient as failed; claimed a failure after the final delivery; or said nothing that moves it."""
SentKind = Literal["message", "notice"]


@dataclass(frozen=True, slots=True)
class Recipient:
    """One recipient; `deadline` is when its state has to have gone on, None once it need not.

    `reason` says in words why it failed, or why it still waits. `certificate` is the fingerprint
    of what it was sealed to, `algorithms` in which, `sealed` the bytes that left.
    """

    address: str
    state: RecipientState = "queued"
    since: datetime | None = None
    deadline: datetime | None = None
    reason: str | None = None
    certificate: str | None = None
    algorithms: str | None = None
    sealed: Blob | None = None

    @property
    def domain(self) -> str:
        return self.address.rpartition("@")[2].lower()


@dataclass(frozen=True, slots=True)
class Notice:
    """What somebody entitled to say so has said about a message's recipient."""

    kind: NoticeKind
    form: NoticeForm
    arrived: datetime
    text: str | None = None
    """Its own words of why, cut short; never the message's content."""
    received: MailId | None = None
    """The message that brought it."""


@dataclass(frozen=True, slots=True)
class HeardNotice:
    """A notice as it is kept, with what it did."""

    address: str
    notice: Notice
    effect: Effect


@dataclass(frozen=True, slots=True)
class SentMail:
    """A message that we send; `blob` is the whole inner message, which nobody outside reads.

    `message_id` stands without its angle brackets. `record` is what its exchange records start
    from. `answers` is the received message that a notice of ours is about.
    """

    id: MailId
    plan: PlanId
    kind: SentKind
    message_id: str
    sender: str
    blob: Blob
    created: datetime
    record: Exchange
    recipients: tuple[Recipient, ...]
    wants_dispatched: bool = False
    answers: MailId | None = None
