"""The whole page: head, contents, sections in document order, body, issues of reading."""

from dataclasses import dataclass
from typing import Final

from ccda.document import parse_document
from ccda.hl7v3 import v3
from ccda.html.entries import write_entries
from ccda.html.heading import title_of, write_heading
from ccda.html.markup import NOTHING, Html, clean, join, start, tag, text
from ccda.html.media import PICTURE_HOLDERS
from ccda.html.narrative import NarrativeWriter, language
from ccda.html.style import META_POLICY, STYLE
from ccda.html.words import absence, name_of
from ccda.model import ClinicalDocument, Issue, NonXmlBody, Section
from ccda.namespaces import normalize
from ccda.safe_xml import Element, parse_xml

MOST_TEXT_BODY: Final = 1024 * 1024
"""A plain text body longer than this is cut on the page, which then says so."""

_ENTRY: Final = v3("entry")
_DEEPEST: Final = 6
_RECOVERED: Final = (
    "This document is damaged: it is not well-formed XML. What could be read is shown; "
    "something may be missing."
)
_RESTRICTED: Final = "This document is marked confidential beyond the normal."


@dataclass(frozen=True, slots=True)
class _Part:
    """A section with its place on the page."""

    section: Section
    element: Element
    anchor: str
    depth: int
    heading: str


def render_html(xml: bytes) -> str:
    """A clinical document as a page of HTML, to be served with `CONTENT_SECURITY_POLICY`.

    Raises:
        CcdaError: it cannot be read at all, is over a limit, or is no ClinicalDocument.
    """
    document = parse_document(xml)
    root = _tree(xml, document)
    parts = _parts(document, root)
    writer = NarrativeWriter(root)
    spoken = language(document.language)
    title = text(title_of(document))
    body = join(
        tag("a", text("Skip to the sections"), href="#sections", class_="skip"),
        tag(
            "div",
            tag("header", tag("h1", title, lang=spoken, dir="auto"), *_banners(document),
                write_heading(document)),
            _contents(parts, document),
            tag("main", *(_write_part(part, writer, spoken) for part in parts),
                _write_body(document.body), id="sections"),
            tag("footer", _write_issues(document.issues)),
            class_="page",
        ),
    )  # fmt: skip
    page = tag("html", _head(title), tag("body", body), lang="en")
    return f"<!DOCTYPE html>\n{page}\n"


def _tree(xml: bytes, document: ClinicalDocument) -> Element:
    """The tree as the document was read from it, so that the paths of its sections hold."""
    recovered = document.recovered
    root = parse_xml(xml, recover=recovered)
    for _ in normalize(root, xml, recovered=recovered):
        pass  # its issues are the document's already
    return root


def _parts(document: ClinicalDocument, root: Element) -> list[_Part]:
    parts: list[_Part] = []
    around: list[str] = []
    for number, section in enumerate(document.sections, 1):
        while around and not section.path.startswith(around[-1] + "/"):
            around.pop()
        found = root.xpath(section.path)
        heading = section.title or name_of(section.code) or "Section without a title"
        anchor = f"section-{number}"
        parts.append(_Part(section, found[0], anchor, len(around), heading))
        around.append(section.path)
    return parts


def _head(title: Html) -> Html:
    return tag(
        "head",
        start("meta", charset="utf-8"),
        start("meta", http_equiv="Content-Security-Policy", content=META_POLICY),
        start("meta", name="viewport", content="width=device-width, initial-scale=1"),
        start("meta", name="referrer", content="no-referrer"),
        tag("title", title),
        tag("style", Html(STYLE)),
    )


def _banners(document: ClinicalDocument) -> list[Html]:
    said = [
        _RECOVERED if document.recovered else None,
        _RESTRICTED if document.confidentiality in ("R", "V") else None,
    ]
    return [tag("p", text(words), class_="banner alert") for words in said if words]


def _contents(parts: list[_Part], document: ClinicalDocument) -> Html:
    lines = [
        tag("li", tag("a", text(part.heading), href=f"#{part.anchor}", dir="auto"), _count(part),
            class_="deeper" if part.depth else None)
        for part in parts
    ]  # fmt: skip
    if document.body is not None:
        lines.append(tag("li", tag("a", text("Attached file"), href="#body")))
    if document.issues:
        lines.append(tag("li", tag("a", text("Issues of reading"), href="#issues")))
    if not lines:
        return NOTHING
    head = tag("h2", text("Contents"), id="contents")
    return tag("nav", head, tag("ul", *lines), class_="contents", aria_labelledby="contents")


def _count(part: _Part) -> Html:
    count = len(part.section.entries)
    return tag("span", text(f" ({count})"), class_="dim") if count else NOTHING


def _write_part(part: _Part, writer: NarrativeWriter, spoken: str | None) -> Html:
    section = part.section
    level = f"h{min(2 + part.depth, _DEEPEST)}"
    missing = absence(section.null_flavor)
    note = tag("p", text(f"The section says: {missing}."), class_="note") if missing else NOTHING
    narrative = next(part.element.iterchildren("{*}text"), None)
    words = NOTHING if narrative is None else writer.write(narrative)
    if not words.strip():
        words = tag("p", text("There is no text in this section."), class_="note")
    return tag(
        "section",
        tag(level, text(part.heading), lang=spoken, dir="auto"),
        note,
        tag("div", words, class_="narrative", lang=spoken, dir="auto"),
        write_entries(section.entries, part.heading),
        _write_unread(part),
        id=part.anchor,
        class_="section",
    )


def _write_unread(part: _Part) -> Html:
    """How many entries were of no kind that we read: they are in the document all the same."""
    below = len(part.section.path)
    read = {entry.path[below:].split("/", 2)[1] for entry in part.section.entries}
    written = {
        f"*[{position}]"
        for position, child in enumerate(part.element, 1)
        if child.tag == _ENTRY and any(below.tag not in PICTURE_HOLDERS for below in child)
    }
    unread = len(written - read)
    said = f"Coded entries of this section that are not shown here: {unread}."
    return tag("p", text(said), class_="note") if unread else NOTHING


def _write_body(body: NonXmlBody | None) -> Html:
    if body is None:
        return NOTHING
    media_type = body.media_type or "of no stated type"
    said = f"The content of this document is a file ({media_type}, {len(body.data):,} bytes)."
    if body.reference and not body.data:
        said = f"The content of this document stands elsewhere and is not fetched ({media_type})."
    notes = [said]
    shown = NOTHING
    if media_type.partition(";")[0].strip().lower() == "text/plain" and b"\0" not in body.data:
        shown = tag("pre", text(clean(body.data[:MOST_TEXT_BODY].decode("utf-8", "replace"))),
                    dir="auto")  # fmt: skip
        if len(body.data) > MOST_TEXT_BODY:
            notes.append("Only its beginning is shown.")
    elif body.data:
        notes.append("It is not shown here: download the document to open it.")
    head = tag("h2", text("Attached file"))
    told = (tag("p", text(note), class_="note") for note in notes)
    return tag("section", head, *told, shown, id="body", class_="section")


def _write_issues(issues: tuple[Issue, ...]) -> Html:
    if not issues:
        return NOTHING
    head = tag("h2", text("Issues of reading"))
    listed = tag("ul", *(tag("li", text(_issue_words(issue)), dir="auto") for issue in issues))
    return tag("section", head, listed, id="issues", class_="section")


def _issue_words(issue: Issue) -> str:
    place = ", ".join(
        words
        for words in (issue.section, None if issue.line is None else f"line {issue.line}")
        if words
    )
    return f"{issue.severity.capitalize()}: {issue.text}" + (f" ({place})" if place else "")
