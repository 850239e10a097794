"""Members as their plan's roster states them, and by what they may be found."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from functools import cache
from typing import Any, Final

from sqlalchemy import bindparam, delete, literal, select, union_all, update

from ccda.values import quickly_made
from gateway.model.identity import MemberId, PlanId
from gateway.model.member import Member
from gateway.model.person import Person, read_person
from gateway.store import tables
from gateway.store.comparable import load_person, write_person
from gateway.store.errors import UnknownId
from gateway.store.member_keys import MOST, Key, foremost, keys_of, name_keys, number_key
from gateway.store.prepared import Prepared
from gateway.store.sql import insert_rows, upsert
from gateway.store.transaction import Transaction
from gateway.store.values import dump, load
from ihe.xcpd import Demographics

SHARING: Final = 50
"""More people than this under one key identify nobody by it."""
CANDIDATES: Final = 100
"""More than this are not compared for one question, whatever it states."""
_NOBODY: Final = MemberId("nobody")
_KEYS_AT_ONCE: Final = 8
_IDS_AT_ONCE: Final = 4
_NO_KEY: Final[Key] = ("", "")
_KINDS: Final = tuple(f"kind{slot}" for slot in range(MOST))
_VALUES: Final = tuple(f"value{slot}" for slot in range(MOST))
_IDS: Final = tuple(f"id{place}" for place in range(CANDIDATES))
_GET: Final = Prepared(
    select(tables.member).where(
        tables.member.c.id == bindparam("member"), tables.member.c.plan == bindparam("plan")
    )
)
_NO_KEYS: Final = Prepared(
    delete(tables.member_key).where(tables.member_key.c.member == bindparam("member"))
)
_BY_NUMBER: Final = Prepared(
    select(tables.member).where(
        tables.member.c.plan == bindparam("plan"),
        tables.member.c.member_id == bindparam("member_id"),
    )
)


@quickly_made
@dataclass(frozen=True, slots=True)
class Candidate:
    """Who could be the person asked for, in the form that is compared.

    `number` is the plan's own for the member, and not among the person's ids.
    """

    id: MemberId
    number: str
    person: Person
    _row: Any = field(default=None, repr=False)

    @property
    def opted_out(self) -> bool:
        """Whether the member has; known without reading the rest."""
        return bool(self._row.opted_out)

    def member(self) -> Member:
        """All that the roster states."""
        return _member(self._row)


@dataclass(frozen=True, slots=True)
class Candidates:
    """Whoever could be the person asked for.

    `fillers` are nobody: made from the question itself, read as the others are, so that it takes as
    long to look at one who is there as at one who is not (DECISIONS 11).
    """

    members: tuple[Candidate, ...]
    fillers: tuple[Candidate, ...] = ()


def put(transaction: Transaction, member: Member, person: Person | None = None) -> Member:
    """Adds the member, or changes the one with its plan and member_id.

    Its `id` then stays, and so does whether it opted out: a roster does not know. `person` are the
    member's demographics where they were read before.
    """
    person = person or read_person(member.demographics)
    values = {
        "id": member.id,
        "plan": member.plan,
        "member_id": member.member_id,
        "demographics": dump(member.demographics),
        "coverage_start": _text(member.coverage_start),
        "coverage_end": _text(member.coverage_end),
        "opted_out": member.opted_out,
        "comparable": write_person(person),
    }
    kept = upsert(
        transaction, tables.member, values, ["plan", "member_id"], keep=["id", "opted_out"]
    )
    stored = replace(member, id=MemberId(kept.id), opted_out=kept.opted_out)
    _put_keys(transaction, stored, person)
    return stored


def get(transaction: Transaction, *, plan: PlanId, member: MemberId) -> Member | None:
    row = _GET.first(transaction, {"member": member, "plan": plan})
    return None if row is None else _member(row)


def get_by_member_id(transaction: Transaction, *, plan: PlanId, member_id: str) -> Member | None:
    """The member with the plan's own number."""
    row = _BY_NUMBER.first(transaction, {"plan": plan, "member_id": member_id})
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
    person: Person,
    filled_to: int = 0,
) -> Candidates:
    """Whoever could match: shares an id, a telephone, or the birth date and a part of the name.

    What it costs does not grow with the plan. A key that more than SHARING have is left out, and
    the others find the one who is meant. With fillers they are a multiple of `filled_to`, if any.
    """
    found = _by_keys(transaction, plan, keys_of(person))
    if not filled_to:
        return Candidates(found)
    missing, text = -len(found) % filled_to if found else filled_to, write_person(person)
    fillers = (Candidate(_NOBODY, _NOBODY, load_person(text, "")) for _ in range(missing))
    return Candidates(found, tuple(fillers))


