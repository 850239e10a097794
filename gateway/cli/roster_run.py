"""A roster asked for: so many retrievals at once, told as each ends, and stopped at any time.

Each is a job of the queue, as one of the REST doors is: this process works them off, beside those
that serve if any do, and what it leaves when it is stopped they go on with. Only a few wait in the
queue at a time, so that whom somebody asks for meanwhile need not wait for the whole roster.
"""

import asyncio
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Final, NamedTuple

from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Column, Table

from gateway.app.house import House, open_client
from gateway.cli.roster_rows import Row, open_roster, rows
from gateway.cli.terminal import Exit, Failure, err, out, printable
from gateway.exchange.jobs import JobMeans, perform
from gateway.model.identity import PlanId, RetrievalId
from gateway.model.retrieval import PartnerProgress, Retrieval
from gateway.store import retrievals
from gateway.store.job_port import ROOM
from gateway.store.transaction import Transaction

_AHEAD: Final = 2 * ROOM["partners"]
"""Retrievals that wait in the queue: enough that no place stays empty."""
_TOGETHER: Final = 16
"""That are begun in one transaction."""
_LOOK_SECONDS: Final = 0.5
_LOOKED_AT: Final = 500
"""Of those that run, at each look: a slow partner may keep a hundred thousand waiting."""
_SAY_SECONDS: Final = 60.0
"""Between two lines of progress where stderr is no terminal."""
_TOLD: Final = 20
"""Lines of a roster that are named one by one where nothing was asked; the rest is counted."""
_HOPELESS: Final = 100
"""So many failed one after the other: nobody answers, and the rest of a roster would fail too."""
_OUTCOMES: Final = ("matched", "no_match", "held", "refused", "failed", "late", "not_asked")
_DOCUMENTS: Final = ("found", "new", "missing")


class Line(NamedTuple):
    """One of a roster: where it stands, the member's number, and the plan if it names one."""

    place: str
    number: str
    plan: str


class Skipped(NamedTuple):
    """Why a line asks for nobody: it is `refused`, or need not be asked for again."""

    reason: str
    is_refused: bool = True


Begin = Callable[[Transaction, Line], Retrieval | Skipped]


def read_roster(roster: Path) -> list[Line]:
    """Every line that names somebody.

    Raises:
        Failure: it is no CSV with a column member_id, or names nobody.
    """
    with open_roster(roster) as lines:
        found = [_line(roster, number, row) for number, row in rows(roster, lines, ["member_id"])]
    if not found:
        raise Failure(f"{roster} names nobody", Exit.USAGE)
    return found


def _line(roster: Path, at: int, row: Row | None) -> Line:
    place = f"{roster}, line {at}: "
    if row is None:
        raise Failure(f"{place}it is no CSV, nor is what follows it", Exit.USAGE)
    number, plan = ((row.get(name) or "").strip() for name in ("member_id", "plan"))
    if not (number.isprintable() and plan.isprintable()):
        raise Failure(f"{place}member_id and plan are to be text in UTF-8", Exit.USAGE)
    return Line(place, number, plan)


