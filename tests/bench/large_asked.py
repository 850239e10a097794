"""200 MB fetched by ITI-39, as the initiator: against a plain copy over the same TLS listener.

The copy is read from the same server over a socket of this process, written to a file and synced.
The gateway's client does that and verifies the answer, takes the package apart, hashes, compresses
and seals. Memory is this process's own: the most that was resident, less what was before.
"""

import asyncio
import gc
import os
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Final
from uuid import uuid4

from gateway.app.house import House, open_client
from gateway.app.serving import settle
from gateway.exchange.asking import Asking, new_assertion
from gateway.exchange.retrieving import Attachments
from gateway.model.document import Document
from gateway.model.partner import Partner, PartnerProfile
from ihe.soap import ITI_39_REQUEST
from tests.bench.figures import Report
from tests.bench.load import Target
from tests.bench.memory import peak_memory
from tests.bench.responder import serving
from tests.bench.stream import (
    LEAST_RATIO,
    MOST_GROWTH_MB,
    SIZE_BYTES,
    Run,
    connection,
    copied,
    furnish,
    row,
    sent_in,
)
from tests.gateway import house as lakeshore
from tests.gateway.asking import retrieve
from tests.gateway.clients import asking_house

_PIECE: Final = 1024 * 1024
_PATIENCE_SECONDS: Final = 600.0


def measure(rounds: int) -> Report:
    """Rounds of a copy and of an ITI-39, one after the other."""
    runs: dict[str, list[Run]] = {}
    asker = lakeshore.a_partner(asking_house.NAME, asking_house.HOME)
    with tempfile.TemporaryDirectory(prefix="bench-") as name, ExitStack() as stack:
        folder = Path(name)
        settings, document = furnish(folder / "theirs", known=[lakeshore.a_partner(), asker])
        target = stack.enter_context(serving(folder / "theirs", settings))
        them = replace(
            asking_house.a_partner(lakeshore.US, str(lakeshore.HOME), target.address),
            profile=PartnerProfile(timeout_seconds=_PATIENCE_SECONDS),
        )
        house = stack.enter_context(asking_house.asking_house(folder / "ours", [them]))
        sent_in(target, "/copy-in", copied())  # what the copy out is of
        stack.enter_context(_settled())
        for _ in range(rounds):
            runs.setdefault("copy in", []).append(_measured(lambda: _copy(target, folder)))
            fetched = _measured(lambda: _fetch(house, them, document))
            runs.setdefault("ITI-39 in", []).append(fetched)
    notes = (
        f"{SIZE_BYTES // 1024**2} MB that do not compress; ratio: MB/s by those of the plain copy",
        f"wanted: a ratio of {LEAST_RATIO} or more, growth of {MOST_GROWTH_MB} MB or less",
    )
    rows = tuple(row(what, runs) for what in runs)
    return Report("large-asked", "A large document asked for, against a plain copy", rows, notes)


@contextmanager
def _settled() -> Iterator[None]:
    """This process as one of ours that works: `gateway serve` and `worker` settle too."""
    before = gc.get_threshold()
    settle()
    try:
        yield
    finally:
        gc.unfreeze()
        gc.set_threshold(*before)


def _measured(transfer: object) -> Run:
    assert callable(transfer)
    Path("/proc/self/clear_refs").write_text("5", encoding="ascii")  # the peak begins anew
    before, started = peak_memory(), time.perf_counter()
    size = transfer()
    seconds = time.perf_counter() - started
    if size < SIZE_BYTES:
        raise RuntimeError(f"only {size} bytes came")
    return Run(SIZE_BYTES / 1e6 / seconds, peak_memory() - before)


def _copy(target: Target, folder: Path) -> int:
    size = 0
    with closing(connection(target)) as plain, (folder / "copy").open("wb") as file:
        plain.request("POST", "/copy-out", b"", {"Content-Type": "application/soap+xml"})
        answer = plain.getresponse()
        while piece := answer.read(_PIECE):
            file.write(piece)
            size += len(piece)
        file.flush()
        os.fsync(file.fileno())
    return size


def _fetch(house: House, them: Partner, document: Document) -> int:
    """One ITI-39 as a retrieval makes it; its document lies in the blobs when this returns."""
    wanted = asking_house.new_retrieval(house)
    retrieval = asking_house.retrieval_of(house, wanted)
    attachments = Attachments(house.archive, asking_house.PLAN)
    address = them.endpoints.iti39
    assert address is not None

    async def ask() -> None:
        client = open_client(house)
        member, plan = asking_house.MEMBER, house.plans[0]
        asking = Asking(house.archive, client, house.community, plan, member, retrieval)
        try:
            await client.call(
                partner=them,
                kind=ITI_39_REQUEST,
                address=address,
                body=retrieve(document),
                assertion=new_assertion(asking, them, address),
                message_id=f"urn:uuid:{uuid4()}",
                sink=attachments.open,
            )
        finally:
            await client.close()

    asyncio.run(ask())
    (part,) = attachments.stored()
    return part.blob.size_bytes
