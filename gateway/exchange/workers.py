"""Worker processes for the heavy steps: parsing, CMS, HTML, PDF (DECISIONS 25).

A hostile document may loop or swell; in a process of its own it can do neither for long. Each
worker is a plain Python process that runs one module-level function at a time, under a memory
limit, and is killed and replaced when the deadline passes or it dies. It imports only what its
functions need, never the service, which keeps it small and quick to replace.
"""

import asyncio
import json
import queue
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from multiprocessing import Pipe
from types import TracebackType
from typing import Any, Final, Literal, ParamSpec, Self, TypeVar

from gateway.exchange.worker_process import (
    OUT_OF_MEMORY,
    Answer,
    Raised,
    Returned,
    Unusable,
    rebuild,
)

Arguments = ParamSpec("Arguments")
Result = TypeVar("Result")
Reason = Literal["deadline", "memory", "crashed", "error", "closed"]

START_SECONDS: Final = 60.0
"""To start an interpreter on a machine that is busy with everything else."""

# The child takes its search path from us, so that it imports this same checkout.
_BOOTSTRAP: Final = (
    "import json, sys; given = json.loads(sys.argv[1]); sys.path[:] = given.pop('path'); "
    "from gateway.exchange.worker_process import serve; serve(**given)"
)


class WorkerFailed(Exception):
    """The function gave no answer; `detail` is at most an exception's type or an exit code."""

    def __init__(self, reason: Reason, detail: str | None = None) -> None:
        super().__init__(f"a worker process failed: {reason}")
        self.reason: Final = reason
        self.detail: Final = detail


@dataclass(slots=True)
class Budget:
    """Seconds of the processor that several runs share."""

    left_seconds: float


