"""What every page of ours has around its content: head, landmarks, and the way past them.

The order is that of reading, by eye, by keyboard and aloud: the heading, the contents, the
sections. The title is the page's only `h1`.
"""

from collections.abc import Iterable

from ccda.html.markup import NOTHING, Html, join, start, tag, text
from ccda.html.style import META_POLICY, STYLE


def write_page(title: str, *, header: Html, contents: Html, main: Html, footer: Html) -> str:
    """A whole page; `contents` may be empty, the landmarks are there all the same."""
    body = join(
        tag("a", text("Skip to the sections"), href="#sections", class_="skip"),
        tag(
            "div",
            tag("header", header),
            tag(
                "div",
                contents,
                tag("main", main, id="sections"),
                class_="columns" if contents else None,
            ),
            tag("footer", footer),
            class_="page",
        ),
    )
    page = tag("html", _head(text(title)), tag("body", body), lang="en")
    return f"<!DOCTYPE html>\n{page}\n"


def write_contents(links: Iterable[tuple[str, str, int, int]]) -> Html:
    """Each link's id on the page, its words, how many things stand there, and its depth."""
    lines = [
        tag("li", tag("a", text(words), href=f"#{anchor}", dir="auto"), _count(count),
            class_="deeper" if depth else None)
        for anchor, words, count, depth in links
    ]  # fmt: skip
    if not lines:
        return NOTHING
    head = tag("h2", text("Contents"), id="contents")
    return tag("nav", head, tag("ul", *lines), class_="contents", aria_labelledby="contents")


def _count(count: int) -> Html:
    return tag("span", text(f" ({count})"), class_="dim") if count else NOTHING


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
