"""`gateway audit retention|dispose|certificates`: how long the log is kept, and its end."""

from datetime import UTC, datetime
from typing import Annotated, Any, Final

import orjson
import typer
from rich.table import Column, Table

from gateway.app.house import House, log_seal
from gateway.cli.opening import ConfigOption, JsonOption, opened, plan_named
from gateway.cli.proofs import KeyOption, log_keys
from gateway.cli.recording import act_of_operator, record, record_look
from gateway.cli.terminal import Exit, Failure, err, out, printable
from gateway.exchange.disposing import Assessed, assess, dispose, due
from gateway.model.identity import PlanId
from gateway.model.retention import DISPOSAL, HOUSE, PlanMonth
from gateway.store import disposals, legal_holds
from gateway.store.certificates import signer
from gateway.store.sqlite_settling import settle
from gateway.store.transaction import Transaction

_LOOK: Final = "CLI-AUDIT-DISPOSE-SHOW"
_UNSETTLED: Final = (
    "it is done, but somebody reads the database, so that the file still has the keys that were"
    " shredded; they go once all that has it open is closed"
)


def retention(json: JsonOption = False, config: ConfigOption = None) -> None:
    """Of each plan: how many years its log is kept, which months stand, and what holds it.

    Years are set in gateway.toml: `retention_years` in [audit] for all, [[audit.retention]] with
    `plan` or `line_of_business` and `years` for some. Nothing goes by itself: see `dispose`.
    """
    with opened(config) as house:
        lines = house.database.read(lambda tx: _retention(tx, house, datetime.now(UTC)))
        record_look(house, "CLI-AUDIT-RETENTION", plan=None)
    if json:
        for line in lines:
            typer.echo(orjson.dumps(line).decode())
        return
    table = Table("plan", "line of business", "years", "first month", "months", "due",
                  "disposed of", "holds")  # fmt: skip
    for line in lines:
        names = ("plan", "line_of_business", "years", "first_month", "months", "due", "disposed",
                 "holds")  # fmt: skip
        told = {**line, "plan": line["plan"] or HOUSE}
        table.add_row(*(printable(_cell(told[name])) for name in names))
    out.print(table)


def _retention(tx: Transaction, house: House, now: datetime) -> list[dict[str, Any]]:
    years_of = house.settings.retention_years
    standing = disposals.months(tx, before=now)
    gone, holds = disposals.disposed(tx), legal_holds.list_all(tx)
    plans = {None, *(plan.id for plan in house.plans)}
    plans |= {month.plan for month in (*standing, *gone)}
    lines = []
    for plan in sorted(plans, key=lambda one: one or ""):
        own = sorted(month.month for month in standing if month.plan == plan)
        stated = house.settings.plan(plan) if plan else None
        years = years_of(plan)
        line = {
            "plan": plan,
            "line_of_business": stated.line_of_business if stated else None,
            "years": years,
            "first_month": own[0] if own else None,
            "months": len(own),
            "due": sum(PlanMonth(plan, month).due(years) <= now for month in own),
            "disposed": sum(month.plan == plan for month in gone),
            "holds": sum(hold.plan in (None, plan) for hold in holds),
        }
        lines.append(line)
    return lines


def dispose_of(
    month: Annotated[
        list[str] | None,
        typer.Option(
            help="Only this month, as 2016-11; repeat it for several. Else all that are due.",
            metavar="MONTH",
        ),
    ] = None,
    plan: Annotated[str | None, typer.Option(help="Only this plan's.")] = None,
    execute: Annotated[
        bool, typer.Option("--execute", help="Do it. Without this it only says what would go.")
    ] = False,
    json: JsonOption = False,
    config: ConfigOption = None,
) -> None:
    """Dispose of months of the log whose years are over and that no hold is on; shows them first.

    The month's key is shredded: whose its records were, and their documents, nobody can read any
    more; its envelopes are deleted. The records' hashes stay, so that `verify` and proofs are as
    before, and a signed certificate says what is gone (`certificates`). Backups made before still
    hold the key: they must go too, or the key-encryption key that was in use then.
    """
    now, is_settled = datetime.now(UTC), True
    with opened(config) as house:
        own = plan_named(house, plan)
        found = house.database.read(lambda tx: _wanted(tx, house, month, own, now))
        if month and not found:
            name, why = _LOOK if not execute else DISPOSAL, "the log has no such month"
            house.database.write(
                lambda tx: record(tx, name, plan=own, outcome="refused", reason=why)
            )
            raise Failure(why)
        if execute:
            found = [_do(house, one, now) for one in found]
            is_settled = all(one.refusal for one in found) or settle(house.database)
        else:
            record_look(house, _LOOK, plan=own)
    _print(found, execute=execute, json=json)
    if not is_settled:
        err.print(_UNSETTLED)
    refused = [one for one in found if one.refusal is not None]
    if refused and month:
        raise typer.Exit(int(Exit.FAILED if len(refused) == len(found) else Exit.PARTLY))


