"""The exchange log at a million records: how fast it is verified and searched, and what it weighs.

On SQLite and PostgreSQL; `log-large` at ten million. It is grown in bulk (`log_grown`), so how
fast records come is not measured here, and what it weighs is with indexes that were made at once.

The records are what a busy gateway leaves: two plans, 40 partners, 60 persons, a tenth refused;
members and documents grow in number with the log, so that a search for one finds as many in a
log of any size and its time tells of the log alone. Every search names one as an auditor would.

What is measured is told as it comes: at ten million the whole takes most of an hour.
"""

import os
import random
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Final, NamedTuple, get_args

import psycopg

from gateway.model.exchange import ExchangeFilter, RecordedExchange
from gateway.model.identity import DocumentId, MemberId, PartnerId
from gateway.store import exchange_log
from gateway.store.database import Database, open_database
from gateway.store.exchange_search import Column
from gateway.store.key_file import create_key_file
from gateway.store.migrations import upgrade
from gateway.store.scope import ALL_PLANS
from gateway.store.transaction import Transaction
from tests.bench.databases import forget, postgres_database, postgres_server
from tests.bench.figures import Figure, Report, percentile
from tests.bench.log_grown import (
    BETWEEN,
    PLAN,
    START,
    copy_in_bulk,
    members,
    seal_in_bulk,
    stored,
)

_SIZES: Final = (100_000, 1_000_000)
_LARGE: Final = (100_000, 1_000_000, 10_000_000)
_SEARCHES: Final = 200
_Look = Callable[[Transaction], None]
_NOTES: Final = (
    "verify: all columns compared (the database spells the sealed text from them, we look only "
    "where it does not say yes), leaves, chain and Merkle tree recomputed, one after the other",
    "search: a page of 100 of one plan, newest first, by a value drawn anew; 200 of each kind; "
    "cold: before, when nothing of a log of any size lay in memory yet (unless DATABASE_URL names "
    "the server)",
    "cpu records/s: by the processor's time of this process and, where it runs beside us, of the "
    "server's process that answers it; what others do here does not count",
    "PostgreSQL with shared_buffers of a quarter of the memory, 2 GB at most",
    "grown in bulk, the indexes of each size made at once: more tightly packed than grown ones",
    "bytes: of the database, indexes included, by its records",
)


class _Timed(NamedTuple):
    """Seconds of each search, when nothing lay in memory yet and once more."""

    what: str
    cold: list[float]
    again: list[float]


def measure(rounds: int, sizes: Sequence[int] = _SIZES) -> Report:
    """Each size grown on from the one before; of the rounds of verifying the fastest."""
    draw = random.Random(1)  # the same records each time
    with (
        tempfile.TemporaryDirectory(prefix="bench-") as folder,
        postgres_server() as server,
        postgres_database(server) as postgres,
    ):
        sqlite, key_file = f"sqlite:///{folder}/gateway.sqlite", Path(folder) / "kek"
        create_key_file(key_file)
        with (
            closing(_empty(sqlite, key_file)) as ours,
            closing(_empty(postgres, key_file)) as theirs,
        ):
            seal, copy = partial(seal_in_bulk, ours, draw), partial(copy_in_bulk, ours, theirs)
            rows = [
                _told({"on": name, **row})
                for name, url, database, grow in (
                    ("SQLite", sqlite, ours, seal),
                    ("PostgreSQL", postgres, theirs, copy),
                )
                for row in _measured(url, database, grow, rounds, sizes)
            ]
    return Report("log", "The exchange log", tuple(rows), _NOTES)


def _told(row: dict[str, Figure]) -> dict[str, Figure]:
    print(*(f"{name}: {value}" for name, value in row.items()), sep=", ", file=sys.stderr)
    return row


def measure_large(rounds: int) -> Report:
    """As `measure`, to ten million: an hour at most where nobody else works, and 40 GB."""
    return measure(rounds, _LARGE)


def _empty(url: str, key_file: Path) -> Database:
    upgrade(url)
    return open_database(url, key_file=key_file)


def _measured(
    url: str,
    database: Database,
    grow: Callable[[int, int], None],
    rounds: int,
    sizes: Sequence[int],
) -> Iterator[dict[str, Figure]]:
    done, first = 0, dict[str, float]()
    for size in sizes:
        grow(done, size)
        done = size
        if database.is_postgres:
            _analyze(url)
        yield _verified(database, size, rounds)
        for timed in _searched(database, size):
            p99 = percentile(timed.again, 0.99)
            yield {
                "what": f"{timed.what}, {size:,}",
                "p50 ms": percentile(timed.again, 0.5) * 1000,
                "p99 ms": p99 * 1000,
                f"× of {sizes[0]:,}": p99 / first.setdefault(timed.what, p99),
                "cold p50 ms": percentile(timed.cold, 0.5) * 1000,
                "cold p99 ms": percentile(timed.cold, 0.99) * 1000,
            }
        yield {"what": f"bytes a record, {size:,}", "bytes": _bytes(url) / size}


def _analyze(url: str) -> None:
    """As autovacuum does in a house that grows more slowly."""
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("VACUUM ANALYZE")


def _bytes(url: str) -> int:
    if url.startswith("sqlite:"):
        return Path(url.removeprefix("sqlite:///")).stat().st_size
    with psycopg.connect(url) as connection:
        row = connection.execute("SELECT pg_database_size(current_database())").fetchone()
    assert row is not None
    return int(row[0])


