"""BER in, DER out: the elements of an encoded structure, found without copying (X.690: 8, 10).

S/MIME writers stream: their lengths are indefinite and a large OCTET STRING comes in thousands of
pieces. Here one pass finds the elements; only what is asked for is joined or encoded anew. Depth
and number are limited, so that no message of ten bytes a level can exhaust the reader.
"""

from collections.abc import Iterator, Sequence
from typing import Final

from direct.errors import MalformedMessage, MessageTooLarge

DEPTH: Final = 64
ELEMENTS: Final = 50_000
PIECES: Final = 250_000
"""Of strings in pieces: 40 MB in pieces of 160 bytes; BouncyCastle's are of 1,000."""

SEQUENCE: Final = 0x30
SET: Final = 0x31
OID: Final = 0x06
INTEGER: Final = 0x02
OCTET_STRING: Final = 0x04
BIT_STRING: Final = 0x03
_CONSTRUCTED: Final = 0x20
_CLASS: Final = 0xC0
# The universal types that X.690: 8.7 lets a writer cut into pieces.
_IN_PIECES: Final = frozenset({4, 12, *range(18, 23), *range(25, 31)})


class Element:
    """One element of a structure; `tag` is its identifier octet with the constructed bit.

    `start`, `content`, `end` and `stop` are positions: of its first octet, of its content's first
    and past its last, and past the element itself with the end-of-contents octets.
    """

    __slots__ = (
        "_pieces",
        "children",
        "content",
        "data",
        "end",
        "is_plain",
        "start",
        "stop",
        "tag",
    )

    def __init__(self, data: memoryview, tag: int, start: int, content: int) -> None:
        self.data = data
        self.tag = tag
        self.start = start
        self.content = content
        self.end = content
        self.stop = content
        self.children: Sequence[Element] = ()
        self._pieces: list[tuple[int, int]] | None = None
        self.is_plain = True
        """No indefinite length and no string in pieces from here down."""

    @property
    def raw(self) -> memoryview:
        """The element as it was sent."""
        return self.data[self.start : self.stop]

    @property
    def body(self) -> memoryview:
        """Its content octets as they were sent."""
        return self.data[self.content : self.end]

    @property
    def octets(self) -> memoryview:
        """The value of a string, of its pieces joined if it has any (X.690: 8.7.3).

        Raises:
            MalformedMessage: it is cut into something else than octet strings.
        """
        if not self.tag & _CONSTRUCTED:
            return self.body
        if self._pieces is not None:
            data = self.data
            return memoryview(b"".join([data[start:end] for start, end in self._pieces]))
        if any(child.tag & ~_CONSTRUCTED != OCTET_STRING for child in self.children):
            raise MalformedMessage("an octet string is made of other pieces")
        return memoryview(b"".join([child.octets for child in self.children]))

    def der(self, *, as_tag: int | None = None) -> bytes:
        """The element as X.690: 10 and 11 would have it: definite, shortest, sets in order.

        `as_tag` stands in for the tag of an implicit type. A context-specific string in pieces
        cannot be told from a structure, and stays one.
        """
        tag = self.tag if as_tag is None else as_tag
        if not self.tag & _CONSTRUCTED:
            return tlv(tag, self.body)
        if self.tag & _CLASS == 0 and self.tag & 0x1F in _IN_PIECES:
            return tlv(tag & ~_CONSTRUCTED, self.octets)
        parts = [child.der() for child in self.parts()]
        if tag == SET:
            parts.sort()
        return tlv(tag, *parts)

    def parts(self) -> Sequence["Element"]:
        """The children, also of what was read as a string in pieces."""
        if self._pieces is None:
            return self.children
        return [_piece(self.data, start, end) for start, end in self._pieces]


def _piece(data: memoryview, start: int, end: int) -> Element:
    """An octet string known by its content only: it has no octets of its own to show."""
    piece = Element(data, OCTET_STRING, start, start)
    piece.end = piece.stop = end
    return piece


def read(data: bytes | memoryview) -> Element:
    """The first element of `data`; what follows it is left aside, as mailers leave line ends.

    Raises:
        MalformedMessage: it is not BER, or is cut off.
        MessageTooLarge: it is deeper, or of more elements, than any honest one.
    """
    return _Reader(memoryview(data)).element(0, len(data), 1)


def find_element(element: Element, *path: int) -> Element:
    """The descendant by position at each level.

    Raises:
        MalformedMessage: there is none.
    """
    for position in path:
        if position >= len(element.parts()):
            raise MalformedMessage("the CMS structure lacks an element")
        element = element.parts()[position]
    return element


