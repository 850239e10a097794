"""LDAP filters: written, read, and held against an entry (RFC 4511: 4.5.1.7, RFC 4515)."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

from direct.tlv import Malformed, elements, tlv

_DEEPEST: Final = 16
_MOST_PARTS: Final = 64
_AND: Final = 0xA0
_OR: Final = 0xA1
_NOT: Final = 0xA2
_EQUALITY: Final = 0xA3
_SUBSTRINGS: Final = 0xA4
_PRESENT: Final = 0x87
_OTHERS: Final = (0xA5, 0xA6, 0xA8, 0xA9)
"""At least, at most, about, extensible: of no use among addresses."""
_OCTETS: Final = 0x04
_SEQUENCE: Final = 0x30


@dataclass(frozen=True, slots=True)
class And:
    """All of them."""

    parts: tuple["Filter", ...]


@dataclass(frozen=True, slots=True)
class Or:
    """One of them."""

    parts: tuple["Filter", ...]


@dataclass(frozen=True, slots=True)
class Not:
    """Not that."""

    part: "Filter"


@dataclass(frozen=True, slots=True)
class Equals:
    """The attribute has that value."""

    attribute: str
    value: bytes


@dataclass(frozen=True, slots=True)
class Contains:
    """The attribute has a value of these pieces in their order (RFC 4511: 4.5.1.7.2)."""

    attribute: str
    initial: bytes | None
    inner: tuple[bytes, ...]
    final: bytes | None


@dataclass(frozen=True, slots=True)
class Present:
    """The attribute is there."""

    attribute: str


@dataclass(frozen=True, slots=True)
class Undefined:
    """What nobody here can say of an entry."""


Filter = And | Or | Not | Equals | Contains | Present | Undefined
Values = Mapping[str, Iterable[bytes]]
"""An entry's attributes by their lower-case names without options, values in lower case."""


def write_filter(one: Filter) -> bytes:
    """A filter of equality or presence, as we ask.

    Raises:
        ValueError: it is of another kind.
    """
    match one:
        case Equals(attribute=attribute, value=value):
            return tlv(_EQUALITY, tlv(_OCTETS, attribute.encode()) + tlv(_OCTETS, value))
        case Present(attribute=attribute):
            return tlv(_PRESENT, attribute.encode())
    raise ValueError("only filters of equality and presence are asked")


def read_filter(tag: int, content: bytes, *, depth: int = 0) -> Filter:
    """The filter that a client asks with.

    Raises:
        Malformed: it is none, nests too deep or has too many parts.
    """
    if depth > _DEEPEST:
        raise Malformed("a filter nests deeper than we read")
    if tag in (_AND, _OR):
        inner = elements(content, most=_MOST_PARTS)
        parts = tuple(read_filter(*part, depth=depth + 1) for part in inner)
        return And(parts) if tag == _AND else Or(parts)
    if tag == _NOT:
        inner = elements(content, most=1)
        if not inner:
            raise Malformed("a filter denies nothing")
        return Not(read_filter(*inner[0], depth=depth + 1))
    if tag == _PRESENT:
        return Present(_name(content))
    if tag in _OTHERS:
        return Undefined()
    parts_of_two = elements(content, most=2)
    if len(parts_of_two) != 2 or tag not in (_EQUALITY, _SUBSTRINGS):
        raise Malformed("a filter is malformed")
    (_, attribute), (kind, value) = parts_of_two
    if tag == _EQUALITY:
        return Equals(_name(attribute), value)
    return _read_substrings(_name(attribute), kind, value)


def matches(one: Filter, entry: Values) -> bool | None:
    """Whether the filter takes the entry; None where it cannot be said (RFC 4511: 4.5.1.7)."""
    match one:
        case And(parts=parts):
            said = [matches(part, entry) for part in parts]
            return False if False in said else None if None in said else True
        case Or(parts=parts):
            said = [matches(part, entry) for part in parts]
            return True if True in said else None if None in said else False
        case Not(part=part):
            inner = matches(part, entry)
            return None if inner is None else not inner
        case Equals(attribute=attribute, value=value):
            return value.strip().lower() in entry.get(plain(attribute), ())
        case Contains(attribute=attribute):
            return any(_contains(one, value) for value in entry.get(plain(attribute), ()))
        case Present(attribute=attribute):
            return plain(attribute) in entry
        case Undefined():
            return None


def plain(attribute: str) -> str:
    """The attribute's name without options, in lower case (RFC 4512: 2.5)."""
    return attribute.partition(";")[0].lower()


def _read_substrings(attribute: str, kind: int, content: bytes) -> Contains:
    pieces = elements(content, most=_MOST_PARTS)
    tags = [tag for tag, _ in pieces]
    if kind != _SEQUENCE or not pieces or 0x80 in tags[1:] or 0x82 in tags[:-1]:
        raise Malformed("a filter is malformed")
    initial = next((piece for tag, piece in pieces if tag == 0x80), None)
    final = next((piece for tag, piece in pieces if tag == 0x82), None)
    return Contains(attribute, initial, tuple(p for tag, p in pieces if tag == 0x81), final)


def _contains(one: Contains, value: bytes) -> bool:
    if one.initial is not None:
        if not value.startswith(one.initial.lower()):
            return False
        value = value[len(one.initial) :]
    if one.final is not None:
        if not value.endswith(one.final.lower()):
            return False
        value = value[: len(value) - len(one.final)]
    for piece in one.inner:
        _, found, value = value.partition(piece.lower())
        if piece and not found:
            return False
    return True


def _name(content: bytes) -> str:
    try:
        return content.decode("ascii")
    except UnicodeDecodeError:
        raise Malformed("an attribute's name is not in ASCII") from None
