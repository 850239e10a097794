"""What waits for a person: documents and matches, how they are decided, and the way back."""

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Annotated, Any, Final, Literal

from fastapi import APIRouter, Query, Request, Response
from pydantic import BaseModel, ConfigDict, Field

from gateway.api.access import CLINICAL, OPERATION, Desk, Note, desk
from gateway.api.documents import document_form
from gateway.api.forms import form_schema, read_form
from gateway.api.means import (
    ID,
    After,
    Limit,
    Means,
    PathId,
    QueryId,
    next_page,
    the_member,
)
from gateway.api.problems import Problem
from gateway.exchange.deciding import (
    NothingToDecide,
    Verdict,
    decide_match,
    file_as,
    find_match,
    read_held,
    reject_document,
    undo_document,
    undo_match,
    unfile,
)
from gateway.exchange.person_words import person_json
from gateway.model.document import Document
from gateway.model.identity import DocumentId, PlanId
from gateway.model.link import Link
from gateway.store import documents, links
from gateway.store.database import Transaction
from gateway.store.errors import UnknownId

router = APIRouter(prefix="/api/v1", tags=["held"])


class Decision(BaseModel):
    """Why: it stands in the exchange log beside who decided."""

    model_config = ConfigDict(extra="forbid")
    reason: str = Field(pattern=r"\S", max_length=1000)


class Filing(Decision):
    member: str = Field(pattern=ID, description="Whose the document is.")


_DECISION: Final = form_schema(Decision)
AfterMatch = Annotated[str | None, Query(pattern=ID, description="The last page's `next_match`.")]


@router.get("/held")
async def list_held(
    request: Request,
    response: Response,
    at: Annotated[Desk, desk("REST-HELD", CLINICAL | OPERATION)],
    after: After = None,
    after_match: AfterMatch = None,
    limit: Limit = 100,
    member: QueryId = None,
) -> dict[str, Any]:
    """Documents that wait for a person to say whose they are, and doubtful matches, longest first.

    Two lists, each with its own next page: of a list that is not gone on in comes nothing. A `Link`
    leads to the next page of both (RFC 8288). With `member` its matches alone, all of them, also
    those that are in no doubt: what is wrong of them can be rejected.
    """
    plan = at.caller.plan
    if member is not None:
        if at.caller.role not in CLINICAL:  # what is known of a person is for who decides
            raise Problem(403, f"The role {at.caller.role} may not see a member's matches.")
        found = await at.act(lambda tx, note: _of_member(tx, note, plan, member))
        return _held((), found, {"next": None, "next_match": None}, full_match_form)
    is_first = after is None and after_match is None

    def look(tx: Transaction) -> tuple[tuple[Document, ...], tuple[Link, ...]]:
        page: tuple[Document, ...] = ()
        if is_first or after is not None:
            last = DocumentId(after) if after else None
            page = documents.list_page(tx, plan=plan, state="held", after=last, limit=limit)
        if is_first or after_match is not None:
            return page, links.held(tx, plan=plan, after=after_match, limit=limit)
        return page, ()

    def unit(_: Transaction, note: Note) -> None:
        note.documents = tuple(document.id for document in page)

    try:
        # Not in the act's own unit: on SQLite nobody else writes while that one runs.
        page, matches = await at.database.read_async(look)
    except UnknownId:
        raise Problem(404, "There is no such document or match to go on after.") from None
    await at.act(unit)
    following = {
        "next": page[-1].id if len(page) == limit else None,
        "next_match": links.place(matches[-1]) if len(matches) == limit else None,
    }
    response.headers.update(_link(request, following))
    return _held(page, matches, following, match_form)


def _link(request: Request, following: Mapping[str, str | None]) -> dict[str, str]:
    """To the next page of each list that has one."""
    names = {"next": "after", "next_match": "after_match"}
    where = {names[name]: place for name, place in following.items() if place is not None}
    url = request.url.remove_query_params(list(names.values()))
    return next_page(url, **where) if where else {}


def _held(
    page: Sequence[Document],
    matches: Sequence[Link],
    following: Mapping[str, str | None],
    form: Callable[[Link], dict[str, Any]],
) -> dict[str, Any]:
    return {
        "documents": [document_form(document) for document in page],
        "matches": [form(match) for match in matches],
        **following,
    }


def _of_member(transaction: Transaction, note: Note, plan: PlanId, member: str) -> tuple[Link, ...]:
    owner = the_member(transaction, plan, member)
    note.member = owner.id
    return links.of_member(transaction, plan=plan, member=owner.id)