def _verified(database: Database, size: int, rounds: int) -> dict[str, Figure]:
    seconds, worked = [], []
    for _ in range(rounds):
        started, began = time.perf_counter(), time.process_time()
        records, served = database.read(_verify)
        assert records == size
        seconds.append(time.perf_counter() - started)
        worked.append(time.process_time() - began + served)
    best = min(seconds)
    rates = {"records/s": size / best, "cpu records/s": size / min(worked)}
    return {"what": f"verify, {size:,}", **rates, "s": best}


def _verify(transaction: Transaction) -> tuple[int, float]:
    """How many records, and the CPU seconds that another process took for it."""
    if not transaction.is_postgres:
        return exchange_log.verify(transaction).records, 0.0
    pid = transaction.cursor().execute("SELECT pg_backend_pid()").fetchone()[0]
    began = _cpu_seconds(pid)
    records = exchange_log.verify(transaction).records
    return records, _cpu_seconds(pid) - began


def _cpu_seconds(pid: int) -> float:
    """Of another process of this machine; none where the system does not tell."""
    file = Path(f"/proc/{pid}/stat")
    if not file.exists():
        return 0.0
    fields = file.read_text(encoding="ascii").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _searched(database: Database, size: int) -> list[_Timed]:
    draw = random.Random(2)
    last = START + BETWEEN * size
    kinds: dict[str, Callable[[], ExchangeFilter]] = {
        "member": lambda: ExchangeFilter(
            member=MemberId(f"member-{draw.randrange(members(size))}")
        ),
        "document": lambda: ExchangeFilter(
            document=DocumentId(f"document-{draw.randrange(stored(size))}")
        ),
        "partner, refused": lambda: ExchangeFilter(
            partner=PartnerId(f"2.999.{draw.randrange(40)}"), outcome="refused"
        ),
        "person, purpose": lambda: ExchangeFilter(
            person=f"Person {draw.randrange(60)}", purpose="PAYMENT"
        ),
        "nobody": lambda: ExchangeFilter(person="nobody"),
        "a day": lambda: _a_day(draw, size),
        "member, since": lambda: ExchangeFilter(
            member=MemberId(f"member-{draw.randrange(members(size))}"),
            since=last - timedelta(days=30),
        ),
    }
    timed = [
        *(_timed(database, name, wanted) for name, wanted in kinds.items()),
        _paged(database, size, draw),
        *_sorted(database, size, draw),
    ]
    cold = [seconds for one in timed for seconds in one.cold]
    again = [seconds for one in timed for seconds in one.again]
    return [*timed, _Timed("any of these searches", cold, again)]


def _a_day(draw: random.Random, size: int) -> ExchangeFilter:
    since = START + BETWEEN * draw.randrange(size)
    return ExchangeFilter(since=since, until=since + timedelta(days=1))


def _timed(
    database: Database,
    name: str,
    wanted: Callable[[], ExchangeFilter],
    order: Callable[[], Column] = lambda: "sequence",
) -> _Timed:
    def look(asked: ExchangeFilter, by: Column, transaction: Transaction) -> None:
        found = exchange_log.search(transaction, plan=PLAN, wanted=asked, order=by)
        assert all(_is_about(asked, one) for one in found)

    looks = [partial(look, wanted(), order()) for _ in range(_SEARCHES)]
    return _looked(f"search by {name}", database, looks)


def _is_about(asked: ExchangeFilter, found: RecordedExchange) -> bool:
    """Whether what was sealed names whom the search named by a keyed hash."""
    exchange = found.exchange
    return asked.member in (None, exchange.member) and (
        asked.document is None or asked.document in exchange.documents
    )


def _paged(database: Database, size: int, draw: random.Random) -> _Timed:
    """Pages sorted by person, from records anywhere in the log."""

    def look(place: int, transaction: Transaction) -> None:
        exchange_log.search(transaction, plan=ALL_PLANS, order="person", after=place)

    looks = [partial(look, draw.randrange(1, size)) for _ in range(_SEARCHES)]
    return _looked("page by person", database, looks)


def _sorted(database: Database, size: int, draw: random.Random) -> list[_Timed]:
    """Pages of one plan sorted by a column drawn anew: all of it, a partner's, a day's."""
    columns = get_args(Column)
    kinds: dict[str, Callable[[], ExchangeFilter]] = {
        "all": ExchangeFilter,
        "partner": lambda: ExchangeFilter(partner=PartnerId(f"2.999.{draw.randrange(40)}")),
        "a day": lambda: _a_day(draw, size),
    }
    return [
        _timed(database, f"{name}, sorted by any column", wanted, lambda: draw.choice(columns))
        for name, wanted in kinds.items()
    ]


def _looked(name: str, database: Database, looks: Sequence[_Look]) -> _Timed:
    forget(database.url)
    database.read(lambda tx: exchange_log.search(tx, plan=PLAN, limit=1))  # what every search needs
    return _Timed(name, *(_seconds(database, looks) for _ in range(2)))


def _seconds(database: Database, looks: Sequence[_Look]) -> list[float]:
    seconds = []
    for look in looks:
        started = time.perf_counter()
        database.read(look)
        seconds.append(time.perf_counter() - started)
    return seconds