class WorkerPool:
    """At most `size` processes, started when first needed and kept.

    `memory_limit_bytes` bounds the private memory of each, interpreter included;
    `deadline_seconds` bounds one run, not the wait for a free worker, and `cpu_seconds` what it
    may have of the processor: on a busy machine the wall's clock says little of a run. `modules`
    are imported when a worker starts, so that no run pays for them.
    """

    def __init__(
        self,
        size: int,
        memory_limit_bytes: int,
        deadline_seconds: float,
        *,
        cpu_seconds: float | None = None,
        modules: tuple[str, ...] = (),
    ) -> None:
        if size < 1 or memory_limit_bytes < 1 or deadline_seconds <= 0:
            raise ValueError("a pool needs a size, a memory limit and a deadline above zero")
        self._deadline_seconds = deadline_seconds
        self._cpu_seconds = cpu_seconds
        self._memory_limit_bytes = memory_limit_bytes
        self._modules = modules
        self._closed = threading.Event()
        # Last in, first out: a quiet service uses one warm worker and starts no second.
        self._idle: queue.LifoQueue[_Worker | None] = queue.LifoQueue()
        for _ in range(size):
            self._idle.put(None)
        self._busy: set[_Worker] = set()
        self._lock = threading.Lock()
        self._threads = ThreadPoolExecutor(size, thread_name_prefix="worker-pool")
        self.size: Final = size

    def run(
        self,
        function: Callable[Arguments, Result],
        *args: Arguments.args,
        **kwargs: Arguments.kwargs,
    ) -> Result:
        """What `function` returns, computed in a worker.

        Raises:
            CcdaError, IheError and their like: the function's own, as it raised them.
            WorkerFailed: it gave no answer, or raised something that is no part of its contract.
        """
        return self._run((function, args, kwargs), None)  # type: ignore[no-any-return]  # as it is

    def _run(self, job: object, budget: "Budget | None") -> Any:
        if budget is not None and budget.left_seconds <= 0:
            raise WorkerFailed("deadline")
        worker = self._take()
        answer: Answer | None = None
        try:
            if budget is None:
                answer, _ = worker.answer(job, self._deadline_seconds, self._cpu_seconds)
            else:
                answer = self._charged(worker, job, budget)
        except WorkerFailed:
            if self._closed.is_set():
                raise WorkerFailed("closed") from None
            raise
        finally:
            # Once memory ran out the heap is in pieces: a fresh process is worth its start.
            is_spent = answer is None or (
                isinstance(answer, Unusable) and answer.reason == "memory"
            )
            self._give_back(worker, is_spent=is_spent)
        if isinstance(answer, Returned):
            return answer.value
        if isinstance(answer, Raised):
            raise rebuild(answer)
        raise WorkerFailed(answer.reason, answer.detail)

    async def run_async(
        self,
        function: Callable[Arguments, Result],
        *args: Arguments.args,
        **kwargs: Arguments.kwargs,
    ) -> Result:
        """As `run`, without blocking the event loop."""
        loop = asyncio.get_running_loop()
        if self._closed.is_set():
            raise WorkerFailed("closed")
        return await loop.run_in_executor(
            self._threads, lambda: self.run(function, *args, **kwargs)
        )

    async def run_within(
        self, budget: "Budget", function: Callable[..., Result], *args: object
    ) -> Result:
        """As `run_async`; the run has no more of the processor than the budget has left.

        Raises WorkerFailed for the deadline, without a run, once nothing is left.
        """
        loop = asyncio.get_running_loop()
        if self._closed.is_set():
            raise WorkerFailed("closed")
        job: object = (function, args, {})
        result: Result = await loop.run_in_executor(self._threads, lambda: self._run(job, budget))
        return result

    def _charged(self, worker: "_Worker", job: object, budget: "Budget") -> Answer:
        """Charges the budget for the run, and for handing things over to it and back."""
        allowed = min(budget.left_seconds, self._cpu_seconds or budget.left_seconds)
        began, taken = time.thread_time(), allowed
        try:
            answer, taken = worker.answer(job, self._deadline_seconds, allowed)
        finally:
            budget.left_seconds -= taken + time.thread_time() - began
        return answer

    def close(self) -> None:
        """Ends every worker, busy ones too: their runs fail with `closed`."""
        self._closed.set()
        with self._lock:
            for worker in self._busy:
                worker.kill()
        while True:
            try:
                idle = self._idle.get_nowait()
            except queue.Empty:
                break
            if idle is not None:
                idle.end()
        self._idle.put(None)  # wakes a waiting run; each hands it on
        self._threads.shutdown(wait=False, cancel_futures=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def _take(self) -> "_Worker":
        worker = self._idle.get()
        if self._closed.is_set():
            self._idle.put(worker)
            raise WorkerFailed("closed")
        if worker is not None and not worker.is_alive():
            worker.end()  # it died idle: no run is lost
            worker = None
        try:
            taken = worker or _Worker(
                self._memory_limit_bytes,
                self._deadline_seconds,
                self._modules,
            )
        except BaseException:
            self._idle.put(None)
            raise
        with self._lock:
            self._busy.add(taken)
        return taken

    def _give_back(self, worker: "_Worker", *, is_spent: bool) -> None:
        with self._lock:
            self._busy.discard(worker)
        if is_spent or self._closed.is_set():
            worker.end()
            self._idle.put(None)
        else:
            self._idle.put(worker)


@dataclass(frozen=True, slots=True)
class Share:
    """What several runs may have together: the memory of that pool, and the budget's seconds."""

    pool: WorkerPool
    budget: Budget

    async def run(self, function: Callable[..., Result], *args: object) -> Result:
        """As `WorkerPool.run_within`; a run that fills the memory is the last one."""
        try:
            return await self.pool.run_within(self.budget, function, *args)
        except WorkerFailed as failure:
            if failure.reason == "memory":  # the next would start a process, only to fill it too
                self.budget.left_seconds = 0.0
            raise


class _Worker:
    """One process and the pipe to it."""

    def __init__(
        self,
        memory_limit_bytes: int,
        deadline_seconds: float,
        modules: tuple[str, ...],
    ) -> None:
        self._pipe, theirs = Pipe()
        given = {
            "path": sys.path,
            "file": theirs.fileno(),
            "memory_limit_bytes": memory_limit_bytes,
            "alarm_seconds": deadline_seconds + 1.0,
            "modules": modules,
        }
        with theirs:
            # stdin is the lifeline: the kernel closes it when we are gone, however we went.
            self._process = subprocess.Popen(  # noqa: S603  # our own interpreter and code
                [sys.executable, "-c", _BOOTSTRAP, json.dumps(given)],
                pass_fds=(theirs.fileno(),),
                stdin=subprocess.PIPE,
                stdout=subprocess.DEVNULL,
            )
        try:
            self._receive(START_SECONDS)
        except BaseException:
            self.end()
            raise

    def answer(
        self, job: object, deadline_seconds: float, cpu_seconds: float | None
    ) -> tuple[Answer, float]:
        """What came of it, and the seconds of the processor that it took."""
        try:
            self._pipe.send(job)
            self._pipe.send(cpu_seconds)
        except (BrokenPipeError, ConnectionResetError):
            raise self._death() from None
        taken: float = self._receive(deadline_seconds)
        answer: Answer = self._receive(deadline_seconds)
        return answer, taken

    def is_alive(self) -> bool:
        return self._process.poll() is None

    def kill(self) -> None:
        """Ends the process; another thread may be waiting for its answer, and will see the end."""
        self._process.kill()

    def end(self) -> None:
        """Ends the process and lets go of everything; only for whoever holds the worker."""
        self._process.kill()
        self._process.wait()
        self._pipe.close()
        if self._process.stdin is not None:
            self._process.stdin.close()

    def _receive(self, timeout_seconds: float) -> Any:
        try:
            if not self._pipe.poll(timeout_seconds):
                raise WorkerFailed("deadline")
            return self._pipe.recv()
        except (EOFError, ConnectionResetError):
            raise self._death() from None

    def _death(self) -> WorkerFailed:
        """Why the process is gone: its pipe closed, so it ends if it has not yet."""
        try:
            code = self._process.wait(timeout=5.0)
        except subprocess.TimeoutExpired:
            return WorkerFailed("crashed")
        if code == OUT_OF_MEMORY:
            return WorkerFailed("memory")
        if code == -signal.SIGPROF:
            return WorkerFailed("deadline")
        return WorkerFailed("crashed", f"signal {-code}" if code < 0 else f"exit code {code}")
