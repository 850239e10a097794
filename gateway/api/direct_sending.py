"""POST /api/v1/direct/messages: send by Direct; /direct/sent: how it stands with each recipient."""

import asyncio
from datetime import UTC, datetime
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse, PlainTextResponse, Response
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from direct.message import OutgoingPart
from gateway.api.access import CLINICAL, OPERATION, Desk, Note, desk
from gateway.api.forms import form_schema, read_form
from gateway.api.long_forms import Base64, read_long_form
from gateway.api.means import ID, After, Limit, Means, PathId, PlanMeans
from gateway.api.problems import Problem
from gateway.api.retrievals import RequesterForm, Words, by_name
from gateway.exchange.direct_means import DirectMeans
from gateway.exchange.mail_checking import NotOurs, check_address
from gateway.exchange.mail_delivering import enqueue_message
from gateway.exchange.mail_forms import checked_form, sent_form
from gateway.exchange.mail_looking import documents_of, load_verdict, member_of, page
from gateway.exchange.mail_posting import NotSent, Order, prepare
from gateway.exchange.mail_reading import NotShown, read_mail
from gateway.model.identity import ConversationId, DocumentId, MailId, MemberId
from gateway.model.member import Plan
from gateway.model.purpose import PurposeOfUse
from gateway.model.received_mail import ReceivedMail
from gateway.model.sent_mail import HeardNotice, SentMail
from gateway.settings_mail_out import Package
from gateway.store import mail_received, mail_sent, members
from gateway.store.database import Transaction

router = APIRouter(prefix="/api/v1/direct", tags=["mail"])

Id = Annotated[str, Field(pattern=ID)]
Address = Annotated[str, Field(pattern=r"^[^@\s]{1,64}@[A-Za-z0-9.-]{1,253}$")]


class FileForm(BaseModel):
    """A file to attach, its content in base64."""

    model_config = ConfigDict(extra="forbid")
    name: Words
    media_type: Annotated[str, Field(pattern=r"^[\w.+-]+/[\w.+-]+$")] = "application/octet-stream"
    content: Base64


class MessageForm(BaseModel):
    """What is sent, and what must be stated for it (DECISIONS 8).

    Of a member's record goes what a rule gives to the recipients' domain for the purpose.
    """

    model_config = ConfigDict(extra="forbid", str_strip_whitespace=True, populate_by_name=True)
    sender: Annotated[Address, Field(alias="from")]
    to: Annotated[tuple[Address, ...], Field(min_length=1, max_length=100)]
    purpose: Words
    requester: Annotated[RequesterForm, BeforeValidator(by_name)]
    member: Id | None = None
    summary: bool = False
    documents: tuple[Id, ...] = ()
    files: tuple[FileForm, ...] = ()
    subject: Words | None = None
    text: Annotated[str, Field(max_length=100_000)] = ""
    package: Package | None = None
    """Files beside the text, or one XDM zip with their metadata; as the route says if left out."""
    context: bool | None = None
    """Whether a `metadata.txt` names the member; as the route says if left out."""


@router.post("/messages", status_code=202, openapi_extra=form_schema(MessageForm))
async def send_message(
    request: Request, means: Means, at: Annotated[Desk, desk("REST-SEND", CLINICAL)]
) -> JSONResponse:
    """Put a message into the outbox. 202 at once; follow it at its own address.

    The body may have as many bytes as a message that we take (`mail.limits.message_bytes`), 64 KiB
    of them beside its files and its text.
    """
    direct = _direct(means)
    form = await read_long_form(request, MessageForm, limit_bytes=means.mail_limit_bytes)
    plan = means.plan(at.caller.plan)
    at.note.purpose = PurposeOfUse.code_of(form.purpose)
    at.note.member = await at.database.read_async(lambda tx: _known(tx, plan, form.member))
    order = _order(form)
    try:
        message = await prepare(direct, plan, order, now=datetime.now(UTC))
    except NotSent as refused:
        raise Problem(422, f"It was not sent: {refused}.") from None

    def unit(transaction: Transaction, note: Note) -> None:
        enqueue_message(transaction, means.queue, message)
        note.purpose, note.authority = message.record.purpose, message.record.authority
        note.documents = message.record.documents
        note.conversation = ConversationId(message.id)

    await at.act(unit)
    address = f"/api/v1/direct/sent/{message.id}"
    return JSONResponse(sent_form(message), 202, headers={"Location": address})


def _known(transaction: Transaction, plan: Plan, written: str | None) -> MemberId | None:
    """The member of the plan; whatever else was written there must not enter the log."""
    if written is None:
        return None
    known = members.get(transaction, plan=plan.id, member=MemberId(written))
    return None if known is None else known.id


def _order(form: MessageForm) -> Order:
    return Order(
        sender=form.sender,
        to=form.to,
        purpose=form.purpose,
        person=form.requester.person,
        role=form.requester.role,
        authority=form.requester.authority,
        member=MemberId(form.member) if form.member else None,
        summary=form.summary,
        documents=tuple(map(DocumentId, form.documents)),
        files=tuple(map(_part, form.files)),
        subject=form.subject,
        text=form.text,
        package=form.package,
        context=form.context,
    )


