"""XML as text, element by element, in the order in which they stand in it.

For messages that are only made to be written out: a tree takes three times as long.
"""

import re
from collections.abc import Mapping
from typing import Final

_XSI: Final = "{http://www.w3.org/2001/XMLSchema-instance}"
_SPECIAL: Final = re.compile('[&<>"\x00-\x1f\ud800-\udfff\ufffe\uffff]')
_NEVER: Final = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")
_IN_TEXT: Final = str.maketrans({"&": "&amp;", "<": "&lt;", ">": "&gt;", "\r": "&#13;"})
_IN_ATTRIBUTE: Final = _IN_TEXT | str.maketrans({'"': "&quot;", "\t": "&#9;", "\n": "&#10;"})


class TextElement:
    """An element that is being written; it takes what an lxml one does, in order: attributes, then
    text, then children, each before whatever stands behind this element.

    Raises ValueError for what comes too late, or cannot stand in XML.
    """

    __slots__ = ("_depth", "_name", "_out")

    def __init__(self, out: "_Out", name: str, attributes: Mapping[str, str | None]) -> None:
        tag = f"<{name}"
        for key, value in attributes.items():
            if value is not None:
                tag += f' {_shown(key)}="{_escaped(value, _IN_ATTRIBUTE)}"'
        out.parts.append(tag)
        out.has_open_tag = True
        out.open.append(self)
        self._out = out
        self._name = name
        self._depth = len(out.open)

    @classmethod
    def root(cls, name: str, **attributes: str) -> "TextElement":
        """A new root, which declares its namespaces as attributes: `xmlns`, `xmlns:xsi`."""
        return cls(_Out(), name, attributes)

    def child(self, name: str, attributes: Mapping[str, str | None]) -> "TextElement":
        """A new child behind all others; attributes that are None are left out."""
        out = self._out
        self._end(self._depth)
        if not out.open or out.open[-1] is not self:
            raise ValueError("the element has ended")
        if out.has_open_tag:
            out.parts.append(">")
        return TextElement(out, name, attributes)

    @property
    def text(self) -> None:
        """Only ever written."""

    @text.setter
    def text(self, text: str | None) -> None:
        if text is not None:
            self._require_open_tag()
            self._out.parts.append(f">{_escaped(text, _IN_TEXT)}")
            self._out.has_open_tag = False

    def set(self, key: str, value: str) -> None:
        """One more attribute."""
        self._require_open_tag()
        self._out.parts.append(f' {_shown(key)}="{_escaped(value, _IN_ATTRIBUTE)}"')

    def written(self) -> bytes:
        """All that the root holds, once nothing more will come; UTF-8."""
        self._end(0)
        return "".join(self._out.parts).encode()

    def _end(self, depth: int) -> None:
        """Ends all that is deeper."""
        out = self._out
        while len(out.open) > depth:
            ended = out.open.pop()
            out.parts.append("/>" if out.has_open_tag else f"</{ended._name}>")
            out.has_open_tag = False

    def _require_open_tag(self) -> None:
        out = self._out
        if not out.has_open_tag or out.open[-1] is not self:
            raise ValueError("it comes before whatever else stands in the element")


class _Out:
    """What is written, the elements that are open, and whether the last one's tag is so still."""

    __slots__ = ("has_open_tag", "open", "parts")

    def __init__(self) -> None:
        self.parts: list[str] = []
        self.open: list[TextElement] = []
        self.has_open_tag = False


def _shown(key: str) -> str:
    """An attribute's name; that of one of XSI's has the prefix."""
    return f"xsi:{key[len(_XSI) :]}" if key[0] == "{" else key


def _escaped(text: str, by: dict[int, str]) -> str:
    if _SPECIAL.search(text) is None:
        return text
    if _NEVER.search(text) is not None:
        raise ValueError("a character cannot stand in XML")
    return text.translate(by)
