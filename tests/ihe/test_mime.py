"""Media types, header fields and content ids."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ihe.errors import MalformedMessage
from ihe.mime import (
    cid_url,
    quoted,
    read_cid_url,
    read_content_id,
    read_header_fields,
    read_media_type,
)


def test_a_media_type_with_quoted_and_bare_parameters() -> None:
    found = read_media_type(
        'Multipart/Related;type="application/xop+xml";start=<http://tempuri.org/0>; '
        'Boundary="uuid:8\\"98+id=5" ; start-info="application/soap+xml";'
    )
    assert found.type == "multipart/related"
    assert found.parameters == {
        "type": "application/xop+xml",
        "start": "<http://tempuri.org/0>",
        "boundary": 'uuid:8"98+id=5',
        "start-info": "application/soap+xml",
    }


def test_of_a_repeated_parameter_the_first_counts() -> None:
    assert read_media_type("a/b; x=1; X=2").parameters == {"x": "1"}


@pytest.mark.parametrize("text", ["", "text", "a/b; c", 'a/b; c="', "a/b c=d"])
def test_what_is_no_media_type_is_refused(text: str) -> None:
    with pytest.raises(MalformedMessage):
        read_media_type(text)


@given(st.text(alphabet=st.characters(min_codepoint=32, max_codepoint=126), max_size=60))
def test_a_quoted_value_is_read_back(value: str) -> None:
    assert read_media_type(f"a/b; c={quoted(value)}").parameters == {"c": value}


@pytest.mark.parametrize("value", ["caf\u00e9", "a\r\nb", "\x00"])
def test_a_value_that_no_header_may_hold_is_not_quoted(value: str) -> None:
    with pytest.raises(ValueError, match="printable"):
        quoted(value)


def test_header_fields_keep_their_values() -> None:
    fields = read_header_fields(b"Content-ID:<a>\r\nX: y\r\n z\n\tw\r\n\r\n")
    assert fields == {"content-id": "<a>", "x": "y z w"}


@given(st.text(max_size=40).filter(lambda text: text != ""))
def test_a_content_id_survives_its_url(content_id: str) -> None:
    encodable = content_id.encode("utf-8", "ignore").decode()
    if encodable:
        assert read_cid_url(cid_url(encodable)) == encodable


def test_an_escaped_href_meets_a_plain_header() -> None:
    assert read_cid_url("cid:a%40x") == read_content_id("<a@x>") == "a@x"


@pytest.mark.parametrize(
    "href", ["", "cid:", "http://mallory.example/", "file:///etc/passwd", "#a", "CIDR:a"]
)
def test_an_include_of_anything_but_a_part_is_refused(href: str) -> None:
    with pytest.raises(MalformedMessage):
        read_cid_url(href)
