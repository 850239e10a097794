"""How submission sets and folders are written: as `rim:RegistryPackage` (ITI TF-3: 4.2.5.3, .4)."""

from dataclasses import dataclass
from typing import Final

from lxml import etree

from ccda.safe_xml import Element
from ihe.classification import (
    is_classified,
    read_authors,
    read_codes,
    write_author,
    write_code,
    write_kind,
)
from ihe.errors import MalformedMessage
from ihe.identifiers import HomeCommunityId, PatientId, UniqueId
from ihe.metadata import Availability, Folder, SubmissionSet
from ihe.rim import (
    NAMESPACE,
    STATUS,
    availability,
    external_identifiers,
    first,
    home_of,
    localized,
    oid,
    part_ids,
    patient_id,
    read_slots,
    rim,
    write_identifier,
    write_localized,
    write_slot,
)


@dataclass(frozen=True, slots=True)
class _Schemes:
    """By which URN each part of a package is known (ITI TF-3: 4.2.5.3.3, 4.2.5.4.2)."""

    kind: str
    name: str
    patient_id: str
    unique_id: str
    codes: str


_SET: Final = _Schemes(
    kind="urn:uuid:a54d6aa5-d40d-43f9-88c5-b4633d873bdd",
    name="XDSSubmissionSet",
    patient_id="urn:uuid:6b5aea1a-874d-4603-a4bc-96a0a7b38446",
    unique_id="urn:uuid:96fdda7c-d067-4183-912e-bf5ee74998a8",
    codes="urn:uuid:aa543740-bdda-424e-8c96-df4873be8500",
)
_FOLDER: Final = _Schemes(
    kind="urn:uuid:d9d542f3-6cc4-48b6-8870-ea235fbc94c2",
    name="XDSFolder",
    patient_id="urn:uuid:f64ffdf0-4b97-4e06-b79f-a52b38ec2f8a",
    unique_id="urn:uuid:75df8f67-9973-4fbe-a900-df66cefecc5a",
    codes="urn:uuid:1ba97051-7806-41a8-a48b-8fce7af683c5",
)
_SET_AUTHOR: Final = "urn:uuid:a7058bb9-b4e4-4307-ba5b-e3f0ab85e12d"
_SET_SOURCE: Final = "urn:uuid:554ac39e-e3fe-47fe-b233-965d2a147832"


# ---- reading ---------------------------------------------------------------------------------


def read_registry_package(element: Element) -> SubmissionSet | Folder:
    """What the package is; parts that cannot be understood are None or left out.

    Raises:
        MalformedMessage: it is neither, or has no id or no unique id.
    """
    if is_classified(element, _SET.kind):
        return _read_submission_set(element)
    if is_classified(element, _FOLDER.kind):
        return _read_folder(element)
    raise MalformedMessage("a registry package is neither a submission set nor a folder")


def _read_submission_set(element: Element) -> SubmissionSet:
    identifiers = external_identifiers(element)
    entry_uuid, unique_id = _ids(element, identifiers, _SET)
    codes = read_codes(element).get(_SET.codes, ())
    slots = read_slots(element)
    return SubmissionSet(
        entry_uuid=entry_uuid,
        unique_id=unique_id,
        source_id=oid(identifiers.get(_SET_SOURCE)),
        patient_id=patient_id(identifiers.get(_SET.patient_id)),
        home_community_id=home_of(element),
        availability=availability(element.get("status")),
        submission_time=first(slots, "submissionTime"),
        content_type=next(iter(codes), None),
        authors=read_authors(element, _SET_AUTHOR),
        intended_recipients=slots.get("intendedRecipient", ()),
        title=localized(element, "Name"),
        comments=localized(element, "Description"),
    )


def _read_folder(element: Element) -> Folder:
    identifiers = external_identifiers(element)
    entry_uuid, unique_id = _ids(element, identifiers, _FOLDER)
    return Folder(
        entry_uuid=entry_uuid,
        unique_id=unique_id,
        patient_id=patient_id(identifiers.get(_FOLDER.patient_id)),
        home_community_id=home_of(element),
        availability=availability(element.get("status")),
        last_update_time=first(read_slots(element), "lastUpdateTime"),
        codes=read_codes(element).get(_FOLDER.codes, ()),
        title=localized(element, "Name"),
        comments=localized(element, "Description"),
    )


def _ids(element: Element, identifiers: dict[str, str], schemes: _Schemes) -> tuple[str, UniqueId]:
    entry_uuid = element.get("id", "").strip()
    unique_id = identifiers.get(schemes.unique_id, "").strip()
    if not entry_uuid or not 0 < len(unique_id) <= 256:
        raise MalformedMessage("a registry package has no id or no unique id")
    return entry_uuid, UniqueId(unique_id)


# ---- writing ---------------------------------------------------------------------------------


def write_submission_set(given: SubmissionSet) -> Element:
    """The set as `rim:RegistryPackage`, its parts in the order of the schema."""
    element = _start(given.entry_uuid, given.home_community_id, given.availability)
    times = () if given.submission_time is None else (given.submission_time,)
    write_slot(element, "submissionTime", times)
    write_slot(element, "intendedRecipient", given.intended_recipients)
    write_localized(element, "Name", given.title)
    write_localized(element, "Description", given.comments)
    ids = part_ids(given.entry_uuid)
    write_kind(element, _SET.kind, next(ids))
    for author in given.authors:
        write_author(element, _SET_AUTHOR, author, next(ids))
    if given.content_type is not None:
        write_code(element, _SET.codes, given.content_type, next(ids))
    if given.source_id is not None:
        source = str(given.source_id)
        write_identifier(element, _SET_SOURCE, source, f"{_SET.name}.sourceId", next(ids))
    _write_ids(element, _SET, given.patient_id, given.unique_id, (next(ids), next(ids)))
    return element


def write_folder(given: Folder) -> Element:
    """The folder as `rim:RegistryPackage`, its parts in the order of the schema."""
    element = _start(given.entry_uuid, given.home_community_id, given.availability)
    times = () if given.last_update_time is None else (given.last_update_time,)
    write_slot(element, "lastUpdateTime", times)
    write_localized(element, "Name", given.title)
    write_localized(element, "Description", given.comments)
    ids = part_ids(given.entry_uuid)
    write_kind(element, _FOLDER.kind, next(ids))
    for code in given.codes:
        write_code(element, _FOLDER.codes, code, next(ids))
    _write_ids(element, _FOLDER, given.patient_id, given.unique_id, (next(ids), next(ids)))
    return element


def _start(entry_uuid: str, home: HomeCommunityId | None, status: Availability | None) -> Element:
    element = etree.Element(rim("RegistryPackage"), nsmap={"rim": NAMESPACE})
    element.set("id", entry_uuid)
    if home is not None:
        element.set("home", home.urn)
    if status is not None:
        element.set("status", STATUS + status)
    return element


def _write_ids(
    element: Element,
    schemes: _Schemes,
    patient: PatientId | None,
    unique_id: UniqueId,
    ids: tuple[str, str],
) -> None:
    if patient is not None:
        name = f"{schemes.name}.patientId"
        write_identifier(element, schemes.patient_id, patient.cx, name, ids[0])
    name = f"{schemes.name}.uniqueId"
    write_identifier(element, schemes.unique_id, str(unique_id), name, ids[1])
