"""ITI-39 Cross Gateway Retrieve (ITI TF-2: 3.39): how its request and its response are written.

The documents themselves travel as MTOM parts; here they are named by their Content-ID.
"""

import re
from dataclasses import dataclass
from typing import Final

from lxml import etree

from ccda.safe_xml import Element
from ihe.document_content import ContentId, read_content, write_content
from ihe.errors import MalformedMessage, UnexpectedMessage
from ihe.identifiers import HomeCommunityId, Oid, UniqueId
from ihe.namespaces import XOP
from ihe.registry_response import NAMESPACE as RS
from ihe.registry_response import (
    ErrorCode,
    RegistryError,
    RegistryResponse,
    read_outcome,
    rs,
    write_registry_response,
)
from ihe.rim import oid

NAMESPACE: Final = "urn:ihe:iti:xds-b:2007"
_UUID: Final = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")


def xdsb(name: str) -> str:
    """`name` in the XDS.b namespace, as lxml writes it."""
    return f"{{{NAMESPACE}}}{name}"


@dataclass(frozen=True, slots=True)
class DocumentRequest:
    """One document asked for. Without a home community, only an error can answer it."""

    repository_unique_id: Oid
    unique_id: UniqueId
    home_community_id: HomeCommunityId | None


@dataclass(frozen=True, slots=True)
class NamedDocument:
    """A document as a request names it, though it may not be asked for so."""

    unique_id: UniqueId
    repository: str | None
    home: str | None


@dataclass(frozen=True, slots=True)
class RetrieveDocumentSetRequest:
    """The documents asked for, and an error for each that is asked for without its ids."""

    documents: tuple[DocumentRequest, ...]
    refused: tuple[RegistryError, ...] = ()

    def __post_init__(self) -> None:
        if not self.documents and not self.refused:
            raise ValueError("a retrieve asks for at least one document")


@dataclass(frozen=True, slots=True)
class RetrievedDocument:
    """One document that came. An on-demand document has new ids; later it is known by those."""

    unique_id: UniqueId
    content: bytes | ContentId
    repository_unique_id: Oid | None = None
    home_community_id: HomeCommunityId | None = None
    mime_type: str | None = None
    new_unique_id: UniqueId | None = None
    new_repository_unique_id: Oid | None = None


@dataclass(frozen=True, slots=True)
class RetrieveDocumentSetResponse:
    """What came of a retrieve; `unreadable` counts documents that came without an id or content."""

    outcome: RegistryResponse
    documents: tuple[RetrievedDocument, ...] = ()
    unreadable: int = 0


def document_error(asked: DocumentRequest, code: ErrorCode, context: str) -> RegistryError:
    """Why one document is not there: it and its community are the location (ITI TF-3: 4.2.4.1)."""
    return _document_error(asked.unique_id, asked.home_community_id, code, context)


def _document_error(
    unique_id: UniqueId, home: HomeCommunityId | None, code: ErrorCode, context: str
) -> RegistryError:
    location = str(unique_id) if home is None else f"{unique_id} {home.urn}"
    return RegistryError(code, context, location=location)


# ---- request ---------------------------------------------------------------------------------


def read_retrieve_request(element: Element) -> RetrieveDocumentSetRequest:
    """The documents that someone asks us for.

    Raises:
        UnexpectedMessage: it is no RetrieveDocumentSetRequest.
        MalformedMessage: it asks for nothing.
    """
    if element.tag != xdsb("RetrieveDocumentSetRequest"):
        raise UnexpectedMessage("the body is no RetrieveDocumentSetRequest")
    read = [_read_document_request(each) for each in element.iterfind(xdsb("DocumentRequest"))]
    if not read:
        raise MalformedMessage("DocumentRequest is missing")
    return RetrieveDocumentSetRequest(
        documents=tuple(each for each in read if isinstance(each, DocumentRequest)),
        refused=tuple(each for each in read if isinstance(each, RegistryError)),
    )


def read_named_documents(element: Element) -> tuple[NamedDocument, ...]:
    """Every document that a request names by an id, each once: also what cannot be asked for so."""
    named: dict[NamedDocument, None] = {}
    for each in element.iterfind(xdsb("DocumentRequest")):
        unique_id, home = _unique_id(each, "DocumentUniqueId"), _home(each)
        if unique_id is not None:
            repository = _text(each, "RepositoryUniqueId")
            known = oid(repository)
            written = NamedDocument(
                unique_id,
                repository if known is None else str(known),
                _text(each, "HomeCommunityId") if home is None else home.urn,
            )
            named[written] = None
    return tuple(named)


def _read_document_request(element: Element) -> DocumentRequest | RegistryError:
    """One document, or why it cannot be asked for: the others are answered all the same."""
    unique_id = _unique_id(element, "DocumentUniqueId")
    home = _home(element)
    if unique_id is None:
        context = "DocumentUniqueId is missing or too long"
        location = None if home is None else home.urn
        return RegistryError(ErrorCode.DOCUMENT_UNIQUE_ID, context, location=location)
    repository = oid(_text(element, "RepositoryUniqueId"))
    if repository is None:
        context = "RepositoryUniqueId is missing or no OID"
        return _document_error(unique_id, home, ErrorCode.UNKNOWN_REPOSITORY_ID, context)
    if home is None and _text(element, "HomeCommunityId") is not None:
        context = "HomeCommunityId is no OID"
        return _document_error(unique_id, None, ErrorCode.UNKNOWN_COMMUNITY, context)
    return DocumentRequest(repository, unique_id, home)


