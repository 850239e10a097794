"""Units of work written to SQLite in groups, one COMMIT for all of a group (DECISIONS 21)."""

import asyncio
import sqlite3
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Future
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, Final

from sqlalchemy import Connection, Engine
from sqlalchemy.exc import DBAPIError

from gateway.store.errors import StoreUnavailable
from gateway.store.transaction import Hooks, LogKeys, Presence, Transaction, call_back

GROUP: Final = 64
"""Units in one COMMIT: enough that fsync no longer counts, few enough that no one waits long."""
BUSY_SECONDS: Final = 15
"""How long to wait for another process' group; theirs are as short as ours."""
AGAIN_SECONDS: Final = 0.001
"""Until it is tried again. SQLite itself would wait longer each time, up to 100 ms, for a lock that
is held for a few: with two processes that was a third of a second for one request in a hundred."""

Failpoint = Callable[[str], None]


@dataclass(slots=True)
class Waiting:
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


def tell_all(group: Iterable[Waiting], error: BaseException | None = None) -> None:
    """Each what came of it; `error` has hit them all.

    Those of one loop are told together: to wake it for each would hand it the interpreter, and
    the others would wait until it gives it back.
    """
    of_loops: dict[asyncio.AbstractEventLoop, list[Waiting]] = {}
    for waiting in group:
        waiting.error = waiting.error or error
        if waiting.loop is None:
            waiting.tell()
        else:
            of_loops.setdefault(waiting.loop, []).append(waiting)
    for loop, several in of_loops.items():
        with suppress(RuntimeError):  # it was closed, and nobody waits any more
            loop.call_soon_threadsafe(tell_each, several)


def tell_each(several: Iterable[Waiting]) -> None:
    """What came of each, in the thread of their loop."""
    for waiting in several:
        waiting.tell()


class GroupWriter:
    """The one connection of a process that writes. Whoever has its `turn` uses it, from whatever
    thread, from a group's BEGIN to its COMMIT."""

    def __init__(
        self, engine: Engine, presence: Presence, log_keys: LogKeys | None, failpoint: Failpoint
    ) -> None:
        self.turn: Final = threading.Lock()
        self._engine = engine
        self._presence = presence
        self._log_keys = log_keys
        self._failpoint = failpoint
        self._connection: Connection | None = None
        self._is_closed = False
        self._running_in: int | None = None

    @property
    def is_running_here(self) -> bool:
        """Whether a unit is running in this very thread: it must not wait for another."""
        return self._running_in == threading.get_ident()

    def write(self, group: Sequence[Waiting]) -> None:
        """The whole of a group, at its turn; each is told what came of it."""
        with self.turn:
            try:
                self._begin()
            except Exception as error:
                # The caller lives on: with the disk back, the next group may be written.
                tell_all(group, error)
                return
            live = self.run(group)
            self.commit(live)
        tell_all(live)

    def begin_at_once(self) -> bool:
        """Begins a group, unless another process is writing one.

        Raises:
            sqlite3.Error, sqlalchemy.exc.DBAPIError: the file cannot be written.
            StoreUnavailable: it was closed.
        """
        driver: Any = self._connected().connection.driver_connection
        try:
            driver.execute("BEGIN IMMEDIATE")
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY:
                raise
            return False
        return True

    def run(self, group: Sequence[Waiting]) -> list[Waiting]:
        """Runs those that anybody waits for, in a group that has begun; returns them.

        Where the group fails as a whole all of it is undone, and each of them has the error.
        """
        live = [waiting for waiting in group if waiting.begins()]
        connection = self._connected()
        self._running_in = threading.get_ident()
        try:
            at_last: Hooks = {}
            for waiting in live:
                for hook, items in self._run_unit(connection, waiting).items():
                    at_last.setdefault(hook, []).extend(items)
            closing = Transaction(connection, self._presence, self._log_keys)
            closing.run(at_last)
            closing.end()
            self._failpoint("before commit")
        except BaseException as error:
            self._undo(live, error)
        finally:
            self._running_in = None
        return live

    def commit(self, live: Sequence[Waiting]) -> None:
        """Makes durable what has run, if it was not undone."""
        connection = self._connection
        if connection is None:
            return  # what was undone took it along
        driver: Any = connection.connection.driver_connection
        if not driver.in_transaction:
            return
        try:
            # SQLAlchemy takes part once a statement goes through it, and is told of the end.
            if connection.in_transaction():
                connection.commit()
            else:
                driver.commit()
            self._failpoint("after commit")
        except BaseException as error:
            self._undo(live, error)
            return
        for waiting in live:
            if waiting.error is None:
                call_back(waiting.after)

    def close(self) -> None:
        """Lets go of the connection; at its own turn."""
        with self.turn:
            self._is_closed = True
            if self._connection is not None:
                self._connection.close()

    def _connected(self) -> Connection:
        if self._is_closed:
            raise StoreUnavailable("the database is closed")
        if self._connection is None:
            self._connection = self._engine.connect()
        return self._connection

    def _begin(self) -> None:
        """Raises sqlite3.OperationalError if another process keeps the file locked all the time."""
        deadline = time.monotonic() + BUSY_SECONDS
        while not self.begin_at_once():
            if time.monotonic() >= deadline:
                raise sqlite3.OperationalError("database is locked")
            time.sleep(AGAIN_SECONDS)

    def _undo(self, live: Iterable[Waiting], error: BaseException) -> None:
        # The group as a whole is not durable, so nobody in it may be told otherwise.
        for waiting in live:
            waiting.error = waiting.error or error
        connection = self._connected()
        try:
            driver: Any = connection.connection.driver_connection
            connection.rollback()
            driver.rollback()
        except Exception:  # nothing can be done with it any more; the next group has a new one
            self._connection = None
            connection.invalidate()

    def _run_unit(self, connection: Connection, waiting: Waiting) -> Hooks:
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
            if not driver.in_transaction:
                # SQLite has undone everything (disk full, I/O error): all of the group are told so.
                if isinstance(error, DBAPIError | sqlite3.Error):
                    raise
                raise StoreUnavailable(
                    "the database has undone what was not yet durable"
                ) from error
            driver.execute("ROLLBACK TO unit")
            driver.execute("RELEASE unit")
            at_last = {}
        finally:
            waiting.after = transaction.end()
        return at_last
