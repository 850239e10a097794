"""Everybody who reads C-CDA, each in a process of its own, over the same documents.

Bare lxml, our parse, our FHIR, and what others publish on PyPI and npm; fed one document at a
time, warm. The times are the processes' own and those of documents that were read.
"""

import statistics
import tempfile
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from tests.bench.corpus import Corpus
from tests.bench.fed import Fed, Outcome
from tests.bench.figures import Figure, Report
from tests.bench.grown import grown
from tests.bench.installed import PEERS, Program, installed, own
from tests.installs import Unavailable

_LIMIT_SECONDS: Final = 60.0
_SIZES: Final = {"50 KB": 50_000, "500 KB": 500_000, "5 MB": 5_000_000}
_OURS: Final = "our FHIR"
_OWN: Final = {"lxml.etree.fromstring": "lxml", "our parse": "parse", _OURS: "fhir"}


@dataclass(frozen=True, slots=True)
class _Measured:
    """Outcomes over the corpus and for each size, and the most memory after both."""

    corpus: tuple[Outcome, ...]
    sizes: Mapping[str, tuple[Outcome, ...]]
    corpus_peak: int | None
    peak: int | None


def measure(corpus: Corpus, rounds: int) -> Report:
    """The corpus once, and `rounds` times a document of each size, for whoever can be had."""
    with tempfile.TemporaryDirectory(prefix="bench-") as name:
        documents = tuple(_written(Path(name), corpus.documents))
        sized = dict(zip(_SIZES, _written(Path(name), map(grown, _SIZES.values())), strict=True))
        measured: dict[str, _Measured] = {}
        missing: dict[str, str] = {}
        for label, program in _programs(missing):
            measured[label] = _measured(program, documents, sized, rounds)
    ours = measured[_OURS]
    rows = [_row(label, found, ours) for label, found in measured.items()]
    rows += [{"what": label, "documents read": "not available here"} for label in missing]
    notes = [corpus.text, *_errors(measured), *missing.values()]
    notes.append("ours ahead: how much longer it took than our FHIR over documents that both read")
    return Report("peers", "Everybody over the same documents", tuple(rows), tuple(notes))


def _written(folder: Path, contents: Iterator[bytes] | Sequence[bytes]) -> Iterator[Path]:
    for content in contents:
        path = folder / f"{len(list(folder.iterdir()))}.xml"
        path.write_bytes(content)
        yield path


def _programs(missing: dict[str, str]) -> Iterator[tuple[str, Program]]:
    """Ours, then every peer that could be installed; why the others could not is `missing`."""
    for label, name in _OWN.items():
        yield label, own(name)
    for peer in PEERS:
        try:
            yield peer.label, installed(peer)
        except Unavailable as reason:
            missing[peer.label] = f"{peer.label} is not available here: {reason}"


def _measured(
    program: Program, documents: Sequence[Path], sized: Mapping[str, Path], rounds: int
) -> _Measured:
    with Fed(program, limit_seconds=_LIMIT_SECONDS) as process:
        for document in documents[:5]:
            process.read(document)  # what is loaded at the first documents is no document's
        over_corpus = tuple(map(process.read, documents))
        corpus_peak = process.peak_bytes
        sizes = {size: _again(process, document, rounds) for size, document in sized.items()}
        return _Measured(over_corpus, sizes, corpus_peak, process.peak_bytes)


def _again(process: Fed, document: Path, rounds: int) -> tuple[Outcome, ...]:
    """What took half a minute or failed will not be otherwise the next time."""
    found = [process.read(document)]
    while len(found) < rounds and found[0].error is None and found[0].seconds < _LIMIT_SECONDS / 6:
        found.append(process.read(document))
    return tuple(found)


def _row(label: str, found: _Measured, ours: _Measured) -> dict[str, Figure]:
    read = [one.seconds for one in found.corpus if one.error is None]
    row: dict[str, Figure] = {
        "what": label,
        "documents read": f"{len(read)} of {len(found.corpus)}",
        "documents/s": len(read) / sum(read) if read else None,
    }
    row |= {f"{size}/s": _per_second(outcomes) for size, outcomes in found.sizes.items()}
    row["peak MB"] = _megabytes(found.corpus_peak)
    row["after 5 MB"] = _megabytes(found.peak)
    row["ours ahead"] = _ahead(found.corpus, ours.corpus)
    return row


def _per_second(outcomes: Sequence[Outcome]) -> Figure:
    if any(one.error for one in outcomes):
        return "not read"
    return 1 / statistics.median(one.seconds for one in outcomes)


def _ahead(theirs: Sequence[Outcome], ours: Sequence[Outcome]) -> float | None:
    both = [
        (one.seconds, own.seconds)
        for one, own in zip(theirs, ours, strict=True)
        if one.error is None and own.error is None
    ]
    return sum(one for one, _ in both) / sum(own for _, own in both) if both else None


def _megabytes(size_bytes: int | None) -> float | None:
    return None if size_bytes is None else size_bytes / 1e6


def _errors(measured: Mapping[str, _Measured]) -> Iterator[str]:
    for label, found in measured.items():
        errors = Counter(one.error for one in found.corpus if one.error is not None)
        if errors:
            counted = ", ".join(f"{count} {error}" for error, count in errors.most_common(4))
            yield f"{label} did not read: {counted}"
