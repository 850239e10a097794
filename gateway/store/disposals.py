"""The months of the exchange log, and what is done to one that is disposed of.

Its key is overwritten and the envelopes of its exchanges are deleted; its records stay as they
were hashed. On SQLite what is deleted is overwritten too; on PostgreSQL the next VACUUM does that.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from sqlalchemy import (
    ColumnElement,
    Select,
    and_,
    delete,
    exists,
    func,
    insert,
    not_,
    or_,
    select,
    text,
    union,
    update,
)

from gateway.model.exchange import ExchangeFilter
from gateway.model.identity import MemberId, PlanId
from gateway.model.retention import Disposal, Hold, MonthContent, PlanMonth
from gateway.store import mail_sent, tables
from gateway.store.month_key import MonthName
from gateway.store.month_keys import month_of
from gateway.store.scope import Scope
from gateway.store.sql import insert_new
from gateway.store.transaction import Transaction

_EXCHANGE: Final = tables.exchange
_MONTH: Final = tables.log_month
_WIRE: Final = tables.wire_message


def months(transaction: Transaction, *, before: datetime) -> tuple[PlanMonth, ...]:
    """The months with records, or with a key, that began before then and still stand whole."""
    record = func.substr(_EXCHANGE.c.time, 1, 7)
    if transaction.is_postgres:
        record = func.to_char(func.timezone("UTC", _EXCHANGE.c.time), "YYYY-MM")
    scope = func.coalesce(_EXCHANGE.c.plan, "").label("scope")
    stated = select(scope, record.label("month")).where(_EXCHANGE.c.time < before).distinct()
    keyed = select(_MONTH.c.scope, _MONTH.c.month).where(_MONTH.c.month <= month_of(before))
    found = {(row.scope, row.month) for row in transaction.connection.execute(union(stated, keyed))}
    gone = {(month.plan or "", month.month) for month in disposed(transaction)}
    return tuple(PlanMonth(PlanId(s) if s else None, month) for s, month in sorted(found - gone))


def disposed(transaction: Transaction, plan: PlanId | None = None) -> tuple[PlanMonth, ...]:
    """The months that were disposed of, of that plan or of all, the oldest first."""
    statement = select(_MONTH.c.scope, _MONTH.c.month).where(_MONTH.c.disposed.is_not(None))
    if plan is not None:
        statement = statement.where(_MONTH.c.scope == plan)
    rows = transaction.connection.execute(statement.order_by(_MONTH.c.month, _MONTH.c.scope))
    return tuple(PlanMonth(PlanId(row.scope) if row.scope else None, row.month) for row in rows)


def hidden(transaction: Transaction, scope: Scope, wanted: ExchangeFilter) -> tuple[PlanMonth, ...]:
    """The months in which nobody can say any more which records are of the wanted member."""
    if wanted.member is None and wanted.document is None:
        return ()
    return tuple(
        month
        for month in disposed(transaction, scope if isinstance(scope, str) else None)
        if (wanted.since is None or wanted.since < month.ends)
        and (wanted.until is None or wanted.until > month.begins)
    )


@dataclass(frozen=True, slots=True)
class Records:
    """How many records there are of a month, the first and the last of them, and its hash."""

    records: int
    first: int | None
    last: int | None
    closing_hash: str | None


def records(transaction: Transaction, month: PlanMonth, *, before: int | None = None) -> Records:
    """The month's records; those that came before that one, if it is said."""
    place = _EXCHANGE.c.sequence
    rules = [_of(month)] if before is None else [_of(month), place < before]
    statement = select(func.count(), func.min(place), func.max(place)).where(*rules)
    number, first, last = transaction.connection.execute(statement).one()
    sealed = select(_EXCHANGE.c.hash).where(place == last)
    return Records(number, first, last, transaction.connection.execute(sealed).scalar())


def content(transaction: Transaction, month: PlanMonth) -> MonthContent:
    """What the log has of that month."""
    clear = (
        select(func.count())
        .where(_of(month), _EXCHANGE.c.version.is_(None))
        .where(or_(_EXCHANGE.c.member.is_not(None), _EXCHANGE.c.documents != "[]"))
    )
    found = records(transaction, month)
    # A row has one, or an answer and its request.
    number = func.count() + func.count(_WIRE.c.asked)
    envelopes = select(number).select_from(_WIRE).where(_envelopes(month))
    run = transaction.connection.execute
    return MonthContent(
        found.records, found.first, found.last, found.closing_hash, run(clear).scalar() or 0,
        run(envelopes).scalar() or 0,
    )  # fmt: skip


def holding(transaction: Transaction, month: PlanMonth, holds: Sequence[Hold]) -> tuple[Hold, ...]:
    """Which of these holds a record of that month is under, or one whose envelope goes with it.

    An envelope is of the month in which it was sealed: before its record was made, or once an
    answer that was long awaited had come.
    """
    return tuple(
        hold
        for hold in holds
        if (hold.reaches(month) and _has(transaction, month, hold))
        or _keeps_envelope(transaction, month, hold)
    )


def shred(transaction: Transaction, month: PlanMonth, *, now: datetime) -> None:
    """Makes what is private in that month's records unreadable, for good.

    What was asked for in it goes too, and whose the mail of it was: by their conversations every
    record of them would still be read.
    """
    if not transaction.is_postgres:
        transaction.connection.execute(text("PRAGMA secure_delete = ON"))
    values = {"kek_id": None, "wrapped": None, "disposed": now}
    scope = month.plan or ""
    place = {"scope": scope, "month": month.month, "plan": month.plan, "created": now}
    if not insert_new(transaction, _MONTH, {**place, **values}, ["scope", "month"]):
        is_it = and_(_MONTH.c.scope == scope, _MONTH.c.month == month.month)
        transaction.connection.execute(update(_MONTH).where(is_it).values(values))
    transaction.connection.execute(delete(_WIRE).where(_envelopes(month)))
    asked = tables.retrieval.c
    began = and_(
        asked.plan == month.plan, asked.created >= month.begins, asked.created < month.ends
    )
    followed = tables.retrieval_partner
    of_these = followed.c.retrieval.in_(select(asked.number).where(began))
    transaction.connection.execute(delete(followed).where(of_these))
    transaction.connection.execute(delete(tables.retrieval).where(began))
    if month.plan is not None:
        mail_sent.forget_whose(transaction, plan=month.plan, since=month.begins, until=month.ends)


