"""What records name and nobody has any more is missed; what a disposal took is not."""

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from hashlib import sha256
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from gateway.model.checkpoint import LogKey, sign_note
from gateway.model.document import Blob
from gateway.model.exchange import Exchange
from gateway.model.identity import PlanId
from gateway.model.retention import DISPOSAL, Disposal, PlanMonth
from gateway.store import disposals, documents, exchange_log, wire_messages
from gateway.store.database import Database
from gateway.store.evidence import Evidence, Gone, evidence
from gateway.store.exchange_chain import verify
from gateway.store.keys import KeyRing
from gateway.store.month_keys import month_of
from gateway.store.wire_messages import seal_message, seal_together
from tests.gateway.store.builders import ACME, NOW, OTHER, an_exchange

MONTH = month_of(NOW)
MAIL = Blob("ab" * 32, 9, "1" * 40, "c" * 64)
NOTHING = Evidence((), 0)
SIGNER = Ed25519PrivateKey.from_private_bytes(b"\1" * 32)
ORIGIN = "gateway/2.999"
OURS = LogKey(ORIGIN, SIGNER.public_key())
SEVEN_YEARS_ON = NOW.replace(year=NOW.year + 7)


def found(house: Database) -> Evidence:
    """By the key with which the log is signed."""
    return house.read(lambda t: evidence(t, [OURS]))


def _kept(house: Database, keys: KeyRing, plan: PlanId | None, **changes: object) -> Exchange:
    """A record with both its envelopes, as a door leaves it."""
    told = an_exchange(plan=plan, **changes)
    sealed = [
        seal_message(keys, f"<{name}{told.time}{plan}/>".encode(), plan=plan, now=told.time)
        for name in ("ask", "tell")
    ]
    told = replace(told, request_hash=sealed[0].hash, answer_hash=sealed[1].hash)

    def unit(transaction: object) -> None:
        for one in sealed:
            wire_messages.put(transaction, one)  # type: ignore[arg-type]
        exchange_log.append(transaction, told)  # type: ignore[arg-type]

    house.write(unit)
    return told


def test_a_request_that_is_kept_with_its_answer_is_there_until_the_row_is_not(
    house: Database, keys: KeyRing, tamper: Callable[[str], None]
) -> None:
    both = seal_together(keys, b"<ask/>", b"<tell/>", plan=ACME, now=NOW)
    told = an_exchange(plan=ACME, request_hash=both.asked, answer_hash=both.hash)
    house.write(lambda t: wire_messages.put(t, both))
    house.write(lambda t: exchange_log.append(t, told))
    assert found(house) == NOTHING
    tamper("UPDATE wire_message SET asked = 'x'")
    assert found(house).gone == (Gone(1, "its request"),)
    tamper("DELETE FROM wire_message")
    assert found(house).gone == (Gone(1, "its request and its answer"),)


@pytest.fixture
def log(house: Database, keys: KeyRing) -> Database:
    """Of a plan and of none, of two months, and one that names nothing at all."""
    _kept(house, keys, ACME)
    _kept(house, keys, None, member=None)
    _kept(house, keys, ACME, time=NOW + timedelta(days=31))
    house.write(lambda t: exchange_log.append(t, an_exchange(plan=None, member=None)))
    return house


def test_what_is_all_there_is_all_there(log: Database) -> None:
    assert found(log) == NOTHING


@pytest.mark.parametrize(
    ("statement", "gone"),
    [
        ("DELETE FROM wire_message", [
            Gone(1, "its request and its answer"), Gone(2, "its request and its answer"),
            Gone(3, "its request and its answer"),
        ]),
        ("DELETE FROM wire_message WHERE hash ="
         " (SELECT answer_hash FROM exchange WHERE sequence = 2)", [Gone(2, "its answer")]),
        ("UPDATE wire_message SET hash = 'x' WHERE hash ="
         " (SELECT request_hash FROM exchange WHERE sequence = 3)", [Gone(3, "its request")]),
    ],
)  # fmt: skip
def test_an_envelope_that_was_deleted_is_missed_by_the_record_that_names_it(
    log: Database, tamper: Callable[[str], None], statement: str, gone: list[Gone]
) -> None:
    tamper(statement)
    assert log.read(verify).reason is None
    assert found(log) == Evidence(tuple(gone), 0)


