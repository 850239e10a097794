"""`gateway direct inbox`: the messages that came, what became of each, and what one says."""

import asyncio
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import orjson
import typer
from rich.table import Column, Table

from gateway.app.mail import direct_means
from gateway.cli.groups import Commands
from gateway.cli.opening import ConfigOption, JsonOption, PlanOption, opened, plan_of
from gateway.cli.recording import record, record_look, refusal
from gateway.cli.terminal import Exit, Failure, id_column, out, printable, save_files
from gateway.exchange.mail_looking import documents_of, member_of
from gateway.exchange.mail_reading import NotShown, mail_text, read_mail, read_parts
from gateway.model.identity import ConversationId, MailId, PlanId
from gateway.model.received_mail import MAIL_STATES, MailState, ReceivedMail
from gateway.store import mail_received
from gateway.store.transaction import Transaction

inbox_app = typer.Typer(help="The messages that came, and what one of them says.", cls=Commands)


@inbox_app.callback(invoke_without_command=True)
def list_inbox(
    context: typer.Context,
    state: Annotated[
        str | None, typer.Option(help=f"Only those that are {', '.join(MAIL_STATES)}.")
    ] = None,
    plan: PlanOption = None,
    json: JsonOption = False,
    config: ConfigOption = None,
) -> None:
    """The messages that came, oldest first, and what became of each."""
    if context.invoked_subcommand is not None:
        return
    wanted = next((one for one in MAIL_STATES if one == state), None)
    if state is not None and wanted is None:
        raise Failure(f"--state is one of {', '.join(MAIL_STATES)}", Exit.USAGE)
    with opened(config) as house:
        own = plan_of(house, plan).id
        found = house.database.read(lambda tx: all_messages(tx, own, wanted))
        record_look(house, "CLI-INBOX", plan=own)
    if json:
        for message in found:
            typer.echo(orjson.dumps(message_form(message)).decode())
        return
    if not found:
        out.print("None.")
        return
    folded = (Column(name, overflow="fold") for name in ("from", "to", "state", "why"))
    table = Table(id_column(36), "arrived", *folded)
    for message in found:
        table.add_row(
            message.id,
            message.arrived.isoformat(timespec="seconds"),
            printable("unknown" if message.mail_from is None else message.mail_from or "<>"),
            printable(", ".join(message.rcpt_to)),
            message.state,
            printable(message.reason),
        )
    out.print(table)


@inbox_app.command("show")
def show_message(
    message: Annotated[str, typer.Argument(help="The message's id, as the inbox shows it.")],
    save: Annotated[
        Path | None, typer.Option(help="A new folder for what the message carries, as files.")
    ] = None,
    plan: PlanOption = None,
    json: JsonOption = False,
    config: ConfigOption = None,
) -> None:
    """What a trusted message says, and its parts with the document that each became.

    What was not trusted is not opened: `gateway direct verdict` says why.
    """
    with opened(config) as house:
        own, means = plan_of(house, plan).id, direct_means(house)
        if means is None:
            raise Failure("there is no [mail] in gateway.toml", Exit.USAGE)
        wanted = MailId(message)
        mail = house.database.read(lambda tx: mail_received.get(tx, plan=own, message=wanted))
        if mail is None:
            reason = "the plan has received no message with this id"
            raise refusal(house, "CLI-INBOX-SHOW", plan=own, reason=reason)
        why = None if save is None else "what it carries is saved as files"
        house.database.write(lambda tx: _record(tx, mail, why))
        try:
            form = asyncio.run(read_mail(means, mail))
            files = {} if save is None else asyncio.run(read_parts(means, mail))
        except NotShown as reason:
            raise Failure(f"the message is not shown: {reason}") from None
    if save is not None:
        save_files(save, files)
    if json:
        typer.echo(orjson.dumps({**message_form(mail), "content": form}).decode())
    else:
        out.print(printable(_page(mail, form)))
        for name in files:
            out.print(f"Saved         {name}")


def _record(transaction: Transaction, mail: ReceivedMail, reason: str | None) -> None:
    record(
        transaction,
        "CLI-INBOX-SHOW",
        plan=mail.plan,
        member=member_of(transaction, mail),
        documents=documents_of(transaction, mail),
        conversation=ConversationId(mail.id),
        reason=reason,
    )


def _page(mail: ReceivedMail, form: Mapping[str, Any]) -> str:
    state = f"{mail.state}: {mail.reason}" if mail.reason else mail.state
    return f"Message       {mail.id}\nState         {state}\n{mail_text(form)}"


def all_messages(
    transaction: Transaction, plan: PlanId, state: MailState | None
) -> tuple[ReceivedMail, ...]:
    """Every message of that state, in the order they came."""
    found: list[ReceivedMail] = []
    last = None
    while page := mail_received.list_page(
        transaction, plan=plan, state=state, after=last, limit=1000
    ):
        found += page
        last = page[-1].id
    return tuple(found)


def message_form(message: ReceivedMail) -> dict[str, Any]:
    """A message as a program reads it."""
    return {
        "id": message.id,
        "what": "message",
        "state": message.state,
        "reason": message.reason,
        "door": message.door,
        "from": message.mail_from,
        "to": list(message.rcpt_to),
        "message_id": message.message_id,
        "arrived": message.arrived.isoformat(),
        "settled": message.settled.isoformat() if message.settled else None,
        "attempts": message.attempts,
        "size": message.blob.size_bytes,
        "sha256": message.blob.sha256,
    }
