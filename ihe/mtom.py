"""MTOM/XOP packages read as events (SOAP MTOM 1.0, XOP 1.0, RFC 2046: 5.1, RFC 2387).

Strategy: as h11 does, bytes go in and events come out, and nobody here knows a socket. Of an
attachment the reader keeps no more than could still be the beginning of a boundary, so a document
of any size passes in constant memory; only the root part, the envelope, is gathered whole, up to
a cap. Work is linear: a byte is searched once for a boundary and then leaves the buffer.

Content is kept to the byte; what was encoded for its way is decoded as it passes. A line break
belongs to the boundary that follows it, not to the document before it, so the only question is
whether that break is LF or CRLF: what ended the first boundary's own line decides for the whole
message.
"""

from dataclasses import dataclass
from enum import Enum, auto
from typing import Final

from ihe.errors import MalformedMessage, MessageTooLarge, UnexpectedMessage
from ihe.mime import MediaType, read_content_id, read_header_fields, read_media_type
from ihe.transfer_encoding import Decoder, decoder_of

# Blanks that a relay may add behind a boundary (RFC 2046: 5.1.1); of more we believe none.
_PADDING_BYTES: Final = 256
_LARGE_BYTES: Final = 16 * 1024


@dataclass(frozen=True, slots=True)
class MultipartLimits:
    """How much of a package we take."""

    root_bytes: int = 10 * 1024 * 1024
    parts: int = 1000
    header_bytes: int = 16 * 1024
    preamble_bytes: int = 64 * 1024
    total_bytes: int = 2 * 1024 * 1024 * 1024


DEFAULT_LIMITS: Final = MultipartLimits()


@dataclass(frozen=True, slots=True)
class RootPart:
    """The envelope, whole."""

    content: bytes
    content_type: str | None


@dataclass(frozen=True, slots=True)
class PartStart:
    """An attachment begins; what follows up to `PartEnd` are its bytes."""

    cid: str | None
    content_type: str | None


@dataclass(frozen=True, slots=True)
class PartData:
    """Some of an attachment's bytes; how many come at a time means nothing."""

    content: bytes


@dataclass(frozen=True, slots=True)
class PartEnd:
    """The attachment is complete."""


Event = RootPart | PartStart | PartData | PartEnd


def is_multipart(content_type: str) -> bool:
    """Whether an HTTP Content-Type announces a package; else it is a bare envelope."""
    return content_type.partition(";")[0].strip().lower() == "multipart/related"


class _State(Enum):
    PREAMBLE = auto()
    HEADER = auto()
    BODY = auto()
    EPILOGUE = auto()


@dataclass(frozen=True, slots=True)
class _Boundary:
    """A boundary in the buffer: where the break before it is, and where its own line ends."""

    line_feed: int
    end: int
    closing: bool
    crlf: bool


