"""A section's narrative as HTML, by an allow-list (CDA R2: 4.3.5).

Strategy: the tree is walked once, without recursion, as hostile input may nest to any depth we
parse. Each element is opened as the tables of `forms` say and closed when its end comes. Words
are never lost: of what is not known, or stands where HTML has no place for it, they are kept.
"""

from dataclasses import dataclass
from typing import Final

from lxml import etree

from ccda.html import forms
from ccda.html.links import anchor, link, shown_address
from ccda.html.markup import NOTHING, Attribute, Html, end, start, tag, text
from ccda.html.media import Pictures
from ccda.safe_xml import Element

_MOST_LANGUAGE: Final = 35
_SHORTER: Final = {
    "eng": "en", "spa": "es", "fre": "fr", "fra": "fr", "ger": "de", "deu": "de", "por": "pt",
    "chi": "zh", "zho": "zh", "vie": "vi", "kor": "ko", "rus": "ru", "ara": "ar", "ita": "it",
    "jpn": "ja", "pol": "pl", "hin": "hi", "heb": "he", "per": "fa", "fas": "fa", "tgl": "tl",
}  # fmt: skip
"""ISO 639-2 where BCP 47 has two letters: what screen readers go by."""


@dataclass(slots=True)
class _Open:
    """An element that was begun: where its content stands, and what closes it."""

    inside: str
    closing: Html


class NarrativeWriter:
    """The narratives of one page; what must be unique on it is known here."""

    def __init__(self, root: Element) -> None:
        self._pictures = Pictures(root)
        self._anchors: set[str] = set()
        self._notes: dict[str, int] = {}
        self._shown_notes = 0
        self._around_blocks: set[Element] = set()
        self._written: list[Html] = []
        self._open: list[_Open] = []

    def write(self, narrative: Element) -> Html:
        """All that stands in a section's `text`."""
        self._written, self._open = [], [_Open("div", NOTHING)]
        self._around_blocks = forms.around_blocks(narrative)
        self._number_notes(narrative)
        self._words(narrative.text)
        for event, element in etree.iterwalk(narrative, events=("start", "end")):
            if element is narrative:
                continue
            if event == "start":
                self._begin(element)
            else:
                self._written.append(self._open.pop().closing)
                self._words(element.tail)
        return Html("".join(self._written))

    def _number_notes(self, narrative: Element) -> None:
        for number, element in enumerate(narrative.iter("{*}footnote"), self._shown_notes + 1):
            self._notes.setdefault(element.get("ID") or "", number)

    # ---- words ----

    def _words(self, words: str | None) -> None:
        if not words:
            return
        if not words.strip():
            self._written.append(text(words))
            return
        wrappers = forms.WRAPPERS.get(self._open[-1].inside, ())
        self._written += [start(name) for name in wrappers]
        self._written.append(text(words))
        self._written += [end(name) for name in reversed(wrappers)]

    # ---- elements ----

    def _begin(self, element: Element) -> None:
        name = forms.local_name(element)
        if name == "br":
            self._line_break(element)
            return
        parent = self._open[-1].inside
        form = self._form(element, name, parent)
        wrappers = forms.wrappers(form, parent)
        opening = [start(wrapper) for wrapper in wrappers]
        closing = [end(wrapper) for wrapper in reversed(wrappers)]
        if form == "table" and not self._is_inside("table"):
            # A wide table scrolls by itself, by keyboard too, and the page does not.
            opening.append(start("div", class_="scroll", role="group", tabindex=0,
                                 aria_label="Table"))  # fmt: skip
            closing.insert(0, end("div"))
        if form is not None:
            opening.append(start(form, **self._attributes(element, name, form)))
            closing.insert(0, end(form))
            change = forms.REVISIONS.get(element.get("revised") or "")
            if change is not None and form not in forms.CHILDREN:
                opening.append(start(change))
                closing.insert(0, end(change))
        self._written += opening
        inside = form or (wrappers[-1] if wrappers else parent)
        self._open.append(_Open(inside, Html("".join(closing))))
        self._before(element, name)
        self._words(element.text)
        self._after(element, name)

    def _line_break(self, element: Element) -> None:
        wrappers = forms.WRAPPERS.get(self._open[-1].inside, ())
        self._open.append(_Open(self._open[-1].inside, NOTHING))
        if not wrappers:
            self._written.append(start("br"))
        self._words(element.text)

    def _form(self, element: Element, name: str, parent: str) -> str | None:
        """The HTML element for this one, here; None when only its words are kept."""
        form = forms.PLAIN.get(name)
        if form is None:
            return None
        if name == "caption" and parent in ("ul", "ol"):
            return "li"
        if parent not in forms.PARENTS.get(form, (parent,)):
            return "div"
        if form == "th" and not forms.says_anything(element):
            return "td"  # a heading without words names nothing
        if name == "list" and (element.get("listType") or "").strip().lower() == "ordered":
            return "ol"
        if form in forms.LINES and element in self._around_blocks:
            return "div"
        if form == "a" and (link(element.get("href")) is None or self._is_inside("a")):
            return "span"
        return form

    def _is_inside(self, form: str) -> bool:
        return any(opened.inside == form for opened in self._open)

    def _attributes(self, element: Element, name: str, form: str) -> dict[str, Attribute]:
        given: dict[str, Attribute] = {
            "id": self._anchor(element),
            "class_": " ".join(self._classes(element, name, form)) or None,
            "lang": language(element.get("language")),
        }
        if form == "a":
            given |= {"href": link(element.get("href")), "rel": "noopener noreferrer"}
        if form in ("td", "th"):
            given |= _cell(element, form)
        if form == "li" and name == "caption":
            given["value"] = 0  # it is not the first item: that one is number one
        if name == "footnote" and form == "span":
            given["role"] = "note"
        return given

    def _classes(self, element: Element, name: str, form: str) -> list[str]:
        classes = forms.style_classes(element)
        if name in ("caption", "footnote") and form != "caption":
            classes.append(name)
        if name == "paragraph" and form != "p":
            classes.append("paragraph")
        return classes

    def _anchor(self, element: Element) -> str | None:
        """The element's ID; of several with the same only the first has it."""
        written = (element.get("ID") or element.get("id") or "").strip()
        if not written:
            return None
        identifier = anchor(written)
        if identifier in self._anchors:
            return None
        self._anchors.add(identifier)
        return identifier

    def _before(self, element: Element, name: str) -> None:
        if name == "footnote":
            self._shown_notes += 1
            self._written.append(text(f"[{self._shown_notes}] "))
        elif name == "footnoteRef":
            self._written.append(self._note_reference(element.get("IDREF")))
        elif name == "renderMultiMedia":
            caption = next(element.iterchildren("{*}caption"), None)
            words = "" if caption is None else " ".join("".join(caption.itertext()).split())
            shown = self._pictures.show(element.get("referencedObject"), words or "Picture")
            self._written += shown

    def _note_reference(self, identifier: str | None) -> Html:
        number = self._notes.get(identifier or "")
        if number is None or self._is_inside("a"):
            return text("[note]" if number is None else f"[{number}]")
        return tag("a", text(f"[{number}]"), href="#" + anchor(identifier or ""))

    def _after(self, element: Element, name: str) -> None:
        address = shown_address(element.get("href")) if name in ("linkHtml", "a") else None
        if address is not None:
            self._written.append(tag("span", text(f"<{address}> "), class_="address"))


