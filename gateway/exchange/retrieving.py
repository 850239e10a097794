"""What an ITI-39 answer brings: attachments into the blob store, documents matched to requests."""

import asyncio
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from ccda.safe_xml import Element
from gateway.exchange.archive import Archive
from gateway.model.document import Blob
from gateway.model.identity import PlanId
from gateway.store.blobs import BlobWriter
from ihe.identifiers import UniqueId
from ihe.registry_response import RegistryError
from ihe.xca_retrieve import (
    ContentId,
    DocumentRequest,
    RetrievedDocument,
    RetrieveDocumentSetRequest,
    read_retrieve_response,
)


@dataclass(frozen=True, slots=True)
class ArrivedDocument:
    """One document that was asked for; its bytes are safe."""

    request: DocumentRequest
    blob: Blob


@dataclass(frozen=True, slots=True)
class Arrived:
    """What came, and what was asked for and did not (DECISIONS 13)."""

    documents: tuple[ArrivedDocument, ...]
    missing: tuple[DocumentRequest, ...]
    errors: tuple[RegistryError, ...] = ()


@dataclass(slots=True)
class _Attachment:
    """A writer that remembers the blob it made."""

    writer: BlobWriter
    blob: Blob | None = None

    def write(self, chunk: bytes) -> None:
        self.writer.write(chunk)

    def finish(self) -> None:
        self.blob = self.writer.finish()


@dataclass(slots=True)
class Attachments:
    """The attachments of one answer, each written to the plan's blobs as it streams in."""

    archive: Archive
    plan: PlanId
    _by_cid: dict[str | None, _Attachment] = field(default_factory=dict)

    def open(self, cid: str | None, _content_type: str | None) -> _Attachment:
        """The sink for the attachment of that Content-ID."""
        attachment = _Attachment(self.archive.blobs.writer(self.plan))
        self._by_cid[cid] = attachment
        return attachment

    def blob(self, content: bytes | ContentId) -> Blob | None:
        """The stored bytes of a document; None when its attachment did not come."""
        if isinstance(content, bytes):
            return self.archive.store(self.plan, content)
        attachment = self._by_cid.get(content.value)
        return attachment.blob if attachment else None

    def discard(self) -> None:
        """Leaves nothing half-written behind; finished blobs that no row names are swept later."""
        for attachment in self._by_cid.values():
            if attachment.blob is None:
                attachment.writer.abort()


async def collect(
    attachments: Attachments, body: Element, request: RetrieveDocumentSetRequest
) -> Arrived:
    """The documents of the answer that were asked for; anything else in it is not ours to keep.

    Raises:
        IheError: the body is no RetrieveDocumentSetResponse.
    """
    # In a thread: documents may stand in the body, and their base64 is long.
    response = await asyncio.to_thread(read_retrieve_response, body)
    asked = {document.unique_id: document for document in request.documents}
    found = await asyncio.to_thread(lambda: tuple(_arrived(attachments, response.documents, asked)))
    came = {one.request for one in found}
    missing = tuple(one for one in request.documents if one not in came)
    return Arrived(found, missing, response.outcome.errors)


def _arrived(
    attachments: Attachments,
    given: tuple[RetrievedDocument, ...],
    asked: Mapping[UniqueId, DocumentRequest],
) -> Iterator[ArrivedDocument]:
    waiting = dict(asked)
    for document in given:
        request = waiting.get(document.unique_id)
        # ITI TF-2: 3.39.4.1.3 has it equal the request's (DECISIONS 12), and one that is stated
        # must. Where it is left out, nothing contradicts: the whole answer came over the
        # connection of the partner that was asked, and the id is one that was asked of it.
        if request is None or document.home_community_id not in (None, request.home_community_id):
            continue
        blob = attachments.blob(document.content)
        # Quirk: a part of no bytes where a document was too large for its sender.
        if blob is not None and blob.size_bytes:
            del waiting[document.unique_id]  # what comes twice under one id is taken once
            yield ArrivedDocument(request, blob)