@dataclass(slots=True)
class Tally:
    """What became of a roster's members so far."""

    total: int
    begun: int = 0
    ended: Counter[str] = field(default_factory=Counter)
    """Retrievals by their last state."""
    refused: int = 0
    skipped: int = 0
    failed_in_a_row: int = 0
    is_stopped: bool = False
    visits: dict[str, Counter[str]] = field(default_factory=dict)
    """By partner: how its part ended, and its documents."""
    steps: dict[str, None] = field(default_factory=dict)
    """What can be done about partners that did not answer well; each once."""

    @property
    def settled(self) -> int:
        """Lines of which nothing is to come."""
        return self.refused + self.skipped + self.ended.total()

    @property
    def exit_code(self) -> Exit:
        is_whole = not self.refused and not self.is_stopped
        if is_whole and set(self.ended) <= {"done"}:
            return Exit.DONE
        is_some = self.ended.total() > self.ended["failed"] or self.is_stopped
        return Exit.PARTLY if is_some or self.skipped else Exit.FAILED

    def count(self, retrieval: Retrieval) -> None:
        """Adds one that has ended."""
        self.ended[retrieval.state] += 1
        self.failed_in_a_row = self.failed_in_a_row + 1 if retrieval.state == "failed" else 0
        for one in retrieval.partners:
            visits = self.visits.setdefault(printable(one.partner_name), Counter())
            visits.update(_counts(one))
            if one.next_step is not None:
                self.steps[f"{printable(one.partner_name)}: {printable(one.next_step)}"] = None

    @property
    def said(self) -> str:
        """So far, in words."""
        parts = [
            f"{self.ended['done']:,} done",
            f"{self.ended['partial']:,} in part",
            f"{self.ended['failed'] + self.ended['cancelled']:,} failed",
        ]
        if self.refused:
            parts.append(f"{self.refused:,} not asked for")
        if self.skipped:
            parts.append(f"{self.skipped:,} left out")
        return ", ".join(parts)


def _counts(one: PartnerProgress) -> dict[str, int]:
    return {
        one.outcome or "": 1,
        "found": one.documents_found,
        "new": one.documents_new,
        "missing": one.documents_missing,
    }


class RosterRun:
    """Goes through a roster. `begin` begins a line's retrieval in the transaction it is given;
    `told` hears of each that has ended, and `refused` of each line for which nothing is asked."""

    def __init__(
        self,
        house: House,
        plan: PlanId,
        begin: Begin,
        told: Callable[[Retrieval], None],
        refused: Callable[[Line, str], None],
    ) -> None:
        self._house = house
        self._plan = plan
        self._begin = begin
        self._told = told
        self._refused = refused
        self._waiting: set[RetrievalId] = set()
        self._running: dict[RetrievalId, None] = {}

    async def run(self, lines: Sequence[Line]) -> Tally:
        """Until all have ended; stopped (Ctrl-C), what became of them until then.

        Raises:
            Failure: the queue cannot be worked off.
        """
        house, tally, client = self._house, Tally(len(lines)), open_client(self._house)
        means = JobMeans(
            house.archive, client, house.community, house.plans, house.queue,
            house.settings.replies_at, house.fetcher,
        )  # fmt: skip
        # What is not done at partners needs means that are not here.
        work = house.queue.work(lambda job: perform(job, means), room={"house": 0, "mail": 0})
        working = asyncio.create_task(work)
        try:
            with _Progress(tally) as progress:
                await self._go_through(iter(lines), tally, working, progress)
        except asyncio.CancelledError:
            tally.is_stopped = True
        finally:
            working.cancel()
            await asyncio.gather(working, return_exceptions=True)
            await client.close()
        return tally

    async def _go_through(
        self,
        lines: Iterator[Line],
        tally: Tally,
        working: "asyncio.Task[None]",
        progress: "_Progress",
    ) -> None:
        is_more = True
        while is_more or self._waiting or self._running:
            while is_more and len(self._waiting) < _AHEAD:
                is_more = await self._begin_some(list(islice(lines, _TOGETHER)), tally)
            progress.show()
            await asyncio.wait({working}, timeout=_LOOK_SECONDS)
            if working.done():
                why = working.exception()
                raise Failure(f"the job queue cannot be worked off ({type(why).__name__})")
            await self._look(tally)
            progress.show()
            if tally.failed_in_a_row >= _HOPELESS:
                tally.is_stopped = True
                return

    async def _begin_some(self, lines: Sequence[Line], tally: Tally) -> bool:
        """Whether there may be more."""
        if not lines:
            return False
        begun = await self._house.database.write_async(
            lambda tx: [self._begin(tx, line) for line in lines]
        )
        for line, one in zip(lines, begun, strict=True):
            if isinstance(one, Retrieval):
                tally.begun += 1
                self._waiting.add(one.id)
            elif one.is_refused:
                tally.refused += 1
                self._refused(line, one.reason)
                if tally.refused <= _TOLD:
                    err.print(f"gateway: {line.place}nothing was asked: {one.reason}")
            else:
                tally.skipped += 1
        return True

    async def _look(self, tally: Tally) -> None:
        """What has become of those that wait, and of some of those that run, in turn."""
        looked_at = [*self._waiting, *islice(self._running, _LOOKED_AT)]
        states = await self._house.database.read_async(
            lambda tx: retrievals.states(tx, plan=self._plan, of=looked_at)
        )
        ended: list[RetrievalId] = []
        for one in looked_at:
            state = states.get(one, "cancelled")
            if state == "waiting":
                continue
            self._waiting.discard(one)
            self._running.pop(one, None)
            if state == "running":
                self._running[one] = None
            else:
                ended.append(one)
        found = await self._house.database.read_async(
            lambda tx: retrievals.several(tx, plan=self._plan, of=ended)
        )
        for retrieval in found:
            tally.count(retrieval)
            self._told(retrieval)
        if gone := len(ended) - len(found):  # somebody took them away
            tally.ended["cancelled"] += gone


