"""`gateway serve`, `worker`, `db`, `tokens`: running the house."""

import asyncio
import logging
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any, Final

import orjson
import typer
from rich.table import Table

from gateway.api.listener import until_asked_to_stop
from gateway.app.mail import take_mail
from gateway.app.serving import answer_partners, serve, work
from gateway.cli.groups import group
from gateway.cli.opening import (
    ConfigOption,
    JsonOption,
    PlanOption,
    opened,
    opened_with,
    plan_of,
    settings_of,
    settings_on_stdin,
    until_orphaned,
)
from gateway.cli.recording import record, record_look
from gateway.cli.terminal import Exit, Failure, id_column, out, printable
from gateway.model.caller import ROLES, Role, Token
from gateway.model.exchange import Outcome
from gateway.store import tokens
from gateway.store.roles import describe_service_role, grant_service_role, may_alter
from gateway.store.scope import ALL_PLANS
from gateway.store.transaction import Transaction

tokens_app = group("Tokens of the REST doors.")
db_app = group("The database.")


_ALONE: Final = ("mail", "partners")
"""What a process of its own may do."""


def serve_command(
    only: Annotated[
        str | None,
        typer.Option(
            help="Only this: `mail` (SMTP, mailboxes, folders), or `partners` (their SOAP doors).",
            metavar="WHAT",
        ),
    ] = None,
    settings_from_parent: Annotated[
        bool, typer.Option(help="Settings come on standard input.", hidden=True)
    ] = False,
    listener_from_parent: Annotated[
        str | None, typer.Option(help="A listener that has been inherited.", hidden=True)
    ] = None,
    config: ConfigOption = None,
) -> None:
    """Answer partners and plans, take mail, and do the work, until asked to stop."""
    if only is not None and only not in _ALONE:
        raise Failure("--only takes mail or partners", Exit.USAGE)
    _log_to_stderr()
    given = settings_on_stdin() if settings_from_parent else settings_of(config)
    with opened_with(given, handed_down=settings_from_parent) as house:
        try:
            stop = until_orphaned if settings_from_parent else until_asked_to_stop
            if only is None:
                asyncio.run(serve(house))
            elif only == "mail":
                asyncio.run(take_mail(house, stop=stop))
            else:
                asyncio.run(answer_partners(house, stop=stop, shared=listener_from_parent))
        except OSError as error:
            # A file that is named is what is wrong; else it is the address.
            what = error.filename or "cannot listen"
            raise Failure(f"{what}: {error.strerror or error}") from None


def worker_command(config: ConfigOption = None) -> None:
    """Do queued work alone; for more processes beside `serve` on PostgreSQL."""
    _log_to_stderr()
    with opened(config) as house:
        asyncio.run(work(house))


def _log_to_stderr() -> None:
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s %(message)s")
    # Both log URLs; an URL may hold a partner's ids, and the exchange log has the rest.
    # signxml at DEBUG would log what it canonicalises.
    for name in ("httpx", "httpcore", "zeep", "signxml"):
        logging.getLogger(name).setLevel(logging.WARNING)


@db_app.command("upgrade")
def upgrade_database(
    service_role: Annotated[
        str | None,
        typer.Option(
            help="On PostgreSQL: the role that serves, made if it is not there; it may add to the"
            " log, and neither change it nor delete from it.",
            metavar="NAME",
        ),
    ] = None,
    print_sql: Annotated[
        bool, typer.Option("--print-sql", help="Print what would be granted, and grant nothing.")
    ] = False,
    config: ConfigOption = None,
) -> None:
    """Make the database, or bring it to this version.

    On PostgreSQL run this as the tables' owner (GATEWAY_DATABASE_URL), and let the gateway serve as
    another role: name it with --service-role after each upgrade, and give it a password yourself.
    `audit dispose` and `keys rotate` are the owner's too.
    """
    if print_sql and service_role is None:
        raise Failure("--print-sql goes with --service-role", Exit.USAGE)
    with opened(config) as house:
        if service_role is not None and not house.database.is_postgres:
            raise Failure("SQLite knows no roles: whoever has the file may do all", Exit.USAGE)
        if service_role is not None and print_sql:
            for statement in describe_service_role(house.database.url, service_role):
                typer.echo(f"{statement};")
            return
        out.print("the database is up to date")
        if service_role is not None:
            grant_service_role(house.database.url, service_role)
            reason = f"the role {service_role} may serve"
            house.database.write(lambda tx: record(tx, "CLI-DB-ROLE", plan=None, reason=reason))
            out.print(f"{service_role} may add to the log, and not change it")
        elif house.database.is_postgres and may_alter(house.database.url):
            out.print("this role could change the log: let another serve, see --service-role")


