"""Records are found by each thing they say, in any order, page after page without end."""

from datetime import timedelta
from typing import get_args

import pytest
from sqlalchemy import text

from gateway.model.exchange import Exchange, ExchangeFilter
from gateway.model.identity import DocumentId, PartnerId
from gateway.store import exchange_log
from gateway.store.database import Database
from gateway.store.exchange_search import Column, NoSuchRecord
from gateway.store.scope import ALL_PLANS
from tests.gateway.store.builders import ACME, NOW, OTHER, an_exchange

COLUMNS: tuple[Column, ...] = get_args(Column)
RECORDS = [
    an_exchange(
        time=NOW + timedelta(minutes=(7 * number) % 5),
        direction="in" if number % 3 else "out",
        transaction=f"ITI-{number % 2}",
        outcome="refused" if number % 4 == 0 else "success",
        partner=None if number % 3 == 0 else PartnerId(f"p{number % 2}"),
        person=None if number == 4 else f"Ann {number % 3}",
        peer=f"10.0.0.{number % 4}",
        role="nurse" if number % 2 else None,
        purpose="PAYMENT" if number % 2 else None,
        authority=None,
        reason=f"reason {number}" if number % 5 == 0 else None,
        conversation=f"c{number % 3}" if number % 2 else None,
        message_id=f"urn:{97 - number}",
        duration_ms=None if number % 4 == 1 else number % 3,
        count=1 + number % 2,
        documents=(DocumentId(f"d{number % 3}"), DocumentId("all"), DocumentId("all")),
    )
    for number in range(11)
]


@pytest.fixture
def log(database: Database) -> Database:
    """Eleven records of one plan, with one of another in between."""
    for number, exchange in enumerate(RECORDS):
        database.write(lambda t, e=exchange: exchange_log.append(t, e))
        if number == 5:
            database.write(lambda t: exchange_log.append(t, an_exchange(plan=OTHER)))
    return database


def _expected(column: Column, *, descending: bool) -> list[int]:
    """The plan's sequences as Python sorts them; those without the value are last."""
    numbered = {n + 1 + (n > 5): exchange for n, exchange in enumerate(RECORDS)}

    def value(sequence: int) -> object:
        return sequence if column == "sequence" else getattr(numbered[sequence], column)

    stated = [one for one in numbered if value(one) is not None]
    unstated = [one for one in numbered if value(one) is None]
    return sorted(stated, key=lambda one: (value(one), one), reverse=descending) + sorted(
        unstated, reverse=descending
    )


@pytest.mark.parametrize("descending", [True, False])
def test_every_column_sorts_and_its_pages_join_without_gap_or_overlap(
    log: Database, descending: bool
) -> None:
    for column in COLUMNS:
        expected = _expected(column, descending=descending)
        for limit in (1, 3, 11):
            assert _by_keyset(log, column, descending, limit) == expected, (column, limit)
            assert _by_offset(log, column, descending, limit) == expected, (column, limit)


def _by_keyset(log: Database, column: Column, descending: bool, limit: int) -> list[int]:
    found: list[int] = []
    after: int | None = None
    while page := log.read(
        lambda t, a=after: exchange_log.search(  # type: ignore[misc]
            t, plan=ACME, order=column, descending=descending, limit=limit, after=a
        )
    ):
        found += [record.sequence for record in page]
        after = found[-1]
    return found


def _by_offset(log: Database, column: Column, descending: bool, limit: int) -> list[int]:
    found: list[int] = []
    for offset in range(0, len(RECORDS), limit):
        page = log.read(
            lambda t, passed=offset: exchange_log.search(  # type: ignore[misc]
                t, plan=ACME, order=column, descending=descending, limit=limit, offset=passed
            )
        )
        found += [record.sequence for record in page]
    return found


def test_a_page_goes_on_where_it_ended_whatever_was_appended_since(log: Database) -> None:
    first = log.read(lambda t: exchange_log.search(t, plan=ACME, limit=4))
    log.write(lambda t: exchange_log.append(t, an_exchange()))
    rest = log.read(lambda t: exchange_log.search(t, plan=ACME, after=first[-1].sequence))
    assert [one.sequence for one in (*first, *rest)] == _expected("sequence", descending=True)


