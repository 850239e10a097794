"""`gateway retrieve` and `gateway summary`: ask every partner, and read what they sent."""

import asyncio
import csv
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Annotated
from uuid import uuid4

import orjson
import typer
from rich.table import Table

from gateway.app import House, open_client
from gateway.cli.opening import (
    ConfigOption,
    JsonOption,
    PlanOption,
    member_of,
    opened,
    plan_of,
)
from gateway.cli.terminal import Exit, Failure, err, out
from gateway.exchange.jobs import JobMeans, perform
from gateway.exchange.policy import Refused, may_ask
from gateway.exchange.summaries import build_summary, completeness, read_summary
from gateway.exchange.summarize import member_json
from gateway.exchange.summary_text import summary_text
from gateway.model.identity import ConversationId, RetrievalId
from gateway.model.job import Job
from gateway.model.member import Member, Plan
from gateway.model.purpose import PurposeOfUse
from gateway.model.retrieval import RETRIEVE, Requester, Retrieval
from gateway.store import retrievals


def retrieve(
    member: Annotated[str | None, typer.Argument(help="The plan's number of the member.")] = None,
    roster: Annotated[
        Path | None, typer.Option(help="CSV with a column member_id: one retrieval each.")
    ] = None,
    purpose: Annotated[str, typer.Option(help="Purpose of use, e.g. PAYMENT or OPERATIONS.")] = "",
    requester: Annotated[str, typer.Option(help="The person for whom you ask.")] = "",
    role: Annotated[str, typer.Option(help="That person's role.")] = "plan staff",
    authority: Annotated[str | None, typer.Option(help="Under which authority.")] = None,
    since: Annotated[
        datetime | None, typer.Option(formats=["%Y-%m-%d"], help="Only documents since.")
    ] = None,
    plan: PlanOption = None,
    json: JsonOption = False,
    config: ConfigOption = None,
) -> None:
    """Ask every partner for a member's records, or for those of a whole roster.

    A purpose and a requester have no default: both go into each signed request and the log.
    """
    if not purpose or not requester:
        raise Failure("--purpose and --requester are needed; neither has a default", Exit.USAGE)
    if (member is None) == (roster is None):
        raise Failure("name one member, or a roster with --roster", Exit.USAGE)
    try:
        stated = PurposeOfUse.parse(purpose)
    except ValueError as error:
        raise Failure(str(error), Exit.USAGE) from None
    who = Requester(requester, role, authority)
    with opened(config) as house:
        own = plan_of(house, plan)
        numbers = [member] if member else _numbers(roster)
        chosen = [member_of(house, own.id, number) for number in numbers if number]
        day = since.date() if since else None
        done = asyncio.run(_retrieve_all(house, own, chosen, stated, who, day))
    _say(done, json=json)
    states = {retrieval.state for retrieval in done}
    if states != {"done"}:
        raise typer.Exit(int(Exit.FAILED if states == {"failed"} else Exit.PARTLY))


def _numbers(roster: Path | None) -> list[str]:
    assert roster is not None  # noqa: S101 - one of the two was required
    try:
        with roster.open(encoding="utf-8-sig", newline="") as lines:
            return [row["member_id"] for row in csv.DictReader(lines)]
    except (OSError, KeyError) as error:
        raise Failure(f"{roster} is no roster with a column member_id: {error}") from None


async def _retrieve_all(
    house: House,
    plan: Plan,
    chosen: list[Member],
    purpose: PurposeOfUse,
    requester: Requester,
    since: date | None,
) -> list[Retrieval]:
    client = open_client(house)
    means = JobMeans(house.archive, client, house.community, house.plans)
    done: list[Retrieval] = []
    try:
        for member in chosen:
            refusal = may_ask(
                member,
                purpose=purpose,
                requester=requester.person,
                treatment_agreed=plan.treatment_agreement is not None,
                on=datetime.now(UTC).date(),
            )
            if isinstance(refusal, Refused):
                err.print(f"gateway: member {member.member_id}: {refusal.reason}")
                raise Failure("nothing was asked")
            done.append(await _retrieve(house, means, member, purpose, requester, since))
    finally:
        await client.close()
    return done


async def _retrieve(
    house: House,
    means: JobMeans,
    member: Member,
    purpose: PurposeOfUse,
    requester: Requester,
    since: date | None,
) -> Retrieval:
    now = datetime.now(UTC)
    retrieval = Retrieval(
        id=RetrievalId(str(uuid4())),
        plan=member.plan,
        member=member.id,
        purpose=purpose.code,
        requester=requester,
        conversation=ConversationId(str(uuid4())),
        created=now,
        since=since,
    )
    await house.database.write_async(lambda tx: retrievals.create(tx, retrieval))
    job = Job(0, RETRIEVE, member.plan, {"retrieval": retrieval.id}, 1, now)
    await perform(job, means)
    found = house.database.read(
        lambda tx: retrievals.get(tx, plan=member.plan, retrieval=retrieval.id)
    )
    return found or retrieval


def _say(done: list[Retrieval], *, json: bool) -> None:
    if json:
        for retrieval in done:
            partners = [
                {
                    "partner": progress.partner_name,
                    "outcome": progress.outcome,
                    "documents_found": progress.documents_found,
                    "documents_new": progress.documents_new,
                }
                for progress in retrieval.partners
            ]
            form = {"id": retrieval.id, "state": retrieval.state, "partners": partners}
            typer.echo(orjson.dumps(form).decode())
        return
    for retrieval in done:
        table = Table("partner", "outcome", "found", "new", "missing", "detail")
        for progress in retrieval.partners:
            table.add_row(
                progress.partner_name,
                progress.outcome or "",
                str(progress.documents_found),
                str(progress.documents_new),
                str(progress.documents_missing),
                progress.detail or "",
            )
        out.print(f"Retrieval {retrieval.id}: {retrieval.state}")
        out.print(table)


def summary(
    member: Annotated[str, typer.Argument(help="The plan's number of the member.")],
    form: Annotated[str, typer.Option("--format", help="text or json.")] = "text",
    plan: PlanOption = None,
    config: ConfigOption = None,
) -> None:
    """The member's merged summary: each line with its sources, and how complete it is."""
    if form not in ("text", "json"):
        raise Failure("--format is text or json", Exit.USAGE)
    now = datetime.now(UTC)
    with opened(config) as house:
        person = member_of(house, plan_of(house, plan).id, member)
        if form == "json":
            read = house.database.read(lambda tx: read_summary(tx, member=person, now=now))
            typer.echo(orjson.dumps(read, option=orjson.OPT_INDENT_2).decode())
            return
        merged, answers = house.database.read(
            lambda tx: (
                build_summary(tx, plan=person.plan, member=person.id, now=now),
                completeness(tx, member=person),
            )
        )
    typer.echo(summary_text(merged, member=member_json(person), completeness=answers))
