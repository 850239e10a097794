"""A section's coded entries, each as one line of facts below the narrative."""

from collections.abc import Iterator
from typing import Final

from ccda.html.details import label, words_of
from ccda.html.markup import NOTHING, Html, join, tag, text
from ccda.html.words import (
    HAPPENS,
    MOODS,
    absence,
    code_words,
    id_words,
    name_of,
    period_words,
    sentence_case,
    time_words,
    value_words,
)
from ccda.model import Author, Entry, RawEntry

_UNSAID: Final = frozenset(("panel", "statement", "exclusive", "relative_ids"))
"""Details that are shown otherwise, or say nothing to people."""

MOST_UNFOLDED: Final = 12
"""More than fit beside a narrative without burying the next one."""

Fact = tuple[str, str | None]


def write_entries(entries: tuple[Entry, ...], heading: str) -> Html:
    """All of them, to fold away; nothing where there are none.

    Where there are many they are folded already, so that the narrative can be read on; the line
    that unfolds them says how many deny what they name.
    """
    if not entries:
        return NOTHING
    count = f"{len(entries)} coded {'entry' if len(entries) == 1 else 'entries'}"
    denied = sum(entry.negated for entry in entries)
    said = f"{count}, {denied} of them negated" if denied and len(entries) > 1 else count
    items = (_write_entry(entry, entries) for entry in entries)
    listed = tag("ul", *items, aria_label=f"{count}: {heading}", role="list")
    is_open = "" if len(entries) <= MOST_UNFOLDED else None
    return tag("details", tag("summary", text(said)), listed, class_="entries", open=is_open)


def write_raw(entries: tuple[RawEntry, ...]) -> Html:
    """Statements of no kind that is known here, as far as they could be read; folded."""
    if not entries:
        return NOTHING
    count = f"{len(entries)} other coded {'entry' if len(entries) == 1 else 'entries'}"
    items = (
        tag("li", tag("p", text(_raw_words(entry)), dir="auto"), class_="entry")
        for entry in entries
    )
    listed = tag("ul", *items, role="list")
    return tag("details", tag("summary", text(count)), listed, class_="entries")


def _raw_words(entry: RawEntry) -> str:
    said = {"text": entry.text, **entry.details, "statement": entry.statement or "entry"}
    return words_of("entry", said, coded=True) or "It says nothing that could be read."


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
    class_ = "entry" if above is None else "entry part"
    return tag("li", head, body, facts(list(_technical(entry)), "technical"), class_=class_)


def _name(entry: Entry) -> str:
    return name_of(entry.code) or entry.text or "Not named"


def _flags(entry: Entry) -> Iterator[Html]:
    if entry.negated:
        words = "Not done" if entry.kind in HAPPENS else "Negated: not so"
        yield tag("span", text(words), class_="flag alert")
    if entry.no_information:
        yield tag("span", text("No information"), class_="flag")
    if entry.mood not in (None, "EVN"):
        yield tag("span", text(MOODS.get(entry.mood or "", entry.mood)), class_="flag")


def _facts(entry: Entry) -> Iterator[Fact]:
    code = entry.code
    exclusive = entry.details.get("exclusive") or ()
    yield "Value", value_words(entry.value, entry.unit, exclusive)
    yield "Status", entry.status
    yield "Time", time_words(entry.time)
    yield "Period", period_words(entry.start, entry.end)
    if code is not None:
        yield "Code missing", absence(code.null_flavor)
    if entry.text not in (_name(entry), value_words(entry.value, entry.unit)):
        yield "Text", entry.text


def _details(entry: Entry) -> Iterator[Fact]:
    for name, form in entry.details.items():
        if name in _UNSAID:
            continue
        yield label(name), words_of(name, form, coded=True)
    yield "Author", "; ".join(words for author in entry.authors if (words := author_words(author)))


def _technical(entry: Entry) -> Iterator[Fact]:
    """What a program would look it up by."""
    if entry.code is not None:
        yield "Code", code_words(entry.code)
        others = (code_words(translation) for translation in entry.code.translations)
        yield "Also coded", "; ".join(other for other in others if other)
    yield "Id", "; ".join(words for identifier in entry.ids if (words := id_words(identifier)))
