"""Partners that fail are left alone, and tried; what they taught us is kept until it is revoked."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from gateway.model.identity import PartnerId
from gateway.store import partner_health, partner_lessons
from gateway.store.database import Database

NOW = datetime(2026, 1, 1, 12, tzinfo=UTC)
PARTNER = PartnerId("2.999.7")
TRIAL = timedelta(minutes=1)


def fail(database: Database, now: datetime = NOW) -> Any:
    return database.write(
        lambda tx: partner_health.failed(tx, partner=PARTNER, plan=None, reason="late", now=now)
    )


def admit(database: Database, now: datetime) -> Any:
    return database.write(
        lambda tx: partner_health.admit(tx, partner=PARTNER, now=now, trial=TRIAL)
    )


def test_three_failures_in_a_row_leave_a_partner_alone_for_a_minute(database: Database) -> None:
    assert admit(database, NOW) is None
    assert [fail(database).until for _ in range(3)] == [None, None, NOW + timedelta(minutes=1)]
    standing = admit(database, NOW + timedelta(seconds=59))
    assert (standing.failures, standing.reason) == (3, "late")


def test_after_its_rest_one_visit_tries_it_and_no_other(database: Database) -> None:
    for _ in range(3):
        fail(database)
    later = NOW + timedelta(seconds=61)
    assert admit(database, later) is None
    assert admit(database, later) is not None
    assert fail(database, later).until == later + timedelta(minutes=2)
    assert [fail(database, later).until for _ in range(9)][-1] == later + timedelta(minutes=15)


def test_one_answer_makes_it_well(database: Database) -> None:
    for _ in range(3):
        fail(database)
    database.write(lambda tx: partner_health.succeeded(tx, partner=PARTNER))
    assert admit(database, NOW) is None
    assert database.read(partner_health.list_all) == ()


def learn(
    database: Database, value: int, kind: Any = "documents_per_retrieve", now: datetime = NOW
) -> bool:
    return database.write(
        lambda tx: partner_lessons.learn(
            tx, partner=PARTNER, plan=None, kind=kind, value=value, why="it said so", now=now
        )
    )


def in_force(database: Database, now: datetime = NOW) -> Any:
    return database.read(
        lambda tx: partner_lessons.in_force(
            tx, partner=PARTNER, kind="documents_per_retrieve", now=now
        )
    )


def test_a_lesson_counts_for_a_while_and_may_then_be_learned_anew(database: Database) -> None:
    assert learn(database, 1)
    (lesson,) = database.read(partner_lessons.list_all)
    assert lesson.until == NOW + timedelta(days=90)
    assert in_force(database, lesson.until - timedelta(seconds=1)) == lesson
    assert in_force(database, lesson.until) is None
    assert learn(database, 2, now=lesson.until)
    assert in_force(database, lesson.until).value == 2


def test_a_stricter_lesson_takes_over_and_both_are_revoked_together(database: Database) -> None:
    assert [learn(database, value) for value in (3, 3, 4, 1)] == [True, False, False, True]
    last = in_force(database)
    assert (last.value, last.why, last.learned) == (1, "it said so", NOW)
    revoke: Callable[[int], Any] = lambda number: database.write(  # noqa: E731
        lambda tx: partner_lessons.revoke(tx, number=number, by="ada", now=NOW)
    )
    assert revoke(last.number).value == 1
    assert in_force(database) is None
    assert revoke(last.number) is None
    known = database.read(partner_lessons.list_all)
    assert [(one.value, one.revoked, one.revoked_by) for one in known] == [
        (3, NOW, "ada"),
        (1, NOW, "ada"),
    ]
    assert learn(database, 2)


@pytest.mark.parametrize("kind", ["sha1", "bearer_accepted", "mtom", "confirmation_required"])
def test_nothing_that_concerns_security_is_learned(database: Database, kind: str) -> None:
    with pytest.raises(ValueError, match="nothing of this kind"):
        learn(database, 1, kind)
