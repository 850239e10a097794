"""`gateway audit disclosures|finding|outflow|export`: what an auditor asks of the log.

Each look is recorded before its first line is printed (ATNA's Audit Log Used).
"""

import socket
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Annotated, Final, Literal

import orjson
import typer

from gateway.api.exchanges import exchange_form
from gateway.app.house import House
from gateway.cli.opening import (
    ConfigOption,
    PlanOption,
    member_of,
    opened,
    plan_named,
    plan_of,
)
from gateway.cli.printing import check_pdf, put, put_pieces
from gateway.cli.recording import act_of_operator, record_look, refusal
from gateway.cli.terminal import Exit, Failure
from gateway.exchange.accounting import NoSuchWindow
from gateway.exchange.disclosures import account, accounting_csv, accounting_json, new_finding
from gateway.exchange.disclosures_pdf import write_accounting_pdf
from gateway.exchange.fhir_audit import Observer, audit_event
from gateway.exchange.log_export import CSV_COLUMNS, OUTFLOW_COLUMNS, csv_cells
from gateway.exchange.log_reports import export_of, outflow_of
from gateway.exchange.spreadsheet import csv_lines, write_csv
from gateway.exchange.workers import WorkerFailed
from gateway.model.community import Community
from gateway.model.disclosure import FINDING, Accounting, FindingKind
from gateway.model.exchange import ExchangeFilter, RecordedExchange
from gateway.store import exchange_log
from gateway.store.scope import ALL_PLANS

_DAY: Final = ["%Y-%m-%d"]
FromOption = Annotated[
    datetime | None, typer.Option("--from", help="The first day (UTC).", formats=_DAY)
]
ToOption = Annotated[
    datetime | None, typer.Option("--to", help="The last day (UTC).", formats=_DAY)
]
OutputOption = Annotated[
    Path | None, typer.Option("--output", help="Write into this file.", metavar="FILE")
]


def disclosures(
    member: Annotated[str, typer.Argument(help="The plan's own number of the member.")],
    since: FromOption = None,
    until: ToOption = None,
    everything: Annotated[
        bool, typer.Option("--all", help="Also every exchange that need not be accounted for.")
    ] = False,
    form: Annotated[
        Literal["json", "csv", "pdf"], typer.Option("--format", help="How it is written.")
    ] = "json",
    output: OutputOption = None,
    plan: PlanOption = None,
    config: ConfigOption = None,
) -> None:
    """A member's accounting of disclosures, of six years at the most (45 CFR 164.528)."""
    if form == "pdf":
        check_pdf(output)
    now = datetime.now(UTC)
    with opened(config) as house:
        person = member_of(house, plan_of(house, plan).id, member, act="CLI-DISCLOSURES")
        look = partial(
            account,
            keys=house.archive.blobs.keys,
            member=person,
            asked=now.date(),
            since=_day(since),
            until=_day(until),
        )
        try:
            told = house.database.read(look)
        except NoSuchWindow as reason:
            why = f"there is no accounting of those days: {reason}"
            raise refusal(
                house, "CLI-DISCLOSURES", plan=person.plan, reason=why, exit_code=Exit.USAGE
            ) from None
        content = _written(house, told, form, everything, now)
        record_look(house, "CLI-DISCLOSURES", plan=person.plan, member=person.id)
    put(content, output)


def _written(
    house: House, told: Accounting, form: str, everything: bool, now: datetime
) -> str | bytes:
    if form == "csv":
        return accounting_csv(told, everything=everything)
    if form == "json":
        content = accounting_json(told, everything=everything)
        return orjson.dumps(content, option=orjson.OPT_INDENT_2).decode()
    author = house.community.organization
    try:
        return house.archive.workers.run(
            write_accounting_pdf, told, everything=everything, author=author, now=now
        )
    except WorkerFailed as failure:
        raise Failure(f"the accounting could not be laid out: {failure}") from None


def add_finding(
    sequence: Annotated[int, typer.Argument(help="The record that it is about.", min=1)],
    kind: Annotated[FindingKind, typer.Option(help="What was found out.")],
    member: Annotated[
        str | None,
        typer.Option(help="Whose it was, by the plan's number; else whom the record names."),
    ] = None,
    config: ConfigOption = None,
) -> None:
    """Record what was found out about a disclosure: it counts from now on in its accounting."""
    with opened(config) as house:
        found = house.database.read(
            lambda tx: exchange_log.get(tx, plan=ALL_PLANS, sequence=sequence)
        )
        plan = None if found is None else found.exchange.plan
        if found is None or plan is None:
            reason = f"there is no record {sequence}"
            if found is not None:
                reason = f"record {sequence} belongs to no plan: it disclosed nothing"
            raise refusal(house, FINDING, plan=None, reason=reason)
        person = member_of(house, plan, member, act=FINDING) if member else None
        if person is None and found.exchange.member is None:
            raise Failure(f"record {sequence} names no member: say whose with --member", Exit.USAGE)
        by = act_of_operator(FINDING, plan=plan)
        finding = new_finding(found, kind=kind, member=person, by=by)
        place = house.database.write(lambda tx: exchange_log.append(tx, finding))
    typer.echo(f"record {place.sequence} says that record {sequence} was {kind}")


def outflow(
    since: FromOption = None,
    until: ToOption = None,
    plan: Annotated[str | None, typer.Option(help="Only this plan's.")] = None,
    config: ConfigOption = None,
) -> None:
    """What left the house, by partner, purpose and month, as CSV."""
    span = days(since, until)
    with opened(config) as house:
        own = plan_named(house, plan)
        found = house.database.read(lambda tx: outflow_of(tx, own or ALL_PLANS, span))
        record_look(house, "CLI-OUTFLOW", plan=own, reason=f"{len(found)} lines")
    typer.echo(write_csv(OUTFLOW_COLUMNS, found), nl=False)


def export(
    form: Annotated[
        Literal["csv", "jsonl", "fhir"],
        typer.Option("--format", help="csv; jsonl; or fhir: AuditEvents, one a line."),
    ] = "jsonl",
    since: FromOption = None,
    until: ToOption = None,
    plan: Annotated[str | None, typer.Option(help="Only this plan's.")] = None,
    output: OutputOption = None,
    config: ConfigOption = None,
) -> None:
    """The exchange log, oldest record first, to be read elsewhere."""
    span = days(since, until)
    with opened(config) as house:
        own = plan_named(house, plan)
        number, records = export_of(house.database, own or ALL_PLANS, span)
        record_look(house, "CLI-LOG-EXPORT", plan=own, reason=f"{number} records as {form}")
        put_pieces(exported(house.community, records, form), output)


def exported(
    community: Community, records: Iterator[RecordedExchange], form: str
) -> Iterator[bytes]:
    """The records in that form, one after the other: none is read before the last is written."""
    if form == "csv":
        for line in csv_lines(CSV_COLUMNS, map(csv_cells, records)):
            yield line.encode()
        return
    observer = Observer(community, socket.gethostname())
    for record in records:
        told = audit_event(record, observer) if form == "fhir" else exchange_form(record)
        yield orjson.dumps(told, option=orjson.OPT_APPEND_NEWLINE)


def _day(given: datetime | None) -> date | None:
    return given.date() if given else None


def days(since: datetime | None, until: datetime | None) -> ExchangeFilter:
    """The last day is within."""
    if since is not None and until is not None and since > until:
        raise Failure("--from is after --to", Exit.USAGE)
    return ExchangeFilter(
        since=since and since.replace(tzinfo=UTC),
        until=until and until.replace(tzinfo=UTC) + timedelta(days=1),
    )
