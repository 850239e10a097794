"""`gateway direct verdict`: one page on a received message, and files to check it without us."""

from pathlib import Path
from typing import Annotated

import orjson
import typer

from gateway.app.mail import direct_means
from gateway.cli.opening import ConfigOption, JsonOption, PlanOption, opened, plan_of
from gateway.cli.recording import record, refusal
from gateway.cli.terminal import Exit, Failure, out, printable, save_files
from gateway.exchange.mail_looking import NoEvidence, load_verdict, make_evidence, page
from gateway.model.identity import ConversationId, MailId
from gateway.store import mail_received


def show_verdict(
    message: Annotated[str, typer.Argument(help="The message's id, as the inbox shows it.")],
    evidence: Annotated[
        Path | None,
        typer.Option(help="A new folder for files with which openssl checks it again."),
    ] = None,
    plan: PlanOption = None,
    json: JsonOption = False,
    config: ConfigOption = None,
) -> None:
    """Who signed, bound how, by which chain, which rule refused it, and what it was answered."""
    with opened(config) as house:
        own, means = plan_of(house, plan).id, direct_means(house)
        if means is None:
            raise Failure("there is no [mail] in gateway.toml", Exit.USAGE)
        mail = house.database.read(
            lambda tx: mail_received.get(tx, plan=own, message=MailId(message))
        )
        form = None if mail is None else load_verdict(means, mail)
        if mail is None or form is None:
            reason = "the plan has no such message, or it was not judged yet"
            raise refusal(house, "CLI-VERDICT", plan=own, reason=reason)
        seen = ConversationId(mail.id)
        house.database.write(lambda tx: record(tx, "CLI-VERDICT", plan=own, conversation=seen))
        if evidence is not None:
            try:
                files = make_evidence(means, mail, form)
            except NoEvidence as error:
                raise Failure(f"there is nothing to check again: {error}") from None
            save_files(evidence, files)
    if json:
        typer.echo(orjson.dumps(form).decode())
    else:
        out.print(printable(page(form)))
