"""`gateway direct inbox`: the messages that came, and what became of each."""

from typing import Annotated, Any

import orjson
import typer
from rich.table import Column, Table

from gateway.cli.opening import ConfigOption, JsonOption, PlanOption, opened, plan_of
from gateway.cli.recording import record_look
from gateway.cli.terminal import Exit, Failure, id_column, out, printable
from gateway.model.identity import PlanId
from gateway.model.received_mail import MAIL_STATES, MailState, ReceivedMail
from gateway.store import mail_received
from gateway.store.transaction import Transaction


def list_inbox(
    state: Annotated[
        str | None, typer.Option(help=f"Only those that are {', '.join(MAIL_STATES)}.")
    ] = None,
    plan: PlanOption = None,
    json: JsonOption = False,
    config: ConfigOption = None,
) -> None:
    """The messages that came, oldest first, and what became of each."""
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
