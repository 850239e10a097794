"""What was learned of partners' ways; nothing that is learned makes anything less secure."""

from datetime import datetime
from typing import Any, Final

from sqlalchemy import insert, select, update

from gateway.model.identity import PartnerId, PlanId
from gateway.model.partner_state import LESSON_KINDS, LESSON_LIFE, Lesson, LessonKind
from gateway.store import tables
from gateway.store.transaction import Transaction

_TABLE: Final = tables.partner_lesson


def learn(
    transaction: Transaction,
    *,
    partner: PartnerId,
    plan: PlanId | None,
    kind: LessonKind,
    value: int,
    why: str,
    now: datetime,
) -> bool:
    """Whether this is new: a lesson of that kind already in force is taken over only by one that
    is stricter.

    Raises:
        ValueError: nothing of that kind may be learned.
    """
    if kind not in LESSON_KINDS:
        raise ValueError("nothing of this kind is learned")
    known = in_force(transaction, partner=partner, kind=kind, now=now)
    if known is not None and known.value <= value:
        return False
    values = {
        "partner": partner,
        "plan": plan,
        "kind": kind,
        "value": value,
        "learned": now,
        "why": why,
    }
    transaction.connection.execute(insert(_TABLE).values(values))
    return True


def in_force(
    transaction: Transaction, *, partner: PartnerId, kind: LessonKind, now: datetime
) -> Lesson | None:
    """The last lesson of that kind, unless it was revoked or is too old."""
    rows = transaction.connection.execute(
        select(_TABLE)
        .where(
            _TABLE.c.partner == partner,
            _TABLE.c.kind == kind,
            _TABLE.c.revoked.is_(None),
            _TABLE.c.learned > now - LESSON_LIFE,
        )
        .order_by(_TABLE.c.number.desc())
        .limit(1)
    )
    return next(map(_lesson, rows), None)


def list_all(transaction: Transaction, *, partner: PartnerId | None = None) -> tuple[Lesson, ...]:
    """All lessons in the order in which they were learned, revoked ones too."""
    statement = select(_TABLE).order_by(_TABLE.c.number)
    if partner is not None:
        statement = statement.where(_TABLE.c.partner == partner)
    return tuple(map(_lesson, transaction.connection.execute(statement)))


def revoke(transaction: Transaction, *, number: int, by: str, now: datetime) -> Lesson | None:
    """The lesson that counts no longer, with all before it of its kind; None if none was in force
    under that number."""
    rows = transaction.connection.execute(
        select(_TABLE).where(_TABLE.c.number == number, _TABLE.c.revoked.is_(None))
    )
    lesson = next(map(_lesson, rows), None)
    if lesson is None:
        return None
    transaction.connection.execute(
        update(_TABLE)
        .where(
            _TABLE.c.partner == lesson.partner,
            _TABLE.c.kind == lesson.kind,
            _TABLE.c.number <= number,
            _TABLE.c.revoked.is_(None),
        )
        .values(revoked=now, revoked_by=by)
    )
    return lesson


def _lesson(row: Any) -> Lesson:
    return Lesson(
        number=row.number,
        partner=PartnerId(row.partner),
        kind=row.kind,
        value=row.value,
        learned=row.learned,
        why=row.why,
        revoked=row.revoked,
        revoked_by=row.revoked_by,
    )
