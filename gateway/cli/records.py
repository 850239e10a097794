"""`gateway retrieve` and `gateway summary`: ask every partner, and read what they sent."""

import asyncio
import csv
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from functools import partial
from pathlib import Path
from typing import Annotated, Final
from uuid import uuid4

import orjson
import typer
from rich.table import Table

from gateway.app.house import House, open_client
from gateway.cli.opening import (
    ConfigOption,
    JsonOption,
    PlanOption,
    member_of,
    opened,
    plan_of,
)
from gateway.cli.printing import check_pdf, for_people, put
from gateway.cli.recording import record, record_look
from gateway.cli.terminal import Exit, Failure, err, out, printable
from gateway.exchange.jobs import JobMeans, perform
from gateway.exchange.policy import Refused, may_ask, requester_stated
from gateway.exchange.summaries import build_summary, completeness, read_summary
from gateway.exchange.summarize import member_json
from gateway.exchange.summary_document import (
    source_ids,
    write_member_ccd,
    write_member_fhir,
)
from gateway.exchange.summary_text import summary_text
from gateway.model.identity import ConversationId, RetrievalId
from gateway.model.job import Job
from gateway.model.member import Member, Plan
from gateway.model.purpose import PurposeOfUse
from gateway.model.retrieval import RETRIEVE, Requester, Retrieval
from gateway.store import members, retrievals
from gateway.store.job_queue import PermanentFailure
from gateway.store.transaction import Transaction

_FORMS: Final = ("text", "json", "html", "pdf", "fhir", "ccda")
_FORMS_HELP: Final = (
    "text, json, html (a page), pdf (PDF/A, to print), fhir (a Bundle) or ccda (a CCD)."
)


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
    plan: PlanOption = None,
    json: JsonOption = False,
    config: ConfigOption = None,
) -> None:
    """Ask every partner for a member's records, or for those of a whole roster.

    A purpose and a requester have no default: both go into each signed request and the log.
    """
    if not purpose.strip() or not requester.strip():
        raise Failure("--purpose and --requester are needed; neither has a default", Exit.USAGE)
    if (member is None) == (roster is None):
        raise Failure("name one member, or a roster with --roster", Exit.USAGE)
    try:
        stated = PurposeOfUse.parse(purpose)
    except ValueError as error:
        raise Failure(str(error), Exit.USAGE) from None
    numbers = {"": member} if member is not None else _numbers(roster)
    with opened(config) as house:
        own = house.plan(plan_of(house, plan).id)
        if own is None:
            raise Failure("add the plan to gateway.toml before it asks others", Exit.USAGE)
        who = requester_stated(own, person=requester, role=role, authority=authority)
        if isinstance(who, Refused):
            raise Failure(f"{who.reason} Add it to the command or to the plan.", Exit.USAGE)
        asked = Asked(stated, who, since.date() if since else None)
        done, refused = asyncio.run(_retrieve_all(house, own, numbers, asked))
    _say(done, json=json)
    for place, reason in refused:
        err.print(f"gateway: {place}nothing was asked: {reason}")
    states = {retrieval.state for retrieval in done} | ({"failed"} if refused else set())
    if states != {"done"}:
        raise typer.Exit(int(Exit.FAILED if states == {"failed"} else Exit.PARTLY))


@dataclass(frozen=True, slots=True)
class Asked:
    """What every retrieval of one command states."""

    purpose: PurposeOfUse
    requester: Requester
    since: date | None


def _numbers(roster: Path | None) -> dict[str, str]:
    """The members' numbers, each by the place that names it."""
    assert roster is not None  # noqa: S101 - one of the two was required
    try:
        with roster.open(encoding="utf-8-sig", newline="") as lines:
            reader = csv.DictReader(lines, skipinitialspace=True)
            reader.fieldnames = [name.strip() for name in reader.fieldnames or ()]
            if "member_id" not in reader.fieldnames:
                raise Failure(f"{roster} has no column member_id", Exit.USAGE)
            found = {
                f"{roster}, line {reader.line_num}: ": (row["member_id"] or "").strip()
                for row in reader
            }
    except OSError as error:
        raise Failure(f"{roster} cannot be read: {error.strerror}", Exit.USAGE) from None
    except (csv.Error, UnicodeDecodeError):
        raise Failure(f"{roster} is no CSV in UTF-8", Exit.USAGE) from None
    if not found:
        raise Failure(f"{roster} names nobody", Exit.USAGE)
    return found


