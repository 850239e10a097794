"""What an ITI-39 answer brings: attachments into the blob store, documents matched to requests."""

import asyncio
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field

from ccda.safe_xml import Element
from gateway.exchange.archive import Archive
from gateway.exchange.error_words import in_words
from gateway.model.document import Blob
from gateway.model.identity import PlanId
from gateway.model.later import StoredPart
from gateway.store.blobs import BlobWriter
from ihe.document_content import ContentId
from ihe.identifiers import UniqueId
from ihe.registry_response import RegistryError, ResponseStatus, Severity
from ihe.xca_retrieve import (
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
    given: RetrievedDocument


@dataclass(frozen=True, slots=True)
class Arrived:
    """What came, and what was asked for and did not (DECISIONS 13).

    `elsewhere` counts documents that name another community than was asked, `unasked` those that
    nobody asked for; neither is kept.
    """

    documents: tuple[ArrivedDocument, ...]
    missing: tuple[DocumentRequest, ...]
    errors: tuple[RegistryError, ...] = ()
    elsewhere: int = 0
    unasked: int = 0
    status: ResponseStatus = ResponseStatus.SUCCESS

    @property
    def unexplained(self) -> tuple[DocumentRequest, ...]:
        """What is missing though no error says why; warnings come with whole answers too."""
        explained = any(error.severity is Severity.ERROR for error in self.errors)
        return () if explained or self.elsewhere else self.missing

    @property
    def reported(self) -> str | None:
        """What it said itself of what is missing, in words."""
        return f"it reported {in_words(self.errors)}" if self.missing and self.errors else None

    @property
    def remarks(self) -> Iterator[str]:
        """What was wrong with the answer, in words."""
        if self.elsewhere:
            yield f"{self.elsewhere} came from another community than was asked: not taken"
        if self.unasked:
            yield f"{self.unasked} came that nobody asked for: not taken"
        if self.reported is not None:
            yield self.reported


@dataclass(slots=True)
class _Attachment:
    """A writer that remembers the blob it made."""

    writer: BlobWriter
    blob: Blob | None = None

    def write(self, *pieces: bytes) -> None:
        self.writer.write(*pieces)

    def finish(self) -> None:
        self.blob = self.writer.finish()


@dataclass(slots=True)
class Attachments:
    """The attachments of one answer, each written to the plan's blobs as it streams in."""

    archive: Archive
    plan: PlanId
    _by_cid: dict[str | None, _Attachment] = field(default_factory=dict)
    _stored: dict[str | None, Blob] = field(default_factory=dict)

    def open(self, cid: str | None, _content_type: str | None) -> _Attachment:
        """The sink for the attachment of that Content-ID."""
        attachment = _Attachment(self.archive.blobs.writer(self.plan))
        self._by_cid[cid] = attachment
        return attachment

    def take(self, part: StoredPart) -> None:
        """An attachment that was stored when it arrived."""
        self._stored[part.cid] = part.blob

    def blob(self, content: bytes | ContentId) -> Blob | None:
        """The stored bytes of a document; None when its attachment did not come."""
        if isinstance(content, bytes):
            return self.archive.store(self.plan, content)
        if content.value in self._stored:
            return self._stored[content.value]
        attachment = self._by_cid.get(content.value)
        return attachment.blob if attachment else None

    def stored(self) -> tuple[StoredPart, ...]:
        """Those that came whole."""
        return tuple(
            StoredPart(cid, one.blob) for cid, one in self._by_cid.items() if one.blob is not None
        )

    def discard(self) -> None:
        """Leaves nothing half-written behind; finished blobs that no row names are swept later.

        What one answer brought is never taken for a part of the next.
        """
        with ExitStack() as each:  # whatever becomes of one, the others go too
            for attachment in self._by_cid.values():
                if attachment.blob is None:
                    each.callback(attachment.writer.abort)
            self._by_cid.clear()


async def collect(
    attachments: Attachments,
    body: Element,
    request: RetrieveDocumentSetRequest,
    *,
    other_home_accepted: bool = False,
) -> Arrived:
    """The documents of the answer that were asked for; anything else in it is not ours to keep.

    Raises:
        IheError: the body is no RetrieveDocumentSetResponse.
    """
    # In a thread: documents may stand in the body, and their base64 is long.
    response = await asyncio.to_thread(read_retrieve_response, body)
    sorting = _Sorting(attachments, request.documents)
    await asyncio.to_thread(sorting.take, response.documents, other_home_accepted)
    came = {one.request for one in sorting.arrived}
    missing = tuple(one for one in request.documents if one not in came)
    return Arrived(
        tuple(sorting.arrived),
        missing,
        response.outcome.errors,
        sorting.elsewhere,
        sorting.unasked,
        response.outcome.status,
    )


@dataclass(slots=True)
class _Sorting:
    attachments: Attachments
    asked: Sequence[DocumentRequest]
    arrived: list[ArrivedDocument] = field(default_factory=list)
    elsewhere: int = 0
    unasked: int = 0

    def take(self, given: Iterable[RetrievedDocument], other_home_accepted: bool) -> None:
        waiting = list(self.asked)
        for document in given:
            request = _asked_as(document.unique_id, waiting)
            if request is None:  # what comes twice under one id is taken once
                self.unasked += _asked_as(document.unique_id, self.asked) is None
            elif not other_home_accepted and _is_elsewhere(document, request):
                self.elsewhere += 1
            else:
                blob = self.attachments.blob(document.content)
                # Quirk: a part of no bytes where a document was too large for its sender.
                if blob is not None and blob.size_bytes:
                    waiting.remove(request)
                    self.arrived.append(ArrivedDocument(request, blob, document))


def _asked_as(given: UniqueId, asked: Sequence[DocumentRequest]) -> DocumentRequest | None:
    """Quirk: some write `urn:uuid:` or `urn:oid:` before a document's id, or a UUID in capitals,
    and do otherwise elsewhere. What is written alike goes first."""
    alike = [one for one in asked if one.unique_id.bare == given.bare]
    return next((one for one in alike if one.unique_id == given), alike[0] if alike else None)


def _is_elsewhere(document: RetrievedDocument, request: DocumentRequest) -> bool:
    """ITI TF-2: 3.39.4.1.3 has the home equal the request's (DECISIONS 12), and one that is stated
    must. Where it is left out, nothing contradicts: the whole answer came over the connection of
    the partner that was asked, and the id is one that was asked of it."""
    return document.home_community_id not in (None, request.home_community_id)
