"""What reading costs as a document grows: time for each megabyte, and memory."""

import statistics
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final

from tests.bench.corpus import ROOT
from tests.bench.fed import Fed
from tests.bench.figures import Figure, Report
from tests.bench.grown import grown
from tests.bench.installed import own

_SIZES_MB: Final = (0.05, 0.5, 5.0, 50.0)
_BASE_MB: Final = 0.5
_LIMIT_SECONDS: Final = 600.0
_PROGRAMS: Final = {"lxml.etree.fromstring": "lxml", "our parse": "parse"}
_WARM: Final = ROOT / "gateway" / "demo" / "documents" / "lakeshore_unstructured.xml"


def measure(rounds: int) -> Report:
    """Bare lxml and our parse, each document in a fresh process that has read a small one."""
    with tempfile.TemporaryDirectory(prefix="bench-") as name:
        folder = Path(name)
        documents = {size: folder / f"{size}.xml" for size in _SIZES_MB}
        for size, document in documents.items():
            document.write_bytes(grown(round(size * 1e6)))
        rows = [row for label in _PROGRAMS for row in _rows(label, documents, rounds)]
    notes = (
        f"linear: milliseconds a megabyte against those at {_BASE_MB} MB; 1 is linear",
        "peak MB: all that the process held, Python itself included",
    )
    return Report("sizes", "Cost of a document by its size", tuple(rows), notes)


def _rows(label: str, documents: Mapping[float, Path], rounds: int) -> Iterator[dict[str, Figure]]:
    megabytes = {size: path.stat().st_size / 1e6 for size, path in documents.items()}
    found = {size: _read(label, path, rounds) for size, path in documents.items()}
    base = found[_BASE_MB][0] / megabytes[_BASE_MB]
    for size, (seconds, peak_bytes) in found.items():
        each = seconds / megabytes[size]
        yield {
            "what": f"{label}, {megabytes[size]:.2g} MB",
            "ms": seconds * 1000,
            "ms/MB": each * 1000,
            "linear": each / base,
            "peak MB": None if peak_bytes is None else peak_bytes / 1e6,
        }


def _read(label: str, document: Path, rounds: int) -> tuple[float, int | None]:
    """Seconds, the median of the rounds, and the most memory in any of them."""
    outcomes, peaks = [], []
    for _ in range(rounds):
        with Fed(own(_PROGRAMS[label]), limit_seconds=_LIMIT_SECONDS) as process:
            process.read(_WARM)
            outcomes.append(process.read(document))
            peaks.append(process.peak_bytes or 0)
    if any(outcome.error for outcome in outcomes):
        raise RuntimeError(f"{label} did not read {document.name}: {outcomes[0].error}")
    return statistics.median(outcome.seconds for outcome in outcomes), max(peaks) or None
