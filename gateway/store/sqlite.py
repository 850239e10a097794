"""The database as one SQLite file: many readers, one writer thread a process (DECISIONS 21)."""

import asyncio
import queue
import sqlite3
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from sqlalchemy import URL, Connection, Engine, create_engine, event
from sqlalchemy.pool import NullPool

from gateway.store.errors import StoreUnavailable
from gateway.store.presence import FilePresence
from gateway.store.transaction import Hooks, LogKeys, T, Transaction, call_back

GROUP: Final = 64
"""Units in one COMMIT: enough that fsync no longer counts, few enough that no one waits long."""
_BUSY_SECONDS: Final = 15
"""How long to wait for another process' group; theirs are as short as ours."""
_AGAIN_SECONDS: Final = 0.001
"""Until it is tried again. SQLite itself would wait longer each time, up to 100 ms, for a lock that
is held for a few: with two processes that was a third of a second for one request in a hundred."""
_READERS: Final = 4
"""Threads for asynchronous reads; one takes well under a millisecond."""

Failpoint = Callable[[str], None]


@dataclass(slots=True)
class _Waiting:
    """A unit, and where its answer goes once the group is durable."""

    unit: Callable[[Transaction], Any]
    answer: "Future[Any] | asyncio.Future[Any]" = field(default_factory=Future)
    loop: asyncio.AbstractEventLoop | None = None
    """Where the answer is awaited, if on a loop."""
    result: Any = None
    error: BaseException | None = None
    after: list[Callable[[], None]] = field(default_factory=list)

    def begins(self) -> bool:
        """Whether anybody still waits for it."""
        if isinstance(self.answer, Future):
            return self.answer.set_running_or_notify_cancel()
        return not self.answer.cancelled()

    def tell(self) -> None:
        """In the thread of its loop, if it has one."""
        if self.answer.done():
            return
        if self.error is None:
            self.answer.set_result(self.result)
        else:
            self.answer.set_exception(self.error)


class SqliteEngine:
    """One process' connections to the file."""

    def __init__(self, url: URL, failpoint: Failpoint, log_keys: LogKeys | None) -> None:
        if not url.database or url.database == ":memory:":
            raise ValueError("SQLite needs a file: readers and the writer open it separately")
        file = Path(url.database)
        file.parent.mkdir(parents=True, exist_ok=True)
        # Before SQLite makes it readable by all; its -wal and -shm take the same mode.
        file.touch(mode=0o600)
        self._failpoint = failpoint
        self._log_keys = log_keys
        self._presence = FilePresence(file.with_name(file.name + "-processes"))
        self._reader = _engine(url, query_only=True)
        self._writer = _engine(url, query_only=False)
        self._idle: list[Connection] = []
        self._readers = ThreadPoolExecutor(_READERS, thread_name_prefix="store-reader")
        self._waiting: queue.SimpleQueue[_Waiting | None] = queue.SimpleQueue()
        self._gathering: dict[asyncio.AbstractEventLoop, list[_Waiting]] = {}
        self._closing = threading.Lock()
        self._closed = False
        self._thread = threading.Thread(target=self._run, name="store-writer", daemon=True)
        self._thread.start()

    @property
    def waiting(self) -> int:
        return self._waiting.qsize()

    def submit(self, unit: Callable[[Transaction], T]) -> "Future[T]":
        """Queues a unit; its future may be cancelled until the writer takes it up."""
        if threading.current_thread() is self._thread:
            raise RuntimeError(
                "a unit of work cannot wait for another one: hand it the transaction"
            )
        answer: Future[T] = Future()
        self._queue([_Waiting(unit, answer)])
        return answer

    def submit_on_loop(self, unit: Callable[[Transaction], T]) -> "asyncio.Future[T]":
        """`submit`, together with those of whatever else the event loop has at hand.

        One by one, each would have a COMMIT of its own, for its loop hands them over more slowly
        than the writer takes them up, and each time takes the interpreter from the other.
        """
        loop = asyncio.get_running_loop()
        answer: asyncio.Future[T] = loop.create_future()
        gathered = self._gathering.setdefault(loop, [])
        gathered.append(_Waiting(unit, answer, loop))
        if len(gathered) == 1:
            loop.call_soon(self._hand_over, loop)
        return answer

    def _hand_over(self, loop: asyncio.AbstractEventLoop) -> None:
        gathered = self._gathering.pop(loop)
        try:
            self._queue(gathered)
        except StoreUnavailable as error:
            for waiting in gathered:
                waiting.error = error
                waiting.tell()

    def _queue(self, several: Sequence[_Waiting]) -> None:
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
            with _begun(connection, _begin_to_read):
                transaction = Transaction(connection, self._presence, self._log_keys)
                try:
                    result = unit(transaction)
                finally:
                    after = transaction.end()
        except BaseException:
            connection.close()
            raise
        call_back(after)
        self._idle.append(connection)
        if self._closed:
            self._close_idle()
        return result

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
        connection: Connection | None = None
        while group := self._next_group():
            try:
                connection = connection or self._writer.connect()
            except Exception as error:
                # The thread lives on: with the disk back, the next group may be written.
                _tell_all(group, error)
                continue
            self._write(connection, group)
        if connection is not None:
            connection.close()

    def _next_group(self) -> list[_Waiting]:
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

    def _write(self, connection: Connection, group: list[_Waiting]) -> None:
        live = [waiting for waiting in group if waiting.begins()]
        try:
            with _begun(connection, _begin_to_write):
                at_last: Hooks = {}
                for waiting in live:
                    for hook, items in self._run_unit(connection, waiting).items():
                        at_last.setdefault(hook, []).extend(items)
                closing = Transaction(connection, self._presence, self._log_keys)
                closing.run(at_last)
                closing.end()
                self._failpoint("before commit")
            self._failpoint("after commit")
        except BaseException as error:
            # The group as a whole is not durable, so nobody in it may be told otherwise.
            _tell_all(live, error)
            return
        for waiting in live:
            if waiting.error is None:
                call_back(waiting.after)
        _tell_all(live)

    def _run_unit(self, connection: Connection, waiting: _Waiting) -> Hooks:
        """Runs one unit under its savepoint; a failing one takes back only itself.

        Returns what it leaves to be done for the whole group.
        """
        driver: Any = connection.connection.driver_connection
        driver.execute("SAVEPOINT unit")
        transaction = Transaction(connection, self._presence, self._log_keys)
        try:
            waiting.result = waiting.unit(transaction)
            at_last = transaction.run_after_unit()
            driver.execute("RELEASE unit")
        except BaseException as error:
            waiting.error = error
            # Raises when SQLite has already undone everything (disk full, I/O error).
            driver.execute("ROLLBACK TO unit")
            driver.execute("RELEASE unit")
            at_last = {}
        finally:
            waiting.after = transaction.end()
        return at_last


