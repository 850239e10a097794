"""How a message is written: CRLF, 7-bit, every field checked (RFC 5322, RFC 2045, RFC 2047).

Strategy: whatever stands in a header went through `field`, which refuses anything that could end
a line, and encodes anything that is not printable ASCII. Content that could be changed on its way
(long lines, 8-bit letters, lone line feeds) goes as base64; so no relay has reason to rewrite a
message, and no part can hold the boundary.
"""

import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final, Literal

from direct.addresses import Mailbox
from direct.mail_date import write_date
from direct.transfer_encoding import encode_base64

_TOKEN: Final = re.compile(r"[!#$%&'*+.^_`{|}~0-9A-Za-z-]+")
_MEDIA_TYPE: Final = re.compile(
    r"[A-Za-z0-9][A-Za-z0-9!#$&^_.+-]*/[A-Za-z0-9][A-Za-z0-9!#$&^_.+-]*"
)
_MESSAGE_ID: Final = re.compile(r"[!-;=?A-~]+@[!-;=?A-~]+")
_PHRASE: Final = re.compile(r"[A-Za-z0-9 ._-]+")
_LINE: Final = 76
_SEVEN_BIT: Final = re.compile(rb"(?:[\t\x20-\x7e]{0,998}\r\n)*[\t\x20-\x7e]{0,998}")
_WORD_BYTES: Final = 45
"""Of an encoded word, which may be 75 characters long (RFC 2047: 2)."""

FINAL_DELIVERY: Final = "X-DIRECT-FINAL-DESTINATION-DELIVERY"
"""Asks for a `dispatched` notice, and stands in it (Delivery Notification IG 1.0: 1.3)."""


@dataclass(frozen=True, slots=True)
class OutgoingPart:
    """One part to be sent. `filename` makes it an attachment; `parameters` are the media type's."""

    content: bytes
    media_type: str
    filename: str | None = None
    content_id: str | None = None
    parameters: tuple[tuple[str, str], ...] = ()


def write_message(
    *,
    from_: Mailbox,
    to: Sequence[Mailbox],
    message_id: str,
    date: datetime,
    parts: Sequence[OutgoingPart],
    subject: str | None = None,
    cc: Sequence[Mailbox] = (),
    wants_notice: bool = True,
    wants_dispatched: bool = False,
    in_reply_to: str | None = None,
    fields: Sequence[tuple[str, str]] = (),
    multipart: str = "mixed",
    report_type: str | None = None,
) -> bytes:
    """A whole message, ready to be wrapped and sealed. `message_id` comes without brackets.

    `wants_notice` asks for notices at `from_`, `wants_dispatched` for the one of final delivery
    too (ETT MT 46). `fields` are added as they are given.

    Raises:
        ValueError: there is no recipient or no part, or something that no header may hold.
    """
    if not to or not parts:
        raise ValueError("a message has a recipient and a part")
    lines = [
        field("From", _mailboxes([from_])),
        field("To", _mailboxes(to)),
        *([field("Cc", _mailboxes(cc))] if cc else []),
        field("Date", write_date(date)),
        field("Message-ID", bracketed(message_id)),
        *([field("In-Reply-To", bracketed(in_reply_to))] if in_reply_to else []),
        *([field("Subject", subject, words=True)] if subject is not None else []),
    ]
    if wants_notice or wants_dispatched:
        lines.append(field("Disposition-Notification-To", from_.address))
    if wants_dispatched:
        option = f"{FINAL_DELIVERY}=optional,true"
        lines.append(field("Disposition-Notification-Options", option))
    lines += [field(name, value, words=True) for name, value in fields]
    lines.append(field("MIME-Version", "1.0"))
    head = b"".join(lines)
    return head + _multipart(parts, multipart, report_type, _seed(head, parts))


def _seed(head: bytes, parts: Sequence[OutgoingPart]) -> str:
    """What the boundary is made of. Whatever may stand in clear is hashed too: a forwarded
    message of ours has a boundary of its own, which must not be ours.
    """
    digest = hashlib.sha256(head)
    for part in parts:
        if part.media_type.startswith(("text/", "message/", "multipart/")):
            digest.update(part.content)
    return digest.hexdigest()


def is_message_id(text: str) -> bool:
    """Whether `text` is a Message-ID that may be written, without brackets (RFC 5322: 3.6.4)."""
    return _MESSAGE_ID.fullmatch(text) is not None and len(text) <= 900


def bracketed(message_id: str) -> str:
    """`<message_id>`, checked.

    Raises:
        ValueError: it is no Message-ID (RFC 5322: 3.6.4).
    """
    if not is_message_id(message_id):
        raise ValueError("a Message-ID has the form left@right, without brackets")
    return f"<{message_id}>"


def field(name: str, value: str, *, words: bool = False) -> bytes:
    """One line of a header, folded where it is long; with `words`, other letters are encoded.

    Raises:
        ValueError: the name or the value could not stand there without becoming something else.
    """
    if _TOKEN.fullmatch(name) is None:
        raise ValueError("the name of a header field is a token")
    if any(not character.isprintable() for character in value):
        raise ValueError("the value of a header field holds a character that is not printable")
    # What looks like an encoded word must not be read as one.
    if words and (not value.isascii() or "=?" in value):
        return _encoded(name, value)
    if not value.isascii():
        raise ValueError("the value of a header field is ASCII")
    return _folded(name, value.split(" "))


