"""The database as PostgreSQL: a pooled connection and a COMMIT of its own for every unit."""

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Final

from sqlalchemy import URL, create_engine, event
from sqlalchemy.pool import NullPool

from gateway.store.errors import StoreUnavailable
from gateway.store.presence import SessionPresence
from gateway.store.transaction import LogKeys, T, Transaction, call_back

POOL: Final = 8
"""Connections a process; more would only wait for each other at the log's lock."""
_CONNECT_SECONDS: Final = 10


class PostgresEngine:
    """One process' connections to the server."""

    def __init__(
        self, url: URL, failpoint: Callable[[str], None], log_keys: LogKeys | None
    ) -> None:
        self._failpoint = failpoint
        self._log_keys = log_keys
        arguments = {"connect_timeout": _CONNECT_SECONDS, "application_name": "gateway"}
        self._writer = create_engine(
            url,
            hide_parameters=True,
            pool_size=POOL,
            max_overflow=POOL,
            pool_pre_ping=True,
            pool_timeout=_CONNECT_SECONDS,
            connect_args=arguments,
        )
        self._reader = self._writer.execution_options(
            isolation_level="REPEATABLE READ", postgresql_readonly=True
        )
        alone = create_engine(url, hide_parameters=True, poolclass=NullPool, connect_args=arguments)
        self._presence = SessionPresence(alone)
        event.listen(self._writer, "connect", self._presence.doubt)
        self._threads = ThreadPoolExecutor(POOL, thread_name_prefix="store")

    def submit(self, unit: Callable[[Transaction], T]) -> "Future[T]":
        return self._submit(self.write, unit)

    def submit_read(self, unit: Callable[[Transaction], T]) -> "Future[T]":
        return self._submit(self.read, unit)

    def write(self, unit: Callable[[Transaction], T]) -> T:
        with self._writer.connect() as connection:
            with connection.begin():
                self._presence.assure(connection)
                transaction = Transaction(connection, self._presence, self._log_keys)
                try:
                    result = unit(transaction)
                    # The log's lock is taken here, last before COMMIT: it is held for as short
                    # as can be, and after it no other lock is waited for.
                    transaction.run(transaction.run_after_unit())
                finally:
                    after = transaction.end()
                self._failpoint("before commit")
            self._failpoint("after commit")
        call_back(after)
        return result

    def read(self, unit: Callable[[Transaction], T]) -> T:
        with self._reader.connect() as connection, connection.begin():
            self._presence.assure(connection)
            transaction = Transaction(connection, self._presence, self._log_keys)
            try:
                result = unit(transaction)
            finally:
                after = transaction.end()
        call_back(after)
        return result

    def _submit(
        self, run: Callable[[Callable[[Transaction], T]], T], unit: Callable[[Transaction], T]
    ) -> "Future[T]":
        try:
            return self._threads.submit(run, unit)
        except RuntimeError:
            raise StoreUnavailable("the database is closed") from None

    def close(self) -> None:
        """Finishes what waits, then lets go of every connection."""
        self._threads.shutdown(wait=True)
        self._presence.release()
        self._writer.dispose()
