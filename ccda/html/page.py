"""The whole page: head, contents, sections in document order, body, issues of reading."""

from dataclasses import dataclass
from typing import Final

from ccda.document import parse_document
from ccda.html.body import write_body
from ccda.html.entries import write_entries, write_raw
from ccda.html.heading import title_of, write_heading
from ccda.html.lede import write_lede
from ccda.html.markup import NOTHING, Html, join, tag, text
from ccda.html.narrative import NarrativeWriter, language
from ccda.html.shell import write_contents, write_page
from ccda.html.words import absence, name_of
from ccda.model import ClinicalDocument, Issue, Section
from ccda.namespaces import normalize
from ccda.safe_xml import Element, parse_for_names

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
    is_around: bool
    """Whether another section stands in it."""


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
    title = title_of(document)
    return write_page(
        title,
        header=join(
            tag("h1", text(title), lang=spoken, dir="auto"),
            write_lede(document),
            *_banners(document),
            write_heading(document),
        ),
        contents=_contents(parts, document),
        main=join(
            *(_write_part(part, writer, spoken) for part in parts), write_body(document.body)
        ),
        footer=_write_issues(document.issues),
    )


def _tree(xml: bytes, document: ClinicalDocument) -> Element:
    """The tree as the document was read from it, so that the paths of its sections hold."""
    recovered = document.recovered
    root, may_be_bare = parse_for_names(xml, recover=recovered)
    for _ in normalize(root, may_be_bare, recovered=recovered):
        pass  # its issues are the document's already
    return root


def _parts(document: ClinicalDocument, root: Element) -> list[_Part]:
    parts: list[_Part] = []
    around: list[str] = []
    following = (*(section.path for section in document.sections[1:]), "")
    for number, (section, after) in enumerate(zip(document.sections, following, strict=False), 1):
        while around and not section.path.startswith(around[-1] + "/"):
            around.pop()
        found = root.xpath(section.path)
        heading = section.title or name_of(section.code) or "Section without a title"
        is_around = after.startswith(section.path + "/")
        parts.append(_Part(section, found[0], f"section-{number}", len(around), heading, is_around))
        around.append(section.path)
    return parts


def _banners(document: ClinicalDocument) -> list[Html]:
    said = [
        _RECOVERED if document.recovered else None,
        _RESTRICTED if document.confidentiality in ("R", "V") else None,
    ]
    return [tag("p", text(words), class_="banner alert") for words in said if words]


def _contents(parts: list[_Part], document: ClinicalDocument) -> Html:
    links = [(part.anchor, part.heading, len(part.section.entries), part.depth) for part in parts]
    if document.body is not None:
        links.append(("body", "Attached file", 0, 0))
    if document.issues:
        links.append(("issues", "Issues of reading", 0, 0))
    return write_contents(links)


def _write_part(part: _Part, writer: NarrativeWriter, spoken: str | None) -> Html:
    section = part.section
    level = f"h{min(2 + part.depth, _DEEPEST)}"
    missing = absence(section.null_flavor)
    note = tag("p", text(f"The section says: {missing}."), class_="note") if missing else NOTHING
    narrative = next(part.element.iterchildren("{*}text"), None)
    words = NOTHING if narrative is None else writer.write(narrative)
    if not words.strip() and not part.is_around:
        words = tag("p", text("There is no text in this section."), class_="note")
    return tag(
        "section",
        tag(level, text(part.heading), lang=spoken, dir="auto"),
        note,
        tag("div", words, class_="narrative", lang=spoken, dir="auto"),
        write_entries(section.entries, part.heading),
        write_raw(section.raw_entries),
        id=part.anchor,
        class_="section",
    )


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
