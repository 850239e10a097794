"""A process that reads documents one at a time: fed, timed, and stopped when it hangs."""

import json
import select
import subprocess
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

from tests.bench.installed import Program


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one document; the error is None where it was read."""

    seconds: float
    error: str | None


class Fed:
    """`program` as a running process; a context manager around it.

    A document over which the process ends, or that takes longer than `limit_seconds`, is not read;
    the next one meets a new process.
    """

    def __init__(self, program: Program, *, limit_seconds: float) -> None:
        self._program = program
        self._limit = limit_seconds
        self._peak = 0

    def __enter__(self) -> Self:
        self._start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        problem: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._stop()

    def read(self, document: Path) -> Outcome:
        """How long the process itself took over the document, its error if it did not read it."""
        assert self._process.stdin is not None and self._process.stdout is not None
        with suppress(BrokenPipeError):  # it never started; its answer will be none
            self._process.stdin.write(f"{document}\n".encode())
        ready, _, _ = select.select([self._process.stdout], [], [], self._limit)
        line = self._process.stdout.readline() if ready else b""
        if line:
            return Outcome(**json.loads(line))
        self._stop()
        self._start()
        return Outcome(self._limit, "end of the process" if ready else "no answer in time")

    @property
    def peak_bytes(self) -> int | None:
        """The most memory that any of its processes held, where the system tells."""
        self._note_peak()
        return self._peak or None

    def _start(self) -> None:
        # Unbuffered, so that what select does not see is not there.
        self._process = subprocess.Popen(
            self._program.command,
            cwd=self._program.folder,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            bufsize=0,
        )

    def _stop(self) -> None:
        self._note_peak()
        self._process.kill()
        self._process.communicate()

    def _note_peak(self) -> None:
        status = Path(f"/proc/{self._process.pid}/status")
        if self._process.poll() is None and status.exists():
            for line in status.read_text().splitlines():
                if line.startswith("VmHWM:"):
                    self._peak = max(self._peak, int(line.split()[1]) * 1024)
