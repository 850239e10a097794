"""What a month of the log has, what holds it, and what is left of it."""

from datetime import UTC, datetime, timedelta

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from sqlalchemy import text

from gateway.model.checkpoint import LogKey
from gateway.model.exchange import Exchange
from gateway.model.identity import MemberId, PartnerId, PlanId
from gateway.model.retention import Disposal, Hold, MonthContent, PlanMonth
from gateway.store import checkpoints, disposals, exchange_log, legal_holds, wire_messages
from gateway.store.database import Database, Transaction
from gateway.store.keys import KeyRing
from gateway.store.wire_messages import seal_message, seal_together
from tests.gateway.store.builders import ACME, NOW, OTHER, an_exchange

MARCH = PlanMonth(ACME, "2015-03")
FIRST, LAST = MARCH.begins, MARCH.ends - timedelta(microseconds=1)
ANN = MemberId("Ann")


def _append(database: Database, *exchanges: Exchange) -> None:
    for exchange in exchanges:
        database.write(lambda t, e=exchange: exchange_log.append(t, e))


@pytest.fixture
def log(database: Database) -> Database:
    """March's first and last moment, of two plans and of none, and the moments around it."""
    _append(
        database,
        an_exchange(time=FIRST - timedelta(microseconds=1)),
        an_exchange(time=FIRST, member=ANN),
        an_exchange(time=FIRST, plan=OTHER),
        an_exchange(time=FIRST, plan=None, member=None),
        an_exchange(time=LAST, partner=PartnerId("p2")),
        an_exchange(time=MARCH.ends),
    )
    return database


def test_a_month_is_from_its_first_moment_to_its_last(log: Database) -> None:
    found = log.read(lambda t: disposals.content(t, MARCH))
    last = log.read(lambda t: exchange_log.get(t, plan=ACME, sequence=5))
    assert last is not None
    assert found == MonthContent(2, 2, 5, last.hash, 0, 0)
    assert log.read(lambda t: disposals.content(t, PlanMonth(None, "2015-03"))).records == 1


def test_the_months_that_stand_are_those_with_records(log: Database) -> None:
    listed = log.read(lambda t: disposals.months(t, before=MARCH.ends))
    assert [(one.plan, one.month) for one in listed] == [
        (None, "2015-03"), (ACME, "2015-02"), (ACME, "2015-03"), (ACME, "2015-04"),
        (OTHER, "2015-03"),
    ]  # fmt: skip
    log.write(lambda t: disposals.shred(t, MARCH, now=NOW))
    log.write(lambda t: disposals.shred(t, PlanMonth(None, "2015-03"), now=NOW))
    left = log.read(lambda t: disposals.months(t, before=NOW))
    assert set(listed) - set(left) == {MARCH, PlanMonth(None, "2015-03")}
    assert log.read(lambda t: disposals.disposed(t, ACME)) == (MARCH,)


def a_hold(**changes: object) -> Hold:
    values: dict[str, object] = {"id": "h1", "reason": "a suit", "placed_by": "Jane", "placed": NOW}
    return Hold(**{**values, **changes})  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("changes", "holds"),
    [
        ({}, True),
        ({"plan": ACME}, True),
        ({"plan": OTHER}, False),
        ({"member": ANN}, True),
        ({"member": MemberId("Bob")}, False),
        ({"partner": PartnerId("p2")}, True),
        ({"partner": PartnerId("p3")}, False),
        ({"partner": PartnerId("p2"), "member": ANN}, False),
        ({"since": LAST}, True),
        ({"since": MARCH.ends}, False),
        ({"until": FIRST + timedelta(seconds=1)}, True),
        ({"until": FIRST}, False),
        ({"since": FIRST + timedelta(days=1), "until": LAST}, False),
        ({"member": ANN, "since": FIRST + timedelta(days=1)}, False),
        ({"lifted": NOW}, False),
    ],
)
def test_a_hold_is_on_the_months_with_a_record_that_is_what_it_says(
    log: Database, changes: dict[str, object], holds: bool
) -> None:
    hold = a_hold(**changes)
    assert bool(log.read(lambda t: disposals.holding(t, MARCH, [hold]))) is holds


