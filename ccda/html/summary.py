"""A member's merged summary as a page for people, in the manner of a document's page."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from ccda.html.entries import facts
from ccda.html.markup import NOTHING, Html, join, tag, text
from ccda.html.sheet import (
    ANSWER_COLUMNS,
    CONFLICT,
    DOCUMENT_COLUMNS,
    POINT_COLUMNS,
    Sheet,
    SheetLine,
    SheetPoint,
    SheetSection,
    write_sheet,
)
from ccda.html.shell import write_contents, write_page
from ccda.summary import Completeness, Summary

_NOTHING: Final = "No document says anything about this member yet."
_MADE: Final = (
    "This summary was merged by a program from the documents listed here. "
    "The documents themselves are the record."
)


def render_summary(
    summary: Summary, *, member: Mapping[str, Any], completeness: Sequence[Completeness]
) -> str:
    """The summary as a page of HTML, to be served with `CONTENT_SECURITY_POLICY`."""
    return write_summary(write_sheet(summary, member=member, completeness=completeness))


def write_summary(sheet: Sheet) -> str:
    """The page of a summary that is in words already."""
    links = [
        *((f"section-{s.key}", s.title, len(s.lines), 0) for s in sheet.sections),
        ("asked", "Who was asked", len(sheet.answers), 0),
        ("documents", "Documents", len(sheet.documents), 0),
    ]
    return write_page(
        f"Summary of {sheet.name}",
        header=_heading(sheet),
        contents=write_contents(links),
        main=join(*(_section(section) for section in sheet.sections), _empty(sheet),
                  _asked(sheet), _documents(sheet)),
        footer=tag("p", text(_MADE), class_="note"),
    )  # fmt: skip


def _heading(sheet: Sheet) -> Html:
    is_complete = not sheet.completeness.startswith("Not complete")
    return join(
        tag("h1", text(f"Summary of {sheet.name}"), dir="auto"),
        facts([*sheet.member, ("As of", sheet.as_of)], "lede"),
        tag("p", text(sheet.completeness), class_="banner" if is_complete else "banner alert"),
    )


def _empty(sheet: Sheet) -> Html:
    return NOTHING if sheet.sections else tag("p", text(_NOTHING), class_="note")


# ---- sections --------------------------------------------------------------------------------


def _section(section: SheetSection) -> Html:
    known = (
        tag("li", tag("p", tag("strong", text(words), dir="auto")), _sources(letters),
            class_="entry")
        for words, letters in section.nothing_known
    )  # fmt: skip
    lines = (_line(line) for line in section.lines)
    return tag(
        "section",
        tag("h2", text(section.title)),
        tag("ul", *lines, *known, role="list", aria_label=section.title, class_="lines"),
        id=f"section-{section.key}",
        class_="section",
    )


def _line(line: SheetLine) -> Html:
    flags = (tag("span", text(flag), class_="flag alert") for flag in line.flags)
    name = tag("strong", text(line.name), dir="auto")
    remark_class = "remark alert" if CONFLICT in line.flags else "remark"
    return tag(
        "li",
        tag("p", join(name, *flags, by=" ")),
        facts(list(line.facts)),
        *(tag("p", text(remark), class_=remark_class, dir="auto") for remark in line.remarks),
        _points(line.points, line.name),
        _sources(line.sources, line.code),
        class_="entry",
    )


def _points(points: tuple[SheetPoint, ...], name: str) -> Html:
    if not points:
        return NOTHING
    rows = [
        (each.time, each.value, each.written, each.interpretation, each.remark, each.sources)
        for each in points
    ]
    return _table(POINT_COLUMNS, rows, f"{name}: every measurement")


def _sources(letters: str, code: str = "") -> Html:
    """Small below a line: who says so, each a link to the list of documents."""
    listed = [
        tag("a", text(letter), href=f"#document-{letter}") if letter != "?" else text(letter)
        for letter in letters.split(", ")
    ]
    word = "Source: document " if len(listed) == 1 else "Sources: documents "
    coded = text(f" · Code {code}") if code else NOTHING
    return tag("p", text(word), join(*listed, by=", "), coded, class_="origin")


# ---- tables ----------------------------------------------------------------------------------


def _asked(sheet: Sheet) -> Html:
    told = _table(ANSWER_COLUMNS, sheet.answers, "How each partner answered")
    if not sheet.answers:
        told = tag("p", text("No partner was asked."), class_="note")
    head = tag("h2", text("Who was asked"))
    return tag("section", head, told, id="asked", class_="section")


def _documents(sheet: Sheet) -> Html:
    ids = [f"document-{letter}" for letter, *_ in sheet.documents]
    told = _table(DOCUMENT_COLUMNS, sheet.documents, "Documents that were read", ids)
    if not sheet.documents:
        told = tag("p", text("There is no document."), class_="note")
    return tag("section", tag("h2", text("Documents")), told, id="documents", class_="section")


def _table(
    columns: Sequence[str],
    rows: Sequence[tuple[str, ...]],
    label: str,
    ids: Sequence[str | None] = (),
) -> Html:
    """A table whose first cell names its row; a column that says nothing is left out."""
    shown = [index for index in range(len(columns)) if any(row[index] for row in rows)]
    head = tag("tr", *(tag("th", text(columns[index]), scope="col") for index in shown))
    body = (
        tag("tr", *(_cell(row[index], is_first=index == shown[0]) for index in shown), id=row_id)
        for row, row_id in zip(rows, ids or [None] * len(rows), strict=True)
    )
    table = tag("table", tag("thead", head), tag("tbody", *body))
    return tag("div", table, class_="scroll", role="group", tabindex=0, aria_label=label)


def _cell(words: str, *, is_first: bool) -> Html:
    if is_first:
        return tag("th", text(words), scope="row", dir="auto")
    return tag("td", text(words), dir="auto")
