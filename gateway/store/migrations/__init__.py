"""How the schema came to be, step by step; `upgrade` brings a database to the last one."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from sqlalchemy import Connection, create_engine, event, inspect, make_url, text
from sqlalchemy.pool import NullPool

from gateway.store.database import driver_url
from gateway.store.sqlite_file import make_file

_LOCK: Final = 0x75706772  # "upgr": one upgrade at a time
_BUSY_SECONDS: Final = 60


def upgrade(url: str) -> None:
    """Brings the database at `url` to the newest schema; safe to call from many processes."""
    with _upgrading(url) as connection:
        if _version(connection) == _newest():
            return
        # Imported where they are needed: a house that is up to date starts a fifth faster.
        from alembic import command
        from alembic.config import Config

        config = Config()
        config.set_main_option("script_location", str(Path(__file__).parent).replace("%", "%%"))
        config.attributes["connection"] = connection
        command.upgrade(config, "head")


def _version(connection: Connection) -> str | None:
    """The step the database is at; None before the first."""
    if not inspect(connection).has_table("alembic_version"):
        return None
    version: str | None = connection.scalar(text("SELECT version_num FROM alembic_version"))
    return version


def _newest() -> str:
    """The last step, by its file's number, which is its name."""
    return max(step.name[:4] for step in (Path(__file__).parent / "versions").glob("[0-9]*.py"))


@contextmanager
def _upgrading(url: str) -> Iterator[Connection]:
    """A connection in one transaction that no other upgrade shares."""
    target = driver_url(make_url(url))
    if target.get_backend_name() == "postgresql":
        engine = create_engine(target, poolclass=NullPool, hide_parameters=True)
        with engine.begin() as connection:
            connection.execute(text(f"SELECT pg_advisory_xact_lock({_LOCK})"))
            yield connection
        return
    file = Path(str(target.database))
    make_file(file)
    arguments = {"isolation_level": None, "timeout": _BUSY_SECONDS}
    engine = create_engine(target, poolclass=NullPool, hide_parameters=True, connect_args=arguments)
    event.listen(engine, "begin", lambda connection: connection.exec_driver_sql("BEGIN IMMEDIATE"))
    with _locked(file.with_name(file.name + "-upgrade")), engine.begin() as connection:
        yield connection


@contextmanager
def _locked(file: Path) -> Iterator[None]:
    """Held while one process upgrades; the file stays, for whoever waits has it open."""
    descriptor = os.open(file, os.O_CREAT | os.O_RDWR, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)
