"""The exchange log as a whole, for auditors: what left, who was refused, what is unusual, and all
of it to take away. Each look is itself recorded (DECISIONS 16)."""

import asyncio
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any, Final, Literal

import orjson
from fastapi import APIRouter, Query, Request, Response

from gateway.api.access import AUDIT, Desk, Note, desk
from gateway.api.exchanges import MOST, Moment, exchange_form, within
from gateway.api.means import Limit, Means, next_page
from gateway.api.problems import Problem
from gateway.exchange import refusals, unusual
from gateway.exchange.fhir_audit import Observer, audit_event
from gateway.exchange.log_export import CSV_COLUMNS, OUTFLOW_COLUMNS, csv_cells
from gateway.exchange.log_reports import Rows, outflow_of, refusals_of, unusual_of
from gateway.exchange.spreadsheet import write_csv
from gateway.model.exchange import ExchangeFilter, RecordedExchange
from gateway.store import exchange_log
from gateway.store.database import Transaction
from gateway.store.exchange_search import NoSuchRecord

router = APIRouter(prefix="/api/v1/exchanges", tags=["exchanges"])
_MONTH: Final = timedelta(days=31)
_WEEK: Final = timedelta(days=7)
Form = Annotated[
    Literal["json", "csv"],
    Query(alias="format", description="json, a page; or csv, all of it, safe for spreadsheets."),
]
Offset = Annotated[int, Query(ge=0, le=MOST, description="Lines to pass over.")]


@router.get("/outflow", response_class=Response)
async def read_outflow(
    at: Annotated[Desk, desk("REST-OUTFLOW", AUDIT)],
    since: Moment = None,
    until: Moment = None,
    form: Form = "json",
    offset: Offset = 0,
    limit: Limit = 100,
) -> Response:
    """What left the house by month, partner and purpose; of the last 31 days unless it is said."""
    span = _span(since, until, _MONTH)
    rows = await _looked(at, lambda tx: outflow_of(tx, at.caller.plan, span))
    return _written("outflow", OUTFLOW_COLUMNS, rows, form, offset, limit)


@router.get("/refusals", response_class=Response)
async def read_refusals(
    at: Annotated[Desk, desk("REST-REFUSALS", AUDIT)],
    since: Moment = None,
    until: Moment = None,
    form: Form = "json",
    offset: Offset = 0,
    limit: Limit = 100,
) -> Response:
    """Who was refused, by which rule and how often; of the last 31 days unless it is said."""
    span = _span(since, until, _MONTH)
    rows = await _looked(at, lambda tx: refusals_of(tx, at.caller.plan, span))
    return _written("refusals", refusals.COLUMNS, rows, form, offset, limit)


@router.get("/unusual", response_class=Response)
async def read_unusual(
    means: Means,
    at: Annotated[Desk, desk("REST-UNUSUAL", AUDIT)],
    since: Moment = None,
    until: Moment = None,
    form: Form = "json",
    offset: Offset = 0,
    limit: Limit = 100,
) -> Response:
    """Access to look at and why, by the thresholds of the settings; of the last seven days unless
    it is said."""
    first = since or (until or datetime.now(UTC)) - _WEEK
    within(first, until)

    def look(tx: Transaction) -> Rows:
        plan, usual = at.caller.plan, means.usual
        return unusual.rows(unusual_of(tx, plan, since=first, until=until, usual=usual))

    rows = await _looked(at, look)
    return _written("unusual", unusual.COLUMNS, rows, form, offset, limit)


@router.get("/export", response_class=Response)
async def export_exchanges(
    request: Request,
    means: Means,
    at: Annotated[Desk, desk("REST-LOG-EXPORT", AUDIT)],
    since: Moment = None,
    until: Moment = None,
    after: Annotated[int | None, Query(ge=1, le=MOST, description="Go on after it.")] = None,
    form: Annotated[
        Literal["jsonl", "csv", "fhir"],
        Query(alias="format", description="jsonl; csv; or fhir: AuditEvents, one a line."),
    ] = "jsonl",
    limit: Limit = 1000,
) -> Response:
    """The plan's records, oldest first, to be read elsewhere.

    A full page has a `Link` to the next, which goes on `after` its last record (RFC 8288).
    """
    wanted = within(since, until)

    def look(tx: Transaction) -> tuple[RecordedExchange, ...]:
        plan = at.caller.plan
        return exchange_log.search(
            tx, plan=plan, wanted=wanted, descending=False, limit=limit, after=after
        )

    def unit(_: Transaction, note: Note) -> None:
        note.reason = f"{len(page)} records as {form}"

    try:
        page = await at.database.read_async(look)
    except NoSuchRecord:
        raise Problem(404, "There is no such record of your plan to go on after.") from None
    await at.act(unit)
    # A full page takes longer to write than the event loop may stand still (DECISIONS 25).
    observer = Observer(means.community, means.host)
    answer = await asyncio.to_thread(_exported, page, form, observer)
    if len(page) == limit:
        answer.headers.update(next_page(request.url, after=page[-1].sequence))
    return answer


def _exported(page: Sequence[RecordedExchange], form: str, observer: Observer) -> Response:
    if form == "csv":
        return _csv(write_csv(CSV_COLUMNS, map(csv_cells, page)))
    forms = (
        audit_event(record, observer) if form == "fhir" else exchange_form(record)
        for record in page
    )
    lines = b"".join(orjson.dumps(one, option=orjson.OPT_APPEND_NEWLINE) for one in forms)
    kind = "application/fhir+ndjson" if form == "fhir" else "application/x-ndjson"
    return Response(lines, media_type=kind)


def _span(since: datetime | None, until: datetime | None, usual: timedelta) -> ExchangeFilter:
    return within(since or (until or datetime.now(UTC)) - usual, until)


async def _looked(at: Desk, look: Callable[[Transaction], Rows]) -> Rows:
    """The lines, once the look is recorded."""

    def unit(_: Transaction, note: Note) -> None:
        note.reason = f"{len(rows)} lines"

    # Not in the act's own unit: on SQLite nobody else writes while that one runs.
    rows = await at.database.read_async(look)
    await at.act(unit)
    return rows


def _written(
    name: str, columns: Sequence[str], rows: Rows, form: str, offset: int, limit: int
) -> Response:
    if form == "csv":
        return _csv(write_csv(columns, rows))
    page = rows[offset : offset + limit]
    content: dict[str, Any] = {
        name: [dict(zip(columns, row, strict=True)) for row in page],
        "next_offset": offset + limit if offset + limit < len(rows) else None,
    }
    return Response(orjson.dumps(content), media_type="application/json")


def _csv(text: str) -> Response:
    return Response(text, media_type="text/csv; charset=utf-8; header=present")
