"""What one document costs as it grows: processor time a megabyte, and memory.

Each size is ingested by a fresh process (`one_document`), all its way. The documents are the
demo's CCD with its entries repeated under ids of their own, and of the smallest most left out.
"""

import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Final

from tests.bench.corpus import ROOT
from tests.bench.figures import Figure, Report
from tests.gateway.house import open_house

_SIZES: Final = {"50 KB": 50_000, "500 KB": 500_000, "5 MB": 5_000_000, "50 MB": 50_000_000}
_NOTES: Final = (
    "ms/MB: processor time, of the worker (parse, hand over) and of the process that ingests",
    "index: rows, the member's summary, exchange record, COMMIT",
    "MB: the most memory resident (VmHWM), and of it what is there before the document comes; the "
    "whole service imports listeners and the SOAP client beside it",
)


def measure(rounds: int) -> Report:
    """The same kind of document at each size; of the rounds the fastest."""
    rows: list[dict[str, Figure]] = []
    for name, size_bytes in _SIZES.items():
        found = [_in_a_fresh_process(size_bytes) for _ in range(rounds)]
        rows.append({"what": name, **min(found, key=_cost)})
    return Report("size", "One document ingested by a fresh process", tuple(rows), _NOTES)


def _in_a_fresh_process(size_bytes: int) -> dict[str, Figure]:
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        with open_house(Path(folder), furnished=False):
            pass  # the schema is made: that is no document's cost
        command = [sys.executable, "-m", "tests.bench.one_document", str(size_bytes), folder]
        done = subprocess.run(command, cwd=ROOT, check=True, stdout=subprocess.PIPE)
    return dict(json.loads(done.stdout))


def _cost(figures: dict[str, Figure]) -> float:
    return float(figures["ms/MB"] or 0)