@tokens_app.command("create")
def create_token(
    name: Annotated[str, typer.Argument(help="The person or system it is for.")],
    role: Annotated[str, typer.Option(help=f"One of {', '.join(ROLES)}.")],
    days: Annotated[int, typer.Option(help="Valid for so many days.", min=1, max=366)] = 90,
    plan: PlanOption = None,
    json: JsonOption = False,
    config: ConfigOption = None,
) -> None:
    """A new token; its secret is shown once and cannot be had again."""
    if not name.strip():
        raise Failure("a token needs the name of a person or system", Exit.USAGE)
    found = next((known for known in ROLES if known == role), None)
    if found is None:
        raise Failure(f"--role is one of {', '.join(ROLES)}", Exit.USAGE)
    chosen: Role = found
    now = datetime.now(UTC)
    with opened(config) as house:
        own = plan_of(house, plan)
        expires = now + timedelta(days=days)

        def create(transaction: Transaction) -> tuple[Token, str]:
            made = tokens.create(
                transaction, plan=own.id, name=name, role=chosen, now=now, expires=expires
            )
            reason = f"token {made[0].id} for {name} ({role})"
            record(transaction, "CLI-TOKEN-CREATE", plan=own.id, reason=reason)
            return made

        token, secret = house.database.write(create)
    if json:
        typer.echo(orjson.dumps({"id": token.id, "secret": secret}).decode())
    else:
        out.print(f"token {token.id} for {name} ({role}, plan {own.id}), {days} days")
        typer.echo(secret)


@tokens_app.command("list")
def list_tokens(json: JsonOption = False, config: ConfigOption = None) -> None:
    """All tokens, without their secrets."""
    with opened(config) as house:
        found = house.database.read(lambda tx: tokens.list_all(tx, plan=ALL_PLANS))
        record_look(house, "CLI-TOKENS", plan=None)
    if json:
        for token in found:
            typer.echo(orjson.dumps(_token_form(token)).decode())
        return
    table = Table(id_column(16), "name", "role", "plan", "expires", "revoked")
    for token in found:
        caller = token.caller
        expires = token.expires.date().isoformat() if token.expires else "never"
        table.add_row(
            token.id,
            printable(caller.name),
            caller.role,
            caller.plan,
            expires,
            "yes" if token.revoked else "",
        )
    out.print(table)


def _token_form(token: Token) -> dict[str, Any]:
    caller = token.caller
    return {
        "id": token.id,
        "name": caller.name,
        "role": caller.role,
        "plan": caller.plan,
        "expires": token.expires.isoformat() if token.expires else None,
        "revoked": token.revoked.isoformat() if token.revoked else None,
    }


@tokens_app.command("revoke")
def revoke_token(
    token: Annotated[str, typer.Argument(help="The token's id.")], config: ConfigOption = None
) -> None:
    """End a token now."""
    now = datetime.now(UTC)
    with opened(config) as house:
        if not house.database.write(lambda tx: _revoke(tx, token, now)):
            raise Failure("there is no such token in force")
    out.print("revoked")


def _revoke(transaction: Transaction, token: str, now: datetime) -> bool:
    known = tokens.list_all(transaction, plan=ALL_PLANS)
    plan = next((one.caller.plan for one in known if one.id == token), None)
    done = tokens.revoke(transaction, plan=ALL_PLANS, token=token, now=now)
    # What was typed may be a secret by mistake: only a known id is written down.
    reason = "no such token in force" if plan is None else f"token {token}"
    outcome: Outcome = "success" if done else "refused"
    record(transaction, "CLI-TOKEN-REVOKE", plan=plan, outcome=outcome, reason=reason)
    return done
