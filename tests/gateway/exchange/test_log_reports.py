"""What is unusual is found without unsealing the days before: the same as by reading everything."""

import random
import tracemalloc
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from gateway.app.house import House
from gateway.exchange.log_reports import export_of, outflow_of, records_of, unusual_of
from gateway.exchange.unusual import Unusual, unusual_accesses
from gateway.model.exchange import Exchange, ExchangeFilter
from gateway.model.identity import DocumentId, MemberId, PartnerId
from gateway.settings_audit import Usual
from gateway.store import exchange_log, exchange_search
from gateway.store.scope import ALL_PLANS, Scope
from gateway.store.transaction import Transaction
from tests.gateway.house import OTHER_PLAN, PLAN, open_house

SINCE = datetime(2026, 6, 10, tzinfo=UTC)
USUAL = Usual(days=60, members_per_day=1, times=1.0)


def looks(count: int) -> Iterator[Exchange]:
    """Over three months and two plans, of few people and members; not in the order of time."""
    draw, names = random.Random(6), random.Random(7)
    for _ in range(count):
        who = draw.choice(("Nora", "Nils", None))
        name = names.choice(("REST-SUMMARY", "REST-DOCUMENTS", "REST-SEND"))
        yield Exchange(
            time=SINCE + timedelta(hours=draw.randrange(-80 * 24, 7 * 24)),
            direction=draw.choice(("in", "in", "in", "out")),
            transaction="ITI-38" if who is None else name,
            reason=f"{names.randrange(9)} members",
            outcome=draw.choice(("success", "partial", "refused")),
            plan=draw.choice((PLAN, OTHER_PLAN)),
            partner=PartnerId("2.999.7") if who is None else None,
            person=who,
            role="staff",
            member=MemberId(f"m-{draw.randrange(25)}") if draw.random() < 0.9 else None,
            documents=(DocumentId("d-1"),),
        )


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    folder: Path = tmp_path_factory.mktemp("looks")
    with open_house(folder, furnished=False, known=()) as opened:
        opened.database.write(lambda tx: [exchange_log.append(tx, one) for one in looks(600)])
        yield opened


def by_reading_all(transaction: Transaction, plan: Scope) -> tuple[Unusual, ...]:
    span = ExchangeFilter(since=SINCE - timedelta(days=USUAL.days))
    found = records_of(transaction, plan, span)
    ordered = sorted(found, key=lambda one: (one.exchange.time, one.sequence))
    return tuple(unusual_accesses(ordered, since=SINCE, usual=USUAL))


@pytest.mark.parametrize("plan", [PLAN, ALL_PLANS], ids=["one plan", "all"])
def test_the_days_before_count_as_if_they_were_read_whole(
    house: House, plan: Scope, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(exchange_search, "_LOOKS", 7)  # many pages
    expected = house.database.read(lambda tx: by_reading_all(tx, plan))
    found = house.database.read(
        lambda tx: unusual_of(tx, plan, since=SINCE, until=None, usual=USUAL)
    )
    assert found == expected
    assert {one.kind for one in found} == {"first_time", "many_members", "odd_hours"}


def test_what_left_is_the_same_in_whatever_order_the_log_is_read(house: House) -> None:
    span = ExchangeFilter(since=SINCE - timedelta(days=20), until=SINCE)
    by_time, by_sequence = house.database.read(
        lambda tx: tuple(
            [one.sequence for one in records_of(tx, PLAN, span, order=order)]
            for order in ("time", "sequence")  # type: ignore[arg-type]
        )
    )
    assert by_time != by_sequence
    assert sorted(by_time) == by_sequence
    assert house.database.read(lambda tx: outflow_of(tx, PLAN, span)) != []


# ---- all of it -------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def heavy(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    """2,000 records of 8 kB: they weigh 16 MB, and as much again in their sealed text."""
    with open_house(tmp_path_factory.mktemp("heavy"), furnished=False, known=()) as opened:
        facts = [replace(one, reason="x" * 8000) for one in looks(2000)]
        opened.database.write(lambda tx: [exchange_log.append(tx, one) for one in facts])
        yield opened


def test_an_export_holds_a_page_of_the_log_and_never_all_of_it(heavy: House) -> None:
    number, records = export_of(heavy.database, ALL_PLANS, ExchangeFilter())
    tracemalloc.start()
    try:
        weight = sum(len(one.exchange.reason or "") for one in records)
        _, peak_bytes = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert number >= 2000
    assert weight >= 16_000_000
    assert peak_bytes < 8_000_000


@pytest.mark.parametrize("plan", [PLAN, ALL_PLANS], ids=["one plan", "all"])
def test_an_export_gives_each_record_once_and_none_that_came_after_it_began(
    house: House, plan: Scope
) -> None:
    span = ExchangeFilter(since=SINCE - timedelta(days=80))
    expected = house.database.read(lambda tx: list(records_of(tx, plan, span)))
    number, records = export_of(house.database, plan, span)
    house.database.write(
        lambda tx: exchange_log.append(tx, replace(next(looks(1)), plan=PLAN, time=SINCE))
    )
    assert list(records) == expected
    assert number == len(expected) > 200
    nothing = export_of(house.database, plan, ExchangeFilter(since=SINCE + timedelta(days=900)))
    assert (nothing[0], list(nothing[1])) == (0, [])
