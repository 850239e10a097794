"""The door to the database: units of work in, durable answers out (DECISIONS 21).

A unit is a function of a `Transaction`. It must be short, must not wait for a socket, and its
answer must hold nothing that still reads from the database. What it raises undoes it alone.
"""

import asyncio
import os
import sqlite3
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Final

import psycopg
from sqlalchemy import URL, make_url
from sqlalchemy.exc import DBAPIError, InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from gateway.store.brief import leave
from gateway.store.errors import NotPermitted, StoreFull, StoreUnavailable
from gateway.store.key_file import KeyFile
from gateway.store.month_keys import MonthKeys
from gateway.store.postgres import PostgresEngine
from gateway.store.sqlite import SqliteEngine
from gateway.store.transaction import T, Transaction

_DATABASE_ERRORS: Final = (DBAPIError, PoolTimeout, sqlite3.Error, psycopg.Error)
_OUT_OF_REACH: Final = (
    OperationalError,
    InterfaceError,
    PoolTimeout,
    sqlite3.OperationalError,
    psycopg.OperationalError,
)

_DISK_FULL: Final = "53100"
_NOT_PERMITTED: Final = "42501"
"""PostgreSQL's SQLSTATEs."""

__all__ = ["Database", "Transaction", "open_database"]


def open_database(
    url: str,
    *,
    key_file: Path | None = None,
    failpoint: Callable[[str], None] | None = None,
) -> "Database":
    """The database at `url`: `sqlite:///file` or `postgresql://…`, already upgraded.

    Without the file of the key-encryption key the exchange log cannot be read, nor written where
    it names a member or a document; it can be verified. `failpoint` is called at each durable step
    by name; tests die there.
    """
    log_keys = None if key_file is None else MonthKeys(KeyFile(key_file))
    return Database(driver_url(make_url(url)), failpoint or (lambda _step: None), log_keys)


class Database:
    """Safe to share between threads and to inherit by fork: each process connects by itself."""

    def __init__(
        self, url: URL, failpoint: Callable[[str], None], log_keys: MonthKeys | None
    ) -> None:
        self._url = url
        self._log_keys = log_keys
        self._failpoint = failpoint
        self._opening = threading.Lock()
        self._process = 0
        self._engine: SqliteEngine | PostgresEngine | None = None
        self._inherited: list[object] = []
        self._closed = False

    @property
    def url(self) -> str:
        """With its password: for whoever must connect beside us, never to be shown."""
        return self._url.render_as_string(hide_password=False)

    @property
    def is_postgres(self) -> bool:
        return self._url.get_backend_name() == "postgresql"

    @property
    def waiting(self) -> int:
        """How many units wait for this process' writer; on PostgreSQL none waits for another."""
        return self._engine.waiting if isinstance(self._engine, SqliteEngine) else 0

    def write(self, unit: Callable[[Transaction], T]) -> T:
        """Runs `unit` and returns its answer once it is durable.

        Raises:
            StoreUnavailable: nothing was written.
            NotBrief: the caller may not wait.
        """
        leave()
        try:
            engine = self._here()
            if isinstance(engine, PostgresEngine):
                return engine.write(unit)
            return engine.submit(unit).result()
        except _DATABASE_ERRORS as error:
            raise _told(error) from error

    async def write_async(self, unit: Callable[[Transaction], T]) -> T:
        """`write` without blocking the event loop.

        Cancelled while it waits, the unit never runs; once begun it is finished, answer or not.
        """
        try:
            engine = self._here()
            if isinstance(engine, SqliteEngine):
                return await engine.submit_on_loop(unit)
            return await asyncio.wrap_future(engine.submit(unit))
        except _DATABASE_ERRORS as error:
            raise _told(error) from error

    async def write_briefly(self, unit: Callable[[Transaction], T]) -> T:
        """`write_async` for a unit of well under a millisecond. On SQLite it runs on the loop, and
        a thread makes it durable; on PostgreSQL it is `write_async`."""
        try:
            engine = self._here()
            if isinstance(engine, SqliteEngine):
                return await engine.submit_briefly(unit)
            return await asyncio.wrap_future(engine.submit(unit))
        except _DATABASE_ERRORS as error:
            raise _told(error) from error

    def read(self, unit: Callable[[Transaction], T]) -> T:
        """Runs `unit` on a snapshot that shows all that was durable when it began.

        Raises:
            NotBrief: the caller may not wait, and it is PostgreSQL that would have to answer.
        """
        if self.is_postgres:
            leave()
        try:
            return self._here().read(unit)
        except _DATABASE_ERRORS as error:
            raise _told(error, is_reading=True) from error

    async def read_async(self, unit: Callable[[Transaction], T]) -> T:
        """`read` without blocking the event loop."""
        try:
            return await asyncio.wrap_future(self._here().submit_read(unit))
        except _DATABASE_ERRORS as error:
            raise _told(error, is_reading=True) from error

    async def read_briefly(self, unit: Callable[[Transaction], T]) -> T:
        """`read_async` for a few rows by their key: on SQLite, which has no reader wait for anyone,
        they are had sooner than a thread. On PostgreSQL it is `read_async`."""
        return await self.read_async(unit) if self.is_postgres else self.read(unit)

    def close(self) -> None:
        """Finishes what waits; after it every call raises StoreUnavailable."""
        with self._opening:
            self._closed = True
            engine, self._engine = self._engine, None
        if engine is not None and self._process == os.getpid():
            engine.close()

    def _here(self) -> SqliteEngine | PostgresEngine:
        """This process' engine; one inherited by fork is kept untouched and never closed."""
        engine = self._engine
        if engine is not None and self._process == os.getpid():
            return engine
        with self._opening:
            if self._closed:
                raise StoreUnavailable("the database is closed")
            if self._engine is None or self._process != os.getpid():
                self._inherited.append(self._engine)
                self._engine = self._connect()
                self._process = os.getpid()
            return self._engine

    def _connect(self) -> SqliteEngine | PostgresEngine:
        if self.is_postgres:
            return PostgresEngine(self._url, self._failpoint, self._log_keys)
        return SqliteEngine(self._url, self._failpoint, self._log_keys)


def driver_url(url: URL) -> URL:
    """The same place, by the drivers this house uses."""
    drivers = {"sqlite": "sqlite+pysqlite", "postgresql": "postgresql+psycopg"}
    name = url.get_backend_name()
    if name == "postgres":
        name = "postgresql"
    if name not in drivers:
        raise ValueError("the database must be sqlite:///… or postgresql://…")
    return url.set(drivername=drivers[name])


def _told(error: Exception, *, is_reading: bool = False) -> Exception:
    """What callers may act upon; a broken rule of the schema is our own mistake and stays."""
    driver = getattr(error, "orig", error)
    name = getattr(driver, "sqlite_errorname", "")
    if name == "SQLITE_FULL" or getattr(driver, "sqlstate", "") == _DISK_FULL:
        return StoreFull("there is no room left where the database lies")
    if getattr(driver, "sqlstate", "") == _NOT_PERMITTED:
        return NotPermitted()
    is_ours = name == "SQLITE_ERROR" or (is_reading and name == "SQLITE_READONLY")
    if isinstance(error, _OUT_OF_REACH) and not is_ours:
        return StoreUnavailable("the database cannot be reached, is locked or full")
    return error
