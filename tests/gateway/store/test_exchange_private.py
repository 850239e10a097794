"""Whose a record is, and its documents, are sealed by month; a month can be made unreadable."""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import text

from gateway.model.exchange import Exchange, ExchangeFilter, RecordedExchange, VerifyResult
from gateway.model.identity import DocumentId, MemberId
from gateway.model.retention import PlanMonth
from gateway.store import disposals, exchange_chain, exchange_log
from gateway.store.database import Database, open_database
from gateway.store.errors import DamagedRecord, KeyFileUnusable, MonthDisposed
from gateway.store.key_file import KEY_BYTES, add_key, create_key_file
from gateway.store.keys import KeyRing
from gateway.store.transaction import Transaction
from tests.gateway.store.builders import ACME, NOW, OTHER, an_exchange

MEMBER, DOCUMENT = MemberId("member-of-acme"), DocumentId("document-of-hers")
ABOUT = an_exchange(member=MEMBER, documents=(DOCUMENT, DocumentId("another")))
OLD = replace(ABOUT, time=datetime(2015, 3, 31, 23, 59, 59, tzinfo=UTC))
MARCH = PlanMonth(ACME, "2015-03")
APPENDED = "INSERT INTO exchange ({names}) VALUES ({marks})"


def _append(database: Database, *exchanges: Exchange) -> None:
    for exchange in exchanges:
        database.write(lambda t, e=exchange: exchange_log.append(t, e))


def _found(database: Database, **wanted: object) -> list[RecordedExchange]:
    asked = ExchangeFilter(**wanted)  # type: ignore[arg-type]
    return list(
        database.read(lambda t: exchange_log.search(t, plan=ACME, wanted=asked, descending=False))
    )


def _rows(database: Database, table: str) -> str:
    found = database.read(
        lambda t: t.connection.execute(text(f"SELECT * FROM {table}")).fetchall()  # noqa: S608
    )
    return str(found)


def test_nothing_in_the_log_says_whose_it_was(database: Database) -> None:
    _append(database, ABOUT, ABOUT)
    for table in ("exchange", "exchange_document"):
        assert MEMBER not in _rows(database, table)
        assert DOCUMENT not in _rows(database, table)
    assert [record.exchange for record in _found(database)] == [ABOUT, ABOUT]


def test_a_search_reaches_over_months_and_records_of_both_versions(
    database: Database, key_file: Path
) -> None:
    _append_of_version_1(database, ABOUT)
    elsewhere = replace(ABOUT, member=MemberId("somebody"), documents=())
    _append(database, OLD, elsewhere, replace(ABOUT, plan=OTHER), ABOUT)
    assert [one.sequence for one in _found(database, member=MEMBER)] == [1, 2, 5]
    assert [one.sequence for one in _found(database, document=DOCUMENT)] == [1, 2, 5]
    assert [one.sequence for one in _found(database, member=MEMBER, since=NOW)] == [1, 5]
    assert [one.sequence for one in _found(database, member=MEMBER, until=NOW)] == [2]
    assert _found(database, member=MemberId("nobody")) == []
    assert {one.exchange.member for one in _found(database, document=DOCUMENT)} == {MEMBER}
    assert database.read(exchange_log.verify) == VerifyResult(5)


