"""ITI-39 of one document of 500 KB against an in-memory response of the same size.

A request is all that the wire demands, as in `responder`; the document is decrypted, unpacked and
checked on its way out.
"""

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
from tests.bench.responder import document, row, serving
from tests.gateway.asking import ask, retrieve
from tests.gateway.house import MEMBER, a_rule, documents, file, open_house

_SIZE: Final = 500_000
_CONNECTIONS: Final = 16
_REQUESTS: Final = 300
_ALONE: Final = 60
_WARM_UP: Final = 60


def measure(rounds: int) -> Report:
    """Rounds of the no-op, of ITI-39 over many connections, and of ITI-39 over one."""
    no_op, many, one = [], [], []
    with tempfile.TemporaryDirectory(prefix="bench-") as name:
        settings, wanted = furnish(Path(name))
        with serving(Path(name), settings) as target:
            size = _warm_up(target, wanted)
            for _ in range(rounds):
                bodies = requests(wanted, _REQUESTS)
                no_op.append(target.post_all(f"/noop/{size}", bodies, connections=_CONNECTIONS))
                many.append(target.post_all("/ihe/xca", bodies, connections=_CONNECTIONS))
                alone = requests(wanted, _ALONE)
                one.append(target.post_all("/ihe/xca", alone, connections=1))
    rows = (
        row("in-memory response", no_op, no_op, _CONNECTIONS),
        row("ITI-39", many, no_op, _CONNECTIONS),
        row("ITI-39", one, None, 1),
    )
    notes = (
        f"answer {size:,} bytes with one document",
        "ratio: requests/s by those of the response; cost: its processor time by ours",
    )
    return Report("retrieve", "ITI-39 of 500 KB against an in-memory response", rows, notes)


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
