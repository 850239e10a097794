"""GET /api/v1/members/{id}/summary: one merged, sourced summary, as data, text, page or print."""

import asyncio
from datetime import UTC, datetime
from typing import Annotated, Any, Final

import orjson
from fastapi import APIRouter, Query
from fastapi.responses import HTMLResponse, PlainTextResponse, Response

from ccda.html.sheet import Sheet
from ccda.html.summary import write_summary
from gateway.api.access import CLINICAL, Desk, Note, desk
from gateway.api.means import Means, PathId, PlanMeans, the_member
from gateway.api.problems import Problem
from gateway.api.views import HEADERS
from gateway.exchange.summaries import build_summary, completeness, read_summary
from gateway.exchange.summarize import member_json
from gateway.exchange.summary_pdf import write_pdf
from gateway.exchange.summary_text import summary_text
from gateway.exchange.summary_views import read_sheet
from gateway.exchange.typeset import NOT_INSTALLED, is_installed
from gateway.exchange.workers import WorkerFailed
from gateway.store.database import Transaction

router = APIRouter(prefix="/api/v1/members", tags=["summaries"])
_FORMS: Final[dict[int | str, dict[str, Any]]] = {
    200: {
        "content": {
            "application/json": {},
            "text/plain": {},
            "text/html": {"schema": {"type": "string"}},
            "application/pdf": {"schema": {"type": "string", "format": "binary"}},
        },
        "description": "The summary.",
    }
}
_PDF_HEADERS: Final = HEADERS | {"Content-Disposition": 'inline; filename="summary.pdf"'}
_FAILURES: Final = {
    "deadline": "The summary takes too long to be laid out; ask for it as json or text.",
    "memory": "The summary is too large to be laid out; ask for it as json or text.",
}
"""What the record's size is to blame for; any other failure is ours."""


@router.get("/{member_id}/summary", response_class=Response, responses=_FORMS)
async def read_member_summary(
    member_id: PathId,
    means: Means,
    at: Annotated[Desk, desk("REST-SUMMARY", CLINICAL)],
    form: Annotated[str, Query(alias="format", pattern="^(json|text|html|pdf)$")] = "json",
) -> Response:
    """What all filed documents say, each line with its sources, and how complete it is.

    As json, as text, as html (a page for people) or as pdf (PDF/A-2b, to print).
    """
    now = datetime.now(UTC)

    def look(transaction: Transaction) -> dict[str, Any] | str | Sheet:
        member = the_member(transaction, at.caller.plan, member_id)
        if form == "pdf" and not is_installed():
            raise Problem(501, NOT_INSTALLED)
        at.note.member = member.id  # noted before it is laid out: a failure names it too
        if form == "json":
            return read_summary(transaction, member=member, now=now)
        if form in ("html", "pdf"):
            return read_sheet(transaction, member=member, now=now)
        summary = build_summary(transaction, plan=member.plan, member=member.id, now=now)
        answers = completeness(transaction, member=member)
        return summary_text(summary, member=member_json(member), completeness=answers)

    def unit(_transaction: Transaction, _note: Note) -> None:
        """Nothing but the record of the look."""

    # Not in the act's own unit: on SQLite nobody else writes while that one runs.
    answer = await _written(await at.database.read_async(look), form, means, now)
    await at.act(unit)
    return answer


async def _written(
    found: dict[str, Any] | str | Sheet, form: str, means: PlanMeans, now: datetime
) -> Response:
    if isinstance(found, Sheet):
        return await _laid_out(found, form, means, now)
    if isinstance(found, str):
        return PlainTextResponse(found)
    # A long record takes longer to write than the event loop may stand still (DECISIONS 25).
    content = await asyncio.to_thread(orjson.dumps, found)
    return Response(content, media_type="application/json")


async def _laid_out(sheet: Sheet, form: str, means: PlanMeans, now: datetime) -> Response:
    """The page or the print, made in a worker process.

    Raises:
        Problem: 409; the record is too large for it.
    """
    workers = means.archive.workers
    author = means.community.organization
    try:
        if form == "pdf":
            pdf = await workers.run_async(write_pdf, sheet, author=author, now=now)
            return Response(pdf, media_type="application/pdf", headers=_PDF_HEADERS)
        page = await workers.run_async(write_summary, sheet)
    except WorkerFailed as failure:
        if failure.reason not in _FAILURES:
            raise
        raise Problem(409, _FAILURES[failure.reason]) from None
    return HTMLResponse(await asyncio.to_thread(page.encode), headers=HEADERS)
