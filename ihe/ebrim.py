"""How XDS metadata is written in ebRIM 3.0 (ITI TF-3: 4.2.3.1, 4.2.5)."""

import re
from collections.abc import Iterator, Mapping
from typing import Final

from lxml import etree

from ccda.safe_xml import Element
from ihe.classification import read_authors, read_codes, write_author, write_code
from ihe.errors import MalformedMessage
from ihe.identifiers import UniqueId
from ihe.metadata import Code, DocumentEntry, ObjectRef, ObjectType
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
    whole,
    write_identifier,
    write_localized,
    write_slot,
)

OBJECT_TYPES: Final[Mapping[ObjectType, str]] = {
    "stable": "urn:uuid:7edca82f-054d-47f2-a032-9b2a5b5186c1",
    "on-demand": "urn:uuid:34268e47-fdf5-41a6-ba33-82133c465248",
}

# Classification schemes of a document entry (ITI TF-3: 4.2.5.2).
_AUTHOR: Final = "urn:uuid:93606bcf-9494-43ec-9b4e-a7748d1a838d"
_ONE_CODE: Final = {
    "class_code": "urn:uuid:41a5887f-8865-4c09-adf7-e362475b143a",
    "format_code": "urn:uuid:a09d5840-386c-46f2-b5ad-9c3699a4309d",
    "healthcare_facility_type_code": "urn:uuid:f33fb8ac-18af-42cc-ae0e-ed0b0bdb91e1",
    "practice_setting_code": "urn:uuid:cccf5598-8b07-4b77-a05e-ae952c785ead",
    "type_code": "urn:uuid:f0306f51-975f-434e-a61c-c59651d33983",
}
_MANY_CODES: Final = {
    "confidentiality_codes": "urn:uuid:f4f85eac-e6cb-4883-b524-f2705394840f",
    "event_codes": "urn:uuid:2c6b8cb7-8b2a-4051-b291-b1ae6a575ef4",
}
PATIENT_ID: Final = "urn:uuid:58a6f841-87b3-4a3e-92fd-a8ffeff98427"  # XDSDocumentEntry.patientId
_UNIQUE_ID: Final = "urn:uuid:2e82c1f6-a085-4c72-9da3-8640a32e42ab"

# Slots of one text value each, by the field that they carry.
_TEXT_SLOTS: Final = {
    "creation_time": "creationTime",
    "hash": "hash",
    "language_code": "languageCode",
    "legal_authenticator": "legalAuthenticator",
    "service_start_time": "serviceStartTime",
    "service_stop_time": "serviceStopTime",
    "source_patient_id": "sourcePatientId",
}
_REFERENCE_IDS: Final = "urn:ihe:iti:xds:2013:referenceIdList"
_VALUE_LENGTH: Final = 256  # LongName of rim.xsd; a longer URI is cut (ITI TF-3: 4.2.3.2.27)


# ---- reading an entry ------------------------------------------------------------------------


def read_document_entry(element: Element) -> DocumentEntry:
    """One document's metadata; parts that cannot be understood are None or left out.

    Raises:
        MalformedMessage: it has no id or no unique id, so that nothing could be asked for.
    """
    slots = read_slots(element)
    identifiers = external_identifiers(element)
    unique_id = identifiers.get(_UNIQUE_ID, "").strip()
    entry_uuid = element.get("id", "").strip()
    if not entry_uuid or not 0 < len(unique_id) <= 256:
        raise MalformedMessage("a document entry has no id or no unique id")
    version = element.find(rim("VersionInfo"))
    codes = _codes(element)
    return DocumentEntry(
        entry_uuid=entry_uuid,
        unique_id=UniqueId(unique_id),
        patient_id=patient_id(identifiers.get(PATIENT_ID)),
        home_community_id=home_of(element),
        repository_unique_id=oid(first(slots, "repositoryUniqueId")),
        mime_type=element.get("mimeType"),
        object_type=_object_type(element.get("objectType")),
        availability=availability(element.get("status")),
        title=localized(element, "Name"),
        comments=localized(element, "Description"),
        size_bytes=whole(first(slots, "size")),
        authors=read_authors(element, _AUTHOR),
        source_patient_info=slots.get("sourcePatientInfo", ()),
        reference_ids=slots.get(_REFERENCE_IDS, ()),
        uri=_read_uri(slots.get("URI", ())),
        version=None if version is None else version.get("versionName"),
        logical_id=element.get("lid"),
        creation_time=first(slots, "creationTime"),
        hash=first(slots, "hash"),
        language_code=first(slots, "languageCode"),
        legal_authenticator=first(slots, "legalAuthenticator"),
        service_start_time=first(slots, "serviceStartTime"),
        service_stop_time=first(slots, "serviceStopTime"),
        source_patient_id=first(slots, "sourcePatientId"),
        class_code=_only(codes, "class_code"),
        format_code=_only(codes, "format_code"),
        healthcare_facility_type_code=_only(codes, "healthcare_facility_type_code"),
        practice_setting_code=_only(codes, "practice_setting_code"),
        type_code=_only(codes, "type_code"),
        confidentiality_codes=codes.get("confidentiality_codes", ()),
        event_codes=codes.get("event_codes", ()),
    )


