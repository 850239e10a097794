"""Bytes that are not what they say: read as what they plainly are, or refused; never guessed."""

import codecs

import pytest

from ccda import CcdaError, parse_document
from ccda.errors import MalformedXml

DOCUMENT = '<ClinicalDocument xmlns="urn:hl7-org:v3"><title>caf\u00e9 {}</title></ClinicalDocument>'
PLAIN = DOCUMENT.format("")


def declared(encoding: str, text: str = PLAIN) -> str:
    return f'<?xml version="1.0" encoding="{encoding}"?>{text}'


def title(data: bytes) -> str | None:
    return parse_document(data).title


@pytest.mark.parametrize(
    ("mark", "encoding"),
    [
        (codecs.BOM_UTF8, "utf-8"),
        (codecs.BOM_UTF16_LE, "utf-16-le"),
        (codecs.BOM_UTF16_BE, "utf-16-be"),
        (codecs.BOM_UTF32_LE, "utf-32-le"),
        (codecs.BOM_UTF32_BE, "utf-32-be"),
    ],
)
@pytest.mark.parametrize("said", ["UTF-8", "UTF-16", "ISO-8859-1", "UTF-7", "nonsense"])
def test_a_byte_order_mark_outweighs_the_declaration(mark: bytes, encoding: str, said: str) -> None:
    assert title(mark + declared(said).encode(encoding)) == "caf\u00e9"


@pytest.mark.parametrize("encoding", ["utf-8", "iso-8859-1", "windows-1252"])
def test_a_declaration_is_believed_where_nothing_contradicts_it(encoding: str) -> None:
    assert title(declared(encoding).encode(encoding)) == "caf\u00e9"


@pytest.mark.parametrize("said", ["UTF-7", "IBM037", "EBCDIC-CP-US", "GB18030", "Shift_JIS", "x"])
def test_a_declared_encoding_we_do_not_read_is_refused(said: str) -> None:
    with pytest.raises(MalformedXml):
        parse_document(declared(said).encode())


HIDDEN = "+ADwAIQ-DOCTYPE a [+ADwAIQ-ENTITY x 'y'>]>+ADw-ClinicalDocument ID='&x;'/>"
"""A DOCTYPE in UTF-7, in which no byte of it looks like one."""


@pytest.mark.parametrize(
    "data",
    [
        f'<?xml version="1.0"{" " * 300}encoding="UTF-7"?>{HIDDEN}'.encode(),
        f'<?xml version="1.0" encoding="UTF-7{"-" * 50}"?>{HIDDEN}'.encode(),
        f'<?xml version="1.0" encoding="UTF-7">{HIDDEN}'.encode(),
        codecs.BOM_UTF8 + f'<?xml version="1.0" encoding="UTF-7">{HIDDEN}'.encode(),
        f'<?xml version="1.0" encoding="UTF-7">{HIDDEN}'.encode("utf-16"),
        f'<?xml version="1.0" encoding="UTF-7">{HIDDEN}'.encode("utf-32-le"),
    ],
    ids=["far in", "long", "not closed", "marked", "UTF-16", "UTF-32"],
)
def test_no_declaration_hides_what_the_parser_would_read(data: bytes) -> None:
    """In the forgiving pass too, where libxml2 does not mind that a declaration has no end."""
    with pytest.raises(MalformedXml, match="the declared encoding is not one we read"):
        parse_document(data)


def test_a_long_declaration_of_an_encoding_we_read_is_none_the_less_one() -> None:
    said = declared("iso-8859-1").replace(" encoding", f"{' ' * 300}encoding")
    assert title(said.encode("iso-8859-1")) == "caf\u00e9"


def test_utf_7_is_text_and_no_markup() -> None:
    hidden = "+ADw-script+AD4-"
    assert title(DOCUMENT.format(hidden).encode()) == f"caf\u00e9 {hidden}"


@pytest.mark.parametrize(
    "sequence",
    [
        b"\xc0\xbc",  # an overlong '<'
        b"\xe0\x80\xbc",
        b"\xf0\x80\x80\xbc",
        b"\xed\xa0\x80",  # half a surrogate pair
        b"\xf4\x90\x80\x80",  # beyond Unicode
        b"\xff",
        b"\xc3",  # cut short
    ],
)
def test_invalid_utf_8_makes_no_markup_and_is_told(sequence: bytes) -> None:
    data = DOCUMENT.format("|").encode().replace(b"|", sequence + b"b/>")
    try:
        document = parse_document(data)
    except CcdaError:
        return
    assert document.recovered
    assert "<" not in (document.title or "")


@pytest.mark.parametrize("place", [0, 1, 3, 20, 60])
def test_a_null_byte_is_never_read_over_in_silence(place: int) -> None:
    data = PLAIN.encode()
    try:
        document = parse_document(data[:place] + b"\0" + data[place:])
    except CcdaError:
        return
    assert document.recovered


@pytest.mark.parametrize("reference", ["&#0;", "&#xB;", "&#xFFFF;", "&#xD800;", "&#x110000;"])
def test_a_character_that_xml_forbids_is_told(reference: str) -> None:
    assert parse_document(DOCUMENT.format(reference).encode()).recovered


def test_a_document_whose_encoding_changes_half_way_is_told() -> None:
    first, second = PLAIN.split("caf")
    data = declared("UTF-8", first).encode() + b"caf" + second.encode("latin-1")
    document = parse_document(data)
    assert document.recovered and document.issues[0].severity == "error"


def test_utf_16_cut_in_the_middle_of_a_character_is_refused() -> None:
    with pytest.raises(MalformedXml):
        parse_document(PLAIN.encode("utf-16")[:-1])
