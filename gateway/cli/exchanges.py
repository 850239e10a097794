"""`gateway exchanges`: the log, searched and sorted, and one conversation as one story."""

from dataclasses import replace
from datetime import UTC, datetime
from typing import Annotated, cast, get_args

import orjson
import typer
from rich.table import Column, Table

from gateway.api.exchanges import exchange_form
from gateway.app.house import House
from gateway.cli.conversations import print_reread, print_wire, reread_form
from gateway.cli.exchange_reports import refusals, unusual
from gateway.cli.groups import group
from gateway.cli.opening import ConfigOption, JsonOption, opened, plan_named
from gateway.cli.recording import record_look, refusal
from gateway.cli.terminal import Exit, Failure, err, out, printable
from gateway.exchange.fhir_audit import description
from gateway.model.exchange import ExchangeFilter, Outcome, RecordedExchange
from gateway.model.identity import ConversationId, DocumentId, MemberId, PartnerId, PlanId
from gateway.model.retention import PlanMonth
from gateway.store import disposals, exchange_log, members, partners, plans
from gateway.store.exchange_search import Column as LogColumn
from gateway.store.exchange_search import NoSuchRecord
from gateway.store.scope import ALL_PLANS, Scope
from gateway.store.transaction import Transaction

exchanges_app = group("The exchange log.")
exchanges_app.command("refusals")(refusals)
exchanges_app.command("unusual")(unusual)
_ORDERS = get_args(LogColumn)
_Seen = tuple[tuple[RecordedExchange, ...], MemberId | None, tuple[PlanMonth, ...]]
"""What was found, whom it was looked for by, and the months in which nobody can be found."""
_DAYS = ["%Y-%m-%d", "%Y-%m-%dT%H:%M:%S"]
_TIME = "%Y-%m-%d %H:%M:%S"
_WIDE = 120
"""Characters that a table of the log needs."""


@exchanges_app.command("list")
def list_exchanges(
    plan: Annotated[str | None, typer.Option(help="Only this plan's.")] = None,
    member: Annotated[
        str | None, typer.Option(help="Only about this member, by the plan's number or our id.")
    ] = None,
    partner: Annotated[
        str | None, typer.Option(help="Only with this partner, by its name or its id.")
    ] = None,
    person: Annotated[str | None, typer.Option(help="Only by this person.")] = None,
    purpose: Annotated[str | None, typer.Option(help="Only for this purpose of use.")] = None,
    document: Annotated[str | None, typer.Option(help="Only with this document.")] = None,
    transaction: Annotated[
        str | None, typer.Option(help="Only of this kind, as ITI-55 or REST-SUMMARY.")
    ] = None,
    outcome: Annotated[Outcome | None, typer.Option(help="Only those that ended so.")] = None,
    since: Annotated[
        datetime | None, typer.Option(help="Only from this time on (UTC).", formats=_DAYS)
    ] = None,
    until: Annotated[
        datetime | None, typer.Option(help="Only before this time (UTC).", formats=_DAYS)
    ] = None,
    sort: Annotated[str, typer.Option(help="The column to sort by.")] = "sequence",
    ascending: Annotated[bool, typer.Option("--ascending", help="The smallest first.")] = False,
    after: Annotated[
        int | None, typer.Option(help="Go on after this record: the last one shown.", min=1)
    ] = None,
    limit: Annotated[int, typer.Option(help="How many at most.", min=1, max=10_000)] = 50,
    json: JsonOption = False,
    config: ConfigOption = None,
) -> None:
    """The newest exchange records of all plans, or those that fit, in the order asked for."""
    if sort not in _ORDERS:
        raise Failure(f"--sort is one of {', '.join(_ORDERS)}", Exit.USAGE)
    wanted = ExchangeFilter(
        since=since and since.replace(tzinfo=UTC),
        until=until and until.replace(tzinfo=UTC),
        transaction=transaction,
        outcome=outcome,
        person=person,
        purpose=purpose,
        document=DocumentId(document) if document else None,
    )

    def look(tx: Transaction) -> _Seen:
        scope = own or ALL_PLANS
        about = _member(tx, scope, member) if member else None
        other = _partner(tx, scope, partner) if partner else None
        asked = replace(wanted, member=about, partner=other)
        found = exchange_log.search(
            tx,
            plan=scope,
            wanted=asked,
            order=cast(LogColumn, sort),
            descending=not ascending,
            limit=limit,
            after=after,
        )
        return found, about, disposals.hidden(tx, scope, asked)

    with opened(config) as house:
        own = plan_named(house, plan)
        try:
            found, about, hidden = house.database.read(look)
        except NoSuchRecord:
            reason = f"there is no record {after} to go on after"
            raise refusal(house, "CLI-EXCHANGES", plan=own, reason=reason) from None
        reason = f"{len(found)} records by {sort}"
        record_look(house, "CLI-EXCHANGES", plan=own, member=about, reason=reason)
        is_unknown = about is not None and not found and not hidden
        if is_unknown and not house.database.read(
            lambda tx: _is_anybody(tx, MemberId(about or ""), own or ALL_PLANS)
        ):
            raise Failure("no member has that number, and no record is about somebody of that id")
    _print(found, json=json)
    if not found:
        err.print("no record fits")
    if hidden:
        err.print(
            f"in {', '.join(sorted({one.month for one in hidden}))} nobody can be found any more:"
            " these months were disposed of; see `gateway audit certificates`"
        )