@pytest.mark.parametrize(
    "statement",
    [
        "DELETE FROM log_month WHERE scope = 'acme' AND month = '{}'",
        "UPDATE log_month SET wrapped = NULL WHERE scope = 'acme' AND month = '{}'",
        "UPDATE log_month SET wrapped = NULL, disposed = created"
        " WHERE scope = 'acme' AND month = '{}'",
        "UPDATE log_month SET kek_id = 'another' WHERE scope = 'acme' AND month = '{}'",
        "UPDATE log_month SET month = '1999-01' WHERE scope = 'acme' AND month = '{}'",
    ],
)
def test_a_months_key_that_nobody_disposed_of_is_missed(
    log: Database,
    url: str,
    opened: Callable[[str], Database],
    tamper: Callable[[str], None],
    statement: str,
) -> None:
    for name in ("log_month_stays", "log_month_keeps_disposed"):
        if not log.is_postgres:
            tamper(f"DROP TRIGGER {name}")
    tamper(statement.format(MONTH))
    assert log.read(verify).reason is None
    left = found(opened(url))  # who has looked before still has the key
    assert Gone(1, f"the key of {MONTH} of acme") in left.gone


def _dispose(
    log: Database,
    month: PlanMonth,
    *,
    told: bool = True,
    signer: Ed25519PrivateKey = SIGNER,
    at: datetime = SEVEN_YEARS_ON,
    **changes: object,
) -> None:
    content = replace(log.read(lambda t: disposals.content(t, month)), **changes)
    done = Disposal(month, content, 6, "Jane", at)
    certificate = sign_note(done.note(ORIGIN), ORIGIN, signer)
    digest = sha256(certificate.encode()).hexdigest()
    key = LogKey(ORIGIN, signer.public_key()).text

    def unit(transaction: object) -> None:
        disposals.shred(transaction, month, now=at)  # type: ignore[arg-type]
        disposals.certify(transaction, done, certificate=certificate, key=key)  # type: ignore[arg-type]
        if told:
            reason = f"{month.month}: 1 records, certificate {digest}"
            act = an_exchange(
                transaction=DISPOSAL, plan=month.plan, member=None, reason=reason, time=at
            )
            exchange_log.append(transaction, act)  # type: ignore[arg-type]

    log.write(unit)


def test_what_a_disposal_took_is_lawfully_gone_and_counted(log: Database) -> None:
    _dispose(log, PlanMonth(ACME, MONTH))
    assert found(log) == Evidence((), 1)
    _dispose(log, PlanMonth(None, MONTH))
    assert found(log) == Evidence((), 2)


def test_a_disposal_of_which_the_chain_knows_nothing_makes_nothing_lawful(log: Database) -> None:
    _dispose(log, PlanMonth(ACME, MONTH), told=False)
    gone = found(log).gone
    assert gone == (
        Gone(None, _of_certificate("of which no record says that it was done"), is_damaged=True),
        Gone(1, f"the key of {MONTH} of acme"),
        Gone(1, "its request and its answer"),
    )


def test_a_disposal_whose_certificate_is_another_makes_nothing_lawful(
    log: Database, tamper: Callable[[str], None]
) -> None:
    _dispose(log, PlanMonth(ACME, MONTH))
    if not log.is_postgres:
        tamper("DROP TRIGGER disposal_keeps_updates")
    tamper("UPDATE disposal SET certificate = 'made up'")
    assert [one.sequence for one in found(log).gone] == [None, 1, 1]


@pytest.mark.parametrize(
    ("changes", "fault"),
    [
        ({"signer": Ed25519PrivateKey.generate()}, "which no key of this log has signed"),
        ({"at": NOW.replace(year=NOW.year + 5)}, "which was made before that month was due"),
        ({"records": 2}, "which is of other records than there are of that month"),
        ({"last": 3}, "which is of other records than there are of that month"),
        ({"closing_hash": "0" * 64}, "which is of other records than there are of that month"),
    ],
)
def test_a_disposal_is_lawful_only_if_we_signed_what_is_so(
    log: Database, changes: dict[str, Any], fault: str
) -> None:
    """Who writes to the database can put beside a certificate the key that he signed it with."""
    _dispose(log, PlanMonth(ACME, MONTH), **changes)
    left = found(log)
    assert left.disposed == 0
    assert left.gone[0] == Gone(5, _of_certificate(fault), is_damaged=True)
    assert [one.sequence for one in left.gone[1:]] == [1, 1]