def resembling(transaction: Transaction, *, plan: PlanId, person: Person) -> tuple[Candidate, ...]:
    """The candidates, and for a reviewer whoever has the name, unless too many have."""
    return _by_keys(transaction, plan, (*keys_of(person), *name_keys(person)))


def _by_keys(transaction: Transaction, plan: PlanId, keys: Sequence[Key]) -> tuple[Candidate, ...]:
    """Two statements, each on an index, for up to eight keys; none depends on who is found."""
    asked = foremost(keys)
    slots = -(-len(asked) // _KEYS_AT_ONCE) * _KEYS_AT_ONCE
    given: dict[str, str] = {"plan": plan}
    for slot, (kind, value) in enumerate((*asked, *(_NO_KEY,) * (slots - len(asked)))):
        given[_KINDS[slot]], given[_VALUES[slot]] = kind, value
    ids: dict[str, None] = {}
    if slots:
        sharing: dict[int, list[str]] = {}
        for slot, member in _sharing(slots).rows(transaction, given):
            sharing.setdefault(slot, []).append(member)
        # The narrowest keys come first, so what the cap leaves out was the least likely.
        for slot in sorted(sharing):
            if len(sharing[slot]) <= SHARING:
                ids.update(dict.fromkeys(sharing[slot]))
    some = sorted(list(ids)[:CANDIDATES])
    # Nobody has the empty id; with it the statement is the same for one, for few and for none.
    some += [""] * (-len(some) % _IDS_AT_ONCE if some else _IDS_AT_ONCE)
    asked_for = dict(zip(_IDS, some, strict=False))
    return tuple(
        [
            Candidate(row.id, row.member_id, load_person(row.comparable, row.demographics), row)
            for row in _by_ids(len(some)).rows(transaction, asked_for)
        ]
    )


@cache
def _by_ids(many: int) -> Prepared:
    places: list[Any] = list(map(bindparam, _IDS[:many]))
    return Prepared(select(tables.member).where(tables.member.c.id.in_(places)))


@cache
def _sharing(slots: int) -> Prepared:
    """Who has each of so many keys, by the key's place; up to one more than may share it."""
    table = tables.member_key
    parts = [
        select(literal(slot).label("slot"), table.c.member)
        .where(
            table.c.plan == bindparam("plan"),
            table.c.kind == bindparam(_KINDS[slot]),
            table.c.value == bindparam(_VALUES[slot]),
        )
        .limit(SHARING + 1)
        .subquery()
        for slot in range(slots)
    ]
    return Prepared(union_all(*(select(part) for part in parts)))


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


def comparable_rows(members: Iterable[Member]) -> Iterator[dict[str, str]]:
    """Their ids, and the form that they are compared in."""
    for member in members:
        person = read_person(member.demographics)
        yield {"member": member.id, "comparable": write_person(person)}


def key_rows(members: Iterable[Member]) -> Iterator[dict[str, str]]:
    """The rows of `member_key` for these members."""
    for member in members:
        yield from _key_rows(member, read_person(member.demographics))


def _key_rows(member: Member, person: Person) -> Iterator[dict[str, str]]:
    keys = {*keys_of(person), *name_keys(person), number_key(member.member_id)}
    for kind, value in sorted(keys):
        yield {"plan": member.plan, "kind": kind, "value": value, "member": member.id}


def _put_keys(transaction: Transaction, member: Member, person: Person) -> None:
    _NO_KEYS.run(transaction, {"member": member.id})
    insert_rows(transaction, tables.member_key, list(_key_rows(member, person)))


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
