"""The triggers that keep evidence are all known, and one that does not fire is missed."""

import pytest
from sqlalchemy import text

from gateway.store import guards
from gateway.store.database import Database
from gateway.store.guards import missing_guards

EVIDENCE = (
    "exchange", "exchange_head", "exchange_document", "disposal", "log_month", "wire_message",
    "legal_hold", "checkpoint",
)  # fmt: skip


def test_every_trigger_on_evidence_is_a_guard_and_none_is_missing(database: Database) -> None:
    on = "tbl_name" if not database.is_postgres else "tgrelid::regclass::text"
    name, source, rest = ("name", "sqlite_master", "type = 'trigger'")
    if database.is_postgres:
        name, source, rest = ("tgname", "pg_trigger", "NOT tgisinternal")
    statement = text(f"SELECT {name}, {on} FROM {source} WHERE {rest}")  # noqa: S608
    found = database.read(lambda t: t.connection.execute(statement).fetchall())
    expected = guards._ON_POSTGRESQL if database.is_postgres else guards._ON_SQLITE
    assert {trigger for trigger, table in found if table in EVIDENCE} == expected
    assert {table for trigger, table in found if trigger in expected} == set(EVIDENCE)
    assert database.read(missing_guards) == ()


def test_a_trigger_that_was_dropped_is_missed(database: Database) -> None:
    name = "exchange_keeps_rows" if database.is_postgres else "exchange_keeps_deletes"
    where = " ON exchange" if database.is_postgres else ""
    database.write(lambda t: t.connection.execute(text(f"DROP TRIGGER {name}{where}")))
    assert database.read(missing_guards) == (name,)


@pytest.mark.parametrize("how", ["DISABLE TRIGGER", "ENABLE REPLICA TRIGGER"])
def test_on_postgresql_one_that_stands_and_does_not_fire_is_missed(
    postgres_url: str, opened: object, how: str
) -> None:
    database: Database = opened(postgres_url)  # type: ignore[operator]
    change = text(f"ALTER TABLE exchange {how} exchange_keeps_all")
    database.write(lambda t: t.connection.execute(change))
    assert database.read(missing_guards) == ("exchange_keeps_all",)
