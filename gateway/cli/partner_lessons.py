"""`gateway partners lessons`: what was learned of partners' ways, and taking it back."""

from datetime import UTC, datetime
from typing import Annotated, Final

import orjson
import typer

from gateway.cli.groups import group
from gateway.cli.opening import ConfigOption, JsonOption, opened
from gateway.cli.recording import operator, record
from gateway.cli.terminal import Exit, Failure, out, printable
from gateway.model.partner_state import Lesson, LessonKind
from gateway.store import partner_lessons, partners
from gateway.store.database import Transaction
from gateway.store.scope import ALL_PLANS

lessons_app = group("What was learned of partners' ways; never anything that weakens security.")
_WORDS: Final[dict[LessonKind, str]] = {
    "documents_per_retrieve": "at most {} documents per retrieve",
    "query_window_days": "documents are asked for in windows of {} days",
}


@lessons_app.command("list")
def list_lessons(json: JsonOption = False, config: ConfigOption = None) -> None:
    """All lessons, oldest first, with when and why each was learned; revoked ones too."""

    def unit(transaction: Transaction) -> tuple[tuple[Lesson, ...], dict[str, str]]:
        record(transaction, "CLI-LESSONS", plan=None)
        known = partners.list_all(transaction, plan=ALL_PLANS)
        return partner_lessons.list_all(transaction), {one.id: one.name for one in known}

    with opened(config) as house:
        found, names = house.database.write(unit)
    if json:
        for one in found:
            form = {
                "number": one.number,
                "partner": names.get(one.partner, one.partner),
                "partner_id": one.partner,
                "kind": one.kind,
                "value": one.value,
                "learned": one.learned.isoformat(),
                "why": one.why,
                "until": one.until.isoformat(),
                "revoked": one.revoked.isoformat() if one.revoked else None,
                "revoked_by": one.revoked_by,
            }
            typer.echo(orjson.dumps(form).decode())
        return
    if not found:
        out.print("Nothing was learned yet. What partners refuse and then take teaches it.")
        return
    for one in found:
        name = printable(names.get(one.partner, one.partner))
        ended = f"tried without it from {one.until:%Y-%m-%d} on"
        if one.revoked is not None:
            ended = f"revoked {one.revoked:%Y-%m-%d} by {one.revoked_by}"
        out.print(
            f"{one.number}  {name}: {_WORDS[one.kind].format(one.value)}, learned"
            f" {one.learned:%Y-%m-%d %H:%M} UTC because {one.why}; {printable(ended)}"
        )


@lessons_app.command("revoke")
def revoke(
    lesson_number: Annotated[
        str, typer.Argument(metavar="NUMBER", help="The lesson's, as `lessons list` has it.")
    ],
    config: ConfigOption = None,
) -> None:
    """Forget a lesson: the partner is asked again as its profile says. It may be learned anew."""

    if not lesson_number.isascii() or not lesson_number.isdigit() or len(lesson_number) > 9:
        raise Failure("a lesson is named by its number", Exit.USAGE)
    number = int(lesson_number)

    def unit(transaction: Transaction) -> Lesson | None:
        now = datetime.now(UTC)
        lesson = partner_lessons.revoke(transaction, number=number, by=operator(), now=now)
        record(
            transaction,
            "CLI-LESSON-REVOKE",
            plan=None,
            partner=None if lesson is None else lesson.partner,
            outcome="refused" if lesson is None else "success",
            reason="no such lesson is in force" if lesson is None else f"lesson {number}",
        )
        return lesson

    with opened(config) as house:
        lesson = house.database.write(unit)
    if lesson is None:
        raise Failure(f"no lesson {number} is in force; see `gateway partners lessons list`")
    out.print("revoked")
