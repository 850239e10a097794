"""`gateway audit` and `gateway exchanges`: the log, and the proof that it was not altered."""

from pathlib import Path
from typing import Annotated

import orjson
import typer
from rich.table import Column, Table

from gateway.api.exchanges import exchange_form
from gateway.cli.audit_repositories import retry, status
from gateway.cli.opening import ConfigOption, JsonOption, opened
from gateway.cli.proofs import (
    CheckpointOption,
    KeyOption,
    make,
    outside_checkpoints,
    print_verifier,
    prove,
    show_key,
)
from gateway.cli.recording import record_look
from gateway.cli.terminal import Exit, Failure, out, printable
from gateway.store import exchange_log
from gateway.store.exchange_chain import verify_with_roots
from gateway.store.scope import ALL_PLANS

audit_app = typer.Typer(help="Proof that the exchange log is whole.", no_args_is_help=True)
exchanges_app = typer.Typer(help="The exchange log.", no_args_is_help=True)


audit_app.command("checkpoint")(make)
audit_app.command("key")(show_key)
audit_app.command("prove")(prove)
audit_app.command("verifier")(print_verifier)
audit_app.command("status")(status)
audit_app.command("retry")(retry)


@audit_app.command("verify")
def verify(
    checkpoint: CheckpointOption = None,
    key: KeyOption = None,
    json: JsonOption = False,
    config: ConfigOption = None,
) -> None:
    """Recompute every record's hash; the first that does not fit is named, and the exit is 1.

    With checkpoints that were kept elsewhere, also whether the log still is what they signed.
    """
    with opened(config) as house:
        outside = outside_checkpoints(checkpoint, key, house)
        result, roots = house.database.read(lambda tx: verify_with_roots(tx, outside))
    form = {
        "records": result.records,
        "first_bad": result.first_bad,
        "reason": result.reason or _against(outside, roots, result.records),
    }
    if json:
        typer.echo(orjson.dumps(form).decode())
    elif form["reason"] is None:
        out.print(f"{result.records} records checked; all are whole and in one chain")
        for size in sorted(outside):
            out.print(f"the first {size} are those that {outside[size][-1]} was signed over")
    elif result.first_bad is None:
        out.print(f"the log is not sound: {form['reason']}")
    else:
        out.print(f"record {result.first_bad} is not sound: {result.reason}")
        out.print(f"{result.records} records before it were")
    if form["reason"] is not None:
        raise typer.Exit(int(Exit.FAILED))


def _against(
    outside: dict[int, tuple[bytes, str, Path]], roots: dict[int, bytes], records: int
) -> str | None:
    """What a checkpoint kept elsewhere says against a log that is sound in itself."""
    for size, (root, _, path) in sorted(outside.items()):
        if size > records:
            return f"{path} was signed over {size} records, {size - records} more than there are"
        if roots[size] != root:
            return f"the first {size} records are not those that {path} was signed over"
    return None


@exchanges_app.command("list")
def list_exchanges(
    limit: Annotated[int, typer.Option(help="How many at most.", min=1, max=10_000)] = 50,
    json: JsonOption = False,
    config: ConfigOption = None,
) -> None:
    """The newest exchange records of all plans."""
    with opened(config) as house:
        found = house.database.read(lambda tx: exchange_log.search(tx, plan=ALL_PLANS, limit=limit))
        record_look(house, "CLI-EXCHANGES", plan=None, reason=f"the newest {len(found)}")
    if json:
        for record in found:
            typer.echo(orjson.dumps(exchange_form(record)).decode())
        return
    table = Table(
        Column("no.", no_wrap=True),
        "time (UTC)",
        "",
        Column("transaction", no_wrap=True),
        "partner",
        "person",
        "purpose",
        Column("outcome", no_wrap=True),
        "why",
    )
    for record in found:
        exchange = record.exchange
        table.add_row(
            str(record.sequence),
            exchange.time.strftime("%Y-%m-%d %H:%M:%S"),
            exchange.direction,
            exchange.transaction,
            printable(exchange.partner or exchange.peer),
            printable(exchange.person),
            printable(exchange.purpose),
            exchange.outcome,
            printable(exchange.reason),
        )
    out.print(table)


@exchanges_app.command("show")
def show_exchange(
    sequence: Annotated[int, typer.Argument(help="The record's number.", min=1, max=2**63 - 1)],
    config: ConfigOption = None,
) -> None:
    """One record, as JSON."""
    with opened(config) as house:
        found = house.database.read(
            lambda tx: exchange_log.get(tx, plan=ALL_PLANS, sequence=sequence)
        )
        if found is None:
            raise Failure(f"there is no record {sequence}")
        shown = found.exchange
        record_look(
            house,
            "CLI-EXCHANGE",
            plan=shown.plan,
            member=shown.member,
            reason=f"record {sequence}",
        )
    typer.echo(orjson.dumps(exchange_form(found), option=orjson.OPT_INDENT_2).decode())
