"""ITI-38 Cross Gateway Query (ITI TF-2: 3.38): how its request and its response are written."""

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Final, assert_never

from lxml import etree

from ccda.safe_xml import Element, parse_xml
from ihe.ebrim import (
    OBJECT_TYPES,
    read_document_entry,
    read_object_ref,
    write_document_entry,
    write_object_ref,
)
from ihe.errors import MalformedMessage, UnexpectedMessage
from ihe.identifiers import HomeCommunityId, PatientId, UniqueId
from ihe.metadata import Code, DocumentEntry, ObjectRef, ObjectType
from ihe.query_filter import matches
from ihe.query_values import listed, parse_values, quoted
from ihe.registry_response import NAMESPACE as RS
from ihe.registry_response import (
    ErrorCode,
    RegistryError,
    RegistryRefusal,
    RegistryResponse,
    ResponseStatus,
    read_outcome,
    write_outcome,
)
from ihe.rim import NAMESPACE as RIM
from ihe.rim import STATUS, availability, iterate_slots, rim, write_slot
from ihe.stored_query import (
    AdhocQuery,
    FindDocumentsQuery,
    GetDocumentsQuery,
    OtherStoredQuery,
    ReturnType,
    StoredQuery,
    TimeRange,
)

__all__ = [
    "AdhocQuery",
    "AdhocQueryResponse",
    "FindDocumentsQuery",
    "GetDocumentsQuery",
    "OtherStoredQuery",
    "ReturnType",
    "StoredQuery",
    "TimeRange",
    "adhoc_query_response_xml",
    "matches",
    "read_adhoc_query_request",
    "read_adhoc_query_response",
    "write_adhoc_query_request",
    "write_adhoc_query_response",
    "write_stored_entries",
]

NAMESPACE: Final = "urn:oasis:names:tc:ebxml-regrep:xsd:query:3.0"
_ENTRY: Final = "$XDSDocumentEntry"


def query(name: str) -> str:
    """`name` in the ebRS query namespace, as lxml writes it."""
    return f"{{{NAMESPACE}}}{name}"


@dataclass(frozen=True, slots=True)
class AdhocQueryResponse:
    """What a community holds; `unreadable` counts entries too broken to be asked for."""

    status: ResponseStatus
    errors: tuple[RegistryError, ...] = ()
    entries: tuple[DocumentEntry, ...] = ()
    object_refs: tuple[ObjectRef, ...] = ()
    unreadable: int = 0


# ---- reading a request -----------------------------------------------------------------------


def read_adhoc_query_request(element: Element) -> AdhocQuery:
    """What is asked of us.

    Raises:
        UnexpectedMessage: it is no AdhocQueryRequest.
        MalformedMessage: there is no AdhocQuery in it.
        RegistryRefusal: a query that the answer refuses by a RegistryError.
    """
    if element.tag != query("AdhocQueryRequest"):
        raise UnexpectedMessage("the body is no AdhocQueryRequest")
    asked = element.find(rim("AdhocQuery"))
    if asked is None:
        raise MalformedMessage("AdhocQuery is missing")
    option = element.find(query("ResponseOption"))
    by_reference = option is not None and option.get("returnType") == "ObjectRef"
    parameters = _Parameters(
        slots=tuple(_parsed_slots(asked)),
        home=_read_home(asked),
        return_type="ObjectRef" if by_reference else "LeafClass",
    )
    stored = _QUERIES.get(asked.get("id", "").strip().lower().removeprefix("urn:uuid:"))
    if stored is None:
        raise RegistryRefusal(ErrorCode.UNKNOWN_STORED_QUERY, "AdhocQuery has an unknown id")
    if reader := _READERS.get(stored):
        return reader(parameters)
    return OtherStoredQuery(stored, parameters.slots, parameters.home, parameters.return_type)


_QUERIES: Final = {each.removeprefix("urn:uuid:"): each for each in StoredQuery}


