"""The body of an unstructured document (C-CDA R2.1: 1.2.10): a file inside nonXMLBody."""

import base64
import binascii
import re
from typing import Final

from ccda.model import Issue, NonXmlBody, Severity
from ccda.safe_xml import Element
from ccda.sections.statement import Children, first

_XML_START: Final = re.compile(rb"(?:\xef\xbb\xbf)?\s*<(?:\?xml|!--|[A-Za-z])")


def read_body(children: Children) -> tuple[NonXmlBody | None, list[Issue]]:
    """The file in a document's component, decoded, and what is odd about it; None without one."""
    bodies = (first(component, "nonXMLBody") for component in children.get("component", ()))
    element = next((body for body in bodies if body is not None), None)
    if element is None:
        return None, []
    text = first(element, "text")
    if text is None:
        return None, [Issue("warning", "the body has no text", line=element.sourceline)]
    reference = first(text, "reference")
    pointer = None if reference is None else reference.get("value")
    data, issues = _decode(text)
    if pointer and not data:
        issues.append(_issue("information", "the body stands outside the document", text))
    elif not data:
        issues.append(_issue("warning", "the body is empty", text))
    if text.get("compression"):
        issues.append(_issue("warning", "the body is compressed and kept as it came", text))
    if _XML_START.match(data):
        what = "a ClinicalDocument" if b"ClinicalDocument" in data[:4096] else "XML or HTML"
        issues.append(_issue("information", f"the body is itself {what}", text))
    return NonXmlBody(text.get("mediaType"), data, pointer), issues


def _decode(text: Element) -> tuple[bytes, list[Issue]]:
    content = "".join(text.itertext())
    said = (text.get("representation") or "").upper() == "B64"
    # Quirk: a PDF in base64 that does not say so; only text can stand as it is.
    if not said and (text.get("mediaType") or "text/plain").startswith("text/"):
        return content.strip().encode("utf-8"), []
    try:
        return base64.b64decode("".join(content.split()), validate=True), []
    except (binascii.Error, ValueError):
        if not said:
            return content.strip().encode("utf-8"), []
        issue = _issue("error", "the body says it is base64 and is not; kept as it came", text)
        return content.encode("utf-8"), [issue]


def _issue(severity: Severity, text: str, element: Element) -> Issue:
    return Issue(severity, text, line=element.sourceline)
