"""`gateway direct send`, `sent`, `check`: messages that leave, and whether one could."""

import asyncio
import mimetypes
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Annotated

import orjson
import typer
from rich.table import Column, Table

from direct.message import OutgoingPart
from gateway.app.house import House
from gateway.app.mail import direct_means
from gateway.cli.opening import (
    ConfigOption,
    JsonOption,
    PlanOption,
    member_of,
    opened,
    plan_of,
)
from gateway.cli.recording import record, record_look, refusal
from gateway.cli.terminal import Exit, Failure, id_column, out, printable
from gateway.exchange.direct_means import DirectMeans
from gateway.exchange.mail_checking import Checked, NotOurs, check_address
from gateway.exchange.mail_delivering import enqueue_message
from gateway.exchange.mail_forms import checked_form, sent_form
from gateway.exchange.mail_posting import NotSent, Order, prepare
from gateway.model.identity import ConversationId, DocumentId, MailId, PlanId
from gateway.model.member import Plan
from gateway.model.purpose import PurposeOfUse
from gateway.model.sent_mail import RECIPIENT_STATES, RecipientState, SentMail
from gateway.settings_mail_out import Package
from gateway.store import mail_sent
from gateway.store.transaction import Transaction

_OTHER = "application/octet-stream"


def send_message(
    to: Annotated[list[str], typer.Option("--to", help="A Direct address; repeatable.")],
    sender: Annotated[str, typer.Option("--from", help="One of our own addresses.")],
    purpose: Annotated[str, typer.Option(help="Purpose of use, e.g. PAYMENT or OPERATIONS.")],
    requester: Annotated[str, typer.Option(help="The person for whom you send.")],
    member: Annotated[str | None, typer.Option(help="The plan's number of the member.")] = None,
    summary: Annotated[
        bool, typer.Option("--summary", help="Attach the member's summary as a CCD.")
    ] = False,
    document: Annotated[
        list[str] | None, typer.Option(help="Attach a document of the member, by id; repeatable.")
    ] = None,
    file: Annotated[
        list[Path] | None, typer.Option(help="Attach a file; repeatable.", exists=True)
    ] = None,
    subject: Annotated[str | None, typer.Option(help="Travels sealed.")] = None,
    text: Annotated[str, typer.Option(help="The message itself.")] = "",
    package: Annotated[
        Package | None,
        typer.Option(help="As files, or in an XDM zip with metadata; else as the route says."),
    ] = None,
    context: Annotated[
        bool | None,
        typer.Option(
            "--context/--no-context",
            help="A metadata.txt that names the member; else as the route says.",
        ),
    ] = None,
    role: Annotated[str | None, typer.Option(help="Else the plan's requester_role.")] = None,
    authority: Annotated[str | None, typer.Option(help="Else the plan's authority.")] = None,
    plan: PlanOption = None,
    json: JsonOption = False,
    config: ConfigOption = None,
) -> None:
    """Put a message into the outbox; `gateway serve` or `gateway worker` seals and sends it.

    A purpose and a requester have no default. Of a member's record goes what a rule gives.
    """
    with opened(config) as house:
        means, own = _means(house), plan_of(house, plan)
        about = None if member is None else member_of(house, own.id, member, act="CLI-SEND")
        order = Order(
            sender=sender,
            to=tuple(to),
            purpose=purpose,
            person=requester,
            role=role,
            authority=authority,
            member=None if about is None else about.id,
            summary=summary,
            documents=tuple(map(DocumentId, document or ())),
            files=tuple(map(_part, file or ())),
            subject=subject,
            text=text,
            package=package,
            context=context,
        )
        message = _post(house, means, own, order)
    if json:
        typer.echo(orjson.dumps(sent_form(message)).decode())
    else:
        out.print(f"Message {message.id} is in the outbox; see `gateway direct sent`.")


def _post(house: House, means: DirectMeans, plan: Plan, order: Order) -> SentMail:
    """The message, queued and recorded; what is refused is recorded too."""
    now = datetime.now(UTC)
    recorded = partial(
        record,
        name="CLI-SEND",
        plan=plan.id,
        member=order.member,
        purpose=PurposeOfUse.code_of(order.purpose),
    )
    try:
        message = asyncio.run(prepare(means, plan, order, now=now))
    except NotSent as refused:
        reason = str(refused)
        house.database.write(
            lambda tx: recorded(tx, outcome="refused", reason=reason, authority=order.authority)
        )
        raise Failure(reason) from None

    def unit(transaction: Transaction) -> None:
        enqueue_message(transaction, house.queue, message)
        recorded(
            transaction,
            authority=message.record.authority,
            documents=message.record.documents,
            conversation=ConversationId(message.id),
        )

    house.database.write(unit)
    return message


def _part(path: Path) -> OutgoingPart:
    media_type, _ = mimetypes.guess_type(path.name)
    return OutgoingPart(path.read_bytes(), media_type or _OTHER, path.name)


def _means(house: House) -> DirectMeans:
    means = direct_means(house)
    if means is None:
        raise Failure("there is no [mail] in gateway.toml", Exit.USAGE)
    return means


# ---- what was sent -----------------------------------------------------------------------------


