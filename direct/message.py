"""A Direct message: who wrote it to whom, and its parts (RFC 5322, Direct AS 1.3: 2).

Read from the signed entity, never from the outer mail: what the signature does not cover is
compared with what it does (`police`), and trusted for nothing.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from direct.addresses import Mailbox, parse_mailbox, parse_mailboxes
from direct.header import Header
from direct.mail_date import read_date
from direct.mail_errors import HeadersDisagree, MalformedAddress, MalformedMail
from direct.message_writing import OutgoingPart, write_message
from direct.mime import DEFAULT_LIMITS, MESSAGE_TYPES, MimeLimits, Part, read_header_of, read_part

__all__ = [
    "DirectMessage",
    "Mailbox",
    "MimeLimits",
    "OutgoingPart",
    "Part",
    "Policing",
    "message_id_of",
    "outer_headers",
    "police",
    "read_message",
    "read_outer",
    "unwrap",
    "wrap",
    "write_message",
]

_WRAPPER: Final = b"Content-Type: message/rfc822\r\n\r\n"
_OUTER_FIELDS: Final = ("From", "To", "Cc", "Date", "Message-ID")


@dataclass(frozen=True, slots=True)
class DirectMessage:
    """One message. `header` is its own, `root` the entity that holds its content.

    They are one and the same part of the bytes unless the message came unwrapped. `message_id`
    stands without its brackets; `defects` says in our words what could not be read.
    """

    header: Header
    root: Part
    from_: Mailbox
    to: tuple[Mailbox, ...] = ()
    cc: tuple[Mailbox, ...] = ()
    bcc: tuple[Mailbox, ...] = ()
    reply_to: tuple[Mailbox, ...] = ()
    subject: str | None = None
    message_id: str | None = None
    date: datetime | None = None
    in_reply_to: str | None = None
    is_wrapped: bool = False
    defects: tuple[str, ...] = ()

    @property
    def parts(self) -> tuple[Part, ...]:
        """The parts that have content of their own, however deep, in the order they stand."""
        return tuple(part for part in self.root.walk() if not part.children)

    @property
    def recipients(self) -> tuple[Mailbox, ...]:
        """Everyone whom the header names."""
        return self.to + self.cc + self.bcc


@dataclass(frozen=True, slots=True)
class Policing:
    """Which recipients of the envelope the signed header names; `blind` are those it does not.

    `differences` are fields of the outer header that say something else than the signed one.
    """

    listed: tuple[str, ...]
    blind: tuple[str, ...]
    differences: tuple[str, ...] = ()


# ---- reading ---------------------------------------------------------------------------------


def read_message(content: bytes, *, limits: MimeLimits = DEFAULT_LIMITS) -> DirectMessage:
    """A whole message, header and body.

    Raises:
        MalformedMail: it does not name one sender, or is over one of `limits`.
    """
    root = read_part(content, limits=limits)
    return _message(root.header, root, is_wrapped=False)


def unwrap(
    entity: bytes, outer: Header | None = None, *, limits: MimeLimits = DEFAULT_LIMITS
) -> DirectMessage:
    """The message in a signed entity, wrapped as message/rfc822 or not (Direct AS 1.3: 2.7), or as
    message/global with letters beyond ASCII in its header (RFC 6532: 3.7).

    An unwrapped one has its sender and recipients only in `outer`, the header of the mail that
    carried it.

    Raises:
        MalformedMail: there is no message in it, or not one sender, or it is over a limit.
    """
    root = read_part(entity, limits=limits)
    if root.media_type.value in MESSAGE_TYPES:
        if not root.children:
            raise MalformedMail("the wrapped message is empty")
        inner = root.children[0]
        return _message(inner.header, inner, is_wrapped=True)
    if root.header.first("From") is not None:
        # Quirk: the fields of the message stand in the signed entity itself.
        return _message(root.header, root, is_wrapped=False)
    if outer is None:
        raise MalformedMail("the message is not wrapped and there is no outer header")
    return _message(outer, root, is_wrapped=False)


def read_outer(message: bytes, *, limits: MimeLimits = DEFAULT_LIMITS) -> Header:
    """The header of a mail as it came, its content untouched.

    Raises:
        MailOverLimit: it is over one of `limits`.
    """
    return read_header_of(message, limits=limits)


def message_id_of(text: str | None) -> str | None:
    """A Message-ID without brackets and comments, as two of them are compared."""
    if text is None:
        return None
    bare = text.strip()
    start, end = bare.find("<"), bare.find(">")
    if 0 <= start < end:
        bare = bare[start + 1 : end]
    return bare.strip() or None


def _message(header: Header, root: Part, *, is_wrapped: bool) -> DirectMessage:
    defects: list[str] = []
    if header.unreadable:
        defects.append("the header has lines that are no fields")
    return DirectMessage(
        header=header,
        root=root,
        from_=_sender(header),
        to=_addresses(header, "To", defects),
        cc=_addresses(header, "Cc", defects),
        bcc=_addresses(header, "Bcc", defects),
        reply_to=_addresses(header, "Reply-To", defects),
        subject=header.text("Subject"),
        message_id=message_id_of(header.text("Message-ID")),
        date=read_date(header.text("Date") or ""),
        in_reply_to=message_id_of(header.text("In-Reply-To")),
        is_wrapped=is_wrapped,
        defects=tuple(defects),
    )


def _sender(header: Header) -> Mailbox:
    fields = header.all("From")
    if len(fields) != 1:
        raise MalformedMail("the message has no From field, or several")
    return parse_mailbox(fields[0])


def _addresses(header: Header, name: str, defects: list[str]) -> tuple[Mailbox, ...]:
    found: tuple[Mailbox, ...] = ()
    fields = header.all(name)
    if len(fields) > 1:
        defects.append(f"the field {name} stands there {len(fields)} times")
    for value in fields:
        try:
            found += parse_mailboxes(value)
        except MalformedAddress as error:
            defects.append(f"the field {name} cannot be read: {error.reason}")
    return found


# ---- outer against inner ---------------------------------------------------------------------


def police(message: DirectMessage, outer: Header, recipients: Sequence[str]) -> Policing:
    """The signed header against the mail that carried it and the envelope's `recipients`.

    A recipient whom To and Cc do not name got a blind copy: delivered, and recorded as such.

    Raises:
        HeadersDisagree: the outer From is another than the signed one.
        MalformedMail: there is not one outer From.
    """
    if _sender(outer).key != message.from_.key:
        raise HeadersDisagree("the outer From is not the signed one")
    named = {box.key for box in message.to + message.cc}
    differences = tuple(_differences(message, outer))
    return Policing(
        listed=tuple(each for each in recipients if each.strip("<> ").lower() in named),
        blind=tuple(each for each in recipients if each.strip("<> ").lower() not in named),
        differences=differences,
    )


def _differences(message: DirectMessage, outer: Header) -> list[str]:
    found: list[str] = []
    for name, boxes in (("To", message.to), ("Cc", message.cc)):
        shown = {box.key for box in _addresses(outer, name, [])}
        if not shown <= {box.key for box in boxes}:
            found.append(f"the outer {name} names someone whom the signed one does not")
    outer_id = message_id_of(outer.text("Message-ID"))
    if outer_id is not None and outer_id != message.message_id:
        found.append("the outer Message-ID is not the signed one")
    return found


# ---- wrapping --------------------------------------------------------------------------------


def wrap(message: bytes) -> bytes:
    """The entity that is signed: the whole message, wrapped (Direct AS 1.3: 2.7)."""
    return _WRAPPER + message


def outer_headers(message: bytes) -> tuple[tuple[str, str], ...]:
    """The fields of a message that we wrote, for the mail that carries it sealed.

    The subject may tell of a patient and stays inside (Direct AS 1.3: 2.7).
    """
    header = read_outer(message)
    fields = [(name, value) for name in _OUTER_FIELDS for value in header.all(name)]
    return (*fields, ("Subject", "Encrypted message"), ("MIME-Version", "1.0"))
