"""A rule that a message breaks, and the fragment that shows it without naming anybody."""

from dataclasses import dataclass
from typing import Final

from lxml import etree

from ccda.safe_xml import Element

_CHARACTERS: Final = 200
_ATTRIBUTES: Final = frozenset(
    {
        "code", "codeSystem", "status", "errorCode", "severity", "highestSeverity", "home",
        "typeCode", "classCode", "moodCode", "root", "objectType", "nullFlavor", "mustUnderstand",
    }
)  # fmt: skip
"""Whose values are words of a standard, or name a system and no person."""
_TEXTS: Final = frozenset(
    {
        "Action", "RelatesTo", "MessageID", "To", "Created", "Expires", "HomeCommunityId",
        "RepositoryUniqueId", "faultcode", "Value", "mimeType",
    }
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Deviation:
    """One deviation: the section that has the rule, what is wrong, and where."""

    section: str
    text: str
    fragment: str | None = None


def fragment(element: Element | None) -> str | None:
    """The element's own tags and its children's names; other people's words as an ellipsis."""
    if element is None:
        return None
    shown = _shown(element, depth=0)
    return shown if len(shown) <= _CHARACTERS else shown[: _CHARACTERS - 1] + "…"


def _shown(element: Element, depth: int) -> str:
    local = etree.QName(element).localname
    attributes = "".join(
        f' {etree.QName(key).localname}="{_value(str(key), str(value))}"'
        for key, value in element.attrib.items()
    )
    children = [child for child in element if isinstance(child.tag, str)]
    if children and depth < 1:
        inside = "".join(_shown(child, depth + 1) for child in children)
    elif children:
        inside = "…"
    else:
        text = (element.text or "").strip()
        inside = text[:80] if local in _TEXTS else "…" if text else ""
    return f"<{local}{attributes}>{inside}</{local}>" if inside else f"<{local}{attributes}/>"


def _value(key: str, value: str) -> str:
    return value[:80] if etree.QName(key).localname in _ATTRIBUTES else "…"
