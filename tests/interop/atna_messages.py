"""ATNA messages element by element, so that ours and another's of one exchange can be compared."""

import base64
from collections.abc import Iterator, Mapping
from typing import Final

from lxml import etree

_PARTICIPANTS: Final = {"110153": "source", "110152": "destination"}
_OBJECTS: Final = {
    ("1", "1"): "patient",
    ("2", "3"): "document",
    ("2", "20"): "submission set",
    ("2", "24"): "query",
}
_STATED: Final = "stated"
Told = Mapping[str, str]
"""What a message says, by `event.action`, `source.UserID`, `query.detail QueryEncoding` and so on;
codes with their system and text, details decoded, a query as its elements."""


def told(message: etree._Element) -> Told:
    """Everything but the time."""
    return dict(_told(message))


def shape(message: etree._Element) -> Told:
    """The same, where what can only be one's own (ids, names, addresses) is but stated."""
    return {
        key: value if not value or _is_of_the_standard(key) else _STATED
        for key, value in _told(message)
    }


def transaction(message: etree._Element) -> str:
    """Its EventTypeCode."""
    found = message.find("EventIdentification/EventTypeCode")
    assert found is not None
    return str(found.get("csd-code"))


def differences(ours: Told, theirs: Told) -> set[str]:
    """Under which names they do not say the same; an empty value says nothing."""
    return {
        key for key in ours.keys() | theirs.keys() if (ours.get(key) or "") != theirs.get(key, "")
    }


def _told(message: etree._Element) -> Iterator[tuple[str, str]]:
    for event in message.iterfind("EventIdentification"):
        yield from (one for one in _of("event", event) if one[0] != "event.EventDateTime")
    for each in message.iterfind("ActiveParticipant"):
        role = each.find("RoleIDCode")
        code = "" if role is None else str(role.get("csd-code"))
        yield from _of(_PARTICIPANTS.get(code, "person"), each)
    for each in message.iterfind("AuditSourceIdentification"):
        yield from _of("audit source", each)
    for each in message.iterfind("ParticipantObjectIdentification"):
        kind = each.get("ParticipantObjectTypeCode"), each.get("ParticipantObjectTypeCodeRole")
        yield from _of(_OBJECTS[kind], each)  # type: ignore[index]


def _of(prefix: str, element: etree._Element) -> Iterator[tuple[str, str]]:
    for name, value in element.attrib.items():
        yield f"{prefix}.{name}", str(value)
    for child in element:
        if child.tag == "ParticipantObjectDetail":
            yield f"{prefix}.detail {child.get('type')}", _decoded(child.get("value"))
        elif child.tag == "ParticipantObjectQuery":
            yield f"{prefix}.{child.tag}", _elements(_decoded(child.text))
        else:
            yield f"{prefix}.{child.tag}", _code(child) or (child.text or "").strip()


def _is_of_the_standard(key: str) -> bool:
    """Whether everybody has to say the same there: codes and flags."""
    last = key.rpartition(".")[2]
    is_code = last.endswith(("Code", "EventID", "Indicator", "TypeCodeRole", "IsRequestor"))
    return (is_code and not key.startswith(("person", "audit"))) or "QueryEncoding" in key


def _code(element: etree._Element) -> str:
    parts = (element.get(name) for name in ("csd-code", "codeSystemName", "originalText"))
    return " | ".join(part for part in parts if part)


def _decoded(value: object) -> str:
    return base64.b64decode(str(value), validate=True).decode("utf-8")


def _elements(text: str) -> str:
    """Names, attributes and texts in document order: prefixes and layout are the writer's own."""
    root = etree.fromstring(text.encode())
    lines = []
    for element in root.iter(etree.Element):
        own = " ".join(f"{name}={value}" for name, value in sorted(element.attrib.items()))
        lines.append(f"{etree.QName(element).localname} {own} {(element.text or '').strip()}")
    return "\n".join(lines)
