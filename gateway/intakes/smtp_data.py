"""What follows DATA, as the bytes come: lines ended by CRLF alone, up to a line with one dot.

RFC 5321: 2.3.8, 4.1.1.4 and 4.5.2. A lone CR or LF ends nothing here and is not let in at all:
a server before us that takes one for a line's end would see other messages than we do, and so
would an S/MIME signature, which counts bytes. Pure: bytes in, bytes out.
"""

from enum import Enum
from typing import Final

_END: Final = b"\r\n.\r\n"
LONGEST_LINE: Final = 1000
"""RFC 5321: 4.5.3.1.6, with its CRLF and without a dot that stands for two."""


class Fault(Enum):
    """Why a message is not taken, as its sender hears it."""

    BARE_LINE_END = "550 5.5.2 A lone CR or LF is no end of a line (RFC 5321 2.3.8)"
    LONG_LINE = "500 5.5.2 A line is longer than 1000 octets (RFC 5321 4.5.3.1.6)"
    TOO_LARGE = "552 5.3.4 The message is larger than we take"


class DataReader:
    """One message. After a fault the bytes are passed over, but its end is still looked for."""

    __slots__ = ("_at_line_start", "_limit", "_tail", "ended", "fault", "rest", "size")

    def __init__(self, limit_bytes: int) -> None:
        self._limit = limit_bytes
        self._tail = b""
        self._at_line_start = True
        self.size = 0
        """Bytes seen so far, those passed over included."""
        self.fault: Fault | None = None
        self.ended = False
        self.rest = b""
        """What came after the end: the next commands."""

    def feed(self, chunk: bytes) -> bytes:
        """The message's next whole lines, without the dots that stand for transparency."""
        if self.ended:
            raise ValueError("the message has ended")
        data = self._tail + chunk
        self.size += len(chunk)
        if self._at_line_start and data.startswith(_END[2:]):
            return self._end(b"", data[3:])
        place = data.find(_END)
        if place >= 0:
            return self._end(data[: place + 2], data[place + 5 :])
        whole = data.rfind(b"\r\n") + 2 if b"\r\n" in data else 0
        self._tail = data[whole:]
        if len(self._tail) > LONGEST_LINE:
            self._note(Fault.LONG_LINE)
        if self.size > self._limit + len(_END):
            self._note(Fault.TOO_LARGE)
        lines = self._checked(data[:whole])
        if self.fault is not None:
            # Enough to see the end, wherever it is cut.
            self._tail, self._at_line_start = data[-len(_END) + 1 :], False
        return lines

    def _end(self, lines: bytes, rest: bytes) -> bytes:
        self.ended, self.rest, self._tail = True, rest, b""
        self.size -= len(rest)
        if self.size > self._limit + len(_END):
            self._note(Fault.TOO_LARGE)
        return self._checked(lines)

    def _checked(self, lines: bytes) -> bytes:
        if self.fault is not None or not lines:
            return b""
        ends = lines.count(b"\r\n")
        if lines.count(b"\n") != ends or lines.count(b"\r") != ends:
            self._note(Fault.BARE_LINE_END)
            return b""
        plain = lines.replace(b"\r\n.", b"\r\n")
        if lines.startswith(b"."):
            plain = plain[1:]
        if max(map(len, plain.split(b"\r\n"))) + 2 > LONGEST_LINE:
            self._note(Fault.LONG_LINE)
            return b""
        return plain

    def _note(self, fault: Fault) -> None:
        """The first fault is the one that is told."""
        self.fault = self.fault or fault