class MultipartReader:
    """Chunks of a package in, events out.

    The parts' order is the sender's: the root part may come after attachments it refers to.
    """

    def __init__(self, content_type: str, *, limits: MultipartLimits = DEFAULT_LIMITS) -> None:
        """A reader for one message with this HTTP Content-Type.

        Raises:
            UnexpectedMessage: it announces no package of related parts.
            MalformedMessage: it has no usable boundary.
        """
        media_type = read_media_type(content_type)
        if media_type.type != "multipart/related":
            raise UnexpectedMessage("the content is not multipart/related")
        self._needle = b"\n--" + _read_boundary(media_type)
        start = media_type.parameters.get("start", "").strip()
        self._start = read_content_id(start) if start else None
        self._limits = limits
        self._state = _State.PREAMBLE
        self._crlf: bool | None = None
        # The break before the first boundary, so that a message may begin with it. In a body,
        # too, the buffer begins with a break that is no content: the one that ended the header.
        self._buffer = bytearray(b"\n")
        self._not_content = 1
        self._scanned = 0
        self._total_bytes = 0
        self._header_bytes = 0
        self._parts = 0
        self._cids: set[str] = set()
        self._root: bytearray | None = None
        self._root_type: str | None = None
        self._root_seen = False
        self._decoder: Decoder | None = None

    def feed(self, chunk: bytes) -> list[Event]:
        """What `chunk` completes.

        Raises:
            MalformedMessage: not a package as its Content-Type says.
            MessageTooLarge: a limit is reached.
        """
        self._total_bytes += len(chunk)
        if self._total_bytes > self._limits.total_bytes:
            raise MessageTooLarge("the message is over our limit")
        events: list[Event] = []
        if self._state is not _State.EPILOGUE and not self._passed_on(chunk, events):
            self._buffer += chunk
            while self._step(events):
                pass
        return events

    def close(self) -> None:
        """To be called once the peer has sent all.

        Raises:
            MalformedMessage: the closing boundary or the root part is missing.
        """
        if self._state is not _State.EPILOGUE:
            raise MalformedMessage("the message ends before its closing boundary")
        if not self._root_seen:
            raise MalformedMessage("the message has no root part")

    def _step(self, events: list[Event]) -> bool:
        """Goes to the end of one header or part; False when that is not in the buffer yet."""
        match self._state:
            case _State.PREAMBLE:
                return self._skip_preamble()
            case _State.HEADER:
                return self._read_header(events)
            case _State.BODY:
                return self._read_body(events)
            case _State.EPILOGUE:
                self._buffer.clear()
                return False

    def _skip_preamble(self) -> bool:
        _, boundary = self._search()
        if boundary is None:
            if len(self._buffer) > self._limits.preamble_bytes:
                raise MalformedMessage("the message does not begin with its boundary")
            return False
        self._pass(boundary)
        return True

    # ---- headers -----------------------------------------------------------------------------

    def _read_header(self, events: list[Event]) -> bool:
        buffer = self._buffer
        # Quirk: blank lines between a boundary and the fields. A part of a package always has
        # fields, so these cannot be the end of an empty header.
        while buffer[:1] == b"\n" or buffer[:2] == b"\r\n":
            size = 1 if buffer[:1] == b"\n" else 2
            del buffer[:size]
            self._header_bytes += size
        end = _find_blank_line(buffer, max(0, self._scanned - 2))
        size = len(buffer) if end is None else end
        if self._header_bytes + size > self._limits.header_bytes:
            raise MessageTooLarge("the header of a part is over our limit")
        self._scanned = len(buffer)
        if end is None:
            return False
        fields = read_header_fields(bytes(buffer[:end]))
        del buffer[: end - 1]
        self._not_content, self._scanned, self._state = 1, 0, _State.BODY
        self._decoder = decoder_of(fields.get("content-transfer-encoding", ""))
        self._begin_part(fields.get("content-id"), fields.get("content-type"), events)
        return True

    def _begin_part(self, given: str | None, content_type: str | None, events: list[Event]) -> None:
        self._parts += 1
        if self._parts > self._limits.parts:
            raise MessageTooLarge("the message has more parts than we take")
        cid = read_content_id(given) if given is not None else None
        if cid is not None and cid in self._cids:
            raise MalformedMessage("two parts have one Content-ID")
        if cid is not None:
            self._cids.add(cid)
        # RFC 2387: 3.2: without `start` the first part is the root.
        if self._parts == 1 if self._start is None else cid == self._start:
            self._root, self._root_type, self._root_seen = bytearray(), content_type, True
        else:
            events.append(PartStart(cid, content_type))

    # ---- bodies ------------------------------------------------------------------------------

    def _read_body(self, events: list[Event]) -> bool:
        content_end, boundary = self._search()
        if content_end > self._not_content:
            with memoryview(self._buffer) as whole:  # a slice of the buffer would be one more copy
                content = bytes(whole[self._not_content : content_end])
            self._take(content, events)
        if boundary is None:
            if content_end > self._not_content:
                del self._buffer[:content_end]
                self._not_content = 0
            return False
        self._end_part(events)
        self._pass(boundary)
        return True

    def _passed_on(self, chunk: bytes, events: list[Event]) -> bool:
        """Whether all of it but its end was content, as most of a large attachment is.

        Through the buffer it would be copied once more.
        """
        size = len(self._needle)
        if self._state is not _State.BODY or len(self._buffer) > size or len(chunk) < _LARGE_BYTES:
            return False
        if chunk.find(self._needle) >= 0 or (self._buffer + chunk[:size]).find(self._needle) >= 0:
            return False
        whole = memoryview(chunk)
        begun = self._buffer[self._not_content :]
        self._take(b"".join((begun, whole[:-size])), events)
        self._buffer[:] = whole[-size:]
        self._not_content = 0
        return True

    def _take(self, content: bytes, events: list[Event]) -> None:
        self._give(content if self._decoder is None else self._decoder.feed(content), events)

    def _give(self, content: bytes, events: list[Event]) -> None:
        if not content:
            return
        if self._root is None:
            events.append(PartData(content))
            return
        self._root += content
        if len(self._root) > self._limits.root_bytes:
            raise MessageTooLarge("the envelope is over our limit")

    def _end_part(self, events: list[Event]) -> None:
        if self._decoder is not None:
            self._give(self._decoder.finish(), events)
            self._decoder = None
        if self._root is None:
            events.append(PartEnd())
        else:
            events.append(RootPart(bytes(self._root), self._root_type))
            self._root = None

    # ---- boundaries --------------------------------------------------------------------------

    def _search(self) -> tuple[int, _Boundary | None]:
        """How much of the buffer is surely content, and the boundary that follows it, if seen."""
        buffer, needle = self._buffer, self._needle
        position = 0
        while (at := buffer.find(needle, position)) >= 0:
            line = _read_boundary_line(buffer, at, at + len(needle))
            if line is None:
                return self._content_end(at, crlf=True), None
            if line.end > line.line_feed:
                crlf = line.crlf if self._crlf is None else self._crlf
                return self._content_end(at, crlf=crlf), line
            position = at + 1
        return max(0, len(buffer) - len(needle)), None

    def _content_end(self, line_feed: int, *, crlf: bool) -> int:
        """Where content ends before a boundary's break: before its CR too, if it has one."""
        before = line_feed - 1
        return before if crlf and before >= 0 and self._buffer[before] == 13 else line_feed

    def _pass(self, boundary: _Boundary) -> None:
        del self._buffer[: boundary.end]
        if self._crlf is None:
            self._crlf = boundary.crlf
        self._header_bytes = self._scanned = 0
        self._state = _State.EPILOGUE if boundary.closing else _State.HEADER