def test_a_disposal_that_an_earlier_key_signed_is_lawful_by_that_key(log: Database) -> None:
    earlier = Ed25519PrivateKey.generate()
    _dispose(log, PlanMonth(ACME, MONTH), signer=earlier)
    both = [OURS, LogKey(ORIGIN, earlier.public_key())]
    assert log.read(lambda t: evidence(t, both)) == Evidence((), 1)


def _of_certificate(fault: str) -> str:
    return f"the certificate of disposal of {MONTH} of acme, {fault}"


def test_an_envelope_goes_with_the_month_in_which_it_was_sealed(
    house: Database, keys: KeyRing
) -> None:
    """That is before its record is made: at a month's end, or while an answer is awaited."""
    sealed = seal_message(keys, b"<Envelope/>", plan=ACME, now=NOW)
    later = an_exchange(request_hash=sealed.hash, time=PlanMonth(ACME, MONTH).ends, member=None)
    house.write(lambda t: (wire_messages.put(t, sealed), exchange_log.append(t, later)))
    assert found(house) == NOTHING
    _dispose(house, PlanMonth(ACME, MONTH))
    assert found(house) == Evidence((), 1)


def test_an_answer_that_was_long_awaited_goes_with_the_month_after_its_records(
    house: Database, keys: KeyRing
) -> None:
    april = PlanMonth(ACME, month_of(PlanMonth(ACME, MONTH).ends))
    answer = seal_message(keys, b"<Answer/>", plan=ACME, now=april.begins)
    told = an_exchange(answer_hash=answer.hash, member=None)
    house.write(lambda t: (wire_messages.put(t, answer), exchange_log.append(t, told)))
    assert found(house) == NOTHING
    _dispose(house, april)
    assert found(house) == Evidence((), 1)


@pytest.mark.parametrize(
    "change",
    [
        "plan = 'other', scope = 'other/' || month WHERE plan = 'acme'",
        "plan = 'other' WHERE plan = 'acme'",
        "scope = 'other/' || month WHERE plan = 'acme'",
    ],
)
def test_an_envelope_that_was_moved_to_another_plan_is_missed(
    log: Database, keys: KeyRing, tamper: Callable[[str], None], change: str
) -> None:
    _kept(log, keys, OTHER, member=None)
    _kept(log, keys, OTHER, member=None, time=NOW + timedelta(days=31))
    tamper(f"UPDATE wire_message SET {change}")  # noqa: S608
    assert [one.sequence for one in found(log).gone] == [1, 3]


def test_an_envelope_that_is_of_two_months_is_missed(
    log: Database, tamper: Callable[[str], None]
) -> None:
    tamper("UPDATE wire_message SET month = '1999-01' WHERE plan = 'acme'")
    assert Gone(None, "the key of 1999-01 of acme") in found(log).gone


def test_a_question_about_several_plans_is_kept_once_for_all_their_records(
    house: Database, keys: KeyRing, tamper: Callable[[str], None]
) -> None:
    asked = seal_message(keys, b"<ask/>", plan=None, now=NOW)
    told = [
        an_exchange(plan=plan, member=None, request_hash=asked.hash) for plan in (None, ACME, OTHER)
    ]
    house.write(lambda t: wire_messages.put(t, asked))
    house.write(lambda t: [exchange_log.append(t, one) for one in told])
    assert found(house) == NOTHING
    _dispose(house, PlanMonth(None, MONTH))
    assert found(house) == Evidence((), 3)


@pytest.mark.parametrize(
    ("name", "outcome", "is_missed"),
    [
        ("DIRECT-RECEIVE", "success", True),
        ("DIRECT-RECEIVE", "refused", True),
        ("DIRECT-SEND", "success", True),
        ("DIRECT-SEND", "failed", False),  # it is sealed anew when it is tried again
    ],
)
def test_a_message_that_was_deleted_is_missed(
    house: Database, name: str, outcome: str, is_missed: bool
) -> None:
    told = an_exchange(transaction=name, outcome=outcome, request_hash=MAIL.sha256, member=None)
    house.write(lambda t: exchange_log.append(t, told))
    gone = (Gone(1, "its message"),) if is_missed else ()
    assert found(house) == Evidence(gone, 0)
    house.write(lambda t: documents.keep_blob(t, plan=ACME, blob=MAIL))
    assert found(house) == NOTHING
