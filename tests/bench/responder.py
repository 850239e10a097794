"""ITI-38 answered to a partner against a no-op POST of the same body on the same listener.

A request is all that the wire demands: mutual TLS, an assertion and a Timestamp, both signed and
both verified, no replay, the exchange record durable before the first byte of the answer, and the
answer signed. Every request has an assertion of its own, so nothing verified is met again.
"""

import os
import ssl
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from sqlalchemy import func, select

from gateway.api.sharing import SharedListener
from gateway.app.house import House
from gateway.app.house import open_house as open_gateway
from gateway.settings import Settings
from gateway.store import exchange_log, members, tables
from ihe.soap import ITI_38_REQUEST
from ihe.stored_query import FindDocumentsQuery
from ihe.xca_query import write_adhoc_query_request
from tests.bench.corpus import ROOT
from tests.bench.figures import Figure, Report, median_ratio, percentile
from tests.bench.load import Load, Target
from tests.bench.partner import SHARED
from tests.gateway.asking import ask, patient_id
from tests.gateway.house import (
    MEMBER,
    a_partner,
    a_rule,
    client_context,
    demo_document,
    file,
    open_house,
)

_DOCUMENTS: Final = 10
_CONNECTIONS: Final = 16
_REQUESTS: Final = 800
"""Of a round; each is signed right before it, since a Timestamp is fresh for minutes only."""
_NO_OP_TIMES: Final = 3
"""How often a round sends each body to the no-op, which is that much faster."""
_ALONE: Final = 100
"""Requests of a round over one connection: what one asker alone waits."""
_WARM_UP: Final = 100
_MOSTLY_WAITING: Final = 0.6
"""A busy share of less, on both sides: the wait of packets or for a core bounds the rate."""


@dataclass(slots=True)
class Loads:
    """Of the no-op, and of the transaction over many connections and over one."""

    no_op: list[Load] = field(default_factory=list)
    many: list[Load] = field(default_factory=list)
    one: list[Load] = field(default_factory=list)


def measure(rounds: int) -> Report:
    """Rounds of the no-op, of ITI-38 over many connections, and of ITI-38 over one; then the same
    where as many processes as there are processors answer at the address."""
    alone, shared, processes = Loads(), Loads(), max(2, os.cpu_count() or 1)
    with tempfile.TemporaryDirectory(prefix="bench-") as name:
        settings = furnish(Path(name))
        size = _measure(Path(name), settings, rounds, alone)
        _measure(Path(name), settings, rounds, shared, processes)
        _require_records(settings, 2 * (_WARM_UP + rounds * (_REQUESTS + _ALONE)))
    no_op = alone.no_op
    rows = (
        row("POST no-op", no_op, no_op, _CONNECTIONS),
        row("ITI-38", alone.many, no_op, _CONNECTIONS),
        row("ITI-38", alone.one, None, 1),
        row(f"POST no-op, {processes} processes", shared.no_op, no_op, _CONNECTIONS),
        row(f"ITI-38, {processes} processes", shared.many, shared.no_op, _CONNECTIONS),
        row(f"ITI-38, {processes} processes", shared.one, None, 1),
    )
    notes = (
        f"answer {size:,} bytes with {_DOCUMENTS} entries",
        "ratio: requests/s by those of the no-op; cost: the no-op's processor time by ours",
        *bottleneck(no_op, "the no-op"),
        *bottleneck(shared.no_op, f"the no-op of {processes} processes"),
    )
    return Report("responder", "ITI-38 responder against a no-op POST", rows, notes)


def _measure(
    folder: Path, settings: Settings, rounds: int, loads: Loads, processes: int = 1
) -> int:
    with serving(folder, settings, processes=processes) as target:
        size = _warm_up(target)
        for _ in range(rounds):
            bodies = requests(_REQUESTS)
            repeated, path = bodies * _NO_OP_TIMES, f"/noop/{size}"
            loads.no_op.append(target.post_all(path, repeated, connections=_CONNECTIONS))
            loads.many.append(target.post_all("/ihe/xca", bodies, connections=_CONNECTIONS))
            loads.one.append(target.post_all("/ihe/xca", requests(_ALONE), connections=1))
    return size


def row(
    what: str, loads: Sequence[Load], limit: Sequence[Load] | None, connections: int
) -> dict[str, Figure]:
    latencies = [latency for load in loads for latency in load.latencies]
    rates = [load.requests_per_second for load in loads]
    costs = [load.server_seconds / load.requests for load in loads]
    row: dict[str, Figure] = {
        "what": what,
        "connections": connections,
        "requests/s": statistics.median(rates),
        "p50 ms": percentile(latencies, 0.50) * 1000,
        "p99 ms": percentile(latencies, 0.99) * 1000,
        "server ms/request": statistics.median(costs) * 1000,
        "server busy": _share([load.server_seconds / load.seconds for load in loads]),
        "generator busy": _share([load.client_seconds / load.seconds for load in loads]),
    }
    if limit is not None:
        row["ratio"] = median_ratio(rates, [load.requests_per_second for load in limit])
        row["cost ratio"] = median_ratio(
            [load.server_seconds / load.requests for load in limit], costs
        )
    return row


