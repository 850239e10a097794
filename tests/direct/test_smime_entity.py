"""The MIME around CMS: found on the octets, and refused where two readers could differ."""

import base64

import pytest

from direct.errors import MalformedMessage, MessageTooLarge
from direct.smime_entity import encode_base64, read_entity, split_signed

SIGNED = (
    b'Content-Type: multipart/signed; boundary="b"\r\n\r\n'
    b"--b\r\nContent-Type: text/plain\r\n\r\nhello\r\n\r\n--b\r\n"
    b"Content-Type: application/pkcs7-signature\r\n\r\nxx\r\n--b--\r\n"
)


def signed_part(data: bytes) -> bytes:
    return bytes(split_signed(read_entity(data))[0])


def test_the_line_end_before_a_boundary_is_the_boundarys() -> None:
    assert signed_part(SIGNED) == b"Content-Type: text/plain\r\n\r\nhello\r\n"


def test_lines_may_end_in_lone_line_feeds() -> None:
    assert signed_part(SIGNED.replace(b"\r\n", b"\n")) == b"Content-Type: text/plain\n\nhello\n"


def test_what_stands_before_the_first_and_after_the_last_boundary_is_nothing() -> None:
    preamble = SIGNED.replace(b"\r\n\r\n--b\r\n", b"\r\n\r\nThis is S/MIME.\r\n--b\r\n", 1)
    assert signed_part(preamble + b"--b\r\n\r\nmore\r\n") == signed_part(SIGNED)


def test_blanks_after_a_boundary_are_the_senders_mailers() -> None:
    assert signed_part(SIGNED.replace(b"--b\r\n", b"--b \t\r\n")) == signed_part(SIGNED)


def test_a_longer_boundary_is_another_one() -> None:
    inner = SIGNED.replace(b"hello", b"--bc\r\n--b-\r\nhello")
    assert signed_part(inner).endswith(b"--bc\r\n--b-\r\nhello\r\n")


@pytest.mark.parametrize("count", [0, 1, 3, 4])
def test_a_signed_multipart_has_exactly_two_parts(count: int) -> None:
    body = b"--b\r\nContent-Type: text/plain\r\n\r\nx\r\n" * count + b"--b--\r\n"
    with pytest.raises(MalformedMessage, match="exactly two parts"):
        split_signed(read_entity(b"Content-Type: multipart/signed; boundary=b\r\n\r\n" + body))


def test_a_last_boundary_may_be_cut_off() -> None:
    assert signed_part(SIGNED.replace(b"--b--\r\n", b"")) == signed_part(SIGNED)


@pytest.mark.parametrize(
    "head",
    [
        b"Content-Type: text/plain\r\nContent-Type: text/html\r\n\r\n",
        b"Content-Type: text/plain\r\ncontent-type : text/html\r\n\r\n",
        b"Content-Transfer-Encoding: 7bit\r\nContent-Transfer-Encoding: base64\r\n\r\n",
        b'Content-Type: multipart/signed; boundary=a; boundary="b"\r\n\r\n',
    ],
)
def test_what_is_there_twice_is_refused(head: bytes) -> None:
    with pytest.raises(MalformedMessage, match="there twice"):
        read_entity(head)


def test_folded_and_quoted_parameters_are_read() -> None:
    entity = read_entity(
        b'CONTENT-type: Multipart/Signed;\r\n\tBoundary="a \\"b\\"";\r\n micalg=sha-256; ;x\r\n\r\n'
    )
    assert entity.media_type == "multipart/signed"
    assert entity.parameters == {"boundary": 'a "b"', "micalg": "sha-256"}


@pytest.mark.parametrize("data", [b"", b"Subject: x", b"Content-Type: =\r\n\r\n"])
def test_what_is_no_entity_is_malformed(data: bytes) -> None:
    with pytest.raises(MalformedMessage):
        read_entity(data)


def test_an_entity_may_be_without_head() -> None:
    assert bytes(read_entity(b"\r\nx").body) == b"x"


def test_header_fields_without_end_are_too_long() -> None:
    with pytest.raises(MessageTooLarge):
        read_entity(b"X: y\r\n" * 100_000)


@pytest.mark.parametrize(
    ("encoding", "body"),
    [
        (b"base64", b"aGVs\r\nbG8=\r\n"),
        (b"(in letters) base64 (of 7 bits)", b"aGVs\r\nbG8=\r\n"),
        (b"base64;", b"aGVs\r\nbG8=\r\n"),
        (b"Quoted-Printable", b"hel=\r\nlo"),
        (b" 8bit ", b"hello"),
    ],
)
def test_transfer_encodings(encoding: bytes, body: bytes) -> None:
    head = b"Content-Transfer-Encoding: " + encoding + b"\r\n\r\n"
    assert read_entity(head + body).decode() == b"hello"


@pytest.mark.parametrize(
    ("encoding", "body"), [(b"x-uuencode", b"x"), (b"base64", b"a")], ids=["unknown", "cut off"]
)
def test_what_cannot_be_decoded_is_malformed(encoding: bytes, body: bytes) -> None:
    with pytest.raises(MalformedMessage):
        read_entity(b"Content-Transfer-Encoding: " + encoding + b"\r\n\r\n" + body).decode()


@pytest.mark.parametrize("size", [0, 1, 56, 57, 58, 114, 5000])
def test_base64_in_lines(size: int) -> None:
    data = bytes(range(256)) * 20
    written = encode_base64(data[:size])
    assert base64.b64decode(written) == data[:size]
    assert all(len(line) <= 76 for line in written.split(b"\r\n"))
    assert written.endswith(b"\r\n") or not size


def test_lines_that_look_like_the_boundary_have_an_end() -> None:
    head = b"Content-Type: multipart/signed; boundary=b\r\n\r\n"
    near = b"\r\n--b x"
    with pytest.raises(MessageTooLarge, match="look like its boundary"):
        split_signed(read_entity(head + near * 10_001))
    with pytest.raises(MalformedMessage, match="two parts"):
        split_signed(read_entity(head + near * 9_999))


@pytest.mark.parametrize(
    "body",
    [b"\r\n--b x" * 500_000, b"\r\n--b" + b" " * 4_000_000 + b"x", b"--b\r\n" * 800_000],
    ids=["near boundaries", "blanks", "parts"],
)
def test_a_flood_of_boundaries_takes_no_more_than_its_length(body: bytes) -> None:
    """Of four million octets the square would be hours: this test would not end."""
    with pytest.raises(MalformedMessage):
        split_signed(read_entity(b"Content-Type: multipart/signed; boundary=b\r\n\r\n" + body))