def _member(tx: Transaction, scope: Scope, number: str) -> MemberId:
    """Our id of the member; a member no longer here is still found in the log by our id.

    Raises:
        Failure: members of several plans have the number.
    """
    known = (members.get_by_member_id(tx, plan=one, member_id=number) for one in _of(tx, scope))
    found = [member for member in known if member is not None]
    if len(found) > 1:
        names = ", ".join(sorted(member.plan for member in found))
        raise Failure(f"members of several plans have that number: say --plan {names}", Exit.USAGE)
    return found[0].id if found else MemberId(number)


def _partner(tx: Transaction, scope: Scope, called: str) -> PartnerId:
    """The id by which the log names the partner; one no longer here is still found by it.

    Raises:
        Failure: several partners have the name.
    """
    known = partners.list_all(tx, plan=scope)
    found = {one.id for one in known if called == one.name}
    if len(found) > 1:
        several = ", ".join(sorted(found))
        raise Failure(f"several partners have that name: name one of {several}", Exit.USAGE)
    return found.pop() if found else PartnerId(called)


def _is_anybody(tx: Transaction, member: MemberId, scope: Scope) -> bool:
    return any(members.get(tx, plan=one, member=member) for one in _of(tx, scope))


def _of(tx: Transaction, scope: Scope) -> list[PlanId]:
    return [scope] if isinstance(scope, str) else [plan.id for plan in plans.list_all(tx)]


def _print(found: tuple[RecordedExchange, ...], *, json: bool) -> None:
    if json:
        for record in found:
            typer.echo(orjson.dumps(exchange_form(record)).decode())
        return
    if out.width < _WIDE:
        _print_in_lines(found)
        return
    whole = [Column(name, no_wrap=True) for name in ("no.", "time (UTC)", "", "transaction")]
    others = [Column(name, overflow="fold") for name in ("partner", "person", "purpose", "why")]
    table = Table(*whole, *others[:3], Column("outcome", no_wrap=True), others[3])
    for record in found:
        exchange = record.exchange
        *whose, why = _told(record)
        table.add_row(
            str(record.sequence),
            exchange.time.strftime(_TIME),
            exchange.direction,
            exchange.transaction,
            *whose,
            exchange.outcome,
            why,
        )
    out.print(table)


