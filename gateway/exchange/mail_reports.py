"""What a notice says of whom, whichever form it has: an MDN or a DSN."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from direct.dsn import RecipientStatus, read_delivery_status
from direct.errors import Disposition
from direct.mdn import is_report, read_notification
from direct.message import DirectMessage
from gateway.model.sent_mail import NoticeForm, NoticeKind

_LONGEST_TEXT: Final = 200
_SAID: dict[Disposition, NoticeKind] = {
    Disposition.PROCESSED: "processed",
    Disposition.DISPATCHED: "dispatched",
    Disposition.FAILED: "failed",
    Disposition.DENIED: "failed",
}


@dataclass(frozen=True, slots=True)
class About:
    """One statement of a report: what became of that message at that recipient.

    `named` are the addresses by which it names the recipient. The one that the message was sent
    to comes first: behind an alias the final one is of another name.
    """

    kind: NoticeKind
    form: NoticeForm
    message_id: str | None
    named: tuple[str, ...]
    text: str | None = None
    """Its author's own words, which may say anything: for people, and for no record."""
    status: str | None = None
    """As RFC 3463 numbers it."""


@dataclass(frozen=True, slots=True)
class Report:
    """A message that is a notice; one that says nothing readable is a notice all the same."""

    about: tuple[About, ...] = ()


def read_report(message: DirectMessage) -> Report | None:
    """What the message says as a notice; None if it is none."""
    if not is_report(message):
        return None
    return Report((*_of_notification(message), *_of_status(message)))


def _of_notification(message: DirectMessage) -> Iterator[About]:
    told = read_notification(message)
    if told is None or told.disposition is None:
        return
    # Quirk: neither is there; then it speaks for whoever sent it.
    named = _named(told.original_recipient, told.final_recipient) or (message.from_.key,)
    kind = _SAID[told.disposition]
    yield About(kind, "MDN", told.original_message_id, named, _cut(told.failure))


def _of_status(message: DirectMessage) -> Iterator[About]:
    """That a mail server has relayed or delivered it is no notice of a security agent's."""
    told = read_delivery_status(message)
    for one in told.recipients if told is not None else ():
        named = _named(one.original_recipient, one.final_recipient)
        kind = _kind_of(one)
        if told is not None and named and kind is not None:
            text = _cut(one.diagnostic)
            yield About(kind, "DSN", told.original_message_id, named, text, one.status)


def _named(original: str | None, final: str | None) -> tuple[str, ...]:
    return tuple(dict.fromkeys(one for one in (original, final) if one is not None))


def _cut(text: str | None) -> str | None:
    return None if text is None else text[:_LONGEST_TEXT]


def _kind_of(status: RecipientStatus) -> NoticeKind | None:
    if status.is_failure:
        return "failed"
    return "delayed" if status.action == "delayed" else None
