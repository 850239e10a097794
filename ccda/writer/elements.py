"""XML elements of a document that is being written, and texts made fit for XML.

XML 1.0: 2.2 (Char): what no XML document may hold is shown as U+FFFD, so that a reader sees that
something stood there. Texts are cleaned once, when a summary enters the writer.
"""

import re
from collections.abc import Mapping
from dataclasses import fields, is_dataclass, replace
from typing import Any, Final

from lxml import etree

from ccda.hl7v3 import NAMESPACE, SDTC, XSI_TYPE, v3
from ccda.hl7v3_writing import append
from ccda.safe_xml import Element

__all__ = ["Element", "add", "new_document", "printable", "set_type", "template"]

_XSI: Final = "http://www.w3.org/2001/XMLSchema-instance"
_NO_XML_CHARACTER: Final = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_REPLACEMENT: Final = "\ufffd"

# Longer than any note a person wrote; two of them still pass our own reader's cap on one text.
MOST_CHARACTERS: Final = 1_000_000


def new_document() -> Element:
    namespaces: dict[str | None, str] = {None: NAMESPACE, "sdtc": SDTC, "xsi": _XSI}
    return etree.Element(v3("ClinicalDocument"), nsmap=namespaces)


def add(parent: Element, name: str, text: str | None = None, **attributes: str | None) -> Element:
    """A new V3 child with its text; attributes that say nothing are left out."""
    element = append(parent, name, **{key: value or None for key, value in attributes.items()})
    if text is not None:
        element.text = text
    return element


def set_type(element: Element, name: str) -> None:
    element.set(XSI_TYPE, name)


def template(parent: Element, root: str, extension: str | None = None) -> None:
    """The templateId of R1.1 and, where there is one, of the version that replaced it.

    C-CDA R2.1: 1.8, a versioned template is claimed together with its elder.
    """
    append(parent, "templateId", root=root)
    if extension is not None:
        append(parent, "templateId", root=root, extension=extension)


def printable(value: Any) -> Any:
    """The same value, each text in it one that XML can hold."""
    match value:
        case str():
            return _printable_text(value)
        case tuple() | list():
            return type(value)(printable(part) for part in value)
        case Mapping():
            return {key: printable(part) for key, part in value.items()}
        case _ if is_dataclass(value) and not isinstance(value, type):
            found = {field.name: getattr(value, field.name) for field in fields(value)}
            clean = {name: printable(part) for name, part in found.items()}
            return value if clean == found else replace(value, **clean)
        case _:
            return value


def _printable_text(text: str) -> str:
    shown = _NO_XML_CHARACTER.sub(_REPLACEMENT, text)
    if len(shown) <= MOST_CHARACTERS:
        return shown
    left_out = len(shown) - MOST_CHARACTERS
    return f"{shown[:MOST_CHARACTERS]} … ({left_out} more characters are not shown)"
