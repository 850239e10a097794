"""`gateway audit status|retry`: how far the audit repositories have been told of the log."""

from datetime import UTC, datetime
from typing import Annotated

import orjson
import typer
from rich.table import Column, Table

from gateway.auditing import lag_form
from gateway.cli.opening import ConfigOption, JsonOption, opened
from gateway.cli.recording import record, refusal
from gateway.cli.terminal import out, printable
from gateway.model.audit_feed import DeadLetter, FeedState
from gateway.store import audit_feed
from gateway.store.transaction import Transaction

_SHOWN = 10


def status(json: JsonOption = False, config: ConfigOption = None) -> None:
    """How many records each audit repository lacks, how old the oldest is, and what never went."""
    with opened(config) as house:
        names = {one.name for one in house.settings.audit.repositories}
        found = [one for one in house.database.read(_states) if one[0].repository in names]
    if json:
        for state, letters in found:
            dead = [{"sequence": one.sequence, "reason": one.reason} for one in letters]
            typer.echo(orjson.dumps({**lag_form(state), "first_dead_letters": dead}).decode())
        return
    if not names:
        out.print("no audit repository is configured")
    for name in sorted(names - {state.repository for state, _ in found}):
        out.print(f"{name} has never been fed: serve or worker does that")
    if found:
        out.print(_table(found))
    for state, letters in found:
        for letter in letters:
            out.print(f"{state.repository}: record {letter.sequence} did not go: {letter.reason}")


def retry(
    repository: Annotated[str, typer.Argument(help="The repository's name.")],
    config: ConfigOption = None,
) -> None:
    """Let the records be sent again of which the repository could not be told."""
    with opened(config) as house:
        if repository not in {one.name for one in house.settings.audit.repositories}:
            reason = f"there is no audit repository {repository}"
            raise refusal(house, "CLI-AUDIT-RETRY", plan=None, reason=reason)

        def unit(transaction: Transaction) -> int:
            count = audit_feed.revive(transaction, repository)
            reason = f"{count} dead letters of {repository}"
            record(transaction, "CLI-AUDIT-RETRY", plan=None, reason=reason)
            return count

        out.print(f"{house.database.write(unit)} records will be sent again")


def _states(transaction: Transaction) -> list[tuple[FeedState, tuple[DeadLetter, ...]]]:
    return [
        (state, audit_feed.dead_letters(transaction, state.repository, limit=_SHOWN))
        for state in audit_feed.states(transaction, now=datetime.now(UTC))
    ]


def _table(found: list[tuple[FeedState, tuple[DeadLetter, ...]]]) -> Table:
    columns = ("records behind", "seconds behind", "attempts", "dead letters")
    table = Table(
        "repository", *(Column(name, justify="right") for name in columns), "last trouble"
    )
    for state, _ in found:
        table.add_row(
            state.repository,
            str(state.records_behind),
            f"{state.seconds_behind:.0f}",
            str(state.attempts),
            str(state.dead_letters),
            printable(state.trouble),
        )
    return table