def language(written: str | None) -> str | None:
    """A language tag that is one (BCP 47, in form); `eng` becomes the `en` that readers know."""
    code = (written or "").strip()
    parts = code.split("-")
    is_tag = (
        len(code) <= _MOST_LANGUAGE
        and code.isascii()
        and parts[0].isalpha()
        and 2 <= len(parts[0]) <= 3
        and all(part.isalnum() and len(part) <= 8 for part in parts)
    )
    if not is_tag:
        return None
    return "-".join((_SHORTER.get(parts[0].lower(), parts[0]), *parts[1:]))


def _cell(element: Element, form: str) -> dict[str, Attribute]:
    headers = " ".join(anchor(token) for token in (element.get("headers") or "").split())
    given: dict[str, Attribute] = {
        "colspan": forms.span(element, "colspan"),
        "rowspan": forms.span(element, "rowspan"),
        "headers": headers or None,
    }
    if form == "th":
        given |= {"scope": _scope(element), "abbr": element.get("abbr")}
    return given


def _scope(element: Element) -> str:
    """As written; else of the row when a value stands beside it outside a head, else the column."""
    written = (element.get("scope") or "").strip().lower()
    if written in forms.SCOPES:
        return written
    row = element.getparent()
    group = None if row is None else row.getparent()
    if group is not None and forms.local_name(group) == "thead":
        return "col"
    beside = (element.getprevious(), element.getnext())
    is_value = any(cell is not None and forms.local_name(cell) == "td" for cell in beside)
    return "row" if is_value else "col"
