"""Which processes live, told by locks that the system drops when their holder dies.

SQLite: a file beside the database, locked as a whole by `flock`. PostgreSQL: a session's advisory
lock. Neither needs a clock or a heartbeat, and a kill -9 is seen at once.
"""

import fcntl
import os
import secrets
import weakref
from pathlib import Path
from typing import Final

from sqlalchemy import Connection, Engine, text

_ADVISORY_CLASS: Final = 0x67617465  # "gate": keeps our advisory locks apart from others'


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
    """A session of its own that holds an advisory lock under this process' mark."""

    def __init__(self, engine: Engine) -> None:
        number = secrets.randbelow(2**31)
        self.process = f"{number:08x}"
        self._connection = engine.connect().execution_options(isolation_level="AUTOCOMMIT")
        self._connection.execute(text("SELECT pg_advisory_lock(:c, :n)"), _key(number))
        # The pool must neither hand it out again nor close it in a forked child.
        self._connection.detach()
        _drop_in_children(self)

    def is_running(self, process: str, connection: Connection) -> bool:
        held = text(
            "SELECT 1 FROM pg_locks WHERE locktype = 'advisory' AND objsubid = 2 AND granted"
            " AND classid = :c AND objid = :n"
            " AND database = (SELECT oid FROM pg_database WHERE datname = current_database())"
        )
        return (
            process == self.process
            or connection.execute(held, _key(int(process, 16))).first() is not None
        )

    def release(self) -> None:
        self._connection.close()

    def drop(self) -> None:
        # Only the descriptor: a proper close would end the parent's session.
        driver = self._connection.connection.driver_connection
        if driver is not None:
            os.close(driver.fileno())


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


def _key(number: int) -> dict[str, int]:
    return {"c": _ADVISORY_CLASS, "n": number}