def _read_boundary(media_type: MediaType) -> bytes:
    boundary = media_type.parameters.get("boundary", "")
    # RFC 2046 allows 70 characters; senders with long host names use more.
    if not 0 < len(boundary) <= 200 or not boundary.isascii() or not boundary.isprintable():
        raise MalformedMessage("the Content-Type has no usable boundary")
    return boundary.encode("ascii")


def _find_blank_line(buffer: bytearray, start: int) -> int | None:
    """The end of the first blank line that follows a header field."""
    found = [
        at + len(pattern)
        for pattern in (b"\n\n", b"\n\r\n")
        if (at := buffer.find(pattern, start)) >= 0
    ]
    return min(found, default=None)


def _read_boundary_line(buffer: bytearray, line_feed: int, after: int) -> _Boundary | None:
    """What the text behind a boundary makes of it; None while that cannot be told.

    A line that only begins like a boundary is content: its `end` is not behind its start.
    """
    tail = bytes(buffer[after : after + _PADDING_BYTES + 2])
    if tail.startswith(b"--"):
        return _Boundary(line_feed, after + 2, closing=True, crlf=False)
    rest = tail.lstrip(b" \t")
    end = after + len(tail) - len(rest)
    if rest.startswith(b"\n"):
        return _Boundary(line_feed, end + 1, closing=False, crlf=False)
    if rest.startswith(b"\r\n"):
        return _Boundary(line_feed, end + 2, closing=False, crlf=True)
    if tail == b"-" or (rest in (b"", b"\r") and len(tail) <= _PADDING_BYTES):
        return None
    return _Boundary(line_feed, line_feed, closing=False, crlf=False)
