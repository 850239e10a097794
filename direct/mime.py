"""A mail as a tree of parts, read from raw bytes (RFC 2045, RFC 2046).

Strategy: nothing is copied while the tree is built. A part is a place in the bytes it was read
from, and its content is decoded when it is asked for. Boundaries are found by one compiled
expression a multipart, so the work is linear for each level and the levels are counted, as are
parts and headers: the standard library needs seconds for twenty thousand parts and a recursion
error for a thousand levels. What cannot be read as the sender announced it stays a part with its
bytes; nothing is dropped.
"""

import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

from direct.encoded_words import decode_bytes
from direct.header import Header, Parametrised, media_type_of, read_header, read_parametrised
from direct.mail_errors import MailOverLimit
from direct.transfer_encoding import IDENTITY, decode, encoding_named

_SEARCHED_FREELY: Final = 1024 * 1024
MESSAGE_TYPES: Final = frozenset({"message/rfc822", "message/global"})
_TEXT: Final = "text/plain"
_BLANK_LINE: Final = re.compile(rb"\r?\n\r?\n")
_FIELD_LINE: Final = re.compile(rb"(?:>?From )|[!-9;-~]+[ \t]*:")


@dataclass(frozen=True, slots=True)
class MimeLimits:
    """How much of a message we take."""

    size_bytes: int = 50 * 1024 * 1024
    depth: int = 16
    """Levels of multiparts and of messages inside messages."""
    parts: int = 1000
    header_bytes: int = 100 * 1024
    """Of one header; Postfix stops there too."""
    searches: int = 8
    """How many times its own size a message may be searched for boundaries, all levels together:
    the bulk of an honest one stands in the first few levels.
    """


DEFAULT_LIMITS: Final = MimeLimits()


@dataclass(frozen=True, slots=True)
class Part:
    """A message or a part of one. `children` are a multipart's parts, or the one message inside.

    `path` tells where it stands: `2.1` is the first part of the second; the whole is empty.
    """

    header: Header
    media_type: Parametrised
    encoding: str
    source: bytes = field(repr=False)
    """What it was read from, shared with its neighbours."""
    start: int
    """Where in `source` its header begins."""
    body: int
    end: int
    path: str
    children: tuple["Part", ...] = ()

    @property
    def raw(self) -> bytes:
        """Header and body as they were sent."""
        return self.source[self.start : self.end]

    def decoded(self) -> tuple[bytes, bool]:
        """The body, and whether its transfer encoding is one that we know and read to the end."""
        return decode(self.source, self.body, self.end, self.encoding)

    def content(self) -> bytes:
        """The body, decoded."""
        return self.decoded()[0]

    def text(self, most_bytes: int = sys.maxsize) -> tuple[str, bool]:
        """The body as text in the charset that it names, and whether that is all of it.

        No more than `most_bytes` are looked at: one rare character makes a text four times as
        large as its bytes.
        """
        content = self.content()
        is_cut = len(content) > most_bytes
        charset = self.media_type.parameters.get("charset")
        return decode_bytes(content[:most_bytes], charset, is_cut=is_cut), not is_cut

    @property
    def disposition(self) -> Parametrised | None:
        value = self.header.first("Content-Disposition")
        return None if value is None else read_parametrised(value)

    @property
    def filename(self) -> str | None:
        """The name the sender gave it, printable. It is a word for people and never a path."""
        disposition = self.disposition
        given = None if disposition is None else disposition.parameters.get("filename")
        return given or self.media_type.parameters.get("name") or None

    @property
    def content_id(self) -> str | None:
        """The Content-ID without its brackets."""
        text = self.header.text("Content-ID")
        return None if text is None else text.removeprefix("<").removesuffix(">") or None

    def walk(self) -> Iterator["Part"]:
        """Itself and every part below it, in the order they stand."""
        waiting = [self]
        while waiting:
            part = waiting.pop()
            yield part
            waiting.extend(reversed(part.children))


def read_part(content: bytes, *, limits: MimeLimits = DEFAULT_LIMITS) -> Part:
    """The tree of `content`: a message, or an entity with its header.

    Raises:
        MailOverLimit: it is over one of `limits`.
    """
    if len(content) > limits.size_bytes:
        raise MailOverLimit("size")
    return _Reader(limits, len(content)).entity(content, 0, len(content), "", 0)


