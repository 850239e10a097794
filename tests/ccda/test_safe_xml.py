import codecs
import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ccda.errors import CcdaError, DoctypeRefused, MalformedXml, XmlOverLimit
from ccda.safe_xml import Limits, parse_xml, serialize_xml

BOMB = '<!DOCTYPE a [<!ENTITY x "xxxxxxxxxx"><!ENTITY y "&x;&x;&x;">]><a>&y;</a>'
EXTERNAL = '<!DOCTYPE a [<!ENTITY x SYSTEM "file:///etc/hostname">]><a>&x;</a>'


@pytest.mark.parametrize("text", [BOMB, EXTERNAL, "<!DOCTYPE a><a/>"])
@pytest.mark.parametrize(
    "encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32", "utf-32-be"]
)
def test_a_doctype_is_refused_in_every_encoding(text: str, encoding: str) -> None:
    with pytest.raises(DoctypeRefused):
        parse_xml(text.encode(encoding))


@pytest.mark.parametrize(
    "prolog",
    [
        "<!-- <a> -->",
        "<?x y?>",
        "\n\n",
        '<?xml version="1.0"?>\n<!-- -->',
        ' \n<?xml version="1.0"?>',
    ],
)
def test_a_doctype_behind_a_prolog_is_refused(prolog: str) -> None:
    with pytest.raises(DoctypeRefused):
        parse_xml((prolog + BOMB).encode())


@pytest.mark.parametrize("text", [BOMB, EXTERNAL])
def test_a_doctype_is_refused_by_the_forgiving_pass_too(text: str) -> None:
    with pytest.raises(DoctypeRefused):
        parse_xml(text.encode(), recover=True)


@pytest.mark.parametrize("prefix", ["junk", "<x/>", "<a>", "<!"])
def test_a_doctype_out_of_place_expands_nothing(prefix: str) -> None:
    try:
        root = parse_xml((prefix + BOMB).encode(), recover=True)
    except CcdaError:
        return
    assert "x" * 30 not in "".join(root.itertext())


def test_a_doctype_in_cdata_is_only_text() -> None:
    assert parse_xml(b"<a><![CDATA[<!DOCTYPE b>]]></a>").text == "<!DOCTYPE b>"


def test_a_declared_encoding_in_which_ascii_is_not_ascii_is_refused() -> None:
    with pytest.raises(MalformedXml):
        parse_xml(b'<?xml version="1.0" encoding="UTF-7"?><a/>')


def test_bytes_that_do_not_fit_their_mark_are_malformed() -> None:
    with pytest.raises(MalformedXml):
        parse_xml(codecs.BOM_UTF16_LE + b"<\0a\0/\0>")


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be", "utf-32", "utf-8-sig"])
def test_every_unicode_encoding_is_read(encoding: str) -> None:
    text = '<?xml version="1.0" encoding="UTF-16"?><a>é</a>'
    assert parse_xml(text.encode(encoding)).text == "é"


def test_a_declaration_left_over_from_utf_16_is_overlooked() -> None:
    assert parse_xml('<?xml version="1.0" encoding="utf-16"?><a>é</a>'.encode()).text == "é"


def test_white_space_before_the_declaration_keeps_encoding_and_lines() -> None:
    data = '\n \n<?xml version="1.0"\nencoding="iso-8859-1"?>\n<a>é</a>'.encode("latin-1")
    root = parse_xml(data)
    assert (root.text, root.sourceline) == ("é", 5)


def test_lines_are_those_of_the_bytes_after_transcoding() -> None:
    data = '<?xml version="1.0"\n encoding="utf-16"?>\n\n<a/>'.encode("utf-16")
    assert parse_xml(data).sourceline == 4


@pytest.mark.parametrize("data", [b"", b" ", b"<a>", b"<a></b>", b"text", b"\xff\xfe", b"\0\0\0\0"])
def test_what_is_no_xml_is_malformed(data: bytes) -> None:
    with pytest.raises(MalformedXml):
        parse_xml(data)


def test_a_malformed_line_is_named() -> None:
    with pytest.raises(MalformedXml) as caught:
        parse_xml(b"<a>\n<b>\n</a>")
    assert caught.value.line == 3


def nested(depth: int) -> bytes:
    return b"<a>" * depth + b"</a>" * depth


def test_depth_is_capped_exactly() -> None:
    assert parse_xml(nested(256)) is not None
    with pytest.raises(XmlOverLimit, match="depth"):
        parse_xml(nested(257))


@pytest.mark.parametrize("limit", [3, 300])
def test_a_depth_limit_of_ones_own_is_kept(limit: int) -> None:
    limits = Limits(depth=limit)
    assert parse_xml(nested(limit), limits=limits) is not None
    with pytest.raises(XmlOverLimit, match="depth"):
        parse_xml(nested(limit + 1), limits=limits)


@pytest.mark.parametrize("depth", [257, 5000])
def test_depth_is_capped_in_the_forgiving_pass(depth: int) -> None:
    with pytest.raises(XmlOverLimit, match="depth"):
        parse_xml(b"<a>" * depth, recover=True)


def test_depth_is_capped_in_large_input_too() -> None:
    with pytest.raises(XmlOverLimit, match="depth"):
        parse_xml(nested(300) + b" " * 10_000_001)


