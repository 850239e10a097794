"""`python -m tests.bench [NAME…]`: figures, each against a limit measured in the same run.

Every figure is the median of rounds in which the measured and its limit take turns, so that the
ratios hold on a busy machine where the figures themselves do not.
"""

import argparse
import json
import os
import platform
import sqlite3
import ssl
import sys
from collections.abc import Callable
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import Final

from lxml import etree

from tests.bench import (
    audit,
    beside,
    direct,
    discovery,
    fhir,
    hanging,
    index,
    ingest,
    large_asked,
    log,
    mail,
    matching,
    message_cost,
    parse,
    peers,
    responder,
    retrieve,
    size,
    sizes,
    stream,
)
from tests.bench.corpus import Corpus, load_corpus
from tests.bench.figures import Report

_corpus: Callable[[], Corpus] = cache(load_corpus)
_BENCHMARKS: Final[dict[str, Callable[[int], Report]]] = {
    "parse": lambda rounds: parse.measure(_corpus(), rounds),
    "parse-size": sizes.measure,
    "fhir": lambda rounds: fhir.measure(_corpus(), rounds),
    "peers": lambda rounds: peers.measure(_corpus(), rounds),
    "index": lambda rounds: index.measure(_corpus(), rounds),
    "ingest": lambda rounds: ingest.measure(_corpus(), rounds),
    "ingest-size": size.measure,
    "responder": responder.measure,
    "retrieve": retrieve.measure,
    "discovery": discovery.measure,
    "hanging": hanging.measure,
    "beside": beside.measure,
    "matching": matching.measure,
    "direct": direct.measure,
    "mail": mail.measure,
    "message-cost": message_cost.measure,
    "log": log.measure,
    "audit": lambda rounds: audit.measure(_corpus(), rounds),
    "large": stream.measure,
    "large-asked": large_asked.measure,
}
_LARGE: Final[dict[str, Callable[[int], Report]]] = {"log-large": log.measure_large}
"""Only by name: too long, and too much for the disk, to go with all."""
_PACKAGES: Final = ("lxml", "cryptography", "sqlalchemy", "fastapi", "uvicorn", "uvloop")


def main() -> None:
    arguments = _arguments()
    reports: list[Report] = []
    if not arguments.json:
        print(f"{_machine_text()}\n")
    for name in arguments.names or _BENCHMARKS:
        print(f"measuring {name} …", file=sys.stderr, flush=True)
        report = (_BENCHMARKS | _LARGE)[name](arguments.rounds)
        reports.append(report)
        if not arguments.json:
            print(f"{report.text()}\n", flush=True)
    if arguments.json:
        figures = {report.name: report.json() for report in reports}
        print(json.dumps({"machine": _machine(), "rounds": arguments.rounds, **figures}, indent=2))


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=", ".join(_BENCHMARKS | _LARGE))
    parser.add_argument("--rounds", type=int, default=3, help="rounds of each (default: 3)")
    parser.add_argument("--json", action="store_true", help="one JSON object on stdout")
    arguments = parser.parse_args()
    if unknown := [name for name in arguments.names if name not in _BENCHMARKS | _LARGE]:
        parser.error(f"no such benchmark: {', '.join(unknown)}")
    if arguments.rounds < 1:
        parser.error("there must be at least one round")
    return arguments


def _machine() -> dict[str, object]:
    return {
        "processor": _processor(),
        "cores": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else None,
        "load": round(os.getloadavg()[0], 2),
        "system": f"{platform.system()} {platform.machine()}",
        "python": platform.python_version(),
        "libxml2": ".".join(map(str, etree.LIBXML_VERSION)),
        "sqlite": sqlite3.sqlite_version,
        "openssl": ssl.OPENSSL_VERSION,
        **{package: version(package) for package in _PACKAGES},
    }


def _machine_text() -> str:
    known = _machine()
    head = "{cores} cores of {processor}, {system}, load {load}".format(**known)
    tools = ("python", "libxml2", "sqlite", *_PACKAGES)
    return f"{head}\n{', '.join(f'{name} {known[name]}' for name in tools)}"


def _processor() -> str:
    """The model's name where the system tells it."""
    information = Path("/proc/cpuinfo")
    if information.exists():
        for line in information.read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or "an unknown processor"


if __name__ == "__main__":
    main()