BEFORE, AFTER = FIRST - timedelta(seconds=1), MARCH.ends


@pytest.mark.parametrize("together", [True, False])
@pytest.mark.parametrize(
    ("time", "plan", "changes", "holds"),
    [
        (AFTER, ACME, {}, True),
        (BEFORE, ACME, {"member": ANN}, True),  # an answer that came long after it was asked for
        (AFTER, ACME, {"member": ANN, "since": AFTER}, True),
        (AFTER, ACME, {"member": MemberId("Bob")}, False),
        (AFTER, ACME, {"until": AFTER}, False),
        (AFTER, ACME, {"partner": PartnerId("p3")}, False),
        (AFTER, ACME, {"plan": OTHER}, False),
        (AFTER, ACME, {"lifted": NOW}, False),
        (AFTER, None, {"plan": ACME, "member": ANN}, True),  # a question about several plans
        (AFTER, None, {"plan": OTHER}, False),
    ],
)
def test_a_hold_is_on_the_month_in_which_the_envelope_of_a_record_was_sealed(
    house: Database,
    keys: KeyRing,
    together: bool,
    time: datetime,
    plan: PlanId | None,
    changes: dict[str, object],
    holds: bool,
) -> None:
    asked = seal_message(keys, b"<ask/>", plan=plan, now=LAST)
    answer = seal_message(keys, b"<tell/>", plan=plan, now=LAST)
    both = seal_together(keys, b"<ask/>", b"<tell/>", plan=plan, now=LAST)
    told = an_exchange(time=time, member=ANN, request_hash=asked.hash, answer_hash=answer.hash)
    for one in [both] if together else [answer]:
        house.write(lambda t, m=one: wire_messages.put(t, m))
    _append(house, told)
    month = PlanMonth(plan, MARCH.month)
    hold = a_hold(**changes)
    assert bool(house.read(lambda t: disposals.holding(t, month, [hold]))) is holds


def test_holds_are_kept_and_lifted_once(database: Database) -> None:
    first = a_hold(plan=ACME, member=ANN, partner=PartnerId("p2"), since=FIRST, until=LAST)
    database.write(lambda t: [legal_holds.put(t, one) for one in (first, a_hold(id="h2"))])
    assert database.read(legal_holds.list_all) == (first, a_hold(id="h2"))
    for expected in (True, False):
        done = database.write(
            lambda t: legal_holds.lift(t, "h1", by="Joe", because="settled", now=NOW)
        )
        assert (done is not None and not done.is_in_force) is expected
    assert [one.id for one in database.read(legal_holds.list_all)] == ["h2"]
    kept = database.read(lambda t: legal_holds.list_all(t, lifted=True))[0]
    assert (kept.lifted_by, kept.lifted, kept.lifted_because) == ("Joe", NOW, "settled")


def test_a_months_envelopes_go_with_it_and_no_others(house: Database, keys: KeyRing) -> None:
    moments: list[tuple[PlanId | None, datetime]] = [
        (ACME, FIRST), (ACME, MARCH.ends), (OTHER, FIRST), (None, FIRST),
    ]  # fmt: skip
    for plan, time in moments:
        message = seal_message(keys, b"<Envelope/>", plan=plan, now=time)
        house.write(lambda t, m=message: wire_messages.put(t, m))
    assert house.read(lambda t: disposals.content(t, MARCH)).envelopes == 1
    both = seal_together(keys, b"<Envelope/>", b"<Answer/>", plan=ACME, now=FIRST)
    house.write(lambda t: wire_messages.put(t, both))
    assert house.read(lambda t: disposals.content(t, MARCH)).envelopes == 3
    house.write(lambda t: disposals.shred(t, MARCH, now=NOW))
    select = text("SELECT scope FROM wire_message ORDER BY scope")
    left = house.read(lambda t: t.connection.execute(select).scalars().all())
    assert left == ["/2015-03", "acme/2015-04", "other/2015-03"]


