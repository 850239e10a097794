"""What a section says to people: its text in plain words, and the words behind `#id` references.

CDA R2: 4.3.5 (section.text). Strategy: narrative is half of most documents, so it is not walked
in Python: libxml2 writes it out once and the tags are taken off. In what libxml2 writes, `<` and
`>` occur only as tags.
"""

import re
from collections.abc import Iterator
from html import unescape
from typing import Final
from urllib.parse import unquote

from lxml import etree

from ccda.hl7v3 import CD, make_cd, v3
from ccda.safe_xml import Element

_ID_IN_TAG: Final = re.compile(r' ID="([^"]*+)"[^<>]*+>')
_PREFIX: Final = re.compile(r"(</?)[\w.-]+:")
# Never in XML text, so they can mark what was a tag; nor are they white space.
_CELL, _LINE, _RAISED = "\x01", "\x02", "\x03"
# 10<sup>3</sup> is not 103, nor the mark of a footnote a part of the number before; 1st is 1st.
_POWER: Final = re.compile(r"(?<=[^\s\x01\x02])\x03(?=[+\-\u2212]?\d)")
_DELETED: Final = 'revised="delete"'
_BLOCKS: Final = (
    "table thead tbody tfoot tr caption paragraph list item br p div li ul ol title".split()
)
_INLINE: Final = "td th content /content text /text reference originalText /originalText".split()


class _Marks(dict[str, str]):
    """What is put in the place of a tag, by what stands between its `<` and `>`."""

    def __init__(self, cell: str, line: str) -> None:
        super().__init__(dict.fromkeys(_INLINE, ""))
        self.update({form: line for one in _BLOCKS for form in (one, f"/{one}", f"{one}/")})
        self.update(dict.fromkeys(("/td", "/th", "td/", "th/"), cell))
        self.update({"sup": _RAISED, "footnote": " ", "/footnote": " "})

    def __missing__(self, tag: str) -> str:
        return self.get(tag.partition(" ")[0], "")


_MARKED: Final = _Marks(_CELL, _LINE)
_SPACED: Final = _Marks(" ", " ")

# A document may point to one large table from each of thousands of entries. The largest real
# ones point to less than their own size; beyond this it is no longer a name that is looked up.
MOST_REFERRED_CHARACTERS: Final = 16 * 1024 * 1024

# Translations of translations, organizations part of organizations: real documents nest two. A
# reader takes any number, but comparing what it made would need more stack than Python has.
MOST_NESTED: Final = 8

# By way of the attribute: asking each element whether it has one takes half as long again.
_IDENTIFIED: Final = etree.XPath("descendant-or-self::*/@ID/..")
_NAMED: Final = etree.XPath("descendant-or-self::*[@ID or @id or @Id or @xml:id]")
_Place = re.Match[str]
"""An ID in the section's markup, from where its attribute starts to where its tag ends."""
_XML_ID: Final = "{http://www.w3.org/XML/1998/namespace}id"
_ORIGINAL_TEXT: Final = v3("originalText")
_REFERENCE: Final = v3("reference")
_QUALIFIER, _NAME, _VALUE = map(v3, ("qualifier", "name", "value"))
_TRANSLATION: Final = v3("translation")


def words(element: Element | None) -> str | None:
    """The words in `element` on one line."""
    if element is None:
        return None
    text = element.text if len(element) == 0 else _text_in(element)
    return (" ".join(text.split()) or None) if text else None


def _text_in(element: Element) -> str:
    """Its text, that of the elements inside too."""
    inside = element[0]
    if inside.tag == _REFERENCE and len(element) == 1 and len(inside) == 0:
        # What points to words elsewhere holds no other element: most are read without markup.
        return f"{element.text or ''}{inside.text or ''}{inside.tail or ''}"
    return _without_tags(_markup(element), _SPACED)


def _markup(element: Element) -> str:
    markup = etree.tostring(element, encoding="unicode", with_tail=False)
    if _DELETED in markup:
        markup = _without_deleted(markup)
    return markup if element.prefix is None else _PREFIX.sub(r"\1", markup)


