"""How associations between registry objects are written (ITI TF-3: 4.2.2)."""

from typing import Final

from lxml import etree

from ccda.safe_xml import Element
from ihe.errors import MalformedMessage
from ihe.metadata import Association, AssociationType
from ihe.rim import (
    NAMESPACE,
    REGISTRY_OBJECT,
    STATUS,
    availability,
    first,
    home_of,
    read_slots,
    rim,
    write_slot,
)

_BY_NAME: Final = {each.rpartition(":")[2].lower(): each for each in AssociationType}
_MEMBERSHIP: Final = "SubmissionSetStatus"


def association_type(text: str) -> AssociationType | str:
    """The type that `text` names; one we do not know stays text.

    Quirk: the name alone, or in another of IHE's namespaces, means the same.
    """
    return _BY_NAME.get(text.strip().rpartition(":")[2].lower(), text.strip())


def read_association(element: Element) -> Association:
    """One association.

    Raises:
        MalformedMessage: it does not say what it joins.
    """
    entry_uuid = element.get("id", "").strip()
    source, target = (element.get(end, "").strip() for end in ("sourceObject", "targetObject"))
    if not (entry_uuid and source and target):
        raise MalformedMessage("an association has no id, no source or no target")
    membership = first(read_slots(element), _MEMBERSHIP)
    return Association(
        entry_uuid=entry_uuid,
        type=association_type(element.get("associationType", "")),
        source=source,
        target=target,
        home_community_id=home_of(element),
        availability=availability(element.get("status")),
        is_original=None if membership is None else membership == "Original",
    )


def write_association(given: Association) -> Element:
    """The association as `rim:Association`."""
    element = etree.Element(rim("Association"), nsmap={"rim": NAMESPACE})
    attributes = {
        "id": given.entry_uuid,
        "home": None if given.home_community_id is None else given.home_community_id.urn,
        "objectType": f"{REGISTRY_OBJECT}Association",
        "status": None if given.availability is None else STATUS + given.availability,
        "associationType": str(given.type),
        "sourceObject": given.source,
        "targetObject": given.target,
    }
    for name, value in attributes.items():
        if value is not None:
            element.set(name, value)
    if given.is_original is not None:
        write_slot(element, _MEMBERSHIP, ("Original" if given.is_original else "Reference",))
    return element
