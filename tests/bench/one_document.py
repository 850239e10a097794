"""One document ingested by this process: `python -m tests.bench.one_document BYTES FOLDER`.

The whole way of ingest, with nothing imported that it does not need: no listener, no SOAP client.
FOLDER is a house's that is not open. Prints the figures as JSON.
"""

import asyncio
import json
import sys
import time
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path
from typing import Final

from gateway.exchange.archive import Archive
from gateway.exchange.ingest import Ingested, ingest, receive
from gateway.exchange.workers import WorkerPool
from gateway.model.community import Community
from gateway.model.document import Source
from gateway.model.exchange import Exchange
from gateway.model.identity import PlanId
from gateway.model.member import Plan
from gateway.store import exchange_log
from gateway.store.blobs import BlobStore
from gateway.store.database import Transaction, open_database
from gateway.store.keys import KeyRing
from ihe.identifiers import HomeCommunityId
from tests.bench.large import document_of
from tests.bench.memory import peak_memory

_COMMUNITY: Final = Community(HomeCommunityId.parse("2.999.7302.1"), "Bench")
_PLAN: Final = Plan(PlanId("acme"), "Acme")
_WARM_UP_BYTES: Final = 60_000
_WORKER_BYTES: Final = 2 * 1024**3


def main() -> None:
    size_bytes, folder = int(sys.argv[1]), Path(sys.argv[2])
    key_file = folder / "keys" / "key-encryption-key"
    url = f"sqlite:///{folder / 'data' / 'gateway.sqlite'}"
    database = open_database(url, key_file=key_file)
    keys = KeyRing(key_file, database)
    blobs = BlobStore(folder / "data" / "blobs", keys)
    with WorkerPool(1, _WORKER_BYTES, 600.0, modules=("gateway.exchange.reading",)) as workers:
        archive = Archive(database, blobs, workers)
        # What is made once a process is no document's cost; held, it is in nobody's summary.
        asyncio.run(_ingest(archive, document_of(_WARM_UP_BYTES), file=False))
        before = peak_memory(), workers.run(peak_memory), workers.run(time.process_time)
        moments, entries = asyncio.run(_ingest(archive, document_of(size_bytes), file=True))
        worker_seconds = workers.run(time.process_time) - before[2]
        after = peak_memory(), workers.run(peak_memory)
    database.close()
    stored, index = (later - earlier for earlier, later in pairwise(moments))
    size = size_bytes / 1e6
    figures = {
        "entries": entries,
        "worker ms/MB": worker_seconds * 1000 / size,
        "store and load ms/MB": stored * 1000 / size,
        "index ms/MB": index * 1000 / size,
        "ms/MB": (worker_seconds + stored + index) * 1000 / size,
        "worker MB": after[1],
        "of it before": before[1],
        "ingest MB": after[0],
        "of that before": before[0],
    }
    print(json.dumps(figures))


async def _ingest(archive: Archive, content: bytes, *, file: bool) -> tuple[list[float], int]:
    """This process' time before, between and after reading and indexing; how many entries."""
    moments = [time.process_time()]
    blob = await archive.store_async(_PLAN.id, content)
    received = await receive(archive, blob, plan=_PLAN, source=Source(door="FILE"))
    moments.append(time.process_time())

    def unit(transaction: Transaction) -> Ingested:
        now = datetime.now(UTC)
        (done,) = ingest(
            transaction, [received], plan=_PLAN, community=_COMMUNITY, now=now, create_members=file
        )
        exchange_log.append(transaction, Exchange(now, "in", "FILE", "success"))
        return done

    done = await archive.database.write_async(unit)
    moments.append(time.process_time())
    clinical = received.reading.clinical
    if done.outcome != ("filed" if file else "held") or clinical is None:
        raise RuntimeError(f"the document was {done.outcome}: {done.document.reason}")
    return moments, sum(len(section.entries) for section in clinical.sections)


if __name__ == "__main__":
    main()