class _Reader:
    def __init__(self, data: memoryview) -> None:
        self._data = data
        self._elements = 0
        self._pieces = 0

    def element(self, at: int, limit: int, depth: int) -> Element:
        """The element at `at`, which may reach up to `limit`."""
        if depth > DEPTH:
            raise MessageTooLarge("the CMS structure is nested too deep")
        self._elements += 1
        if self._elements > ELEMENTS:
            raise MessageTooLarge("the CMS structure has too many elements")
        data = self._data
        if at + 2 > limit:
            raise MalformedMessage("the CMS structure is cut off")
        tag = data[at]
        if tag & 0x1F == 0x1F:
            raise MalformedMessage("the CMS structure holds a type that CMS does not know")
        length, content = self._length(at + 1, limit)
        element = Element(data, tag, at, content)
        if length is not None:
            element.end = element.stop = content + length
            if element.end > limit:
                raise MalformedMessage("the CMS structure is cut off")
            if tag & _CONSTRUCTED:
                self._definite(element, depth)
        elif tag & _CONSTRUCTED:
            self._indefinite(element, limit, depth)
        else:
            raise MalformedMessage("a primitive element has no length")
        if tag & _CLASS == 0 and tag & _CONSTRUCTED and tag & 0x1F in _IN_PIECES:
            element.is_plain = False
        return element

    def _length(self, at: int, limit: int) -> tuple[int | None, int]:
        """The length, None if indefinite, and where the content begins (X.690: 8.1.3)."""
        first = self._data[at]
        if first < 0x80:
            return first, at + 1
        if first == 0x80:
            return None, at + 1
        count = first & 0x7F
        if count > 8 or at + 1 + count > limit:
            raise MalformedMessage("the CMS structure holds a length that cannot be")
        return int.from_bytes(self._data[at + 1 : at + 1 + count]), at + 1 + count

    def _definite(self, element: Element, depth: int) -> None:
        at, end = element.content, element.end
        children = []
        while at < end:
            child = self.element(at, end, depth + 1)
            element.is_plain = element.is_plain and child.is_plain
            children.append(child)
            at = child.stop
        element.children = children

    def _indefinite(self, element: Element, limit: int, depth: int) -> None:
        element.is_plain = False
        data, at = self._data, element.content
        if _is_cut(element, data, at, limit):
            at = self._take_pieces(element, at, limit)
        children = []
        while True:
            if at + 2 > limit:
                raise MalformedMessage("the CMS structure is cut off")
            if data[at] == 0 and data[at + 1] == 0:
                break
            if element._pieces is not None:  # a structure that begins with a string
                children, element._pieces = list(element.parts()), None
            child = self.element(at, limit, depth + 1)
            children.append(child)
            at = child.stop
        element.children = children
        element.end, element.stop = at, at + 2

    def _take_pieces(self, element: Element, at: int, limit: int) -> int:
        """Where the run of octet strings from `at` on ends; the cuts are kept as plain numbers."""
        data = self._data
        cuts: list[tuple[int, int]] = []
        while at + 2 <= limit and data[at] == OCTET_STRING:
            length, content = self._length(at + 1, limit)
            if length is None or content + length > limit:
                raise MalformedMessage("the CMS structure is cut off")
            count, stride = _alike(data, at, limit, content), content + length - at
            starts = range(content, content + count * stride, stride)
            cuts += [(start, start + length) for start in starts]
            at += count * stride
            self._pieces += count
            if self._pieces > PIECES:
                raise MessageTooLarge("the CMS structure has too many elements")
        element._pieces = cuts
        return at


def _alike(data: memoryview, at: int, limit: int, content: int) -> int:
    """How many pieces from `at` on have the head of the first: a writer cuts evenly.

    Looked at column by column, which spares a loop over thousands of pieces.
    """
    head = data[at:content]
    length = int.from_bytes(head[2:]) if len(head) > 2 else head[1]
    stride = len(head) + length
    most = (limit - at) // stride
    for column, octet in enumerate(head):
        found = bytes(data[at + column : at + most * stride : stride])
        most = min(most, len(found) - len(found.lstrip(bytes((octet,)))))
    return most


def _is_cut(element: Element, data: memoryview, at: int, limit: int) -> bool:
    """Whether this is a string in pieces: an OCTET STRING, or one with a tag of its own."""
    is_string = element.tag & _CLASS or element.tag == OCTET_STRING | _CONSTRUCTED
    return bool(is_string) and at < limit and data[at] == OCTET_STRING


# ---- writing -----------------------------------------------------------------------------------


def tlv(tag: int, *content: bytes | memoryview) -> bytes:
    """One element in DER with `content` joined."""
    return b"".join((head(tag, sum(map(len, content))), *content))


def head(tag: int, length: int) -> bytes:
    """The identifier and length octets of an element in DER (X.690: 10.1)."""
    if length < 0x80:
        return bytes((tag, length))
    octets = length.to_bytes((length.bit_length() + 7) // 8)
    return bytes((tag, 0x80 | len(octets))) + octets


def oid_text(element: Element) -> str:
    """An object identifier with dots (X.690: 8.19).

    Raises:
        MalformedMessage: it is none.
    """
    octets = bytes(element.body)
    if element.tag != OID or not octets or len(octets) > 64 or octets[-1] & 0x80:
        raise MalformedMessage("the CMS structure lacks an object identifier")
    first, *others = _arcs(octets)
    top = min(first // 40, 2)
    return ".".join(map(str, (top, first - 40 * top, *others)))


def _arcs(octets: bytes) -> Iterator[int]:
    value = 0
    for octet in octets:
        value = value << 7 | octet & 0x7F
        if not octet & 0x80:
            yield value
            value = 0
