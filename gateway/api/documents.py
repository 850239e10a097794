"""Documents: given in, listed, read."""

import asyncio
from collections.abc import Mapping
from datetime import UTC, datetime
from itertools import chain
from typing import Annotated, Any, Final, Literal

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse, StreamingResponse

from gateway.api.access import CLINICAL, Desk, Note, desk
from gateway.api.forms import read_body
from gateway.api.means import After, Limit, Means, PathId, QueryId, the_member
from gateway.api.problems import Problem
from gateway.exchange.ingest import Ingested, ingest, receive
from gateway.exchange.shown_members import shown
from gateway.model.document import Document, Source
from gateway.model.identity import DocumentId
from gateway.store import documents
from gateway.store.database import Transaction

router = APIRouter(prefix="/api/v1", tags=["documents"])
_LIMIT_BYTES: Final = 64 * 1024 * 1024
_BYTES: Final = {"schema": {"type": "string", "format": "binary"}}
_BODY: Final = {"requestBody": {"required": True, "content": {"text/xml": _BYTES}}}
_CONTENT: Final[dict[int | str, dict[str, Any]]] = {
    200: {"content": {"application/octet-stream": _BYTES}, "description": "Those bytes."}
}


@router.post("/documents", status_code=201, openapi_extra=_BODY)
async def give_document(
    request: Request, means: Means, at: Annotated[Desk, desk("REST-DOCUMENT-IN", CLINICAL)]
) -> JSONResponse:
    """Hand in one C-CDA document as the body; the answer says what became of it."""
    plan = means.plan(at.caller.plan)
    content = await read_body(request, limit_bytes=_LIMIT_BYTES)
    if not content:
        raise Problem(422, "The body is empty; it must be one document.")
    blob = await means.archive.store_async(plan.id, content)
    source = Source(door="REST", partner_name=at.caller.name)
    received = await receive(means.archive, blob, plan=plan, source=source)

    def unit(transaction: Transaction, note: Note) -> Ingested:
        now = datetime.now(UTC)
        (done,) = ingest(transaction, [received], plan=plan, community=means.community, now=now)
        note.member, note.documents = done.document.member, (done.document.id,)
        return done

    done = await at.act(unit)
    status = 200 if done.outcome == "duplicate" else 201
    form = {**document_form(done.document), "outcome": done.outcome}
    return JSONResponse(form, status, headers={"Location": f"/api/v1/documents/{form['id']}"})


@router.get("/documents")
async def list_documents(
    at: Annotated[Desk, desk("REST-DOCUMENTS", CLINICAL)],
    member: QueryId = None,
    state: Literal["filed", "held", "quarantined", "withdrawn"] | None = None,
    after: After = None,
    limit: Limit = 100,
) -> dict[str, Any]:
    """The plan's documents in the order they came."""
    plan = at.caller.plan

    def unit(transaction: Transaction, note: Note) -> tuple[Document, ...]:
        owner = the_member(transaction, plan, member).id if member else None
        note.member = owner
        last = _the_document(transaction, at, after).id if after else None
        page = documents.list_page(
            transaction, plan=plan, state=state, member=owner, after=last, limit=limit
        )
        note.documents = tuple(document.id for document in page)
        if owner is None:
            note.member, note.reason = shown(document.member for document in page)
        return page

    page = await at.act(unit)
    following = page[-1].id if len(page) == limit else None
    return {"documents": [document_form(document) for document in page], "next": following}


@router.get("/documents/{document_id}")
async def read_document(
    document_id: PathId, at: Annotated[Desk, desk("REST-DOCUMENT", CLINICAL)]
) -> dict[str, Any]:
    """What is known of one document."""

    def unit(transaction: Transaction, note: Note) -> Document:
        return _noted(_the_document(transaction, at, document_id), note)

    return document_form(await at.act(unit))


@router.get(
    "/documents/{document_id}/content", response_class=StreamingResponse, responses=_CONTENT
)
async def read_content(
    document_id: PathId,
    means: Means,
    at: Annotated[Desk, desk("REST-DOCUMENT-CONTENT", CLINICAL)],
) -> StreamingResponse:
    """The bytes as they were received; always a download, never a page."""

    def unit(transaction: Transaction, note: Note) -> Document:
        return _noted(_the_document(transaction, at, document_id), note)

    document = await at.act(unit)
    headers = {"Content-Disposition": f'attachment; filename="{document.id}"'}
    return await bytes_of(document, means, headers)


async def bytes_of(document: Document, means: Means, more: Mapping[str, str]) -> StreamingResponse:
    """The document's bytes as an answer, of no other type than the bytes showed when they came."""
    headers = {
        **more,
        "Content-Length": str(document.blob.size_bytes),
        # Given as a header: of a media type starlette would say UTF-8, which only the bytes know.
        "Content-Type": document.mime_type or "application/octet-stream",
        "X-Content-Type-Options": "nosniff",
    }
    chunks = means.archive.chunks(document.plan, document.blob)
    # Read before the status leaves: bytes that are gone or damaged are a 500, not a cut answer.
    first = await asyncio.to_thread(next, chunks, b"")
    return StreamingResponse(chain((first,), chunks), headers=headers)


def _noted(document: Document, note: Note) -> Document:
    note.member, note.documents = document.member, (document.id,)
    return document


def _the_document(transaction: Transaction, at: Desk, document_id: str) -> Document:
    found = documents.get(transaction, plan=at.caller.plan, document=DocumentId(document_id))
    if found is None:
        raise Problem(404, "There is no such document in your plan.")
    return found


def document_form(document: Document) -> dict[str, Any]:
    """A document as JSON."""
    source = document.source
    return {
        "id": document.id,
        "member": document.member,
        "candidate": document.candidate,
        "state": document.state,
        "reason": document.reason,
        "title": document.title,
        "type": {
            "code": document.type_code,
            "system": document.type_system,
            "display": document.type_display,
        },
        "effective_time": document.effective_time,
        "received": document.received.isoformat(),
        "mime_type": document.mime_type,
        "size": document.blob.size_bytes,
        "sha256": document.blob.sha256,
        "author": document.author,
        "custodian": document.custodian,
        "set_id": document.set_id,
        "version": document.version,
        "superseded_by": document.superseded_by,
        "source": {
            "door": source.door,
            "partner": source.partner_name,
            "home_community_id": source.home_community_id,
            "document_unique_id": source.document_unique_id,
        },
    }
