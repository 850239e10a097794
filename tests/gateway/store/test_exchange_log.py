"""One exchange, one record, in the transaction of its effect; nothing is changed unseen."""

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import replace
from datetime import timedelta

import psycopg
import pytest
from sqlalchemy import String, create_engine, make_url, text, type_coerce
from sqlalchemy.exc import DBAPIError
from sqlalchemy.pool import NullPool

from gateway.model.exchange import Exchange, ExchangeFilter, VerifyResult
from gateway.model.identity import DocumentId
from gateway.model.member import Plan
from gateway.store import exchange_chain, exchange_log, plans, tables
from gateway.store.database import Database, driver_url, open_database
from gateway.store.errors import ExchangeNotOpen
from gateway.store.key_file import create_key_file
from gateway.store.scope import ALL_PLANS
from tests.gateway.store.builders import ACME, NOW, OTHER, an_exchange
from tests.gateway.store.conftest import create_database, drop_database

FULL = Exchange(
    time=NOW,
    direction="in",
    transaction="ITI-39",
    outcome="partial",
    plan=ACME,
    partner="p1",  # type: ignore[arg-type]
    peer="CN=partner",
    person="Ann Smith",
    role="clinician",
    purpose="TREATMENT",
    authority="policy 7",
    member="m1",  # type: ignore[arg-type]
    documents=(DocumentId("d1"), DocumentId("d2")),
    reason="1 missing",
    conversation="c1",  # type: ignore[arg-type]
    message_id="urn:uuid:1",
    duration_ms=12,
    count=1,
)


@pytest.fixture
def log(database: Database) -> Database:
    """Five records, each full of values."""
    for _ in range(5):
        database.write(lambda t: exchange_log.append(t, FULL))
    return database


def test_records_are_numbered_without_gaps_and_come_back_whole(log: Database) -> None:
    records = log.read(lambda t: exchange_log.search(t, plan=ACME))
    assert [record.sequence for record in records] == [5, 4, 3, 2, 1]
    assert {record.exchange for record in records} == {FULL}
    assert records[0].previous_hash == records[1].hash
    assert log.read(exchange_log.verify) == VerifyResult(5)


def test_a_sequence_is_known_once_the_record_is_durable(database: Database) -> None:
    def unit(transaction: object) -> exchange_log.Place:
        place = exchange_log.append(transaction, FULL)  # type: ignore[arg-type]
        with pytest.raises(RuntimeError):
            _ = place.sequence
        return place

    assert database.write(unit).sequence == 1


def test_a_failing_unit_leaves_neither_record_nor_gap(log: Database) -> None:
    def fail(transaction: object) -> None:
        exchange_log.append(transaction, FULL)  # type: ignore[arg-type]
        raise LookupError

    with pytest.raises(LookupError):
        log.write(fail)
    assert log.write(lambda t: exchange_log.append(t, FULL)).sequence == 6
    assert log.read(exchange_log.verify) == VerifyResult(6)


def test_a_record_stands_with_its_effect_or_not_at_all(database: Database) -> None:
    def both(transaction: object) -> None:
        plans.put(transaction, Plan(ACME, "Acme"))  # type: ignore[arg-type]
        exchange_log.append(transaction, an_exchange(reason=b"\xff"))  # type: ignore[arg-type]

    with pytest.raises((TypeError, DBAPIError)):
        database.write(both)
    assert database.read(plans.list_all) == ()


CHANGES = {
    column.name: {
        "sequence": "sequence + 100",
        "time": "'2020-01-01T00:00:00.000000Z'",
        "duration_ms": "13",
        "count": "2",
        "version": "NULL",
        "documents": "'[\"d1\"]'",
        "plan": "NULL",
        "previous_hash": "'" + "a" * 64 + "'",
        "hash": "'" + "b" * 64 + "'",
        "canon": "replace(canon, 'TREATMENT', 'PAYMENT')",
    }.get(column.name, "'changed'")
    for column in tables.exchange.c
}


