"""A document that was read goes into the index, against its rows and blob written bare.

Document by document in turns: ours, from the parsed document to a durable COMMIT, then the same
rows and the same sealed blob by the bare driver into a database of the same schema (`bare`).
"""

import gc
import statistics
import tempfile
import time
from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from lxml import etree

from ccda.document import parse_document
from gateway.app.house import House
from gateway.exchange.ingest import Ingested, Received, ingest
from gateway.exchange.reading import Reading, read_document
from gateway.model.document import Source
from gateway.store import exchange_log
from gateway.store.transaction import Transaction
from tests.bench.bare import BareDatabase
from tests.bench.corpus import Corpus
from tests.bench.databases import postgres_database, postgres_server
from tests.bench.figures import Figure, Report, median_ratio
from tests.bench.ingest import record
from tests.bench.parse import seconds_for
from tests.gateway.house import PLAN, open_house

_NOTES: Final = (
    "index, held, in: blob (hashed, packed, sealed, synced), document, sections, entries, what it "
    "replaces, exchange record sealed into the chain; whose it is is asked, and nobody is known",
    "index, filed, in: also its new member with its keys, its offer to partners (ebRIM), which "
    "version counts, and the member's merged summary made anew from all its documents",
    "out, of both: reading the document (it is timed as ccda.parse_document), SOAP, worker process",
    "bare: one executemany a table of exactly those rows, the sealed blob written and synced, "
    "COMMIT; the same schema, synchronous = FULL, one document a COMMIT; making any of it is out; "
    "at the end both databases have as many rows in every table, or it is no figure",
    "cpu: by the processor's time of this process, what a disk or PostgreSQL's server takes is out",
    "parse + index: one process, one document after the other; ratio: the limit's time by ours",
)


def measure(corpus: Corpus, rounds: int) -> Report:
    """Bare lxml, our parse, and on each database the index against its limit."""
    lxml = [seconds_for(corpus, etree.fromstring) for _ in range(rounds)]
    parse = [seconds_for(corpus, parse_document) for _ in range(rounds)]
    rows = [
        _row(corpus, "lxml.etree.fromstring", lxml),
        _row(corpus, "ccda.parse_document", parse, lxml),
    ]
    with postgres_server() as server:
        for name, server_url in (("SQLite", None), ("PostgreSQL", server)):
            for outcome in ("held", "filed"):
                found = [_round(corpus, server_url, file=outcome == "filed") for _ in range(rounds)]
                ours, bare, worked, limit = zip(*found, strict=True)
                rows.append(_row(corpus, f"bare rows and blob, {outcome}, {name}", bare))
                rows[-1]["cpu ms/document"] = _each(corpus, limit)
                rows.append(_row(corpus, f"index, {outcome}, {name}", ours, bare))
                rows[-1]["cpu ms/document"] = _each(corpus, worked)
                rows[-1]["cpu ratio"] = median_ratio(limit, worked)
            whole = [one + other for one, other in zip(parse, ours, strict=True)]
            rows.append(_row(corpus, f"parse + index, filed, {name}", whole, lxml))
    return Report("index", "Index against bare rows and blob", tuple(rows), (corpus.text, *_NOTES))


def _row(
    corpus: Corpus, what: str, seconds: Sequence[float], limit: Sequence[float] | None = None
) -> dict[str, Figure]:
    median = statistics.median(seconds)
    return {
        "what": what,
        "documents/s": len(corpus.documents) / median,
        "MB/s": corpus.size_bytes / 1e6 / median,
        "ms/document": _each(corpus, seconds),
        "ratio": None if limit is None else median_ratio(limit, seconds),
    }


def _each(corpus: Corpus, seconds: Sequence[float]) -> float:
    """The median as milliseconds a document."""
    return statistics.median(seconds) * 1000 / len(corpus.documents)


def _round(
    corpus: Corpus, server_url: str | None, *, file: bool
) -> tuple[float, float, float, float]:
    """Over the corpus into new databases: seconds of ours and of the limit, and CPU seconds."""
    clock = _Clock()
    with _house(server_url) as house, _house(server_url) as other:
        for one in (house, other):
            one.archive.blobs.keys.plan_key(PLAN)  # made once a plan, not with a document
        limit = BareDatabase(other.database.url)
        recorded = BareDatabase(house.database.url)
        with limit, recorded:
            gc.collect()
            for content in corpus.documents:
                reading = read_document(content)
                with clock.running("ours"):
                    done = _index(house, content, reading, file=file)
                address = done.document.blob.address
                blob = house.archive.blobs.path(PLAN, address).read_bytes()
                rows = limit.statements(recorded.rows_of(done.document.id))
                path = other.archive.blobs.path(PLAN, address)
                with clock.running("bare"):
                    limit.write(rows, blob=blob, path=path)
            ours, bare = recorded.counts(), limit.counts()
            if uneven := [table for table in ours if ours[table] != bare[table]]:
                raise RuntimeError(f"not the same rows in {', '.join(uneven)}")
    seconds, worked = clock.seconds, clock.worked
    return seconds["ours"], seconds["bare"], worked["ours"], worked["bare"]


class _Clock:
    """Seconds by the wall and by the processor, of each who takes turns."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = defaultdict(float)
        self.worked: dict[str, float] = defaultdict(float)

    @contextmanager
    def running(self, who: str) -> Iterator[None]:
        started, began = time.perf_counter(), time.process_time()
        yield
        self.seconds[who] += time.perf_counter() - started
        self.worked[who] += time.process_time() - began


def _index(house: House, content: bytes, reading: Reading, *, file: bool) -> Ingested:
    """One document that was read, until it is durable; as `gateway ingest` does it."""
    (plan,) = (one for one in house.plans if one.id == PLAN)
    received = Received(house.archive.store(PLAN, content), reading, Source(door="FILE"))

    def unit(transaction: Transaction) -> Ingested:
        now = datetime.now(UTC)
        (done,) = ingest(
            transaction,
            [received],
            plan=plan,
            community=house.community,
            now=now,
            create_members=file,
        )
        exchange_log.append(transaction, record(plan, done, now))
        return done

    return house.database.write(unit)


@contextmanager
def _house(server_url: str | None) -> Iterator[House]:
    """A new house with nobody in it."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="bench-")))
        changes = {}
        if server_url is not None:
            changes["database_url"] = stack.enter_context(postgres_database(server_url))
        yield stack.enter_context(open_house(folder, furnished=False, **changes))
