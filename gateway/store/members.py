"""Members as their plan's roster states them, and by what they may be found."""

import unicodedata
from collections.abc import Iterator
from datetime import date
from typing import Any, Final

from sqlalchemy import bindparam, delete, insert, select, update

from gateway.model.identity import MemberId, PlanId
from gateway.model.member import Member
from gateway.store import tables
from gateway.store.errors import UnknownId
from gateway.store.sql import indexable, upsert
from gateway.store.transaction import Transaction
from gateway.store.values import dump, load
from ihe.xcpd import Demographics

CANDIDATES: Final = 500
"""More people than this under one key identify nobody by it."""
_SHARING: Final = (
    select(tables.member)
    .join(tables.member_key, tables.member_key.c.member == tables.member.c.id)
    .where(*(tables.member_key.c[name] == bindparam(name) for name in ("plan", "kind", "value")))
    .limit(CANDIDATES + 1)
)


def put(transaction: Transaction, member: Member) -> Member:
    """Adds the member, or changes the one with its plan and member_id.

    Its `id` then stays, and so does whether it opted out: a roster does not know.
    """
    values = {
        "id": member.id,
        "plan": member.plan,
        "member_id": member.member_id,
        "demographics": dump(member.demographics),
        "coverage_start": _text(member.coverage_start),
        "coverage_end": _text(member.coverage_end),
        "opted_out": member.opted_out,
    }
    upsert(transaction, tables.member, values, ["plan", "member_id"], keep=["id", "opted_out"])
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
    transaction: Transaction, *, plan: PlanId, named: Demographics
) -> tuple[Member, ...]:
    """Whoever could be that person: shares an id, the birth date, a name or a family name.

    Each key is asked for by itself and left out if more than CANDIDATES share it: five hundred
    Smiths say nothing, but must not crowd out the one who has the birth date too.
    """
    found: dict[str, Member] = {}
    for kind, value in sorted(_keys(named)):
        sharing = _sharing(transaction, plan, kind, value)
        if len(sharing) <= CANDIDATES:
            found.update((member.id, member) for member in sharing)
    return tuple(found[id] for id in sorted(found))


def _sharing(transaction: Transaction, plan: PlanId, kind: str, value: str) -> tuple[Member, ...]:
    given = {"plan": plan, "kind": kind, "value": value}
    return tuple(_member(row) for row in transaction.connection.execute(_SHARING, given))


def set_opted_out(
    transaction: Transaction, *, plan: PlanId, member: MemberId, opted_out: bool
) -> Member:
    """The member's own word on exchange; no roster changes it (DECISIONS 9).

    Raises:
        UnknownId: no such member in this plan.
    """
    table = tables.member
    transaction.connection.execute(
        update(table).where(table.c.id == member, table.c.plan == plan).values(opted_out=opted_out)
    )
    changed = get(transaction, plan=plan, member=member)
    if changed is None:
        raise UnknownId("member", member)
    return changed


def fold_name(name: str) -> str:
    """A name without case, accents, spaces and signs: `O'Neil-Müller` is `ONEILMULLER`."""
    plain = unicodedata.normalize("NFKD", name.casefold())
    return "".join(letter for letter in plain if letter.isalnum()).upper()


def _put_keys(transaction: Transaction, member: Member) -> None:
    keys = _keys(member.demographics) | {("id", str(indexable(member.member_id)))}
    table = tables.member_key
    transaction.connection.execute(delete(table).where(table.c.member == member.id))
    transaction.connection.execute(
        insert(table),
        [
            {"plan": member.plan, "kind": kind, "value": value, "member": member.id}
            for kind, value in sorted(keys)
        ],
    )


def _keys(known: Demographics) -> set[tuple[str, str]]:
    """By what a person may be found; a birth date needs its day."""
    keys = {("id", indexable(id.extension) or "") for id in known.ids}
    for name in known.names:
        family = fold_name(name.family or "")
        keys.add(("family", family))
        if family and name.given:
            keys.add(("name", f"{family}^{fold_name(name.given[0])}"))
    birth = known.birth_time.value if known.birth_time else None
    digits = (birth or "").replace("-", "")[:8]
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
