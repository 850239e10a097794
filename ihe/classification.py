"""What classifies a registry object: its codes and its authors (ITI TF-3: 4.2.3.1.2, 4.2.3.1.4)."""

from typing import Final

from lxml import etree

from ccda.safe_xml import Element
from ihe.metadata import Author, Code
from ihe.rim import REGISTRY_OBJECT, first, localized, read_slots, rim, write_localized, write_slot

_AUTHOR_SLOTS: Final = {
    "institutions": "authorInstitution",
    "roles": "authorRole",
    "specialties": "authorSpecialty",
    "telecommunications": "authorTelecommunication",
}


def read_codes(element: Element) -> dict[str, tuple[Code, ...]]:
    """Every code by its classification scheme, in the order they stand there."""
    codes: dict[str, tuple[Code, ...]] = {}
    for each in element.iterfind(rim("Classification")):
        if value := each.get("nodeRepresentation"):
            scheme = each.get("classificationScheme", "")
            system = first(read_slots(each), "codingScheme")
            codes[scheme] = (*codes.get(scheme, ()), Code(value, system, localized(each, "Name")))
    return codes


def read_authors(element: Element, scheme: str) -> tuple[Author, ...]:
    """The authors under that classification scheme."""
    return tuple(
        _read_author(each)
        for each in element.iterfind(rim("Classification"))
        if each.get("classificationScheme") == scheme
    )


def is_classified(element: Element, node: str) -> bool:
    """Whether the object is said to be of that kind, as submission sets and folders are."""
    nodes = (each.get("classificationNode") for each in element.iterfind(rim("Classification")))
    return node in nodes


def write_code(parent: Element, scheme: str, code: Code, part_id: str) -> None:
    element = _write_classification(parent, part_id, scheme, code.value)
    write_slot(element, "codingScheme", () if code.scheme is None else (code.scheme,))
    write_localized(element, "Name", code.display)


def write_author(parent: Element, scheme: str, author: Author, part_id: str) -> None:
    element = _write_classification(parent, part_id, scheme, "")
    write_slot(element, "authorPerson", () if author.person is None else (author.person,))
    for field, name in _AUTHOR_SLOTS.items():
        write_slot(element, name, getattr(author, field))


def write_kind(parent: Element, node: str, part_id: str) -> None:
    """Says of the object that it is of that kind."""
    attributes = {
        "id": part_id,
        "objectType": f"{REGISTRY_OBJECT}Classification",
        "classifiedObject": parent.get("id", ""),
        "classificationNode": node,
    }
    etree.SubElement(parent, rim("Classification"), attributes)


def _read_author(classification: Element) -> Author:
    slots = read_slots(classification)
    return Author(
        person=first(slots, "authorPerson"),
        institutions=slots.get("authorInstitution", ()),
        roles=slots.get("authorRole", ()),
        specialties=slots.get("authorSpecialty", ()),
        telecommunications=slots.get("authorTelecommunication", ()),
    )


def _write_classification(parent: Element, part_id: str, scheme: str, value: str) -> Element:
    attributes = {
        "id": part_id,
        "objectType": f"{REGISTRY_OBJECT}Classification",
        "classificationScheme": scheme,
        "classifiedObject": parent.get("id", ""),
        "nodeRepresentation": value,
    }
    return etree.SubElement(parent, rim("Classification"), attributes)
