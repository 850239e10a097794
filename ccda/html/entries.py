"""A section's coded entries, each as one line of facts below the narrative."""

from collections.abc import Iterator
from typing import Final

from ccda.html.markup import NOTHING, Html, join, tag, text
from ccda.html.words import (
    MOODS,
    absence,
    code_words,
    detail_words,
    id_words,
    name_of,
    period_words,
    sentence_case,
    time_words,
    value_words,
)
from ccda.model import Author, Entry

_HAPPENS: Final = frozenset(
    ("procedure", "immunization", "medication", "encounter", "device", "plan", "goal")
)
"""Kinds that are done; of the others a negation says that something is not so."""

_UNSAID: Final = frozenset(("panel", "statement"))
"""Details that are shown otherwise, or say nothing to people."""

Fact = tuple[str, str | None]


def write_entries(entries: tuple[Entry, ...], heading: str) -> Html:
    """All of them, to fold away; nothing where there are none."""
    if not entries:
        return NOTHING
    count = f"{len(entries)} coded {'entry' if len(entries) == 1 else 'entries'}"
    items = (_write_entry(entry, entries) for entry in entries)
    listed = tag("ul", *items, aria_label=f"{count}: {heading}", role="list")
    return tag("details", tag("summary", text(count)), listed, class_="entries", open="")


def facts(given: list[Fact], class_: str | None = None) -> Html:
    """A definition list of the facts that say something."""
    pairs = [
        tag("div", tag("dt", text(name)), tag("dd", text(words), dir="auto"))
        for name, words in given
        if words
    ]
    return tag("dl", *pairs, class_=class_) if pairs else NOTHING


def author_words(author: Author) -> str | None:
    """Who, where and when."""
    who = [part for part in (author.name, author.device, author.organization) if part]
    when = time_words(author.time)
    if when is None:
        return ", ".join(who) or None
    return ", ".join([*(who or ["not named"]), when])


def _write_entry(entry: Entry, entries: tuple[Entry, ...]) -> Html:
    above = None if entry.parent is None else entries[entry.parent]
    name = tag("strong", text(_name(entry)), dir="auto")
    panel = " panel" if entry.details.get("panel") else ""
    kind = tag("span", text(sentence_case(entry.kind) + panel), class_="kind")
    head = tag("p", join(name, kind, *_flags(entry), by=" "))
    part_of = None if above is None else _name(above)
    body = facts([*_facts(entry), *_details(entry), ("Part of", part_of)])
    return tag("li", head, body, class_="entry" if above is None else "entry part")


def _name(entry: Entry) -> str:
    return name_of(entry.code) or entry.text or "Not named"


def _flags(entry: Entry) -> Iterator[Html]:
    if entry.negated:
        words = "Not done" if entry.kind in _HAPPENS else "Negated: not so"
        yield tag("span", text(words), class_="flag alert")
    if entry.no_information:
        yield tag("span", text("No information"), class_="flag")
    if entry.mood not in (None, "EVN"):
        yield tag("span", text(MOODS.get(entry.mood or "", entry.mood)), class_="flag")


def _facts(entry: Entry) -> Iterator[Fact]:
    code = entry.code
    yield "Value", value_words(entry.value, entry.unit)
    yield "Status", entry.status
    yield "Time", time_words(entry.time)
    yield "Period", period_words(entry.start, entry.end)
    yield "Code", code_words(code)
    if code is not None:
        yield "Code missing", absence(code.null_flavor)
        others = (code_words(translation) for translation in code.translations)
        yield "Also coded", "; ".join(other for other in others if other)
    if entry.text not in (_name(entry), value_words(entry.value, entry.unit)):
        yield "Text", entry.text


def _details(entry: Entry) -> Iterator[Fact]:
    for name, form in entry.details.items():
        if name in _UNSAID:
            continue
        yield sentence_case(name), detail_words(form)
    yield "Author", "; ".join(words for author in entry.authors if (words := author_words(author)))
    yield "Id", "; ".join(words for identifier in entry.ids if (words := id_words(identifier)))
