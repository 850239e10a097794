"""Whom the matcher finds among synthetic people, by what was wrong with the question."""

import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from gateway.store.database import Database, open_database
from gateway.store.migrations import upgrade
from tests.bench.figures import Figure, Report
from tests.gateway.people.population import Enrolled, people
from tests.gateway.people.searching import furnish, searching
from tests.gateway.people.verdicts import Count, count_all, total

_MEMBERS: Final = 100_000
_EVERY: Final = 100
"""Of the members one in so many is asked about, in each kind of question."""
_KIN_EVERY: Final = 8
"""Of the twins, juniors and namesakes, two in so many."""


def measure(rounds: int) -> Report:
    """The table; `rounds` times as many members are asked about as in one."""
    with tempfile.TemporaryDirectory(prefix="bench-") as name:
        url = f"sqlite:///{Path(name) / 'gateway.sqlite'}"
        upgrade(url)
        database = open_database(url)
        try:
            return _measure(database, rounds)
        finally:
            database.close()


def _measure(database: Database, rounds: int) -> Report:
    everyone = list(people(_MEMBERS))
    furnish(database, everyone)
    asked_about = list(_sample(everyone, rounds))
    started = time.process_time()
    counts = database.read(lambda tx: count_all(asked_about, searching(tx)))
    seconds = time.process_time() - started
    whole = total(counts.values())
    rows = [_row(kind, count) for kind, count in counts.items()]
    notes = (
        f"{len(asked_about):,} of {_MEMBERS:,} members asked about, {whole.asked:,} questions,"
        f" {1e6 * seconds / whole.asked:,.0f} µs of processor time each with its making",
        "answerable: what is asked shares enough with the roster to say who is meant",
        "recall: linked of the answerable; false: linked to somebody else",
        *(f"FALSE: {question.kind}, linked to {found}" for question, found in whole.wrong),
    )
    return Report("matching", "Who is found", (*rows, _row("all", whole)), notes)


def _sample(everyone: list[Enrolled], rounds: int) -> Iterator[Enrolled]:
    for number, one in enumerate(everyone):
        if number % _EVERY < rounds or (one.kin and number % _KIN_EVERY < 2):
            yield one


def _row(kind: str, count: Count) -> dict[str, Figure]:
    return {
        "what was asked": kind,
        "asked": count.asked,
        "answerable": count.answerable,
        "linked": count.linked,
        "held": count.held,
        "missed": count.missed,
        "false": count.false,
        "recall": None if count.recall is None else f"{count.recall:.3f}",
    }
