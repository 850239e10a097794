"""Delivery status notifications: what became of a message on its way (RFC 3464)."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from direct.addresses import Mailbox
from direct.header import Header
from direct.mdn import STATUS_TYPE, STATUS_TYPES, read_report, report_address, write_report
from direct.message import DirectMessage, message_id_of
from direct.message_writing import OutgoingPart, field, is_message_id
from direct.mime import MESSAGE_TYPES, Part

_RETURNED_HEADERS: Final = frozenset({"text/rfc822-headers", "message/global-headers"})
_MOST_BYTES: Final = 512 * 1024
_MOST_RECIPIENTS: Final = 1000
_GROUPS: Final = re.compile(rb"\r?\n[ \t]*\r?\n")
_STATUS: Final = re.compile(r"[245]\.\d{1,3}\.\d{1,3}")


@dataclass(frozen=True, slots=True)
class RecipientStatus:
    """What became of the message for one recipient; what the report does not say is None.

    `action` is in lower case (failed, delayed, delivered, relayed, expanded), `status` as
    RFC 3463 numbers it.
    """

    final_recipient: str | None
    action: str | None = None
    status: str | None = None
    original_recipient: str | None = None
    diagnostic: str | None = None

    @property
    def is_failure(self) -> bool:
        """Whether it says that the message will not arrive."""
        if self.action is not None:
            return self.action == "failed"
        return self.status is not None and self.status.startswith("5")


@dataclass(frozen=True, slots=True)
class DeliveryStatus:
    """A report: of which message, by which host, and for each recipient what happened."""

    original_message_id: str | None
    recipients: tuple[RecipientStatus, ...]
    reporting_mta: str | None = None
    original_envelope_id: str | None = None


# ---- reading ---------------------------------------------------------------------------------


def read_delivery_status(message: DirectMessage) -> DeliveryStatus | None:
    """What the report says; None when it is no delivery status notification."""
    part = next((p for p in message.root.walk() if p.media_type.value in STATUS_TYPES), None)
    if part is None:
        return None
    content = part.content() if part.body < part.end else part.raw
    groups = _GROUPS.split(content[:_MOST_BYTES], _MOST_RECIPIENTS + 1)
    headers = [read_report(group) for group in groups[: _MOST_RECIPIENTS + 1]]
    headers = [header for header in headers if header.fields]
    whole = headers[0] if headers else Header()
    per_recipient = [each for each in headers if _names_recipient(each)]
    return DeliveryStatus(
        original_message_id=_original_id(message, whole),
        recipients=tuple(_read_recipient(each) for each in per_recipient),
        reporting_mta=_after_type(whole.text("Reporting-MTA")),
        original_envelope_id=whole.text("Original-Envelope-Id"),
    )


def _names_recipient(header: Header) -> bool:
    return any(header.first(name) is not None for name in ("Final-Recipient", "Original-Recipient"))


def _read_recipient(header: Header) -> RecipientStatus:
    action = header.text("Action")
    status = _STATUS.search(header.text("Status") or "")
    return RecipientStatus(
        final_recipient=report_address(header.text("Final-Recipient")),
        action=None if action is None else action.lower(),
        status=None if status is None else status[0],
        original_recipient=report_address(header.text("Original-Recipient")),
        diagnostic=_after_type(header.text("Diagnostic-Code")),
    )


def _after_type(text: str | None) -> str | None:
    """What follows the type in `dns; mail.example`, or all of it."""
    if text is None:
        return None
    _, semicolon, rest = text.partition(";")
    return (rest if semicolon else text).strip() or None


def _original_id(message: DirectMessage, whole: Header) -> str | None:
    """The id of the message that the report is about, wherever its author put it."""
    for each in whole.fields:
        # X-Original-Message-Id, and with more letters in front at some senders.
        if each.name.lower().endswith("original-message-id"):
            return message_id_of(whole.text(each.name))
    return message.in_reply_to or _returned_id(message.root)


def _returned_id(root: Part) -> str | None:
    """From the message, or its header, that the report returns."""
    for part in root.children:
        if part.media_type.value in MESSAGE_TYPES and part.children:
            return message_id_of(part.children[0].header.text("Message-ID"))
        if part.media_type.value in _RETURNED_HEADERS:
            return message_id_of(read_report(part.content()[:_MOST_BYTES]).text("Message-ID"))
    return None


# ---- writing ---------------------------------------------------------------------------------


def write_delivery_status(
    recipients: Sequence[RecipientStatus],
    *,
    original_message_id: str,
    from_: Mailbox,
    to: Mailbox,
    message_id: str,
    date: datetime,
    text: str,
    reporting_mta: str,
) -> bytes:
    """The report as a whole message, for the sender whom we could not serve.

    Raises:
        ValueError: there is no recipient, one is not named, or something that no header may hold.
    """
    if not recipients:
        raise ValueError("a report has a recipient")
    whole = field("Reporting-MTA", f"dns; {reporting_mta}")
    if is_message_id(original_message_id):
        whole += field("X-Original-Message-ID", f"<{original_message_id}>")
    groups = [whole, *(_write_recipient(each) for each in recipients)]
    return write_report(
        kind="delivery-status",
        text=text,
        report=OutgoingPart(b"\r\n".join(groups), STATUS_TYPE),
        original_message_id=original_message_id,
        from_=from_,
        to=to,
        message_id=message_id,
        date=date,
        subject="Delivery status notification",
    )


def _write_recipient(given: RecipientStatus) -> bytes:
    if given.final_recipient is None or given.action is None or given.status is None:
        raise ValueError("a report names each recipient, what was done and its status")
    if _STATUS.fullmatch(given.status) is None:
        raise ValueError("a status has the form class.subject.detail (RFC 3463)")
    lines = [field("Final-Recipient", f"rfc822; {given.final_recipient}")]
    if given.original_recipient is not None:
        lines.insert(0, field("Original-Recipient", f"rfc822; {given.original_recipient}"))
    lines += [field("Action", given.action), field("Status", given.status)]
    if given.diagnostic is not None:
        lines.append(field("Diagnostic-Code", f"smtp; {given.diagnostic}"))
    return b"".join(lines)