class _Reader:
    """Builds a tree, and counts what it has cost."""

    def __init__(self, limits: MimeLimits, size_bytes: int) -> None:
        self._limits = limits
        self._parts = 0
        self._to_search = limits.searches * max(size_bytes, _SEARCHED_FREELY)

    def entity(
        self, source: bytes, start: int, end: int, path: str, depth: int, default: str = _TEXT
    ) -> Part:
        """`default` is the media type of one that states none."""
        self._parts += 1
        if self._parts > self._limits.parts:
            raise MailOverLimit("parts")
        if depth > self._limits.depth:
            raise MailOverLimit("depth")
        header_end, body = self.find_body(source, start, end)
        header = read_header(source[start:header_end])
        encoding = encoding_named(header.text("Content-Transfer-Encoding") or "")
        media_type = media_type_of(header, default)
        part = Part(header, media_type, encoding, source, start, body, end, path)
        children = self._children(part, depth)
        if not children:
            return part
        return Part(header, media_type, encoding, source, start, body, end, path, tuple(children))

    def find_body(self, source: bytes, start: int, end: int) -> tuple[int, int]:
        """Where the header ends and where the body begins."""
        for blank in (b"\n", b"\r\n"):
            if source.startswith(blank, start, end):
                return start, start + len(blank)
        most = self._limits.header_bytes
        found = _BLANK_LINE.search(source, start, min(end, start + most))
        if found is not None:
            return found.start(), found.end()
        if end - start > most:
            raise MailOverLimit("the size of a header")
        # Quirk: a part without the blank line is all header, or, when it does not begin like
        # one, all content.
        is_header = _FIELD_LINE.match(source, start, end) is not None
        return (end, end) if is_header else (start, start)

    def _children(self, part: Part, depth: int) -> list[Part]:
        if part.media_type.value in MESSAGE_TYPES:
            return self._message_inside(part, depth)
        if not part.media_type.value.startswith("multipart/"):
            return []
        boundary = part.media_type.parameters.get("boundary", "")
        # RFC 2046: 5.1.1 allows 70 characters; senders with long host names use more.
        if not 0 < len(boundary) <= 200 or not boundary.isascii():
            return []
        self._to_search -= part.end - part.body
        if self._to_search < 0:
            raise MailOverLimit("depth")
        places = _split(part, boundary.encode("ascii"))
        # RFC 2046: 5.1.5
        default = "message/rfc822" if part.media_type.value == "multipart/digest" else _TEXT
        return [
            self.entity(part.source, start, end, _below(part.path, number), depth + 1, default)
            for number, (start, end) in enumerate(places, 1)
        ]

    def _message_inside(self, part: Part, depth: int) -> list[Part]:
        source, start, end = part.source, part.body, part.end
        if part.encoding not in IDENTITY:
            # RFC 2046: 5.2.1 forbids it; some encode a forwarded message all the same.
            source = part.content()
            start, end = 0, len(source)
        if start >= end:
            return []
        return [self.entity(source, start, end, _below(part.path, 1), depth + 1)]


def _below(path: str, number: int) -> str:
    return f"{path}.{number}" if path else str(number)


def _split(part: Part, boundary: bytes) -> Iterator[tuple[int, int]]:
    """Where each part of a multipart begins and ends (RFC 2046: 5.1.1).

    The line break before a boundary belongs to it. Without a closing boundary the last part
    goes to the end of what there is.
    """
    source, limit = part.source, part.end
    # It begins with literal text, which the engine looks for at the speed of memory.
    line = re.compile(rb"\n--" + re.escape(boundary) + rb"(--)?[ \t]*(?=\r?\n|\Z)")
    begun: int | None = None
    # The line feed before the body ended the blank line, so the first boundary may follow it.
    for match in line.finditer(source, max(0, part.body - 1), limit):
        if begun is not None:
            end = match.start()
            end -= source[end - 1 : end] == b"\r"
            yield min(begun, end), end  # two boundaries may share the break between them
        if match[1] is not None:
            return
        begun = min(limit, source.find(b"\n", match.end(), limit) + 1 or limit)
    if begun is not None:
        yield begun, limit


def read_header_of(content: bytes, *, limits: MimeLimits = DEFAULT_LIMITS) -> Header:
    """The header of a message alone; its body is not looked at.

    Raises:
        MailOverLimit: it is longer than `limits` let it be.
    """
    end, _ = _Reader(limits, 0).find_body(content, 0, len(content))
    return read_header(content[:end])
