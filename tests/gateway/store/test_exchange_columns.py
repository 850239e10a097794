"""The database says that columns agree with the sealed text only of those that do."""

import sqlite3
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace

import psycopg
import pytest

from gateway.model.exchange import Exchange, VerifyResult
from gateway.model.identity import DocumentId
from gateway.store import exchange_log
from gateway.store.database import Database
from gateway.store.exchange_chain import _COLUMNS, _NAMES, _rows
from gateway.store.exchange_columns import Agreement
from gateway.store.transaction import Transaction
from tests.gateway.store.builders import ACME, NOW

FULL = Exchange(
    time=NOW,
    direction="in",
    transaction="ITI-39",
    outcome="partial",
    plan=ACME,
    partner="p1",  # type: ignore[arg-type]
    peer="CN=partner",
    person="Zoë Smith",
    role="",
    purpose="TREATMENT",
    documents=(DocumentId("d1"),),
    reason="1 missing",
    duration_ms=12,
)
_AGREES = 4
AWKWARD = (
    'said "no"', "back\\slash", "line\nfeed\ttab", "\x01\x1f\x7f", "é", "e\u0301", "\u2028",
    "😀", "</script>", "", " ", "null", "true", "12", "x" * 100_000,
)  # fmt: skip


@pytest.fixture
def log(database: Database) -> Database:
    """Three records of one shape: of the second and third the database is asked."""
    for _ in range(3):
        database.write(lambda t: exchange_log.append(t, FULL))
    return database


def words(log: Database, *, learned: bool) -> list[bool]:
    """What the database says of each record, once it knows how the first is spelled, or not."""

    def unit(transaction: Transaction) -> list[bool]:
        agreement = Agreement(transaction, _NAMES)
        if learned:
            first = next(_rows(transaction, after=0, batch=1))
            agreement.learn(first[_COLUMNS:])
        return [bool(row[_AGREES]) for row in agreement.following()]

    return log.read(unit)


def test_the_database_says_yes_of_every_record_as_it_was_sealed(log: Database) -> None:
    assert words(log, learned=True) == [True, True, True]
    # PostgreSQL knows from the start; SQLite says nothing of a shape that it was not told.
    assert words(log, learned=False) == [log.is_postgres] * 3


def test_whatever_a_record_says_is_verified_however_the_database_spells_it(
    database: Database,
) -> None:
    for said in AWKWARD:
        made = replace(FULL, person=said, reason=said, message_id=said)
        for exchange in (made, replace(made, role=None, duration_ms=None)):
            database.write(lambda t, exchange=exchange: exchange_log.append(t, exchange))  # type: ignore[misc]
    assert database.read(exchange_log.verify) == VerifyResult(2 * len(AWKWARD))
    if database.is_postgres:  # by the quick way, without a second look at any
        assert words(database, learned=False) == [True] * (2 * len(AWKWARD))


MUTATIONS = {
    "nothing for an empty text": "role = NULL",
    "an empty text for nothing": "authority = ''",
    "a number's text": "person = '12'",
    "another number": "duration_ms = 120",
    "a number for nothing": "duration_ms = NULL",
    "case": "person = 'zoë Smith'",
    "a space at the end": "person = 'Zoë Smith '",
    "a space before": "person = ' Zoë Smith'",
    "another normal form": "person = 'Zoe\u0308 Smith'",
    "a letter that looks alike": "person = 'Zoë Smіth'",
    "an escaped letter": "person = 'Zo\\u00eb Smith'",
    "a very long text": f"reason = '{'x' * 1_000_000}'",
    "a text that spells its neighbour": 'partner = \'p1","peer":"CN=partner\', peer = NULL',
    "two that changed places": "partner = peer, peer = partner",
    "null in words": "authority = 'null'",
    "a microsecond": "time = '2026-11-21T07:20:11.123457Z'",
    "spaces in the sealed text": "canon = replace(canon, ',', ', ')",
    "case of the hash": "hash = upper(hash)",
    "case of the one before": "previous_hash = upper(previous_hash)",
    "a space in the one before": "previous_hash = substr(previous_hash, 1, 2) || ' ' || "
    "substr(previous_hash, 3)",
}
ON_SQLITE = {
    "bytes for text": "person = CAST(person AS BLOB)",
    "bytes for the sealed text": "canon = CAST(canon AS BLOB)",
    "bytes for the hash": "hash = CAST(hash AS BLOB)",
    "bytes for the one before": "previous_hash = CAST(previous_hash AS BLOB)",
    "bytes for a number": "duration_ms = CAST('12' AS BLOB)",
    "a fraction": "duration_ms = 12.5",
    "a fraction too small to be spelled": "duration_ms = 12.000000000000002",
    "infinity": "duration_ms = 9e999",
    "no number": "duration_ms = 9e999 - 9e999",
    "text for a number": "duration_ms = 'twelve'",
    "more after the end of the text": "person = person || char(0) || 'x'",
    "a day that is none": "time = '2026-11-31T07:20:11.123456Z'",
    "another zone": "time = '2026-11-21T08:20:11.123456+01:00'",
}
ON_POSTGRES = {
    "before Christ": (
        "time = (to_char(time AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI:SS.US') || '+00 BC')"
        "::timestamptz"
    ),
    "the end of time": "time = 'infinity'",
}


