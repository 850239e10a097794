"""`gateway members`: the roster in, and out."""

import csv
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Annotated, Final, TextIO
from uuid import uuid4

import orjson
import typer
from rich.table import Table

from ccda.hl7v3 import AD, II, PN, TEL, TS
from gateway.app import House
from gateway.cli.opening import (
    ConfigOption,
    JsonOption,
    PlanOption,
    member_of,
    opened,
    plan_of,
)
from gateway.cli.terminal import Exit, Failure, err, out
from gateway.exchange.summarize import member_json
from gateway.model.identity import MemberId, PlanId
from gateway.model.member import Member
from gateway.store import members
from ihe.xcpd import Demographics

members_app = typer.Typer(help="The members of your plans.", no_args_is_help=True)
_REQUIRED: Final = ("plan", "member_id", "family", "given", "birth_date")
_SSN: Final = "2.16.840.1.113883.4.1"
_GENDERS: Final = {"m": "M", "male": "M", "f": "F", "female": "F", "un": "UN", "x": "UN"}
_BATCH: Final = 500


@members_app.command("import")
def import_members(
    roster: Annotated[Path, typer.Argument(help="CSV with a header; see the README.")],
    json: JsonOption = False,
    config: ConfigOption = None,
) -> None:
    """Add or change members from a roster. A bad line is named and left out."""
    taken, refused = 0, []
    with opened(config) as house, _open(roster) as lines:
        reader = csv.DictReader(lines)
        missing = [name for name in _REQUIRED if name not in (reader.fieldnames or ())]
        if missing:
            raise Failure(f"the roster has no column {', '.join(missing)}", Exit.USAGE)
        batch: list[Member] = []
        for number, row in enumerate(reader, start=2):
            try:
                batch.append(_member(row, {plan.id for plan in house.plans}))
            except ValueError as error:
                refused.append((number, str(error)))
            if len(batch) == _BATCH:
                taken += _put(house, batch)
                batch = []
        taken += _put(house, batch)
    if json:
        typer.echo(orjson.dumps({"taken": taken, "refused": len(refused)}).decode())
    else:
        out.print(f"{taken} members taken, {len(refused)} lines refused")
    for number, reason in refused:
        err.print(f"gateway: {roster}, line {number}: {reason}")
    if refused:
        raise typer.Exit(int(Exit.PARTLY if taken else Exit.FAILED))


def _open(roster: Path) -> TextIO:
    try:
        return roster.open(encoding="utf-8-sig", newline="")
    except OSError as error:
        raise Failure(f"{roster} cannot be read: {error.strerror}", Exit.USAGE) from None


def _put(house: House, batch: list[Member]) -> int:
    house.database.write(lambda tx: [members.put(tx, member) for member in batch])
    return len(batch)


def _member(row: dict[str, str], plans: set[PlanId]) -> Member:
    """One line of the roster.

    Raises:
        ValueError: what is wrong with it, without its content.
    """
    given = {key: value.strip() for key, value in row.items() if key and value and value.strip()}
    missing = [name for name in _REQUIRED if name not in given]
    if missing:
        raise ValueError(f"{', '.join(missing)} is empty")
    if given["plan"] not in plans:
        raise ValueError("its plan is not in gateway.toml")
    gender = given.get("gender")
    if gender is not None and gender.casefold() not in _GENDERS:
        raise ValueError("gender is not one of M, F, UN")
    return Member(
        id=MemberId(str(uuid4())),
        plan=PlanId(given["plan"]),
        member_id=given["member_id"],
        demographics=Demographics(
            names=(_name(given),),
            birth_time=TS(_day(given, "birth_date").strftime("%Y%m%d")),
            gender=_GENDERS[gender.casefold()] if gender else None,
            addresses=tuple(_addresses(given)),
            telecoms=tuple(_telecoms(given)),
            ids=(II(_SSN, given["ssn"].replace("-", "")),) if "ssn" in given else (),
        ),
        coverage_start=_day(given, "coverage_start") if "coverage_start" in given else None,
        coverage_end=_day(given, "coverage_end") if "coverage_end" in given else None,
    )


def _name(given: dict[str, str]) -> PN:
    middle = (given["middle"],) if "middle" in given else ()
    suffix = (given["suffix"],) if "suffix" in given else ()
    return PN(given["family"], (given["given"], *middle), suffix=suffix, use="L")


def _addresses(given: dict[str, str]) -> Iterator[AD]:
    if {"address", "city", "state", "zip"} & given.keys():
        lines = (given["address"],) if "address" in given else ()
        yield AD(lines, given.get("city"), given.get("state"), given.get("zip"), use="HP")


def _telecoms(given: dict[str, str]) -> Iterator[TEL]:
    if "phone" in given:
        yield TEL(f"tel:{given['phone']}", "HP")
    if "email" in given:
        yield TEL(f"mailto:{given['email']}")


def _day(given: dict[str, str], name: str) -> date:
    try:
        return date.fromisoformat(given[name])
    except ValueError:
        raise ValueError(f"{name} is not a date of the form 2001-12-31") from None


@members_app.command("list")
def list_members(
    plan: PlanOption = None, json: JsonOption = False, config: ConfigOption = None
) -> None:
    """The plan's members."""
    with opened(config) as house:
        found = house.database.read(
            lambda tx: list(members.iter_all(tx, plan=plan_of(house, plan).id))
        )
    if json:
        for member in found:
            typer.echo(orjson.dumps(member_json(member)).decode())
        return
    if not found:
        out.print("No members yet. `gateway members import roster.csv` takes a roster.")
        return
    table = Table("member id", "name", "born", "gender", "coverage")
    for member in found:
        form = member_json(member)
        coverage = f"{member.coverage_start or '…'} to {member.coverage_end or '…'}"
        table.add_row(
            member.member_id,
            form["name"] or "",
            form["birth_date"] or "",
            form["gender"] or "",
            coverage,
        )
    out.print(table)


@members_app.command("show")
def show_member(
    member: Annotated[str, typer.Argument(help="The plan's number of the member.")],
    plan: PlanOption = None,
    config: ConfigOption = None,
) -> None:
    """One member, as JSON."""
    with opened(config) as house:
        found = member_of(house, plan_of(house, plan).id, member)
    typer.echo(orjson.dumps(member_json(found), option=orjson.OPT_INDENT_2).decode())
