"""Submissions: bring a member's documents to a partner (ITI-41, ITI-80), and what it answered."""

from datetime import UTC, datetime
from typing import Annotated, Any
from uuid import uuid4

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from gateway.api.access import CLINICAL, OPERATION, Desk, Note, desk
from gateway.api.exchanges import exchange_form
from gateway.api.forms import form_schema, read_form
from gateway.api.means import Means, PathId, the_member
from gateway.api.problems import Problem
from gateway.api.retrievals import RequesterForm, Words, by_name
from gateway.exchange.policy import Refused, requester_stated
from gateway.exchange.submitting import ENDS, NotSubmitted, check, records_of
from gateway.model.exchange import RecordedExchange
from gateway.model.identity import ConversationId, DocumentId, PartnerId
from gateway.model.purpose import PurposeOfUse
from gateway.model.submission import SUBMIT, Submission
from gateway.store import partners
from gateway.store.database import Transaction
from gateway.store.values import dump

router = APIRouter(prefix="/api/v1", tags=["submissions"])


class SubmissionForm(BaseModel):
    """What goes to which partner, and what must be stated for it (DECISIONS 8).

    Without documents and summary all go that rules give to the partner for the purpose.
    """

    model_config = ConfigDict(extra="forbid", str_strip_whitespace=True)
    partner: Words
    purpose: Words
    requester: Annotated[RequesterForm, BeforeValidator(by_name)]
    documents: Annotated[tuple[str, ...], Field(max_length=100)] = ()
    summary: bool = False


@router.post(
    "/members/{member_id}/submissions", status_code=202, openapi_extra=form_schema(SubmissionForm)
)
async def start_submission(
    member_id: PathId,
    request: Request,
    means: Means,
    at: Annotated[Desk, desk("REST-SUBMISSION", CLINICAL)],
) -> JSONResponse:
    """Send a member's documents to a partner. 202 at once; follow it at its own address."""
    form = await read_form(request, SubmissionForm)
    now = datetime.now(UTC)

    def unit(transaction: Transaction, note: Note) -> Submission:
        member = the_member(transaction, at.caller.plan, member_id)
        at.note.member = member.id  # noted before it is judged: a refusal names all this too
        try:
            purpose = PurposeOfUse.parse(form.purpose)
        except ValueError as error:
            raise Problem(422, f"The purpose is not usable: {error}.") from None
        at.note.purpose = purpose.code
        requester = requester_stated(means.plan(member.plan), **form.requester.model_dump())
        if isinstance(requester, Refused):
            raise Problem(422, f"{requester.reason} Nor has the plan registered one.")
        at.note.authority = requester.authority
        given = Submission(
            id=str(uuid4()),
            plan=member.plan,
            member=member.id,
            partner=PartnerId(form.partner),
            purpose=purpose.code,
            requester=requester,
            created=now,
            documents=tuple(map(DocumentId, form.documents)),
            summary=form.summary,
        )
        known = partners.get(transaction, plan=member.plan, partner=given.partner)
        at.note.partner = None if known is None else known.id
        try:
            check(transaction, given, means.plans, means.community, now=now)
        except NotSubmitted as refusal:
            raise Problem(403, f"Nothing was sent: {refusal}.") from None
        note.documents, note.conversation = given.documents, ConversationId(given.id)
        means.queue.enqueue(
            transaction,
            kind=SUBMIT,
            plan=given.plan,
            payload={"submission": dump(given)},
            idempotency_key=given.id,
            run_at=now,
        )
        return given

    given = await at.act(unit)
    address = f"/api/v1/submissions/{given.id}"
    return JSONResponse(_form(given.id, ()), 202, headers={"Location": address})


@router.get("/submissions/{submission_id}")
async def read_submission(
    submission_id: PathId,
    at: Annotated[Desk, desk("REST-SUBMISSION-STATE", CLINICAL | OPERATION)],
) -> dict[str, Any]:
    """How it stands: waiting until the first attempt, then what the last one came to.

    One that may not be sent when its time comes is refused; then nothing left the house. Of one
    that is given up the last entry says so, and why.
    """

    def unit(transaction: Transaction, note: Note) -> tuple[RecordedExchange, ...]:
        found = records_of(transaction, submission_id, at.caller.plan)
        ordered = [one for one in found if one.exchange.transaction == "REST-SUBMISSION"]
        if not any(one.exchange.outcome == "success" for one in ordered):
            raise Problem(404, "There is no such submission in your plan.")
        note.member = ordered[0].exchange.member
        note.conversation = ConversationId(submission_id)
        return found

    return _form(submission_id, await at.act(unit))


def _form(submission: str, found: tuple[RecordedExchange, ...]) -> dict[str, Any]:
    attempts = [one for one in found if one.exchange.transaction in ENDS]
    last = attempts[-1].exchange if attempts else None
    return {
        "id": submission,
        "state": "waiting" if last is None else last.outcome,
        "detail": None if last is None else last.reason,
        "documents": [] if last is None else list(last.documents),
        "attempts": [exchange_form(one) for one in attempts],
    }
