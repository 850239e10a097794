"""`gateway retrieve`: ask every partner for a member's records, or for those of a roster."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Annotated
from uuid import uuid4

import orjson
import typer
from rich.table import Table

from gateway.app.house import House, open_client
from gateway.cli.opening import ConfigOption, JsonOption, PlanOption, opened
from gateway.cli.recording import record
from gateway.cli.roster_run import Line, RosterRun, Skipped, read_roster, say, say_why_not_all
from gateway.cli.stating import on_whose_behalf, stated_purpose
from gateway.cli.terminal import Exit, Failure, out, printable
from gateway.exchange.jobs import JobMeans, perform
from gateway.exchange.policy import Refused, may_ask
from gateway.model.identity import ConversationId, RetrievalId
from gateway.model.job import Job
from gateway.model.member import Member, Plan
from gateway.model.purpose import PurposeOfUse
from gateway.model.retrieval import RETRIEVE, Requester, Retrieval
from gateway.store import members, retrievals
from gateway.store.job_queue import JobQueue, PermanentFailure
from gateway.store.transaction import Transaction


def retrieve(
    member: Annotated[str | None, typer.Argument(help="The plan's number of the member.")] = None,
    roster: Annotated[
        Path | None, typer.Option(help="CSV with a column member_id: one retrieval each.")
    ] = None,
    purpose: Annotated[str, typer.Option(help="Purpose of use, e.g. PAYMENT or OPERATIONS.")] = "",
    requester: Annotated[str, typer.Option(help="The person for whom you ask.")] = "",
    role: Annotated[
        str | None, typer.Option(help="That person's role; else the plan's requester_role.")
    ] = None,
    authority: Annotated[
        str | None, typer.Option(help="Under which authority; else the plan's authority.")
    ] = None,
    since: Annotated[
        datetime | None, typer.Option(formats=["%Y-%m-%d"], help="Only documents since.")
    ] = None,
    skip_asked_within: Annotated[
        float | None,
        typer.Option(
            min=0.0,
            metavar="HOURS",
            help="Of a roster, leave out whom the same was asked for in so many hours.",
        ),
    ] = None,
    plan: PlanOption = None,
    json: JsonOption = False,
    config: ConfigOption = None,
) -> None:
    """Ask every partner for a member's records, or for those of a whole roster.

    A purpose and a requester have no default: both go into each signed request and the log.

    For example: gateway retrieve M-1 --purpose PAYMENT --requester "Jane Roe"

    Of a roster many members are asked for at once. With --json each is told, in a line, as soon as
    it has ended. Stopped with Ctrl-C it may be run again: --skip-asked-within 24 leaves out whom it
    has asked for.
    """
    stated = stated_purpose(purpose, requester)
    if (member is None) == (roster is None):
        raise Failure("name one member, or a roster with --roster", Exit.USAGE)
    if skip_asked_within is not None and roster is None:
        raise Failure("--skip-asked-within goes with --roster", Exit.USAGE)
    lines = read_roster(roster) if roster is not None else []
    with opened(config) as house:
        own, who = on_whose_behalf(
            house, plan, person=requester, role=role, authority=authority, before_it="asks others"
        )
        asked = Asked(stated, who, since.date() if since else None)
        if member is not None:
            ended = _exit_code(asyncio.run(_retrieve_one(house, own, member, asked)), json=json)
        else:
            fresh = None if skip_asked_within is None else timedelta(hours=skip_asked_within)
            ended = _retrieve_all(house, own, lines, asked, fresh, json=json)
    raise typer.Exit(int(ended))


Known = Callable[[Transaction, Retrieval], Retrieval | None]
"""One that need not be begun anew, if there is."""


@dataclass(frozen=True, slots=True)
class Asked:
    """What every retrieval of one command states."""

    purpose: PurposeOfUse
    requester: Requester
    since: date | None


# ---- one member ------------------------------------------------------------------------------


async def _retrieve_one(house: House, plan: Plan, number: str, asked: Asked) -> Retrieval:
    client = open_client(house)
    replies_at = house.settings.replies_at
    means = JobMeans(house.archive, client, house.community, house.plans, house.queue, replies_at)
    try:
        begun = await house.database.write_async(lambda tx: _begin(tx, plan, number, asked))
        if isinstance(begun, str):
            raise Failure(f"nothing was asked: {begun}")
        return await _retrieve(house, means, begun)
    finally:
        await client.close()


async def _retrieve(house: House, means: JobMeans, retrieval: Retrieval) -> Retrieval:
    job = Job(0, RETRIEVE, retrieval.plan, {"retrieval": retrieval.id}, 1, retrieval.created)
    try:
        await perform(job, means)
    except PermanentFailure as error:
        raise Failure(f"retrieval {retrieval.id} cannot go on: {error}") from None
    found = await house.database.read_async(
        lambda tx: retrievals.get(tx, plan=retrieval.plan, retrieval=retrieval.id)
    )
    return found or retrieval


def _begin(
    transaction: Transaction,
    plan: Plan,
    number: str,
    asked: Asked,
    known: Known = lambda _transaction, _wanted: None,
) -> Retrieval | str:
    """A new retrieval, or why there is none, recorded either way; or the one that is `known`."""
    now = datetime.now(UTC)
    member = members.get_by_member_id(transaction, plan=plan.id, member_id=number)
    say = partial(
        record,
        transaction,
        "CLI-RETRIEVAL",
        plan=plan.id,
        member=member.id if member else None,
        purpose=asked.purpose.code,
        authority=asked.requester.authority,
    )
    refusal = _refusal(member, plan, asked, now)
    if member is None or refusal is not None:
        say(outcome="refused", reason=refusal)
        return refusal or ""
    wanted = Retrieval(
        id=RetrievalId(str(uuid4())),
        plan=plan.id,
        member=member.id,
        purpose=asked.purpose.code,
        requester=asked.requester,
        conversation=ConversationId(str(uuid4())),
        created=now,
        since=asked.since,
    )
    if (found := known(transaction, wanted)) is not None:
        return found
    retrievals.create(transaction, wanted)
    say(conversation=wanted.conversation)
    return wanted


def _refusal(member: Member | None, plan: Plan, asked: Asked, now: datetime) -> str | None:
    if member is None:
        return "no member of the plan has this number"
    verdict = may_ask(
        member,
        purpose=asked.purpose,
        requester=asked.requester.person,
        treatment_agreed=plan.treatment_agreement is not None,
        on=now.date(),
    )
    return verdict.reason if isinstance(verdict, Refused) else None


def _exit_code(retrieval: Retrieval, *, json: bool) -> Exit:
    """How the command ends, once it has said what became of the retrieval."""
    if json:
        _print_json(retrieval)
    else:
        _print(retrieval)
    if retrieval.state == "done":
        return Exit.DONE
    return Exit.FAILED if retrieval.state == "failed" else Exit.PARTLY


def _print_json(retrieval: Retrieval, **more: object) -> None:
    partners = [
        {
            "partner": progress.partner_name,
            "partner_id": progress.partner,
            "step": progress.step,
            "outcome": progress.outcome,
            "documents_found": progress.documents_found,
            "documents_new": progress.documents_new,
            "documents_missing": progress.documents_missing,
            "detail": progress.detail,
            "next_step": progress.next_step,
        }
        for progress in retrieval.partners
    ]
    form = {"id": retrieval.id, **more, "state": retrieval.state, "partners": partners}
    typer.echo(orjson.dumps(form).decode())


def _print(retrieval: Retrieval) -> None:
    table = Table("partner", "outcome", "found", "new", "missing", "detail")
    for progress in retrieval.partners:
        table.add_row(
            printable(progress.partner_name),
            progress.outcome or "",
            str(progress.documents_found),
            str(progress.documents_new),
            str(progress.documents_missing),
            printable(progress.detail),
        )
    out.print(f"Retrieval {retrieval.id}: {retrieval.state}")
    out.print(table)
    for progress in retrieval.partners:
        if progress.next_step is not None:
            out.print(f"{printable(progress.partner_name)}: {printable(progress.next_step)}")


# ---- a roster --------------------------------------------------------------------------------


def _retrieve_all(
    house: House,
    plan: Plan,
    lines: list[Line],
    asked: Asked,
    fresh: timedelta | None,
    *,
    json: bool,
) -> Exit:
    numbers: dict[str, str] = {}

    def told(ended: Retrieval) -> None:
        number = numbers.pop(ended.id)
        if json:
            _print_json(ended, member_id=number)

    def refused(line: Line, reason: str) -> None:
        if json:
            form = {"id": None, "member_id": line.number, "state": "refused", "reason": reason}
            typer.echo(orjson.dumps({**form, "partners": []}).decode())

    begin = _Beginning(plan, asked, house.queue, fresh, numbers)
    tally = asyncio.run(RosterRun(house, plan.id, begin, told, refused).run(lines))
    if not json:
        say(tally)
    say_why_not_all(tally)
    return tally.exit_code


@dataclass(frozen=True, slots=True)
class _Beginning:
    """Begins the retrievals of a roster's lines; `numbers` then has each one's member."""

    plan: Plan
    asked: Asked
    queue: JobQueue
    fresh: timedelta | None
    numbers: dict[str, str]
    _seen: set[str] = field(default_factory=set)

    def __call__(self, transaction: Transaction, line: Line) -> Retrieval | Skipped:
        if line.plan not in ("", self.plan.id):
            return self._refuse(transaction, "the line is of another plan")
        if line.number in self._seen:
            return Skipped("it was named before", is_refused=False)
        self._seen.add(line.number)
        begun = _begin(transaction, self.plan, line.number, self.asked, self._known)
        if isinstance(begun, str):
            return Skipped(begun)
        if begun.state == "done":
            return Skipped("it was asked for", is_refused=False)
        # Of one that was begun before and not ended the job is still the same.
        self.queue.enqueue(
            transaction,
            kind=RETRIEVE,
            plan=self.plan.id,
            payload={"retrieval": begun.id},
            idempotency_key=begun.id,
            run_at=begun.created,
        )
        self.numbers[begun.id] = line.number
        return begun

    def _refuse(self, transaction: Transaction, reason: str) -> Skipped:
        record(
            transaction,
            "CLI-RETRIEVAL",
            plan=self.plan.id,
            purpose=self.asked.purpose.code,
            authority=self.asked.requester.authority,
            outcome="refused",
            reason=reason,
        )
        return Skipped(reason)

    def _known(self, transaction: Transaction, wanted: Retrieval) -> Retrieval | None:
        if self.fresh is None:
            return None
        begun_since = wanted.created - self.fresh
        return retrievals.same_asked(transaction, like=wanted, begun_since=begun_since)