@pytest.mark.parametrize("column", list(CHANGES))
def test_a_changed_column_of_any_record_is_found_and_named(
    log: Database, tamper: Callable[[str], None], column: str
) -> None:
    for sequence in (1, 3, 5):
        before = log.read(_all)
        tamper(f'UPDATE exchange SET "{column}" = {CHANGES[column]} WHERE sequence = {sequence}')  # noqa: S608
        result = log.read(exchange_log.verify)
        assert result.first_bad == sequence, result
        assert result.records == sequence - 1
        assert result.reason is not None
        if column not in ("sequence", "canon", "hash"):
            assert column in result.reason
        _restore(log, tamper, before)
        assert log.read(exchange_log.verify) == VerifyResult(5)


def _all(transaction: object) -> list[dict[str, object]]:
    time = type_coerce(tables.exchange.c.time, String)
    statement = tables.exchange.select().with_only_columns(
        *[column for column in tables.exchange.c if column.name != "time"], time.label("time")
    )
    rows = transaction.connection.execute(statement.order_by(tables.exchange.c.sequence))  # type: ignore[attr-defined]
    return [dict(row._mapping) for row in rows]


def _restore(log: Database, tamper: Callable[[str], None], rows: list[dict[str, object]]) -> None:
    tamper("DELETE FROM exchange")
    for row in rows:
        columns = ", ".join(f'"{name}"' for name in row)
        values = ", ".join(
            "NULL" if value is None else "'" + str(value).replace("'", "''") + "'"
            for value in row.values()
        )
        tamper(f"INSERT INTO exchange ({columns}) VALUES ({values})")  # noqa: S608


@pytest.mark.parametrize("sequence", [1, 2, 3, 4])
def test_a_deleted_record_is_found_and_named(
    log: Database, tamper: Callable[[str], None], sequence: int
) -> None:
    tamper(f"DELETE FROM exchange WHERE sequence = {sequence}")  # noqa: S608
    assert log.read(exchange_log.verify).first_bad == sequence


def test_a_cut_end_is_found_as_long_as_the_head_stands(
    log: Database, tamper: Callable[[str], None]
) -> None:
    tamper("DELETE FROM exchange WHERE sequence >= 4")
    result = log.read(exchange_log.verify)
    assert (result.records, result.first_bad) == (3, 4)


BEFORE_ALL = -(2**63)
"""The least number that a database knows: nothing is greater than one before it."""


@pytest.mark.parametrize("sequence", [0, -1, BEFORE_ALL])
def test_a_record_put_before_the_first_is_found_and_named(
    log: Database, tamper: Callable[[str], None], sequence: int
) -> None:
    tamper("CREATE TABLE forged AS SELECT * FROM exchange WHERE sequence = 3")
    tamper(f"UPDATE forged SET sequence = {sequence}, person = 'Mallory'")  # noqa: S608
    tamper("INSERT INTO exchange SELECT * FROM forged")
    shown = log.read(lambda t: exchange_log.search(t, plan=ACME, order="time"))
    assert sequence in [one.sequence for one in shown]
    result = log.read(exchange_log.verify)
    assert (result.records, result.first_bad) == (0, sequence)
    assert result.reason == f"record {sequence} was inserted: the first is 1"


@pytest.mark.parametrize("sequence", [1, 1000, 2000, 2001])
def test_a_record_that_stands_twice_is_found_and_named(
    crowded: tuple[Database, str], sequence: int
) -> None:
    """2,000 are read at once: what stands at such an end twice would be read once."""
    log, url = crowded
    with psycopg.connect(url) as connection:
        connection.execute("SET session_replication_role = replica")
        connection.execute(
            "INSERT INTO exchange SELECT * FROM exchange WHERE sequence = %s", (sequence,)
        )
    result = log.read(exchange_log.verify)
    with psycopg.connect(url) as connection:
        connection.execute("SET session_replication_role = replica")
        connection.execute(
            "DELETE FROM exchange WHERE ctid ="
            " (SELECT max(ctid) FROM exchange WHERE sequence = %s)",
            (sequence,),
        )
    assert result.first_bad == sequence
    assert result.reason == f"record {sequence} was inserted beside the one that is sealed"
    assert log.read(exchange_log.verify) == VerifyResult(2001)