@router.post("/held/{held_id}/file", openapi_extra=form_schema(Filing))
async def file_held(
    held_id: PathId,
    request: Request,
    means: Means,
    at: Annotated[Desk, desk("REST-HELD-FILE", CLINICAL)],
) -> dict[str, Any]:
    """The document is this member's: it counts in the summary from now on."""
    filing = await read_form(request, Filing)
    plan = means.plan(at.caller.plan)
    document = await at.database.read_async(
        lambda tx: documents.get(tx, plan=plan.id, document=DocumentId(held_id))
    )
    if document is None:
        raise _nothing_there()
    try:
        received = await read_held(means.archive, document, plan)

        def unit(transaction: Transaction, note: Note) -> Document:
            member = the_member(transaction, plan.id, filing.member)
            note.member, note.documents, note.reason = member.id, (document.id,), filing.reason
            return file_as(
                received,
                document.id,
                member=member,
                community=means.community,
                now=datetime.now(UTC),
            )(transaction)

        return document_form(await at.act(unit))
    except NothingToDecide as reason:
        raise Problem(409, f"Nothing was filed: {reason}.") from None


@router.post("/held/{match_id}/confirm", openapi_extra=_DECISION)
async def confirm_match(
    match_id: PathId,
    request: Request,
    at: Annotated[Desk, desk("REST-HELD-CONFIRM", CLINICAL)],
) -> dict[str, Any]:
    """The match is one: the next retrieval asks that community for the member's documents."""
    return await _decide(at, match_id, request, "confirm")


@router.post("/held/{held_id}/reject", openapi_extra=_DECISION)
async def reject_held(
    held_id: PathId,
    request: Request,
    at: Annotated[Desk, desk("REST-HELD-REJECT", CLINICAL)],
) -> dict[str, Any]:
    """The document is of nobody here, or the match is none."""
    return await _decide(at, held_id, request, "reject")


@router.post("/held/{held_id}/undo", openapi_extra=_DECISION)
async def undo_held(
    held_id: PathId,
    request: Request,
    at: Annotated[Desk, desk("REST-HELD-UNDO", CLINICAL)],
) -> dict[str, Any]:
    """Take back what was decided: the document or the match waits again."""
    return await _decide(at, held_id, request, "undo")


@router.post("/documents/{filed_id}/unfile", openapi_extra=_DECISION)
async def unfile_document(
    filed_id: PathId,
    request: Request,
    at: Annotated[Desk, desk("REST-DOCUMENT-UNFILE", CLINICAL)],
) -> dict[str, Any]:
    """Take a wrongly filed document out of its member's record: summary, exports and offers."""
    return await _decide(at, filed_id, request, "unfile")


Act = Literal["confirm", "reject", "undo", "unfile"]


async def _decide(at: Desk, item: str, request: Request, act: Act) -> dict[str, Any]:
    decision = await read_form(request, Decision)
    try:
        return await at.act(lambda tx, note: _decided(tx, note, at, item, decision, act))
    except NothingToDecide as reason:
        raise Problem(409, f"Nothing was changed: {reason}.") from None
    except UnknownId:
        raise _nothing_there() from None


def _decided(
    transaction: Transaction, note: Note, at: Desk, item: str, decision: Decision, act: Act
) -> dict[str, Any]:
    plan = at.caller.plan
    note.reason = decision.reason
    if act != "unfile":
        match = find_match(transaction, plan=plan, match=item)
        if match is not None or act == "confirm":
            return _decided_match(transaction, note, at, item, act)
    document = DocumentId(item)
    before = documents.get(transaction, plan=plan, document=document)
    note.member = before.member if before else None
    now, why = datetime.now(UTC), decision.reason
    if act == "reject":
        done = reject_document(transaction, plan=plan, document=document, reason=why)
    elif act == "undo":
        done = undo_document(transaction, plan=plan, document=document, now=now)
    else:
        done = unfile(transaction, plan=plan, document=document, reason=why, now=now)
    note.documents = (done.id,)
    return document_form(done)


_VERDICTS: dict[str, Verdict] = {"confirm": "confirmed", "reject": "rejected"}


def _decided_match(
    transaction: Transaction, note: Note, at: Desk, item: str, act: Act
) -> dict[str, Any]:
    plan, verdict = at.caller.plan, _VERDICTS.get(act)
    if verdict is None:
        done = undo_match(transaction, plan=plan, match=item)
    else:
        done = decide_match(transaction, plan=plan, match=item, verdict=verdict)
    note.member = done.member
    note.partner = done.partner
    return match_form(done)


def _nothing_there() -> Problem:
    return Problem(404, "Nothing of this id waits in your plan, or was decided there.")


def match_form(match: Link) -> dict[str, Any]:
    """A match as JSON: whom of ours a community's patient may be, and why it is in doubt."""
    return {
        "id": match.id,
        "member": match.member,
        "partner": match.partner,
        "home_community_id": str(match.home_community_id),
        "state": match.state,
        "decided": match.is_decided,
        "score": match.score,
        "degree": match.degree,
        "found": match.found.isoformat(),
        "reason": match.detail,
    }


def full_match_form(match: Link) -> dict[str, Any]:
    """With what the community knows of its patient, for whoever decides."""
    known = None if match.known is None else person_json(match.known)
    return {**match_form(match), "patient_id": match.patient_id.cx, "known": known}
