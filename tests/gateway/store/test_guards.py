"""What stands on the tables of evidence is what the migrations make, and whatever differs is told.

After a step that makes, drops or alters one of these, `as_made.json` is what `standing` then gives.
"""

from collections.abc import Callable

import pytest

from gateway.store import exchange_log
from gateway.store.database import Database
from gateway.store.errors import StoreUnavailable
from gateway.store.exchange_chain import verify
from gateway.store.exchange_indexes import damage
from gateway.store.guards import EVIDENCE, as_made, missing_guards, standing, strange
from tests.gateway.store.builders import an_exchange


def run(database: Database, *statements: str) -> None:
    for one in statements:
        database.write(lambda t, s=one: t.connection.exec_driver_sql(s))


def test_what_stands_is_what_the_migrations_make(database: Database) -> None:
    made = as_made(is_postgres=database.is_postgres)
    assert database.read(standing) == made
    guarded = {table for name, (table, _) in made.items() if name.startswith("trigger ")}
    assert guarded == set(EVIDENCE)
    assert database.read(missing_guards) == ()
    assert database.read(strange) == ()


def test_a_trigger_that_was_dropped_is_missed(database: Database) -> None:
    name = "exchange_keeps_rows" if database.is_postgres else "exchange_keeps_deletes"
    where = " ON exchange" if database.is_postgres else ""
    run(database, f"DROP TRIGGER {name}{where}")
    assert database.read(missing_guards) == (name,)


@pytest.mark.parametrize(
    "other",
    [
        "CREATE TRIGGER exchange_keeps_deletes BEFORE UPDATE ON plan WHEN 0 BEGIN SELECT 1; END",
        "CREATE TRIGGER exchange_keeps_deletes BEFORE DELETE ON exchange WHEN OLD.person <> 'x'"
        " BEGIN SELECT RAISE(ABORT, 'exchange records are never deleted'); END",
    ],
)
def test_a_trigger_that_has_only_the_name_of_one_is_missed(
    sqlite_url: str, opened: Callable[[str], Database], other: str
) -> None:
    database = opened(sqlite_url)
    run(database, "DROP TRIGGER exchange_keeps_deletes", other)
    assert database.read(missing_guards) == ("exchange_keeps_deletes",)


@pytest.mark.parametrize("how", ["DISABLE TRIGGER", "ENABLE REPLICA TRIGGER"])
def test_on_postgresql_one_that_stands_and_does_not_fire_is_missed(
    postgres_url: str, opened: Callable[[str], Database], how: str
) -> None:
    database = opened(postgres_url)
    run(database, f"ALTER TABLE exchange {how} exchange_keeps_all")
    assert database.read(missing_guards) == ("exchange_keeps_all",)


@pytest.mark.parametrize(
    ("statements", "missing"),
    [
        (
            ["CREATE OR REPLACE FUNCTION log_month_stays_disposed() RETURNS trigger"
             " LANGUAGE plpgsql AS $$ BEGIN RETURN NEW; END $$"],
            ("log_month_keeps_all", "log_month_keeps_rows"),
        ),
        (
            ["DROP TRIGGER exchange_keeps_rows ON exchange",
             "CREATE TRIGGER exchange_keeps_rows BEFORE UPDATE OF person ON exchange"
             " FOR EACH ROW EXECUTE FUNCTION exchange_is_append_only()"],
            ("exchange_keeps_rows",),
        ),
    ],
)  # fmt: skip
def test_on_postgresql_what_a_trigger_does_is_compared(
    postgres_url: str,
    opened: Callable[[str], Database],
    statements: list[str],
    missing: tuple[str, ...],
) -> None:
    database = opened(postgres_url)
    run(database, *statements)
    assert database.read(missing_guards) == missing


@pytest.mark.parametrize(
    ("statements", "told"),
    [
        (["CREATE INDEX mine ON exchange (person)"],
         ("index mine on exchange, which is none of ours",)),
        (["DROP INDEX exchange_by_person"], ("no index exchange_by_person",)),
        (["DROP INDEX exchange_by_person",
          "CREATE INDEX exchange_by_person ON exchange (plan, person, sequence) WHERE count > 1"],
         ("index exchange_by_person, which is not as it was made",)),
    ],
)  # fmt: skip
def test_an_index_that_is_not_as_it_was_made_is_told(
    database: Database, statements: list[str], told: tuple[str, ...]
) -> None:
    run(database, *statements)
    assert database.read(strange) == told


def test_a_view_in_a_tables_place_is_told(database: Database) -> None:
    run(
        database,
        "ALTER TABLE checkpoint RENAME TO kept",
        "CREATE VIEW checkpoint AS SELECT * FROM kept WHERE size > 9",
    )
    told = database.read(strange)
    assert "no table checkpoint" in told
    assert any("none of ours" in one for one in told)


# ---- what has a statement do nothing ---------------------------------------------------------

IGNORED = "BEGIN SELECT RAISE(IGNORE); END"
LOST = {
    "a record": {
        "sqlite": f"CREATE TRIGGER t BEFORE INSERT ON exchange WHEN NEW.person = 'x' {IGNORED}",
        "postgresql": "CREATE RULE t AS ON INSERT TO exchange WHERE NEW.person = 'x'"
        " DO INSTEAD NOTHING",
    },
    "the head": {
        "sqlite": f"CREATE TRIGGER t BEFORE UPDATE ON exchange_head {IGNORED}",
        "postgresql": "CREATE RULE t AS ON UPDATE TO exchange_head DO INSTEAD NOTHING",
    },
}


@pytest.mark.parametrize("what", list(LOST))
def test_an_act_whose_record_the_database_lets_go_by_fails(database: Database, what: str) -> None:
    run(database, LOST[what]["postgresql" if database.is_postgres else "sqlite"])
    with pytest.raises(StoreUnavailable, match="did not take a record"):
        database.write(lambda t: exchange_log.append(t, an_exchange(person="x", member=None)))
    (told,) = database.read(strange)
    assert told.endswith("which is none of ours")
    assert database.read(verify).records == 0


# ---- indexes that lack a record --------------------------------------------------------------


def test_a_record_that_an_index_lacks_is_named_though_the_schema_says_that_it_has_all(
    sqlite_url: str, opened: Callable[[str], Database]
) -> None:
    database = opened(sqlite_url)
    for person in ("Ann", "Bob"):
        told = an_exchange(person=person, member=None, role="nurse")
        database.write(lambda t, e=told: exchange_log.append(t, e))
    for name, rule in (("exchange_by_person", ""), ("exchange_by_role", "role IS NOT NULL AND ")):
        assert database.read(verify).reason is None
        made = as_made(is_postgres=False)[f"index {name}"][1]
        columns = made.partition("(")[2].partition(")")[0]
        partial = f"CREATE INDEX {name} ON exchange ({columns}) WHERE {rule}sequence <> 2"

        pretend = (
            "PRAGMA writable_schema = ON",
            f"UPDATE sqlite_master SET sql = '{made}' WHERE name = '{name}'",  # noqa: S608
            "PRAGMA writable_schema = RESET",
        )

        run(database, f"DROP INDEX {name}", partial)
        database.write(lambda t, all=pretend: [t.connection.exec_driver_sql(one) for one in all])
        database.close()
        database = opened(sqlite_url)
        assert database.read(strange) == ()
        result = database.read(verify)
        assert (result.first_bad, result.reason) == (
            2, f"record 2 is not found by the index {name}",
        )  # fmt: skip
        assert database.read(damage) == f"exchange: row 2 missing from index {name}"
        run(database, f"REINDEX {name}")
        assert database.read(damage) is None