@dataclass(frozen=True, slots=True)
class _Parameters:
    """The slots of a query in order, their values already parsed."""

    slots: tuple[tuple[str, tuple[str, ...]], ...]
    home: HomeCommunityId | None
    return_type: ReturnType

    def groups(self, name: str) -> tuple[tuple[str, ...], ...]:
        """Each slot of that name: alternatives within one, all of them to be met."""
        return tuple(values for slot, values in self.slots if slot == name and values)

    def alternatives(self, name: str) -> tuple[str, ...]:
        """The values of a slot that may stand there once."""
        groups = self.groups(name)
        if len(groups) > 1:
            raise RegistryRefusal(ErrorCode.STORED_QUERY_PARAMETER_NUMBER, f"{name} is repeated")
        return groups[0] if groups else ()

    def one(self, name: str) -> str | None:
        values = self.alternatives(name)
        if len(values) > 1:
            raise RegistryRefusal(
                ErrorCode.STORED_QUERY_PARAMETER_NUMBER, f"{name} takes one value"
            )
        return values[0] if values else None

    def codes(self, name: str) -> tuple[Code, ...]:
        return tuple(_read_code(text) for text in self.alternatives(_ENTRY + name))

    def code_groups(self, name: str) -> tuple[tuple[Code, ...], ...]:
        return tuple(tuple(map(_read_code, values)) for values in self.groups(_ENTRY + name))

    def times(self, name: str) -> TimeRange:
        return TimeRange(self.time(f"{_ENTRY}{name}From"), self.time(f"{_ENTRY}{name}To"))

    def time(self, name: str) -> str | None:
        text = self.one(name)
        if text is not None and not re.match(r"[0-9]{4}", text):
            raise RegistryRefusal(ErrorCode.REGISTRY_ERROR, f"{name} is no time")
        return text


def _read_find_documents(given: _Parameters) -> FindDocumentsQuery:
    statuses = given.alternatives(_ENTRY + "Status")
    if not statuses:
        raise _missing(_ENTRY + "Status")
    return FindDocumentsQuery(
        patient_id=_read_patient_id(given.one(_ENTRY + "PatientId")),
        statuses=tuple(known for each in statuses if (known := availability(each))),
        home_community_id=given.home,
        return_type=given.return_type,
        entry_types=_read_entry_types(given.alternatives(_ENTRY + "Type")),
        class_codes=given.codes("ClassCode"),
        type_codes=given.codes("TypeCode"),
        format_codes=given.codes("FormatCode"),
        practice_setting_codes=given.codes("PracticeSettingCode"),
        healthcare_facility_type_codes=given.codes("HealthcareFacilityTypeCode"),
        event_codes=given.code_groups("EventCodeList"),
        confidentiality_codes=given.code_groups("ConfidentialityCode"),
        reference_ids=given.groups(_ENTRY + "ReferenceIdList"),
        author_persons=given.alternatives(_ENTRY + "AuthorPerson"),
        creation_time=given.times("CreationTime"),
        service_start_time=given.times("ServiceStartTime"),
        service_stop_time=given.times("ServiceStopTime"),
    )


def _read_find_by_reference(given: _Parameters) -> FindDocumentsQuery:
    if not given.groups(_ENTRY + "ReferenceIdList"):
        raise _missing(_ENTRY + "ReferenceIdList")
    return _read_find_documents(given)


def _read_get_documents(given: _Parameters) -> GetDocumentsQuery:
    if given.home is None:
        # ITI TF-2: 3.38.4.1.2: without a patient id the community must be named.
        raise RegistryRefusal(ErrorCode.MISSING_HOME_COMMUNITY_ID, "AdhocQuery has no home")
    entry_uuids = given.alternatives(_ENTRY + "EntryUUID")
    texts = given.alternatives(_ENTRY + "UniqueId")
    unique_ids = tuple(UniqueId(text) for text in texts if len(text) <= 256)
    if not entry_uuids and not unique_ids:
        raise _missing(_ENTRY + "EntryUUID")
    if entry_uuids and unique_ids:
        code = ErrorCode.STORED_QUERY_PARAMETER_NUMBER
        raise RegistryRefusal(code, "EntryUUID and UniqueId are both given")
    return GetDocumentsQuery(given.home, entry_uuids, unique_ids, given.return_type)


