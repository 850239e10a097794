"""A gateway that kills itself: `python -m tests.flows.crash_child FOLDER`, jobs on stdin.

Each line is a job as JSON: what to do, and at which hit of which durable step to die by SIGKILL.
A process is forked for each, so that the modules are imported only once. What it was told is
durable it writes to the job's `acknowledged` file; one line on stdout says how it ended.
"""

import asyncio
import json
import os
import signal
import sys
import traceback
from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from gateway.app.house import House, open_house
from gateway.exchange.ingest import Ingested, ingest, receive
from gateway.model.document import Source
from gateway.model.exchange import Exchange
from gateway.settings import Settings
from gateway.store import exchange_log
from gateway.store.transaction import Transaction
from tests.gateway import house as lakeshore
from tests.gateway.clients.asking_house import PLAN, reading_inline, run_retrieval, work_off

FILES = ("northfield_discharge_summary.xml", "northfield_ccd.xml")


def main() -> None:
    for line in sys.stdin:
        job = json.loads(line)
        child = os.fork()
        if child == 0:
            _die_or_do(job)
        _, status = os.waitpid(child, 0)
        print(os.waitstatus_to_exitcode(status), flush=True)


def _die_or_do(job: dict[str, Any]) -> None:
    try:
        failpoint = dying_at(job["step"], job["hit"])
        with open_house(Settings(**job["settings"]), failpoint=failpoint) as house:
            reading_inline(house)
            if job["what"] == "ingest":
                for name in FILES:
                    done = take_in(house, lakeshore.demo_document(name))
                    _acknowledge(Path(job["acknowledged"]), done.document.id)
            elif job["what"] == "retrieve":
                asyncio.run(work_off(house))
            else:
                asyncio.run(run_retrieval(house, job["retrieval"]))
    except BaseException:
        traceback.print_exc()
        os._exit(1)
    os._exit(0)


def dying_at(step: str, hit: int) -> Callable[[str], None]:
    """A failpoint that ends this process for good."""
    hits: Counter[str] = Counter()

    def failpoint(name: str) -> None:
        hits[name] += 1
        if (name, hits[name]) == (step, hit):
            os.kill(os.getpid(), signal.SIGKILL)

    return failpoint


def take_in(house: House, content: bytes) -> Ingested:
    """One document as any door takes it in: with its record, acknowledged when both are durable."""
    (plan,) = house.plans
    blob = house.archive.store(PLAN, content)
    received = asyncio.run(receive(house.archive, blob, plan=plan, source=Source(door="FILE")))

    def unit(transaction: Transaction) -> Ingested:
        now = datetime.now(UTC)
        (done,) = ingest(transaction, [received], plan=plan, community=house.community, now=now)
        record = Exchange(
            time=now,
            direction="in",
            transaction="FILE",
            outcome="success",
            plan=PLAN,
            member=done.document.member,
            documents=(done.document.id,),
        )
        exchange_log.append(transaction, record)
        return done

    return house.database.write(unit)


def _acknowledge(file: Path, document: str) -> None:
    with file.open("a", encoding="ascii") as lines:
        lines.write(f"{document}\n")
        lines.flush()
        os.fsync(lines.fileno())


if __name__ == "__main__":
    main()
