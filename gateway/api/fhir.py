"""AuditEvents of the exchange log over FHIR R4, for auditors (IHE ITI-81; DECISIONS 16, 20).

What is searched by stands in no link: where the next page goes on is sealed, for the plan alone.
"""

import asyncio
import base64
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Annotated, Any, Final

import orjson
from cryptography.exceptions import InvalidTag
from fastapi import APIRouter, Path, Request, Response
from starlette.datastructures import QueryParams

from gateway.api.access import AUDIT, Desk, Note, desk
from gateway.api.exchanges import MOST
from gateway.api.forms import read_body
from gateway.api.means import Means, PlanMeans
from gateway.api.problems import Problem
from gateway.exchange.fhir_audit import Observer, audit_event, event_id
from gateway.exchange.fhir_audit_search import (
    OF_PATIENTS,
    PARAMETERS,
    AuditSearch,
    BadSearch,
    read_search,
)
from gateway.exchange.finding_events import FoundEvents, find_events
from gateway.model.exchange import RecordedExchange
from gateway.model.identity import PlanId
from gateway.model.retention import PlanMonth
from gateway.store import exchange_log
from gateway.store.database import Transaction
from gateway.store.errors import KeyFileUnusable
from gateway.store.exchange_search import NoSuchRecord

router = APIRouter(prefix="/fhir/r4", tags=["fhir"])
_LIMIT_BYTES: Final = 64 * 1024
_PAGE: Final = "_page"
_SEALED: Final = "page of an audit search"
_FORM: Final = "application/x-www-form-urlencoded"
Criteria = Sequence[tuple[str, str]]


def _described(where: str) -> dict[str, Any]:
    """FHIR's names have dots in them, and most may stand there twice."""
    text = {"type": "string"}
    if where == "query":
        return {
            "parameters": [
                {"name": name, "in": "query", "description": meaning, "schema": text}
                for name, meaning in {**PARAMETERS, _PAGE: "As a link of a page says."}.items()
            ]
        }
    named = {name: {**text, "description": meaning} for name, meaning in PARAMETERS.items()}
    schema = {"type": "object", "properties": named, "required": ["date"]}
    return {"requestBody": {"required": True, "content": {_FORM: {"schema": schema}}}}


@router.get("/AuditEvent", response_class=Response, openapi_extra=_described("query"))
async def search_audit_events(
    request: Request,
    means: Means,
    at: Annotated[Desk, desk("FHIR-AUDIT-SEARCH", AUDIT, reads_its_query=True)],
) -> Response:
    """The plan's AuditEvents that fit, the newest first, as a searchset that links to what follows.

    A member's number is no matter for a URL: ask for it by POST to `_search`.
    """
    given = request.query_params.multi_items()
    after: int | None = None
    is_in_url = True
    if any(name == _PAGE for name, _ in given):
        if len(given) != 1:
            raise _refused(BadSearch(_PAGE, "A link is followed as it is."))
        given, after = await asyncio.to_thread(_opened, means, at.caller.plan, given[0][1])
        is_in_url = False  # it was sealed by us
    return await _searched(request, means, at, given, after=after, is_in_url=is_in_url)


@router.post("/AuditEvent/_search", response_class=Response, openapi_extra=_described("body"))
async def post_audit_event_search(
    request: Request,
    means: Means,
    at: Annotated[Desk, desk("FHIR-AUDIT-SEARCH", AUDIT, reads_its_query=True)],
) -> Response:
    """The same, asked by a form; what of it stands in the URL all the same is judged as there."""
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() != _FORM:
        raise Problem(415, f"A search is {_FORM}.")
    content = await read_body(request, limit_bytes=_LIMIT_BYTES)
    try:
        given = await asyncio.to_thread(lambda: QueryParams(content.decode()).multi_items())
    except UnicodeDecodeError:
        raise Problem(400, "The form cannot be read.") from None
    in_url = request.query_params.multi_items()
    is_in_url = any(name in OF_PATIENTS for name, _ in in_url)
    given += in_url
    return await _searched(request, means, at, given, after=None, is_in_url=is_in_url)


@router.get("/AuditEvent/exchange-{sequence}", response_class=Response)
async def read_audit_event(
    sequence: Annotated[int, Path(ge=1, le=MOST, description="Its place in the log.")],
    means: Means,
    at: Annotated[Desk, desk("FHIR-AUDIT-READ", AUDIT, reads_its_query=True)],
) -> Response:
    """One record as AuditEvent."""

    def unit(transaction: Transaction, note: Note) -> RecordedExchange:
        found = exchange_log.get(transaction, plan=at.caller.plan, sequence=sequence)
        if found is None:
            raise Problem(404, "There is no such record of your plan.")
        note.member = found.exchange.member
        return found

    record = await at.act(unit)
    return _fhir(audit_event(record, _observer(means)))


