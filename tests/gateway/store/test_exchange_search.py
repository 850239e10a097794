"""Records are found by each thing they say, in any order, page after page without end."""

import shutil
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import replace
from datetime import timedelta
from itertools import combinations
from pathlib import Path
from typing import Any, get_args

import pytest
from sqlalchemy import text

from gateway.model.exchange import Exchange, ExchangeFilter, RecordedExchange
from gateway.model.identity import DocumentId, PartnerId
from gateway.store import exchange_log, exchange_paths, exchange_search
from gateway.store.database import Database, open_database
from gateway.store.exchange_looking import Looking, Stretch
from gateway.store.exchange_search import Column, NoSuchRecord
from gateway.store.key_file import create_key_file
from gateway.store.scope import ALL_PLANS, Scope
from gateway.store.transaction import Transaction
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
        for limit in (3, 11):
            assert _by_keyset(log, column, descending, limit) == expected, (column, limit)
            assert _by_offset(log, column, descending, limit) == expected, (column, limit)


def test_two_conditions_are_both_met_in_every_order(
    log: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whichever of them leads, or neither, and the second is asked of its own index.

    Every pair in a third of the orders, and every order with a third of the pairs: all of all
    took as long as fifty other tests.
    """
    monkeypatch.setattr(exchange_paths, "_most", lambda *_: 0)  # no set is small enough to be read
    told = RECORDS[7]
    for number, (one, other) in enumerate(combinations(exchange_paths._EQUAL, 2)):
        wanted = ExchangeFilter(**{name: getattr(told, name) for name in (one, other)})
        fitting = {
            n + 1 + (n > 5)
            for n, each in enumerate(RECORDS)
            if all(getattr(each, name) == getattr(told, name) for name in (one, other))
        }
        if wanted.peer is not None:  # a peer is that of records which name no partner
            fitting = {each for each in fitting if RECORDS[each - 1 - (each > 6)].partner is None}
        for column in COLUMNS[number % 3 :: 3]:
            expected = [each for each in _expected(column, descending=True) if each in fitting]
            assert _by_keyset(log, column, True, 2, wanted) == expected, (one, other, column)


def _by_keyset(
    log: Database,
    column: Column,
    descending: bool,
    limit: int,
    wanted: ExchangeFilter | None = None,
    scope: Scope = ACME,
) -> list[int]:
    found: list[int] = []
    after: int | None = None

    def look(transaction: Transaction) -> tuple[RecordedExchange, ...]:
        return exchange_log.search(
            transaction,
            plan=scope,
            wanted=wanted,
            order=column,
            descending=descending,
            limit=limit,
            after=after,
        )

    while page := log.read(look):
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


@pytest.mark.parametrize("descending", [True, False])
@pytest.mark.parametrize("values", [0, 2, 16])
@pytest.mark.parametrize("scope", [ACME, ALL_PLANS])
def test_records_of_some_time_are_sorted_by_every_column_however_they_are_found(
    log: Database,
    descending: bool,
    values: int,
    scope: Scope,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Walked value by value, or in one go, where they are too many to be read whole and sorted."""
    monkeypatch.setattr(exchange_paths, "_most", lambda *_: 0)
    monkeypatch.setattr(exchange_paths, "_VALUES", values)
    since, until = NOW + timedelta(minutes=1), NOW + timedelta(minutes=4)
    wanted = ExchangeFilter(since=since, until=until)
    of_that_time = {n + 1 + (n > 5) for n, one in enumerate(RECORDS) if since <= one.time < until}
    # Every column with either number of values and in both scopes, by turns in the two directions.
    for column in COLUMNS[descending::2]:
        ordered = _expected(column, descending=descending)
        expected = [one for one in ordered if one in of_that_time]
        found = _by_keyset(log, column, descending, 2 if descending else 11, wanted, scope)
        assert found == expected, column
        one = replace(wanted, outcome="refused", person="Ann 1")
        refused = [n + 1 + (n > 5) for n, it in enumerate(RECORDS) if it.outcome == "refused"]
        ann = [n for n in expected if n in refused and RECORDS[n - 1 - (n > 6)].person == "Ann 1"]
        assert _by_keyset(log, column, descending, 2, one, scope) == ann


def test_of_a_time_without_records_there_is_none(log: Database) -> None:
    wanted = ExchangeFilter(since=NOW + timedelta(days=1))
    for column in COLUMNS:
        assert _by_keyset(log, column, True, 2, wanted) == []


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


# ---- how it is found -------------------------------------------------------------------------

EVERY = get_args(exchange_search.Column)
WALKED = [name for name in EVERY if name != "sequence"]


def path_of(
    log: Database, order: str = "sequence", stretch: Stretch | None = None, **wanted: object
) -> list[str]:
    """By which steps SQLite finds a page's records of a plan, as it explains them."""
    stands_for = {
        name: (str(wanted.pop(one)),) if one in wanted else None
        for name, one in (("members", "member"), ("documents", "document"))
    }
    asked = ExchangeFilter(**wanted)  # type: ignore[arg-type]
    looking = Looking(asked, **stands_for, order=order, stretch=stretch or Stretch())  # type: ignore[arg-type]

    def explained(transaction: Transaction) -> list[str]:
        statement = exchange_paths.keys(transaction, looking, ACME)
        dialect = transaction.connection.dialect
        written = statement.compile(dialect=dialect, compile_kwargs={"render_postcompile": True})
        cursor = transaction.cursor()
        cursor.execute(f"EXPLAIN QUERY PLAN {written}", tuple(written.params.values()))
        return [row[3] for row in cursor.fetchall()]

    return log.read(explained)


@pytest.fixture(scope="module")
def long_log(migrated_sqlite: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Database]:
    """600 records: so many that one in two is too many to be read whole for a page of 100."""
    folder = tmp_path_factory.mktemp("long")
    file = folder / "gateway.sqlite"
    shutil.copy(migrated_sqlite, file)
    create_key_file(folder / "kek")
    with closing(open_database(f"sqlite:///{file}", key_file=folder / "kek")) as opened:

        def unit(transaction: Transaction) -> None:
            for number in range(600):
                told = an_exchange(
                    time=NOW + timedelta(minutes=number),
                    partner="p1" if number % 2 else f"p{number}",
                    person="rare" if number == 7 else "often",
                )
                exchange_log.append(transaction, told)

        opened.write(unit)
        yield opened


@pytest.mark.parametrize("column", WALKED)
def test_whatever_a_plans_records_are_sorted_by_is_walked_by_its_index(
    long_log: Database, column: str
) -> None:
    """So a page takes as long of ten million records as of a thousand: nothing is sorted."""
    for wanted in ({}, {"person": "often"}):
        walk, *others = path_of(long_log, column, **wanted)
        assert f"INDEX exchange_by_{column} (plan=?" in walk
        if not wanted or column == "person":
            assert others == []
            continue
        # Whose they are is asked of that index, record by record: the records are not looked at.
        assert others[0].startswith("CORRELATED SCALAR SUBQUERY")
        by_person = "SEARCH other USING COVERING INDEX exchange_by_person (plan=? AND person=? AND"
        assert len(others) == 2 and by_person in others[1], others


@pytest.mark.parametrize("column", WALKED)
def test_a_page_begins_behind_the_record_it_goes_on_after_not_before_all_that_say_the_same(
    long_log: Database, column: str
) -> None:
    said = "<expr>" if column in ("peer", "authority", "reason", "message_id") else column
    at, beyond = Stretch(at="x", after=300), Stretch(beyond="x")
    if column == "time":
        at, beyond = replace(at, at=NOW), replace(beyond, beyond=NOW)
    (step,) = path_of(long_log, column, at)
    assert f"exchange_by_{column} (plan=? AND {said}=? AND sequence<?)" in step
    (step,) = path_of(long_log, column, beyond)
    assert f"{said}<?)" in step
    (step,) = path_of(long_log, column, Stretch(is_stated=False, after=300))
    if column in ("partner", "person", "purpose", "member", "conversation"):
        assert f"exchange_by_{column} (plan=? AND {said}=? AND sequence<?)" in step


def test_what_lies_at_the_other_end_of_an_order_is_read_whole_instead_of_walked_to(
    sqlite_url: str, opened: Callable[[str], Database], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A partner that always speaks for the same person: sorted by that, it stands behind all."""
    log = opened(sqlite_url)

    def unit(transaction: Transaction) -> None:
        for number in range(600):
            partner, person = ("p1", "Zoe") if number % 2 else ("p2", "Ann")
            told = an_exchange(partner=PartnerId(partner), person=person)
            exchange_log.append(transaction, told)

    log.write(unit)
    monkeypatch.setattr(exchange_paths, "_SAMPLE", 50)
    assert "exchange_by_person" in path_of(log, "person", partner="p1")[0]
    # The newest are all Zoe's.
    steps = path_of(log, "person", partner="p2")
    assert any("exchange_by_partner (plan=? AND partner=?" in step for step in steps), steps
    found = _by_keyset(log, "person", True, 70, ExchangeFilter(partner=PartnerId("p2")))
    assert found == list(range(599, 0, -2))
    monkeypatch.setattr(exchange_paths, "_READ_WHOLE", 100)  # too many to be read whole
    assert "exchange_by_person" in path_of(log, "person", partner="p2")[0]
    assert _by_keyset(log, "person", True, 70, ExchangeFilter(partner=PartnerId("p2"))) == found


def steps_of(log: Database, **asked: Any) -> tuple[int, list[int]]:
    """How many steps SQLite's machine takes for a search by outcome, and what is found."""
    taken = 0

    def count() -> int:
        nonlocal taken
        taken += 1
        return 0

    def look(transaction: Transaction) -> tuple[RecordedExchange, ...]:
        driver = transaction.connection.connection.driver_connection
        driver.set_progress_handler(count, 1)
        try:
            return exchange_log.search(transaction, plan=ACME, order="outcome", limit=20, **asked)
        finally:
            driver.set_progress_handler(None, 0)

    found = [one.sequence for one in log.read(look)]
    return taken, found


def test_a_page_costs_the_same_however_many_records_say_what_it_is_sorted_by(
    long_log: Database,
) -> None:
    """40 records before the page's place or 400."""
    near, far = steps_of(long_log, after=560), steps_of(long_log, after=200)
    assert near[1] == list(range(559, 539, -1))
    assert far[1] == list(range(199, 179, -1))
    assert abs(near[0] - far[0]) < 40


def test_of_a_time_long_ago_a_page_costs_the_same_as_of_the_last(
    long_log: Database,
) -> None:
    """So many records that they are not read whole: what came since is not passed over."""
    middle = NOW + timedelta(minutes=300)
    old = steps_of(long_log, wanted=ExchangeFilter(since=NOW, until=middle))
    new = steps_of(long_log, wanted=ExchangeFilter(since=middle))
    assert old[1] == list(range(300, 280, -1))
    assert new[1] == list(range(600, 580, -1))
    assert abs(old[0] - new[0]) < 0.05 * new[0]


@pytest.mark.parametrize(
    ("wanted", "index"),
    [
        ({}, "exchange_of_plan (plan=?"),
        ({"partner": "p1"}, "exchange_by_partner (plan=? AND partner=?"),
        ({"person": "rare", "partner": "p1"}, "exchange_by_person (plan=? AND person=?"),
        ({"purpose": "PAYMENT"}, "exchange_by_purpose (plan=? AND purpose=?"),
        ({"outcome": "refused"}, "exchange_by_outcome (plan=? AND outcome=?"),
        ({"transaction": "ITI-39"}, "exchange_by_transaction (plan=? AND transaction=?"),
        ({"direction": "in"}, "exchange_by_direction (plan=? AND direction=?"),
        ({"conversation": "c"}, "exchange_by_conversation (plan=? AND conversation=?"),
        ({"message_id": "m"}, "exchange_by_message_id (plan=? AND <expr>=?"),
        ({"peer": "1.2.3.4"}, "exchange_by_peer (plan=? AND <expr>=?"),
    ],
)
def test_what_is_asked_for_leads_by_the_rarest_and_nothing_is_sorted(
    long_log: Database, wanted: dict[str, object], index: str
) -> None:
    step, *others = path_of(long_log, **wanted)
    assert index in step
    # A second condition is asked of its own index, not of the records.
    assert len(others) == (2 if len(wanted) > 1 else 0)
    assert all("other USING COVERING INDEX exchange_by_partner" in one for one in others[1:])


@pytest.mark.parametrize("column", EVERY)
def test_the_few_of_a_member_a_document_or_an_hour_are_read_and_then_sorted(
    long_log: Database, column: str
) -> None:
    hour = {"since": NOW, "until": NOW + timedelta(hours=1)}
    for wanted, index in (
        ({"member": "m"}, "exchange_by_member (plan=? AND member=?"),
        ({"document": "d"}, "exchange_document"),
        (hour, "exchange_by_time (plan=? AND time>? AND time<?"),
    ):
        steps = path_of(long_log, column, **wanted)
        if column == "time" and wanted is hour:
            assert "exchange_by_time (plan=? AND time>? AND time<?" in steps[0]
            continue
        assert "USING INTEGER PRIMARY KEY (rowid=?)" in steps[0], steps
        assert any(index in step for step in steps), steps


def test_the_turned_around_documents_are_kept_as_the_records_are(log: Database) -> None:
    for statement in (
        "DELETE FROM exchange_document", "UPDATE exchange_document SET document = 'x'",
    ):  # fmt: skip
        with pytest.raises(Exception, match="never"):
            log.write(lambda t, s=statement: t.connection.execute(text(s)))
    assert len(log.read(lambda t: exchange_log.search(t, plan=ALL_PLANS))) == 12