def _share(shares: Sequence[float]) -> str:
    return f"{statistics.median(shares):.0%}"


def bottleneck(no_op: Sequence[Load], what: str) -> Iterator[str]:
    """Says so when it was not the server's work that bounded what the others are measured by."""
    server = statistics.median(load.server_seconds / load.seconds for load in no_op)
    client = statistics.median(load.client_seconds / load.seconds for load in no_op)
    if client > server:
        yield f"the load generator worked more than {what}: trust the cost ratio, not the ratio"
    if max(client, server) < _MOSTLY_WAITING:
        yield f"in {what} both sides mostly waited: trust the cost ratio, not the ratio"


# ---- the house -------------------------------------------------------------------------------


def furnish(folder: Path, **changes: Any) -> Settings:
    """A house with one member and documents of ours that a rule offers to the partner.

    `changes` are those of `open_house`.
    """
    with open_house(folder, rules=[a_rule()], furnished=False, **changes) as house:
        house.database.write(lambda transaction: members.put(transaction, MEMBER))
        for number in range(_DOCUMENTS):
            done = file(house, document(number))
            if done.outcome != "filed":
                raise RuntimeError(f"a document was {done.outcome}: {done.document.reason}")
        return house.settings


def document(number: int) -> bytes:
    """The demo's CCD under ids of its own: it replaces none of the others."""
    content = demo_document("lakeshore_ccd.xml")
    for extension in (b"700418", b"690022"):
        content = content.replace(extension, b"%s%02d" % (extension, number))
    return content


@contextmanager
def serving(
    folder: Path,
    settings: Settings,
    context: ssl.SSLContext | None = None,
    *,
    processes: int = 1,
    arguments: Sequence[str] = (),
) -> Iterator[Target]:
    """The partner listener of a house with these settings, in processes of its own.

    `arguments` are those of `tests.bench.partner`.
    """
    listen = settings.listen.model_copy(update={"partner_processes": processes})
    given = folder / "settings.json"
    there = settings.model_copy(update={"listen": listen})
    given.write_text(there.model_dump_json(), encoding="utf-8")
    shared = SharedListener.bind("127.0.0.1", 0, processes) if processes > 1 else None
    running: list[subprocess.Popen[str]] = []
    address = ""
    with ExitStack() as stack:
        for place in range(processes):
            command = [sys.executable, "-m", "tests.bench.partner", str(given), *arguments]
            files: tuple[int, ...] = ()
            if shared is not None:
                command += [SHARED, shared.text(place)]
                files = shared.files
            process = stack.enter_context(
                subprocess.Popen(
                    command, cwd=ROOT, stdout=subprocess.PIPE, text=True, pass_fds=files
                )
            )
            stack.callback(process.terminate)
            running.append(process)
            assert process.stdout is not None
            address = process.stdout.readline().strip()
            if not address:
                raise RuntimeError("the listener did not start")
        if shared is not None:
            shared.listening.close()  # now it is theirs alone
        ids = [process.pid for process in running]
        yield Target(
            address,
            context or client_context(a_partner().name),
            None if processes == 1 else lambda: sum(map(_processor_seconds, ids)),
        )


def _processor_seconds(process: int) -> float:
    """What a process has used so far (proc(5): utime and stime)."""
    fields = Path(f"/proc/{process}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _require_records(settings: Settings, requests: int) -> None:
    """Every request is on record, in a chain that holds; else the figures are worth nothing."""

    def recorded(house: House) -> int:
        result = house.database.read(exchange_log.verify)
        if result.first_bad is not None:
            raise RuntimeError(f"the exchange log does not verify: {result.reason}")
        # Beside them stands what the house did by itself meanwhile: keys, checkpoints.
        asked = select(func.count()).where(tables.exchange.c.transaction == "ITI-38")
        return int(house.database.read(lambda tx: tx.connection.execute(asked).scalar_one()))

    with open_gateway(settings) as house:
        if recorded(house) != requests:
            raise RuntimeError("there is not one record for each request")


# ---- the requests ----------------------------------------------------------------------------


def requests(count: int) -> list[bytes]:
    """So many signed requests, no two alike."""
    query = FindDocumentsQuery(patient_id=patient_id())
    return [ask(write_adhoc_query_request(query), ITI_38_REQUEST).envelope for _ in range(count)]


def _warm_up(target: Target) -> int:
    """The size of an answer; it must have every document."""
    first, *others = requests(_WARM_UP)
    answer = target.post("/ihe/xca", first)
    if answer.count(b"<rim:ExtrinsicObject ") != _DOCUMENTS:
        raise RuntimeError("the answer does not have every document")
    target.post_all("/ihe/xca", others, connections=_CONNECTIONS)
    target.post_all(f"/noop/{len(answer)}", others, connections=_CONNECTIONS)
    return len(answer)
