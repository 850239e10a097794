"""Which parameters each stored query has, and by which names (ITI TF-2: 3.18.4.1.2.3.7)."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any, Final

from ihe.query_parameters import (
    ASSOCIATION_TYPES,
    CODE_GROUPS,
    CODES,
    ENTRY_TYPES,
    ONE,
    ONE_UNIQUE_ID,
    PATIENT_ID,
    PATTERNS,
    REQUIRED_TEXTS,
    STATUSES,
    TEXT_GROUPS,
    TEXTS,
    TIMES,
    UNIQUE_IDS,
    Kind,
    Parameters,
    Slots,
)
from ihe.registry_response import ErrorCode, RegistryRefusal
from ihe.stored_query import (
    AdhocQuery,
    FindDocumentsQuery,
    FindFoldersQuery,
    FindSubmissionSetsQuery,
    GetAllQuery,
    GetContentsQuery,
    GetDocumentsQuery,
    GetObjectsQuery,
    GetRelatedDocumentsQuery,
    StoredQuery,
)

_ENTRY: Final = "$XDSDocumentEntry"
_SET: Final = "$XDSSubmissionSet"
_FOLDER: Final = "$XDSFolder"
_PATIENT: Final = "patient_id"


@dataclass(frozen=True, slots=True)
class _Layout:
    """Each field of the query with the name of its slot and its kind.

    A query of one class for several ids says in its field `query` which of them it is.
    """

    made: type[AdhocQuery]
    fields: Mapping[str, tuple[str, Kind]]
    is_shared: bool = False


def _ids(of: str) -> dict[str, tuple[str, Kind]]:
    return {
        "entry_uuids": (f"{of}EntryUUID", TEXTS),
        "unique_ids": (f"{of}UniqueId", UNIQUE_IDS),
    }


def _one_id(of: str) -> dict[str, tuple[str, Kind]]:
    return {
        "entry_uuids": (f"{of}EntryUUID", ONE),
        "unique_ids": (f"{of}UniqueId", ONE_UNIQUE_ID),
    }


_OF_ENTRIES: Final = {
    "entry_types": (f"{_ENTRY}Type", ENTRY_TYPES),
    "format_codes": (f"{_ENTRY}FormatCode", CODES),
    "confidentiality_codes": (f"{_ENTRY}ConfidentialityCode", CODE_GROUPS),
}
_FIND_DOCUMENTS: Final = _Layout(
    FindDocumentsQuery,
    {
        _PATIENT: (f"{_ENTRY}PatientId", PATIENT_ID),
        "statuses": (f"{_ENTRY}Status", STATUSES),
        **_OF_ENTRIES,
        "class_codes": (f"{_ENTRY}ClassCode", CODES),
        "type_codes": (f"{_ENTRY}TypeCode", CODES),
        "practice_setting_codes": (f"{_ENTRY}PracticeSettingCode", CODES),
        "healthcare_facility_type_codes": (f"{_ENTRY}HealthcareFacilityTypeCode", CODES),
        "event_codes": (f"{_ENTRY}EventCodeList", CODE_GROUPS),
        "reference_ids": (f"{_ENTRY}ReferenceIdList", TEXT_GROUPS),
        "author_persons": (f"{_ENTRY}AuthorPerson", PATTERNS),
        "creation_time": (f"{_ENTRY}CreationTime", TIMES),
        "service_start_time": (f"{_ENTRY}ServiceStartTime", TIMES),
        "service_stop_time": (f"{_ENTRY}ServiceStopTime", TIMES),
    },
)
_LAYOUTS: Final[Mapping[StoredQuery, _Layout]] = {
    StoredQuery.FIND_DOCUMENTS: _FIND_DOCUMENTS,
    StoredQuery.FIND_DOCUMENTS_BY_REFERENCE_ID: _FIND_DOCUMENTS,
    StoredQuery.FIND_SUBMISSION_SETS: _Layout(
        FindSubmissionSetsQuery,
        {
            _PATIENT: (f"{_SET}PatientId", PATIENT_ID),
            "statuses": (f"{_SET}Status", STATUSES),
            "source_ids": (f"{_SET}SourceId", TEXTS),
            "submission_time": (f"{_SET}SubmissionTime", TIMES),
            "author_persons": (f"{_SET}AuthorPerson", PATTERNS),
            "content_type_codes": (f"{_SET}ContentType", CODES),
        },
    ),
    StoredQuery.FIND_FOLDERS: _Layout(
        FindFoldersQuery,
        {
            _PATIENT: (f"{_FOLDER}PatientId", PATIENT_ID),
            "statuses": (f"{_FOLDER}Status", STATUSES),
            "last_update_time": (f"{_FOLDER}LastUpdateTime", TIMES),
            "codes": (f"{_FOLDER}CodeList", CODE_GROUPS),
        },
    ),
    StoredQuery.GET_ALL: _Layout(
        GetAllQuery,
        {
            _PATIENT: ("$patientId", PATIENT_ID),
            "document_statuses": (f"{_ENTRY}Status", STATUSES),
            "submission_set_statuses": (f"{_SET}Status", STATUSES),
            "folder_statuses": (f"{_FOLDER}Status", STATUSES),
            **_OF_ENTRIES,
        },
    ),
    StoredQuery.GET_DOCUMENTS: _Layout(GetDocumentsQuery, _ids(_ENTRY)),
    StoredQuery.GET_FOLDERS: _Layout(GetObjectsQuery, _ids(_FOLDER), is_shared=True),
    StoredQuery.GET_ASSOCIATIONS: _Layout(
        GetObjectsQuery, {"entry_uuids": ("$uuid", REQUIRED_TEXTS)}, is_shared=True
    ),
    StoredQuery.GET_DOCUMENTS_AND_ASSOCIATIONS: _Layout(
        GetObjectsQuery, _ids(_ENTRY), is_shared=True
    ),
    StoredQuery.GET_SUBMISSION_SETS: _Layout(
        GetObjectsQuery, {"entry_uuids": ("$uuid", REQUIRED_TEXTS)}, is_shared=True
    ),
    StoredQuery.GET_SUBMISSION_SET_AND_CONTENTS: _Layout(
        GetContentsQuery, {**_one_id(_SET), **_OF_ENTRIES}, is_shared=True
    ),
    StoredQuery.GET_FOLDER_AND_CONTENTS: _Layout(
        GetContentsQuery, {**_one_id(_FOLDER), **_OF_ENTRIES}, is_shared=True
    ),
    StoredQuery.GET_FOLDERS_FOR_DOCUMENT: _Layout(GetObjectsQuery, _one_id(_ENTRY), is_shared=True),
    StoredQuery.GET_RELATED_DOCUMENTS: _Layout(
        GetRelatedDocumentsQuery,
        {
            **_one_id(_ENTRY),
            "association_types": ("$AssociationTypes", ASSOCIATION_TYPES),
            "entry_types": (f"{_ENTRY}Type", ENTRY_TYPES),
        },
    ),
}
_BY_CLASS: Final = {
    layout.made: stored
    for stored, layout in _LAYOUTS.items()
    if not layout.is_shared and stored is not StoredQuery.FIND_DOCUMENTS_BY_REFERENCE_ID
}


def read_query(stored: StoredQuery, given: Parameters) -> AdhocQuery:
    """The query with its parameters; those that it does not have are passed over.

    Raises:
        RegistryRefusal: one is missing, is given too often or cannot be understood.
    """
    layout = _LAYOUTS[stored]
    if _PATIENT not in layout.fields and given.home is None:
        # ITI TF-2: 3.38.4.1.2: without a patient id the community must be named.
        context = "AdhocQuery has no home community id, and the query names no patient."
        raise RegistryRefusal(ErrorCode.MISSING_HOME_COMMUNITY_ID, context)
    by_slot, absent = _slots_of(stored)
    said = {by_slot[name] for name in given.names if name in by_slot}
    values: dict[str, Any] = {
        field: kind.read(given, name) if field in said or field not in absent else absent[field]
        for field, (name, kind) in layout.fields.items()
    }
    values |= {"home_community_id": given.home, "return_type": given.return_type}
    _check_ids(layout, values)
    if stored is StoredQuery.FIND_DOCUMENTS_BY_REFERENCE_ID and not values["reference_ids"]:
        context = f"{_ENTRY}ReferenceIdList is missing"
        raise RegistryRefusal(ErrorCode.STORED_QUERY_MISSING_PARAMETER, context)
    if layout.is_shared:
        values["query"] = stored
    return layout.made(**values)


@cache
def _slots_of(stored: StoredQuery) -> tuple[Mapping[str, str], Mapping[str, Any]]:
    """The field that each slot of the query belongs to, and what fields are that none fills."""
    fields = _LAYOUTS[stored].fields
    by_slot = {
        f"{name}{ending}".lower(): field
        for field, (name, kind) in fields.items()
        for ending in kind.endings
    }
    absent = {field: kind.absent for field, (_, kind) in fields.items() if kind.absent is not None}
    return by_slot, absent


def _check_ids(layout: _Layout, values: Mapping[str, Any]) -> None:
    """Entry UUIDs or unique ids, one of the two (3.18.4.1.2.3.7.5 and following)."""
    if "unique_ids" not in layout.fields:
        return
    by_uuid, by_unique_id = (layout.fields[field][0] for field in ("entry_uuids", "unique_ids"))
    if not values["entry_uuids"] and not values["unique_ids"]:
        context = f"{by_uuid} is missing, and so is {by_unique_id}"
        raise RegistryRefusal(ErrorCode.STORED_QUERY_MISSING_PARAMETER, context)
    if values["entry_uuids"] and values["unique_ids"]:
        context = f"{by_uuid} and {by_unique_id} are both given"
        raise RegistryRefusal(ErrorCode.STORED_QUERY_PARAMETER_NUMBER, context)


def stored_query_of(asked: AdhocQuery) -> StoredQuery:
    """By which id it is asked."""
    match asked:
        case FindDocumentsQuery(reference_ids=references) if references:
            return StoredQuery.FIND_DOCUMENTS_BY_REFERENCE_ID
        case GetObjectsQuery(query=stored) | GetContentsQuery(query=stored):
            return stored
        case _:
            return _BY_CLASS[type(asked)]


def query_slots(asked: AdhocQuery) -> Iterator[Slots]:
    """The query's parameters as slots; one without values is not to be written.

    Raises:
        ValueError: it names no status or no entry type where it must.
    """
    for field, (name, kind) in _LAYOUTS[stored_query_of(asked)].fields.items():
        yield kind.write(name, getattr(asked, field))
