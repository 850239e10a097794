"""SQLite keeps anything anywhere: whatever somebody puts in a column, verify names the record."""

from collections.abc import Callable

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from gateway.model.checkpoint import LogKey
from gateway.store import exchange_log, wire_messages
from gateway.store.database import Database
from gateway.store.errors import DamagedWireMessage
from gateway.store.evidence import evidence
from gateway.store.exchange_chain import verify
from gateway.store.keys import KeyRing
from gateway.store.migrations import upgrade
from gateway.store.month_keys import month_of
from tests.gateway.store.builders import ACME, NOW, an_exchange

KEYS = [LogKey("gateway/2.999", Ed25519PrivateKey.generate().public_key())]
HOLD = "INSERT INTO legal_hold (id, reason, placed_by, placed) VALUES ('h1', 'y', 'z', 'bad')"
CERTIFICATE = (
    "INSERT INTO disposal (scope, month, certificate, key, made)"
    " VALUES ('acme', '2014-03', {}, 'k', 'bad')"
)


@pytest.fixture
def log(sqlite_url: str, opened: Callable[[str], Database]) -> Database:
    """Three records, without the guards."""
    upgrade(sqlite_url)
    database = opened(sqlite_url)
    for person in ("Ann", "Bob", "Eve"):
        told = an_exchange(person=person)
        database.write(lambda t, e=told: exchange_log.append(t, e))
    placed = an_exchange(
        transaction="CLI-AUDIT-HOLD", plan=None, partner=None, member=None, reason="hold h1"
    )
    database.write(lambda t: exchange_log.append(t, placed))
    names = "SELECT name FROM sqlite_master WHERE type = 'trigger'"
    for name in database.read(lambda t: t.connection.exec_driver_sql(names).scalars().all()):
        run(database, f"DROP TRIGGER {name}")
    return database


def run(database: Database, statement: str) -> None:
    database.write(lambda t: t.connection.exec_driver_sql(statement))


@pytest.mark.parametrize(
    ("change", "first_bad", "reason"),
    [
        ("person = CAST(x'ff41' AS TEXT)", 2, "record 2 was changed: person"),
        ("canon = CAST(x'ff41' AS TEXT)", 2, "record 2 was changed: its canonical text"),
        ("hash = CAST(x'ff' AS TEXT)", 2, "record 2 was changed: its hash does not fit"),
        ("previous_hash = CAST(x'ff' AS TEXT)", 2, "record 2 was changed: previous_hash"),
        ("documents = x'5b5d'", 2, "record 2 was changed: documents"),
        ("time = 'x'", 2, "record 2 was changed: time"),
        ("time = x'00'", 2, "record 2 was changed: time"),
    ],
)
def test_a_record_with_what_no_column_has_is_named(
    log: Database, change: str, first_bad: int, reason: str
) -> None:
    run(log, f"UPDATE exchange SET {change} WHERE sequence = 2")  # noqa: S608
    result = log.read(verify)
    assert (result.records, result.first_bad) == (first_bad - 1, first_bad)
    assert result.reason is not None and result.reason.startswith(reason)
    log.read(lambda t: t.connection.exec_driver_sql("SELECT 1").scalar_one())


@pytest.mark.parametrize("change", ["hash = CAST(x'ff' AS TEXT)", "sequence = 'abc'"])
def test_a_head_that_is_none_does_not_name_the_last_record(log: Database, change: str) -> None:
    run(log, f"UPDATE exchange_head SET {change}")  # noqa: S608
    assert log.read(verify).reason == "the head does not name the last record"


def test_a_document_that_no_record_can_be_named_by_is_told(log: Database) -> None:
    run(log, "INSERT INTO exchange_document VALUES ('a', 'acme', 'x')")
    assert log.read(verify).first_bad == 1


@pytest.mark.parametrize(
    ("statements", "sequence", "what"),
    [
        ([HOLD, "UPDATE log_month SET wrapped = 'abc'"], 1, f"the key of {month_of(NOW)} of acme"),
        ([HOLD, "UPDATE log_month SET wrapped = x'00'"], 1, f"the key of {month_of(NOW)} of acme"),
        ([HOLD, "UPDATE log_month SET month = x'00'"], 1, f"the key of {month_of(NOW)} of acme"),
        ([HOLD], 4, "legal hold h1, which cannot be read"),
        ([HOLD, "UPDATE legal_hold SET placed = 5.5"], 4, "legal hold h1, which cannot be read"),
        ([CERTIFICATE.format("x'00'")], None, "which no key of this log has signed"),
        ([CERTIFICATE.format("CAST(x'ff' AS TEXT)")], None, "which no key of this log has signed"),
    ],
)
def test_what_is_beside_the_log_and_is_none_is_missed(
    log: Database,
    sqlite_url: str,
    opened: Callable[[str], Database],
    statements: list[str],
    sequence: int | None,
    what: str,
) -> None:
    for one in statements:
        run(log, one)
    gone = opened(sqlite_url).read(lambda t: evidence(t, KEYS)).gone
    assert any(one.sequence == sequence and one.what.endswith(what) for one in gone)


@pytest.mark.parametrize("sealed", ["x'00'", "x''", "zeroblob(40)"])
def test_an_envelope_that_is_nothing_sealed_is_damaged(
    house: Database, keys: KeyRing, tamper: Callable[[str], None], sealed: str
) -> None:
    kept = wire_messages.seal_message(keys, b"<Envelope/>", plan=ACME, now=NOW)
    house.write(lambda t: wire_messages.put(t, kept))
    if house.is_postgres:
        sealed = {"x'00'": "'\\x00'", "x''": "'\\x'", "zeroblob(40)": "'\\x0000'"}[sealed]
    tamper(f"UPDATE wire_message SET sealed = {sealed}")  # noqa: S608
    found = house.read(lambda t: wire_messages.get(t, plan=ACME, hash=kept.hash))
    assert found is not None
    with pytest.raises(DamagedWireMessage):
        wire_messages.open_message(keys, found)
