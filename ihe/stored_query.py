"""What is asked of a registry (ITI TF-2: 3.18.4.1.2); how it is written is in `query_layout`."""

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Literal

from ccda.values import quickly_made
from ihe.identifiers import HomeCommunityId, PatientId, UniqueId
from ihe.metadata import AssociationType, Availability, Code, ObjectType

ReturnType = Literal["LeafClass", "ObjectRef"]


class StoredQuery(StrEnum):
    """The stored queries that XCA carries (ITI TF-2: 3.18.4.1.2.4)."""

    FIND_DOCUMENTS = "urn:uuid:14d4debf-8f97-4251-9a74-a90016b0af0d"
    FIND_DOCUMENTS_BY_REFERENCE_ID = "urn:uuid:12941a89-e02e-4be5-967c-ce4bfc8fe492"
    FIND_FOLDERS = "urn:uuid:958f3006-baad-4929-a4de-ff1114824431"
    FIND_SUBMISSION_SETS = "urn:uuid:f26abbcb-ac74-4422-8a30-edb644bbc1a9"
    GET_ALL = "urn:uuid:10b545ea-725c-446d-9b95-8aeb444eddf3"
    GET_ASSOCIATIONS = "urn:uuid:a7ae438b-4bc2-4642-93e9-be891f7bb155"
    GET_DOCUMENTS = "urn:uuid:5c4f972b-d56b-40ac-a5fc-c8ca9b40b9d4"
    GET_DOCUMENTS_AND_ASSOCIATIONS = "urn:uuid:bab9529a-4a10-40b3-a01f-f68a615d247a"
    GET_FOLDER_AND_CONTENTS = "urn:uuid:b909a503-523d-4517-8acf-8e5834dfc4c7"
    GET_FOLDERS = "urn:uuid:5737b14c-8a1a-4539-b659-e03a34a5e1e4"
    GET_FOLDERS_FOR_DOCUMENT = "urn:uuid:10cae35a-c7f9-4cf5-b61e-fc3278ffb578"
    GET_RELATED_DOCUMENTS = "urn:uuid:d90e5407-b356-4d91-a89f-873917b4b0e6"
    GET_SUBMISSION_SET_AND_CONTENTS = "urn:uuid:e8e3cb2c-e39c-46b9-99e4-c12f57260b83"
    GET_SUBMISSION_SETS = "urn:uuid:51224314-5390-4169-9b91-b1980040715a"


@quickly_made
@dataclass(frozen=True, slots=True)
class TimeRange:
    """From `start` up to, but not including, `end`, as HL7 DTM in UTC; an open side is None."""

    start: str | None = None
    end: str | None = None


# ---- by patient ------------------------------------------------------------------------------


@quickly_made
@dataclass(frozen=True, slots=True)
class FindDocumentsQuery:
    """The documents of a patient that fit (ITI TF-2: 3.18.4.1.2.3.7.1 and .14).

    Codes in one tuple are alternatives. Where an entry holds several values (events,
    confidentiality, references), each inner tuple must be met by one of them. Author patterns
    use SQL LIKE's `%` and `_`. Without `entry_types`, only stable documents are asked for.
    """

    patient_id: PatientId
    statuses: tuple[Availability, ...] = ("Approved",)
    home_community_id: HomeCommunityId | None = None
    return_type: ReturnType = "LeafClass"
    entry_types: tuple[ObjectType, ...] = ("stable",)
    class_codes: tuple[Code, ...] = ()
    type_codes: tuple[Code, ...] = ()
    format_codes: tuple[Code, ...] = ()
    practice_setting_codes: tuple[Code, ...] = ()
    healthcare_facility_type_codes: tuple[Code, ...] = ()
    event_codes: tuple[tuple[Code, ...], ...] = ()
    confidentiality_codes: tuple[tuple[Code, ...], ...] = ()
    reference_ids: tuple[tuple[str, ...], ...] = ()
    author_persons: tuple[str, ...] = ()
    creation_time: TimeRange = field(default_factory=TimeRange)
    service_start_time: TimeRange = field(default_factory=TimeRange)
    service_stop_time: TimeRange = field(default_factory=TimeRange)


