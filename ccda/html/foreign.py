"""HTML inside a document as a tree that the narrative's allow-list can be held to.

Only elements that the narrative's tables know are built, by our own hand and in no browser's
way; of everything else the words are kept, and of what is no content not even these.
"""

from html.parser import HTMLParser
from typing import Final

from lxml import etree

from ccda.html.forms import PLAIN
from ccda.safe_xml import Element

_KEPT: Final = frozenset(PLAIN) | {"br"}
_VOID: Final = frozenset(("br",))
_SILENT: Final = frozenset(("script", "style", "template", "noscript"))
_ATTRIBUTES: Final = frozenset(("href", "colspan", "rowspan", "scope", "align", "id"))
_DEEPEST: Final = 200
"""As deep as a narrative may be; what lies deeper stands side by side."""
_ENDED_BY: Final = {
    "p": frozenset(("p", "div", "ul", "ol", "table", "li", "pre")),
    "li": frozenset(("li",)),
    "tr": frozenset(("tr", "tbody", "tfoot")),
    "td": frozenset(("td", "th", "tr", "tbody", "tfoot")),
    "th": frozenset(("td", "th", "tr", "tbody", "tfoot")),
}
"""Which start tags end an open element of that name: HTML lets its end tag be left out."""
_NO_CHARACTER: Final = dict.fromkeys((*range(9), 11, 12, *range(14, 32), 0xFFFE, 0xFFFF), "\ufffd")


def read_html(source: str) -> Element:
    """The words of an HTML file under one root, with what the narrative has elements for."""
    reader = _Reader()
    reader.feed(source.translate(_NO_CHARACTER))
    reader.close()
    return reader.root


class _Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.root: Element = etree.Element("text")
        self._open: list[Element] = [self.root]
        self._silent: str | None = None

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag in _SILENT:
            self._silent = self._silent or tag
        if self._silent or tag not in _KEPT:
            return
        while tag in _ENDED_BY.get(str(self._open[-1].tag), ()):
            self._open.pop()
        if len(self._open) > _DEEPEST:
            self._open.pop()
        element = etree.SubElement(self._open[-1], tag)
        for name, value in attrs:
            if name in _ATTRIBUTES and value:
                element.set(name, value.translate(_NO_CHARACTER))
        if tag not in _VOID:
            self._open.append(element)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)

    def handle_endtag(self, tag: str) -> None:
        if tag == self._silent:
            self._silent = None
        names = [element.tag for element in self._open[1:]]
        if tag in names:
            del self._open[len(names) - names[::-1].index(tag) :]

    def handle_data(self, data: str) -> None:
        if self._silent:
            return
        words = data.translate(_NO_CHARACTER)
        above = self._open[-1]
        if len(above):
            above[-1].tail = (above[-1].tail or "") + words
        else:
            above.text = (above.text or "") + words
