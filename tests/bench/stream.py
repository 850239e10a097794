"""200 MB in by ITI-41 and out by ITI-39, against a plain file copy over the same TLS listener.

The copy is a route of the same process: what comes is written to a file and synced, what goes is
read from one. The gateway does all that and verifies the sender, hashes, compresses, seals and
records. Memory is the server's own: the most that was resident, less what was before.
"""

import http.client
import os
import statistics
import tempfile
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from hashlib import sha1
from pathlib import Path
from typing import Final

from sqlalchemy import text

from gateway.model.document import Blob, Document
from gateway.model.partner import Partner
from gateway.settings import Settings
from gateway.store import documents, members
from gateway.store.database import Transaction
from ihe.mtom_writing import MultipartWriter, Part
from ihe.soap import ITI_39_REQUEST
from tests.bench.figures import Figure, Report, median_ratio
from tests.bench.load import Target
from tests.bench.responder import serving
from tests.gateway.asking import ask, retrieve
from tests.gateway.house import (
    MEMBER,
    PLAN,
    a_partner,
    a_rule,
    client_context,
    demo_document,
    file,
    open_house,
)
from tests.gateway.submitting import a_submission, a_take_rule, an_entry, sealed

SIZE_BYTES: Final = 200 * 1024 * 1024
MOST_GROWTH_MB: Final = 64
LEAST_RATIO: Final = 0.5
_PIECE: Final = 1024 * 1024


@dataclass(frozen=True, slots=True)
class Run:
    """One transfer: its rate in MB/s, and what the server's memory grew by, in MB."""

    rate: float
    growth: float


def measure(rounds: int) -> Report:
    """Rounds of a copy in, ITI-41, a copy out and ITI-39, one after the other."""
    runs: dict[str, list[Run]] = {}
    with tempfile.TemporaryDirectory(prefix="bench-") as name:
        settings, document = furnish(Path(name))
        with serving(Path(name), settings) as target:
            cipher = _cipher(target)
            for _ in range(rounds):
                for what, run in (
                    ("copy in", lambda: sent_in(target, "/copy-in", copied())),
                    ("ITI-41 in", lambda: sent_in(target, "/ihe/xdr", _submitted())),
                    ("copy out", lambda: _out(target, "/copy-out", b"")),
                    ("ITI-39 out", lambda: _out(target, "/ihe/xca", _asked(document))),
                ):
                    runs.setdefault(what, []).append(run())
    rows = tuple(row(what, runs) for what in runs)
    notes = (
        f"{SIZE_BYTES // 1024**2} MB that do not compress; ratio: MB/s by those of the plain copy",
        f"wanted: a ratio of {LEAST_RATIO} or more, growth of {MOST_GROWTH_MB} MB or less",
        f"cipher {cipher}",
    )
    return Report("large", "Large documents against a plain copy", rows, notes)


def row(what: str, runs: dict[str, list[Run]]) -> dict[str, Figure]:
    copy = runs[f"copy {what.rpartition(' ')[2]}"]
    rates = [run.rate for run in runs[what]]
    return {
        "what": what,
        "MB/s": statistics.median(rates),
        "ratio": median_ratio(rates, [run.rate for run in copy]),
        "grown by MB": max(run.growth for run in runs[what]),
    }


# ---- the house -------------------------------------------------------------------------------


def furnish(folder: Path, known: Sequence[Partner] | None = None) -> tuple[Settings, Document]:
    """A house that takes submissions, and has a document of that size that a rule gives."""
    rules = [a_rule(), a_take_rule()]
    with open_house(folder, rules=rules, known=known, furnished=False) as house:
        house.database.write(lambda transaction: members.put(transaction, MEMBER))
        document = file(house, demo_document("lakeshore_ccd.xml")).document
        with house.archive.blobs.writer(PLAN) as writer:
            for piece in _pieces():
                writer.write(piece)
            blob = writer.finish()
        house.database.write(lambda transaction: _swap(transaction, document, blob))
        return house.settings, document


