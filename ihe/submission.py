"""What is submitted together, as `lcm:SubmitObjectsRequest` (ebRS 3.0: 5.1.1; ITI TF-3: 4.2.1)."""

from collections.abc import Iterable, Iterator, Sequence
from copy import deepcopy
from typing import Final
from uuid import NAMESPACE_URL, uuid5

from lxml import etree

from ccda.safe_xml import Element
from ihe.association import write_association
from ihe.ebrim import write_document_entry
from ihe.metadata import Association, AssociationType, DocumentEntry, Folder, SubmissionSet
from ihe.registry_package import write_folder, write_submission_set
from ihe.registry_response import NAMESPACE as RS
from ihe.registry_response import rs
from ihe.rim import NAMESPACE as RIM
from ihe.rim import rim, write_slot

NAMESPACE: Final = "urn:oasis:names:tc:ebxml-regrep:xsd:lcm:3.0"
_MOST_LOOSE: Final = 1000


def lcm(name: str) -> str:
    """`name` in the namespace of ebRS' life cycle manager, as lxml writes it."""
    return f"{{{NAMESPACE}}}{name}"


# ---- reading ---------------------------------------------------------------------------------


def loose_classifications(root: Element) -> list[Element]:
    """Those that stand beside the object that they classify, as ebRIM also allows."""
    return [each for each in root.iter(rim("Classification")) if not _is_inside(each)]


def _is_inside(classification: Element) -> bool:
    parent = classification.getparent()
    return parent is not None and parent.tag in (rim("ExtrinsicObject"), rim("RegistryPackage"))


def classified(package: Element, loose: Sequence[Element]) -> Element:
    """The package with those of the loose classifications that are its own."""
    own = [each for each in loose if each.get("classifiedObject") == package.get("id")]
    if not own or len(loose) > _MOST_LOOSE:
        return package
    whole = deepcopy(package)
    whole.extend(deepcopy(own))
    return whole


# ---- writing ---------------------------------------------------------------------------------


def write_submit_objects(
    given: SubmissionSet,
    entries: Iterable[DocumentEntry],
    associations: Iterable[Association],
    *,
    folders: Iterable[Folder] = (),
    slots: Sequence[tuple[str, str]] = (),
) -> Element:
    """The request; `slots` are those of the request itself, by name and value."""
    root = etree.Element(lcm("SubmitObjectsRequest"), nsmap={"lcm": NAMESPACE, "rim": RIM})
    if slots:
        listed = etree.SubElement(root, rs("RequestSlotList"), nsmap={"rs": RS})
        for name, value in slots:
            write_slot(listed, name, (value,))
    objects = etree.SubElement(root, rim("RegistryObjectList"))
    objects.extend(map(write_document_entry, entries))
    objects.append(write_submission_set(given))
    objects.extend(map(write_folder, folders))
    objects.extend(map(write_association, associations))
    return root


def memberships(given: SubmissionSet, entries: Iterable[DocumentEntry]) -> Iterator[Association]:
    """What makes each entry a member of the set (ITI TF-3: 4.2.2.1.1)."""
    for entry in entries:
        name = f"{given.entry_uuid} {entry.entry_uuid}"
        yield Association(
            entry_uuid=uuid5(NAMESPACE_URL, name).urn,
            type=AssociationType.HAS_MEMBER,
            source=given.entry_uuid,
            target=entry.entry_uuid,
            is_original=True,
        )
