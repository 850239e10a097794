"""Members as their plan's roster states them, and by what they may be found."""

import unicodedata
from collections.abc import Iterable, Iterator
from datetime import date
from typing import Any, Final

from sqlalchemy import delete, insert, or_, select

from gateway.model.identity import MemberId, PlanId
from gateway.model.member import Member
from gateway.store import tables
from gateway.store.sql import indexable, upsert
from gateway.store.transaction import Transaction
from gateway.store.values import dump, load
from ihe.xcpd import Demographics

CANDIDATES: Final = 500
"""More people than this under one key identify nobody."""


def put(transaction: Transaction, member: Member) -> Member:
    """Adds the member, or changes the one with its plan and member_id, whose `id` then stays."""
    values = {
        "id": member.id,
        "plan": member.plan,
        "member_id": member.member_id,
        "demographics": dump(member.demographics),
        "coverage_start": _text(member.coverage_start),
        "coverage_end": _text(member.coverage_end),
        "opted_out": member.opted_out,
    }
    upsert(transaction, tables.member, values, ["plan", "member_id"], keep=["id"])
    stored = get_by_member_id(transaction, plan=member.plan, member_id=member.member_id) or member
    _put_keys(transaction, stored)
    return stored


def get(transaction: Transaction, *, plan: PlanId, member: MemberId) -> Member | None:
    table = tables.member
    row = transaction.connection.execute(
        select(table).where(table.c.id == member, table.c.plan == plan)
    ).first()
    return None if row is None else _member(row)


def get_by_member_id(transaction: Transaction, *, plan: PlanId, member_id: str) -> Member | None:
    """The member with the plan's own number."""
    table = tables.member
    row = transaction.connection.execute(
        select(table).where(table.c.plan == plan, table.c.member_id == member_id)
    ).first()
    return None if row is None else _member(row)


def list_page(
    transaction: Transaction, *, plan: PlanId, after: str | None = None, limit: int = 100
) -> tuple[Member, ...]:
    """Members by their plan's number, from the one after `after`."""
    table = tables.member
    statement = select(table).where(table.c.plan == plan).order_by(table.c.member_id).limit(limit)
    if after is not None:
        statement = statement.where(table.c.member_id > after)
    return tuple(_member(row) for row in transaction.connection.execute(statement))


def iter_all(transaction: Transaction, *, plan: PlanId) -> Iterator[Member]:
    """Every member of the plan, read in pages; use it up inside the unit."""
    after = None
    while page := list_page(transaction, plan=plan, after=after, limit=1000):
        yield from page
        after = page[-1].member_id


def candidates(
    transaction: Transaction,
    *,
    plan: PlanId,
    birth_date: str | None = None,
    family: str | None = None,
    ids: Iterable[str] = (),
) -> tuple[Member, ...]:
    """Whoever shares the birth date (HL7 TS or ISO), a family name or one of the ids.

    Ids are bare: the plan's member id, or the extension of any id the roster gave. Names are
    compared as `fold_name` leaves them. At most CANDIDATES are given.
    """
    wanted = _keys(birth_date, (family,), ids)
    if not wanted:
        return ()
    keys, table = tables.member_key, tables.member
    found = select(keys.c.member).where(
        keys.c.plan == plan,
        or_(*((keys.c.kind == kind) & (keys.c.value == value) for kind, value in sorted(wanted))),
    )
    statement = (
        select(table)
        .where(table.c.plan == plan, table.c.id.in_(found))
        .order_by(table.c.member_id)
        .limit(CANDIDATES)
    )
    return tuple(_member(row) for row in transaction.connection.execute(statement))


def fold_name(name: str) -> str:
    """A name without case, accents, spaces and signs: `O'Neil-Müller` is `ONEILMULLER`."""
    plain = unicodedata.normalize("NFKD", name.casefold())
    return "".join(letter for letter in plain if letter.isalnum()).upper()


def _put_keys(transaction: Transaction, member: Member) -> None:
    known: Demographics = member.demographics
    keys = _keys(
        known.birth_time.value if known.birth_time else None,
        (name.family for name in known.names),
        (member.member_id, *(id.extension for id in known.ids)),
    )
    table = tables.member_key
    transaction.connection.execute(delete(table).where(table.c.member == member.id))
    if keys:
        transaction.connection.execute(
            insert(table),
            [
                {"plan": member.plan, "kind": kind, "value": value, "member": member.id}
                for kind, value in sorted(keys)
            ],
        )


def _keys(
    birth_date: str | None, families: Iterable[str | None], ids: Iterable[str | None]
) -> set[tuple[str, str]]:
    keys = {("family", fold_name(family)) for family in families if family}
    keys |= {("id", text) for id in ids if (text := indexable(id))}
    digits = birth_date.replace("-", "")[:8] if birth_date else ""
    if len(digits) == 8:
        keys.add(("birth", digits))
    return {(kind, value) for kind, value in keys if value}


def _member(row: Any) -> Member:
    return Member(
        id=MemberId(row.id),
        plan=PlanId(row.plan),
        member_id=row.member_id,
        demographics=load(Demographics, row.demographics),
        coverage_start=_date(row.coverage_start),
        coverage_end=_date(row.coverage_end),
        opted_out=row.opted_out,
    )


def _text(day: date | None) -> str | None:
    return None if day is None else day.isoformat()


def _date(text: str | None) -> date | None:
    return None if text is None else date.fromisoformat(text)
