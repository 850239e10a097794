"""Documents whose elements are not, or not all, in the HL7 V3 namespace.

Senders leave out `xmlns="urn:hl7-org:v3"` or misspell it; a forgiving parse leaves `xsi:type`
with an undeclared prefix. All are rewritten in the tree, so that readers know one spelling.
A tag may then be no name at all (`a:b:c`, `x:`): lxml reads it and will not write it.
"""

from collections.abc import Iterator
from typing import Final

from lxml import etree

from ccda.hl7v3 import NAMESPACE, SDTC, XSI_TYPE, v3
from ccda.model import Issue
from ccda.safe_xml import Element

_UNDECLARED_TYPE: Final = "xsi:type"
_HAS_BARE: Final = etree.XPath("boolean(descendant::*[namespace-uri()=''])")


def normalize(root: Element, may_be_bare: bool, *, recovered: bool) -> Iterator[Issue]:
    """Bring the elements of a ClinicalDocument into V3; one issue when any was elsewhere.

    `may_be_bare` is whether an element can be outside any namespace, as the parse told.
    """
    namespace, name = _namespace_and_name(root)
    prefix, _, own_name = name.rpartition(":")
    if own_name != "ClinicalDocument" or ":" in prefix:
        return
    if recovered:
        # What a forgiving parse leaves of an undeclared entity is no element.
        etree.strip_elements(root, etree.Entity, with_tail=False)
        _declare_prefixes(root, prefix)
    if namespace != NAMESPACE:
        _move(root, namespace)
        yield Issue("warning", "the document is not in the HL7 V3 namespace", line=root.sourceline)
    elif may_be_bare and _HAS_BARE(root):
        _move(root, None)
        text = "some elements are not in the HL7 V3 namespace"
        yield Issue("warning", text, line=root.sourceline)


def _namespace_and_name(element: Element) -> tuple[str | None, str]:
    tag = str(element.tag)
    if not tag.startswith("{"):
        return None, tag
    namespace, _, name = tag[1:].partition("}")
    return namespace, name


def _move(root: Element, namespace: str | None) -> None:
    prefix = "" if namespace is None else f"{{{namespace}}}"
    for element in root.iter(etree.Element):
        tag = str(element.tag)
        name = tag[len(prefix) :]
        if tag.startswith(prefix) and (prefix or not tag.startswith("{")) and ":" not in name:
            element.tag = v3(name)


def _declare_prefixes(root: Element, prefix: str) -> None:
    """Undeclared prefixes as they were meant: what the root's own, if any, stands for is V3."""
    for element in root.iter(etree.Element):
        written = element.attrib.pop(_UNDECLARED_TYPE, None)
        if written is not None:
            element.set(XSI_TYPE, written)
        stood_for, _, name = str(element.tag).partition(":")
        if not name or ":" in name:
            continue
        if stood_for == "sdtc":
            element.tag = f"{{{SDTC}}}{name}"
        elif stood_for == prefix:
            element.tag = v3(name)
