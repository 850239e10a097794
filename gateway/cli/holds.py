"""`gateway audit hold`: what of the log must stay while somebody may need it as evidence."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Annotated, Any

import orjson
import typer
from rich.table import Table

from gateway.app.house import House
from gateway.cli.groups import group
from gateway.cli.opening import ConfigOption, JsonOption, member_of, opened, plan_of
from gateway.cli.recording import operator, record, record_look, refusal
from gateway.cli.terminal import Exit, Failure, id_column, out, printable
from gateway.model.exchange import ExchangeFilter, Outcome
from gateway.model.identity import PartnerId, PlanId
from gateway.model.retention import HOLD_LIFTED, HOLD_PLACED, Hold
from gateway.store import exchange_log, legal_holds, partners
from gateway.store.evidence import holds_in_doubt
from gateway.store.hold_words import lifted_words, placed_words
from gateway.store.scope import ALL_PLANS, Scope
from gateway.store.transaction import Transaction

hold_app = group("Legal holds: months of the log that must not be disposed of.")
ReasonOption = Annotated[str, typer.Option(help="Why, as a court or an auditor would name it.")]
_DAY = ["%Y-%m-%d"]


@hold_app.command("add")
def add(
    reason: ReasonOption,
    member: Annotated[
        str | None, typer.Option(help="Only what is about this member, by the plan's number.")
    ] = None,
    partner: Annotated[str | None, typer.Option(help="Only with the partner of this id.")] = None,
    since: Annotated[
        datetime | None, typer.Option("--from", help="Only from this day on (UTC).", formats=_DAY)
    ] = None,
    until: Annotated[
        datetime | None, typer.Option("--to", help="Only before this day (UTC).", formats=_DAY)
    ] = None,
    plan: Annotated[str | None, typer.Option(help="Only this plan's; else all plans'.")] = None,
    config: ConfigOption = None,
) -> None:
    """Hold what the options say, all of them together; without any, the whole log.

    A month goes or stays as a whole: it is held by a single record that is held.
    """
    words = _worded(reason)
    if since and until and since >= until:
        raise Failure("--from must be before --to", Exit.USAGE)
    with opened(config) as house:
        own = plan_of(house, plan).id if plan or member else None
        person = member_of(house, own, member, act=HOLD_PLACED) if member and own else None
        if partner is not None:
            _require_known(house, own, PartnerId(partner))
        hold = Hold(
            legal_holds.new_id(),
            words,
            operator(),
            datetime.now(UTC),
            plan=own,
            member=person.id if person else None,
            partner=PartnerId(partner) if partner else None,
            since=since and since.replace(tzinfo=UTC),
            until=until and until.replace(tzinfo=UTC),
        )

        def unit(tx: Transaction) -> None:
            legal_holds.put(tx, hold)
            about = person.id if person else None
            record(
                tx, HOLD_PLACED, plan=own, member=about, partner=hold.partner,
                reason=placed_words(hold),
            )  # fmt: skip

        house.database.write(unit)
    typer.echo(hold.id)


@hold_app.command("list")
def list_holds(
    everything: Annotated[bool, typer.Option("--all", help="Also those that were lifted.")] = False,
    json: JsonOption = False,
    config: ConfigOption = None,
) -> None:
    """The holds in force: what each is on, why, and who placed it when."""
    with opened(config) as house:
        found, doubts = house.database.read(
            lambda tx: (legal_holds.list_all(tx, lifted=everything), holds_in_doubt(tx))
        )
        record_look(house, "CLI-AUDIT-HOLDS", plan=None, reason=f"{len(found)} holds")
    if json:
        for hold in found:
            typer.echo(orjson.dumps(_form(hold)).decode())
    elif found:
        out.print(_table(found))
    elif not doubts:
        out.print("nothing is held")
    if doubts:
        raise Failure(f"not as the log says: {'; '.join(one.what for one in doubts)}")


def _table(found: Sequence[Hold]) -> Table:
    table = Table(id_column(8), "on", "why", "placed", "by", "lifted")
    for hold in found:
        lifted = None if hold.lifted is None else f"{hold.lifted:%Y-%m-%d} by {hold.lifted_by}"
        table.add_row(
            hold.id,
            printable(_in_words(hold)),
            printable(hold.reason),
            f"{hold.placed:%Y-%m-%d}",
            printable(hold.placed_by),
            printable(lifted),
        )
    return table


@hold_app.command("lift")
def lift(
    id: Annotated[str, typer.Argument(help="The hold's id, as `list` shows it.")],
    reason: ReasonOption,
    config: ConfigOption = None,
) -> None:
    """End a hold. It is kept, with who lifted it and why; what it held may be disposed of."""
    words, now = _worded(reason), datetime.now(UTC)

    def unit(tx: Transaction) -> Hold | None:
        found = legal_holds.lift(tx, id, by=operator(), because=words, now=now)
        plan: PlanId | None = found.plan if found else None
        outcome: Outcome = "success" if found else "refused"
        # What was typed may be anything: only a known id is written down.
        said = lifted_words(found) if found else "no such hold in force"
        record(tx, HOLD_LIFTED, plan=plan, outcome=outcome, reason=said)
        return found

    with opened(config) as house:
        if house.database.write(unit) is None:
            raise Failure("there is no such hold in force; see `gateway audit hold list`")
    out.print(f"{id} is lifted")


def _require_known(house: House, plan: PlanId | None, partner: PartnerId) -> None:
    """A hold on a partner whom no record names would hold nothing, and nobody would notice."""
    scope: Scope = ALL_PLANS if plan is None else plan
    wanted = ExchangeFilter(partner=partner)

    def is_known(tx: Transaction) -> bool:
        listed = partners.get(tx, plan=scope, partner=partner)
        # One that was taken out of the directory has its records still.
        return bool(listed or exchange_log.search(tx, plan=scope, wanted=wanted, limit=1))

    if not house.database.read(is_known):
        reason = "no partner of this id is in the directory or the log"
        raise refusal(
            house, HOLD_PLACED, plan=plan, reason=reason, advice="; see `gateway partners list`"
        )


def _worded(reason: str) -> str:
    words = " ".join(reason.split())
    if not words:
        raise Failure("a hold is placed and lifted for a reason: say which", Exit.USAGE)
    return words


def _in_words(hold: Hold) -> str:
    parts = (
        f"plan {hold.plan}" if hold.plan else "all plans",
        f"member {hold.member}" if hold.member else None,
        f"partner {hold.partner}" if hold.partner else None,
        f"from {hold.since:%Y-%m-%d}" if hold.since else None,
        f"to {hold.until:%Y-%m-%d}" if hold.until else None,
    )
    return ", ".join(part for part in parts if part)


def _form(hold: Hold) -> dict[str, Any]:
    return {
        "id": hold.id,
        "plan": hold.plan,
        "member": hold.member,
        "partner": hold.partner,
        "since": hold.since,
        "until": hold.until,
        "reason": hold.reason,
        "placed_by": hold.placed_by,
        "placed": hold.placed,
        "lifted_by": hold.lifted_by,
        "lifted": hold.lifted,
        "lifted_because": hold.lifted_because,
    }
