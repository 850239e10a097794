"""What the worst messages that we take cost: seconds of the processor, and memory.

Each is sealed, spooled and dealt with as a message that comes in, in an open gateway with one
worker. Counted is from the moment it is on disk until it is settled: here, and in the worker.
"""

import asyncio
import ctypes
import gc
import multiprocessing
import os
import re
import resource
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from direct.message import OutgoingPart
from gateway.app.house import _MESSAGE_BYTES, _OPENER_MODULES
from gateway.exchange.direct_mail import receive_mail
from gateway.exchange.workers import WorkerPool
from gateway.model.identity import MailId
from tests.bench.figures import Figure, Report
from tests.gateway.exchange.costly_mail import (
    DOCTOR,
    INTAKE,
    PLAN_DOMAIN,
    cda,
    ended_courses,
    repeated,
    sealed,
    zipped,
)
from tests.gateway.exchange.post_offices import Office, Town, office
from tests.gateway.house import PLAN, demo_document

_FORK: Final = multiprocessing.get_context("fork")
_MB: Final = 1_000_000
_NOTES: Final = (
    "s: of the processor, here and in the worker, from the message on disk to its effect",
    "MB here: the most resident above what was; MB worker: the most of its private memory",
    "together a message may have 2 s, and 300 MB: 200 of a worker, 50 of what was signed beside "
    "it, 50 here",
)


@dataclass(frozen=True, slots=True)
class _Cost:
    """`worker_mb` is None of a worker that was ended."""

    seconds: float
    here_seconds: float
    here_mb: float
    worker_mb: float | None
    state: str
    message_mb: float = 0.0


@dataclass(frozen=True, slots=True)
class _Worst:
    parts: Callable[[], list[OutgoingPart]]
    recipients: int = 1


def _documents(*contents: bytes) -> list[OutgoingPart]:
    return [OutgoingPart(one, "text/xml", f"{n}.xml") for n, one in enumerate(contents)]


_MESSAGES: Final[dict[str, _Worst]] = {
    "an ordinary summary": _Worst(lambda: _documents(demo_document("northfield_ccd.xml"))),
    "a document of 25 MB": _Worst(lambda: _documents(cda(25 * _MB))),
    "24 MB of statements": _Worst(lambda: _documents(repeated(200))),
    "as many statements as are indexed": _Worst(lambda: _documents(repeated(40))),
    "courses compared each with each": _Worst(lambda: _documents(ended_courses(2000))),
    "a hundred summaries": _Worst(
        lambda: _documents(*(demo_document("northfield_ccd.xml") + b" " * n for n in range(100)))
    ),
    "a zip of 90 MB": _Worst(lambda: [OutgoingPart(zipped(90, _MB), "application/zip", "a.zip")]),
    "courses, a hundred documents and recipients": _Worst(
        lambda: _documents(ended_courses(900), *(repeated(0) + b" " * n for n in range(99))),
        recipients=100,
    ),
    "a hundred recipients": _Worst(
        lambda: _documents(demo_document("northfield_ccd.xml")), recipients=100
    ),
}


def measure(rounds: int) -> Report:
    """The dearest of the rounds, each in a process of its own."""
    rows: list[dict[str, Figure]] = []
    for name, worst in _MESSAGES.items():
        found = [_apart(worst) for _ in range(rounds)]
        dearest = max(found, key=lambda one: one.seconds)
        in_workers = [one.worker_mb for one in found if one.worker_mb is not None]
        rows.append(
            {
                "message": name,
                "MB": round(dearest.message_mb, 1),
                "s": round(dearest.seconds, 2),
                "of it here": round(dearest.here_seconds, 2),
                "MB here": round(max(one.here_mb for one in found), 1),
                "MB worker": round(max(in_workers), 1) if in_workers else None,
                "ends": dearest.state,
            }
        )
    return Report("message-cost", "The worst messages that come in", tuple(rows), _NOTES)


def _apart(worst: _Worst) -> _Cost:
    """In a child: what one message made resident would hide what the next one takes."""
    ours, theirs = _FORK.Pipe(duplex=False)
    child = _FORK.Process(target=lambda: theirs.send(asyncio.run(_cost(worst))))
    child.start()
    theirs.close()
    cost: _Cost = ours.recv()
    child.join()
    return cost


async def _cost(worst: _Worst) -> _Cost:
    with tempfile.TemporaryDirectory(prefix="message-") as name:
        async with office(Path(name), PLAN_DOMAIN, Town()) as plan:
            with WorkerPool(1, _MESSAGE_BYTES, 60.0, modules=_OPENER_MODULES) as opening:
                plan.means = replace(plan.means, openers=opening)
                # What is made once, the worker and what it loads, is no message's.
                first, _ = await _spool(plan, _documents(demo_document("lakeshore_ccd.xml")), 1)
                await receive_mail(plan.means, PLAN, first)
                message, size = await _spool(plan, worst.parts(), worst.recipients)
                cost = await _measured(plan, opening, message)
        return replace(cost, message_mb=size / _MB)


async def _spool(plan: Office, parts: list[OutgoingPart], recipients: int) -> tuple[MailId, int]:
    to = [INTAKE, *(f"desk{n}@{PLAN_DOMAIN}" for n in range(1, recipients))]
    raw = sealed(*parts, to=to)
    return await plan.spool(raw, tuple(to), DOCTOR), len(raw)


async def _measured(plan: Office, opening: WorkerPool, message: MailId) -> _Cost:
    (worker,) = [one._process.pid for one in opening._idle.queue if one is not None]
    gc.collect()
    ctypes.CDLL(None).malloc_trim(0)
    for process in ("self", worker):
        Path(f"/proc/{process}/clear_refs").write_text("5", encoding="ascii")  # HWM begins anew
    before, theirs_before, ended_before = _memory("self", "VmRSS"), _spent(worker), _ended()
    began = time.process_time()
    await receive_mail(plan.means, PLAN, message)
    here, memory_here = time.process_time() - began, _memory("self", "VmHWM") - before
    is_alive = Path(f"/proc/{worker}").exists()
    theirs = (_spent(worker) if is_alive else _ended() - ended_before) - theirs_before
    return _Cost(
        seconds=here + theirs,
        here_seconds=here,
        here_mb=memory_here,
        worker_mb=_memory(worker, "VmHWM") - _memory(worker, "RssFile") if is_alive else None,
        state=plan.received()[-1].state,
    )


def _memory(process: object, key: str) -> float:
    """In MB."""
    status = Path(f"/proc/{process}/status").read_text(encoding="ascii")
    return int(re.findall(rf"{key}:\s+(\d+) kB", status)[0]) * 1024 / _MB


def _spent(process: int) -> float:
    """Seconds of the processor that it has had."""
    fields = Path(f"/proc/{process}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _ended() -> float:
    """Those that workers had which have ended."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime
