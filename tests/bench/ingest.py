"""A document all the way into the index against reading it alone.

The whole way is that of `gateway ingest`: bytes compressed, encrypted and synced to disk, loaded
and read in a worker process, then index, summary and exchange record in one transaction.
"""

import asyncio
import statistics
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields
from datetime import UTC, datetime
from pathlib import Path
from typing import Final, TypeVar

from ccda.document import parse_document
from gateway.app.house import House
from gateway.cli.ingest import ingest_all
from gateway.exchange.ingest import Ingested, Received, ingest, receive
from gateway.model.document import Source
from gateway.model.exchange import Exchange
from gateway.model.member import Plan
from gateway.store import exchange_log
from gateway.store.transaction import Transaction
from tests.bench.corpus import Corpus
from tests.bench.figures import Figure, Report, median_ratio
from tests.bench.parse import seconds_for
from tests.gateway.house import PLAN, open_house

T = TypeVar("T")


@dataclass(slots=True)
class _Stages:
    """Seconds in each stage over the whole corpus."""

    store: float = 0.0
    read: float = 0.0
    index: float = 0.0
    commit: float = 0.0


_NAMES: Final = {
    "store": "  store the encrypted blob",
    "read": "  load it, read it in a worker",
    "index": "  index, file, renew summary",
    "commit": "  seal the record, COMMIT",
}


def measure(corpus: Corpus, rounds: int) -> Report:
    """Parse alone, ingest one by one with its stages, and ingest in groups; in turns."""
    alone, single, grouped, stages = [], [], [], []
    for _ in range(rounds):
        alone.append(seconds_for(corpus, parse_document))
        seconds, found = _in_a_house(lambda house: _one_by_one(house, corpus))
        single.append(seconds)
        stages.append(found)
        grouped.append(_in_a_house(lambda house: _in_groups(house, corpus)))
    rows = [
        _row(corpus, "ccda.parse_document", alone, ratio=1.0),
        _row(corpus, "gateway ingest, in groups", grouped, ratio=median_ratio(alone, grouped)),
        _row(corpus, "ingest, one by one", single, ratio=median_ratio(alone, single)),
    ]
    whole = statistics.median(single)
    for field in fields(_Stages):
        seconds_in = [getattr(one, field.name) for one in stages]
        share = statistics.median(seconds_in) / whole
        rows.append(_row(corpus, _NAMES[field.name], seconds_in, share=share))
    notes = (corpus.text, "each round into a new SQLite file; one worker process, as by default")
    return Report("ingest", "Ingest against parse", tuple(rows), notes)


def _row(
    corpus: Corpus,
    what: str,
    seconds: Sequence[float],
    *,
    ratio: float | None = None,
    share: float | None = None,
) -> dict[str, Figure]:
    median = statistics.median(seconds)
    return {
        "what": what,
        "documents/s": None if ratio is None else len(corpus.documents) / median,
        "MB/s": None if ratio is None else corpus.size_bytes / 1e6 / median,
        "ms/document": median * 1000 / len(corpus.documents),
        "ratio": ratio,
        "share": None if share is None else f"{share:.0%}",
    }


# ---- the ways in -----------------------------------------------------------------------------


def _in_a_house(run: Callable[[House], T]) -> T:
    with (
        tempfile.TemporaryDirectory(prefix="bench-") as folder,
        open_house(Path(folder), furnished=False) as house,
    ):
        house.archive.workers.run(len, b"")  # the worker's start is no document's
        return run(house)


def _one_by_one(house: House, corpus: Corpus) -> tuple[float, _Stages]:
    async def run() -> _Stages:
        stages = _Stages()
        for content in corpus.documents:
            await _step_by_step(house, content, stages)
        return stages

    started = time.perf_counter()
    stages = asyncio.run(run())
    return time.perf_counter() - started, stages


async def _step_by_step(house: House, content: bytes, stages: _Stages) -> None:
    plan, clock = _plan(house), time.perf_counter
    begun = clock()
    blob = await house.archive.store_async(plan.id, content)
    stored = clock()
    received = await receive(house.archive, blob, plan=plan, source=Source(door="FILE"))
    read = clock()
    inside = 0.0

    def unit(transaction: Transaction) -> None:
        nonlocal inside
        entered = clock()
        _ingest(house, [received], transaction)
        inside = clock() - entered

    await house.database.write_async(unit)
    stages.store += stored - begun
    stages.read += read - stored
    stages.index += inside
    stages.commit += clock() - read - inside


def _in_groups(house: House, corpus: Corpus) -> float:
    """`gateway ingest` itself, on files."""
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        files = [Path(folder, f"{index}.xml") for index in range(len(corpus.documents))]
        for file, content in zip(files, corpus.documents, strict=True):
            file.write_bytes(content)
        started = time.perf_counter()
        count = asyncio.run(ingest_all(house, _plan(house), files, create_members=True))
        seconds = time.perf_counter() - started
    if set(count.outcomes) - {"filed", "held"}:
        raise RuntimeError("a document that can be read was not indexed")
    return seconds


def _ingest(house: House, received: Sequence[Received], transaction: Transaction) -> None:
    plan, now = _plan(house), datetime.now(UTC)
    done = ingest(
        transaction,
        received,
        plan=plan,
        community=house.community,
        now=now,
        create_members=True,
    )
    for one in done:
        if one.outcome not in ("filed", "held"):
            raise RuntimeError(f"a document that can be read was {one.outcome}")
        exchange_log.append(transaction, record(plan, one, now))


def record(plan: Plan, done: Ingested, now: datetime) -> Exchange:
    """As `gateway ingest` keeps it."""
    return Exchange(
        time=now,
        direction="in",
        transaction="FILE",
        outcome="success",
        plan=plan.id,
        person="operator",
        member=done.document.member,
        documents=(done.document.id,),
    )


def _plan(house: House) -> Plan:
    return next(plan for plan in house.plans if plan.id == PLAN)
