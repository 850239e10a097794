"""The building blocks of ebRIM 3.0 objects: slots, names, identifiers (ITI TF-3: 4.2.3.1)."""

from collections.abc import Iterable, Iterator
from itertools import count
from typing import Final
from uuid import NAMESPACE_URL, UUID, uuid5

from lxml import etree

from ccda.safe_xml import Element
from ihe.identifiers import HomeCommunityId, Oid, PatientId
from ihe.metadata import Availability

NAMESPACE: Final = "urn:oasis:names:tc:ebxml-regrep:xsd:rim:3.0"
STATUS: Final = "urn:oasis:names:tc:ebxml-regrep:StatusType:"
REGISTRY_OBJECT: Final = "urn:oasis:names:tc:ebxml-regrep:ObjectType:RegistryObject:"

_TEXT_LENGTH: Final = 1024  # FreeFormText of rim.xsd

Slots = dict[str, tuple[str, ...]]


def rim(name: str) -> str:
    """`name` in the ebRIM namespace, as lxml writes it."""
    return f"{{{NAMESPACE}}}{name}"


_SLOT: Final = rim("Slot")
_VALUE_LIST: Final = rim("ValueList")
_VALUE: Final = rim("Value")


# ---- reading ---------------------------------------------------------------------------------


def iterate_slots(element: Element) -> Iterator[tuple[str, tuple[str, ...]]]:
    """Each slot's name and values, as often as it stands there."""
    for slot in element.iterchildren(_SLOT):
        values = [
            text
            for listed in slot.iterchildren(_VALUE_LIST)
            for value in listed.iterchildren(_VALUE)
            if (text := (value.text or "").strip())
        ]
        yield slot.get("name", ""), tuple(values)


def read_slots(element: Element) -> Slots:
    """Values by slot name; the values of a repeated slot are joined."""
    slots: Slots = {}
    for name, values in iterate_slots(element):
        slots[name] = slots.get(name, ()) + values
    return slots


def home_of(element: Element) -> HomeCommunityId | None:
    """The home community at `@home`; an empty or unreadable one is none."""
    try:
        return HomeCommunityId.parse(element.get("home", ""))
    except ValueError:
        return None


def patient_id(text: str | None) -> PatientId | None:
    try:
        return PatientId.parse(text or "")
    except ValueError:
        return None


def oid(text: str | None) -> Oid | None:
    """An OID, with or without `urn:oid:`."""
    try:
        return HomeCommunityId.parse(text or "").oid
    except ValueError:
        return None


def availability(status: str | None) -> Availability | None:
    match (status or "").rpartition(":")[2]:
        case "Approved":
            return "Approved"
        case "Deprecated":
            return "Deprecated"
        case _:
            return None


def first(slots: Slots, name: str) -> str | None:
    return next(iter(slots.get(name, ())), None)


def whole(text: str | None) -> int | None:
    """A number of things; None of what is none."""
    # Python itself refuses to read a number of thousands of digits.
    return int(text) if text and text.isdecimal() and len(text) <= 18 else None


def localized(element: Element, name: str) -> str | None:
    """The text of the first `LocalizedString` that has one."""
    for text in element.iterfind(f"{rim(name)}/{rim('LocalizedString')}"):
        if value := text.get("value"):
            return value
    return None


def external_identifiers(element: Element) -> dict[str, str]:
    return {
        each.get("identificationScheme", ""): each.get("value", "")
        for each in element.iterfind(rim("ExternalIdentifier"))
    }


# ---- writing ---------------------------------------------------------------------------------


def write_slot(parent: Element, name: str, values: Iterable[str]) -> None:
    """A slot, unless there is nothing to put into it."""
    texts = tuple(values)
    if not texts:
        return
    slot = etree.SubElement(parent, rim("Slot"), {"name": name})
    listed = etree.SubElement(slot, rim("ValueList"))
    for text in texts:
        etree.SubElement(listed, rim("Value")).text = text


def write_localized(parent: Element, name: str, text: str | None) -> None:
    """A text for people, as much of it as the schema lets in."""
    if text is not None:
        holder = etree.SubElement(parent, rim(name))
        value = text if len(text) <= _TEXT_LENGTH else text[: _TEXT_LENGTH - 1] + "…"
        etree.SubElement(holder, rim("LocalizedString"), {"value": value})


def part_ids(entry_uuid: str) -> Iterator[str]:
    """Ids for the parts of an object: the same for the same object, at home nowhere else.

    Each is the object's own with its number laid over the second group, so that all together say
    hardly more than one: an answer has nine for every document, and is kept for years.
    """
    try:
        own = UUID(entry_uuid).int
    except ValueError:  # another's symbol
        own = uuid5(NAMESPACE_URL, entry_uuid).int
    for number in count(1):  # 48 bits, before it would reach the version
        yield UUID(int=own ^ number << 80).urn


def write_identifier(parent: Element, scheme: str, value: str, name: str, part_id: str) -> None:
    """An ExternalIdentifier of the object, called `name` (ITI TF-3: 4.2.3.1.4)."""
    attributes = {
        "id": part_id,
        "objectType": f"{REGISTRY_OBJECT}ExternalIdentifier",
        "registryObject": parent.get("id", ""),
        "identificationScheme": scheme,
        "value": value,
    }
    element = etree.SubElement(parent, rim("ExternalIdentifier"), attributes)
    write_localized(element, "Name", name)
