"""The MIME around CMS, by hand and on octets (RFC 2045, 1847, 8551: 3).

A parser that knows MIME in full writes it anew and breaks signatures, and takes seconds for ten
megabytes. What is needed here is little: a head, its media type, and the parts of one multipart,
found without copying. What two readers could read in two ways is refused.
"""

import binascii
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from direct.errors import MalformedMessage, MessageTooLarge
from direct.transfer_encoding import encoding_named

_MOST_HEAD: Final = 256 * 1024
"""Of octets of header fields: Postfix takes 100 KB."""
_BLANK_LINE: Final = re.compile(rb"\r?\n\r?\n")
_FOLD: Final = re.compile(rb"\r?\n(?=[ \t])")
_LINE: Final = re.compile(rb"\r?\n")
_TOKEN: Final = r"[!#$%&'*+.^_`|~0-9A-Za-z-]+"  # noqa: S105 (a grammar's word, no secret)
_MEDIA_TYPE: Final = re.compile(rf"\s*({_TOKEN}/{_TOKEN})\s*")
_PARAMETER: Final = re.compile(
    rf';\s*(?:({_TOKEN})\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^\s;"]*))\s*)?', re.DOTALL
)
_ESCAPED: Final = re.compile(r"\\(.)", re.DOTALL)
_AFTER_BOUNDARY: Final = re.compile(rb"(--)?[ \t]*+(?:\r?\n|\Z)")
_MOST_NEAR: Final = 10_000
"""Of lines that begin like a boundary; those of nested multiparts may."""
_MOST_BOUNDARY: Final = 200  # RFC 2046: 5.1.1 says 70


@dataclass(frozen=True, slots=True)
class Entity:
    """One entity's media type, in lower case with its parameters, and where its body lies."""

    media_type: str
    parameters: Mapping[str, str]
    transfer_encoding: str
    data: bytes
    start: int
    end: int

    @property
    def body(self) -> memoryview:
        """The body as it was sent."""
        return memoryview(self.data)[self.start : self.end]

    def decode(self) -> bytes:
        """The body without its transfer encoding (RFC 2045: 6); what base64 has no letter for
        is left out, as 6.8 has it.

        Raises:
            MalformedMessage: it is not in that encoding, or in one that nobody knows.
        """
        if self.transfer_encoding == "base64":
            try:
                return binascii.a2b_base64(self.body)
            except binascii.Error:
                raise MalformedMessage("the body is no base64") from None
        if self.transfer_encoding == "quoted-printable":
            return binascii.a2b_qp(self.body)
        if self.transfer_encoding in ("7bit", "8bit", "binary"):
            return bytes(self.body)
        raise MalformedMessage("the transfer encoding is none that MIME knows")


def read_entity(data: bytes, start: int = 0, end: int | None = None) -> Entity:
    """The entity that `data` holds between `start` and `end`.

    Raises:
        MalformedMessage: it has no head, or two Content-Types, or one that cannot be read.
        MessageTooLarge: its head is longer than any honest one.
    """
    end = len(data) if end is None else end
    head, body = _split(data, start, end)
    fields = _fields(head, ("content-type", "content-transfer-encoding"))
    media_type, parameters = _read_media_type(fields.get("content-type", "text/plain"))
    if media_type == "application/octet-stream":
        parameters.setdefault("name", _file_name(head))
    encoding = encoding_named(fields.get("content-transfer-encoding", "7bit"))
    return Entity(media_type, parameters, encoding, data, body, end)


def _split(data: bytes, start: int, end: int) -> tuple[bytes, int]:
    """The header fields, and where the body begins."""
    for blank in (b"\r\n", b"\n"):
        if data.startswith(blank, start):
            return b"", start + len(blank)
    match = _BLANK_LINE.search(data, start, min(end, start + _MOST_HEAD))
    if match is None:
        if end - start >= _MOST_HEAD:
            raise MessageTooLarge("the header fields are too long")
        raise MalformedMessage("the message has no body")
    return data[start : match.start()], match.end()


