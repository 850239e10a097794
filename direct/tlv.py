"""Tag, length and value as LDAP writes them: BER with definite lengths alone (RFC 4511: 5.1)."""

from typing import Final

_INTEGER: Final = 0x02


class Malformed(Exception):
    """A peer's bytes are not what they must be; the text is a sentence of ours without content."""


def tlv(tag: int, content: bytes) -> bytes:
    """One element, its length as short as it can be."""
    length = len(content)
    if length < 0x80:
        return bytes((tag, length)) + content
    digits = length.to_bytes((length.bit_length() + 7) // 8)
    return bytes((tag, 0x80 | len(digits))) + digits + content


def integer(value: int, tag: int = _INTEGER) -> bytes:
    """An INTEGER, or what is written as one."""
    return tlv(tag, value.to_bytes(value.bit_length() // 8 + 1, signed=True))


def read_integer(content: bytes) -> int:
    """The number; LDAP has none of more than 31 bits.

    Raises:
        Malformed: it is empty, too long or negative.
    """
    value = int.from_bytes(content, signed=True)
    if not 1 <= len(content) <= 5 or not 0 <= value < 2**31:
        raise Malformed("a number is out of range")
    return value


def elements(content: bytes, *, most: int | None = None) -> list[tuple[int, bytes]]:
    """The elements that fill the content, each its tag and its own content.

    Raises:
        Malformed: they do not fill it exactly, or are more than `most`.
    """
    found: list[tuple[int, bytes]] = []
    at = 0
    while at < len(content):
        if len(found) == most:
            raise Malformed("there is more than belongs there")
        tag, at, end = _header(content, at)
        found.append((tag, content[at:end]))
        at = end
    return found


def _header(content: bytes, at: int) -> tuple[int, int, int]:
    """The tag, and where the value begins and ends."""
    if at + 2 > len(content) or content[at] & 0x1F == 0x1F:
        raise Malformed("an element is cut off, or of an unknown kind")
    tag, length = content[at], content[at + 1]
    at += 2
    if length >= 0x80:
        digits = length & 0x7F
        if not 1 <= digits <= 4 or at + digits > len(content):
            raise Malformed("a length is not definite")
        length = int.from_bytes(content[at : at + digits])
        at += digits
    if at + length > len(content):
        raise Malformed("an element is cut off")
    return tag, at, at + length
