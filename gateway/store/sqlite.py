"""The database as one SQLite file: many readers, and one connection a process that writes
(DECISIONS 21).

Units wait for the writer's thread, or where they are brief for the event loop (`sqlite_briefly`).
Whoever has the connection's turn runs a group of them, a savepoint each and one COMMIT for all.
"""

import asyncio
import queue
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

from sqlalchemy import URL, Connection, Engine, create_engine, event
from sqlalchemy.pool import NullPool

from gateway.store.errors import StoreUnavailable
from gateway.store.presence import FilePresence
from gateway.store.sqlite_briefly import BriefWriter
from gateway.store.sqlite_file import make_file
from gateway.store.sqlite_writing import BUSY_SECONDS, GROUP, Failpoint, GroupWriter, Waiting
from gateway.store.transaction import LogKeys, T, Transaction, call_back

_READERS: Final = 4
"""Threads for asynchronous reads; one takes well under a millisecond."""
_CHECKPOINT_PAGES: Final = 4000
"""That the write-ahead log has before they go into the file. Most are written again and again, so
that SQLite's own 1000 cost more; its index of the log has a part for every 4096."""


class SqliteEngine:
    """One process' connections to the file."""

    def __init__(self, url: URL, failpoint: Failpoint, log_keys: LogKeys | None) -> None:
        if not url.database or url.database == ":memory:":
            raise ValueError("SQLite needs a file: readers and the writer open it separately")
        file = Path(url.database)
        make_file(file)
        self._log_keys = log_keys
        self._presence = FilePresence(file.with_name(file.name + "-processes"))
        self._reader = _engine(url, query_only=True)
        self._writer = _engine(url, query_only=False)
        self._groups = GroupWriter(self._writer, self._presence, log_keys, failpoint)
        self._idle: list[Connection] = []
        self._readers = ThreadPoolExecutor(_READERS, thread_name_prefix="store-reader")
        self._waiting: queue.SimpleQueue[Waiting | None] = queue.SimpleQueue()
        self._gathering: dict[asyncio.AbstractEventLoop, list[Waiting]] = {}
        self._brief: dict[asyncio.AbstractEventLoop, BriefWriter] = {}
        self._committer = ThreadPoolExecutor(1, thread_name_prefix="store-committer")
        self._closing = threading.Lock()
        self._closed = False
        self._thread = threading.Thread(target=self._run, name="store-writer", daemon=True)
        self._thread.start()

    @property
    def waiting(self) -> int:
        return self._waiting.qsize() + sum(brief.waiting for brief in self._brief.values())

    def submit(self, unit: Callable[[Transaction], T]) -> "Future[T]":
        """Queues a unit; its future may be cancelled until the writer takes it up."""
        if threading.current_thread() is self._thread or self._groups.is_running_here:
            raise RuntimeError(
                "a unit of work cannot wait for another one: hand it the transaction"
            )
        answer: Future[T] = Future()
        self._queue([Waiting(unit, answer)])
        return answer

    def submit_on_loop(self, unit: Callable[[Transaction], T]) -> "asyncio.Future[T]":
        """`submit`, together with those of whatever else the event loop has at hand.

        One by one, each would have a COMMIT of its own, for its loop hands them over more slowly
        than the writer takes them up, and each time takes the interpreter from the other.
        """
        loop = asyncio.get_running_loop()
        answer: asyncio.Future[T] = loop.create_future()
        gathered = self._gathering.setdefault(loop, [])
        gathered.append(Waiting(unit, answer, loop))
        if len(gathered) == 1:
            loop.call_soon(self._hand_over, loop)
        return answer

    def submit_briefly(self, unit: Callable[[Transaction], T]) -> "asyncio.Future[T]":
        """`submit_on_loop` for what takes well under a millisecond: it runs on the loop itself."""
        loop = asyncio.get_running_loop()
        brief = self._brief.get(loop)
        if brief is None:
            running = {one: known for one, known in self._brief.items() if not one.is_closed()}
            brief = BriefWriter(loop, self._groups, self._committer, self._queue)
            self._brief = {**running, loop: brief}
        return self.submit_on_loop(unit) if brief.is_slow else brief.submit(unit)

    def _hand_over(self, loop: asyncio.AbstractEventLoop) -> None:
        gathered = self._gathering.pop(loop)
        try:
            self._queue(gathered)
        except StoreUnavailable as error:
            for waiting in gathered:
                waiting.error = error
                waiting.tell()

    def _queue(self, several: Sequence[Waiting]) -> None:
        with self._closing:
            if self._closed:
                raise StoreUnavailable("the database is closed")
            for waiting in several:
                self._waiting.put(waiting)

    def read(self, unit: Callable[[Transaction], T]) -> T:
        # Threads share these without a lock: a list's `pop` and `append` are one step each.
        try:
            connection = self._idle.pop()
        except IndexError:
            connection = self._reader.connect()
        try:
            result, after = self._in_snapshot(connection, unit)
        except BaseException:
            connection.close()
            raise
        call_back(after)
        self._idle.append(connection)
        if self._closed:
            self._close_idle()
        return result

    def _in_snapshot(
        self, connection: Connection, unit: Callable[[Transaction], T]
    ) -> tuple[T, Sequence[Callable[[], None]]]:
        """What the unit says, and whom to call afterwards.

        The snapshot is begun and ended by the driver: SQLAlchemy takes longer for it than it is
        long. It takes part once a statement goes through it, and is then told of the end.
        """
        driver: Any = connection.connection.driver_connection
        driver.execute("BEGIN")
        transaction = Transaction(connection, self._presence, self._log_keys)
        try:
            try:
                result = unit(transaction)
            finally:
                after = transaction.end()
        except BaseException:
            connection.rollback()
            driver.rollback()
            raise
        if connection.in_transaction():
            connection.commit()
        else:
            driver.commit()
        return result, after

    def submit_read(self, unit: Callable[[Transaction], T]) -> "Future[T]":
        try:
            return self._readers.submit(self.read, unit)
        except RuntimeError:
            raise StoreUnavailable("the database is closed") from None

    def close(self) -> None:
        """Finishes what waits, then lets go of the file."""
        with self._closing:
            if self._closed:
                return
            self._closed = True
            self._waiting.put(None)
        self._thread.join()
        self._committer.shutdown(wait=True)
        self._groups.close()
        self._readers.shutdown(wait=True)
        self._close_idle()
        self._reader.dispose()
        self._writer.dispose()
        self._presence.release()

    def _close_idle(self) -> None:
        while self._idle:
            self._idle.pop().close()

    # ---- the writer thread -------------------------------------------------------------------

    def _run(self) -> None:
        while group := self._next_group():
            self._groups.write(group)

    def _next_group(self) -> list[Waiting]:
        """All that waits, up to the cap, in order; empty at the end."""
        first = self._waiting.get()
        group = [] if first is None else [first]
        with suppress(queue.Empty):
            while group and len(group) < GROUP:
                waiting = self._waiting.get_nowait()
                if waiting is None:
                    self._waiting.put(None)
                    break
                group.append(waiting)
        return group


def _engine(url: URL, *, query_only: bool) -> Engine:
    connect_args = {
        "isolation_level": None,  # the driver begins nothing by itself; we say IMMEDIATE or not
        "check_same_thread": False,
        "timeout": BUSY_SECONDS,
    }
    engine = (
        create_engine(url, hide_parameters=True, connect_args=connect_args, max_overflow=-1)
        if query_only
        else create_engine(url, hide_parameters=True, connect_args=connect_args, poolclass=NullPool)
    )

    @event.listens_for(engine, "connect")
    def _on_connect(connection: Any, _record: Any) -> None:
        cursor = connection.cursor()
        cursor.execute("PRAGMA journal_mode = WAL")
        cursor.execute("PRAGMA synchronous = FULL")
        cursor.execute(f"PRAGMA wal_autocheckpoint = {_CHECKPOINT_PAGES}")
        cursor.execute("PRAGMA foreign_keys = ON")
        if query_only:
            cursor.execute("PRAGMA query_only = ON")
        else:
            cursor.execute("PRAGMA busy_timeout = 0")  # `GroupWriter` waits
        cursor.close()

    return engine
