"""ITI-39 of one document of 500 KB against an in-memory response of the same size.

A request is all that the wire demands, as in `responder`; the document is decrypted, unpacked and
checked on its way out.
"""

import os
import random
import tempfile
from pathlib import Path
from typing import Final

from gateway.model.document import Document
from gateway.settings import Settings
from gateway.store import members
from ihe.soap import ITI_39_REQUEST
from tests.bench.figures import Report
from tests.bench.load import Target
from tests.bench.responder import Loads, bottleneck, document, row, serving
from tests.gateway.asking import ask, retrieve
from tests.gateway.house import MEMBER, a_rule, documents, file, open_house

_SIZE: Final = 500_000
_CONNECTIONS: Final = 16
_REQUESTS: Final = 300
_ALONE: Final = 60
_WARM_UP: Final = 60


def measure(rounds: int) -> Report:
    """Rounds of the no-op, of ITI-39 over many connections, and of ITI-39 over one; then the same
    where as many processes as there are processors answer at the address."""
    alone, shared, processes = Loads(), Loads(), max(2, os.cpu_count() or 1)
    with tempfile.TemporaryDirectory(prefix="bench-") as name:
        settings, wanted = furnish(Path(name))
        size = _measure(Path(name), settings, wanted, rounds, alone)
        _measure(Path(name), settings, wanted, rounds, shared, processes)
    rows = (
        row("in-memory response", alone.no_op, alone.no_op, _CONNECTIONS),
        row("ITI-39", alone.many, alone.no_op, _CONNECTIONS),
        row("ITI-39", alone.one, None, 1),
        row(f"in-memory, {processes} processes", shared.no_op, alone.no_op, _CONNECTIONS),
        row(f"ITI-39, {processes} processes", shared.many, shared.no_op, _CONNECTIONS),
        row(f"ITI-39, {processes} processes", shared.one, None, 1),
    )
    notes = (
        f"answer {size:,} bytes with one document",
        "ratio: requests/s by those of the response; cost: its processor time by ours",
        *bottleneck(alone.no_op, "the in-memory response"),
        *bottleneck(shared.no_op, f"the in-memory response of {processes} processes"),
    )
    return Report("retrieve", "ITI-39 of 500 KB against an in-memory response", rows, notes)


def _measure(
    folder: Path,
    settings: Settings,
    wanted: Document,
    rounds: int,
    loads: Loads,
    processes: int = 1,
) -> int:
    with serving(folder, settings, processes=processes) as target:
        size = _warm_up(target, wanted)
        for _ in range(rounds):
            bodies, path = requests(wanted, _REQUESTS), f"/noop/{size}"
            loads.no_op.append(target.post_all(path, bodies, connections=_CONNECTIONS))
            loads.many.append(target.post_all("/ihe/xca", bodies, connections=_CONNECTIONS))
            alone = requests(wanted, _ALONE)
            loads.one.append(target.post_all("/ihe/xca", alone, connections=1))
    return size


def furnish(folder: Path) -> tuple[Settings, Document]:
    """A house with one large document of ours that a rule offers to the partner."""
    with open_house(folder, rules=[a_rule()], furnished=False) as house:
        house.database.write(lambda transaction: members.put(transaction, MEMBER))
        done = file(house, _large())
        if done.outcome != "filed":
            raise RuntimeError(f"the document was {done.outcome}: {done.document.reason}")
        (stored,) = documents(house)
        return house.settings, stored


def _large() -> bytes:
    """The demo's CCD with so much narrative, of words that do not pack too well."""
    content, chosen = document(0), random.Random(39)
    words = [f"{chosen.getrandbits(32):x}" for _ in range(4000)]
    text = " ".join(chosen.choices(words, k=(_SIZE - len(content)) // 9)).encode()
    head, mark, tail = content.partition(b"<text>")
    return b"".join((head, mark, b"<paragraph>", text, b"</paragraph>", tail))


def requests(wanted: Document, count: int) -> list[bytes]:
    return [ask(retrieve(wanted), ITI_39_REQUEST).envelope for _ in range(count)]


def _warm_up(target: Target, wanted: Document) -> int:
    """The size of an answer; it must have the whole document."""
    first, *others = requests(wanted, _WARM_UP)
    answer = target.post("/ihe/xca", first)
    if len(answer) < wanted.blob.size_bytes or b"</ClinicalDocument>" not in answer:
        raise RuntimeError("the answer does not have the whole document")
    target.post_all("/ihe/xca", others, connections=_CONNECTIONS)
    target.post_all(f"/noop/{len(answer)}", others, connections=_CONNECTIONS)
    return len(answer)
