"""`gateway partners ledger`: who answers whom for what, how fast, and why not."""

from collections.abc import Iterator
from datetime import UTC, date, datetime
from typing import Annotated, Literal

import orjson
import typer

from gateway.api.partners import NoSuchDays, ledger_days
from gateway.cli.accounts import FromOption, ToOption
from gateway.cli.opening import ConfigOption, JsonOption, PlanOption, opened, plan_of
from gateway.cli.recording import record_look
from gateway.cli.terminal import Exit, Failure, out, printable
from gateway.exchange.ledger import CSV_COLUMNS, ledger_cells, ledger_json, read_ledger
from gateway.exchange.spreadsheet import write_csv
from gateway.model.ledger import LedgerLine, Requests


def show_ledger(
    since: FromOption = None,
    until: ToOption = None,
    form: Annotated[
        Literal["text", "json", "csv"],
        typer.Option("--format", help="A table, JSON (one line a partner and purpose), or CSV."),
    ] = "text",
    json: JsonOption = False,
    plan: PlanOption = None,
    config: ConfigOption = None,
) -> None:
    """By partner and purpose: asked, matched, answered, refused and why, failed, how fast.

    Of the last 90 days, unless you say from when to when.
    """
    try:
        days = ledger_days(_day(since), _day(until), today=datetime.now(UTC).date())
    except NoSuchDays as reason:
        raise Failure(f"there is no ledger of those days: {reason}", Exit.USAGE) from None
    with opened(config) as house:
        own = plan_of(house, plan).id
        lines = house.database.read(
            lambda tx: read_ledger(tx, plan=own, since=days[0], until=days[1])
        )
        record_look(house, "CLI-LEDGER", plan=own, reason=f"{len(lines)} lines")
    if form == "csv":
        typer.echo(write_csv(CSV_COLUMNS, ledger_cells(lines)), nl=False)
    elif form == "json" or json:
        for line in ledger_json(lines):
            typer.echo(orjson.dumps(line).decode())
    elif lines:
        _print(lines)
    else:
        out.print("Nothing was exchanged in that time.")


def _day(given: datetime | None) -> date | None:
    return given.date() if given else None


def _print(lines: tuple[LedgerLine, ...]) -> None:
    for line in lines:
        charges = ", for a fee" if line.charges else ""
        out.print(f"{printable(line.name)}: {printable(line.purpose or 'no purpose')}{charges}")
        for name, words in _facts(line):
            out.print(f"  {name:<12}{words}")


def _facts(line: LedgerLine) -> Iterator[tuple[str, str]]:
    asked = sum(line.members.values())
    if asked:
        outcomes = ", ".join(f"{times} {name}" for name, times in sorted(line.members.items()))
        yield "members", f"{asked} asked about: {outcomes.replace('_', ' ')}"
        missing = f", {line.documents_missing} missing" if line.documents_missing else ""
        yield "documents", f"{line.documents_found} found, {line.documents_new} new{missing}"
    if line.we_asked.sent:
        yield "we asked", _told(line.we_asked)
    if line.they_asked.sent:
        yield "they asked", _told(line.they_asked)
    for reason, times in line.we_asked.reasons:
        yield "why", f"{times} × {printable(reason)}"


def _told(requests: Requests) -> str:
    if not requests.sent:
        return "0"
    counted = (
        (requests.partial, "in part"),
        (requests.refused, "refused"),
        (requests.failed, "failed"),
    )
    other = [f"{number} {words}" for number, words in counted if number]
    fast = requests.latency
    times = f"; p50 {fast.p50_ms}, p99 {fast.p99_ms} ms" if fast else ""
    return ", ".join([f"{requests.sent}: {requests.answered} answered", *other]) + times
