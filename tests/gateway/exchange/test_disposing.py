"""A month of the log is disposed of, or held: never both, whoever is quicker."""

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime

from gateway.app.house import House, log_seal
from gateway.exchange.disposing import Assessed, dispose
from gateway.model.exchange import Exchange
from gateway.model.retention import DISPOSAL, Hold, PlanMonth
from gateway.store import disposals, exchange_log, legal_holds
from gateway.store.database import Transaction
from tests.gateway.house import PLAN

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
