"""Content that was encoded for its way comes out as it went in, however it is cut."""

import quopri
from base64 import b64encode, encodebytes
from collections.abc import Iterable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ihe.errors import MalformedMessage
from ihe.transfer_encoding import decoder_of


def decoded(encoding: str, content: bytes, sizes: Iterable[int] = ()) -> bytes:
    decoder = decoder_of(encoding)
    assert decoder is not None
    out, position = b"", 0
    for size in (*sizes, len(content)):
        out += decoder.feed(content[position : position + size])
        position += size
    return out + decoder.finish()


SIZES = st.lists(st.integers(0, 9), max_size=60)


@given(st.binary(max_size=300), SIZES, st.sampled_from([b"\n", b"\r\n", b" \t\r\n", b""]))
def test_base64_of_any_lines_is_decoded(content: bytes, sizes: list[int], line: bytes) -> None:
    encoded = encodebytes(content).replace(b"\n", line)
    assert decoded("Base64", encoded, sizes) == content
    assert decoded("base64", encoded.rstrip(b"=\r\n \t"), sizes) == content


@given(st.binary(max_size=300), SIZES)
def test_quoted_printable_is_decoded(content: bytes, sizes: list[int]) -> None:
    assert decoded(" quoted-printable ", quopri.encodestring(content, quotetabs=True), sizes) == (
        content
    )


PIECES = st.sampled_from([b"=", b"4", b"1", b"zz", b"=41", b" ", b"\t", b"\r", b"\n", b"\r\n"])


@given(st.lists(PIECES, max_size=30).map(b"".join), SIZES)
def test_any_cutting_of_the_same_text_gives_the_same(content: bytes, sizes: list[int]) -> None:
    whole = decoded("quoted-printable", content)
    assert decoded("quoted-printable", content, sizes) == whole
    assert decoded("quoted-printable", content, [1] * len(content)) == whole


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        (b"a=3D=\r\nb", b"a=b"),
        (b"a= \t\nb", b"ab"),
        (b"a==41=", b"a=A"),
        (b"a=4", b"a=4"),
        (b"<a b=zz/>=\rc", b"<a b=zz/>=\rc"),
        (b"=c3=A9\r\n", b"\xc3\xa9\r\n"),
    ],
)
def test_an_escape_that_is_none_stands_for_itself(text: bytes, meant: bytes) -> None:
    assert decoded("quoted-printable", text) == meant


@pytest.mark.parametrize(
    "text",
    [
        b"<ClinicalDocument/>",
        b"YW!j",
        b"YWJ=YWJj",
        b"YQ==YQ==",
        b"YWJjY",
        b"=",
        b"Y===",
        b"\xe4AAA",
    ],
)
@pytest.mark.parametrize("sizes", [(), (1,) * 20])
def test_what_is_no_base64_is_refused(text: bytes, sizes: tuple[int, ...]) -> None:
    with pytest.raises(MalformedMessage, match="not the base64"):
        decoded("base64", text, sizes)


@pytest.mark.parametrize("encoding", ["", "binary", "8BIT", " 7bit "])
def test_where_nothing_is_encoded_nothing_is_undone(encoding: str) -> None:
    assert decoder_of(encoding) is None


@pytest.mark.parametrize("encoding", ["x-uuencode", "base64 binary", "gzip"])
def test_an_encoding_that_nobody_knows_is_refused(encoding: str) -> None:
    with pytest.raises(MalformedMessage):
        decoder_of(encoding)


def test_blanks_and_lines_without_end_are_not_gathered() -> None:
    for encoding, content in (
        ("base64", b64encode(b"abc" * 5000)),
        ("quoted-printable", b"= " * 99),
    ):
        decoder = decoder_of(encoding)
        assert decoder is not None
        for _ in range(50):
            given_back = decoder.feed(content)
            assert abs(len(given_back) - len(content) * (0.75 if encoding == "base64" else 1)) < 300
