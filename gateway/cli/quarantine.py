"""`gateway quarantine`: what could not be read or trusted, why, and once more."""

import asyncio
from datetime import UTC, datetime
from typing import Annotated, Any

import orjson
import typer
from rich.table import Column, Table

from gateway.app.house import House
from gateway.cli.groups import group
from gateway.cli.held import all_documents
from gateway.cli.messages import all_messages, message_form
from gateway.cli.opening import ConfigOption, JsonOption, PlanOption, opened, plan_of
from gateway.cli.recording import record, record_look
from gateway.cli.terminal import Failure, id_column, out, printable
from gateway.exchange.ingest import Ingested
from gateway.exchange.replaying import NotQuarantined, read_again, refile, replay_message
from gateway.model.document import Document
from gateway.model.identity import ConversationId, DocumentId, MailId, PlanId
from gateway.model.member import Plan
from gateway.model.received_mail import ReceivedMail
from gateway.store import documents, mail_received
from gateway.store.errors import UnknownId
from gateway.store.transaction import Transaction

quarantine_app = group("Documents that cannot be read, messages that were not trusted.")
ItemArgument = Annotated[str, typer.Argument(help="The id that `quarantine list` shows.")]


@quarantine_app.command("list")
def list_quarantine(
    plan: PlanOption = None, json: JsonOption = False, config: ConfigOption = None
) -> None:
    """All of it, each with its reason."""
    with opened(config) as house:
        own = plan_of(house, plan).id
        kept = house.database.read(lambda tx: all_documents(tx, own, "quarantined"))
        mails = house.database.read(lambda tx: all_messages(tx, own, "quarantined"))
        ids = tuple(document.id for document in kept)
        record_look(house, "CLI-QUARANTINED", plan=own, documents=ids)
    if json:
        for one in (*map(_document_form, kept), *map(message_form, mails)):
            typer.echo(orjson.dumps(one).decode())
        return
    if not kept and not mails:
        out.print("None.")
        return
    whole = [Column(name, no_wrap=True) for name in ("what", "received")]
    others = [Column(name, overflow="fold") for name in ("from or title", "why")]
    table = Table(id_column(36), *whole, *others)
    for document in kept:
        received = document.received.strftime("%Y-%m-%d %H:%M")
        title, why = printable(document.title), printable(document.reason)
        table.add_row(document.id, "document", received, title, why)
    for mail in mails:
        arrived = mail.arrived.strftime("%Y-%m-%d %H:%M")
        sender, why = printable(mail.mail_from or "unknown"), printable(mail.reason)
        table.add_row(mail.id, "message", arrived, sender, why)
    out.print(table)


@quarantine_app.command("show")
def show_quarantined(
    item: ItemArgument,
    plan: PlanOption = None,
    json: JsonOption = False,
    config: ConfigOption = None,
) -> None:
    """What is known of one: where it came from, why it is here, how often it was tried."""
    with opened(config) as house:
        own = plan_of(house, plan).id
        form = house.database.read(lambda tx: _found(tx, own, item))
        outcome = "refused" if form is None else "success"
        house.database.write(
            lambda tx: record(
                tx,
                "CLI-QUARANTINED",
                plan=own,
                documents=(DocumentId(item),) if form and form["what"] == "document" else (),
                conversation=ConversationId(item) if form else None,
                outcome="success" if outcome == "success" else "refused",
                reason=None if form else "nothing of this id is in quarantine",
            )
        )
    if form is None:
        raise Failure("nothing of this id is in quarantine; see `gateway quarantine list`")
    if json:
        typer.echo(orjson.dumps(form).decode())
        return
    for name, value in form.items():
        shown = ", ".join(value) if isinstance(value, list) else value
        out.print(f"{name:<12}{printable(str(shown)) if shown is not None else '-'}")


@quarantine_app.command("replay")
def replay_quarantined(
    item: ItemArgument, plan: PlanOption = None, config: ConfigOption = None
) -> None:
    """Run it again: a message is queued to be judged anew, a document is read anew."""
    with opened(config) as house:
        own = plan_of(house, plan)
        document = house.database.read(
            lambda tx: documents.get(tx, plan=own.id, document=DocumentId(item))
        )
        try:
            if document is None:
                house.database.write(lambda tx: _queue(tx, house, own.id, MailId(item)))
                out.print("queued; `gateway serve` or `gateway worker` judges it anew")
                return
            done = _read(house, own, document)
        except (NotQuarantined, UnknownId) as error:
            reason = str(error)
            house.database.write(
                lambda tx: record(tx, "CLI-REPLAY", plan=own.id, outcome="refused", reason=reason)
            )
            raise Failure(f"nothing was replayed: {reason}") from None
    why = f": {printable(done.document.reason)}" if done.document.reason else ""
    out.print(f"{done.document.state}{why}")
    if done.document.state == "quarantined":
        raise typer.Exit(1)


def _queue(transaction: Transaction, house: House, plan: PlanId, message: MailId) -> ReceivedMail:
    again = replay_message(transaction, house.queue, plan=plan, message=message)
    record(transaction, "CLI-REPLAY", plan=plan, conversation=ConversationId(message))
    return again


def _read(house: House, plan: Plan, document: Document) -> Ingested:
    received = asyncio.run(read_again(house.archive, document, plan))
    unit = refile(received, plan=plan, community=house.community, now=datetime.now(UTC))

    def recorded(transaction: Transaction) -> Ingested:
        done = unit(transaction)
        record(
            transaction,
            "CLI-REPLAY",
            plan=plan.id,
            member=done.document.member,
            documents=(document.id,),
        )
        return done

    return house.database.write(recorded)


def _found(transaction: Transaction, plan: PlanId, item: str) -> dict[str, Any] | None:
    kept = documents.quarantine_of(transaction, plan=plan, document=DocumentId(item))
    if kept is not None:
        return {
            **_document_form(kept.document),
            "stage": kept.stage,
            "attempts": kept.attempts,
            "first": kept.first.isoformat(),
            "last": kept.last.isoformat(),
        }
    mail = mail_received.get(transaction, plan=plan, message=MailId(item))
    return message_form(mail) if mail is not None and mail.state == "quarantined" else None


def _document_form(document: Document) -> dict[str, Any]:
    return {
        "id": document.id,
        "what": "document",
        "reason": document.reason,
        "title": document.title,
        "door": document.source.door,
        "received": document.received.isoformat(),
        "size": document.blob.size_bytes,
        "sha256": document.blob.sha256,
    }
