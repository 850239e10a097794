"""ITI-41 Provide and Register Document Set-b and ITI-80 Cross-Gateway Document Provide.

ITI TF-2: 3.41, 3.80: one message under two actions; XCDR's also names the community it is for. The
documents travel as MTOM parts; here they are named by their Content-ID. The answer is a plain
RegistryResponse (`registry_response`).
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from lxml import etree

from ccda.safe_xml import Element
from ihe.association import read_association
from ihe.document_content import ContentId, read_content, write_content
from ihe.ebrim import read_document_entry
from ihe.errors import MalformedMessage, UnexpectedMessage
from ihe.identifiers import HomeCommunityId, PatientId
from ihe.metadata import Association, DocumentEntry, Folder, SubmissionSet
from ihe.namespaces import XOP
from ihe.registry_package import read_registry_package
from ihe.registry_response import ErrorCode, RegistryRefusal, rs
from ihe.rim import first, read_slots, rim
from ihe.submission import (
    classified,
    lcm,
    loose_classifications,
    write_submit_objects,
)
from ihe.xca_retrieve import NAMESPACE, xdsb

_HOME: Final = "homeCommunityId"
_MOST_OBJECTS: Final = 10_000


@dataclass(frozen=True, slots=True)
class SubmittedDocument:
    """A document's bytes, or the part that has them, by the id of its entry in the submission."""

    entry_uuid: str
    content: bytes | ContentId


@dataclass(frozen=True, slots=True)
class ProvideAndRegisterRequest:
    """What is submitted together. `home_community_id` is whom ITI-80 is for.

    Ids of objects are UUIDs, or any other text that is known in this submission alone.
    """

    submission_set: SubmissionSet
    entries: tuple[DocumentEntry, ...] = ()
    documents: tuple[SubmittedDocument, ...] = ()
    associations: tuple[Association, ...] = ()
    folders: tuple[Folder, ...] = ()
    home_community_id: HomeCommunityId | None = None

    @property
    def patient_id(self) -> PatientId | None:
        """Whom the metadata names; None where it is minimal and names nobody."""
        named = (self.submission_set.patient_id, *(each.patient_id for each in self.entries))
        return next((each for each in named if each is not None), None)

    @property
    def submitted(self) -> Iterator[tuple[DocumentEntry, SubmittedDocument]]:
        """Each entry with its document."""
        by_id = {one.entry_uuid: one for one in self.documents}
        for entry in self.entries:
            if entry.entry_uuid in by_id:
                yield entry, by_id[entry.entry_uuid]


# ---- reading ---------------------------------------------------------------------------------


def read_provide_and_register(element: Element) -> ProvideAndRegisterRequest:
    """What someone submits to us: each document with its entry, all of one patient.

    Raises:
        UnexpectedMessage: it is no ProvideAndRegisterDocumentSetRequest.
        MalformedMessage: it submits nothing at all, or an include is no `cid:`.
        RegistryRefusal: its metadata is not what XDS demands, and which error says so.
    """
    request = _read(element)
    ids = [each.entry_uuid for each in request.entries]
    unique_ids = [each.unique_id for each in request.entries]
    if len(set(ids)) < len(ids) or len({one.entry_uuid for one in request.documents}) < len(
        request.documents
    ):
        raise _metadata_error("two objects of the submission have one id")
    if len(set(unique_ids)) < len(unique_ids):
        context = "two documents of the submission have one uniqueId"
        raise RegistryRefusal(ErrorCode.DUPLICATE_UNIQUE_ID, context)
    _check_documents(request)
    _check_patient(request)
    if any(each.source == each.target for each in request.associations):
        raise _metadata_error("an association joins an object to itself")
    return request


