"""MTOM/XOP packages written (SOAP MTOM 1.0, XOP 1.0, RFC 2046: 5.1, RFC 2387)."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final

from ihe.mime import quoted

_XOP_TYPE: Final = "application/xop+xml"
_SOAP_TYPE: Final = "application/soap+xml"


@dataclass(frozen=True, slots=True)
class Part:
    """An attachment to be sent: its bytes in any portions, read only once."""

    cid: str
    content_type: str
    chunks: Iterable[bytes]
    size_bytes: int | None = None
    """How many there are, where that is known before."""


class MultipartWriter:
    """A package as chunks: `chunks` for a whole message, or `opening`, `part_opening`, `closing`
    around content that the caller sends itself.

    `boundary` must not occur in any part: the caller draws it at random. `action` is the SOAP
    action, which MTOM puts into the Content-Type (SOAP 1.2 Part 2: 6.5.3).
    """

    def __init__(self, root: bytes, *, boundary: str, action: str | None = None) -> None:
        """A writer for one message.

        Raises:
            ValueError: `boundary` or `action` cannot stand in a Content-Type.
        """
        if not 0 < len(boundary) <= 70 or not boundary.replace("-", "").isalnum():
            raise ValueError("a boundary is 1 to 70 letters, digits and hyphens")
        self._root = root
        self._boundary = boundary.encode("ascii")
        self._root_id = f"<root.{boundary}@gateway>"
        described = "" if action is None else f"; action={quoted(action)}"
        self._root_type = f"{_XOP_TYPE}; charset=UTF-8; type={quoted(_SOAP_TYPE)}{described}"
        self.content_type = (
            f"multipart/related; type={quoted(_XOP_TYPE)}; start={quoted(self._root_id)}; "
            f"boundary={quoted(boundary)}; start-info={quoted(_SOAP_TYPE)}{described}"
        )

    def chunks(self, parts: Iterable[Part]) -> Iterator[bytes]:
        """The message: the envelope, then `parts` in their order."""
        yield self.opening()
        for part in parts:
            yield self.part_opening(part.cid, part.content_type)
            yield from part.chunks
        yield self.closing()

    def size_of(self, parts: Iterable[Part]) -> int | None:
        """How many bytes the message with these parts has; None where one's own is not known."""
        size = len(self.opening()) + len(self.closing())
        for part in parts:
            if part.size_bytes is None:
                return None
            size += len(self.part_opening(part.cid, part.content_type)) + part.size_bytes
        return size

    def opening(self) -> bytes:
        """The root part, whole."""
        header = self._header(self._root_id, self._root_type)
        return b"--" + self._boundary + b"\r\n" + header + self._root

    def part_opening(self, cid: str, content_type: str) -> bytes:
        """What stands before an attachment's bytes.

        Raises:
            ValueError: an argument cannot stand in a header field.
        """
        return b"\r\n--" + self._boundary + b"\r\n" + self._header(f"<{cid}>", content_type)

    def closing(self) -> bytes:
        """What ends the message."""
        return b"\r\n--" + self._boundary + b"--\r\n"

    def _header(self, content_id: str, content_type: str) -> bytes:
        for text in (content_id, content_type):
            if not text.isascii() or not text.isprintable():
                raise ValueError("a header field is printable ASCII")
        return (
            f"Content-Type: {content_type}\r\n"
            "Content-Transfer-Encoding: binary\r\n"
            f"Content-ID: {content_id}\r\n\r\n"
        ).encode("ascii")