def _append_of_version_1(database: Database, exchange: Exchange) -> None:
    """As this log was written before anything in it was sealed."""
    values = exchange_chain.columns_of(replace(exchange, member=None, documents=()))
    values |= {"version": None, "member": exchange.member}
    values["documents"] = "[" + ",".join(f'"{one}"' for one in exchange.documents) + "]"
    canon = exchange_chain.canonical(values)
    hash = exchange_chain.chain_hash(previous=exchange_chain.GENESIS, canon=canon, sequence=1)
    row = {**values, "sequence": 1, "canon": canon, "previous_hash": exchange_chain.GENESIS}
    row["hash"] = hash
    names, marks = (", ".join(f'"{name}"' for name in row), ", ".join(f":{name}" for name in row))

    def unit(t: Transaction) -> None:
        time = exchange.time if t.is_postgres else exchange_chain.utc_text(exchange.time)
        t.connection.execute(text(APPENDED.format(names=names, marks=marks)), {**row, "time": time})
        for one in exchange.documents:
            t.connection.execute(
                text("INSERT INTO exchange_document VALUES (:one, 1, :plan)"),
                {"one": one, "plan": exchange.plan},
            )
        moved = "UPDATE exchange_head SET sequence = 1, hash = :hash"
        t.connection.execute(text(moved), {"hash": hash})

    database.write(unit)


def test_the_same_member_stands_under_another_hash_each_month(database: Database) -> None:
    _append(database, OLD, ABOUT)
    keys = database.read(lambda t: t.log_keys.within(t, ACME, None, None))
    assert len({key.member(MEMBER) for key in keys}) == 2


