"""A month of the log is disposed of, or held: never both, whoever is quicker."""

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from gateway.app.house import House, log_seal
from gateway.exchange.disposing import Assessed, dispose
from gateway.model.exchange import Exchange
from gateway.model.retention import DISPOSAL, HOLD_PLACED, Hold, PlanMonth
from gateway.store import disposals, exchange_log, legal_holds
from gateway.store.database import Transaction
from gateway.store.hold_words import placed_words
from tests.gateway.house import OTHER_PLAN, PLAN, open_house

NOW = datetime(2026, 11, 26, 12, tzinfo=UTC)
MARCH = PlanMonth(PLAN, "2014-03")
HOLD = Hold("h1", "a suit", "Jane", NOW)


def _disposed(house: House) -> Assessed:
    by = Exchange(NOW, "in", DISPOSAL, "success", person="Joe")
    seal, years_of = log_seal(house.settings), house.settings.retention_years
    return house.database.write(lambda tx: dispose(tx, MARCH, years_of, seal=seal, by=by, now=NOW))


def test_a_hold_that_is_just_being_placed_is_waited_for(either_house: House) -> None:
    house, is_placed = either_house, threading.Event()
    old = Exchange(datetime(2014, 3, 5, tzinfo=UTC), "out", "ITI-55", "success", plan=PLAN)
    house.database.write(lambda tx: exchange_log.append(tx, old))

    def place(transaction: Transaction) -> None:
        legal_holds.put(transaction, HOLD)
        is_placed.set()
        time.sleep(0.3)  # in which the other looks, if it may

    with ThreadPoolExecutor() as threads:
        placed = threads.submit(house.database.write, place)
        assert is_placed.wait(20)
        found = _disposed(house)
        placed.result(20)
    assert found.refusal == "it is under legal hold h1"
    assert house.database.read(disposals.disposed) == ()
    house.database.write(lambda tx: legal_holds.lift(tx, "h1", by="J", because="over", now=NOW))
    assert _disposed(house).refusal is None
    assert house.database.read(disposals.disposed) == (MARCH,)


@pytest.mark.parametrize(
    ("change", "what"),
    [
        (
            "UPDATE legal_hold SET lifted = placed, lifted_by = 'J'",
            ", which nobody lifted on record",
        ),
        ("UPDATE legal_hold SET plan = 'other'", ", which is on something else"),
        ("UPDATE legal_hold SET until = since", ", which is on something else"),
        ("DELETE FROM legal_hold", ""),
    ],
)
def test_nothing_is_disposed_of_while_a_hold_is_not_as_the_log_says(
    either_house: House, change: str, what: str
) -> None:
    house = either_house
    old = Exchange(datetime(2014, 3, 5, tzinfo=UTC), "out", "ITI-55", "success", plan=PLAN)
    hold = replace(HOLD, since=datetime(2014, 1, 1, tzinfo=UTC))
    placed = Exchange(NOW, "in", HOLD_PLACED, "success", reason=placed_words(hold))

    def unit(transaction: Transaction) -> None:
        exchange_log.append(transaction, old)
        legal_holds.put(transaction, hold)
        exchange_log.append(transaction, placed)

    house.database.write(unit)
    assert _disposed(house).refusal == "it is under legal hold h1"
    house.database.write(lambda tx: _unguarded(tx, change))
    assert _disposed(house).refusal == f"a hold is not as the log says: legal hold h1{what}"
    assert house.database.read(disposals.disposed) == ()


def _unguarded(transaction: Transaction, change: str) -> None:
    """As who owns the database."""
    run = transaction.connection.exec_driver_sql
    if transaction.is_postgres:
        run("ALTER TABLE legal_hold DISABLE TRIGGER USER")
    else:
        for name in ("updates", "deletes"):
            run(f"DROP TRIGGER legal_hold_keeps_{name}")
    run(change)


def test_a_hold_that_cannot_be_read_holds_everything_and_hides_no_other(tmp_path: Path) -> None:
    old = Exchange(datetime(2014, 3, 5, tzinfo=UTC), "out", "ITI-55", "success", plan=PLAN)
    placed = Exchange(NOW, "in", HOLD_PLACED, "success", reason=placed_words(HOLD))

    def unit(transaction: Transaction) -> None:
        exchange_log.append(transaction, old)
        legal_holds.put(transaction, HOLD)
        legal_holds.put(transaction, replace(HOLD, id="h2", plan=OTHER_PLAN))
        exchange_log.append(transaction, placed)
        _unguarded(transaction, "UPDATE legal_hold SET placed = 'long ago' WHERE id = 'h1'")

    with open_house(tmp_path, furnished=False, known=()) as house:
        house.database.write(unit)
        refusal = "a hold is not as the log says: legal hold h1, which cannot be read"
        assert _disposed(house).refusal == refusal
        assert [hold.id for hold in house.database.read(legal_holds.list_all)] == ["h2"]