_READERS: Final[dict[StoredQuery, Callable[[_Parameters], AdhocQuery]]] = {
    StoredQuery.FIND_DOCUMENTS: _read_find_documents,
    StoredQuery.FIND_DOCUMENTS_BY_REFERENCE_ID: _read_find_by_reference,
    StoredQuery.GET_DOCUMENTS: _read_get_documents,
}


def _missing(name: str) -> RegistryRefusal:
    return RegistryRefusal(ErrorCode.STORED_QUERY_MISSING_PARAMETER, f"{name} is missing")


def _read_home(asked: Element) -> HomeCommunityId | None:
    # Quirk: before CP-ITI-429 the community stood in a slot.
    slots = dict(_parsed_slots(asked))
    text = asked.get("home", "").strip() or next(iter(slots.get("$homeCommunityId", ())), "")
    if not text:
        return None
    try:
        return HomeCommunityId.parse(text)
    except ValueError:
        raise RegistryRefusal(ErrorCode.UNKNOWN_COMMUNITY, "home is no OID") from None


def _read_patient_id(text: str | None) -> PatientId:
    if text is None:
        raise _missing(_ENTRY + "PatientId")
    try:
        return PatientId.parse(text)
    except ValueError:
        context = f"{_ENTRY}PatientId is not of the form id^^^&oid&ISO"
        raise RegistryRefusal(ErrorCode.REGISTRY_ERROR, context) from None


_ENTRY_TYPES: Final[dict[str, ObjectType]] = {urn: kind for kind, urn in OBJECT_TYPES.items()}


def _read_entry_types(values: tuple[str, ...]) -> tuple[ObjectType, ...]:
    """The kinds asked for; only stable documents when nothing is said (3.18.4.1.2.3.6.2)."""
    if not values:
        return ("stable",)
    return tuple(_ENTRY_TYPES[each.lower()] for each in values if each.lower() in _ENTRY_TYPES)


def _parsed_slots(asked: Element) -> Iterator[tuple[str, tuple[str, ...]]]:
    """Each slot with the values that all its `Value`s list: several of them are one long list."""
    for name, texts in iterate_slots(asked):
        yield name, tuple(value for text in texts for value in parse_values(text))


def _read_code(text: str) -> Code:
    value, _, scheme = (*text.split("^"), "", "")[:3]
    return Code(value, scheme or None)


# ---- writing a request -----------------------------------------------------------------------


def write_adhoc_query_request(asked: AdhocQuery) -> Element:
    """The query as AdhocQueryRequest.

    Raises:
        ValueError: FindDocuments without a status or an entry type.
    """
    element = etree.Element(query("AdhocQueryRequest"), nsmap={"query": NAMESPACE, "rim": RIM})
    option = {"returnComposedObjects": "true", "returnType": asked.return_type}
    etree.SubElement(element, query("ResponseOption"), option)
    written = etree.SubElement(element, rim("AdhocQuery"))
    match asked:
        case FindDocumentsQuery():
            written.set("id", _find_query(asked))
            _write_find_documents(written, asked)
        case GetDocumentsQuery(_, entry_uuids, unique_ids):
            written.set("id", StoredQuery.GET_DOCUMENTS)
            write_slot(written, _ENTRY + "EntryUUID", listed(entry_uuids))
            write_slot(written, _ENTRY + "UniqueId", listed(map(str, unique_ids)))
        case OtherStoredQuery(stored, parameters):
            written.set("id", stored)
            for name, values in parameters:
                write_slot(written, name, listed(values))
        case _:
            assert_never(asked)
    if asked.home_community_id is not None:
        written.set("home", asked.home_community_id.urn)
    return element


def _find_query(asked: FindDocumentsQuery) -> StoredQuery:
    if asked.reference_ids:
        return StoredQuery.FIND_DOCUMENTS_BY_REFERENCE_ID
    return StoredQuery.FIND_DOCUMENTS