def test_envelopes_from_before_months_had_a_key_go_by_their_records(
    house: Database, keys: KeyRing
) -> None:
    message = seal_message(keys, b"<Envelope/>", plan=ACME, now=FIRST)
    generation, sealed = keys.seal(ACME, b"x", message.hash)
    rows = [(message.hash, "acme"), ("f" * 64, "acme"), (message.hash, "")]
    insert = text(
        "INSERT INTO wire_message (hash, scope, plan, generation, sealed)"
        " VALUES (:hash, :scope, NULL, :generation, :sealed)"
    )
    told = an_exchange(time=FIRST, member=None, request_hash=message.hash)
    _append(house, told)
    older = "UPDATE exchange SET version = NULL"
    for name in ("exchange_keeps_updates", "exchange_keeps_rows"):
        where = " ON exchange" if house.is_postgres else ""
        drop = text(f"DROP TRIGGER IF EXISTS {name}{where}")
        house.write(lambda t, d=drop: t.connection.execute(d))
    house.write(lambda t: t.connection.execute(text(older)))
    for hash, scope in rows:
        values = {"hash": hash, "scope": scope, "generation": generation, "sealed": sealed}
        house.write(lambda t, v=values: t.connection.execute(insert, v))
    assert house.read(lambda t: disposals.content(t, MARCH)).envelopes == 1
    house.write(lambda t: disposals.shred(t, MARCH, now=NOW))
    select = text("SELECT hash, scope FROM wire_message ORDER BY scope")
    left = house.read(lambda t: t.connection.execute(select).fetchall())
    assert [tuple(row) for row in left] == [(message.hash, ""), ("f" * 64, "acme")]


@pytest.mark.parametrize(
    "statement", ["UPDATE disposal SET certificate = 'x'", "DELETE FROM disposal"]
)
def test_a_certificate_stays_as_it_was_signed(log: Database, statement: str) -> None:
    content = log.read(lambda t: disposals.content(t, MARCH))
    done = Disposal(MARCH, content, 10, "Jane", datetime(2026, 1, 1, tzinfo=UTC))
    log.write(lambda t: disposals.certify(t, done, certificate="signed", key="key"))
    with pytest.raises(Exception, match="never"):
        log.write(lambda t: t.connection.execute(text(statement)))
    assert log.read(disposals.certificates) == ((MARCH, "signed", "key"),)


@pytest.mark.parametrize(
    "statement",
    [
        "DELETE FROM wire_message",
        "UPDATE wire_message SET sealed = sealed",
        "DELETE FROM legal_hold",
        "UPDATE legal_hold SET member = 'nobody'",
        "UPDATE legal_hold SET until = since",
        "DELETE FROM checkpoint",
        "UPDATE checkpoint SET note = 'another'",
    ],
)
def test_the_database_itself_keeps_what_stands_beside_the_log(
    house: Database, keys: KeyRing, statement: str
) -> None:
    """Triggers; on PostgreSQL the role that serves may not even try (test_roles)."""
    message = seal_message(keys, b"<Envelope/>", plan=ACME, now=NOW)

    def unit(transaction: Transaction) -> None:
        wire_messages.put(transaction, message)
        legal_holds.put(transaction, a_hold(member=ANN, since=FIRST))
        exchange_log.append(transaction, an_exchange())

    house.write(unit)
    key = LogKey("gateway/2.999", Ed25519PrivateKey.generate().public_key())
    grown = house.read(lambda t: checkpoints.grown(t, key))
    house.write(lambda t: checkpoints.put(t, grown, note="signed", key="key", now=NOW))
    with pytest.raises(Exception, match=r"stays|only ever"):
        house.write(lambda t: t.connection.execute(text(statement)))
    house.write(lambda t: checkpoints.mark_published(t, size=1, place="a folder"))


def test_a_hold_that_was_lifted_is_not_lifted_to_another_day(database: Database) -> None:
    database.write(lambda t: legal_holds.put(t, a_hold()))
    database.write(lambda t: legal_holds.lift(t, "h1", by="Joe", because="settled", now=NOW))
    again = text("UPDATE legal_hold SET lifted = NULL")
    with pytest.raises(Exception, match="only ever lifted, and that once"):
        database.write(lambda t: t.connection.execute(again))
