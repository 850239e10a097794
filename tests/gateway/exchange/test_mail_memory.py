"""What a message that comes in takes of our own memory: 50 MB, however large or hostile it is.

The worker that opens it may have 200 MB (`test_mail_cost`), and what was signed lies beside both
once, at most 50 MB: together the 300 MB that one message may cost.
"""

import gc
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from direct.message import OutgoingPart
from gateway.exchange.workers import WorkerPool
from tests.gateway.exchange.costly_mail import (
    DOCTOR,
    INTAKE,
    LARGE,
    MEGABYTE,
    PLAN_DOMAIN,
    cda,
    repeated,
    sealed,
    zipped,
)
from tests.gateway.exchange.post_offices import Town, office
from tests.gateway.exchange.test_mail_cost import MOST_MEMORY
from tests.gateway.house import demo_document
from tests.thinning import thinned

MOST_HERE = 50 * MEGABYTE


def memory(key: str) -> int:
    """Of this process, in bytes: what is resident, or the most that was."""
    status = Path("/proc/self/status").read_text(encoding="ascii")
    (kilobytes,) = re.findall(rf"{key}:\s+(\d+) kB", status)
    return int(kilobytes) * 1024


@contextmanager
def growing_less_than(most: int) -> Iterator[None]:
    gc.collect()
    Path("/proc/self/clear_refs").write_text("5", encoding="ascii")  # VmHWM begins anew
    before = memory("VmRSS")
    yield
    assert memory("VmHWM") - before < most


COSTLY: dict[str, Callable[[], list[OutgoingPart]]] = {
    "the largest document": lambda: [OutgoingPart(cda(LARGE), "text/xml", "a.xml")],
    "a zip of 90 MB": lambda: [OutgoingPart(zipped(90, MEGABYTE), "application/zip", "a.zip")],
    "statements without end": lambda: [OutgoingPart(repeated(200), "text/xml", "a.xml")],
    "many documents of statements": lambda: [OutgoingPart(repeated(10), "text/xml", "a.xml")] * 20,
}


@pytest.mark.parametrize("kind", list(thinned(COSTLY)))
async def test_a_message_is_never_held_here(kind: str, tmp_path: Path) -> None:
    async with office(tmp_path, PLAN_DOMAIN, Town()) as plan:
        with WorkerPool(1, MOST_MEMORY, 120.0) as opening:
            plan.means = replace(plan.means, openers=opening, message_cpu_seconds=60.0)
            first = OutgoingPart(demo_document("lakeshore_ccd.xml"), "text/xml", "a.xml")
            await plan.spool(sealed(first), (INTAKE,), DOCTOR)
            await plan.work()  # what is made once is no message's
            await plan.spool(sealed(*COSTLY[kind]()), (INTAKE,), DOCTOR)
            with growing_less_than(MOST_HERE):
                await plan.work()
        assert plan.failures == []
        assert [one.state for one in plan.received()] == ["filed", "held"]
