"""The file inside an unstructured document (C-CDA R2.1: 1.2.10), as far as a page may show it.

Text, RTF and HTML are shown as words, a PNG, JPEG or GIF as a picture. Anything else, a PDF
first of all, is named and left to whoever opens the document itself.
"""

from typing import Final

from ccda.html.foreign import read_html
from ccda.html.markup import NOTHING, Html, clean, join, tag, text
from ccda.html.media import write_picture
from ccda.html.narrative import NarrativeWriter
from ccda.html.rich_text import read_rtf
from ccda.model import NonXmlBody

MOST_TEXT_BODY: Final = 1024 * 1024
"""A body of text longer than this is cut on the page, which then says so."""

_NOT_SHOWN: Final = "It is not shown here: download the document to open it."
_WORDS_ALONE: Final = "Its words are shown, without the file's own layout."
_CUT: Final = "Only its beginning is shown."
_NAMES: Final = {
    "application/pdf": "a PDF file",
    "text/plain": "plain text",
    "text/html": "an HTML file",
    "application/xhtml+xml": "an HTML file",
    "text/rtf": "a rich text (RTF) file",
    "application/rtf": "a rich text (RTF) file",
    "image/png": "a PNG picture",
    "image/jpeg": "a JPEG picture",
    "image/gif": "a GIF picture",
    "image/tiff": "a TIFF picture",
}
_HTML_STARTS: Final = (b"<!doctype html", b"<html")


def write_body(body: NonXmlBody | None) -> Html:
    """The section of an unstructured document; nothing for a structured one."""
    if body is None:
        return NOTHING
    shown, notes = _content(body)
    told = (tag("p", text(note), class_="note") for note in (_what(body), *notes))
    head = tag("h2", text("Attached file"))
    return tag("section", head, *told, shown, id="body", class_="section")


def _what(body: NonXmlBody) -> str:
    written = _media_type(body)
    named = _NAMES.get(written, "a file")
    media_type = f"{written or 'of no stated type'}"
    if body.reference and not body.data:
        return f"The content of this document stands elsewhere and is not fetched ({media_type})."
    return f"The content of this document is {named} ({media_type}, {len(body.data):,} bytes)."


def _media_type(body: NonXmlBody) -> str:
    return (body.media_type or "").partition(";")[0].strip().lower()


def _content(body: NonXmlBody) -> tuple[Html, list[str]]:
    """What is shown of the bytes, and what is said of them. The bytes decide, not the type."""
    data = body.data
    if not data:
        return NOTHING, []
    picture = write_picture(data, "The picture that is this document")
    if picture is not None:
        return picture, []
    cut = [_CUT] if len(data) > MOST_TEXT_BODY else []
    head = data[:MOST_TEXT_BODY]
    if head.startswith(b"{\\rtf"):
        return _lines(read_rtf(head)), [_WORDS_ALONE, *cut]
    if _is_html(body):
        root = read_html(_decode(head))
        words = NarrativeWriter(root).write(root)
        return tag("div", words, class_="narrative", dir="auto"), [_WORDS_ALONE, *cut]
    if _media_type(body) == "text/plain" and b"\0" not in data:
        return _lines(_decode(head)), cut
    return NOTHING, [_NOT_SHOWN]


def _is_html(body: NonXmlBody) -> bool:
    declared = _media_type(body) in ("text/html", "application/xhtml+xml")
    return declared or body.data[:64].lstrip().lower().startswith(_HTML_STARTS)


def _decode(data: bytes) -> str:
    return data.decode("utf-8-sig", "replace")


def _lines(words: str) -> Html:
    return join(tag("pre", text(clean(words)), dir="auto"))
