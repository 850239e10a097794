"""Unstructured documents as pages: what is words or a picture is shown, and nothing is run."""

import base64

import pytest

from ccda.html import render_html
from tests.ccda.html_page import Page, read_page
from tests.ccda.test_html_dangers import PIXEL

DOCUMENT = """<ClinicalDocument xmlns="urn:hl7-org:v3"><id root="1.2.3"/><code code="34133-9"/>
<title>T</title><effectiveTime value="2024"/><recordTarget/><component><nonXMLBody>
<text mediaType="{kind}" representation="B64">{content}</text></nonXMLBody></component>
</ClinicalDocument>"""


def shown(data: bytes, kind: str) -> Page:
    content = base64.b64encode(data).decode()
    return read_page(render_html(DOCUMENT.format(kind=kind, content=content).encode()))


@pytest.mark.parametrize("kind", ["image/png", "image/jpeg", "application/octet-stream", ""])
def test_a_picture_is_shown_whatever_it_is_called(kind: str) -> None:
    (picture,) = shown(PIXEL, kind).all("img")
    assert base64.b64decode(picture["src"].partition(",")[2]) == PIXEL


@pytest.mark.parametrize(
    ("data", "kind"),
    [
        (b"%PDF-1.7 words", "application/pdf"),
        (b"II*\x00 words", "image/tiff"),
        (b"<svg xmlns='http://www.w3.org/2000/svg' onload='alert(1)'/>", "image/svg+xml"),
        (b"\x00\x01words", "text/plain"),
        (b"PK\x03\x04words", "application/msword"),
    ],
)
def test_a_file_that_a_page_cannot_show_is_named_and_left_alone(data: bytes, kind: str) -> None:
    page = shown(data, kind)
    assert page.all("img") == []
    assert f"({kind}, {len(data):,} bytes)" in page.words
    assert "download the document to open it" in page.words
    assert "alert(1)" not in page.source


def test_html_keeps_its_words_tables_and_lists() -> None:
    page = shown(
        b"<!DOCTYPE html><html><head><title>Letter</title></head><body><h1>Dear</h1><p>one<p>two"
        b"<ul><li>three<li>four</ul><table><tr><th>five<td>six<tr><td colspan=2>seven</table>"
        b"eight<br>nine &amp; <b>ten</b><a href='https://x.example/'>eleven</a></body></html>",
        "text/html",
    )
    assert "LetterDearonetwothreefourfivesixseveneightnine&teneleven" in page.squeezed
    assert len(page.all("tr")) == 2
    assert len(page.all("table")) == 1
    assert [one.get("colspan") for one in page.all("td")] == [None, "2"]
    assert {"href": "https://x.example/", "rel": "noopener noreferrer"} in page.all("a")
    assert "Its words are shown" in page.words


@pytest.mark.parametrize(
    "danger",
    [
        "<script>evil()</script>",
        "<script>evil()",
        "<style>evil{}</style>",
        "<template>evil()</template>",
        "<svg><script>evil()</script></svg>",
        "<img src=x onerror=evil()>",
        "<p onclick=evil() style='x:evil'>w</p>",
        "<a href='javascript:evil()'>w</a>",
        "<iframe srcdoc='evil'></iframe>",
        "<meta http-equiv=refresh content='0;url=https://evil.example'>",
        "<base href='https://evil.example'>",
        "<link rel=stylesheet href='https://evil.example'>",
        "<form action='https://evil.example'><input value=evil></form>",
        "<!-- evil -->",
        "<![CDATA[evil]]>",
        "<?evil ?>",
        "<p id='evil\" onclick=\"x'>w</p>",
        "<table background='https://evil.example'><tr><td>w</table>",
    ],
)
def test_html_inside_a_document_is_held_to_the_same_list(danger: str) -> None:
    page = shown(f"<html><body>before {danger}</body></html>".encode(), "text/html")
    assert "before" in page.words
    assert "evil.example" not in page.source
    assert "evil()" not in page.source
    assert "onclick" not in {name for _, given in page.elements for name in given}


def test_html_of_any_depth_and_with_any_bytes_is_a_page() -> None:
    deep = b"<html>" + b"<div><table><tr><td>" * 5_000 + b"deep"
    assert "deep" in shown(deep, "text/html").words
    assert "x" in shown(b"<html>\x00\x01\xff\xfe x <p id='\x01'>&#0;&#x1F;", "text/html").words


def test_html_that_calls_itself_text_is_still_not_shown_as_markup() -> None:
    page = shown(b"<html><body><p>words</p><script>alert(1)</script></body></html>", "text/plain")
    assert "words" in page.words
    assert "alert(1)" not in page.source


def test_rich_text_is_shown_as_its_words() -> None:
    page = shown(
        rb"{\rtf1\ansi{\fonttbl{\f0 Arial;}}{\*\generator Word;}{\info{\author Nobody}}\f0\fs24 "
        rb"Patient\rquote s weight: \b 70\b0  kg\par na\'efve caf\u233?\line \{x\} \u-10179?end"
        rb"{\pict\pngblip 89504e47}\tab last}",
        "text/rtf",
    )
    (lines,) = [piece for piece in page.pieces if "weight" in piece]
    assert lines == "Patient’s weight: 70 kg\nnaïve café\n{x} \ufffdend\tlast"
    for silent in ("Arial", "Word", "Nobody", "89504e47"):
        assert silent not in page.source


@pytest.mark.parametrize(
    "data", [rb"{\rtf1", rb"{\rtf1 }}}}x", b"{\\rtf1 \\", rb"{\rtf1\uc99999 x}"]
)
def test_broken_rich_text_is_still_a_page(data: bytes) -> None:
    assert "rich text (RTF) file" in shown(data, "application/rtf").words


def test_a_very_long_text_is_cut_and_the_page_says_so() -> None:
    page = shown(b"a " * (600 * 1024), "text/plain")
    assert "Only its beginning is shown." in page.words
    assert len(page.source) < 1_100_000
