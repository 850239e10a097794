"""Worker processes for the heavy steps: parsing, CMS, HTML, PDF (DECISIONS 25).

A hostile document may loop or swell; in a process of its own it can do neither for long. Each
worker is a plain Python process that runs one module-level function at a time, under a memory
limit, and is killed and replaced when the deadline passes or it dies. It imports only what its
functions need, never the service, which keeps it small and quick to replace.
"""

import asyncio
import json
import os
import queue
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from multiprocessing import Pipe
from multiprocessing.reduction import recv_handle, send_handle
from types import TracebackType
from typing import Any, Concatenate, Final, Literal, ParamSpec, Self, TypeVar

from gateway.exchange.worker_messages import (
    Answer,
    Aside,
    Left,
    Raised,
    Returned,
    Terms,
    Unusable,
    Yielded,
    rebuild,
)
from gateway.exchange.worker_process import OUT_OF_MEMORY

Arguments = ParamSpec("Arguments")
Result = TypeVar("Result")
Content = Iterable[bytes] | Aside
"""A function's first argument, too large to be held here: in pieces, or left by an earlier run."""
Reason = Literal["deadline", "memory", "size", "crashed", "error", "closed"]

START_SECONDS: Final = 60.0
"""To start an interpreter on a machine that is busy with everything else."""

_ENVIRONMENT: Final = {
    # With no memory left a Rust library would look for its lines for ever.
    "RUST_BACKTRACE": "0",
    # Once large blocks have come and gone, glibc takes the next from a heap that is then in
    # pieces: what one message may need would hang on those before it. These go back at once.
    "MALLOC_MMAP_THRESHOLD_": str(1024 * 1024),
    "MALLOC_TRIM_THRESHOLD_": str(32 * 1024 * 1024),
}
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
    """Seconds of the processor that several runs share, and bytes that each may answer with: what
    it answers is held here."""

    left_seconds: float
    answer_bytes: int | None = None


@dataclass(frozen=True, slots=True)
class _Job:
    """What a worker is to run; `take` is given what the function yields, one by one."""

    function: Callable[..., Any]
    args: tuple[Any, ...]
    kwargs: dict[str, Any]
    content: Content | None = None
    take: Callable[[Any], None] | None = None

    def terms(self, cpu_seconds: float | None, budget: Budget | None) -> Terms:
        kind: Literal["pieces", "file"] = "file" if isinstance(self.content, Aside) else "pieces"
        most = None if budget is None else budget.answer_bytes
        return Terms(cpu_seconds, most, None if self.content is None else kind)


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
        return self._run(_Job(function, args, kwargs), None)  # type: ignore[no-any-return]  # as it is

    def run_on(
        self,
        content: Content,
        function: Callable[Concatenate[bytes, Arguments], Result],
        *args: Arguments.args,
        **kwargs: Arguments.kwargs,
    ) -> Result:
        """As `run`, on content that is not held here. What the function yields comes as a list."""
        given: list[Any] = []
        result: Any = self._run(_Job(function, args, kwargs, content, given.append), None)
        return given if result is None else result  # type: ignore[return-value]  # as it yields

    def _run(self, job: _Job, budget: Budget | None) -> Any:
        if budget is not None and budget.left_seconds <= 0:
            raise WorkerFailed("deadline")
        worker = self._take()
        answer: Answer | None = None
        try:
            if budget is None:
                terms = job.terms(self._cpu_seconds, None)
                answer, _ = worker.answer(job, terms, self._deadline_seconds)
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
        if isinstance(answer, Returned | Left):
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

    async def run_on_async(
        self,
        content: Content,
        function: Callable[Concatenate[bytes, Arguments], Result],
        *args: Arguments.args,
        **kwargs: Arguments.kwargs,
    ) -> Result:
        """As `run_on`, without blocking the event loop."""
        loop = asyncio.get_running_loop()
        if self._closed.is_set():
            raise WorkerFailed("closed")
        return await loop.run_in_executor(
            self._threads, lambda: self.run_on(content, function, *args, **kwargs)
        )

    async def run_within(
        self,
        budget: Budget,
        function: Callable[..., Any],
        *args: object,
        content: Content | None = None,
        take: Callable[[Any], None] | None = None,
    ) -> Any:
        """As `run_async`; the run has no more of the processor than the budget has left.

        `content` is the function's first argument; `take` is called, in a thread of the pool, with
        each thing that it yields. What both cost here is the run's too. Of a function that returns
        `Leaving` the answer is a pair: its value, and its content `Aside`, to be closed.

        Raises WorkerFailed for the deadline, without a run, once nothing is left; for the size, if
        it answers more than the budget lets it.
        """
        loop = asyncio.get_running_loop()
        if self._closed.is_set():
            raise WorkerFailed("closed")
        job = _Job(function, args, {}, content, take)
        return await loop.run_in_executor(self._threads, lambda: self._run(job, budget))

    def _charged(self, worker: "_Worker", job: _Job, budget: Budget) -> Answer:
        """Charges the budget for the run, and for handing things over to it and back."""
        allowed = min(budget.left_seconds, self._cpu_seconds or budget.left_seconds)
        began, taken = time.thread_time(), allowed
        try:
            terms = job.terms(allowed, budget)
            answer, taken = worker.answer(job, terms, self._deadline_seconds)
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
                env={**os.environ, **_ENVIRONMENT},
            )
        try:
            self._receive(START_SECONDS)
        except BaseException:
            self.end()
            raise

    def answer(self, job: _Job, terms: Terms, deadline_seconds: float) -> tuple[Answer, float]:
        """What came of it, and the seconds of the processor that it took."""
        began = time.thread_time()
        try:
            self._pipe.send((job.function, job.args, job.kwargs))
            self._pipe.send(terms)
            self._send_content(job.content)
        except (BrokenPipeError, ConnectionResetError):
            raise self._death() from None
        while True:
            taken: float = self._receive(deadline_seconds)
            answer: Answer | Yielded = self._receive(deadline_seconds)
            if isinstance(answer, Left):
                return Left((answer.value, Aside(recv_handle(self._pipe)))), taken
            if not isinstance(answer, Yielded):
                return answer, taken
            if job.take is not None:
                job.take(answer.value)
            # The kernel ends the worker's part by force; ours ends here.
            most = terms.cpu_seconds
            if most is not None and taken + time.thread_time() - began > most:
                raise WorkerFailed("deadline")

    def _send_content(self, content: Content | None) -> None:
        if isinstance(content, Aside):
            send_handle(self._pipe, content.fileno(), self._process.pid)
        elif content is not None:
            for piece in filter(None, content):
                self._pipe.send_bytes(piece)
            self._pipe.send_bytes(b"")

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
        if code in (-signal.SIGPROF, -signal.SIGALRM):
            return WorkerFailed("deadline")
        return WorkerFailed("crashed", f"signal {-code}" if code < 0 else f"exit code {code}")
