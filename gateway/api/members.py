"""Members: whom the caller's plan covers, and who has opted out."""

from typing import Annotated, Any

from fastapi import APIRouter, Request
from pydantic import BaseModel, ConfigDict, Field

from gateway.api.access import CLINICAL, Desk, Note, desk
from gateway.api.forms import form_schema, read_form
from gateway.api.means import After, Limit, PathId, the_member
from gateway.exchange.shown_members import member_form, shown
from gateway.model.member import Member
from gateway.store import members
from gateway.store.database import Transaction

router = APIRouter(prefix="/api/v1", tags=["members"])


@router.get("/members")
async def list_members(
    at: Annotated[Desk, desk("REST-MEMBERS", CLINICAL)],
    after: After = None,
    limit: Limit = 100,
) -> dict[str, Any]:
    """The plan's members by their number, a page at a time."""

    def unit(transaction: Transaction, note: Note) -> tuple[Member, ...]:
        # The cursor is the opaque id: a member's number does not belong in an URL (DECISIONS 20).
        last = the_member(transaction, at.caller.plan, after).member_id if after else None
        page = members.list_page(transaction, plan=at.caller.plan, after=last, limit=limit)
        note.member, note.reason = shown(member.id for member in page)
        return page

    page = await at.act(unit)
    following = page[-1].id if len(page) == limit else None
    return {"members": [member_form(member) for member in page], "next": following}


class Wanted(BaseModel):
    """Whom somebody looks for, by the plan's own number."""

    model_config = ConfigDict(extra="forbid")
    member_id: str = Field(min_length=1, max_length=200, pattern=r"^[^\x00-\x1f]+$")


@router.post("/member-search", openapi_extra=form_schema(Wanted))
async def search_members(
    request: Request, at: Annotated[Desk, desk("REST-MEMBERS", CLINICAL)]
) -> dict[str, Any]:
    """The member with the plan's own number, or nobody; a number is no matter for a URL."""
    wanted = await read_form(request, Wanted)
    plan, number = at.caller.plan, wanted.member_id.strip()

    def unit(transaction: Transaction, note: Note) -> tuple[Member, ...]:
        found = members.get_by_member_id(transaction, plan=plan, member_id=number)
        page = () if found is None else (found,)
        note.member, note.reason = shown(member.id for member in page)
        return page

    return {"members": [member_form(member) for member in await at.act(unit)]}


@router.get("/members/{member_id}")
async def read_member(
    member_id: PathId, at: Annotated[Desk, desk("REST-MEMBER", CLINICAL)]
) -> dict[str, Any]:
    """One member, as the roster states them."""

    def unit(transaction: Transaction, note: Note) -> Member:
        member = the_member(transaction, at.caller.plan, member_id)
        note.member = member.id
        return member

    return member_form(await at.act(unit))


class Consent(BaseModel):
    """Whether the member has opted out of exchange, and how that is known."""

    model_config = ConfigDict(extra="forbid")
    opted_out: bool
    reason: str = Field(pattern=r"\S", max_length=1000)


@router.put("/members/{member_id}/consent", openapi_extra=form_schema(Consent))
async def put_consent(
    member_id: PathId,
    request: Request,
    at: Annotated[Desk, desk("REST-MEMBER-CONSENT", CLINICAL)],
) -> dict[str, Any]:
    """Who has opted out is asked for nowhere, and given to nobody, until it is taken back."""
    consent = await read_form(request, Consent)
    plan = at.caller.plan

    def unit(transaction: Transaction, note: Note) -> Member:
        member = the_member(transaction, plan, member_id)
        note.member = member.id
        note.reason = f"opted {'out' if consent.opted_out else 'in'}: {consent.reason}"
        return members.set_opted_out(
            transaction, plan=plan, member=member.id, opted_out=consent.opted_out
        )

    return member_form(await at.act(unit))