def write_retrieve_request(
    request: RetrieveDocumentSetRequest,
    *,
    repository_urn: bool = False,
    uuid_urn: bool = False,
) -> Element:
    """The request as RetrieveDocumentSetRequest; repository ids are bare OIDs.

    Quirks: with `repository_urn` they are `urn:oid:`, with `uuid_urn` document ids that are UUIDs
    in lower case have `urn:uuid:` before them.

    Raises:
        ValueError: a document without its home community (ITI TF-2: 3.39.4.1.2).
    """
    element = etree.Element(xdsb("RetrieveDocumentSetRequest"), nsmap={None: NAMESPACE})
    for asked in request.documents:
        if asked.home_community_id is None:
            raise ValueError("a cross gateway retrieve names the home community")
        document = etree.SubElement(element, xdsb("DocumentRequest"))
        _append(document, "HomeCommunityId", asked.home_community_id.urn)
        repository, unique_id = str(asked.repository_unique_id), str(asked.unique_id)
        is_uuid = uuid_urn and _UUID.fullmatch(unique_id) is not None
        _append(document, "RepositoryUniqueId", "urn:oid:" * repository_urn + repository)
        _append(document, "DocumentUniqueId", "urn:uuid:" * is_uuid + unique_id)
    return element


# ---- response --------------------------------------------------------------------------------


def read_retrieve_response(element: Element) -> RetrieveDocumentSetResponse:
    """What came: documents by their Content-ID, or their bytes where they stand in the body.

    Raises:
        UnexpectedMessage: it is no RetrieveDocumentSetResponse.
        MalformedMessage: an include that is no `cid:`.
    """
    if element.tag != xdsb("RetrieveDocumentSetResponse"):
        raise UnexpectedMessage("the body is no RetrieveDocumentSetResponse")
    responses = element.findall(xdsb("DocumentResponse"))
    read = [_read_document(each) for each in responses]
    documents = tuple(document for document in read if document is not None)
    # Quirk: no RegistryResponse at all; then the content alone says how it went.
    stated = element.find(rs("RegistryResponse"))
    outcome = read_outcome(element if stated is None else stated, has_content=bool(documents))
    return RetrieveDocumentSetResponse(outcome, documents, len(read) - len(documents))


def _read_document(element: Element) -> RetrievedDocument | None:
    unique_id = _unique_id(element, "DocumentUniqueId")
    content = read_content(element.find(xdsb("Document")))
    if unique_id is None or content is None:
        return None
    return RetrievedDocument(
        unique_id=unique_id,
        content=content,
        repository_unique_id=oid(_text(element, "RepositoryUniqueId")),
        home_community_id=_home(element),
        mime_type=_text(element, "mimeType"),
        new_unique_id=_unique_id(element, "NewDocumentUniqueId"),
        new_repository_unique_id=oid(_text(element, "NewRepositoryUniqueId")),
    )


def write_retrieve_response(response: RetrieveDocumentSetResponse) -> Element:
    """The response as RetrieveDocumentSetResponse, its outcome first.

    Raises:
        ValueError: a document without home community, repository or media type (3.39.4.2.2).
    """
    namespaces = {None: NAMESPACE, "rs": RS, "xop": XOP}
    element = etree.Element(xdsb("RetrieveDocumentSetResponse"), nsmap=namespaces)
    element.append(write_registry_response(response.outcome))
    for document in response.documents:
        _write_document(element, document)
    return element


def _write_document(parent: Element, document: RetrievedDocument) -> None:
    home = document.home_community_id
    if home is None or document.repository_unique_id is None or document.mime_type is None:
        raise ValueError("a document sent names its home, its repository and its media type")
    element = etree.SubElement(parent, xdsb("DocumentResponse"))
    for name, value in (
        ("HomeCommunityId", home.urn),
        ("RepositoryUniqueId", document.repository_unique_id),
        ("DocumentUniqueId", document.unique_id),
        ("NewRepositoryUniqueId", document.new_repository_unique_id),
        ("NewDocumentUniqueId", document.new_unique_id),
        ("mimeType", document.mime_type),
    ):
        if value is not None:
            _append(element, name, str(value))
    write_content(etree.SubElement(element, xdsb("Document")), document.content)


# ---- small parts -----------------------------------------------------------------------------


def _append(parent: Element, name: str, text: str) -> None:
    etree.SubElement(parent, xdsb(name)).text = text


def _text(parent: Element, name: str) -> str | None:
    found = parent.find(xdsb(name))
    return ((found.text or "").strip() or None) if found is not None else None


def _unique_id(parent: Element, name: str) -> UniqueId | None:
    text = _text(parent, name)
    return UniqueId(text) if text and len(text) <= 256 else None


def _home(parent: Element) -> HomeCommunityId | None:
    found = oid(_text(parent, "HomeCommunityId"))
    return None if found is None else HomeCommunityId(found)