def test_attributes_are_capped_exactly() -> None:
    def with_attributes(count: int) -> bytes:
        return b"<x><a " + b" ".join(b'b%d=""' % i for i in range(count)) + b"/></x>"

    assert parse_xml(with_attributes(256)) is not None
    with pytest.raises(XmlOverLimit, match="attributes"):
        parse_xml(with_attributes(257))


@given(st.integers(0, 3000), st.integers(0, 3000))
def test_an_element_of_many_attributes_is_found_wherever_it_stands(before: int, after: int) -> None:
    letters = string.ascii_letters
    names = [*letters, *(a + b for a in letters for b in letters)][:257]
    many = "".join(f' {name}=""' for name in names).encode()
    content = b"<a>%b<b%b/>%b</a>" % (b"=" * before, many, b"x" * after)
    with pytest.raises(XmlOverLimit, match="attributes"):
        parse_xml(content)
    assert parse_xml(content.replace(b' a=""', b"")) is not None


@pytest.mark.parametrize("recover", [False, True])
@pytest.mark.parametrize("encoding", ["utf-8", "iso-8859-1", "utf-16"])
@pytest.mark.parametrize("value", ['""', "''", '">"', "'&lt;a>='", "'\"'"])
@pytest.mark.parametrize("limit", [1, 2, 20])
def test_attributes_are_counted_however_short_and_wherever(
    limit: int, value: str, encoding: str, recover: bool
) -> None:
    """A tag that is just long enough may start at any place of the stride that looks for it."""
    limits = Limits(attributes=limit)
    most = "".join(f" {name}={value}" for name in string.ascii_letters[:limit])
    declaration = f'<?xml version="1.0" encoding="{encoding}"?>'
    for before in range(5 * limit + 8):
        text = f"{declaration}<a>{'=' * before}<b%s/></a>"
        at_most, over = (text % written for written in (most, f"{most} z=''"))
        read = parse_xml(at_most.encode(encoding), limits=limits, recover=recover)
        assert len(read[0].attrib) == limit
        with pytest.raises(XmlOverLimit, match="attributes"):
            parse_xml(over.encode(encoding), limits=limits, recover=recover)


def test_namespaces_in_scope_are_capped_exactly() -> None:
    def with_namespaces(count: int) -> bytes:
        declared = [b"xmlns:n%d='u'" % i for i in range(count)]
        return b"<a " + b" ".join(declared[1:]) + b"><b " + declared[0] + b"/></a>"

    assert parse_xml(with_namespaces(64)) is not None
    for recover in (False, True):
        with pytest.raises(XmlOverLimit, match="namespaces"):
            parse_xml(with_namespaces(65), recover=recover)


def test_a_namespace_declared_again_and_again_is_no_flood() -> None:
    parts = b'<b xmlns:x="u"/>' * 1000
    assert len(parse_xml(b"<a>" + parts + b"</a>")) == 1000


def test_text_is_capped_only_at_our_limit() -> None:
    scan = b"<a>" + b"x" * 11_000_000 + b"</a>"
    assert parse_xml(scan) is not None
    with pytest.raises(XmlOverLimit, match="text node"):
        parse_xml(scan, limits=Limits(text_characters=10_500_000))


def test_size_is_capped_before_anything_is_read() -> None:
    with pytest.raises(XmlOverLimit, match="size"):
        parse_xml(b"<a/>" + b" " * 100, limits=Limits(size_bytes=100))


def test_a_comment_does_not_cut_a_name_in_two() -> None:
    root = parse_xml(b"<name>admin@good.org<!-- x -->.evil.net<?p i?></name>")
    assert root.text == "admin@good.org.evil.net"


def test_an_undefined_entity_is_malformed() -> None:
    with pytest.raises(MalformedXml):
        parse_xml(b"<a>&nbsp;</a>")


def test_an_inclusion_is_not_followed() -> None:
    include = b'<i:include href="/etc/hostname" parse="text"/>'
    root = parse_xml(b'<a xmlns:i="http://www.w3.org/2001/XInclude">' + include + b"</a>")
    assert len(root) == 1 and root[0].text is None


def test_what_is_written_reads_back() -> None:
    written = serialize_xml(parse_xml("<a b='1'> é\n</a>".encode()))
    assert written.startswith(b"<?xml") and serialize_xml(parse_xml(written)) == written


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16"])
def test_an_undeclared_entity_costs_no_text_behind_it(encoding: str) -> None:
    text = "<a>&deg;F <b>&lt; 10 &amp; up</b> &nosuch; <![CDATA[&deg;]]></a>"
    root = parse_xml(text.encode(encoding), recover=True)
    assert "".join(root.itertext()) == "\N{DEGREE SIGN}F < 10 & up &nosuch; &deg;"


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("&#xD83D;&#xDE00;", "\N{GRINNING FACE}"),
        ("&#55357;&#xde00;", "\N{GRINNING FACE}"),
        ("&#x" + "0" * 5000 + "D83D;&#" + "0" * 5000 + "56832;", "\N{GRINNING FACE}"),
        ("&#xD800;", "\ufffd"),
        ("&#xDE00;&#xD83D;", "\ufffd\ufffd"),
        ("&#xD83D;&#xAC00;", "\ufffd\uac00"),
        ("&#xD800;&#xD7FF;", "\ufffd\ud7ff"),
    ],
)
def test_the_halves_of_a_utf_16_pair_are_one_character(written: str, meant: str) -> None:
    root = parse_xml(f"<a b='{written}'>{written}</a>".encode(), recover=True)
    assert (root.text, root.get("b")) == (meant, meant)
