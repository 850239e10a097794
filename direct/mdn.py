"""Disposition notices: read as senders write them, written as asked (RFC 8098, Direct AS 1.3: 3,
IG for Delivery Notification in Direct 1.0).

Strategy: a notice is mail that a machine sends because of mail it got, so it must never answer
another notice, and never go where only the message itself said it should: that would be a loop,
or a mirror for somebody else's attack. `decide` is the one place that allows one.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from direct.addresses import Mailbox, parse_mailboxes
from direct.encoded_words import decode_words
from direct.errors import Disposition
from direct.header import Header, read_header
from direct.mail_errors import MailOverLimit, MalformedAddress
from direct.message import DirectMessage, message_id_of
from direct.message_writing import (
    FINAL_DELIVERY,
    OutgoingPart,
    field,
    is_message_id,
    write_message,
)
from direct.mime import Part

NOTICE_TYPE: Final = "message/disposition-notification"
STATUS_TYPE: Final = "message/delivery-status"
# RFC 6533: 4 and 6: the same where an address may be of any letters.
NOTICE_TYPES: Final = frozenset({NOTICE_TYPE, "message/global-disposition-notification"})
STATUS_TYPES: Final = frozenset({STATUS_TYPE, "message/global-delivery-status"})
_REPORTS: Final = NOTICE_TYPES | STATUS_TYPES | {"multipart/report"}
_MODE_AND_TYPE: Final = re.compile(r"[^;]*;\s*([A-Za-z-]+)\s*(?:/\s*(.*))?")
_MODE: Final = "automatic-action/MDN-sent-automatically"
# What says that a message did not arrive, as a type or as the modifier of one (RFC 2298: 3.2.6;
# Quirk: the reference agent writes `error` where the guide says `failed`).
_FAILURES: Final = frozenset({"failed", "denied", "error", "failure"})
_TEXTS: Final = {
    Disposition.PROCESSED: "Your message was received and its security verified.",
    Disposition.DISPATCHED: "Your message was delivered to its final destination.",
    Disposition.FAILED: "Your message was received but could not be delivered.",
    Disposition.DENIED: "Your message was received and was not accepted.",
}


@dataclass(frozen=True, slots=True)
class Notification:
    """What a notice says. `type` is the disposition type in lower case; absent is None.

    `is_final_delivery`: it carries the extension that says that the message arrived.
    """

    type: str | None
    modifiers: tuple[str, ...] = ()
    final_recipient: str | None = None
    original_recipient: str | None = None
    original_message_id: str | None = None
    reporting_agent: str | None = None
    is_final_delivery: bool = False
    failure: str | None = None

    @property
    def is_failure(self) -> bool:
        """Whether it says that the message did not arrive."""
        return not _FAILURES.isdisjoint((self.type or "", *self.modifiers))

    @property
    def disposition(self) -> Disposition | None:
        """The disposition as we know it; None for any other, as `displayed`."""
        if self.is_failure:
            return Disposition.DENIED if self.type == "denied" else Disposition.FAILED
        known = (Disposition.PROCESSED, Disposition.DISPATCHED)
        return next((each for each in known if each == self.type), None)


@dataclass(frozen=True, slots=True)
class NoticeDecision:
    """Whom a notice may go to, or why there is none; whether one of final delivery is wanted."""

    to: Mailbox | None
    reason: str
    wants_dispatched: bool = False


# ---- reading ---------------------------------------------------------------------------------


def is_report(message: DirectMessage) -> bool:
    """Whether it is a notice of any kind, which must never be answered by another."""
    root = message.root
    # A message inside is one that somebody forwards, and may be a notice that somebody had.
    below = root.children if root.media_type.value.startswith("multipart/") else ()
    return any(part.media_type.value in _REPORTS for part in (root, *below))


def read_notification(message: DirectMessage) -> Notification | None:
    """What the notice says; None when it is no disposition notice."""
    part = next((p for p in message.root.walk() if p.media_type.value in NOTICE_TYPES), None)
    if part is None:
        return None
    fields = report_fields(part)
    kind, modifiers = _disposition(fields.text("Disposition"))
    return Notification(
        type=kind,
        modifiers=modifiers,
        final_recipient=report_address(fields.text("Final-Recipient")),
        original_recipient=report_address(fields.text("Original-Recipient")),
        original_message_id=message_id_of(fields.text("Original-Message-ID"))
        or message.in_reply_to,
        reporting_agent=fields.text("Reporting-UA"),
        is_final_delivery=fields.first(FINAL_DELIVERY) is not None,
        failure=fields.text("Failure") or fields.text("Error"),
    )


def report_fields(part: Part) -> Header:
    """The fields of a report.

    Quirk: without a blank line between them, the report's fields stand in the part's header;
    seen in samples/direct/nhin-d, MDNResponse.txt.
    """
    return read_report(part.content()[:_MOST_BYTES]) if part.body < part.end else part.header


def read_report(block: bytes) -> Header:
    """The fields of a report; none of more of them than a report can mean."""
    try:
        return read_header(block)
    except MailOverLimit:
        return Header()


_MOST_BYTES: Final = 100 * 1024


def report_address(text: str | None) -> str | None:
    """The address in lower case, without its type; None when it is none.

    Quirk: the type is left out, or the address stands beside a name as it would in From.
    """
    if text is None:
        return None
    _, semicolon, rest = text.partition(";")
    try:
        return parse_mailboxes(rest if semicolon else text)[0].key
    except (MalformedAddress, IndexError):
        return None


def _disposition(text: str | None) -> tuple[str | None, tuple[str, ...]]:
    match = _MODE_AND_TYPE.match(text or "")
    if match is None:
        return None, ()
    modifiers = (each.strip().lower() for each in (match[2] or "").split(","))
    return match[1].lower(), tuple(each for each in modifiers if each)


# ---- whether one may be sent -----------------------------------------------------------------


def decide(message: DirectMessage, *, is_trusted: bool, mail_from: str | None) -> NoticeDecision:
    """Whether the message may be answered by a notice. `mail_from` is the envelope's sender.

    A notice goes to the signer's own address and nowhere else: Disposition-Notification-To may
    at most add a tag to it (`name+receipts@…`).
    """
    if not is_trusted:
        return NoticeDecision(None, "the message is not trusted, so its sender is not known")
    if mail_from is not None and not mail_from.strip("<> "):
        return NoticeDecision(None, "the envelope has the null sender")
    if is_report(message):
        return NoticeDecision(None, "the message is itself a notice")
    # Auto-Submitted keeps nobody from a notice: a laboratory's report is sent by a machine, and
    # `processed` is owed to every trusted message that is none itself (Direct AS 1.2: 3).
    to = _asked_address(message) or message.from_
    return NoticeDecision(to, "the sender is known and trusted", wants_dispatched(message.header))


def wants_dispatched(header: Header) -> bool:
    """Whether Disposition-Notification-Options asks for the notice of final delivery.

    What cannot be read asks for nothing: the message still gets its `processed` (ETT MT 40).
    """
    for option in (header.first("Disposition-Notification-Options") or "").split(";"):
        name, equals, values = option.partition("=")
        if not equals or name.strip().upper() != FINAL_DELIVERY:
            continue
        importance, *rest = [_word(each) for each in values.split(",")]
        if importance in ("optional", "required") and rest == ["true"]:
            return True
    return False


def _word(text: str) -> str:
    """In lower case, without the quotes in which it may stand (RFC 8098: 2.2)."""
    bare = text.strip().lower()
    return bare[1:-1] if len(bare) > 1 and bare[0] == bare[-1] == '"' else bare


def _asked_address(message: DirectMessage) -> Mailbox | None:
    try:
        asked = parse_mailboxes(message.header.first("Disposition-Notification-To") or "")
    except MalformedAddress:
        return None
    sender = message.from_
    for box in asked[:1] if len(asked) == 1 else ():
        bare = box.local.partition("+")[0]
        if f"{bare}@{box.domain}".lower() == sender.key or box.key == sender.key:
            return box
    return None


# ---- writing ---------------------------------------------------------------------------------


def write_notification(
    disposition: Disposition,
    *,
    original: DirectMessage,
    from_: Mailbox,
    to: Mailbox,
    message_id: str,
    date: datetime,
    agent: str,
    failure: str | None = None,
) -> bytes:
    """The notice as a whole message. `from_` is the recipient for whom it speaks.

    A `dispatched` one carries the final delivery extension when the message asked for it.
    `failure` is a sentence of ours. `agent` is the name of the reporting software.

    Raises:
        ValueError: something that no header may hold.
    """
    fields: list[tuple[str, str]] = [
        ("Reporting-UA", f"{from_.domain}; {agent}"),
        ("Final-Recipient", f"rfc822; {from_.address}"),
    ]
    if original.message_id is not None and (identifier := _echoed(original.message_id)):
        fields.append(("Original-Message-ID", f"<{identifier}>"))
    fields.append(("Disposition", f"{_MODE}; {disposition}"))
    if failure is not None:
        fields.append(("Failure", failure))
    if disposition is Disposition.DISPATCHED and wants_dispatched(original.header):
        fields.append((FINAL_DELIVERY, ""))
    text = _TEXTS[disposition] + ("" if failure is None else f"\r\n{failure}")
    return write_report(
        kind="disposition-notification",
        text=text,
        report=OutgoingPart(b"".join(field(*each) for each in fields), NOTICE_TYPE),
        original_message_id=original.message_id,
        from_=from_,
        to=to,
        message_id=message_id,
        date=date,
        subject=f"Notice: {disposition}",
    )


def write_report(
    *,
    kind: str,
    text: str,
    report: OutgoingPart,
    original_message_id: str | None,
    from_: Mailbox,
    to: Mailbox,
    message_id: str,
    date: datetime,
    subject: str,
    further: Sequence[OutgoingPart] = (),
) -> bytes:
    """A multipart/report (RFC 6522) that itself asks for no notice."""
    answered = original_message_id or ""
    return write_message(
        from_=from_,
        to=[to],
        message_id=message_id,
        date=date,
        subject=subject,
        parts=[OutgoingPart(text.encode() + b"\r\n", "text/plain"), report, *further],
        wants_notice=False,
        in_reply_to=answered if is_message_id(answered) else None,
        fields=[("Auto-Submitted", "auto-replied")],
        multipart="report",
        report_type=kind,
    )


def _echoed(message_id: str) -> str | None:
    """A peer's Message-ID, however odd, if it can stand in a field at all."""
    shown = decode_words(message_id)
    return shown if shown.isascii() and len(shown) < 900 else None
