"""LDAP messages, as far as certificates are searched and published by them (RFC 4511).

Both sides are written and read here: whoever asks for an entry, and whoever shows ours. Lengths
are definite, as RFC 4511: 5.1 demands; nothing is read deeper than a filter may nest.
"""

from dataclasses import dataclass
from typing import Final

from direct.ldap_filter import Filter, read_filter, write_filter
from direct.tlv import Malformed, elements, integer, read_integer, tlv

MOST_REQUEST_BYTES: Final = 16 * 1024
"""A search by address has about 100 bytes."""

SUCCESS: Final = 0
PROTOCOL_ERROR: Final = 2
SIZE_LIMIT_EXCEEDED: Final = 4
AUTH_METHOD_NOT_SUPPORTED: Final = 7
REFERRAL: Final = 10
NO_SUCH_OBJECT: Final = 32
INVALID_CREDENTIALS: Final = 49
UNWILLING_TO_PERFORM: Final = 53

BASE, ONE_LEVEL, SUBTREE = 0, 1, 2

_BIND: Final = 0x60
_BIND_RESPONSE: Final = 0x61
_UNBIND: Final = 0x42
_SEARCH: Final = 0x63
_ENTRY: Final = 0x64
_SEARCH_DONE: Final = 0x65
_REFERENCE: Final = 0x73
_ABANDON: Final = 0x50
_EXTENDED: Final = 0x77
_EXTENDED_RESPONSE: Final = 0x78
_SEQUENCE: Final = 0x30
_SET: Final = 0x31
_OCTETS: Final = 0x04
_INTEGER: Final = 0x02
_BOOLEAN: Final = 0x01
_ENUMERATED: Final = 0x0A
_SIMPLE: Final = 0x80
_RESPONSES: Final = {
    _BIND: _BIND_RESPONSE,
    _SEARCH: _SEARCH_DONE,
    _EXTENDED: _EXTENDED_RESPONSE,
    0x66: 0x67,  # modify
    0x68: 0x69,  # add
    0x4A: 0x6B,  # delete
    0x6C: 0x6D,  # modify DN
    0x6E: 0x6F,  # compare
}


@dataclass(frozen=True, slots=True)
class Bind:
    """Who asks; `password` is None if the method is not the simple one (RFC 4511: 4.2)."""

    version: int
    name: str
    password: bytes | None


@dataclass(frozen=True, slots=True)
class Search:
    """What is searched (RFC 4511: 4.5.1); `size_limit` 0 is none."""

    base: str
    scope: int
    filter: Filter
    attributes: tuple[str, ...] = ()
    size_limit: int = 0
    time_limit: int = 0
    types_only: bool = False


@dataclass(frozen=True, slots=True)
class Unbind:
    """The peer goes."""


@dataclass(frozen=True, slots=True)
class Abandon:
    """The peer no longer wants an answer; none is given to this."""


@dataclass(frozen=True, slots=True)
class Other:
    """A request that is none of a search; `tag` is its operation's."""

    tag: int

    @property
    def is_extended(self) -> bool:
        return self.tag == _EXTENDED


Request = Bind | Search | Unbind | Abandon | Other


@dataclass(frozen=True, slots=True)
class Entry:
    """An entry found: its name, and each attribute with its values (RFC 4511: 4.5.2)."""

    name: str
    attributes: tuple[tuple[str, tuple[bytes, ...]], ...]


@dataclass(frozen=True, slots=True)
class Reference:
    """Others who may know; we follow none."""


@dataclass(frozen=True, slots=True)
class Done:
    """How an operation ended: a result code of RFC 4511: 4.1.9."""

    code: int


Response = Entry | Reference | Done


def message_length(buffer: bytes | bytearray, *, most: int) -> int | None:
    """How long the message at the start of the buffer is; None as long as that is not said.

    Raises:
        Malformed: it is no LDAP message, or has more than `most` bytes.
    """
    if len(buffer) < 2:
        return None
    if buffer[0] != _SEQUENCE or buffer[1] == 0x80:
        raise Malformed("it is no LDAP message")
    if buffer[1] < 0x80:
        return 2 + buffer[1]
    digits = buffer[1] & 0x7F
    if digits > 4:
        raise Malformed("it is larger than we take")
    if len(buffer) < 2 + digits:
        return None
    length = 2 + digits + int.from_bytes(buffer[2 : 2 + digits])
    if length > most:
        raise Malformed("it is larger than we take")
    return length


# ---- asking ----------------------------------------------------------------------------------


def write_bind(message_id: int) -> bytes:
    """An anonymous bind (RFC 4513: 5.1.1)."""
    return _message(message_id, tlv(_BIND, integer(3) + tlv(_OCTETS, b"") + tlv(_SIMPLE, b"")))


def write_search(message_id: int, search: Search) -> bytes:
    """The search, with aliases never dereferenced."""
    content = (
        tlv(_OCTETS, search.base.encode())
        + integer(search.scope, _ENUMERATED)
        + integer(0, _ENUMERATED)
        + integer(search.size_limit)
        + integer(search.time_limit)
        + tlv(_BOOLEAN, b"\xff" if search.types_only else b"\x00")
        + write_filter(search.filter)
        + tlv(_SEQUENCE, b"".join(tlv(_OCTETS, name.encode()) for name in search.attributes))
    )
    return _message(message_id, tlv(_SEARCH, content))


