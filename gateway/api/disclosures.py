"""A member's accounting of disclosures (45 CFR 164.528), for auditors; each look is recorded."""

from datetime import UTC, date, datetime
from typing import Annotated

import orjson
from fastapi import APIRouter, Query, Response

from gateway.api.access import AUDIT, Desk, Note, desk
from gateway.api.means import Means, PathId, the_member
from gateway.api.problems import Problem
from gateway.exchange.accounting import NoSuchWindow
from gateway.exchange.disclosures import account, accounting_csv, accounting_json
from gateway.exchange.disclosures_pdf import write_accounting_pdf
from gateway.exchange.typeset import NOT_INSTALLED, is_installed
from gateway.exchange.workers import WorkerFailed
from gateway.model.disclosure import Accounting
from gateway.store.database import Transaction

router = APIRouter(prefix="/api/v1/members", tags=["disclosures"])


@router.get("/{member_id}/disclosures", response_class=Response)
async def read_disclosures(
    member_id: PathId,
    means: Means,
    at: Annotated[Desk, desk("REST-DISCLOSURES", AUDIT)],
    since: Annotated[date | None, Query(alias="from", description="The first day, UTC.")] = None,
    until: Annotated[date | None, Query(alias="to", description="The last day, UTC.")] = None,
    everything: Annotated[
        bool, Query(alias="all", description="Also what need not be accounted for.")
    ] = False,
    form: Annotated[str, Query(alias="format", pattern="^(json|csv|pdf)$")] = "json",
) -> Response:
    """What left the house of the member, of six years at the most, and what was left out why."""
    now, keys = datetime.now(UTC), means.archive.blobs.keys

    def look(tx: Transaction) -> Accounting:
        member = the_member(tx, at.caller.plan, member_id)
        return account(tx, keys, member=member, asked=now.date(), since=since, until=until)

    def unit(_: Transaction, note: Note) -> None:
        note.member = told.member.id

    if form == "pdf" and not is_installed():
        raise Problem(501, NOT_INSTALLED)
    # Not in the act's own unit: on SQLite nobody else writes while that one runs.
    try:
        told = await at.database.read_async(look)
    except NoSuchWindow as reason:
        raise Problem(422, f"There is no accounting of those days: {reason}.") from None
    answer = await _written(told, form, everything, means, now)
    await at.act(unit)
    return answer


async def _written(
    told: Accounting, form: str, everything: bool, means: Means, now: datetime
) -> Response:
    if form == "json":
        content = orjson.dumps(accounting_json(told, everything=everything))
        return Response(content, media_type="application/json")
    if form == "csv":
        text = accounting_csv(told, everything=everything)
        return Response(text, media_type="text/csv; charset=utf-8")
    author = means.community.organization
    try:
        pdf = await means.archive.workers.run_async(
            write_accounting_pdf, told, everything=everything, author=author, now=now
        )
    except WorkerFailed:
        raise Problem(409, "The accounting is too large to be laid out; ask for csv.") from None
    return Response(pdf, media_type="application/pdf")
