"""ITI-38 Cross Gateway Query (ITI TF-2: 3.38): how its request and its response are written."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final, assert_never

from lxml import etree

from ccda.safe_xml import Element
from ihe.association import read_association, write_association
from ihe.ebrim import (
    PATIENT_ID,
    read_document_entry,
    read_object_ref,
    write_document_entry,
    write_object_ref,
)
from ihe.errors import MalformedMessage, UnexpectedMessage
from ihe.identifiers import HomeCommunityId
from ihe.metadata import Association, DocumentEntry, Folder, ObjectRef, SubmissionSet
from ihe.query_filter import matches
from ihe.query_layout import query_slots, read_query, stored_query_of
from ihe.query_parameters import Parameters
from ihe.query_values import parse_values
from ihe.registry_package import read_registry_package, write_folder, write_submission_set
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
from ihe.rim import external_identifiers, iterate_slots, rim, whole, write_slot
from ihe.soap import WrittenPayload
from ihe.stored_query import (
    AdhocQuery,
    FindDocumentsQuery,
    GetDocumentsQuery,
    ReturnType,
    StoredQuery,
    TimeRange,
)

__all__ = [
    "AdhocQuery",
    "AdhocQueryResponse",
    "FindDocumentsQuery",
    "GetDocumentsQuery",
    "ReturnType",
    "StoredQuery",
    "TimeRange",
    "adhoc_query_response_xml",
    "matches",
    "read_adhoc_query_request",
    "read_adhoc_query_response",
    "registry_object_xml",
    "write_adhoc_query_request",
    "write_adhoc_query_response",
    "write_registry_object",
    "write_stored_entries",
]

NAMESPACE: Final = "urn:oasis:names:tc:ebxml-regrep:xsd:query:3.0"
RegistryObject = DocumentEntry | SubmissionSet | Folder | Association | ObjectRef


def query(name: str) -> str:
    """`name` in the ebRS query namespace, as lxml writes it."""
    return f"{{{NAMESPACE}}}{name}"


@dataclass(frozen=True, slots=True)
class AdhocQueryResponse:
    """What a community holds; `unreadable` counts entries too broken to be asked for.

    An entry whose patient id is no CX names somebody all the same: `unread_patient_ids` has it as
    written, by the entry's UUID. `total` is how many objects there are, where the community says
    so (ebRS 3.0: 6.2), and `listed` how many of them it has listed.
    """

    status: ResponseStatus
    errors: tuple[RegistryError, ...] = ()
    entries: tuple[DocumentEntry, ...] = ()
    object_refs: tuple[ObjectRef, ...] = ()
    unreadable: int = 0
    submission_sets: tuple[SubmissionSet, ...] = ()
    folders: tuple[Folder, ...] = ()
    associations: tuple[Association, ...] = ()
    unread_patient_ids: Mapping[str, str] = field(default_factory=dict)
    total: int | None = None

    @property
    def listed(self) -> int:
        known = (
            self.entries,
            self.object_refs,
            self.submission_sets,
            self.folders,
            self.associations,
        )
        return self.unreadable + sum(map(len, known))


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
    asked = next(element.iterchildren(rim("AdhocQuery")), None)
    if asked is None:
        raise MalformedMessage("AdhocQuery is missing")
    stored = _QUERIES.get(asked.get("id", "").strip().lower().removeprefix("urn:uuid:"))
    if stored is None:
        # The queries for several patients among them: they are ITI-51's, not XCA's.
        raise RegistryRefusal(ErrorCode.UNKNOWN_STORED_QUERY, "AdhocQuery has an unknown id")
    slots = tuple(_parsed_slots(asked))
    return read_query(stored, Parameters(slots, _read_home(asked, slots), _return_type(element)))


_QUERIES: Final = {each.removeprefix("urn:uuid:"): each for each in StoredQuery}


def _return_type(element: Element) -> ReturnType:
    option = next(element.iterchildren(query("ResponseOption")), None)
    return (
        "ObjectRef"
        if option is not None and option.get("returnType") == "ObjectRef"
        else "LeafClass"
    )


def _parsed_slots(asked: Element) -> Iterator[tuple[str, tuple[str, ...]]]:
    """Each slot with the values that all its `Value`s list: several of them are one long list."""
    for name, texts in iterate_slots(asked):
        yield name, tuple(value for text in texts for value in parse_values(text))


def _read_home(
    asked: Element, given: Iterable[tuple[str, tuple[str, ...]]]
) -> HomeCommunityId | None:
    slots = {name.lower(): values for name, values in given}
    # Quirk: before CP-ITI-429 the community stood in a slot; and some name it only among the
    # communities that an initiating gateway is to ask.
    targets = slots.get("$targetcommunityidlist", ())
    text = (
        asked.get("home", "").strip()
        or next(iter(slots.get("$homecommunityid", ())), "")
        or (targets[0] if len(targets) == 1 else "")
    )
    if not text:
        return None
    try:
        return HomeCommunityId.parse(text)
    except ValueError:
        raise RegistryRefusal(ErrorCode.UNKNOWN_COMMUNITY, "home is no OID") from None


# ---- writing a request -----------------------------------------------------------------------


def write_adhoc_query_request(asked: AdhocQuery) -> Element:
    """The query as AdhocQueryRequest.

    Raises:
        ValueError: it names no status or no entry type where it must.
    """
    element = etree.Element(query("AdhocQueryRequest"), nsmap={"query": NAMESPACE, "rim": RIM})
    option = {"returnComposedObjects": "true", "returnType": asked.return_type}
    etree.SubElement(element, query("ResponseOption"), option)
    written = etree.SubElement(element, rim("AdhocQuery"))
    written.set("id", stored_query_of(asked))
    for slots in query_slots(asked):
        for name, values in slots:
            write_slot(written, name, values)
    if asked.home_community_id is not None:
        written.set("home", asked.home_community_id.urn)
    return element


# ---- response --------------------------------------------------------------------------------


def read_adhoc_query_response(element: Element) -> AdhocQueryResponse:
    """What a community answered. Objects of kinds that no query returns are passed over.

    Raises:
        UnexpectedMessage: it is no AdhocQueryResponse.
    """
    if element.tag != query("AdhocQueryResponse"):
        raise UnexpectedMessage("the body is no AdhocQueryResponse")
    found: list[RegistryObject] = []
    unread_patient_ids: dict[str, str] = {}
    unreadable = 0
    for item in element.iterfind(f"{rim('RegistryObjectList')}/*"):
        try:
            if (read := _READERS.get(str(item.tag))) is not None:
                found.append(one := read(item))
                unread_patient_ids.update(_unread_patient_id(item, one))
        except MalformedMessage:
            unreadable += 1
    outcome = read_outcome(element, has_content=bool(found))
    return AdhocQueryResponse(
        outcome.status,
        outcome.errors,
        entries=tuple(one for one in found if isinstance(one, DocumentEntry)),
        object_refs=tuple(one for one in found if isinstance(one, ObjectRef)),
        unreadable=unreadable,
        submission_sets=tuple(one for one in found if isinstance(one, SubmissionSet)),
        folders=tuple(one for one in found if isinstance(one, Folder)),
        associations=tuple(one for one in found if isinstance(one, Association)),
        unread_patient_ids=unread_patient_ids,
        total=whole(element.get("totalResultCount")),
    )


def _unread_patient_id(item: Element, read: RegistryObject) -> Iterator[tuple[str, str]]:
    if isinstance(read, DocumentEntry) and read.patient_id is None:
        text = external_identifiers(item).get(PATIENT_ID, "").strip()
        if text:
            yield read.entry_uuid, text


_READERS: Final[dict[str, Callable[[Element], RegistryObject]]] = {
    rim("ExtrinsicObject"): read_document_entry,
    rim("ObjectRef"): read_object_ref,
    rim("RegistryPackage"): read_registry_package,
    rim("Association"): read_association,
}


def write_adhoc_query_response(response: AdhocQueryResponse) -> Element:
    """The response as AdhocQueryResponse, errors before objects as the schema wants them.

    Raises:
        ValueError: an object without its home community (ITI TF-2: 3.38.4.1.3).
    """
    element, objects = _start_response(RegistryResponse(response.status, response.errors))
    given: list[RegistryObject] = [*response.entries, *response.submission_sets]
    given += [*response.folders, *response.associations, *response.object_refs]
    objects.extend(map(write_registry_object, given))
    return element


def write_registry_object(given: RegistryObject) -> Element:
    """The object as it stands in an answer.

    Raises:
        ValueError: it does not name its home community (ITI TF-2: 3.38.4.1.3).
    """
    if given.home_community_id is None:
        raise ValueError("every object in a cross gateway answer names its home community")
    match given:
        case DocumentEntry():
            return write_document_entry(given)
        case SubmissionSet():
            return write_submission_set(given)
        case Folder():
            return write_folder(given)
        case Association():
            return write_association(given)
        case ObjectRef():
            return write_object_ref(given)
        case _:
            assert_never(given)


def registry_object_xml(given: RegistryObject) -> bytes:
    """As `write_registry_object`, as bytes that stand on their own.

    Raises:
        ValueError: it does not name its home community.
    """
    return etree.tostring(write_registry_object(given))


def adhoc_query_response_xml(outcome: RegistryResponse, entries: Iterable[bytes]) -> bytes:
    """An AdhocQueryResponse around entries that `ebrim.entry_xml` wrote before, merely joined."""
    before, after = _AROUND_ALL if outcome == _ALL_WELL else _around(outcome)
    return b"".join((before, *entries, after))


def write_stored_entries(outcome: RegistryResponse, entries: Iterable[bytes]) -> WrittenPayload:
    """As `adhoc_query_response_xml`, as the payload of an answer."""
    return WrittenPayload(query("AdhocQueryResponse"), adhoc_query_response_xml(outcome, entries))


def _around(outcome: RegistryResponse) -> tuple[bytes, bytes]:
    """What stands before the entries, and after."""
    element, _ = _start_response(outcome)
    # The element is empty, and no text or attribute can hold a bare '<'.
    before, after = etree.tostring(element).split(b"<rim:RegistryObjectList/>")
    return b"%b<rim:RegistryObjectList>" % before, b"</rim:RegistryObjectList>%b" % after


def _start_response(outcome: RegistryResponse) -> tuple[Element, Element]:
    namespaces = {"query": NAMESPACE, "rim": RIM, "rs": RS}
    element = etree.Element(query("AdhocQueryResponse"), nsmap=namespaces)
    write_outcome(element, outcome)
    return element, etree.SubElement(element, rim("RegistryObjectList"))


_ALL_WELL: Final = RegistryResponse(ResponseStatus.SUCCESS)
_AROUND_ALL: Final = _around(_ALL_WELL)