def list_sent(
    message: Annotated[
        str | None, typer.Option(help="One message, with every notice that came.")
    ] = None,
    state: Annotated[
        str | None, typer.Option(help=f"With a recipient that is {', '.join(RECIPIENT_STATES)}.")
    ] = None,
    plan: PlanOption = None,
    json: JsonOption = False,
    config: ConfigOption = None,
) -> None:
    """The messages that we sent, newest first, and how it stands with each recipient."""
    wanted = next((one for one in RECIPIENT_STATES if one == state), None)
    if state is not None and wanted is None:
        raise Failure(f"--state is one of {', '.join(RECIPIENT_STATES)}", Exit.USAGE)
    with opened(config) as house:
        own = plan_of(house, plan).id
        if message is not None:
            _show(house, own, MailId(message), json=json)
            return
        found = house.database.read(lambda tx: _all_sent(tx, own, wanted))
        record_look(house, "CLI-SENT", plan=own)
    if json:
        for one in found:
            typer.echo(orjson.dumps(sent_form(one)).decode())
        return
    folded = (Column(name, overflow="fold") for name in ("from", "to", "state", "why"))
    table = Table(id_column(36), "sent", *folded)
    for one in found:
        for recipient in one.recipients:
            table.add_row(
                one.id,
                one.created.isoformat(timespec="seconds"),
                printable(one.sender),
                printable(recipient.address),
                recipient.state,
                printable(recipient.reason),
            )
    out.print(table if found else "None.")


def _all_sent(
    transaction: Transaction, plan: PlanId, state: RecipientState | None
) -> list[SentMail]:
    found: list[SentMail] = []
    last = None
    while page := mail_sent.list_page(transaction, plan=plan, state=state, after=last, limit=1000):
        found += page
        last = page[-1].id
    return found


def _show(house: House, plan: PlanId, message: MailId, *, json: bool) -> None:
    found = house.database.read(lambda tx: mail_sent.get(tx, plan=plan, message=message))
    if found is None:
        reason = "the plan has sent no message with this id"
        raise refusal(house, "CLI-SENT", plan=plan, reason=reason)
    notices = house.database.read(lambda tx: mail_sent.notices_of(tx, plan=plan, message=message))
    house.database.write(
        lambda tx: record(
            tx,
            "CLI-SENT",
            plan=plan,
            member=found.record.member,
            conversation=ConversationId(message),
        )
    )
    form = sent_form(found, notices)
    if json:
        typer.echo(orjson.dumps(form).decode())
        return
    out.print(f"Message {found.id}  <{found.message_id}>  from {found.sender}")
    for one in found.recipients:
        since = one.since.isoformat(timespec="seconds") if one.since else "not yet"
        until = f", until {one.deadline.isoformat(timespec='seconds')}" if one.deadline else ""
        # The reason may be their server's or their notice's own words.
        out.print(printable(f"  {one.address}: {one.state} ({since}{until}) {one.reason or ''}"))
        if one.algorithms:
            out.print(f"    sealed by {one.algorithms}")
        for heard in notices:
            if heard.address == one.address:
                at = heard.notice.arrived.isoformat(timespec="seconds")
                out.print(
                    f"    {at} {heard.notice.form} {heard.notice.kind}: {heard.effect}",
                )


# ---- whether one could -------------------------------------------------------------------------


def check(
    address: Annotated[str, typer.Argument(help="Somebody's Direct address.")],
    sender: Annotated[
        str | None, typer.Option("--from", help="One of our addresses; else our first domain's.")
    ] = None,
    json: JsonOption = False,
    config: ConfigOption = None,
) -> None:
    """Could we send there, could we receive from there, and if not, which rule fails."""
    with opened(config) as house:
        means = _means(house)
        try:
            checked = asyncio.run(check_address(means, address, sender=sender))
        except NotOurs as error:
            raise Failure(str(error), Exit.USAGE) from None
        ours = sender or means.domains.first
        record_look(house, "CLI-DIRECT-CHECK", plan=means.domains.plan_of(ours))
    if json:
        typer.echo(orjson.dumps(checked_form(checked)).decode())
    else:
        out.print(printable("\n".join(_checked_lines(checked))))
    if not (checked.can_send and checked.can_receive):
        raise typer.Exit(int(Exit.FAILED))


def _checked_lines(checked: Checked) -> list[str]:
    lines = [
        f"Send to {checked.address}: {'yes' if checked.can_send else 'no'}",
        *([f"  because {checked.why_not_send}"] if checked.why_not_send else []),
        *(f"  by {server}" for server in checked.servers),
        *([f"  sealed by {checked.sealed_by}"] if checked.sealed_by else []),
        f"Receive from it: {'yes' if checked.can_receive else 'no'}",
        *([f"  because {checked.why_not_receive}"] if checked.why_not_receive else []),
        *([f"Tell them: {checked.tell_them}"] if checked.tell_them else []),
        *([f"Remark: {checked.remark}"] if checked.remark else []),
        *(["Looked at:"] if checked.steps else []),
    ]
    lines += [
        f"  {one.place} {one.where}: {one.outcome} {one.said}".rstrip() for one in checked.steps
    ]
    return lines