def test_a_month_that_began_without_a_key_for_documents_goes_on_without(
    database: Database, opened: Callable[[str], Database], url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else a document would be found in the records of one half of it alone."""
    with monkeypatch.context() as before:
        before.setattr("gateway.store.month_keys._MADE_BYTES", 2 * KEY_BYTES)
        _append(database, ABOUT)
    after = opened(url)
    _append(after, ABOUT)
    (key,) = after.read(lambda t: t.log_keys.within(t, ABOUT.plan, None, None))
    assert key.of_documents is None
    assert [one.sequence for one in _found(after, document=DOCUMENT)] == [1, 2]
    assert after.read(exchange_log.verify).first_bad is None


# ---- a shredded month ------------------------------------------------------------------------


@pytest.fixture
def shredded(database: Database) -> Database:
    """A log of three, the first two of a month that is gone."""
    _append(database, OLD, replace(OLD, member=None, documents=(), reason="nobody"), ABOUT)
    database.write(lambda t: disposals.shred(t, MARCH, now=NOW))
    return database


def test_a_shredded_month_verifies_whole_and_is_shown_as_disposed(shredded: Database) -> None:
    assert shredded.read(exchange_log.verify) == VerifyResult(3)
    first, second, third = _found(shredded)
    assert (first.is_disposed, second.is_disposed, third.is_disposed) == (True, False, False)
    assert (first.exchange.member, first.exchange.documents) == (None, ())
    assert replace(first.exchange, member=MEMBER, documents=OLD.documents) == OLD
    assert third.exchange == ABOUT


def test_nobody_is_found_in_a_shredded_month_and_the_search_says_so(shredded: Database) -> None:
    assert [one.sequence for one in _found(shredded, member=MEMBER)] == [3]
    assert [one.sequence for one in _found(shredded, document=DOCUMENT)] == [3]

    def hidden(**wanted: object) -> tuple[PlanMonth, ...]:
        asked = ExchangeFilter(**wanted)  # type: ignore[arg-type]
        return shredded.read(lambda t: disposals.hidden(t, ACME, asked))

    assert hidden(member=MEMBER) == hidden(document=DOCUMENT) == (MARCH,)
    assert hidden(member=MEMBER, since=MARCH.ends) == hidden(person="Ann") == ()


def test_a_process_that_knew_the_key_forgets_it(
    url: str, database: Database, opened: Callable[[str], Database]
) -> None:
    other = opened(url)
    _append(database, OLD)
    assert _found(other, member=MEMBER)[0].exchange == OLD
    database.write(lambda t: disposals.shred(t, MARCH, now=NOW))
    assert _found(other, member=MEMBER) == []
    assert _found(other)[0].is_disposed
    with pytest.raises(MonthDisposed):
        _append(other, OLD)


def test_the_shredded_key_is_nowhere_in_the_file(
    sqlite_url: str, opened: Callable[[str], Database]
) -> None:
    database = opened(sqlite_url)
    _append(database, OLD)
    select = text("SELECT wrapped FROM log_month")
    wrapped = database.read(lambda t: t.connection.execute(select).scalar_one())
    file = Path(sqlite_url.removeprefix("sqlite:///"))
    database.write(lambda t: disposals.shred(t, MARCH, now=NOW))
    database.close()  # the last one to close a file of SQLite's takes up its -wal
    assert wrapped not in file.read_bytes()
    assert not file.with_name(file.name + "-wal").exists()


@pytest.mark.parametrize(
    "statement",
    ["UPDATE log_month SET wrapped = '1', disposed = NULL", "DELETE FROM log_month"],
)
def test_a_shredded_month_stays_so(shredded: Database, statement: str) -> None:
    only = " WHERE month = '2015-03'"
    with pytest.raises(Exception, match=r"stays so|never deleted"):
        shredded.write(lambda t: t.connection.execute(text(statement + only)))


# ---- keys ------------------------------------------------------------------------------------


def test_a_key_that_was_made_in_a_failed_unit_seals_nothing(database: Database) -> None:
    def fail(t: Transaction) -> None:
        exchange_log.append(t, ABOUT)
        t.after_unit(_fail, None)

    with pytest.raises(LookupError):
        database.write(fail)
    assert database.read(lambda t: t.log_keys.within(t, ACME, None, None)) == ()
    _append(database, ABOUT)
    assert [one.exchange for one in _found(database, member=MEMBER)] == [ABOUT]


def _fail(_t: Transaction, _items: list[None]) -> None:
    raise LookupError


def test_a_changed_seal_does_not_pass_for_another_members(database: Database) -> None:
    _append(database, ABOUT, replace(ABOUT, member=MemberId("other")))
    swap = text("UPDATE exchange SET private = 'AAAA' || substr(private, 5) WHERE sequence = 1")
    for name in ("exchange_keeps_updates", "exchange_keeps_rows"):
        where = " ON exchange" if database.is_postgres else ""
        drop = text(f"DROP TRIGGER IF EXISTS {name}{where}")
        database.write(lambda t, d=drop: t.connection.execute(d))
    database.write(lambda t: t.connection.execute(swap))
    with pytest.raises(DamagedRecord):
        _found(database)
    result = database.read(exchange_log.verify)
    assert (result.first_bad, result.reason) == (1, "record 1 was changed: private")


def test_the_log_opens_after_the_key_encryption_key_was_changed(
    url: str, database: Database, key_file: Path, opened: Callable[[str], Database]
) -> None:
    running = opened(url)
    _append(database, OLD)
    add_key(key_file)
    assert KeyRing(key_file, database).rewrap() == 1
    _append(opened(url), ABOUT)  # the first of its month, under the key that was added
    assert len(_found(running, member=MEMBER)) == 2
    _append(running, replace(ABOUT, time=NOW + timedelta(seconds=1)))
    key_file.write_text(key_file.read_text().splitlines(keepends=True)[-1])
    assert len(_found(opened(url), member=MEMBER)) == 3


def test_another_houses_key_file_opens_nothing(
    url: str, database: Database, tmp_path: Path
) -> None:
    _append(database, ABOUT)
    create_key_file(tmp_path / "another")
    other = open_database(url, key_file=tmp_path / "another")
    with pytest.raises(KeyFileUnusable, match="belongs to other data"):
        _found(other, member=MEMBER)
    with pytest.raises(KeyFileUnusable):
        _append(other, ABOUT)
    other.close()


def test_without_keys_the_log_is_verified_and_not_read(url: str, database: Database) -> None:
    _append(database, ABOUT)
    auditor = open_database(url)
    assert auditor.read(exchange_log.verify) == VerifyResult(1)
    with pytest.raises(RuntimeError, match="without the keys"):
        _found(auditor)
    with pytest.raises(RuntimeError, match="without the keys"):
        _append(auditor, ABOUT)
    auditor.close()