@pytest.fixture(scope="module")
def crowded(
    server: str, migrated_postgres: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Database, str]]:
    """On PostgreSQL 2,001 records in a table whose owner has dropped its key."""
    key_file = tmp_path_factory.mktemp("crowded") / "kek"
    create_key_file(key_file)
    url = create_database(server, template=make_url(migrated_postgres).database)
    with closing(open_database(url, key_file=key_file)) as opened:
        opened.write(lambda t: [exchange_log.append(t, an_exchange()) for _ in range(2001)])
        with psycopg.connect(url) as connection:
            connection.execute("ALTER TABLE exchange DROP CONSTRAINT exchange_primary")
        yield opened, url
    drop_database(server, url)


def test_records_that_postgresql_hides_from_some_are_found_out_whoever_looks(
    postgres_url: str, opened: Callable[[str], Database]
) -> None:
    """The owner sees them still, and would verify a whole log of which auditors see less."""
    log = opened(postgres_url)
    for _ in range(3):
        log.write(lambda t: exchange_log.append(t, FULL))
    assert log.read(exchange_log.verify) == VerifyResult(3)
    with psycopg.connect(postgres_url) as connection:
        connection.execute("CREATE POLICY hidden ON exchange USING (sequence <> 2)")
        connection.execute("ALTER TABLE exchange ENABLE ROW LEVEL SECURITY")
    result = log.read(exchange_log.verify)
    assert result.reason == "the database does not show the log's records to everybody alike"


def test_a_record_sealed_anew_is_found_by_the_one_after_it(
    log: Database, tamper: Callable[[str], None]
) -> None:
    forged = an_exchange(person="Mallory", member=None)
    values = exchange_chain.columns_of(forged)
    canon = exchange_chain.canonical(values)
    first = log.read(lambda t: exchange_log.get(t, plan=ACME, sequence=1))
    assert first is not None
    sealed = exchange_chain.chain_hash(previous=first.hash, canon=canon, sequence=2)
    tamper("DELETE FROM exchange WHERE sequence = 2")
    row = {**values, "time": "2026-11-21T07:20:11.123456Z", "sequence": 2, "canon": canon}
    row |= {"previous_hash": first.hash, "hash": sealed}
    _insert(tamper, row)
    result = log.read(exchange_log.verify)
    assert (result.first_bad, result.reason) == (2, "record 2 was rewritten after it was sealed")


ELSEWHERE = "(SELECT max(document) FROM exchange_document)"


@pytest.mark.parametrize(
    ("statement", "first_bad"),
    [
        (f"DELETE FROM exchange_document WHERE sequence = 4 AND document = {ELSEWHERE}", 4),  # noqa: S608
        ("DELETE FROM exchange_document WHERE sequence >= 2", 2),
        ("UPDATE exchange_document SET plan = 'other' WHERE sequence = 3", 3),
        ("UPDATE exchange_document SET plan = NULL WHERE sequence = 3", 3),
        (f"UPDATE exchange_document SET document = 'x' WHERE document < {ELSEWHERE}", 1),  # noqa: S608
        ("INSERT INTO exchange_document VALUES ('another', 5, 'acme')", 5),
        ("INSERT INTO exchange_document SELECT document, 6, plan FROM exchange_document"
         " WHERE sequence = 5", 6),
        ("INSERT INTO exchange_document SELECT document, 77, plan FROM exchange_document"
         " WHERE sequence = 5", 77),
    ],
)  # fmt: skip
def test_what_a_record_is_found_by_is_verified_too(
    log: Database, tamper: Callable[[str], None], statement: str, first_bad: int
) -> None:
    log.write(lambda t: exchange_log.append(t, an_exchange()))  # it names no documents
    assert log.read(exchange_log.verify) == VerifyResult(6)
    tamper(statement)
    result = log.read(exchange_log.verify)
    assert (result.first_bad, result.records) == (first_bad, min(first_bad, 7) - 1)
    assert result.reason == f"record {first_bad} is not found by just the documents that it names"