class _Progress:
    """A bar on a terminal; else a line now and then."""

    def __init__(self, tally: Tally) -> None:
        self._tally = tally
        columns = (
            TextColumn("asking"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn(),
            TextColumn("{task.fields[said]}"),
        )  # fmt: skip
        self._bar = Progress(*columns, console=err, disable=not err.is_terminal)
        self._task = self._bar.add_task("asking", total=tally.total, said="")
        self._began = self._said_at = time.monotonic()

    def __enter__(self) -> "_Progress":
        self._bar.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._bar.stop()

    def show(self) -> None:
        tally, now = self._tally, time.monotonic()
        self._bar.update(self._task, completed=tally.settled, said=tally.said)
        if not err.is_terminal and now - self._said_at >= _SAY_SECONDS:
            self._said_at = now
            left = (now - self._began) / max(tally.settled, 1) * (tally.total - tally.settled)
            err.print(
                f"gateway: {tally.settled:,} of {tally.total:,} members: {tally.said}; "
                f"about {left / 60:,.0f} minutes to go"
            )


def say(tally: Tally) -> None:
    """At the end: what each partner answered, and what can be done about it."""
    seen = [one for one in _OUTCOMES if any(visits[one] for visits in tally.visits.values())]
    headings = (one.replace("_", " ") for one in seen)
    table = Table(Column("partner", min_width=20), *headings, *_DOCUMENTS)
    for partner, visits in sorted(tally.visits.items()):
        table.add_row(partner, *(f"{visits[name]:,}" for name in (*seen, *_DOCUMENTS)))
    if tally.visits:
        out.print(table)
    members = "member" if tally.total == 1 else "members"
    out.print(f"{tally.total:,} {members}: {tally.said}")
    for step in tally.steps:
        out.print(step)


def say_why_not_all(tally: Tally) -> None:
    """On stderr: how many lines asked for nobody, and how to go on with what was stopped."""
    if tally.refused > _TOLD:
        err.print(f"gateway: nothing was asked for {tally.refused - _TOLD:,} more of its lines")
    if tally.failed_in_a_row >= _HOPELESS:
        err.print(f"gateway: the last {tally.failed_in_a_row:,} retrievals failed: nobody answers")
    if tally.is_stopped:
        going_on = tally.begun - tally.ended.total()
        err.print(f"gateway: stopped; {going_on:,} retrievals go on where `gateway serve` runs")
    if tally.is_stopped or set(tally.ended) - {"done"}:
        err.print(
            "gateway: run it again with --skip-asked-within 24 for all but those who are done"
        )