def _fields(head: bytes, wanted: tuple[str, ...]) -> dict[str, str]:
    """The wanted fields by name in lower case; none of them may be there twice."""
    found: dict[str, str] = {}
    for line in _LINE.split(_FOLD.sub(b"", head)):
        name, colon, value = line.partition(b":")
        key = name.strip().lower().decode("latin-1")
        if not colon or key not in wanted:
            continue
        if key in found:
            raise MalformedMessage(f"the field {key} is there twice")
        found[key] = value.decode("latin-1")
    return found


def _read_media_type(text: str) -> tuple[str, dict[str, str]]:
    match = _MEDIA_TYPE.match(text)
    if match is None:
        raise MalformedMessage("the Content-Type is not a media type")
    return match.group(1).lower(), _read_parameters(text, match.end())


def _file_name(head: bytes) -> str:
    """As RFC 2183: 2.3 states it; a mailer that does not know a type may give no other name."""
    text = _fields(head, ("content-disposition",)).get("content-disposition", "")
    return _read_parameters(text, len(text.partition(";")[0])).get("filename", "")


def _read_parameters(text: str, position: int) -> dict[str, str]:
    parameters: dict[str, str] = {}
    while (found := _PARAMETER.match(text, position)) is not None:
        position = found.end()
        if found.group(1) is None:
            continue
        name, quoted, bare = found.group(1).lower(), found.group(2), found.group(3)
        if name in parameters:
            raise MalformedMessage("a parameter of a field is there twice")
        parameters[name] = bare if quoted is None else _ESCAPED.sub(r"\1", quoted)
    return parameters


def split_signed(entity: Entity) -> tuple[memoryview, Entity]:
    """What a multipart/signed has signed, to the octet, and its signature's part (RFC 1847: 2.1).

    The line end before a boundary is the boundary's (RFC 2046: 5.1.1).

    Raises:
        MalformedMessage: it has not exactly two parts.
    """
    boundary = entity.parameters.get("boundary", "").rstrip().encode("latin-1", "replace")
    if not 1 <= len(boundary) <= _MOST_BOUNDARY:
        raise MalformedMessage("the multipart has no boundary")
    spans: list[tuple[int, int]] = []
    opened: int | None = None
    for before, after, is_last in _boundaries(entity, boundary):
        if opened is not None:
            spans.append((opened, max(before, opened)))
        if len(spans) > 2:
            break
        opened = None if is_last else after
        if is_last:
            break
    if opened is not None:  # cut off before its last boundary; the signature says if it matters
        spans.append((opened, entity.end))
    if len(spans) != 2:
        raise MalformedMessage("the signed multipart has not exactly two parts")
    (start, end), (second, last) = spans
    return memoryview(entity.data)[start:end], read_entity(entity.data, second, last)


def _boundaries(entity: Entity, boundary: bytes) -> Iterator[tuple[int, int, bool]]:
    """Each boundary line: where what is before it ends, where what follows begins, if the last."""
    data, end = entity.data, entity.end
    line = b"--" + boundary
    at = entity.start if data.startswith(line, entity.start) else -1
    if at < 0:
        at = _next(data, line, entity.start, end)
    for _ in range(_MOST_NEAR):
        if at < 0:
            return
        match = _AFTER_BOUNDARY.match(data, at + len(line), end)
        if match is not None:
            before = at - 1
            if before > entity.start and data[before - 1] == 0x0D:
                before -= 1
            yield before, match.end(), match.group(1) is not None
        at = _next(data, line, at + len(line) - 1, end)
    raise MessageTooLarge("the multipart has too many lines that look like its boundary")


def _next(data: bytes, line: bytes, start: int, end: int) -> int:
    """Where the next line that begins with `line` begins, or -1."""
    found = data.find(b"\n" + line, start, end)
    return found if found < 0 else found + 1


# ---- writing -------------------------------------------------------------------------------------

_WIDTH: Final = 76


def encode_base64(data: bytes) -> bytes:
    """`data` in base64 in lines of 76 letters that end in CRLF (RFC 2045: 6.8)."""
    letters = binascii.b2a_base64(data, newline=False)
    lines = [letters[at : at + _WIDTH] for at in range(0, len(letters), _WIDTH)]
    lines.append(b"")
    return b"\r\n".join(lines)
