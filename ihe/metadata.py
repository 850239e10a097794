"""What XDS metadata says of a document (ITI TF-3: 4.2.3); how it is written is in `ebrim`."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Literal

from ihe.identifiers import HomeCommunityId, Oid, PatientId, UniqueId

Availability = Literal["Approved", "Deprecated"]
ObjectType = Literal["stable", "on-demand"]


@dataclass(frozen=True, slots=True)
class Code:
    """A code, its scheme (OID or URN, as written) and display name (ITI TF-3: 4.2.3.1.2)."""

    value: str
    scheme: str | None
    display: str | None = None


@dataclass(frozen=True, slots=True)
class Author:
    """XDS author: persons as XCN, institutions as XON, as written (ITI TF-3: 4.2.3.2.1)."""

    person: str | None = None
    institutions: tuple[str, ...] = ()
    roles: tuple[str, ...] = ()
    specialties: tuple[str, ...] = ()
    telecommunications: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class DocumentEntry:
    """One document's metadata. Times are HL7 DTM text; `hash` is SHA-1 in hex; absent is None."""

    entry_uuid: str
    unique_id: UniqueId
    patient_id: PatientId | None = None
    home_community_id: HomeCommunityId | None = None
    repository_unique_id: Oid | None = None
    mime_type: str | None = None
    object_type: ObjectType = "stable"
    availability: Availability | None = None
    title: str | None = None
    comments: str | None = None
    creation_time: str | None = None
    service_start_time: str | None = None
    service_stop_time: str | None = None
    language_code: str | None = None
    hash: str | None = None
    size_bytes: int | None = None
    class_code: Code | None = None
    type_code: Code | None = None
    format_code: Code | None = None
    healthcare_facility_type_code: Code | None = None
    practice_setting_code: Code | None = None
    confidentiality_codes: tuple[Code, ...] = ()
    event_codes: tuple[Code, ...] = ()
    authors: tuple[Author, ...] = ()
    legal_authenticator: str | None = None
    source_patient_id: str | None = None
    source_patient_info: tuple[str, ...] = ()
    reference_ids: tuple[str, ...] = ()
    uri: str | None = None
    version: str | None = None
    logical_id: str | None = None
    """What all versions of the same entry share (`lid`)."""


@dataclass(frozen=True, slots=True)
class ObjectRef:
    """An entry named by its UUID alone, when `returnType` was ObjectRef."""

    entry_uuid: str
    home_community_id: HomeCommunityId | None = None


@dataclass(frozen=True, slots=True)
class SubmissionSet:
    """What was registered together, by whom and when (ITI TF-3: 4.2.3.3). Time is HL7 DTM."""

    entry_uuid: str
    unique_id: UniqueId
    source_id: Oid | None = None
    patient_id: PatientId | None = None
    home_community_id: HomeCommunityId | None = None
    availability: Availability | None = None
    submission_time: str | None = None
    content_type: Code | None = None
    authors: tuple[Author, ...] = ()
    intended_recipients: tuple[str, ...] = ()
    """`organization|person|telecommunication`, as XON, XCN and XTN (ITI TF-3: 4.2.3.3.7)."""
    title: str | None = None
    comments: str | None = None


@dataclass(frozen=True, slots=True)
class Folder:
    """Documents put together under codes (ITI TF-3: 4.2.3.4). Time is HL7 DTM."""

    entry_uuid: str
    unique_id: UniqueId
    patient_id: PatientId | None = None
    home_community_id: HomeCommunityId | None = None
    availability: Availability | None = None
    last_update_time: str | None = None
    codes: tuple[Code, ...] = ()
    title: str | None = None
    comments: str | None = None


class AssociationType(StrEnum):
    """How two registry objects belong together (ITI TF-3: 4.2.2, table 4.2.2-1)."""

    HAS_MEMBER = "urn:oasis:names:tc:ebxml-regrep:AssociationType:HasMember"
    RPLC = "urn:ihe:iti:2007:AssociationType:RPLC"
    APND = "urn:ihe:iti:2007:AssociationType:APND"
    XFRM = "urn:ihe:iti:2007:AssociationType:XFRM"
    XFRM_RPLC = "urn:ihe:iti:2007:AssociationType:XFRM_RPLC"
    SIGNS = "urn:ihe:iti:2007:AssociationType:signs"
    IS_SNAPSHOT_OF = "urn:ihe:iti:2010:AssociationType:IsSnapshotOf"
    UPDATE_AVAILABILITY = "urn:ihe:iti:2010:AssociationType:UpdateAvailabilityStatus"
    SUBMIT = "urn:ihe:iti:2010:AssociationType:SubmitAssociation"


@dataclass(frozen=True, slots=True)
class Association:
    """`source` does to `target`, both entry UUIDs, what the type says: RPLC's source is the newer.

    A type that we do not know is kept as written. `is_original` is said of a submission set's
    members alone: submitted by it, or only referred to.
    """

    entry_uuid: str
    type: AssociationType | str
    source: str
    target: str
    home_community_id: HomeCommunityId | None = None
    availability: Availability | None = None
    is_original: bool | None = None