@pytest.mark.parametrize("change", ["document", "plan"])
def test_bytes_for_what_a_record_is_found_by_are_found(
    sqlite_url: str, opened: Callable[[str], Database], change: str
) -> None:
    log = opened(sqlite_url)
    log.write(lambda t: exchange_log.append(t, FULL))
    with closing(sqlite3.connect(sqlite_url.removeprefix("sqlite:///"))) as connection:
        (guard,) = connection.execute(
            "SELECT name FROM sqlite_master WHERE type = 'trigger' "
            "AND tbl_name = 'exchange_document' AND name LIKE '%updates'"
        ).fetchone()
        connection.execute(f"DROP TRIGGER {guard}")
        connection.execute(f"UPDATE exchange_document SET {change} = CAST({change} AS BLOB)")  # noqa: S608
        connection.commit()
    result = log.read(exchange_log.verify)
    assert result.reason == "record 1 is not found by just the documents that it names"


def test_what_is_filed_is_compared_as_records_are_walked(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    log = database
    for number in range(3):
        named = tuple(DocumentId(f"{number}-{one}") for one in range(4))
        said = replace(FULL, documents=named, reason='the "first" \\ one')
        log.write(lambda t, said=said: exchange_log.append(t, said))  # type: ignore[misc]
        log.write(lambda t: exchange_log.append(t, replace(FULL, documents=())))

    def asked(_: object) -> int:
        raise AssertionError("each was looked for")

    monkeypatch.setattr(exchange_chain, "first_misfiled", asked)
    assert log.read(exchange_log.verify) == VerifyResult(6)


@pytest.mark.parametrize("written", ["no list", '["d1"', "{}", "7"])
def test_a_chain_made_anew_over_what_names_no_documents_is_found(
    log: Database, tamper: Callable[[str], None], written: str
) -> None:
    values = exchange_chain.columns_of(an_exchange(member=None)) | {"documents": written}
    canon = exchange_chain.canonical(values)
    last = log.read(lambda t: exchange_log.get(t, plan=ACME, sequence=5))
    assert last is not None
    sealed = exchange_chain.chain_hash(previous=last.hash, canon=canon, sequence=6)
    row = {**values, "time": exchange_chain.utc_text(values["time"]), "sequence": 6}
    _insert(tamper, {**row, "canon": canon, "previous_hash": last.hash, "hash": sealed})
    tamper(f"UPDATE exchange_head SET sequence = 6, hash = '{sealed}'")  # noqa: S608
    assert log.read(exchange_log.verify).first_bad == 6


def _insert(tamper: Callable[[str], None], row: dict[str, object]) -> None:
    columns = ", ".join(f'"{name}"' for name in row)
    values = ", ".join("NULL" if value is None else f"'{value}'" for value in row.values())
    tamper(f"INSERT INTO exchange ({columns}) VALUES ({values})")  # noqa: S608


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE exchange SET reason = NULL",
        "DELETE FROM exchange WHERE sequence = 5",
        "UPDATE exchange_head SET sequence = 4",
        "DELETE FROM exchange_head",
    ],
)
def test_the_database_itself_refuses_to_change_records(
    log: Database, url: str, statement: str
) -> None:
    engine = create_engine(driver_url(make_url(url)), poolclass=NullPool)
    with pytest.raises(DBAPIError), engine.begin() as connection:
        connection.execute(text(statement))