def _swap(transaction: Transaction, document: Document, blob: Blob) -> None:
    """The document's bytes are these: one of that size is never read, and so never offered."""
    documents.keep_blob(transaction, plan=PLAN, blob=blob)
    transaction.connection.execute(
        text("UPDATE document SET blob_address = :address WHERE id = :id"),
        {"address": blob.address, "id": document.id},
    )


def _pieces() -> Iterator[bytes]:
    """The same bytes each time they are asked for in a run; zstd makes nothing smaller of them."""
    for number in range(SIZE_BYTES // _PIECE):
        yield number.to_bytes(8, "big") + _NOISE[8:]


_NOISE: Final = os.urandom(_PIECE)


# ---- one transfer ----------------------------------------------------------------------------


def copied() -> tuple[str, Iterable[bytes]]:
    """Its type, and the bytes in pieces."""
    return "application/octet-stream", _pieces()


def _submitted() -> tuple[str, Iterable[bytes]]:
    """A submission of the document under ids of its own, its bytes other ones each time."""
    mark, digest = os.urandom(16), sha1(usedforsecurity=False)
    digest.update(mark)
    for piece in _pieces():
        digest.update(piece)
    entry = an_entry(b"", hash=digest.hexdigest(), size_bytes=SIZE_BYTES + len(mark))
    request = a_submission((entry, b""))
    writer = MultipartWriter(sealed(request).envelope, boundary="a-boundary-of-the-bench")
    cid = f"{entry.entry_uuid[9:]}@a.example"

    def chunks() -> Iterator[bytes]:
        yield mark
        yield from _pieces()

    return writer.content_type, writer.chunks([Part(cid, "application/octet-stream", chunks())])


def _asked(document: Document) -> bytes:
    return ask(retrieve(document), ITI_39_REQUEST).envelope


def sent_in(target: Target, path: str, given: tuple[str, Iterable[bytes]]) -> Run:
    """One transfer to the server.

    Raises:
        RuntimeError: it was not taken.
    """
    content_type, pieces = given
    before = _memory(target)[0]
    with closing(connection(target)) as opened:
        started = time.perf_counter()
        headers = {"Content-Type": content_type, "Transfer-Encoding": "chunked"}
        opened.request("POST", path, pieces, headers, encode_chunked=True)
        answer = opened.getresponse()
        content = answer.read()
        seconds = time.perf_counter() - started
    if answer.status != 200 or b"ResponseStatusType:Failure" in content:
        raise RuntimeError(f"{path} answered {answer.status}")
    return Run(SIZE_BYTES / 1e6 / seconds, _memory(target)[1] - before)


def _out(target: Target, path: str, body: bytes) -> Run:
    before = _memory(target)[0]
    with closing(connection(target)) as opened:
        started, size = time.perf_counter(), 0
        opened.request("POST", path, body, {"Content-Type": "application/soap+xml"})
        answer = opened.getresponse()
        while piece := answer.read(_PIECE):
            size += len(piece)
        seconds = time.perf_counter() - started
    if answer.status != 200 or size < SIZE_BYTES:
        raise RuntimeError(f"{path} answered {answer.status} with {size} bytes")
    return Run(SIZE_BYTES / 1e6 / seconds, _memory(target)[1] - before)


def connection(target: Target) -> http.client.HTTPSConnection:
    """To the server, as the partner that it knows."""
    host, _, port = target.address.rpartition(":")
    context = client_context(a_partner().name)
    return http.client.HTTPSConnection(host, int(port), timeout=600, context=context)


def _memory(target: Target) -> tuple[float, float]:
    """What is resident of the server now, and the most since this was asked last; in MB."""
    now, most = target.post("/memory", b"").split()
    return float(now), float(most)


def _cipher(target: Target) -> str:
    """That of every connection: the server has one context."""
    with closing(connection(target)) as opened:
        opened.connect()
        name, version, _ = opened.sock.cipher()
    return f"{name}, {version}"
