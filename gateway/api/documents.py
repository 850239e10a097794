"""Documents: given in, listed, read; the held and the quarantined too."""

from datetime import UTC, datetime
from typing import Annotated, Any, Final, Literal

from fastapi import APIRouter, Query, Request
from fastapi.responses import JSONResponse, StreamingResponse

from gateway.api.access import CLINICAL, OPERATION, Desk, Note, desk
from gateway.api.means import Limit, Means, the_member
from gateway.api.problems import Problem
from gateway.exchange.ingest import Ingested, ingest, receive
from gateway.model.document import Document, DocumentState, Source
from gateway.model.identity import DocumentId
from gateway.store import documents
from gateway.store.database import Transaction

router = APIRouter(prefix="/api/v1", tags=["documents"])
_LIMIT_BYTES: Final = 64 * 1024 * 1024


@router.post("/documents", status_code=201)
async def give_document(
    request: Request, means: Means, at: Annotated[Desk, desk("REST-DOCUMENT-IN", CLINICAL)]
) -> JSONResponse:
    """Hand in one C-CDA document as the body; the answer says what became of it."""
    content = bytearray()
    async for chunk in request.stream():
        content += chunk
        if len(content) > _LIMIT_BYTES:
            await _refuse(at, Problem(413, "A document is taken up to 64 MB."))
    if not content:
        await _refuse(at, Problem(422, "The body is empty; it must be one document."))
    plan = means.plan(at.caller.plan)
    blob = await means.archive.store_async(plan.id, bytes(content))
    source = Source(door="REST", partner_name=at.caller.name)
    received = await receive(means.archive, blob, plan=plan, source=source)

    def unit(transaction: Transaction, note: Note) -> Ingested:
        now = datetime.now(UTC)
        (done,) = ingest(transaction, [received], plan=plan, community=means.community, now=now)
        note.member, note.documents = done.document.member, (done.document.id,)
        return done

    done = await at.act(unit)
    status = 200 if done.outcome == "duplicate" else 201
    form = {**_form(done.document), "outcome": done.outcome}
    return JSONResponse(form, status, headers={"Location": f"/api/v1/documents/{form['id']}"})


async def _refuse(at: Desk, problem: Problem) -> None:
    def unit(_transaction: Transaction, _note: Note) -> None:
        raise problem

    await at.act(unit)


@router.get("/documents")
async def list_documents(
    at: Annotated[Desk, desk("REST-DOCUMENTS", CLINICAL)],
    member: str | None = None,
    state: Literal["filed", "held", "quarantined", "withdrawn"] | None = None,
    after: Annotated[str | None, Query(description="The last page's `next`.")] = None,
    limit: Limit = 100,
) -> dict[str, Any]:
    """The plan's documents in the order they came."""
    return await _list(at, member, state, after, limit)


@router.get("/held")
async def list_held(
    at: Annotated[Desk, desk("REST-HELD", CLINICAL | OPERATION)],
    after: str | None = None,
    limit: Limit = 100,
) -> dict[str, Any]:
    """Documents that wait for a person to say whose they are."""
    return await _list(at, None, "held", after, limit)


@router.get("/quarantine")
async def list_quarantine(
    at: Annotated[Desk, desk("REST-QUARANTINE", CLINICAL | OPERATION)],
    after: str | None = None,
    limit: Limit = 100,
) -> dict[str, Any]:
    """Documents that could not be read, each with its reason."""
    return await _list(at, None, "quarantined", after, limit)


async def _list(
    at: Desk, member: str | None, state: DocumentState | None, after: str | None, limit: int
) -> dict[str, Any]:
    plan = at.caller.plan

    def unit(transaction: Transaction, note: Note) -> tuple[Document, ...]:
        owner = the_member(transaction, plan, member).id if member else None
        note.member = owner
        last = _the_document(transaction, at, after).id if after else None
        page = documents.list_page(
            transaction, plan=plan, state=state, member=owner, after=last, limit=limit
        )
        note.documents = tuple(document.id for document in page)
        return page

    page = await at.act(unit)
    following = page[-1].id if len(page) == limit else None
    return {"documents": [_form(document) for document in page], "next": following}


@router.get("/documents/{document_id}")
async def read_document(
    document_id: str, at: Annotated[Desk, desk("REST-DOCUMENT", CLINICAL)]
) -> dict[str, Any]:
    """What is known of one document."""

    def unit(transaction: Transaction, note: Note) -> Document:
        return _noted(_the_document(transaction, at, document_id), note)

    return _form(await at.act(unit))


@router.get("/documents/{document_id}/content")
async def read_content(
    document_id: str,
    means: Means,
    at: Annotated[Desk, desk("REST-DOCUMENT-CONTENT", CLINICAL)],
) -> StreamingResponse:
    """The bytes as they were received; always a download, never a page."""

    def unit(transaction: Transaction, note: Note) -> Document:
        return _noted(_the_document(transaction, at, document_id), note)

    document = await at.act(unit)
    headers = {
        "Content-Disposition": f'attachment; filename="{document.id}"',
        "Content-Length": str(document.blob.size_bytes),
        "X-Content-Type-Options": "nosniff",
    }
    chunks = means.archive.chunks(document.plan, document.blob)
    media_type = document.mime_type or "application/octet-stream"
    return StreamingResponse(chunks, media_type=media_type, headers=headers)


def _noted(document: Document, note: Note) -> Document:
    note.member, note.documents = document.member, (document.id,)
    return document


def _the_document(transaction: Transaction, at: Desk, document_id: str) -> Document:
    found = documents.get(transaction, plan=at.caller.plan, document=DocumentId(document_id))
    if found is None:
        raise Problem(404, "There is no such document in your plan.")
    return found


def _form(document: Document) -> dict[str, Any]:
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
