"""Retrievals: ask every partner for a member's records, and follow how they answer."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, date, datetime
from typing import Annotated, Any, Final
from uuid import uuid4

import orjson
from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse, StreamingResponse
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from gateway.api.access import CLINICAL, Desk, Note, desk
from gateway.api.forms import form_schema, read_form
from gateway.api.means import After, Limit, Means, PathId, PlanMeans, the_member
from gateway.api.problems import Problem
from gateway.exchange.policy import Refused, may_ask, requester_stated
from gateway.model.identity import ConversationId, RetrievalId
from gateway.model.purpose import PurposeOfUse
from gateway.model.retrieval import RETRIEVE, PartnerProgress, Retrieval
from gateway.store import retrievals
from gateway.store.database import Transaction

router = APIRouter(prefix="/api/v1", tags=["retrievals"])
_ENDED: Final = frozenset({"done", "partial", "failed", "cancelled"})
_LOOK_SECONDS: Final = 0.2
_FOLLOW_SECONDS: Final = 600
_EVENTS: Final[dict[int | str, dict[str, Any]]] = {
    200: {"content": {"text/event-stream": {}}, "description": "One event a change."}
}

# These go into signed XML, which has no place for control characters.
Words = Annotated[str, Field(min_length=1, max_length=200, pattern=r"^[^\x00-\x1f\x7f-\x9f]+$")]


class RequesterForm(BaseModel):
    """The person for whom partners are asked, in their role."""

    model_config = ConfigDict(extra="forbid", str_strip_whitespace=True)
    person: Words
    role: Words | None = None
    authority: Words | None = None


def by_name(given: object) -> object:
    """A requester that is given as a name alone."""
    return {"person": given} if isinstance(given, str) else given


class RetrievalForm(BaseModel):
    """What a retrieval must state (DECISIONS 8).

    A requester given as a name alone asks in the role and under the authority that the plan has
    registered; where it has none, the retrieval is refused.
    """

    model_config = ConfigDict(extra="forbid", str_strip_whitespace=True)
    purpose: Words
    requester: Annotated[RequesterForm, BeforeValidator(by_name)]
    since: date | None = None


@router.post(
    "/members/{member_id}/retrievals", status_code=202, openapi_extra=form_schema(RetrievalForm)
)
async def start_retrieval(
    member_id: PathId,
    request: Request,
    means: Means,
    at: Annotated[Desk, desk("REST-RETRIEVAL", CLINICAL)],
) -> JSONResponse:
    """Ask all partners of the plan. 202 at once; follow it at its own address."""
    form = await read_form(request, RetrievalForm)
    now = datetime.now(UTC)

    def unit(transaction: Transaction, note: Note) -> Retrieval:
        retrieval = _new(transaction, member_id, form, means, at, now)
        note.conversation = retrieval.conversation
        retrievals.create(transaction, retrieval)
        means.queue.enqueue(
            transaction,
            kind=RETRIEVE,
            plan=retrieval.plan,
            payload={"retrieval": retrieval.id},
            idempotency_key=retrieval.id,
            run_at=now,
        )
        return retrieval

    retrieval = await at.act(unit)
    address = f"/api/v1/retrievals/{retrieval.id}"
    return JSONResponse(_form(retrieval), 202, headers={"Location": address})


def _new(
    transaction: Transaction,
    member_id: str,
    form: RetrievalForm,
    means: PlanMeans,
    at: Desk,
    now: datetime,
) -> Retrieval:
    member = the_member(transaction, at.caller.plan, member_id)
    at.note.member = member.id  # noted before it is judged: a refusal names all this too
    try:
        purpose = PurposeOfUse.parse(form.purpose)
    except ValueError as error:
        raise Problem(422, f"The purpose is not usable: {error}.") from None
    at.note.purpose = purpose.code
    plan, given = means.plan(member.plan), form.requester
    requester = requester_stated(plan, **given.model_dump())
    if isinstance(requester, Refused):
        raise Problem(422, f"{requester.reason} Nor has the plan registered one.")
    at.note.authority = requester.authority
    verdict = may_ask(
        member,
        purpose=purpose,
        requester=requester.person,
        treatment_agreed=plan.treatment_agreement is not None,
        on=now.date(),
    )
    if isinstance(verdict, Refused):
        raise Problem(403, verdict.reason)
    return Retrieval(
        id=RetrievalId(str(uuid4())),
        plan=member.plan,
        member=member.id,
        purpose=purpose.code,
        requester=requester,
        conversation=ConversationId(str(uuid4())),
        created=now,
        since=form.since,
    )


@router.get("/members/{member_id}/retrievals")
async def list_retrievals(
    member_id: PathId,
    at: Annotated[Desk, desk("REST-RETRIEVALS", CLINICAL)],
    before: After = None,
    limit: Limit = 100,
) -> dict[str, Any]:
    """The member's retrievals, newest first."""

    def unit(transaction: Transaction, note: Note) -> tuple[Retrieval, ...]:
        member = the_member(transaction, at.caller.plan, member_id)
        note.member = member.id
        if before is not None:
            _the_retrieval(transaction, at, before)
        return retrievals.list_page(
            transaction,
            plan=member.plan,
            member=member.id,
            before=RetrievalId(before) if before else None,
            limit=limit,
        )

    page = await at.act(unit)
    following = page[-1].id if len(page) == limit else None
    return {"retrievals": [_form(retrieval) for retrieval in page], "next": following}


