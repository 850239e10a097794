"""GET /api/v1/members/{id}/summary: one merged, sourced summary."""

import asyncio
from datetime import UTC, datetime
from typing import Annotated, Any, Final

import orjson
from fastapi import APIRouter, Query
from fastapi.responses import PlainTextResponse, Response

from gateway.api.access import CLINICAL, Desk, Note, desk
from gateway.api.means import PathId, the_member
from gateway.exchange.summaries import build_summary, completeness, read_summary
from gateway.exchange.summarize import member_json
from gateway.exchange.summary_text import summary_text
from gateway.store.database import Transaction

router = APIRouter(prefix="/api/v1/members", tags=["summaries"])
_FORMS: Final[dict[int | str, dict[str, Any]]] = {
    200: {"content": {"application/json": {}, "text/plain": {}}, "description": "The summary."}
}


@router.get("/{member_id}/summary", response_class=Response, responses=_FORMS)
async def read_member_summary(
    member_id: PathId,
    at: Annotated[Desk, desk("REST-SUMMARY", CLINICAL)],
    form: Annotated[str, Query(alias="format", pattern="^(json|text)$")] = "json",
) -> Response:
    """What all filed documents say, each line with its sources, and how complete it is."""
    now = datetime.now(UTC)

    def unit(transaction: Transaction, note: Note) -> dict[str, Any] | str:
        member = the_member(transaction, at.caller.plan, member_id)
        note.member = member.id
        if form == "json":
            return read_summary(transaction, member=member, now=now)
        summary = build_summary(transaction, plan=member.plan, member=member.id, now=now)
        answers = completeness(transaction, member=member)
        return summary_text(summary, member=member_json(member), completeness=answers)

    answer = await at.act(unit)
    if isinstance(answer, str):
        return PlainTextResponse(answer)
    # A long record takes longer to write than the event loop may stand still (DECISIONS 25).
    content = await asyncio.to_thread(orjson.dumps, answer)
    return Response(content, media_type="application/json")
