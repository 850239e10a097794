"""A document that stands in a message as text: its bytes are what it declares them to be."""

import pytest
from lxml import etree

from ccda.safe_xml import parse_xml
from ihe.document_content import read_content


def put_in(text: str) -> bytes:
    document = etree.Element("Document")
    document.text = text
    content = read_content(document)
    assert isinstance(content, bytes)
    return content


@pytest.mark.parametrize(
    "declared",
    ["UTF-8", "ISO-8859-1", "windows-1252", "us-ascii", "utf-16", "'utf-8'", "klingon-1"],
)
@pytest.mark.parametrize("family", ["Sampléton", "Łukasz – 李 😀", "Plain"])
def test_xml_as_text_reads_as_it_was_written(declared: str, family: str) -> None:
    quoted = declared if declared.startswith("'") else f'"{declared}"'
    content = put_in(f'\n<?xml version="1.0" encoding={quoted}?><family>{family}</family>\n')
    if declared == "klingon-1":
        assert family.encode() in content  # nobody can read it, and nothing of it is lost
    else:
        assert parse_xml(content).text == family


def test_the_bytes_are_those_of_the_sender_where_its_encoding_has_them() -> None:
    text = '<?xml version="1.0" encoding="windows-1252" standalone="yes"?><a>5 € – é</a>'
    assert put_in(text) == text.encode("cp1252")


@pytest.mark.parametrize(
    "text",
    [
        "<a>é</a>",
        '<?xml version="1.0"?><a>é</a>',
        '<a encoding="ISO-8859-1">é</a>',
        '<?xml version="1.0"?><a><!-- encoding="ISO-8859-1" -->é</a>',
        '<?xml version="1.0" encoding="hex"?><a>é</a>',
        '<?xml version="1.0" encoding="idna"?><a>é</a>',
    ],
)
def test_what_declares_no_encoding_of_text_is_utf_8(text: str) -> None:
    assert put_in(f"\ufeff {text}") == text.encode()
