"""Brief units of work, run on the event loop that asks for them; a thread makes them durable.

A thread that runs them takes the interpreter from the loop, and has to ask for it back after each
of its statements: that costs as much again as the units. COMMIT alone needs no interpreter, and
waits for the disk, so it is what a thread is for. Where the statements themselves wait for the
disk, because the file outgrew the memory, units go to the writer's thread for a while.
"""

import asyncio
import sqlite3
import time
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Executor
from contextlib import suppress
from typing import Final

from gateway.store.errors import StoreUnavailable
from gateway.store.sqlite_writing import (
    AGAIN_SECONDS,
    BUSY_SECONDS,
    GroupWriter,
    Waiting,
    tell_each,
)
from gateway.store.transaction import T, Transaction

_MOST: Final = 16
"""Units of one COMMIT: they take the loop some milliseconds."""
_WAITED_SECONDS: Final = 0.02
"""That a group waited for the disk before its COMMIT; a loop must not wait longer."""
_ELSEWHERE_SECONDS: Final = 1.0
"""For so long the units that follow one that waited go to the writer's thread."""


class BriefWriter:
    """Those of one event loop. Everything but COMMIT happens in the loop's thread."""

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        writer: GroupWriter,
        committer: Executor,
        queue: Callable[[Sequence[Waiting]], None],
    ) -> None:
        """`queue` hands units to the writer's thread.

        It raises StoreUnavailable once the database is closed.
        """
        self._loop = loop
        self._writer = writer
        self._committer = committer
        self._queue = queue
        self._waiting: deque[Waiting] = deque()
        self._is_due = False
        """Whether a turn is coming: it is called for, tried again, or its COMMIT under way."""
        self._locked_since: float | None = None
        self._elsewhere_until = 0.0

    @property
    def waiting(self) -> int:
        """How many units wait for their turn."""
        return len(self._waiting)

    @property
    def is_slow(self) -> bool:
        """Whether the disk has kept the loop waiting of late."""
        return time.monotonic() < self._elsewhere_until

    def submit(self, unit: Callable[[Transaction], T]) -> "asyncio.Future[T]":
        """The unit's answer, once it is durable; cancelled before its turn it never runs."""
        answer: asyncio.Future[T] = self._loop.create_future()
        self._waiting.append(Waiting(unit, answer, self._loop))
        self._call_for_turn()
        return answer

    def _call_for_turn(self) -> None:
        if self._waiting and not self._is_due:
            # Not now: what else the loop has at hand shares the COMMIT.
            self._is_due = True
            self._loop.call_soon(self._take_turn)

    def _take_turn(self) -> None:
        if not self._writer.turn.acquire(blocking=False):
            # The writer's thread is at work, who knows for how long: they come after it.
            self._hand_over()
            return
        try:
            has_begun = self._writer.begin_at_once()
        except Exception as error:
            self._writer.turn.release()
            self._tell_all(error)
            return
        if not has_begun:
            self._writer.turn.release()
            self._try_again()
            return
        self._locked_since = None
        group = [self._waiting.popleft() for _ in range(min(_MOST, len(self._waiting)))]
        started, computing = time.monotonic(), time.thread_time()
        live = self._writer.run(group)
        waited = (time.monotonic() - started) - (time.thread_time() - computing)
        if waited > _WAITED_SECONDS:
            self._elsewhere_until = time.monotonic() + _ELSEWHERE_SECONDS
        try:
            self._committer.submit(self._commit, live)
        except RuntimeError:  # the database is being closed, and waits for this turn to end
            self._commit(live)

    def _hand_over(self) -> None:
        try:
            self._queue(tuple(self._waiting))
        except StoreUnavailable as error:
            self._tell_all(error)
        else:
            self._forget()

    def _try_again(self) -> None:
        """Another process is writing: its groups are as short as ours."""
        now = time.monotonic()
        self._locked_since = self._locked_since or now
        if now - self._locked_since >= BUSY_SECONDS:
            self._tell_all(sqlite3.OperationalError("database is locked"))
        else:
            self._loop.call_later(AGAIN_SECONDS, self._take_turn)

    def _tell_all(self, error: Exception) -> None:
        """All that wait; nothing of theirs has run."""
        for waiting in self._waiting:
            waiting.error = error
        tell_each(self._waiting)
        self._forget()

    def _forget(self) -> None:
        self._waiting.clear()
        self._locked_since, self._is_due = None, False

    def _commit(self, live: Sequence[Waiting]) -> None:
        """In the committer's thread."""
        try:
            self._writer.commit(live)
        finally:
            self._writer.turn.release()
        with suppress(RuntimeError):  # the loop was closed, and nobody waits any more
            self._loop.call_soon_threadsafe(self._go_on, live)

    def _go_on(self, live: Sequence[Waiting]) -> None:
        tell_each(live)
        self._is_due = False
        self._call_for_turn()
