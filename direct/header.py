"""The header of a message or of one of its parts (RFC 5322: 2.2, RFC 2045: 5, RFC 2183)."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from direct.encoded_words import decode_extended, decode_words, printable
from direct.mail_errors import MailOverLimit

_TOKEN: Final = r"[!#$%&'*+.^_`{|}~0-9A-Za-z-]+"  # noqa: S105 (a grammar's word, no secret)
_FIELD_NAME: Final = re.compile(r"[!-9;-~]+")
_MEDIA_TYPE: Final = re.compile(rf"\s*({_TOKEN}/{_TOKEN})\s*(?:[;(]|$|\s)")
# Quirk: an unquoted value may hold spaces and what RFC 2045 wants quoted; it ends at the `;`.
_PARAMETER: Final = re.compile(
    rf';\s*(?:\([^()]*\)\s*)*({_TOKEN})\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^;"][^;]*)?)', re.DOTALL
)
_LAST_COMMENT: Final = re.compile(r"\s\([^()]*\)\s*\Z")
_ESCAPED: Final = re.compile(r"\\(.)", re.DOTALL)
# name*0, name*0*, name*: the parts of a long value, and what is percent-encoded (RFC 2231: 3, 4).
_CONTINUED: Final = re.compile(r"([^*]+)(?:\*(\d{1,3}))?(\*)?")
_MOST_FIELDS: Final = 1000


@dataclass(frozen=True, slots=True)
class Field:
    """One field: its name as written, its value unfolded and not yet decoded.

    The value may hold any control character but a line feed: it is to be read, not shown.
    """

    name: str
    value: str


@dataclass(frozen=True, slots=True)
class Header:
    """Fields in their order; `unreadable` counts lines that are none."""

    fields: tuple[Field, ...] = ()
    unreadable: int = 0

    def first(self, name: str) -> str | None:
        """The first field of that name, whatever its case, as written."""
        return next(iter(self.all(name)), None)

    def all(self, name: str) -> tuple[str, ...]:
        """Every field of that name, as written."""
        wanted = name.lower()
        return tuple(each.value for each in self.fields if each.name.lower() == wanted)

    def text(self, name: str) -> str | None:
        """The first field of that name for people: words decoded, printable; None when empty."""
        value = self.first(name)
        return None if value is None else decode_words(value) or None


@dataclass(frozen=True, slots=True)
class Parametrised:
    """A value with parameters: a media type or a disposition, and its parameters by name.

    Value and names are in lower case; the parameters' values are decoded and printable.
    """

    value: str
    parameters: Mapping[str, str]


def read_header(block: bytes) -> Header:
    """The fields of a header, without the blank line that ends it.

    Raises:
        MailOverLimit: it has more fields than we take.
    """
    fields: list[Field] = []
    unreadable = 0
    for line in _unfold(block):
        name, colon, value = line.partition(":")
        name = name.rstrip(" \t")
        if not colon or _FIELD_NAME.fullmatch(name) is None:
            # Quirk: the envelope line of an mbox file before the first field.
            unreadable += not (not fields and line.startswith(("From ", ">From ")))
            continue
        fields.append(Field(name, value.strip()))
        if len(fields) > _MOST_FIELDS:
            raise MailOverLimit("fields of a header")
    return Header(tuple(fields), unreadable)


def _unfold(block: bytes) -> list[str]:
    """Lines, those that begin with a blank joined to the one before (RFC 5322: 2.2.3)."""
    try:
        text = block.decode("utf-8")  # RFC 6532: 3.2
    except UnicodeDecodeError:
        text = block.decode("latin-1")
    lines: list[list[str]] = []
    for line in text.split("\n"):
        bare = line.removesuffix("\r")
        if bare[:1] in (" ", "\t") and lines:
            lines[-1].append(bare)
        elif bare.strip():
            lines.append([bare])
    return ["".join(parts) for parts in lines]


def read_parametrised(text: str) -> Parametrised:
    """A field such as Content-Type or Content-Disposition; of a repeated parameter the first.

    Whatever cannot be read is left out.
    """
    head, semicolon, _ = text.partition(";")
    found = _PARAMETER.findall(text, len(head)) if semicolon else []
    return Parametrised(printable(head).lower(), _join_parameters(found))


def media_type_of(header: Header, default: str = "text/plain") -> Parametrised:
    """The Content-Type: `default` when there is none, `application/octet-stream` when it
    cannot be read (RFC 2045: 5.2).
    """
    text = header.first("Content-Type")
    if text is None:
        return Parametrised(default, {})
    read = read_parametrised(text)
    match = _MEDIA_TYPE.match(text)
    if match is None:
        return Parametrised("application/octet-stream", read.parameters)
    return Parametrised(match[1].lower(), read.parameters)


def _join_parameters(found: list[tuple[str, str, str]]) -> dict[str, str]:
    plain: dict[str, str] = {}
    pieces: dict[str, dict[int, tuple[bool, str]]] = {}
    for written, quoted, bare in found:
        value = _ESCAPED.sub(r"\1", quoted) if quoted else bare.strip()
        match = _CONTINUED.fullmatch(written.lower())
        if match is None or (match[2] is None and match[3] is None):
            plain.setdefault(written.lower(), _plain_value(written.lower(), quoted, value))
            continue
        numbered = pieces.setdefault(match[1], {})
        numbered.setdefault(int(match[2] or 0), (match[3] is not None, value))
    # RFC 2231: 3: what is written in pieces counts before a plain value of the same name.
    return plain | {name: _join(numbered) for name, numbered in pieces.items()}


def _plain_value(name: str, quoted: str, value: str) -> str:
    """A boundary is compared to the byte, and is no word for people; one without quotes holds no
    comment, as the name of a file may."""
    if name != "boundary":
        return decode_words(value)
    return value if quoted else _LAST_COMMENT.sub("", value).rstrip()


def _join(numbered: Mapping[int, tuple[bool, str]]) -> str:
    """Pieces 0, 1, 2 … of one value; it ends where a number is missing."""
    charset, encoded, values = "", False, []
    for number in range(len(numbered)):
        if number not in numbered:
            break
        is_encoded, value = numbered[number]
        if number == 0 and is_encoded and value.count("'") >= 2:
            name, _, rest = value.partition("'")
            language, _, value = rest.partition("'")
            charset = f"{name}'{language}'"
        encoded = encoded or is_encoded
        values.append(value if is_encoded else value.replace("%", "%25"))
    joined = "".join(values)
    return (
        decode_extended((charset or "''") + joined)
        if encoded
        else printable(joined.replace("%25", "%"))
    )