@pytest.mark.parametrize("after", [7, 4000])
def test_a_page_after_a_record_that_is_not_the_plans_is_no_page(log: Database, after: int) -> None:
    with pytest.raises(NoSuchRecord):
        log.read(lambda t: exchange_log.search(t, plan=ACME, after=after))


def _found(log: Database, wanted: ExchangeFilter) -> list[Exchange]:
    found = log.read(lambda t: exchange_log.search(t, plan=ACME, wanted=wanted, descending=False))
    return [record.exchange for record in found]


@pytest.mark.parametrize(
    "wanted",
    [
        ExchangeFilter(direction="in"), ExchangeFilter(transaction="ITI-1"),
        ExchangeFilter(outcome="refused"), ExchangeFilter(partner=PartnerId("p1")),
        ExchangeFilter(person="Ann 1"), ExchangeFilter(purpose="PAYMENT"),
        ExchangeFilter(conversation="c1"),  # type: ignore[arg-type]
        ExchangeFilter(message_id="urn:90"), ExchangeFilter(person="Ann 2", outcome="refused"),
    ],
)  # fmt: skip
def test_each_filter_finds_exactly_what_says_so(log: Database, wanted: ExchangeFilter) -> None:
    names = ("direction", "transaction", "outcome", "partner", "person", "purpose",
             "conversation", "message_id")  # fmt: skip
    stated = {name: getattr(wanted, name) for name in names if getattr(wanted, name) is not None}
    fitting = [one for one in RECORDS if all(getattr(one, name) == v for name, v in stated.items())]
    assert fitting
    assert _found(log, wanted) == fitting


def test_times_and_documents_bound_a_search(log: Database) -> None:
    since, until = NOW + timedelta(minutes=1), NOW + timedelta(minutes=3)
    assert _found(log, ExchangeFilter(since=since, until=until)) == [
        one for one in RECORDS if since <= one.time < until
    ]
    assert _found(log, ExchangeFilter(document=DocumentId("d1"))) == RECORDS[1::3]
    assert _found(log, ExchangeFilter(document=DocumentId("all"))) == RECORDS
    assert _found(log, ExchangeFilter(document=DocumentId("d"))) == []


def test_a_stranger_with_a_name_without_end_is_recorded_and_found_by_its_beginning(
    database: Database,
) -> None:
    """PostgreSQL refuses index rows over a third of a page: the refusal would lose the record."""
    name = "".join(chr(0x10000 + number * 37 % 60000) for number in range(1000))
    database.write(lambda t: exchange_log.append(t, an_exchange(person=name, purpose=name)))
    (record,) = _found(database, ExchangeFilter(person=name[:512]))
    assert record.purpose == name[:512]
    assert database.read(exchange_log.verify).records == 1


_PLAN_OF_A_QUERY = {
    "member": "exchange_of_member", "partner": "exchange_by_partner",
    "person": "exchange_by_person", "purpose": "exchange_by_purpose",
    "transaction": "exchange_by_transaction", "outcome": "exchange_by_outcome",
    "conversation": "exchange_of_conversation",
}  # fmt: skip


@pytest.mark.parametrize("column", _PLAN_OF_A_QUERY)
def test_sqlite_seeks_by_an_index_that_also_orders(sqlite_url: str, opened, column: str) -> None:  # type: ignore[no-untyped-def]
    statement = (
        f"EXPLAIN QUERY PLAN SELECT * FROM exchange WHERE \"{column}\" = 'x' "  # noqa: S608
        "ORDER BY sequence DESC LIMIT 100"
    )
    steps = opened(sqlite_url).read(lambda t: t.connection.execute(text(statement)).fetchall())
    (step,) = [row.detail for row in steps]
    assert f"USING INDEX {_PLAN_OF_A_QUERY[column]}" in step


def test_the_turned_around_documents_are_kept_as_the_records_are(log: Database) -> None:
    for statement in (
        "DELETE FROM exchange_document", "UPDATE exchange_document SET document = 'x'",
    ):  # fmt: skip
        with pytest.raises(Exception, match="never"):
            log.write(lambda t, s=statement: t.connection.execute(text(s)))
    assert len(log.read(lambda t: exchange_log.search(t, plan=ALL_PLANS))) == 12
