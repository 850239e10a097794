"""A document as a page for people: made in a worker process, shown under a policy of its own."""

import asyncio
from typing import Annotated, Any, Final

from fastapi import APIRouter
from fastapi.responses import HTMLResponse, Response

from ccda.errors import CcdaError
from ccda.html import CONTENT_SECURITY_POLICY, render_html
from gateway.api.access import CLINICAL, Desk, Note, desk
from gateway.api.means import Means, PathId
from gateway.api.problems import Problem
from gateway.exchange.workers import WorkerFailed
from gateway.model.document import Document
from gateway.model.identity import DocumentId
from gateway.store import documents
from gateway.store.database import Transaction

router = APIRouter(prefix="/api/v1", tags=["documents"])

HEADERS: Final = {
    "Content-Security-Policy": CONTENT_SECURITY_POLICY,
    "X-Content-Type-Options": "nosniff",
    "Cache-Control": "no-store",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Content-Disposition": "inline",
}
"""Under which whatever is made for people to look at is served."""
_PAGE: Final[dict[int | str, dict[str, Any]]] = {
    200: {"content": {"text/html": {"schema": {"type": "string"}}}, "description": "The page."}
}
_FAILURES: Final = {
    "deadline": "It takes too long to be made into a page.",
    "memory": "It is too large to be made into a page.",
}
"""What the document is to blame for; any other failure is ours."""


@router.get("/documents/{document_id}/view", response_class=HTMLResponse, responses=_PAGE)
async def view_document(
    document_id: PathId, means: Means, at: Annotated[Desk, desk("REST-DOCUMENT-VIEW", CLINICAL)]
) -> Response:
    """The document as a safe page of HTML; nothing of its own presentation is in it."""

    def unit(transaction: Transaction, note: Note) -> Document:
        found = documents.get(transaction, plan=at.caller.plan, document=DocumentId(document_id))
        if found is None:
            raise Problem(404, "There is no such document in your plan.")
        _check(found)
        note.member, note.documents = found.member, (found.id,)
        return found

    document = await at.act(unit)
    content = await asyncio.to_thread(means.archive.load, document.plan, document.blob)
    try:
        page = await means.archive.workers.run_async(render_html, content)
    except CcdaError as error:
        raise _no_page(document, 409, "The document cannot be read.", str(error)) from None
    except WorkerFailed as failure:
        if failure.reason not in _FAILURES:
            raise
        raise _no_page(document, 409, _FAILURES[failure.reason]) from None
    # A large page takes its time to encode: not on the loop.
    return HTMLResponse(await asyncio.to_thread(page.encode), headers=HEADERS)


def _check(document: Document) -> None:
    """That there is a page to be made of it.

    Raises:
        Problem: 415 for what is no XML, 409 for what could not be read when it came.
    """
    if document.mime_type not in (None, "text/xml"):
        raise _no_page(document, 415, "The document is a file that is not shown as a page.")
    if document.state == "quarantined":
        raise _no_page(document, 409, "The document could not be read when it came.")


def _no_page(document: Document, status: int, detail: str, reason: str | None = None) -> Problem:
    """Why not, what it is, and where its bytes are."""
    return Problem(
        status,
        detail,
        reason=reason or document.reason,
        mime_type=document.mime_type,
        content=f"/api/v1/documents/{document.id}/content",
    )
