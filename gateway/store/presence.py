"""Which processes live, told by locks that the system drops when their holder dies.

SQLite: a file beside the database, locked as a whole by `flock`. PostgreSQL: a session's advisory
lock. Neither needs a heartbeat, and a kill -9 is seen at once.
"""

import fcntl
import os
import secrets
import threading
import time
import weakref
from pathlib import Path
from typing import Final

from sqlalchemy import Connection, Engine, text

_ADVISORY_CLASS: Final = 0x67617465  # "gate": keeps our advisory locks apart from others'
SURE_SECONDS: Final = 2.0
"""How long the lock is taken for held: a look is a question of its own to the server."""
RETURN_SECONDS: Final = 15.0
"""Whose own session was lost takes nobody for dead: the others need their time to come back."""


class FilePresence:
    """A locked file in `folder`, named after this process' mark."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.process = secrets.token_hex(8)
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._forget_the_dead()
        # Locked before it gets its name: a named file without a lock is a dead process.
        unnamed = folder / f"{self.process}.new"
        self._descriptor = os.open(unnamed, os.O_CREAT | os.O_RDWR, 0o600)
        fcntl.flock(self._descriptor, fcntl.LOCK_EX)
        unnamed.rename(self._file(self.process))
        _drop_in_children(self)

    def is_running(self, process: str, connection: Connection) -> bool:
        return process == self.process or _is_locked(self._file(process))

    def release(self) -> None:
        if self._descriptor >= 0:
            self._file(self.process).unlink(missing_ok=True)
            self.drop()

    def drop(self) -> None:
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1

    def _forget_the_dead(self) -> None:
        for file in self._folder.glob("*.process"):
            if not _is_locked(file):
                file.unlink(missing_ok=True)

    def _file(self, process: str) -> Path:
        return self._folder / f"{process}.process"


class SessionPresence:
    """A session of its own that holds an advisory lock under this process' mark.

    A server that starts anew, or a replica that takes its place, knows nothing of the lock: it is
    looked for now and then, and taken again before another unit runs.
    """

    def __init__(self, engine: Engine) -> None:
        """`engine` has no pool: a session of it is nobody else's."""
        self._engine = engine
        self._number = secrets.randbelow(2**31)
        self.process = f"{self._number:08x}"
        self._looking = threading.Lock()
        self._is_doubted = False
        self._others_return_until = 0.0
        self._connection = self._hold()
        self._sure_until = time.monotonic() + SURE_SECONDS
        _drop_in_children(self)

    def doubt(self, *_session: object) -> None:
        """A session had to be made: those that were there before may be gone, ours with them."""
        self._is_doubted = True

    def assure(self, connection: Connection) -> None:
        """The lock is held where `connection` leads to, which is where the others look for it.

        Raises:
            OperationalError: it is not, and cannot be had now.
        """
        if self._is_sure():
            return
        with self._looking:
            if self._is_sure():
                return
            # First of all: a doubt that comes up from here on is about what is found here.
            self._is_doubted, self._sure_until = False, 0.0
            until = time.monotonic() + SURE_SECONDS
            if not _is_held(self._number, connection):
                lost, self._connection = self._connection, self._hold()
                lost.close()
                self._others_return_until = time.monotonic() + RETURN_SECONDS
            self._sure_until = until

    def _is_sure(self) -> bool:
        return not self._is_doubted and time.monotonic() < self._sure_until

    def is_running(self, process: str, connection: Connection) -> bool:
        return (
            process == self.process
            or time.monotonic() < self._others_return_until
            or _is_held(int(process, 16), connection)
        )

    def release(self) -> None:
        self._connection.close()

    def drop(self) -> None:
        # Only the descriptor: a proper close would end the parent's session.
        driver = self._connection.connection.driver_connection
        if driver is not None:
            os.close(driver.fileno())

    def _hold(self) -> Connection:
        connection = self._engine.connect().execution_options(isolation_level="AUTOCOMMIT")
        try:
            connection.execute(text("SELECT pg_advisory_lock(:c, :n)"), _key(self._number))
        except BaseException:
            connection.close()
            raise
        # Detached, nothing closes it in a forked child.
        connection.detach()
        return connection


def _drop_in_children(presence: FilePresence | SessionPresence) -> None:
    """A forked child would otherwise keep its dead parent's lock alive."""
    weak = weakref.ref(presence)

    def drop() -> None:
        if (held := weak()) is not None:
            held.drop()

    os.register_at_fork(after_in_child=drop)


def _is_locked(file: Path) -> bool:
    try:
        descriptor = os.open(file, os.O_RDWR)
    except FileNotFoundError:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(descriptor)
    return False


def _is_held(number: int, connection: Connection) -> bool:
    held = text(
        "SELECT 1 FROM pg_locks WHERE locktype = 'advisory' AND objsubid = 2 AND granted"
        " AND classid = :c AND objid = :n"
        " AND database = (SELECT oid FROM pg_database WHERE datname = current_database())"
    )
    return connection.execute(held, _key(number)).first() is not None


def _key(number: int) -> dict[str, int]:
    return {"c": _ADVISORY_CLASS, "n": number}