def _print_in_lines(found: tuple[RecordedExchange, ...]) -> None:
    """Where a table has no room: what was done, and below it by whom and why."""
    for record in found:
        one = record.exchange
        done = f"{one.direction:<3}  {one.transaction}: {one.outcome}"
        out.print(f"{record.sequence:>6}  {one.time:{_TIME}}  {done}")
        if told := ", ".join(filter(None, _told(record))):
            out.print(f"{'':>6}  {told}")


def _told(record: RecordedExchange) -> list[str]:
    """Whom it was with, who did it, for what, and why it ended so."""
    one = record.exchange
    texts = (one.partner or one.peer, one.person, one.purpose, description(record))
    return [printable(text) for text in texts]


@exchanges_app.command("show")
def show_exchange(
    sequence: Annotated[
        int | None, typer.Argument(help="The record's number.", min=1, max=2**63 - 1)
    ] = None,
    conversation: Annotated[
        str | None, typer.Option(help="Instead of a record: all of this conversation, in order.")
    ] = None,
    wire: Annotated[
        bool, typer.Option("--wire", help="The envelopes that crossed the wire, redacted.")
    ] = False,
    unredacted: Annotated[
        bool, typer.Option("--unredacted", help="With --wire: all they say, of whomever.")
    ] = False,
    replay: Annotated[
        bool, typer.Option("--replay", help="What today's code makes of the same bytes.")
    ] = False,
    json: JsonOption = False,
    config: ConfigOption = None,
) -> None:
    """One record, as JSON; or one conversation as one story, as its exchanges began.

    With --wire the messages themselves; with --replay how they, and the documents they brought,
    are read today, how today's roster judges the matches in them, and what would be otherwise.
    Nobody is asked anything for it.
    """
    if (sequence is None) == (conversation is None):
        raise Failure("name a record, or a --conversation", Exit.USAGE)
    if unredacted and not wire:
        raise Failure("--unredacted goes with --wire", Exit.USAGE)
    how = "".join((" with its wire bytes" * wire, ", unredacted" * unredacted, " reread" * replay))
    with opened(config) as house:
        if conversation is not None:
            found = _story(house, ConversationId(conversation), how)
        else:
            found = (_one(house, sequence or 0, how),)
        if wire:
            print_wire(house, found, unredacted=unredacted)
        if replay and json:
            for record in found:
                typer.echo(orjson.dumps(reread_form(house, record)).decode())
        elif replay:
            print_reread(house, found)
    if wire or replay:
        return
    if conversation is not None:
        _print(found, json=json)
        return
    form = exchange_form(found[0])
    typer.echo(orjson.dumps(form, option=orjson.OPT_INDENT_2).decode())


def _one(house: House, sequence: int, how: str) -> RecordedExchange:
    found = house.database.read(lambda tx: exchange_log.get(tx, plan=ALL_PLANS, sequence=sequence))
    if found is None:
        reason = f"there is no record {sequence}"
        raise refusal(house, "CLI-EXCHANGE", plan=None, reason=reason)
    shown = found.exchange
    record_look(
        house,
        "CLI-EXCHANGE",
        plan=shown.plan,
        member=shown.member,
        reason=f"record {sequence}{how}",
    )
    return found


def _story(house: House, conversation: ConversationId, how: str) -> tuple[RecordedExchange, ...]:
    wanted = ExchangeFilter(conversation=conversation)
    found = house.database.read(
        lambda tx: exchange_log.search(
            tx, plan=ALL_PLANS, wanted=wanted, descending=False, limit=10_000
        )
    )
    if not found:
        reason = "there is no such conversation"
        raise refusal(house, "CLI-EXCHANGES", plan=None, reason=reason)
    first = found[0].exchange
    reason = f"{len(found)} records of a conversation{how}"
    record_look(house, "CLI-EXCHANGES", plan=first.plan, member=first.member, reason=reason)
    # Their numbers tell in which order they ended: what was asked first may be answered last.
    return tuple(sorted(found, key=lambda one: (one.exchange.time, one.sequence)))