def _tell_all(group: Iterable[_Waiting], error: BaseException | None = None) -> None:
    """Each what came of it; `error` has hit them all.

    Those of one loop are told together: to wake it for each would hand it the interpreter, and
    the others would wait until it gives it back.
    """
    of_loops: dict[asyncio.AbstractEventLoop, list[_Waiting]] = {}
    for waiting in group:
        waiting.error = waiting.error or error
        if waiting.loop is None:
            waiting.tell()
        else:
            of_loops.setdefault(waiting.loop, []).append(waiting)
    for loop, several in of_loops.items():
        with suppress(RuntimeError):  # it was closed, and nobody waits any more
            loop.call_soon_threadsafe(_tell_each, several)


def _tell_each(several: Iterable[_Waiting]) -> None:
    for waiting in several:
        waiting.tell()


def _begin_to_read(driver: Any) -> None:
    driver.execute("BEGIN")


def _begin_to_write(driver: Any) -> None:
    """Raises sqlite3.OperationalError if another process keeps the file locked all the time."""
    deadline = time.monotonic() + _BUSY_SECONDS
    while True:
        try:
            driver.execute("BEGIN IMMEDIATE")
        except sqlite3.OperationalError as error:
            is_busy = error.sqlite_errorcode & 0xFF == sqlite3.SQLITE_BUSY
            if not is_busy or time.monotonic() >= deadline:
                raise
            time.sleep(_AGAIN_SECONDS)
        else:
            return


@contextmanager
def _begun(connection: Connection, begin: Callable[[Any], None]) -> Iterator[None]:
    """A transaction, begun and ended by the driver: SQLAlchemy takes longer for it than it is long.

    SQLAlchemy takes part once a statement goes through it, and is then told of the end.
    """
    driver: Any = connection.connection.driver_connection
    begin(driver)
    try:
        yield
    except BaseException:
        connection.rollback()
        driver.rollback()
        raise
    if connection.in_transaction():
        connection.commit()
    else:
        driver.commit()


def _engine(url: URL, *, query_only: bool) -> Engine:
    connect_args = {
        "isolation_level": None,  # the driver begins nothing by itself; we say IMMEDIATE or not
        "check_same_thread": False,
        "timeout": _BUSY_SECONDS,
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
        cursor.execute("PRAGMA foreign_keys = ON")
        if query_only:
            cursor.execute("PRAGMA query_only = ON")
        else:
            cursor.execute("PRAGMA busy_timeout = 0")  # `_begin_to_write` waits
        cursor.close()

    return engine
