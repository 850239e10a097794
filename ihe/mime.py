"""The little of MIME that MTOM needs: header fields, media types, content ids (RFC 2045, 2392)."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from ihe.errors import MalformedMessage

_TOKEN: Final = r"[!#$%&'*+.^_`|~0-9A-Za-z-]+"  # noqa: S105 (a grammar's word, no secret)
_MEDIA_TYPE: Final = re.compile(rf"\s*({_TOKEN}/{_TOKEN})\s*")
# Quirk: an unquoted value may hold characters that RFC 2045 wants quoted (: / = + <).
_PARAMETER: Final = re.compile(
    rf';\s*({_TOKEN})\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^\s;"]*))\s*', re.DOTALL
)
_ESCAPED: Final = re.compile(r"\\(.)", re.DOTALL)
_UNRESERVED: Final = frozenset(
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~@"
)
_PERCENT: Final = re.compile(rb"%([0-9A-Fa-f]{2})")


@dataclass(frozen=True, slots=True)
class MediaType:
    """A Content-Type: `type` and the parameters' names in lower case, values as written."""

    type: str
    parameters: Mapping[str, str]


def read_media_type(text: str) -> MediaType:
    """A Content-Type field's value (RFC 2045: 5.1). Of a repeated parameter the first counts.

    Raises:
        MalformedMessage: it is none.
    """
    match = _MEDIA_TYPE.match(text)
    if match is None:
        raise MalformedMessage("the Content-Type is not a media type")
    parameters: dict[str, str] = {}
    position = match.end()
    while (found := _PARAMETER.match(text, position)) is not None:
        quoted, bare = found.group(2), found.group(3)
        value = bare if quoted is None else _ESCAPED.sub(r"\1", quoted)
        parameters.setdefault(found.group(1).lower(), value)
        position = found.end()
    if text[position:].strip("; \t\r\n"):
        raise MalformedMessage("the parameters of the Content-Type cannot be read")
    return MediaType(match.group(1).lower(), parameters)


def quoted(value: str) -> str:
    """`value` as a quoted parameter.

    Raises:
        ValueError: it holds a character that no header field may.
    """
    if not value.isascii() or not value.isprintable():
        raise ValueError("a parameter's value is printable ASCII")
    return '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'


def read_header_fields(block: bytes) -> Mapping[str, str]:
    """The fields of one part: names in lower case, folded lines joined (RFC 5322: 2.2).

    Raises:
        MalformedMessage: a line is no field, or a field stands twice.
    """
    fields: dict[str, str] = {}
    last: str | None = None
    for line in block.decode("latin-1").replace("\r\n", "\n").split("\n"):
        if line[:1] in (" ", "\t") and last is not None:
            fields[last] += " " + line.strip()
            continue
        if not line.strip():
            continue
        field_name, colon, value = line.partition(":")
        last = field_name.strip().lower()
        if not colon or not last or " " in last:
            raise MalformedMessage("a part of the message has a line that is no header field")
        if last in fields:
            raise MalformedMessage("a part of the message has a header field twice")
        fields[last] = value.strip()
    return fields


def read_content_id(text: str) -> str:
    """A Content-ID without its brackets, percent escapes resolved.

    Quirk: CXF escapes the id in the header as well as in the href; resolving both lets either
    habit meet the other.
    """
    bare = text.strip()
    if bare[:1] == "<" and bare[-1:] == ">":
        bare = bare[1:-1]
    return _unescape(bare)


def read_cid_url(href: str) -> str:
    """The content id that a `cid:` URL names (RFC 2392: 2).

    Raises:
        MalformedMessage: any other kind of address. Following one would let a peer make us
            fetch what it chooses.
    """
    if href[:4].lower() != "cid:" or len(href) == 4:
        raise MalformedMessage("an xop:Include refers to something other than a part")
    return _unescape(href[4:])


def cid_url(content_id: str) -> str:
    """The `cid:` URL of a part (RFC 2392: 2)."""
    return "cid:" + "".join(
        character if character in _UNRESERVED else "".join(f"%{b:02X}" for b in character.encode())
        for character in content_id
    )


def _unescape(text: str) -> str:
    raw = _PERCENT.sub(lambda match: bytes([int(match.group(1), 16)]), text.encode("utf-8"))
    return raw.decode("utf-8", "replace")