def write_unbind(message_id: int) -> bytes:
    """That we go."""
    return _message(message_id, tlv(_UNBIND, b""))


def read_response(message: bytes) -> tuple[int, Response]:
    """What a server says, and to which of our messages; 0 is a notice to nobody's.

    Raises:
        Malformed: it is none of the answers to a bind or a search.
    """
    message_id, tag, content = _read_message(message)
    if tag == _ENTRY:
        parts = elements(content)
        if len(parts) != 2 or parts[1][0] != _SEQUENCE:
            raise Malformed("an entry is malformed")
        attributes = tuple(_read_attribute(one) for _, one in elements(parts[1][1]))
        return message_id, Entry(_text(parts[0][1]), attributes)
    if tag == _REFERENCE:
        return message_id, Reference()
    if tag in (_BIND_RESPONSE, _SEARCH_DONE, _EXTENDED_RESPONSE):
        parts = elements(content)
        if not parts or parts[0][0] != _ENUMERATED:
            raise Malformed("a result is malformed")
        return message_id, Done(read_integer(parts[0][1]))
    raise Malformed("it is no answer to a search")


def _read_attribute(content: bytes) -> tuple[str, tuple[bytes, ...]]:
    parts = elements(content)
    if len(parts) != 2 or parts[1][0] != _SET:
        raise Malformed("an attribute is malformed")
    return _text(parts[0][1]), tuple(value for _, value in elements(parts[1][1]))


# ---- answering -------------------------------------------------------------------------------


def read_request(message: bytes) -> tuple[int, Request]:
    """What a client asks, and the number it gave the question.

    Raises:
        Malformed: it is no LDAP request.
    """
    message_id, tag, content = _read_message(message)
    match tag:
        case t if t == _BIND:
            return message_id, _read_bind(content)
        case t if t == _SEARCH:
            return message_id, _read_search(content)
        case t if t == _UNBIND:
            return message_id, Unbind()
        case t if t == _ABANDON:
            return message_id, Abandon()
        case t if t in _RESPONSES:
            return message_id, Other(tag)
    raise Malformed("it is no LDAP request")


def write_entry(message_id: int, entry: Entry) -> bytes:
    """An entry that was found."""
    attributes = b"".join(
        tlv(
            _SEQUENCE,
            tlv(_OCTETS, name.encode()) + tlv(_SET, b"".join(tlv(_OCTETS, v) for v in values)),
        )
        for name, values in entry.attributes
    )
    content = tlv(_OCTETS, entry.name.encode()) + tlv(_SEQUENCE, attributes)
    return _message(message_id, tlv(_ENTRY, content))


def write_done(message_id: int, request: Request, code: int, *, said: str = "") -> bytes:
    """How the request ended."""
    match request:
        case Bind():
            tag = _BIND_RESPONSE
        case Other(tag=asked):
            tag = _RESPONSES[asked]
        case _:
            tag = _SEARCH_DONE
    content = integer(code, _ENUMERATED) + tlv(_OCTETS, b"") + tlv(_OCTETS, said.encode())
    return _message(message_id, tlv(tag, content))


def _read_bind(content: bytes) -> Bind:
    parts = elements(content)
    if len(parts) != 3 or parts[0][0] != _INTEGER:
        raise Malformed("a bind is malformed")
    password = parts[2][1] if parts[2][0] == _SIMPLE else None
    return Bind(read_integer(parts[0][1]), _text(parts[1][1]), password)


def _read_search(content: bytes) -> Search:
    parts = elements(content)
    tags = [tag for tag, _ in parts]
    before, after = tags[:6], tags[7:]
    expected = [_OCTETS, _ENUMERATED, _ENUMERATED, _INTEGER, _INTEGER, _BOOLEAN]
    if before != expected or after != [_SEQUENCE]:
        raise Malformed("a search is malformed")
    return Search(
        base=_text(parts[0][1]),
        scope=read_integer(parts[1][1]),
        filter=read_filter(*parts[6]),
        attributes=tuple(_text(name) for _, name in elements(parts[7][1])),
        size_limit=read_integer(parts[3][1]),
        time_limit=read_integer(parts[4][1]),
        types_only=parts[5][1] != b"\x00",
    )


# ---- the envelope ----------------------------------------------------------------------------


def _message(message_id: int, operation: bytes) -> bytes:
    return tlv(_SEQUENCE, integer(message_id) + operation)


def _read_message(message: bytes) -> tuple[int, int, bytes]:
    outer = elements(message, most=1)
    # Controls may follow the operation; none changes a search of ours.
    parts = elements(outer[0][1]) if outer and outer[0][0] == _SEQUENCE else []
    if len(parts) < 2 or parts[0][0] != _INTEGER:
        raise Malformed("it is no LDAP message")
    return read_integer(parts[0][1]), parts[1][0], parts[1][1]


def _text(value: bytes) -> str:
    try:
        return value.decode()
    except UnicodeDecodeError:
        raise Malformed("a name is not in UTF-8") from None