def _without_deleted(markup: str) -> str:
    """The same tags, and nothing said in what an author struck out (CDA R2: 4.3.5.2)."""
    pieces = markup.replace("<", ">").split(">")
    depth = 0
    for at, piece in enumerate(pieces):
        if at % 2 == 0:
            pieces[at] = "" if depth else piece
            continue
        is_opening = not piece.startswith("/") and not piece.endswith("/")
        if depth:
            depth += 1 if is_opening else -1 if piece.startswith("/") else 0
        elif is_opening and _DELETED in piece:
            depth = 1
        pieces[at] = f"<{piece}>"
    return "".join(pieces)


def _words_of(element: Element) -> str:
    """The markup of what stands in a document; empty inside of what was struck out."""
    if any(around.get("revised") == "delete" for around in element.iterancestors()):
        return ""
    return _markup(element)


def _inside(markup: str, attribute: int, start: int) -> str | None:
    """What stands from `start` to the end of the element that has that attribute.

    None if an element of the same name may be inside: which end is whose is the tree's to tell.
    """
    if markup[start - 2] == "/":
        return ""
    end = markup.find("<", start)
    if markup.startswith("</", end):
        return markup[start:end]
    name = markup[markup.rfind("<", 0, attribute) + 1 : attribute].partition(" ")[0]
    end = markup.find(f"</{name}>", end)
    return None if end < 0 or markup.find(f"<{name}", start, end) >= 0 else markup[start:end]


def _without_tags(markup: str, marks: _Marks) -> str:
    """The text, a mark where a line or a cell ends."""
    if "<" in markup:
        pieces = markup.replace("<", ">").split(">")
        pieces[1::2] = map(marks.__getitem__, pieces[1::2])
        markup = "".join(pieces)
        if _RAISED in markup:
            markup = _POWER.sub("^", markup).replace(_RAISED, "")
    return unescape(markup) if "&" in markup else markup


def _pointer_in(element: Element) -> str | None:
    """Where the first reference inside points to."""
    child = element[0]  # mostly it is all there is, and going through them is not needed
    if child.tag == _REFERENCE:
        return child.get("value")
    return next((child.get("value") for child in element if child.tag == _REFERENCE), None)


