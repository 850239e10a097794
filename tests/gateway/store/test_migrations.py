"""The migrated schema is the one the tables declare, however often and by whomever it is made."""

import hashlib
import multiprocessing
from collections.abc import Callable
from pathlib import Path

import procrastinate.schema
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import create_engine, make_url
from sqlalchemy.pool import NullPool

from gateway.store import migrations
from gateway.store.database import driver_url
from gateway.store.migrations import upgrade
from gateway.store.tables import METADATA


def test_the_migrated_schema_is_what_the_tables_declare(url: str) -> None:
    engine = create_engine(driver_url(make_url(url)), poolclass=NullPool)
    with engine.connect() as connection:
        context = MigrationContext.configure(
            connection,
            opts={
                "compare_type": True,
                "include_object": lambda _object, name, *_rest: (
                    not name.startswith("procrastinate")
                ),
            },
        )
        assert compare_metadata(context, METADATA) == []


def test_every_table_names_its_plan() -> None:
    without = [name for name, table in METADATA.tables.items() if "plan" not in table.c]
    assert without == ["plan"]


def test_the_newest_step_is_the_one_alembic_ends_at() -> None:
    config = Config()
    config.set_main_option("script_location", str(Path(migrations.__file__).parent))
    assert ScriptDirectory.from_config(config).get_current_head() == migrations._newest()


def test_an_upgraded_database_may_be_upgraded_again(url: str) -> None:
    upgrade(url)


def test_processes_that_upgrade_at_once_all_succeed(
    tmp_path: Path, empty_url: Callable[[], str]
) -> None:
    spawn = multiprocessing.get_context("spawn")
    for url in (f"sqlite:///{tmp_path}/new/gateway.sqlite", empty_url()):
        upgrades = [spawn.Process(target=upgrade, args=(url,)) for _ in range(3)]
        for process in upgrades:
            process.start()
        for process in upgrades:
            process.join()
        assert [process.exitcode for process in upgrades] == [0, 0, 0]


def test_the_job_schema_is_the_one_the_step_was_made_with() -> None:
    """When this fails, Procrastinate was upgraded: its own migrations become one of ours."""
    schema = procrastinate.schema.SchemaManager.get_schema()
    digest = "c70ec4b400a60ad9592787653aae5ae77ae41bf801d56b5bd2712751a07f2009"
    assert hashlib.sha256(schema.encode()).hexdigest() == digest