@router.get("/retrievals/{retrieval_id}")
async def read_retrieval(
    retrieval_id: PathId, at: Annotated[Desk, desk("REST-RETRIEVAL-STATE", CLINICAL)]
) -> dict[str, Any]:
    """How far a retrieval has come, partner by partner."""

    def unit(transaction: Transaction, note: Note) -> Retrieval:
        retrieval = _the_retrieval(transaction, at, retrieval_id)
        note.member, note.conversation = retrieval.member, retrieval.conversation
        return retrieval

    return _form(await at.act(unit))


@router.get(
    "/retrievals/{retrieval_id}/events", response_class=StreamingResponse, responses=_EVENTS
)
async def follow_retrieval(
    retrieval_id: PathId,
    at: Annotated[Desk, desk("REST-RETRIEVAL-EVENTS", CLINICAL)],
) -> StreamingResponse:
    """Server-sent events: the retrieval at each change, until it or the token has ended."""

    def unit(transaction: Transaction, note: Note) -> Retrieval:
        retrieval = _the_retrieval(transaction, at, retrieval_id)
        note.member, note.conversation = retrieval.member, retrieval.conversation
        return retrieval

    first = await at.act(unit)
    return StreamingResponse(_events(at, first), media_type="text/event-stream")


async def _events(at: Desk, retrieval: Retrieval) -> AsyncIterator[bytes]:
    def look(transaction: Transaction) -> Retrieval | None:
        if not at.is_admitted(transaction):
            return None
        return retrievals.get(transaction, plan=retrieval.plan, retrieval=retrieval.id)

    last: Retrieval | None = None
    deadline = asyncio.get_running_loop().time() + _FOLLOW_SECONDS
    while retrieval.state not in _ENDED and asyncio.get_running_loop().time() < deadline:
        if retrieval != last:
            yield _event(retrieval)
            last = retrieval
        await asyncio.sleep(_LOOK_SECONDS)
        found = await at.database.read_async(look)
        if found is None:
            return
        retrieval = found
    yield _event(retrieval)


def _event(retrieval: Retrieval) -> bytes:
    return b"data: " + orjson.dumps(_form(retrieval)) + b"\n\n"


def _the_retrieval(transaction: Transaction, at: Desk, retrieval_id: str) -> Retrieval:
    found = retrievals.get(transaction, plan=at.caller.plan, retrieval=RetrievalId(retrieval_id))
    if found is None:
        raise Problem(404, "There is no such retrieval in your plan.")
    return found


def _form(retrieval: Retrieval) -> dict[str, Any]:
    requester = retrieval.requester
    return {
        "id": retrieval.id,
        "member": retrieval.member,
        "purpose": retrieval.purpose,
        "requester": {
            "person": requester.person,
            "role": requester.role,
            "authority": requester.authority,
        },
        "state": retrieval.state,
        "created": retrieval.created.isoformat(),
        "finished": retrieval.finished.isoformat() if retrieval.finished else None,
        "since": retrieval.since.isoformat() if retrieval.since else None,
        "conversation": retrieval.conversation,
        "partners": [_progress_form(progress) for progress in retrieval.partners],
    }


def _progress_form(progress: PartnerProgress) -> dict[str, Any]:
    return {
        "partner": progress.partner_name,
        "partner_id": progress.partner,
        "step": progress.step,
        "outcome": progress.outcome,
        "documents_found": progress.documents_found,
        "documents_new": progress.documents_new,
        "documents_missing": progress.documents_missing,
        "elapsed_ms": progress.elapsed_ms,
        "detail": progress.detail,
        "next_step": progress.next_step,
    }