class Narrative:
    """The words a section's statements may point to: its own first, then the whole document's.

    Ids are looked up only when something points: most statements carry codes and never do.
    """

    def __init__(self, text: Element | None = None, whole: "Narrative | None" = None) -> None:
        self._text = text
        self._whole = whole
        self._written: str | None = None
        self._places: dict[str, _Place] | None = None
        self._elements: dict[str, Element] | None = None
        self._others: dict[str, Element] | None = None
        self._spent = 0
        self._dangling = self._refused = self._too_deep = False

    def plain_text(self) -> str | None:
        """The section's words: a line for each paragraph, item and row, a tab between cells."""
        text = " ".join(_without_tags(self._markup(), _MARKED).split())
        if _CELL in text:
            text = text.replace(" " + _CELL, _CELL).replace(_CELL + " ", _CELL)
            text = text.replace(_CELL, "\t")
        return "\n".join([said for line in text.split(_LINE) if (said := line.strip())]) or None

    def resolve(self, reference: str | None) -> str | None:
        """The words behind `#id` (or `id`), or None."""
        if not reference:
            return None
        found = self._find(reference.strip().removeprefix("#"))
        if found is None:
            found = self._find_otherwise(reference)
        if found is None:
            self._dangling = True
            return None
        return self._afford(found)

    def complaints(self) -> Iterator[str]:
        """What was wrong with the references followed so far, each sort once."""
        if self._dangling:
            yield "a reference points to no text"
        if self._refused:
            yield "more text is referred to than is followed"
        if self._too_deep:
            yield "codes or organizations stand deeper in one another than is read"

    def is_too_deep(self, nested: int) -> bool:
        """Whether what stands in `nested` others of its kind is left out, which is noted."""
        if nested <= MOST_NESTED:
            return False
        self._too_deep = True
        return True

    def _afford(self, found: Element | _Place) -> str | None:
        """Its words, while the document has not pointed to more text than we copy."""
        budget = self if self._whole is None else self._whole
        if budget._spent > MOST_REFERRED_CHARACTERS:
            self._refused = True
            return None
        markup = self._cut(found) if isinstance(found, re.Match) else _words_of(found)
        budget._spent += len(markup)
        return " ".join(_without_tags(markup, _SPACED).split()) or None

    def _cut(self, place: _Place) -> str:
        """The markup inside what carries the ID: cutting it costs less than asking the tree."""
        inside = _inside(place.string, *place.span())
        if inside is None:
            element = self._element(place[1])
            return "" if element is None else _words_of(element)
        return inside

    def text(self, element: Element | None) -> str | None:
        """What an originalText, text or ED says: the words it refers to, else its own."""
        return None if element is None else self._said(element)[0]

    def _said(self, element: Element) -> tuple[str | None, str | None]:
        """What an originalText, text or ED says, and where its reference points."""
        if len(element) == 0:
            return self._own_words(element), None
        pointer = _pointer_in(element)
        referred = None if pointer is None else self.resolve(pointer)
        return referred or words(element), pointer

    def code(self, element: Element | None, nested: int = 0) -> CD | None:
        """A coded value, its originalText resolved; None when nothing at all is written.

        `nested` is how many codes it stands in.
        """
        if element is None or (nested and self.is_too_deep(nested)):
            return None
        get = element.get
        code, display = get("code") or None, get("displayName") or None
        null_flavor = get("nullFlavor")
        if len(element) == 0:
            if not (code or display or null_flavor):
                return None
            system, system_name = get("codeSystem"), get("codeSystemName")
            return make_cd(code, system, display, system_name, None, None, null_flavor)
        original_text = reference = None
        translations: list[CD] = []
        qualifiers: list[tuple[CD | None, CD | None]] = []
        for child in element[:]:
            tag = child.tag
            if tag == _ORIGINAL_TEXT:
                original_text, reference = self._said(child)
            elif tag == _TRANSLATION:
                translation = self.code(child, nested + 1)
                if translation is not None:
                    translations.append(translation)
            elif tag == _REFERENCE and original_text is None:
                # Quirk: a reference straight inside the code, its originalText left out.
                reference = child.get("value")
                original_text = self.resolve(reference)
            elif tag == _QUALIFIER:
                name, value = child.find(_NAME), child.find(_VALUE)
                qualifiers.append((self.code(name, nested + 1), self.code(value, nested + 1)))
        if not (code or display or null_flavor or original_text or translations):
            return None
        return make_cd(
            code,
            get("codeSystem"),
            display,
            get("codeSystemName"),
            original_text,
            reference,
            null_flavor,
            tuple(translations),
            tuple(qualifiers),
        )

    def _own_words(self, element: Element) -> str | None:
        text = words(element)
        # Quirk: '#id' written as the text itself instead of a reference element.
        if text is not None and text.startswith("#") and " " not in text:
            found = self._find(text[1:])
            return (None if found is None else self._afford(found)) or text
        return text

    def _find_otherwise(self, reference: str) -> Element | _Place | None:
        """Quirks: `#a%20b`, `# a`, `page.html#a`, `#A` for ID="a"; ids as `id` or `xml:id`."""
        name = unquote(reference).rpartition("#")[2].strip()
        found = self._find(name)
        if found is None and name:
            found = self._loose().get(name.lower())
        return found

    def _loose(self) -> dict[str, Element]:
        """The section's own words by any attribute that names them, in lower case."""
        if self._others is None:
            self._others = {}
            for element in () if self._text is None else _NAMED(self._text):
                for attribute in ("ID", "id", "Id", _XML_ID):
                    if name := element.get(attribute):
                        self._others.setdefault(name.lower(), element)
        return self._others

    def _find(self, identifier: str) -> Element | _Place | None:
        """What carries that ID, in the section's markup or else in the document."""
        if self._whole is None:
            return self._element(identifier)
        if self._places is None:
            self._places = {}
            for tag in _ID_IN_TAG.finditer(self._markup()):
                self._places.setdefault(tag[1], tag)
        place = self._places.get(identifier)
        return self._whole._element(identifier) if place is None else place

    def _element(self, identifier: str) -> Element | None:
        if self._elements is None:
            self._elements = {}
            for element in [] if self._text is None else _IDENTIFIED(self._text):
                self._elements.setdefault(element.get("ID"), element)
        return self._elements.get(identifier)

    def _markup(self) -> str:
        if self._written is None:
            self._written = "" if self._text is None else _markup(self._text)
        return self._written
