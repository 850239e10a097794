"""`gateway ingest`: files into the index, with a progress bar and a closing table."""

import asyncio
from collections import Counter, deque
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Final

import orjson
import typer
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from gateway.app.house import House
from gateway.cli.opening import ConfigOption, JsonOption, PlanOption, opened, plan_of, settings_of
from gateway.cli.recording import operator
from gateway.cli.terminal import Exit, Failure, err, out
from gateway.exchange.ingest import Ingested, Received, ingest, receive
from gateway.model.document import Source
from gateway.model.exchange import Exchange
from gateway.model.member import Plan
from gateway.store import exchange_log
from gateway.store.database import Transaction

GROUP: Final = 32
"""Documents of a group: it commits together, and renews a member's summary once for all of them."""
_GROUP_BYTES: Final = 8 * 1024 * 1024
"""Of a group: two of them are in memory, one being read and one being indexed."""


@dataclass(slots=True)
class Count:
    """What became of the files."""

    outcomes: Counter[str] = field(default_factory=Counter)
    reasons: Counter[str] = field(default_factory=Counter)
    unreadable: list[tuple[Path, str]] = field(default_factory=list)


def ingest_files(
    paths: Annotated[list[Path], typer.Argument(help="Files, or folders with files.")],
    create_members: Annotated[
        bool,
        typer.Option("--create-members", help="Make a member of whomever a document names."),
    ] = False,
    plan: PlanOption = None,
    json: JsonOption = False,
    config: ConfigOption = None,
) -> None:
    """Index documents from files: filed with the member they name, else held or quarantined.

    The same bytes twice are one document. Nothing is dropped: what cannot be read as a clinical
    document is kept, with its reason, in the quarantine, and counts as done. A file that cannot be
    read at all is named, and the exit is 3. A plan that is not in the settings is made only with
    --create-members.
    """
    files = list(_files(paths))
    if not files:
        raise Failure("there is no file at these paths", Exit.USAGE)
    # A plan that was made stays: a slip of the hand must make none.
    is_made = plan is not None and (create_members or not settings_of(config).plans)
    with opened(config, *([plan] if plan and is_made else [])) as house:
        count = asyncio.run(
            ingest_all(house, plan_of(house, plan), files, create_members=create_members)
        )
    _say(count, len(files), json=json)
    if count.unreadable:
        raise typer.Exit(int(Exit.FAILED if len(count.unreadable) == len(files) else Exit.PARTLY))


def _files(paths: list[Path]) -> Iterator[Path]:
    for path in paths:
        if path.is_dir():
            # A link that leads nowhere is a file that cannot be read, and is said to be one.
            yield from sorted(found for found in path.rglob("*") if not found.is_dir())
        elif path.exists():
            yield path
        else:
            raise Failure(f"{path} does not exist", Exit.USAGE)


async def ingest_all(house: House, plan: Plan, files: list[Path], *, create_members: bool) -> Count:
    """Group by group, with a progress bar on a terminal; what became of them."""
    count = Count()
    columns = (TextColumn("indexing"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=err, disable=not err.is_terminal) as progress:
        task = progress.add_task("indexing", total=len(files))
        async for received, number in _read_ahead(house, plan, files, count):
            for done in await _ingest(house, plan, received, create_members=create_members):
                count.outcomes[done.outcome] += 1
                if done.outcome in ("held", "quarantined"):
                    count.reasons[f"{done.outcome}: {done.document.reason}"] += 1
            progress.advance(task, number)
    return count


async def _read_ahead(
    house: House, plan: Plan, files: list[Path], count: Count
) -> AsyncIterator[tuple[list[Received], int]]:
    """Group after group, and how many files it had; the next is read while one is indexed."""
    reading: deque[asyncio.Task[tuple[list[Received], int]]] = deque()
    try:
        for group in _groups(files):
            reading.append(asyncio.create_task(_receive_all(house, plan, group, count)))
            if len(reading) == 2:
                yield await reading.popleft()
        while reading:
            yield await reading.popleft()
    finally:
        for task in reading:
            task.cancel()


def _groups(files: list[Path]) -> Iterator[list[Path]]:
    group, size_bytes = list[Path](), 0
    for file in files:
        own = _size_bytes(file)
        if group and (len(group) == GROUP or size_bytes + own > _GROUP_BYTES):
            yield group
            group, size_bytes = [], 0
        group.append(file)
        size_bytes += own
    yield group


def _size_bytes(file: Path) -> int:
    try:
        return file.stat().st_size
    except OSError:
        return 0  # why it cannot be read is told where it is read


async def _receive_all(
    house: House, plan: Plan, group: list[Path], count: Count
) -> tuple[list[Received], int]:
    found = await asyncio.gather(*(_receive(house, plan, file, count) for file in group))
    return [one for one in found if one is not None], len(group)


async def _receive(house: House, plan: Plan, file: Path, count: Count) -> Received | None:
    try:
        content = await asyncio.to_thread(file.read_bytes)
    except OSError as error:
        count.unreadable.append((file, error.strerror or "cannot be read"))
        return None
    blob = await house.archive.store_async(plan.id, content)
    return await receive(house.archive, blob, plan=plan, source=Source(door="FILE"))


async def _ingest(
    house: House, plan: Plan, received: list[Received], *, create_members: bool
) -> tuple[Ingested, ...]:
    """Each document with a record of its own: what came in, and whose it is."""

    def unit(transaction: Transaction) -> tuple[Ingested, ...]:
        now = datetime.now(UTC)
        done = ingest(
            transaction,
            received,
            plan=plan,
            community=house.community,
            now=now,
            create_members=create_members,
        )
        for one in done:
            exchange_log.append(transaction, _record(plan, one, now))
        return done

    return await house.database.write_async(unit)


def _record(plan: Plan, done: Ingested, now: datetime) -> Exchange:
    return Exchange(
        time=now,
        direction="in",
        transaction="FILE",
        outcome="success",
        plan=plan.id,
        peer="terminal",
        person=operator(),
        role="operator",
        member=done.document.member,
        documents=(done.document.id,),
        reason=None if done.outcome == "filed" else f"{done.outcome}: {done.document.reason}",
    )


def _say(count: Count, files: int, *, json: bool) -> None:
    outcomes = {
        name: count.outcomes[name] for name in ("filed", "held", "quarantined", "duplicate")
    }
    if json:
        form = {"files": files, **outcomes, "unreadable": len(count.unreadable)}
        typer.echo(orjson.dumps({**form, "reasons": dict(count.reasons)}).decode())
        return
    table = Table("outcome", "documents", "what it means")
    table.add_row("indexed", str(outcomes["filed"]), "filed with the member it names")
    table.add_row("held", str(outcomes["held"]), "a person says whose: gateway held list")
    kept = "not readable, kept: gateway quarantine list"
    table.add_row("quarantined", str(outcomes["quarantined"]), kept)
    table.add_row("duplicates", str(outcomes["duplicate"]), "the same bytes were there already")
    if count.unreadable:
        table.add_row("unreadable", str(len(count.unreadable)), "the file itself cannot be read")
    out.print(table)
    for reason, number in count.reasons.most_common():
        out.print(f"{number:6}  {reason}")
    for file, reason in count.unreadable:
        err.print(f"gateway: {file}: {reason}")