# ---- searching -------------------------------------------------------------------------------


async def _searched(
    request: Request,
    means: PlanMeans,
    at: Desk,
    given: Criteria,
    *,
    after: int | None,
    is_in_url: bool,
) -> Response:
    observer = _observer(means)
    plan = means.plan(at.caller.plan)
    try:
        search = await asyncio.to_thread(read_search, given, observer)

        def look(transaction: Transaction) -> FoundEvents:
            return find_events(
                transaction,
                search,
                plan=plan,
                observer=observer,
                after=after,
                is_in_url=is_in_url,
            )

        # Not in the act's own unit: on SQLite nobody else writes while that one runs.
        found = await at.database.read_async(look)
    except BadSearch as error:
        raise _refused(error) from None
    except NoSuchRecord:
        raise _refused(BadSearch(_PAGE, "There is no such page of your plan.")) from None

    def unit(_: Transaction, note: Note) -> None:
        note.member = found.member

    await at.act(unit)
    links = await asyncio.to_thread(_links, means, at.caller.plan, given, search, found, after)
    base = f"{str(request.base_url).rstrip('/')}{router.prefix}/AuditEvent"
    # A full page takes longer to write than the event loop may stand still (DECISIONS 25).
    return await asyncio.to_thread(_bundle, base, links, found, observer)


def _bundle(
    base: str, links: Sequence[tuple[str, str]], found: FoundEvents, observer: Observer
) -> Response:
    entries: list[dict[str, Any]] = [
        {
            "fullUrl": f"{base}/{event_id(record.sequence)}",
            "resource": audit_event(record, observer),
            "search": {"mode": "match"},
        }
        for record in found.records
    ]
    if found.hidden:
        outcome = {"resource": _hidden(found.hidden), "search": {"mode": "outcome"}}
        entries.append(outcome)
    bundle: dict[str, Any] = {
        "resourceType": "Bundle",
        "type": "searchset",
        "timestamp": datetime.now(UTC).isoformat(),
        "link": [{"relation": name, "url": f"{base}?{_PAGE}={page}"} for name, page in links],
    }
    if found.total is not None:
        bundle["total"] = found.total
    return _fhir({**bundle, "entry": entries} if entries else bundle)


def _hidden(months: Sequence[PlanMonth]) -> dict[str, Any]:
    """What an auditor must know of a page that cannot be whole (FHIR R4 3.1.1.2.4)."""
    named = ", ".join(sorted(month.month for month in months))
    words = f"Of these months nobody can say any more whom or what a record was about: {named}."
    issue = {"severity": "warning", "code": "incomplete", "diagnostics": words}
    return {"resourceType": "OperationOutcome", "issue": [issue]}


def _links(
    means: PlanMeans,
    plan: PlanId,
    given: Criteria,
    search: AuditSearch,
    found: FoundEvents,
    after: int | None,
) -> list[tuple[str, str]]:
    links = [("self", _page(means, plan, given, after))]
    if found.records and len(found.records) == search.count:
        links.append(("next", _page(means, plan, given, found.records[-1].sequence)))
    return links


def _page(means: PlanMeans, plan: PlanId, given: Criteria, after: int | None) -> str:
    content = orjson.dumps({"given": given, "after": after})
    generation, sealed = means.archive.blobs.keys.seal(plan, content, _SEALED)
    return base64.urlsafe_b64encode(generation.to_bytes(4, "big") + sealed).decode().rstrip("=")


def _opened(means: PlanMeans, plan: PlanId, page: str) -> tuple[list[tuple[str, str]], int | None]:
    try:
        sealed = base64.b64decode(page + "=" * (-len(page) % 4), altchars=b"-_", validate=True)
        generation = int.from_bytes(sealed[:4], "big")
        content = means.archive.blobs.keys.open(plan, generation, sealed[4:], _SEALED)
    except (ValueError, InvalidTag, KeyFileUnusable):
        raise _refused(BadSearch(_PAGE, "It is no page of your plan.")) from None
    told = orjson.loads(content)
    return [(name, value) for name, value in told["given"]], told["after"]


def _refused(error: BadSearch) -> Problem:
    return Problem(400, error.why, code=error.code, expression=error.parameter)


def _observer(means: PlanMeans) -> Observer:
    return Observer(means.community, means.host)


def _fhir(resource: Mapping[str, Any]) -> Response:
    return Response(orjson.dumps(resource), media_type="application/fhir+json")