def test_sqlite_refuses_to_replace_a_record(
    sqlite_url: str, opened: Callable[[str], Database]
) -> None:
    opened(sqlite_url).write(lambda t: exchange_log.append(t, FULL))
    engine = create_engine(sqlite_url, poolclass=NullPool)
    with pytest.raises(DBAPIError, match="never replaced"), engine.begin() as connection:
        connection.execute(text("INSERT OR REPLACE INTO exchange SELECT * FROM exchange"))


def test_postgresql_refuses_to_truncate_the_log(
    postgres_url: str, opened: Callable[[str], Database]
) -> None:
    engine = create_engine(driver_url(make_url(postgres_url)), poolclass=NullPool)
    with pytest.raises(DBAPIError, match="never changed"), engine.begin() as connection:
        connection.execute(text("TRUNCATE exchange"))


# ---- what crosses a wire ---------------------------------------------------------------------


def test_an_open_exchange_is_recorded_once_with_how_it_ended(database: Database) -> None:
    open_id = database.write(lambda t: exchange_log.open_exchange(t, an_exchange()))
    assert database.read(lambda t: exchange_log.search(t, plan=ACME)) == ()
    place = database.write(lambda t: exchange_log.close_exchange(t, open_id, FULL))
    with pytest.raises(ExchangeNotOpen):
        database.write(lambda t: exchange_log.close_exchange(t, open_id, FULL))
    found = database.read(lambda t: exchange_log.get(t, plan=ACME, sequence=place.sequence))
    assert found is not None
    assert found.exchange == FULL
    assert database.write(lambda t: exchange_log.recover(t, now=NOW)) == 0


def test_recovery_leaves_what_a_living_process_has_open(
    url: str, database: Database, opened: Callable[[str], Database]
) -> None:
    open_id = database.write(lambda t: exchange_log.open_exchange(t, an_exchange()))
    second = opened(url)
    assert second.write(lambda t: exchange_log.recover(t, now=NOW)) == 0
    database.write(lambda t: exchange_log.close_exchange(t, open_id, FULL))


def test_recovery_records_what_a_gone_process_left_as_unknown(
    url: str, database: Database, opened: Callable[[str], Database]
) -> None:
    database.write(lambda t: exchange_log.open_exchange(t, an_exchange()))
    database.close()
    second = opened(url)
    assert second.write(lambda t: exchange_log.recover(t, now=NOW)) == 1
    assert second.write(lambda t: exchange_log.recover(t, now=NOW)) == 0
    (record,) = second.read(lambda t: exchange_log.search(t, plan=ACME))
    assert record.exchange == an_exchange(outcome="unknown", reason="interrupted")


# ---- strangers -------------------------------------------------------------------------------


def test_refusals_of_strangers_make_one_record_a_peer_reason_and_minute(
    database: Database,
) -> None:
    def refuse(peer: str, reason: str, seconds: int) -> None:
        time = NOW + timedelta(seconds=seconds)
        refusal = an_exchange(
            time=time, plan=None, partner=None, member=None, direction="in", outcome="refused",
            peer=peer, reason=reason,
        )  # fmt: skip
        database.write(lambda t: exchange_log.count_refusal(t, refusal))

    for seconds in range(40):
        refuse("10.0.0.1", "no signature", seconds)
    refuse("10.0.0.1", "expired", 41)
    refuse("10.0.0.2", "no signature", 42)
    assert database.read(lambda t: exchange_log.search(t, plan=ALL_PLANS)) == ()
    refuse("10.0.0.3", "no signature", 60)
    records = database.read(lambda t: exchange_log.search(t, plan=ALL_PLANS, descending=False))
    assert [(r.exchange.peer, r.exchange.reason, r.exchange.count) for r in records] == [
        ("10.0.0.1", "expired", 1),
        ("10.0.0.1", "no signature", 40),
        ("10.0.0.2", "no signature", 1),
    ]
    later = NOW + timedelta(minutes=2)
    assert database.write(lambda t: exchange_log.recover(t, now=later)) == 1
    assert database.read(lambda t: exchange_log.search(t, plan=ACME)) == ()
    assert database.read(exchange_log.verify) == VerifyResult(4)