def read_object_ref(element: Element) -> ObjectRef:
    """An entry by its UUID alone.

    Raises:
        MalformedMessage: it has none.
    """
    entry_uuid = element.get("id", "").strip()
    if not entry_uuid:
        raise MalformedMessage("an ObjectRef has no id")
    return ObjectRef(entry_uuid, home_of(element))


def _object_type(text: str | None) -> ObjectType:
    return "on-demand" if (text or "").lower() == OBJECT_TYPES["on-demand"] else "stable"


_FIELD_OF: Final = {scheme: field for field, scheme in (_ONE_CODE | _MANY_CODES).items()}


def _codes(element: Element) -> dict[str, tuple[Code, ...]]:
    """Every code by the field that it belongs to."""
    return {
        _FIELD_OF[scheme]: codes
        for scheme, codes in read_codes(element).items()
        if scheme in _FIELD_OF
    }


def _only(codes: Mapping[str, tuple[Code, ...]], field: str) -> Code | None:
    return next(iter(codes.get(field, ())), None)


def _read_uri(values: tuple[str, ...]) -> str | None:
    """A URI cut over several values is numbered `1|…`, `2|…` (ITI TF-3: 4.2.3.2.27)."""
    if len(values) < 2 or not all(re.match(r"\d+\|", part) for part in values):
        return next(iter(values), None)
    numbered = sorted((part.partition("|") for part in values), key=lambda part: part[0].zfill(4))
    return "".join(text for _, _, text in numbered)


# ---- writing an entry ------------------------------------------------------------------------


def entry_xml(entry: DocumentEntry) -> bytes:
    """The entry as bytes that stand on their own: same entry, same bytes.

    A responder stores them once and only joins them to answer (`adhoc_query_response_xml`).
    """
    return etree.tostring(write_document_entry(entry))


def write_document_entry(entry: DocumentEntry) -> Element:
    """The entry as `rim:ExtrinsicObject`, its parts in the order of the schema."""
    element = etree.Element(rim("ExtrinsicObject"), nsmap={"rim": NAMESPACE})
    _write_attributes(element, entry)
    _write_slots(element, entry)
    write_localized(element, "Name", entry.title)
    write_localized(element, "Description", entry.comments)
    if entry.version is not None:
        etree.SubElement(element, rim("VersionInfo"), {"versionName": entry.version})
    ids = part_ids(entry.entry_uuid)
    for author in entry.authors:
        write_author(element, _AUTHOR, author, next(ids))
    for scheme, code in _codes_of(entry):
        write_code(element, scheme, code, next(ids))
    patient = entry.patient_id
    if patient is not None:
        write_identifier(element, PATIENT_ID, patient.cx, "XDSDocumentEntry.patientId", next(ids))
    unique_id = str(entry.unique_id)
    write_identifier(element, _UNIQUE_ID, unique_id, "XDSDocumentEntry.uniqueId", next(ids))
    return element


def write_object_ref(reference: ObjectRef) -> Element:
    """The reference as `rim:ObjectRef`."""
    element = etree.Element(rim("ObjectRef"), nsmap={"rim": NAMESPACE})
    element.set("id", reference.entry_uuid)
    if reference.home_community_id is not None:
        element.set("home", reference.home_community_id.urn)
    return element


def _write_attributes(element: Element, entry: DocumentEntry) -> None:
    home = entry.home_community_id
    attributes = {
        "id": entry.entry_uuid,
        "lid": entry.logical_id,
        "home": None if home is None else home.urn,
        "mimeType": entry.mime_type,
        "objectType": OBJECT_TYPES[entry.object_type],
        "status": None if entry.availability is None else STATUS + entry.availability,
        "isOpaque": "false",
    }
    for name, value in attributes.items():
        if value is not None:
            element.set(name, value)


def _write_slots(element: Element, entry: DocumentEntry) -> None:
    for field, name in _TEXT_SLOTS.items():
        value: str | None = getattr(entry, field)
        write_slot(element, name, () if value is None else (value,))
    repository = entry.repository_unique_id
    write_slot(element, "repositoryUniqueId", () if repository is None else (str(repository),))
    write_slot(element, "size", () if entry.size_bytes is None else (str(entry.size_bytes),))
    write_slot(element, "sourcePatientInfo", entry.source_patient_info)
    write_slot(element, "URI", () if entry.uri is None else _cut_uri(entry.uri))
    write_slot(element, _REFERENCE_IDS, entry.reference_ids)


def _cut_uri(uri: str) -> tuple[str, ...]:
    if len(uri) <= _VALUE_LENGTH:
        return (uri,)
    step = _VALUE_LENGTH - 4
    parts = [uri[at : at + step] for at in range(0, len(uri), step)]
    return tuple(f"{number}|{part}" for number, part in enumerate(parts, 1))


def _codes_of(entry: DocumentEntry) -> Iterator[tuple[str, Code]]:
    for field, scheme in _ONE_CODE.items():
        code: Code | None = getattr(entry, field)
        if code is not None:
            yield scheme, code
    for field, scheme in _MANY_CODES.items():
        codes: tuple[Code, ...] = getattr(entry, field)
        for each in codes:
            yield scheme, each
