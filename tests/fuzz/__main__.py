"""`python -m tests.fuzz [cms|mail] [--runs N] [--first N] [--case N]`: hostile documents.

With `cms` or `mail` it is `python -m tests.fuzz.cms` or `.mail`; what is here reads C-CDA. A child
process, sealed by the kernel, reads one mutated document after another; this one keeps watch, so
that a crash or a document without end costs that document alone. Exit code 1 when anything was
found; what was found is written as files, to be made into a test. Where atheris is installed (the
extra `fuzz`), `python -m tests.fuzz.guided` lets coverage lead.
"""

import argparse
import multiprocessing
import signal
import sys
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from multiprocessing.sharedctypes import Synchronized
from pathlib import Path
from typing import Final

from ccda import html, json_form
from tests.fuzz import cms, mail
from tests.fuzz.cases import case
from tests.fuzz.claims import MOST_SECONDS, Look, look
from tests.fuzz.patience import end_me_after
from tests.fuzz.sealed import seal_process
from tests.fuzz.seeds import CORPUS, SAMPLES, load_seeds

PATIENCE_SECONDS: Final = 60.0
"""Of the processor, for one document."""
_OTHERS: Final = {"cms": cms.main, "mail": mail.main}
_REPORT_EVERY: Final = 250
_TELL_EVERY: Final = 5000
_PAGE_EVERY: Final = 4
_LOADED: Final = (html, json_form)  # once sealed, no module can be read from disk


@dataclass(slots=True)
class Tally:
    outcomes: Counter[str] = field(default_factory=Counter)
    slowest: tuple[float, int, int] = (0.0, -1, 0)
    """Seconds, case, bytes."""
    entries: int = 0
    size_bytes: int = 0

    def add(self, number: int, seen: Look, size_bytes: int) -> None:
        self.outcomes[seen.outcome] += 1
        self.entries += seen.entries
        self.size_bytes += size_bytes
        self.slowest = max(self.slowest, (seen.seconds, number, size_bytes))

    def merge(self, other: "Tally") -> None:
        self.outcomes += other.outcomes
        self.entries += other.entries
        self.size_bytes += other.size_bytes
        self.slowest = max(self.slowest, other.slowest)


def main() -> int:
    if sys.argv[1:2] and (other := _OTHERS.get(sys.argv[1])):
        return other(sys.argv[2:])
    arguments = _arguments()
    documents = load_seeds(*arguments.folders)
    if arguments.case is not None:
        data = case(arguments.case, documents)
        Path(f"case-{arguments.case}.xml").write_bytes(data)
        print(look(data))
        return 0
    findings = run(documents, arguments.first, arguments.first + arguments.runs)
    return 1 if findings else 0


class Findings(list[int]):
    """The numbers of the cases that broke a claim; each is kept as a file as soon as it is told."""

    def __init__(self, documents: Sequence[bytes]) -> None:
        super().__init__()
        self._documents = documents

    def tell(self, number: int, what: str) -> None:
        self.append(number)
        Path(f"case-{number}.xml").write_bytes(case(number, self._documents))
        print(f"case {number}: {what}", flush=True)


def run(documents: Sequence[bytes], first: int, end: int) -> Findings:
    """Every case from `first` up to `end`; what was found."""
    tally, findings = Tally(), Findings(documents)
    started = time.monotonic()
    next_case = first
    while next_case < end:
        next_case = _watch(documents, next_case, end, tally, findings)
        done, seconds = next_case - first, time.monotonic() - started
        slow, slow_case, slow_size = tally.slowest
        print(
            f"{done} documents, {done / seconds:.0f}/s, {tally.size_bytes / 1e6:.0f} MB, "
            f"{tally.entries} entries, slowest {slow:.3f} s (case {slow_case}, {slow_size} bytes), "
            f"{len(findings)} findings; {dict(tally.outcomes.most_common())}",
            flush=True,
        )
    return findings


def _watch(
    documents: Sequence[bytes],
    first: int,
    end: int,
    tally: Tally,
    findings: Findings,
) -> int:
    """Runs a child until it is done or gone; the case to go on with."""
    fork = multiprocessing.get_context("fork")
    ours, theirs = fork.Pipe()
    at = fork.Value("q", first)
    child = fork.Process(target=_read_cases, args=(documents, first, end, at, theirs))
    child.start()
    theirs.close()
    try:
        while True:
            told = ours.recv()
            if isinstance(told, Tally):
                tally.merge(told)
                if tally.outcomes.total() % _TELL_EVERY < _REPORT_EVERY:
                    print(tally, flush=True)
            else:
                findings.tell(*told)
    except EOFError:
        child.join()
    if child.exitcode == 0:
        return end
    findings.tell(at.value, f"the process ended: {_ended(child.exitcode or 0)}")
    return at.value + 1


def _ended(code: int) -> str:
    if code == -signal.SIGPROF:
        return "without end"
    return signal.Signals(-code).name if code < 0 else f"exit code {code}"


def _read_cases(
    documents: Sequence[bytes],
    first: int,
    end: int,
    at: "Synchronized[int]",
    pipe: Connection,
) -> None:
    seal_process()
    tally = Tally()
    for number in range(first, end):
        at.value = number
        end_me_after(PATIENCE_SECONDS)
        data = case(number, documents)
        told = _finding(number, data, tally)
        if told is not None:
            pipe.send((number, told))
        if (number + 1 - first) % _REPORT_EVERY == 0:
            pipe.send(tally)
            tally = Tally()
    pipe.send(tally)


def _finding(number: int, data: bytes, tally: Tally) -> str | None:
    try:
        seen = look(data, page=number % _PAGE_EVERY == 0)
    except BaseException as error:  # the door of the run: everything is to be told
        return f"{error!r:.200} at {_where(error)}"
    tally.add(number, seen, len(data))
    return f"took {seen.seconds:.1f} s" if seen.seconds > MOST_SECONDS else None


def _where(error: BaseException) -> str:
    """The innermost lines, without their source: that would be read from disk."""
    places, trace = [], error.__traceback__
    while trace is not None:
        places.append(f"{Path(trace.tb_frame.f_code.co_filename).name}:{trace.tb_lineno}")
        trace = trace.tb_next
    return " < ".join(reversed(places[-4:]))


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    parser.add_argument("folders", nargs="*", type=Path, default=[CORPUS, SAMPLES])
    parser.add_argument("--runs", type=int, default=10_000)
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--case", type=int, help="read this one case and keep it as a file")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