def certify(transaction: Transaction, done: Disposal, *, certificate: str, key: str) -> None:
    """Keeps the signed certificate, and the key that checks it."""
    month = done.month
    values = {
        "scope": month.plan or "",
        "month": month.month,
        "plan": month.plan,
        "certificate": certificate,
        "key": key,
        "made": done.at,
    }
    transaction.connection.execute(insert(tables.disposal).values(values))


def certificates(transaction: Transaction) -> tuple[tuple[PlanMonth, str, str], ...]:
    """Every certificate with the key that checks it, as `LogKey.text`; the oldest first."""
    table = tables.disposal
    rows = transaction.connection.execute(select(table).order_by(table.c.made, table.c.month))
    return tuple(
        (PlanMonth(PlanId(row.scope) if row.scope else None, row.month), row.certificate, row.key)
        for row in rows
    )


def _of(month: PlanMonth) -> ColumnElement[bool]:
    plan = _EXCHANGE.c.plan
    is_plans = plan.is_(None) if month.plan is None else plan == month.plan
    return and_(is_plans, _EXCHANGE.c.time >= month.begins, _EXCHANGE.c.time < month.ends)


def _envelopes(month: PlanMonth) -> ColumnElement[bool]:
    """Those of the month, and from before envelopes had one those that its records name."""
    scope = month.plan or ""
    named: Any = union(
        select(_EXCHANGE.c.request_hash).where(_of(month), _EXCHANGE.c.version.is_(None)),
        select(_EXCHANGE.c.answer_hash).where(_of(month), _EXCHANGE.c.version.is_(None)),
    )
    return or_(
        and_(_WIRE.c.month == month.month, _WIRE.c.scope == f"{scope}/{month.month}"),
        and_(_WIRE.c.month.is_(None), _WIRE.c.scope == scope, _WIRE.c.hash.in_(named)),
    )


def _has(transaction: Transaction, month: PlanMonth, hold: Hold) -> bool:
    """Whether a record of the month is of the hold's member, partner and time."""
    rules = [_of(month), *_is_under(hold)]
    if hold.member is not None:
        names = [(month.plan or "", month.month)]
        rules.append(_EXCHANGE.c.member.in_(_hashes(transaction, hold.member, names)))
    statement = select(_EXCHANGE.c.sequence).where(*rules).limit(1)
    return transaction.connection.execute(statement).first() is not None


def _keeps_envelope(transaction: Transaction, month: PlanMonth, hold: Hold) -> bool:
    """Whether an envelope of the month is named by a record elsewhere that is what the hold says.

    That is one of a month beside it; and of the house's envelopes also one of a plan, for a
    question about several plans is kept for none.
    """
    if not hold.is_in_force or (month.plan and hold.plan not in (None, month.plan)):
        return False
    found = transaction.connection.execute(_naming(month, hold)).all()
    if hold.member is None:
        return bool(found)
    names = {(row.plan or "", row.month) for row in found if row.month is not None}
    hashes = _hashes(transaction, hold.member, names)
    return any(row.member in hashes for row in found)


def _naming(month: PlanMonth, hold: Hold) -> Select[Any]:
    """Whose the records elsewhere are that name an envelope of the month, by plan and time."""
    named = or_(
        _WIRE.c.hash.in_([_EXCHANGE.c.request_hash, _EXCHANGE.c.answer_hash]),
        and_(_WIRE.c.hash == _EXCHANGE.c.answer_hash, _WIRE.c.asked == _EXCHANGE.c.request_hash),
    )
    scope = f"{month.plan or ''}/{month.month}"
    names_one = exists().where(named, _WIRE.c.scope == scope, _WIRE.c.month == month.month)
    before, after = month_of(month.begins - timedelta(days=1)), month_of(month.ends)
    near = [
        _EXCHANGE.c.time >= PlanMonth(None, before).begins,
        _EXCHANGE.c.time < PlanMonth(None, after).ends,
        not_(_of(month)),
    ]
    plan = month.plan or hold.plan
    if plan is not None:
        near.append(_EXCHANGE.c.plan == plan)
    columns = (_EXCHANGE.c.plan, _EXCHANGE.c.month, _EXCHANGE.c.member)
    return select(*columns).where(*near, names_one, *_is_under(hold)).distinct()


def _is_under(hold: Hold) -> list[ColumnElement[bool]]:
    """What a record is that is of the hold's partner and time."""
    rules: list[ColumnElement[bool]] = []
    if hold.since is not None:
        rules.append(_EXCHANGE.c.time >= hold.since)
    if hold.until is not None:
        rules.append(_EXCHANGE.c.time < hold.until)
    if hold.partner is not None:
        rules.append(_EXCHANGE.c.partner == hold.partner)
    return rules


def _hashes(
    transaction: Transaction, member: MemberId, names: Iterable[MonthName]
) -> frozenset[str]:
    """What stands for the member in records of those months; in old ones the id itself."""
    keys = transaction.log_keys.reading(transaction, names).values()
    return frozenset({member, *(key.member(member) for key in keys if key is not None)})