def test_what_is_a_hair_off_is_found_and_every_other_record_stands(
    log: Database, tamper: Callable[[str], None]
) -> None:
    further = ON_POSTGRES if log.is_postgres else ON_SQLITE
    tamper("CREATE TABLE kept AS SELECT * FROM exchange WHERE sequence = 2")
    for what, change in (MUTATIONS | further).items():
        tamper(f"UPDATE exchange SET {change.replace('%', '%%')} WHERE sequence = 2")  # noqa: S608
        assert not words(log, learned=True)[1] or "hash" in what or "before" in what, what
        result = log.read(exchange_log.verify)
        assert (result.first_bad, result.records) == (2, 1), (what, result)
        assert (result.reason or "").startswith("record 2 was changed"), (what, result)
        tamper("DELETE FROM exchange WHERE sequence = 2")
        tamper("INSERT INTO exchange SELECT * FROM kept")
        assert log.read(exchange_log.verify) == VerifyResult(3), what


def test_a_number_kept_as_text_under_a_changed_schema_is_found(
    sqlite_url: str, opened: Callable[..., Database]
) -> None:
    file = sqlite_url.removeprefix("sqlite:///")
    log = opened(sqlite_url)
    for _ in range(3):
        log.write(lambda t: exchange_log.append(t, FULL))
    assert log.read(exchange_log.verify) == VerifyResult(3)
    with closing(sqlite3.connect(file)) as connection:
        (version,) = connection.execute("PRAGMA schema_version").fetchone()
        connection.execute("PRAGMA writable_schema = ON")
        changed = connection.execute(
            "UPDATE sqlite_master SET sql = replace(sql, 'duration_ms INTEGER', 'duration_ms TEXT')"
            " WHERE name = 'exchange'"
        )
        assert changed.rowcount == 1
        connection.execute(f"PRAGMA schema_version = {version + 1}")
        connection.commit()
    with closing(sqlite3.connect(file)) as connection:
        connection.execute("DROP TRIGGER exchange_keeps_updates")
        connection.execute("UPDATE exchange SET duration_ms = '12' WHERE sequence = 2")
        connection.commit()
    result = log.read(exchange_log.verify)
    assert (result.first_bad, result.reason) == (2, "record 2 was changed: duration_ms")


def test_functions_that_somebody_put_before_the_databases_own_are_not_asked(
    postgres_url: str, opened: Callable[..., Database]
) -> None:
    """Whoever owns the database could else let every comparison say yes."""
    log = opened(postgres_url)
    for _ in range(3):
        log.write(lambda t: exchange_log.append(t, FULL))
    log.close()
    with psycopg.connect(postgres_url, autocommit=True) as connection:
        name = connection.info.dbname
        connection.execute("SET session_replication_role = replica")
        connection.execute("UPDATE exchange SET person = 'nobody' WHERE sequence = 2")
        connection.execute("CREATE SCHEMA evil")
        connection.execute(
            "CREATE FUNCTION evil.yes(text, text) RETURNS boolean LANGUAGE sql IMMUTABLE "
            "AS 'SELECT true'"
        )
        connection.execute(
            "CREATE OPERATOR evil.= (LEFTARG = text, RIGHTARG = text, FUNCTION = evil.yes)"
        )
        connection.execute(f"ALTER DATABASE {name} SET search_path = evil, pg_catalog, public")
    with psycopg.connect(postgres_url) as connection:
        assert connection.execute("SELECT 'a'::text = 'b'::text").fetchone() == (True,)
    result = opened(postgres_url).read(exchange_log.verify)
    assert (result.first_bad, result.reason) == (2, "record 2 was changed: person")