def _wanted(
    tx: Transaction, house: House, month: list[str] | None, plan: PlanId | None, now: datetime
) -> list[Assessed]:
    years_of = house.settings.retention_years
    if not month:
        return [one for one in due(tx, years_of, now=now) if plan in (None, one.month.plan)]
    try:
        named = [PlanMonth(None, one).month for one in month]
    except ValueError as error:
        raise Failure(str(error), Exit.USAGE) from None
    known = (*disposals.months(tx, before=now), *disposals.disposed(tx))
    wanted = [one for one in known if one.month in named and plan in (None, one.plan)]
    return [assess(tx, one, years_of, now=now) for one in sorted(wanted, key=_order)]


def _order(month: PlanMonth) -> tuple[str, str]:
    return month.month, month.plan or ""


def _do(house: House, one: Assessed, now: datetime) -> Assessed:
    seal, by = log_seal(house.settings), act_of_operator(DISPOSAL, plan=one.month.plan)
    years_of = house.settings.retention_years
    return house.database.write(
        lambda tx: dispose(tx, one.month, years_of, seal=seal, by=by, now=now)
    )


def _print(found: list[Assessed], *, execute: bool, json: bool) -> None:
    if json:
        for one in found:
            typer.echo(orjson.dumps(_form(one, execute)).decode())
        return
    if not found:
        out.print("no month of the log is due")
        return
    table = Table(Column("month", no_wrap=True), "plan", "records", "first", "last", "envelopes",
                  "in the clear", "what")  # fmt: skip
    for one in found:
        content, name = one.content, one.month.plan or HOUSE
        would = "disposed of" if execute else "would go"
        cells = (one.month.month, name, content.records, content.first, content.last,
                 content.envelopes, content.in_the_clear, one.refusal or would)  # fmt: skip
        table.add_row(*(printable(_cell(cell)) for cell in cells))
    out.print(table)
    if not execute and any(one.refusal is None for one in found):
        out.print("nothing was done; --execute does it, and it cannot be undone")


def _form(one: Assessed, execute: bool) -> dict[str, Any]:
    content = one.content
    return {
        "month": one.month.month,
        "plan": one.month.plan,
        "records": content.records,
        "first": content.first,
        "last": content.last,
        "closing_hash": content.closing_hash,
        "envelopes": content.envelopes,
        "in_the_clear": content.in_the_clear,
        "due": one.month.due(one.years).date().isoformat(),
        "holds": [hold.id for hold in one.holds],
        "refusal": one.refusal,
        "disposed": execute and one.refusal is None,
    }


def certificates(
    key: KeyOption = None, json: JsonOption = False, config: ConfigOption = None
) -> None:
    """Print every certificate of disposal, each checked by the log's key.

    One that was signed by an earlier key of the log is checked by that: `--key`.
    """
    with opened(config) as house:
        keys = log_keys(key, house)
        found = house.database.read(disposals.certificates)
        record_look(house, "CLI-AUDIT-CERTIFICATES", plan=None)
    sound = True
    for month, certificate, beside in found:
        is_signed = signer(certificate, keys) is not None
        sound = sound and is_signed
        if json:
            form = {"month": month.month, "plan": month.plan, "certificate": certificate,
                    "key": beside, "signed": is_signed}  # fmt: skip
            typer.echo(orjson.dumps(form).decode())
        else:
            typer.echo(certificate)
            if not is_signed:
                typer.echo("NO KEY OF THIS LOG HAS SIGNED IT\n")
    if not found and not json:
        out.print("nothing was disposed of")
    if not sound:
        raise typer.Exit(int(Exit.FAILED))


def _cell(value: object) -> str | None:
    return None if value is None else str(value)