@dataclass(frozen=True, slots=True)
class FindSubmissionSetsQuery:
    """The submission sets of a patient that fit (ITI TF-2: 3.18.4.1.2.3.7.2)."""

    patient_id: PatientId
    statuses: tuple[Availability, ...] = ("Approved",)
    home_community_id: HomeCommunityId | None = None
    return_type: ReturnType = "LeafClass"
    source_ids: tuple[str, ...] = ()
    submission_time: TimeRange = field(default_factory=TimeRange)
    author_persons: tuple[str, ...] = ()
    content_type_codes: tuple[Code, ...] = ()


@dataclass(frozen=True, slots=True)
class FindFoldersQuery:
    """The folders of a patient that fit (ITI TF-2: 3.18.4.1.2.3.7.3)."""

    patient_id: PatientId
    statuses: tuple[Availability, ...] = ("Approved",)
    home_community_id: HomeCommunityId | None = None
    return_type: ReturnType = "LeafClass"
    last_update_time: TimeRange = field(default_factory=TimeRange)
    codes: tuple[tuple[Code, ...], ...] = ()


@dataclass(frozen=True, slots=True)
class GetAllQuery:
    """All that is registered of a patient (ITI TF-2: 3.18.4.1.2.3.7.4).

    The codes narrow the documents alone.
    """

    patient_id: PatientId
    document_statuses: tuple[Availability, ...] = ("Approved",)
    submission_set_statuses: tuple[Availability, ...] = ("Approved",)
    folder_statuses: tuple[Availability, ...] = ("Approved",)
    home_community_id: HomeCommunityId | None = None
    return_type: ReturnType = "LeafClass"
    entry_types: tuple[ObjectType, ...] = ("stable",)
    format_codes: tuple[Code, ...] = ()
    confidentiality_codes: tuple[tuple[Code, ...], ...] = ()


# ---- by id -----------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class GetDocumentsQuery:
    """Entries by their UUIDs or by their unique ids, one or the other (3.18.4.1.2.3.7.5)."""

    home_community_id: HomeCommunityId
    entry_uuids: tuple[str, ...] = ()
    unique_ids: tuple[UniqueId, ...] = ()
    return_type: ReturnType = "LeafClass"

    def __post_init__(self) -> None:
        if bool(self.entry_uuids) is bool(self.unique_ids):
            raise ValueError("GetDocuments takes entry UUIDs or unique ids, one of the two")


@dataclass(frozen=True, slots=True)
class GetObjectsQuery:
    """What belongs to the objects of these ids, or they themselves (3.18.4.1.2.3.7.6 to .9, .12).

    GetFolders, GetAssociations, GetDocumentsAndAssociations, GetSubmissionSets and
    GetFoldersForDocument: which ids they are depends on `query`.
    """

    query: StoredQuery
    home_community_id: HomeCommunityId
    entry_uuids: tuple[str, ...] = ()
    unique_ids: tuple[UniqueId, ...] = ()
    return_type: ReturnType = "LeafClass"


@dataclass(frozen=True, slots=True)
class GetContentsQuery:
    """A submission set or a folder, and its documents that fit (3.18.4.1.2.3.7.10, .11)."""

    query: StoredQuery
    home_community_id: HomeCommunityId
    entry_uuids: tuple[str, ...] = ()
    unique_ids: tuple[UniqueId, ...] = ()
    return_type: ReturnType = "LeafClass"
    entry_types: tuple[ObjectType, ...] = ("stable",)
    format_codes: tuple[Code, ...] = ()
    confidentiality_codes: tuple[tuple[Code, ...], ...] = ()


@dataclass(frozen=True, slots=True)
class GetRelatedDocumentsQuery:
    """A document and those that such associations join to it (3.18.4.1.2.3.7.13)."""

    home_community_id: HomeCommunityId
    association_types: tuple[AssociationType | str, ...]
    entry_uuids: tuple[str, ...] = ()
    unique_ids: tuple[UniqueId, ...] = ()
    return_type: ReturnType = "LeafClass"
    entry_types: tuple[ObjectType, ...] = ("stable",)


AdhocQuery = (
    FindDocumentsQuery
    | FindSubmissionSetsQuery
    | FindFoldersQuery
    | GetAllQuery
    | GetDocumentsQuery
    | GetObjectsQuery
    | GetContentsQuery
    | GetRelatedDocumentsQuery
)
