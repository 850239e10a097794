"""`gateway exchanges refusals|unusual`: what an auditor should look at, as a table or for programs.

Each look is recorded before its first line is printed (ATNA's Audit Log Used).
"""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Annotated, Final, Literal

import orjson
import typer
from rich.table import Table

from gateway.cli.accounts import FromOption, ToOption, days
from gateway.cli.opening import ConfigOption, opened, plan_named
from gateway.cli.recording import record_look
from gateway.cli.terminal import out, printable
from gateway.exchange import refusals as refusals_table
from gateway.exchange import unusual as unusual_table
from gateway.exchange.log_reports import Rows, refusals_of, unusual_of
from gateway.exchange.spreadsheet import write_csv
from gateway.store.scope import ALL_PLANS

_WEEK: Final = timedelta(days=7)
FormOption = Annotated[
    Literal["text", "json", "csv"],
    typer.Option("--format", help="text; json, one line each; or csv, safe for spreadsheets."),
]
OwnOption = Annotated[str | None, typer.Option("--plan", help="Only this plan's.")]


def refusals(
    since: FromOption = None,
    until: ToOption = None,
    form: FormOption = "text",
    plan: OwnOption = None,
    config: ConfigOption = None,
) -> None:
    """Who was refused, by which rule and how often, by month; also what a rule kept out."""
    span = days(since, until)
    with opened(config) as house:
        own = plan_named(house, plan)
        found = house.database.read(lambda tx: refusals_of(tx, own or ALL_PLANS, span))
        record_look(house, "CLI-REFUSALS", plan=own, reason=f"{len(found)} lines")
    _print(refusals_table.COLUMNS, found, form, nothing="Nobody was refused anything.")


def unusual(
    since: FromOption = None,
    until: ToOption = None,
    form: FormOption = "text",
    plan: OwnOption = None,
    config: ConfigOption = None,
) -> None:
    """Access to look at: first time with a member, far more members than usual, odd hours.

    Of the last seven days unless it is said. [audit.usual] in the settings says what is usual.
    """
    span = days(since, until)
    first = span.since or datetime.now(UTC) - _WEEK
    with opened(config) as house:
        usual, own = house.settings.audit.usual, plan_named(house, plan)
        found = house.database.read(
            lambda tx: unusual_of(tx, own or ALL_PLANS, since=first, until=span.until, usual=usual)
        )
        record_look(house, "CLI-UNUSUAL", plan=own, reason=f"{len(found)} lines")
    rows = unusual_table.rows(found)
    _print(unusual_table.COLUMNS, rows, form, nothing="Nothing is unusual.")


def _print(columns: Sequence[str], rows: Rows, form: str, *, nothing: str) -> None:
    if form == "json":
        for row in rows:
            typer.echo(orjson.dumps(dict(zip(columns, row, strict=True))).decode())
    elif form == "csv":
        typer.echo(write_csv(columns, rows), nl=False)
    elif not rows:
        out.print(nothing)
    else:
        table = Table(*columns)
        for row in rows:
            table.add_row(*("" if cell is None else printable(str(cell)) for cell in row))
        out.print(table)