def _write_find_documents(written: Element, asked: FindDocumentsQuery) -> None:
    if not asked.statuses or not asked.entry_types:
        raise ValueError("FindDocuments asks for a status and an entry type")
    statuses = (STATUS + status for status in asked.statuses)
    write_slot(written, _ENTRY + "PatientId", (quoted(asked.patient_id.cx),))
    write_slot(written, _ENTRY + "Status", listed(statuses))
    if asked.entry_types != ("stable",):
        types = (OBJECT_TYPES[kind] for kind in asked.entry_types)
        write_slot(written, _ENTRY + "Type", listed(types))
    for name, codes in (
        ("ClassCode", asked.class_codes),
        ("TypeCode", asked.type_codes),
        ("FormatCode", asked.format_codes),
        ("PracticeSettingCode", asked.practice_setting_codes),
        ("HealthcareFacilityTypeCode", asked.healthcare_facility_type_codes),
        *(("EventCodeList", codes) for codes in asked.event_codes),
        *(("ConfidentialityCode", codes) for codes in asked.confidentiality_codes),
    ):
        texts = (f"{code.value}^^{code.scheme or ''}" for code in codes)
        write_slot(written, _ENTRY + name, listed(texts))
    for references in asked.reference_ids:
        write_slot(written, _ENTRY + "ReferenceIdList", listed(references))
    write_slot(written, _ENTRY + "AuthorPerson", listed(asked.author_persons))
    for name, times in (
        ("CreationTime", asked.creation_time),
        ("ServiceStartTime", asked.service_start_time),
        ("ServiceStopTime", asked.service_stop_time),
    ):
        write_slot(written, f"{_ENTRY}{name}From", (times.start,) if times.start else ())
        write_slot(written, f"{_ENTRY}{name}To", (times.end,) if times.end else ())


# ---- response --------------------------------------------------------------------------------


def read_adhoc_query_response(element: Element) -> AdhocQueryResponse:
    """What a community answered. Objects that are no documents are passed over.

    Raises:
        UnexpectedMessage: it is no AdhocQueryResponse.
    """
    if element.tag != query("AdhocQueryResponse"):
        raise UnexpectedMessage("the body is no AdhocQueryResponse")
    entries: list[DocumentEntry] = []
    references: list[ObjectRef] = []
    unreadable = 0
    for item in element.iterfind(f"{rim('RegistryObjectList')}/*"):
        try:
            if item.tag == rim("ExtrinsicObject"):
                entries.append(read_document_entry(item))
            elif item.tag == rim("ObjectRef"):
                references.append(read_object_ref(item))
        except MalformedMessage:
            unreadable += 1
    outcome = read_outcome(element, has_content=bool(entries or references))
    return AdhocQueryResponse(
        outcome.status, outcome.errors, tuple(entries), tuple(references), unreadable
    )


def write_adhoc_query_response(response: AdhocQueryResponse) -> Element:
    """The response as AdhocQueryResponse, errors before objects as the schema wants them.

    Raises:
        ValueError: an entry without its home community (ITI TF-2: 3.38.4.1.3).
    """
    homes = [entry.home_community_id for entry in response.entries]
    homes += [reference.home_community_id for reference in response.object_refs]
    if None in homes:
        raise ValueError("every entry in a cross gateway answer names its home community")
    element, objects = _start_response(RegistryResponse(response.status, response.errors))
    objects.extend(write_document_entry(entry) for entry in response.entries)
    objects.extend(write_object_ref(reference) for reference in response.object_refs)
    return element


def adhoc_query_response_xml(outcome: RegistryResponse, entries: Iterable[bytes]) -> bytes:
    """An AdhocQueryResponse around entries that `ebrim.entry_xml` wrote before, merely joined."""
    element, _ = _start_response(outcome)
    # The element is empty, and no text or attribute can hold a bare '<'.
    around = etree.tostring(element).split(b"<rim:RegistryObjectList/>")
    return b"".join(
        (around[0], b"<rim:RegistryObjectList>", *entries, b"</rim:RegistryObjectList>", around[1])
    )


def write_stored_entries(outcome: RegistryResponse, entries: Iterable[bytes]) -> Element:
    """As `adhoc_query_response_xml`, as an element."""
    return parse_xml(adhoc_query_response_xml(outcome, entries))


def _start_response(outcome: RegistryResponse) -> tuple[Element, Element]:
    namespaces = {"query": NAMESPACE, "rim": RIM, "rs": RS}
    element = etree.Element(query("AdhocQueryResponse"), nsmap=namespaces)
    write_outcome(element, outcome)
    return element, etree.SubElement(element, rim("RegistryObjectList"))
