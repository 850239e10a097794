"""`gateway serve`, `worker`, `db`, `config`, `tokens`, `held`, `quarantine`: running the house."""

import asyncio
import logging
from datetime import UTC, datetime, timedelta
from typing import Annotated

import orjson
import typer
from rich.table import Table

from gateway.app import serve, work
from gateway.cli.opening import (
    ConfigOption,
    JsonOption,
    PlanOption,
    opened,
    plan_of,
    settings_of,
)
from gateway.cli.terminal import Exit, Failure, out
from gateway.model.caller import ROLES, Role
from gateway.model.document import DocumentState
from gateway.settings import InvalidSettings
from gateway.store import documents, tokens
from gateway.store.scope import ALL_PLANS

tokens_app = typer.Typer(help="Tokens of the REST doors.", no_args_is_help=True)
db_app = typer.Typer(help="The database.", no_args_is_help=True)
config_app = typer.Typer(help="The settings.", no_args_is_help=True)
held_app = typer.Typer(help="Documents that wait for a person.", no_args_is_help=True)
quarantine_app = typer.Typer(help="Documents that cannot be read.", no_args_is_help=True)


def serve_command(config: ConfigOption = None) -> None:
    """Answer partners and plans, and do the work, until asked to stop."""
    _log_to_stderr()
    with opened(config) as house:
        try:
            asyncio.run(serve(house))
        except OSError as error:
            raise Failure(f"cannot listen: {error.strerror}") from None


def worker_command(config: ConfigOption = None) -> None:
    """Do queued work alone; for more processes beside `serve` on PostgreSQL."""
    _log_to_stderr()
    with opened(config) as house:
        asyncio.run(work(house))


def _log_to_stderr() -> None:
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s %(message)s")
    # Both log URLs; an URL may hold a partner's ids, and the exchange log has the rest.
    for name in ("httpx", "httpcore", "zeep"):
        logging.getLogger(name).setLevel(logging.WARNING)


@db_app.command("upgrade")
def upgrade_database(config: ConfigOption = None) -> None:
    """Make the database, or bring it to this version."""
    with opened(config):
        out.print("the database is up to date")


@config_app.command("check")
def check_config(config: ConfigOption = None) -> None:
    """Read the settings and say what they mean."""
    settings = settings_of(config)
    out.print(f"home community  {settings.home_community_id} ({settings.organization})")
    out.print(f"data            {settings.data_dir}, key file {settings.key_file}")
    names = ", ".join(plan.id for plan in settings.plans) or "none"
    out.print(f"plans           {names}")
    out.print(f"plans listen    {settings.listen.plans}")
    ready = settings.tls is not None and settings.signing is not None
    partners = settings.listen.partners if ready else "off: [tls] and [signing] are not set"
    out.print(f"partners listen {partners}")
    try:
        inside = settings.key_file.resolve().is_relative_to(settings.data_dir.resolve())
    except OSError as error:
        raise Failure(str(InvalidSettings(error.strerror)), Exit.FAILED) from None
    if inside:
        raise Failure("the key file lies inside the data folder; keep it elsewhere")


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
    found = next((known for known in ROLES if known == role), None)
    if found is None:
        raise Failure(f"--role is one of {', '.join(ROLES)}", Exit.USAGE)
    chosen: Role = found
    now = datetime.now(UTC)
    with opened(config) as house:
        own = plan_of(house, plan)
        token, secret = house.database.write(
            lambda tx: tokens.create(
                tx, plan=own.id, name=name, role=chosen, now=now, expires=now + timedelta(days=days)
            )
        )
    if json:
        typer.echo(orjson.dumps({"id": token.id, "secret": secret}).decode())
    else:
        out.print(f"token {token.id} for {name} ({role}, plan {own.id}), {days} days")
        typer.echo(secret)


@tokens_app.command("list")
def list_tokens(config: ConfigOption = None) -> None:
    """All tokens, without their secrets."""
    with opened(config) as house:
        found = house.database.read(lambda tx: tokens.list_all(tx, plan=ALL_PLANS))
    table = Table("id", "name", "role", "plan", "expires", "revoked")
    for token in found:
        caller = token.caller
        expires = token.expires.date().isoformat() if token.expires else "never"
        table.add_row(
            token.id, caller.name, caller.role, caller.plan, expires, "yes" if token.revoked else ""
        )
    out.print(table)


@tokens_app.command("revoke")
def revoke_token(
    token: Annotated[str, typer.Argument(help="The token's id.")], config: ConfigOption = None
) -> None:
    """End a token now."""
    now = datetime.now(UTC)
    with opened(config) as house:
        done = house.database.write(
            lambda tx: tokens.revoke(tx, plan=ALL_PLANS, token=token, now=now)
        )
    if not done:
        raise Failure("there is no such token in force")
    out.print("revoked")


@held_app.command("list")
def list_held(
    plan: PlanOption = None, json: JsonOption = False, config: ConfigOption = None
) -> None:
    """Documents that name no member surely enough."""
    _list_documents("held", plan, json=json, config=config)


@quarantine_app.command("list")
def list_quarantine(
    plan: PlanOption = None, json: JsonOption = False, config: ConfigOption = None
) -> None:
    """Documents that cannot be read, each with its reason."""
    _list_documents("quarantined", plan, json=json, config=config)


def _list_documents(
    state: DocumentState, plan: str | None, *, json: bool, config: ConfigOption
) -> None:
    with opened(config, *([plan] if plan else [])) as house:
        found = house.database.read(
            lambda tx: documents.list_page(
                tx, plan=plan_of(house, plan).id, state=state, limit=1000
            )
        )
    if json:
        for document in found:
            form = {"id": document.id, "reason": document.reason, "title": document.title}
            typer.echo(orjson.dumps(form).decode())
        return
    if not found:
        out.print("None.")
        return
    table = Table("id", "received", "title", "why")
    for document in found:
        received = document.received.isoformat(timespec="seconds")
        table.add_row(document.id, received, document.title or "", document.reason or "")
    out.print(table)
