"""`gateway members`: the roster in, and out."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Annotated, Final
from uuid import uuid4

import orjson
import typer
from rich.table import Column, Table

from ccda.hl7v3 import AD, II, PN, TEL, TS
from gateway.app.house import House
from gateway.cli.groups import group
from gateway.cli.opening import (
    ConfigOption,
    JsonOption,
    PlanOption,
    member_of,
    opened,
    plan_of,
)
from gateway.cli.recording import record, record_look
from gateway.cli.roster_rows import Row, open_roster, rows
from gateway.cli.terminal import Exit, err, out, printable
from gateway.exchange.shown_members import member_form
from gateway.model.identity import MemberId, PlanId
from gateway.model.member import Member
from gateway.store import members
from gateway.store.transaction import Transaction
from ihe.xcpd import Demographics

members_app = group("The members of your plans.")
_REQUIRED: Final = ("plan", "member_id", "family", "given", "birth_date")
_SSN: Final = "2.16.840.1.113883.4.1"
_GENDERS: Final = {"m": "M", "male": "M", "f": "F", "female": "F", "un": "UN", "x": "UN"}
_BATCH: Final = 500


@members_app.command("import")
def import_members(
    roster: Annotated[Path, typer.Argument(help="CSV in UTF-8, with a header.")],
    json: JsonOption = False,
    config: ConfigOption = None,
) -> None:
    """Add or change members from a roster. A bad line is named and left out.

    Its first line names the columns, separated by commas. Needed are plan, member_id, family,
    given and birth_date; middle, suffix, gender, address, city, state, zip, phone, email, ssn,
    coverage_start and coverage_end may be there. Others are not looked at. Days are written as
    2001-12-31, a gender as M, F or UN. Who has opted out stays so. The exit is 3 if some lines
    were left out, 1 if all were.
    """
    taken, refused = 0, []
    with opened(config) as house, open_roster(roster) as lines:
        plans = {plan.id for plan in house.plans}
        batch: list[Member] = []
        first: dict[tuple[PlanId, str], tuple[int, Row | None]] = {}
        for number, row in rows(roster, lines, _REQUIRED):
            try:
                member = _member(row, plans)
                before, same = first.setdefault((member.plan, member.member_id), (number, row))
                if same != row:
                    raise ValueError(
                        f"its member_id is that of line {before}, which says otherwise"
                    )
                if before == number:
                    batch.append(member)
            except ValueError as error:
                refused.append((number, str(error)))
            if len(batch) == _BATCH:
                taken += _put(house, batch)
                batch = []
        taken += _put(house, batch)
        if refused and not taken:
            reason = f"{len(refused)} lines refused"
            house.database.write(
                lambda tx: record(
                    tx, "CLI-MEMBERS-IMPORT", plan=None, outcome="refused", reason=reason
                )
            )
    if json:
        form = {"taken": taken, "refused": len(refused), "lines": [number for number, _ in refused]}
        typer.echo(orjson.dumps(form).decode())
    else:
        out.print(f"{taken} members taken, {len(refused)} lines refused")
    for number, reason in refused:
        err.print(f"gateway: {roster}, line {number}: {reason}")
    if refused:
        raise typer.Exit(int(Exit.PARTLY if taken else Exit.FAILED))


def _put(house: House, batch: list[Member]) -> int:
    """Keeps the batch and says so in the log of each plan it belongs to."""

    def unit(transaction: Transaction) -> None:
        for member in batch:
            members.put(transaction, _with_consent(transaction, member))
        for plan, number in sorted(Counter(member.plan for member in batch).items()):
            record(transaction, "CLI-MEMBERS-IMPORT", plan=plan, reason=f"{number} members")

    if batch:
        house.database.write(unit)
    return len(batch)


def _with_consent(transaction: Transaction, member: Member) -> Member:
    """A roster says nothing of consent: who has opted out stays out."""
    known = members.get_by_member_id(transaction, plan=member.plan, member_id=member.member_id)
    return replace(member, opted_out=known.opted_out) if known else member


def _member(row: Row | None, plans: set[PlanId]) -> Member:
    """One line of the roster.

    Raises:
        ValueError: what is wrong with it, without its content.
    """
    given = _given(row)
    if given["plan"] not in plans:
        raise ValueError("its plan is not in gateway.toml")
    gender = given.get("gender")
    if gender is not None and gender.casefold() not in _GENDERS:
        raise ValueError("gender is not one of M, F, UN")
    born = _day(given, "birth_date")
    if born > datetime.now(UTC).date() + timedelta(days=1):
        raise ValueError("birth_date is in the future")
    start, end = _optional_day(given, "coverage_start"), _optional_day(given, "coverage_end")
    if start is not None and end is not None and end < start:
        raise ValueError("coverage_end is before coverage_start")
    return Member(
        id=MemberId(str(uuid4())),
        plan=PlanId(given["plan"]),
        member_id=given["member_id"],
        demographics=Demographics(
            names=(_name(given),),
            birth_time=TS(born.strftime("%Y%m%d")),
            gender=_GENDERS[gender.casefold()] if gender else None,
            addresses=tuple(_addresses(given)),
            telecoms=tuple(_telecoms(given)),
            ids=(II(_SSN, _ssn(given)),) if "ssn" in given else (),
        ),
        coverage_start=start,
        coverage_end=end,
    )


def _given(row: Row | None) -> dict[str, str]:
    """The fields that say something."""
    if row is None:
        raise ValueError("it is no CSV, nor is what follows it")
    if any(row.get(None, ())):
        raise ValueError("it has more fields than the header")
    texts = {key: value for key, value in row.items() if isinstance(value, str)}
    given = {key: value.strip() for key, value in texts.items() if key and value.strip()}
    for name, value in given.items():
        if any("\udc80" <= letter <= "\udcff" for letter in value):
            raise ValueError(f"{name} is not UTF-8")
        if not value.isprintable():
            raise ValueError(f"{name} holds a control character")
    missing = [name for name in _REQUIRED if name not in given]
    if missing:
        raise ValueError(f"{', '.join(missing)} is empty")
    return given


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


def _ssn(given: dict[str, str]) -> str:
    digits = given["ssn"].replace("-", "").replace(" ", "")
    if len(digits) != 9 or not (digits.isascii() and digits.isdigit()):
        raise ValueError("ssn is not of nine digits")
    return digits


def _optional_day(given: dict[str, str], name: str) -> date | None:
    return _day(given, name) if name in given else None


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
        own = plan_of(house, plan).id
        found = house.database.read(lambda tx: list(members.iter_all(tx, plan=own)))
        record_look(house, "CLI-MEMBERS", plan=own, reason=f"{len(found)} members")
    if json:
        for member in found:
            typer.echo(orjson.dumps(member_form(member)).decode())
        return
    if not found:
        out.print("No members yet. `gateway members import roster.csv` takes a roster.")
        return
    columns = ("name", "born", "gender", "coverage", "exchange")
    table = Table(Column("member id", overflow="fold"), *columns)
    for member in found:
        form = member_form(member)
        coverage = f"{member.coverage_start or '…'} to {member.coverage_end or '…'}"
        table.add_row(
            printable(member.member_id),
            printable(form["name"]),
            form["birth_date"] or "",
            form["gender"] or "",
            coverage,
            "opted out" if member.opted_out else "",
        )
    out.print(table)


@members_app.command("show")
def show_member(
    member: Annotated[str, typer.Argument(help="The plan's number of the member.")],
    plan: PlanOption = None,
    config: ConfigOption = None,
) -> None:
    """One member, as JSON, and whether it has opted out."""
    with opened(config) as house:
        found = member_of(house, plan_of(house, plan).id, member, act="CLI-MEMBER")
        record_look(house, "CLI-MEMBER", plan=found.plan, member=found.id)
    typer.echo(orjson.dumps(member_form(found), option=orjson.OPT_INDENT_2).decode())


@members_app.command("opt-out")
def opt_out(
    member: Annotated[str, typer.Argument(help="The plan's number of the member.")],
    reason: Annotated[str, typer.Option(help="How that is known; it stands in the log.")],
    back: Annotated[bool, typer.Option("--undo", help="The member takes it back.")] = False,
    plan: PlanOption = None,
    config: ConfigOption = None,
) -> None:
    """The member has opted out of exchange: nobody is asked, and nothing is given to anybody."""
    with opened(config) as house:
        found = member_of(house, plan_of(house, plan).id, member, act="CLI-MEMBER-CONSENT")

        def unit(transaction: Transaction) -> None:
            members.set_opted_out(transaction, plan=found.plan, member=found.id, opted_out=not back)
            record(
                transaction,
                "CLI-MEMBER-CONSENT",
                plan=found.plan,
                member=found.id,
                reason=f"opted {'in' if back else 'out'}: {reason}",
            )

        house.database.write(unit)
    out.print("opted in again" if back else "opted out")