def _encoded(name: str, value: str) -> bytes:
    words: list[str] = []
    rest = value
    while rest:
        length = min(len(rest), _WORD_BYTES)
        while len(rest[:length].encode()) > _WORD_BYTES:
            length -= 1
        payload = encode_base64(rest[:length].encode()).decode("ascii").strip()
        words.append(f"=?utf-8?B?{payload}?=")
        rest = rest[length:]
    return _folded(name, words)


def _folded(name: str, words: Sequence[str]) -> bytes:
    """The words, a new line begun where the next would go over it (RFC 5322: 2.2.3)."""
    lines = [f"{name}:"]
    for word in words:
        if len(lines[-1]) + 1 + len(word) > _LINE and word and lines[-1].strip() != f"{name}:":
            lines.append(f" {word}")
        else:
            lines[-1] += f" {word}"
    if any(len(line) > 998 for line in lines):
        raise ValueError("a header field has a word longer than a line")
    return "\r\n".join(lines).encode("ascii") + b"\r\n"


def _mailboxes(boxes: Sequence[Mailbox]) -> str:
    return ", ".join(_mailbox(box) for box in boxes)


def _mailbox(box: Mailbox) -> str:
    """The name goes along only where no reader could take a part of it for anything else."""
    if box.name and _PHRASE.fullmatch(box.name) and box.name.strip():
        return f'"{box.name}" <{box.address}>'
    return box.address


# ---- the body --------------------------------------------------------------------------------


def _multipart(
    parts: Sequence[OutgoingPart], subtype: str, report_type: str | None, seed: str
) -> bytes:
    # `=_` stands in no base64 text, and 7-bit content is searched for it.
    boundary = f"=_{seed[:40]}"
    written = [write_part(part, avoid=boundary.encode("ascii")) for part in parts]
    parameters = [("boundary", boundary)]
    if report_type is not None:
        parameters.insert(0, ("report-type", report_type))
    lines = [content_type(f"multipart/{subtype}", parameters), b"\r\n"]
    mark = b"--" + boundary.encode("ascii")
    for part in written:
        lines += [mark, b"\r\n", part, b"\r\n"]
    return b"".join([*lines, mark, b"--\r\n"])


def write_part(part: OutgoingPart, *, avoid: bytes | None = None) -> bytes:
    """One part: its fields and its content, encoded where it has to be.

    Raises:
        ValueError: it is a message or report that is not 7-bit (RFC 2046: 5.2), or `avoid`
            stands in it.
    """
    encoding, body = _encode(part, avoid)
    disposition = "inline" if part.filename is None else "attachment"
    named = () if part.filename is None else (("filename", part.filename),)
    lines = [
        content_type(part.media_type, part.parameters),
        field("Content-Transfer-Encoding", encoding),
        _parametrised("Content-Disposition", disposition, named),
    ]
    if part.content_id is not None:
        lines.append(field("Content-ID", bracketed(part.content_id)))
    return b"".join([*lines, b"\r\n", body])


def _encode(part: OutgoingPart, avoid: bytes | None) -> tuple[Literal["7bit", "base64"], bytes]:
    seven_bit = _SEVEN_BIT.fullmatch(part.content) is not None
    clear = seven_bit and (avoid is None or avoid not in part.content)
    if part.media_type.startswith(("message/", "multipart/")):
        if not clear:
            raise ValueError("a message inside a message is 7-bit text with CRLF")
        return "7bit", part.content
    # Only text is sent as it is: what else looks like it would suffer from one changed byte.
    if clear and part.media_type.startswith("text/") and part.filename is None:
        return "7bit", part.content
    return "base64", encode_base64(part.content)


def content_type(media_type: str, parameters: Sequence[tuple[str, str]]) -> bytes:
    """A Content-Type line.

    Raises:
        ValueError: it is no media type, or a parameter cannot be written.
    """
    if _MEDIA_TYPE.fullmatch(media_type) is None:
        raise ValueError("a media type is type/subtype")
    return _parametrised("Content-Type", media_type, parameters)


def _parametrised(name: str, value: str, parameters: Sequence[tuple[str, str]]) -> bytes:
    lines = [f"{name}: {value}"]
    for key, text in parameters:
        if _TOKEN.fullmatch(key) is None or any(not letter.isprintable() for letter in text):
            raise ValueError("a parameter is a token and printable text")
        lines.append(_parameter(key, text))
    return ";\r\n ".join(lines).encode("ascii") + b"\r\n"


def _parameter(key: str, text: str) -> str:
    if text.isascii() and len(text) <= 200 and "=?" not in text:
        escaped = text.replace("\\", "\\\\").replace('"', '\\"')
        return f'{key}="{escaped}"'
    encoded = "".join(
        chr(byte) if chr(byte).isalnum() and byte < 128 else f"%{byte:02X}"
        for byte in text.encode("utf-8")
    )
    if len(encoded) > 900:
        raise ValueError("a parameter is longer than a line")
    return f"{key}*=utf-8''{encoded}"