async def _retrieve_all(
    house: House, plan: Plan, numbers: Mapping[str, str], asked: Asked
) -> tuple[list[Retrieval], list[tuple[str, str]]]:
    """One retrieval a member; for whom nothing may be asked, the place and the reason."""
    client = open_client(house)
    replies_at = house.settings.replies_at
    means = JobMeans(house.archive, client, house.community, house.plans, house.queue, replies_at)
    done: list[Retrieval] = []
    refused: list[tuple[str, str]] = []
    try:
        for place, number in numbers.items():
            begun = await house.database.write_async(partial(_begin, plan, number, asked))
            if isinstance(begun, str):
                refused.append((place, begun))
            else:
                done.append(await _retrieve(house, means, begun))
    finally:
        await client.close()
    return done, refused


def _begin(plan: Plan, number: str, asked: Asked, transaction: Transaction) -> Retrieval | str:
    """A new retrieval, or why there is none; recorded either way."""
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
    retrieval = Retrieval(
        id=RetrievalId(str(uuid4())),
        plan=plan.id,
        member=member.id,
        purpose=asked.purpose.code,
        requester=asked.requester,
        conversation=ConversationId(str(uuid4())),
        created=now,
        since=asked.since,
    )
    retrievals.create(transaction, retrieval)
    say(conversation=retrieval.conversation)
    return retrieval


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


def _say(done: list[Retrieval], *, json: bool) -> None:
    if json:
        for retrieval in done:
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
            form = {"id": retrieval.id, "state": retrieval.state, "partners": partners}
            typer.echo(orjson.dumps(form).decode())
        return
    for retrieval in done:
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


def summary(
    member: Annotated[str, typer.Argument(help="The plan's number of the member.")],
    form: Annotated[str, typer.Option("--format", help=_FORMS_HELP)] = "text",
    output: Annotated[
        Path | None, typer.Option("--output", help="Write to this file, not to the terminal.")
    ] = None,
    plan: PlanOption = None,
    config: ConfigOption = None,
) -> None:
    """The member's merged summary: each line with its sources, and how complete it is.

    To read and to print: gateway summary MEMBER --format pdf --output summary.pdf
    """
    if form not in _FORMS:
        raise Failure(f"--format is {', '.join(_FORMS[:-1])} or {_FORMS[-1]}", Exit.USAGE)
    if form == "pdf":
        check_pdf(output)
    now = datetime.now(UTC)
    with opened(config) as house:
        own = plan_of(house, plan)
        person = member_of(house, own.id, member, act="CLI-SUMMARY")
        text: str | bytes
        match form:
            case "json":
                text = _summary_json(house, person, now)
            case "fhir":
                text = _fhir(house, own, person, now)
            case "ccda":
                text = _ccd(house, own, person, now)
            case "html" | "pdf":
                text = for_people(house, person, form, now)
            case _:
                text = _text(house, person, now)
        record_look(house, "CLI-SUMMARY", plan=person.plan, member=person.id)
    put(text, output)


def _summary_json(house: House, member: Member, now: datetime) -> str:
    read = house.database.read(lambda tx: read_summary(tx, member=member, now=now))
    return orjson.dumps(read, option=orjson.OPT_INDENT_2).decode()


def _fhir(house: House, plan: Plan, member: Member, now: datetime) -> str:
    def unit(transaction: Transaction) -> bytes:
        merged = build_summary(transaction, plan=member.plan, member=member.id, now=now)
        return write_member_fhir(
            merged,
            member=member,
            plan=plan,
            community=house.community,
            sources=source_ids(transaction, plan=member.plan, summary=merged),
            completeness=completeness(transaction, member=member),
        )

    return house.database.read(unit).decode("utf-8")


def _ccd(house: House, plan: Plan, member: Member, now: datetime) -> str:
    def unit(transaction: Transaction) -> bytes:
        merged = build_summary(transaction, plan=member.plan, member=member.id, now=now)
        return write_member_ccd(
            merged,
            member=member,
            plan=plan,
            community=house.community,
            sources=source_ids(transaction, plan=member.plan, summary=merged),
            number=str(uuid4()),
            now=now,
        )

    return house.database.read(unit).decode("utf-8")


def _text(house: House, member: Member, now: datetime) -> str:
    merged, answers = house.database.read(
        lambda tx: (
            build_summary(tx, plan=member.plan, member=member.id, now=now),
            completeness(tx, member=member),
        )
    )
    return printable(summary_text(merged, member=member_json(member), completeness=answers))