def _part(file: FileForm) -> OutgoingPart:
    return OutgoingPart(file.content, file.media_type, file.name)


def _direct(means: PlanMeans) -> DirectMeans:
    if means.direct is None:
        raise Problem(501, "This gateway has no Direct mail.")
    return means.direct


# ---- what was sent -----------------------------------------------------------------------------


@router.get("/sent")
async def list_sent(
    at: Annotated[Desk, desk("REST-SENT", CLINICAL | OPERATION)],
    state: Literal[
        "queued", "handed_over", "processed", "dispatched", "failed", "timed_out", "bounced"
    ]
    | None = None,
    after: After = None,
    limit: Limit = 100,
) -> dict[str, Any]:
    """The plan's messages, newest first, with the state of each recipient."""
    plan = at.caller.plan

    def unit(transaction: Transaction, _note: Note) -> tuple[SentMail, ...]:
        last = MailId(after) if after else None
        return mail_sent.list_page(transaction, plan=plan, state=state, after=last, limit=limit)

    found = await at.act(unit)
    following = found[-1].id if len(found) == limit else None
    return {"messages": [sent_form(one) for one in found], "next": following}


@router.get("/sent/{sent_id}")
async def read_sent(
    sent_id: PathId, at: Annotated[Desk, desk("REST-SENT-MESSAGE", CLINICAL | OPERATION)]
) -> dict[str, Any]:
    """One message with every notice that came, late ones too."""
    plan, message = at.caller.plan, MailId(sent_id)

    def unit(transaction: Transaction, note: Note) -> tuple[SentMail, tuple[HeardNotice, ...]]:
        found = mail_sent.get(transaction, plan=plan, message=message)
        if found is None:
            raise Problem(404, "There is no such message in your plan.")
        note.member, note.conversation = found.record.member, ConversationId(found.id)
        return found, mail_sent.notices_of(transaction, plan=plan, message=message)

    return sent_form(*await at.act(unit))


# ---- what came, and what could -----------------------------------------------------------------


@router.get("/messages/{message_id}/verdict", response_class=Response)
async def read_verdict(
    message_id: PathId,
    means: Means,
    at: Annotated[Desk, desk("REST-VERDICT", CLINICAL | OPERATION)],
    format: Literal["json", "text"] = "json",
) -> Response:
    """One page on a received message: who signed, bound how, by which chain, what refused it."""
    direct, plan = _direct(means), at.caller.plan

    def unit(transaction: Transaction, note: Note) -> ReceivedMail:
        found = mail_received.get(transaction, plan=plan, message=MailId(message_id))
        if found is None:
            raise Problem(404, "There is no such message in your plan.")
        note.conversation = ConversationId(found.id)
        return found

    mail = await at.act(unit)
    form = await asyncio.to_thread(load_verdict, direct, mail)
    if form is None:
        raise Problem(409, "The message was not judged yet.")
    return PlainTextResponse(page(form)) if format == "text" else JSONResponse(form)


@router.get("/messages/{trusted_id}/content")
async def read_mail_content(
    trusted_id: PathId,
    means: Means,
    at: Annotated[Desk, desk("REST-MESSAGE-CONTENT", CLINICAL)],
) -> dict[str, Any]:
    """What a trusted message says, as text, and the list of its parts with what became of each."""
    direct, plan = _direct(means), at.caller.plan

    def unit(transaction: Transaction, note: Note) -> ReceivedMail:
        found = mail_received.get(transaction, plan=plan, message=MailId(trusted_id))
        if found is None:
            raise Problem(404, "There is no such message in your plan.")
        note.conversation = ConversationId(found.id)
        note.member = member_of(transaction, found)
        note.documents = documents_of(transaction, found)
        return found

    mail = await at.act(unit)
    try:
        return await read_mail(direct, mail)
    except NotShown as reason:
        raise Problem(409, f"The message is not shown: {reason}.") from None


class CheckForm(BaseModel):
    """Whom to look for. Addresses stand in no URL (DECISIONS 20)."""

    model_config = ConfigDict(extra="forbid", populate_by_name=True)
    address: Address
    sender: Annotated[Address | None, Field(alias="from")] = None


@router.post("/checks", openapi_extra=form_schema(CheckForm))
async def check(
    request: Request, means: Means, at: Annotated[Desk, desk("REST-CHECK", CLINICAL | OPERATION)]
) -> dict[str, Any]:
    """Could we send to an address, could we receive from it, and if not, which rule fails."""
    direct = _direct(means)
    form = await read_form(request, CheckForm)
    try:
        checked = await check_address(direct, form.address, sender=form.sender, plan=at.caller.plan)
    except NotOurs as error:
        raise Problem(422, f"It was not checked: {error}.") from None
    await at.act(lambda _transaction, _note: None)
    return checked_form(checked)
