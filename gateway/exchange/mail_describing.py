"""What a message says and carries, found in a worker: opened anew each time people look at it.

Apart from `mail_reading`, so that the worker loads nothing that it does not need.
"""

import hashlib
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from html import unescape
from itertools import islice
from mimetypes import guess_extension
from typing import Final

from direct.context import Context
from direct.encoded_words import printable
from direct.message import DirectMessage, Part, read_message, read_outer, unwrap
from gateway.exchange.mail_content import ContentSearch, Found, find_content
from gateway.exchange.mail_sealing import KeyPairDer, open_mail

_MOST_TEXT: Final = 100_000
_MOST_SOURCE: Final = 1_000_000
"""Of what the text is made from: line ends, marks and tags come to far less than nine tenths."""
_MOST_PARTS: Final = 500
_UNSAFE: Final = re.compile(r"[^A-Za-z0-9._-]+")
_SILENT: Final = frozenset({"script", "style", "head", "title", "template", "noscript"})
_BREAKS: Final = frozenset({"p", "div", "br", "tr", "li", "h1", "h2", "h3", "h4", "table", "hr"})
_TAG: Final = re.compile(r"<(/?)(!--|[!?]?[a-z][a-z0-9]*)")
_SPACES: Final = re.compile(r"\s+")
_BLANK_LINES: Final = re.compile(r"\n{3,}")
Keys = tuple[KeyPairDer, ...]


@dataclass(frozen=True, slots=True)
class MailPart:
    """One thing that the message carries, by its bytes, and as its sender called it."""

    kind: str
    media_type: str
    declared: str | None
    filename: str | None
    where: tuple[str, ...]
    size_bytes: int
    sha256: str
    is_body: bool
    defects: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class ReadMail:
    """A message as people see it; `text` has lines and nothing else that is not shown."""

    from_: str
    to: tuple[str, ...]
    date: str | None
    subject: str | None
    text: str
    is_cut: bool
    parts: tuple[MailPart, ...]
    context: Context | None
    problems: tuple[str, ...]


def carried_files(raw: bytes, keys: Keys | None) -> Iterator[tuple[str, bytes]]:
    """As `read_parts`: a number, and what is harmless of the name that its sender gave.

    Raises:
        DirectError: it does not open, or cannot be read.
    """
    found = islice(ContentSearch(_message(raw, keys)).found(), _MOST_PARTS)
    for number, one in enumerate(found, 1):
        yield _file_name(number, one), one.content


def _file_name(number: int, found: Found) -> str:
    """Of letters, digits and a few marks: no folder, no hidden file, nothing that a shell reads."""
    last = re.split(r"[/\\]", found.filename or found.where[-1])[-1]
    stem, dot, ending = last.rpartition(".") if found.filename else (last, "", "")
    plain = _UNSAFE.sub("_", stem if dot else last).strip("._-")[:60]
    ending = _UNSAFE.sub("", ending)[:8] or (guess_extension(found.media_type) or ".bin")[1:]
    return f"{number:03}-{plain or 'part'}.{ending}"


def describe_mail(raw: bytes, keys: Keys | None) -> ReadMail:
    """What it says and carries; `keys` are None where our HISP has opened it.

    Raises:
        DirectError: it does not open, or cannot be read.
    """
    message = _message(raw, keys)
    text, is_cut = _text(message)  # before anything is held of what it carries
    carried = find_content(message)
    return ReadMail(
        from_=message.from_.address,
        to=tuple(one.address for one in message.recipients),
        date=message.date.isoformat() if message.date else None,
        subject=message.subject,
        text=text[:_MOST_TEXT],
        is_cut=is_cut or len(text) > _MOST_TEXT,
        parts=tuple(map(_part, carried.found[:_MOST_PARTS])),
        context=carried.context,
        problems=carried.problems,
    )


def _message(raw: bytes, keys: Keys | None) -> DirectMessage:
    if keys is None:
        return read_message(raw)
    return unwrap(open_mail(raw, keys)[1].content, read_outer(raw))


def _part(found: Found) -> MailPart:
    return MailPart(
        kind=found.kind,
        media_type=found.media_type,
        declared=found.declared,
        filename=found.filename,
        where=tuple(map(printable, found.where)),
        size_bytes=len(found.content),
        sha256=hashlib.sha256(found.content).hexdigest(),
        is_body=found.is_body,
        defects=found.defects,
    )


def _text(message: DirectMessage) -> tuple[str, bool]:
    """The first text that is meant to be read as the message, and whether more of it is not
    looked at; plain before HTML."""
    bodies = [one for one in message.parts if _is_body(one)]
    plain = [one for one in bodies if one.media_type.value != "text/html"]
    for chosen in (*plain, *bodies):
        begun, is_all = chosen.text(4 * _MOST_SOURCE)  # no charset has longer characters
        if not is_all or (begun and not begun.isspace()):
            break
    else:
        return "", False
    written, is_cut = begun[:_MOST_SOURCE], not is_all or len(begun) > _MOST_SOURCE
    words = written if chosen.media_type.value != "text/html" else _words(written)
    lines = map(printable, words.replace("\r\n", "\n").replace("\r", "\n").split("\n"))
    text = _BLANK_LINES.sub("\n\n", "\n".join(lines)).strip()
    return text, is_cut


def _is_body(part: Part) -> bool:
    disposition = part.disposition
    attached = disposition is not None and disposition.value == "attachment"
    return part.media_type.value.startswith("text/") and not attached and part.filename is None


def _words(written: str) -> str:
    """The words of HTML; what stands in tags, scripts, styles and comments is none.

    Our own, since Python's parser looks through all that follows at each comment without end.
    What is never closed hides the rest, as it does in a browser.
    """
    found: list[str] = []
    lower, at = written.lower(), 0
    while (start := written.find("<", at)) >= 0:
        found.append(written[at:start])
        tag = _TAG.match(lower, start)
        if tag is None:
            found.append("<")
            at = start + 1
            continue
        closed, name = tag.groups()
        found.append("\n" if name in _BREAKS else "")
        at = lower.find("-->", start) + 3 if name == "!--" else lower.find(">", start) + 1
        if name in _SILENT and not closed and at > start:
            at = lower.find(f"</{name}", at)
        if at <= start:
            return _unescaped(found)
    return _unescaped([*found, written[at:]])


def _unescaped(found: Sequence[str]) -> str:
    return unescape("".join(one if one == "\n" else _SPACES.sub(" ", one) for one in found))
