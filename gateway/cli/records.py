"""`gateway summary`: read what partners sent of a member, as one summary."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Final
from uuid import uuid4

import orjson
import typer

from gateway.app.house import House
from gateway.cli.opening import (
    ConfigOption,
    PlanOption,
    member_of,
    opened,
    plan_of,
)
from gateway.cli.printing import check_pdf, for_people, put
from gateway.cli.recording import record_look
from gateway.cli.terminal import Exit, Failure, printable
from gateway.exchange.summaries import build_summary, completeness, read_summary
from gateway.exchange.summarize import member_json
from gateway.exchange.summary_document import (
    source_ids,
    write_member_ccd,
    write_member_fhir,
)
from gateway.exchange.summary_text import summary_text
from gateway.model.member import Member, Plan
from gateway.store.transaction import Transaction

_FORMS: Final = ("text", "json", "html", "pdf", "fhir", "ccda")
_FORMS_HELP: Final = (
    "text, json, html (a page), pdf (PDF/A, to print), fhir (a Bundle) or ccda (a CCD)."
)


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