def _read(element: Element) -> ProvideAndRegisterRequest:
    if element.tag != xdsb("ProvideAndRegisterDocumentSetRequest"):
        raise UnexpectedMessage("the body is no ProvideAndRegisterDocumentSetRequest")
    submitted = element.find(lcm("SubmitObjectsRequest"))
    objects = None if submitted is None else submitted.find(rim("RegistryObjectList"))
    if submitted is None or objects is None:
        raise MalformedMessage("SubmitObjectsRequest or its RegistryObjectList is missing")
    if len(objects) > _MOST_OBJECTS:
        raise RegistryRefusal(
            ErrorCode.REPOSITORY_OUT_OF_RESOURCES, "the submission has more objects than we take"
        )
    loose = loose_classifications(objects)
    try:
        entries = [read_document_entry(each) for each in objects.iterfind(rim("ExtrinsicObject"))]
        packages = [
            read_registry_package(classified(each, loose))
            for each in objects.iterfind(rim("RegistryPackage"))
        ]
        associations = [read_association(each) for each in objects.iterfind(rim("Association"))]
    except MalformedMessage as error:
        raise _metadata_error(error.reason) from None
    sets = [each for each in packages if isinstance(each, SubmissionSet)]
    if len(sets) != 1:
        raise _metadata_error("there is not exactly one submission set")
    return ProvideAndRegisterRequest(
        submission_set=sets[0],
        entries=tuple(entries),
        documents=tuple(_documents(element)),
        associations=tuple(associations),
        folders=tuple(each for each in packages if isinstance(each, Folder)),
        home_community_id=_home(submitted),
    )


def _documents(element: Element) -> Iterator[SubmittedDocument]:
    for each in element.iterfind(xdsb("Document")):
        entry_uuid, content = each.get("id", "").strip(), read_content(each)
        if not entry_uuid:
            context = "a document does not say which entry it belongs to"
            raise RegistryRefusal(ErrorCode.MISSING_DOCUMENT_METADATA, context)
        if content is None:
            context = "a document has neither content nor an included part"
            raise RegistryRefusal(ErrorCode.MISSING_DOCUMENT, context)
        yield SubmittedDocument(entry_uuid, content)


def _home(submitted: Element) -> HomeCommunityId | None:
    """ITI TF-2: 3.80.4.1.2: a slot of the request; in its list, or where ebRS' own slots stand."""
    listed = submitted.find(rs("RequestSlotList"))
    for holder in (listed, submitted):
        stated = None if holder is None else first(read_slots(holder), _HOME)
        if stated is not None:
            try:
                return HomeCommunityId.parse(stated)
            except ValueError:
                raise _metadata_error("the homeCommunityId is no OID") from None
    return None


def _check_documents(request: ProvideAndRegisterRequest) -> None:
    """ITI TF-2: 3.41.4.1.3: no entry without its document, no document without its entry."""
    described = {each.entry_uuid: each.unique_id for each in request.entries}
    given = {each.entry_uuid for each in request.documents}
    lacking = [str(unique_id) for each, unique_id in described.items() if each not in given]
    if lacking:
        context = f"the document is missing of {', '.join(lacking[:10])}"
        raise RegistryRefusal(ErrorCode.MISSING_DOCUMENT, context)
    if given - set(described):
        context = "a document has no entry in the metadata"
        raise RegistryRefusal(ErrorCode.MISSING_DOCUMENT_METADATA, context)


def _check_patient(request: ProvideAndRegisterRequest) -> None:
    """ITI TF-3: 4.2.1.1: a submission is about one patient; minimal metadata may name none."""
    named = {each.patient_id for each in request.entries} | {request.submission_set.patient_id}
    if len(named - {None}) > 1:
        context = "the submission set and its documents are of different patients"
        raise RegistryRefusal(ErrorCode.PATIENT_ID_DOES_NOT_MATCH, context)


def _metadata_error(context: str) -> RegistryRefusal:
    return RegistryRefusal(ErrorCode.REPOSITORY_METADATA_ERROR, context)


# ---- writing ---------------------------------------------------------------------------------


def write_provide_and_register(request: ProvideAndRegisterRequest) -> Element:
    """The request; with a home community it is one of ITI-80."""
    home = request.home_community_id
    element = etree.Element(
        xdsb("ProvideAndRegisterDocumentSetRequest"), nsmap={None: NAMESPACE, "xop": XOP}
    )
    element.append(
        write_submit_objects(
            request.submission_set,
            request.entries,
            request.associations,
            folders=request.folders,
            slots=() if home is None else ((_HOME, home.urn),),
        )
    )
    for document in request.documents:
        holder = etree.SubElement(element, xdsb("Document"), {"id": document.entry_uuid})
        write_content(holder, document.content)
    return element
