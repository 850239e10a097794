"""A document for people to look at: a page made in a worker process, or a PDF or picture as it is.

Each is shown under a policy of its own, which lets the browser run and fetch nothing.
"""

import asyncio
from typing import Annotated, Any, Final

from fastapi import APIRouter
from fastapi.responses import HTMLResponse, Response

from ccda.errors import CcdaError
from ccda.html import CONTENT_SECURITY_POLICY, render_html
from gateway.api.access import CLINICAL, Desk, Note, desk
from gateway.api.documents import bytes_of
from gateway.api.means import Means, PathId
from gateway.api.problems import Problem
from gateway.exchange.adt import MEDIA_TYPE as ADT
from gateway.exchange.adt_page import NoNotice, render_adt
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
_FILE_POLICIES: Final = {
    # The browser's own viewer of PDF is an object of the page, and does not start in a sandbox.
    "application/pdf": "default-src 'none'; object-src 'self'; style-src 'unsafe-inline';"
    " base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    **dict.fromkeys(
        ("image/png", "image/jpeg", "image/gif", "image/bmp", "image/tiff"),
        "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; sandbox",
    ),
}
"""What is shown as it is, by the type that its bytes showed."""
_PAGES: Final = {"text/xml": render_html, ADT: render_adt}
_PAGE: Final[dict[int | str, dict[str, Any]]] = {
    200: {
        "content": {
            "text/html": {"schema": {"type": "string"}},
            **{one: {"schema": {"type": "string", "format": "binary"}} for one in _FILE_POLICIES},
        },
        "description": "The page, or the PDF or picture.",
    }
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
    """The document as a safe page without its own presentation; a PDF or picture as it is."""

    def unit(transaction: Transaction, note: Note) -> Document:
        found = documents.get(transaction, plan=at.caller.plan, document=DocumentId(document_id))
        if found is None:
            raise Problem(404, "There is no such document in your plan.")
        _check(found)
        note.member, note.documents = found.member, (found.id,)
        return found

    document = await at.act(unit)
    if document.mime_type in _FILE_POLICIES:
        policy = _FILE_POLICIES[document.mime_type]
        return await bytes_of(document, means, {**HEADERS, "Content-Security-Policy": policy})
    return await _page(document, means)


async def _page(document: Document, means: Means) -> Response:
    content = await asyncio.to_thread(means.archive.load, document.plan, document.blob)
    try:
        render = _PAGES[document.mime_type or "text/xml"]
        page = await means.archive.workers.run_async(render, content)
    except (CcdaError, NoNotice) as error:
        raise _no_page(document, 409, "The document cannot be read.", str(error) or None) from None
    except WorkerFailed as failure:
        if failure.reason not in _FAILURES:
            raise
        raise _no_page(document, 409, _FAILURES[failure.reason]) from None
    # A large page takes its time to encode: not on the loop.
    return HTMLResponse(await asyncio.to_thread(page.encode), headers=HEADERS)


def _check(document: Document) -> None:
    """That there is a page to be made of it.

    Raises:
        Problem: 415 for what no browser shows, 409 for what could not be read when it came.
    """
    if document.mime_type in _FILE_POLICIES:
        return
    if document.mime_type not in (None, *_PAGES):
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
