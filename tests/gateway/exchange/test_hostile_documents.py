"""A document over a limit, or made to harm its reader: kept, marked, and the next one is read.

DECISIONS 25 and 26: the bytes are stored whatever they hold; the worker's memory and time end the
reading, not the service.
"""

import asyncio
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from ccda.safe_xml import DEFAULT_LIMITS
from gateway.app.house import House
from gateway.exchange.ingest import Ingested, ingest, receive
from gateway.exchange.workers import WorkerPool
from gateway.model.document import Source
from tests.gateway.clients.asking_house import PLAN, asking_house
from tests.gateway.exchange.ingesting import cda, take

MEGABYTE = 1024 * 1024
START = b'<ClinicalDocument xmlns="urn:hl7-org:v3"><component><structuredBody>'
PROBLEMS = b"<component><section><code code='11450-4'/>%s</section></component>"
PROBLEM = (
    b"<entry><observation><templateId root='2.16.840.1.113883.10.20.22.4.4'/><value code='%d'/>"
    b"</observation></entry>"
)
OVER_A_LIMIT = {
    "size": START + b" " * DEFAULT_LIMITS.size_bytes,
    "depth": START + b"<component>" * 300 + b"</component>" * 300,
    "attributes of one element": START + b"<a %s/>" % b" ".join(b"a%d=''" % n for n in range(300)),
    "namespaces in scope": START + b"<a %s/>" % b" ".join(b"xmlns:a%d='u'" % n for n in range(70)),
}
END = b"</structuredBody></component></ClinicalDocument>"


def in_a_worker(house: House, workers: WorkerPool, content: bytes) -> Ingested:
    archive = replace(house.archive, workers=workers)
    (plan,) = house.plans
    blob = archive.store(plan.id, content)
    received = asyncio.run(receive(archive, blob, plan=plan, source=Source(door="FILE")))
    (done,) = house.database.write(
        lambda tx: ingest(
            tx, [received], plan=plan, community=house.community, now=datetime.now(UTC)
        )
    )
    return done


@pytest.mark.parametrize("limit", OVER_A_LIMIT)
def test_a_document_over_a_limit_is_kept_and_marked_not_refused(
    limit: str, either_house: House
) -> None:
    content = OVER_A_LIMIT[limit] + END
    done = take(either_house, content)
    assert done.outcome == "quarantined"
    assert done.document.reason == f"the XML exceeds the limit on {limit}"
    assert either_house.archive.load(PLAN, done.document.blob) == content


@pytest.mark.parametrize(
    ("content", "memory_bytes", "deadline_seconds", "reason"),
    [
        # A tree of two million elements takes twenty times the room of its bytes.
        (START + b"<a/>" * 2_000_000 + END, 120 * MEGABYTE, 60.0, "more memory than is allowed"),
        (
            START + PROBLEMS % b"".join(PROBLEM % n for n in range(150_000)) + END,
            4096 * MEGABYTE,
            1.0,
            "longer than is allowed",
        ),
    ],
    ids=["memory", "time"],
)
def test_a_document_that_eats_its_reader_harms_no_other(
    content: bytes, memory_bytes: int, deadline_seconds: float, reason: str, tmp_path: Path
) -> None:
    modules = ("gateway.exchange.reading",)
    with (
        asking_house(tmp_path) as house,
        WorkerPool(1, memory_bytes, deadline_seconds, modules=modules) as workers,
    ):
        before = in_a_worker(house, workers, cda(number="1"))
        eaten = in_a_worker(house, workers, content)
        after = in_a_worker(house, workers, cda(number="2"))
        kept = house.archive.load(eaten.document.plan, eaten.document.blob)
    assert (before.outcome, after.outcome) == ("filed", "filed")
    assert eaten.outcome == "quarantined" and reason in (eaten.document.reason or "")
    assert kept == content
