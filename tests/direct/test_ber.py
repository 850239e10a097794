"""BER: every form that a writer may choose, and none that costs its reader more than it should."""

import pytest

from direct import ber
from direct.errors import MalformedMessage, MessageTooLarge


def test_a_string_in_pieces_is_joined() -> None:
    element = ber.read(bytes.fromhex("2480 0402aabb 0400 0401cc 0000"))
    assert bytes(element.octets) == b"\xaa\xbb\xcc"
    assert element.der() == bytes.fromhex("0403aabbcc")
    assert not element.is_plain


def test_a_string_in_pieces_of_definite_length_is_joined() -> None:
    assert bytes(ber.read(bytes.fromhex("2406 0401aa 0401bb")).octets) == b"\xaa\xbb"


@pytest.mark.parametrize("last", [0, 1, 999, 1000, 1001])
@pytest.mark.parametrize("count", [0, 1, 2, 50])
def test_even_pieces_and_an_odd_last_one_are_joined(count: int, last: int) -> None:
    data = bytes(range(256)) * 250
    cut = [data[at * 1000 :][:1000] for at in range(count)] + [data[-last - 1 :][:last]]
    pieces = b"".join(ber.tlv(ber.OCTET_STRING, one) for one in cut)
    for tag in (b"\x24", b"\xa0"):
        element = ber.read(tag + b"\x80" + pieces + b"\x00\x00" + b"\x04\x82\x03\xe8" * 9)
        assert bytes(element.octets) == b"".join(cut)
        assert element.stop == len(pieces) + 4


def test_a_piece_that_only_looks_like_the_others_is_cut_off() -> None:
    even = ber.tlv(ber.OCTET_STRING, b"x" * 200)
    with pytest.raises(MalformedMessage, match="cut off"):
        ber.read(b"\x24\x80" + even * 3 + even[:-1])


def test_pieces_may_be_in_pieces() -> None:
    element = ber.read(bytes.fromhex("2480 2480 0401aa 0000 2403 0401bb 0000"))
    assert bytes(element.octets) == b"\xaa\xbb"


def test_an_implicit_string_in_pieces_is_joined() -> None:
    element = ber.read(bytes.fromhex("a080 0401aa 0401bb 0000"))
    assert bytes(element.octets) == b"\xaa\xbb"
    assert len(element.parts()) == 2


def test_a_structure_that_begins_with_a_string_is_no_string() -> None:
    element = ber.read(bytes.fromhex("a080 0401aa 020105 0000"))
    assert [part.tag for part in element.parts()] == [0x04, 0x02]
    with pytest.raises(MalformedMessage, match="other pieces"):
        _ = element.octets


def test_indefinite_lengths_become_definite() -> None:
    element = ber.read(bytes.fromhex("3080 3080 020101 0000 0500 0000"))
    assert element.der() == bytes.fromhex("30073003020101 0500".replace(" ", ""))
    assert bytes(element.raw)[-2:] == b"\x00\x00"


def test_lengths_become_shortest_and_sets_are_ordered() -> None:
    element = ber.read(bytes.fromhex("31820008 02820001 02 020101"))
    assert element.der() == bytes.fromhex("3106020101020102")


def test_what_is_der_stays_as_it_is() -> None:
    encoded = bytes.fromhex("300b0201010406") + b"abcdef"
    assert ber.read(encoded).der() == encoded
    assert ber.read(encoded).is_plain


def test_what_follows_the_element_is_left_aside() -> None:
    assert bytes(ber.read(b"\x02\x01\x05\r\n").raw) == b"\x02\x01\x05"


@pytest.mark.parametrize(
    "encoded",
    [
        "", "30", "3005", "300502", "3080020101", "0480", "30843fffffff", "3089010203040506070809",
        "1f2001aa", "2480040500", "3003020500", "24800480",
    ],
)  # fmt: skip
def test_what_is_cut_off_or_cannot_be_is_malformed(encoded: str) -> None:
    with pytest.raises(MalformedMessage):
        ber.read(bytes.fromhex(encoded))


@pytest.mark.parametrize("level", [b"\x30\x80", b"\x24\x80", b"\xa0\x80"])
def test_depth_has_an_end(level: bytes) -> None:
    with pytest.raises(MessageTooLarge, match="too deep"):
        ber.read(level * 1_000_000)


def test_definite_depth_has_an_end() -> None:
    nested = b"\x05\x00"
    for _ in range(ber.DEPTH - 1):
        nested = ber.tlv(ber.SEQUENCE, nested)
    assert ber.read(nested).der() == nested
    with pytest.raises(MessageTooLarge, match="too deep"):
        ber.read(ber.tlv(ber.SEQUENCE, nested))


@pytest.mark.parametrize(
    "bomb",
    [
        b"\x30\x80" + b"\x05\x00" * (ber.ELEMENTS + 1),
        b"\x24\x80" + b"\x04\x00" * (ber.PIECES + 1),
        b"\xa0\x80" + b"\x04\x00" * (ber.PIECES + 1),
    ],
    ids=["elements", "pieces", "implicit pieces"],
)
def test_the_number_of_elements_has_an_end(bomb: bytes) -> None:
    with pytest.raises(MessageTooLarge, match="too many elements"):
        ber.read(bomb)


def test_an_object_identifier_in_dots() -> None:
    assert ber.oid_text(ber.read(bytes.fromhex("06092a864886f70d010703"))) == "1.2.840.113549.1.7.3"
    assert ber.oid_text(ber.read(bytes.fromhex("0603883703"))) == "2.999.3"


@pytest.mark.parametrize("encoded", ["0600", "0602ff80", "020101", "0641" + "81" * 64 + "01"])
def test_what_is_no_object_identifier(encoded: str) -> None:
    with pytest.raises(MalformedMessage):
        ber.oid_text(ber.read(bytes.fromhex(encoded)))