def test_what_failed_before_anybody_was_known_is_counted_as_a_failure(database: Database) -> None:
    """A full disk is no refusal: whoever looks for attacks would find one."""
    for outcome, reason in (("refused", "no signature"), ("failed", "no room")):
        told = an_exchange(
            plan=None, partner=None, member=None, direction="in", outcome=outcome, reason=reason
        )
        for _ in range(2):
            database.write(lambda t, e=told: exchange_log.count_refusal(t, e))
    database.write(lambda t: exchange_log.flush_refusals(t, now=NOW + timedelta(minutes=2)))
    found = database.read(lambda t: exchange_log.search(t, plan=ALL_PLANS))
    assert {(r.exchange.reason, r.exchange.outcome, r.exchange.count) for r in found} == {
        ("no signature", "refused", 2), ("no room", "failed", 2),
    }  # fmt: skip


def test_no_plans_refusals_are_counted_among_anothers(database: Database) -> None:
    for plan, outcome in (
        (ACME, "refused"),
        (OTHER, "refused"),
        (OTHER, "failed"),
        (None, "failed"),
    ):
        told = an_exchange(
            plan=plan, partner=None, member=None, direction="in", outcome=outcome, peer="x@y.test",
            reason="nobody we trust",
        )  # fmt: skip
        for _ in range(2):
            database.write(lambda t, e=told: exchange_log.count_refusal(t, e))
    later = NOW + timedelta(minutes=2)
    assert database.write(lambda t: exchange_log.flush_refusals(t, now=later)) == 4
    found = database.read(lambda t: exchange_log.search(t, plan=ALL_PLANS))
    assert {(r.exchange.plan, r.exchange.outcome, r.exchange.count) for r in found} == {
        (ACME, "refused", 2), (OTHER, "refused", 2), (OTHER, "failed", 2), (None, "failed", 2),
    }  # fmt: skip


# ---- looking ---------------------------------------------------------------------------------


def test_a_plan_sees_only_its_own_records(log: Database) -> None:
    assert log.read(lambda t: exchange_log.get(t, plan=OTHER, sequence=1)) is None
    assert log.read(lambda t: exchange_log.search(t, plan=OTHER)) == ()
    assert len(log.read(lambda t: exchange_log.search(t, plan=ALL_PLANS))) == 5


@pytest.mark.parametrize(
    ("wanted", "count"),
    [
        (ExchangeFilter(), 2),
        (ExchangeFilter(direction="in"), 1),
        (ExchangeFilter(transaction="ITI-55"), 1),
        (ExchangeFilter(outcome="refused"), 0),
        (ExchangeFilter(person="Ann Smith", purpose="TREATMENT"), 1),
        (ExchangeFilter(since=NOW), 2),
        (ExchangeFilter(until=NOW), 0),
        (ExchangeFilter(document=DocumentId("d2")), 1),
        (ExchangeFilter(document=DocumentId("d")), 0),
        (ExchangeFilter(document=DocumentId("%")), 0),
    ],
)
def test_records_are_found_by_what_they_say(
    database: Database, wanted: ExchangeFilter, count: int
) -> None:
    database.write(lambda t: exchange_log.append(t, FULL))
    database.write(lambda t: exchange_log.append(t, an_exchange()))
    found = database.read(lambda t: exchange_log.search(t, plan=ACME, wanted=wanted))
    assert len(found) == count


def test_records_may_be_ordered_by_any_column_and_paged(database: Database) -> None:
    for person in ("Bob", "Ann", "Cid"):
        database.write(lambda t, p=person: exchange_log.append(t, an_exchange(person=p)))
    found = database.read(
        lambda t: exchange_log.search(
            t, plan=ACME, order="person", descending=False, limit=2, offset=1
        )
    )
    assert [record.exchange.person for record in found] == ["Bob", "Cid"]
