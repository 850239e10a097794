"""Partners: whom the caller's plan exchanges with, and how that goes."""

from datetime import UTC, date, datetime, time, timedelta
from typing import Annotated, Any, Final, Literal

from fastapi import APIRouter, Query
from fastapi.responses import Response

from gateway.api.access import EVERYONE, Desk, Note, desk
from gateway.api.problems import Problem
from gateway.exchange.ledger import CSV_COLUMNS, ledger_cells, ledger_json, read_ledger
from gateway.exchange.spreadsheet import write_csv
from gateway.model.ledger import LedgerLine
from gateway.model.partner import Partner
from gateway.store import partners
from gateway.store.database import Transaction

router = APIRouter(prefix="/api/v1/partners", tags=["partners"])
_LEDGER: Final = timedelta(days=90)
_FIRST: Final = date(1900, 1, 1)
_LAST: Final = date(9000, 1, 1)
_AS_FILE: Final = {"Content-Disposition": 'attachment; filename="ledger.csv"'}


class NoSuchDays(Exception):
    """No ledger can be of these days; the text says why."""


@router.get("")
async def list_partners(at: Annotated[Desk, desk("REST-PARTNERS", EVERYONE)]) -> dict[str, Any]:
    """The plan's own partners and the shared ones, by name."""

    def unit(transaction: Transaction, _note: Note) -> tuple[Partner, ...]:
        return partners.list_all(transaction, plan=at.caller.plan)

    return {"partners": [_form(partner) for partner in await at.act(unit)]}


@router.get("/ledger", response_model=None)
async def read_partners_ledger(
    at: Annotated[Desk, desk("REST-LEDGER", EVERYONE)],
    since: Annotated[date | None, Query(description="The first day; 90 days ago.")] = None,
    until: Annotated[date | None, Query(description="The last day; today.")] = None,
    format: Literal["json", "csv"] = "json",
) -> dict[str, Any] | Response:
    """By partner and purpose: asked, matched, answered, refused and why, failed, how fast."""
    try:
        first, end = ledger_days(since, until, today=datetime.now(UTC).date())
    except NoSuchDays as reason:
        raise Problem(422, f"There is no ledger of those days: {reason}.") from None

    def unit(transaction: Transaction, _note: Note) -> tuple[LedgerLine, ...]:
        return read_ledger(transaction, plan=at.caller.plan, since=first, until=end)

    lines = await at.act(unit)
    if format == "csv":
        table = write_csv(CSV_COLUMNS, ledger_cells(lines))
        return Response(table, media_type="text/csv; charset=utf-8", headers=_AS_FILE)
    return {"since": first.date().isoformat(), "lines": ledger_json(lines)}


def ledger_days(
    since: date | None, until: date | None, *, today: date
) -> tuple[datetime, datetime]:
    """From the beginning of the first day to the end of the last (UTC).

    A day before any record is as good as the first, one after all of them as the last.

    Raises:
        NoSuchDays: no day is within; a ledger of none would say that nothing happened.
    """
    last = _known(until or today)
    first = _known(since) if since else last - _LEDGER
    if first > last:
        raise NoSuchDays("the first day is after the last")
    return (
        datetime.combine(first, time.min, UTC),
        datetime.combine(last, time.min, UTC) + timedelta(days=1),
    )


def _known(day: date) -> date:
    return min(max(day, _FIRST), _LAST)


def _form(partner: Partner) -> dict[str, Any]:
    endpoints = partner.endpoints
    return {
        "id": partner.id,
        "name": partner.name,
        "home_community_id": str(partner.home_community_id),
        "network": partner.network,
        "endpoints": {
            "iti55": endpoints.iti55,
            "iti56": endpoints.iti56,
            "iti38": endpoints.iti38,
            "iti39": endpoints.iti39,
            "iti41": endpoints.iti41,
            "iti80": endpoints.iti80,
            "direct_domain": endpoints.direct_domain,
        },
        "retired": partner.profile.retired,
        "timeout_seconds": partner.profile.timeout_seconds,
        "documents_per_retrieve": partner.profile.documents_per_retrieve,
    }
