"""By which patient ids communities know our members (ITI-55)."""

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any, Final

from sqlalchemy import ColumnElement, select, tuple_, update

from gateway.model.identity import MemberId, PartnerId, PlanId
from gateway.model.link import LINK_ID_LENGTH, Link, LinkState, link_id
from gateway.store import tables
from gateway.store.errors import UnknownId
from gateway.store.sql import upsert
from gateway.store.transaction import Transaction
from gateway.store.values import dump, load
from ihe.discovery import Demographics
from ihe.identifiers import HomeCommunityId, Oid, PatientId

_KEY = ["plan", "member", "partner", "home_community_id", "patient_id"]
_PLACE: Final = ("found", *_KEY[1:])
_TIME: Final = "%Y%m%dT%H%M%S.%f"


def put(transaction: Transaction, link: Link) -> None:
    """Adds the link, or changes the one of that member, partner, community and patient id."""
    values = {
        "plan": link.plan,
        "member": link.member,
        "partner": link.partner,
        "home_community_id": str(link.home_community_id),
        "patient_id": link.patient_id.cx,
        "state": link.state,
        "score": link.score,
        "detail": link.detail,
        "found": link.found,
        "is_decided": link.is_decided,
        "degree": link.degree,
        "valid_until": link.valid_until,
        "known": None if link.known is None else dump(link.known),
        "is_locator": link.is_locator,
    }
    upsert(transaction, tables.link, values, _KEY)


def of_member(
    transaction: Transaction,
    *,
    plan: PlanId,
    member: MemberId,
    partner: PartnerId | None = None,
) -> tuple[Link, ...]:
    """The member's links, at one partner or at all, in whatever state."""
    table = tables.link
    statement = select(table).where(table.c.plan == plan, table.c.member == member)
    if partner is not None:
        statement = statement.where(table.c.partner == partner)
    return _links(transaction, statement.order_by(table.c.partner, table.c.patient_id))


def by_patient(
    transaction: Transaction,
    *,
    plan: PlanId,
    home_community_id: HomeCommunityId,
    patient_id: PatientId,
) -> tuple[Link, ...]:
    """Whom that community means by that patient id."""
    table = tables.link
    statement = select(table).where(
        table.c.plan == plan,
        table.c.home_community_id == str(home_community_id),
        table.c.patient_id == patient_id.cx,
    )
    return _links(transaction, statement.order_by(table.c.member))


def held(
    transaction: Transaction, *, plan: PlanId, after: str | None = None, limit: int = 100
) -> tuple[Link, ...]:
    """Those that wait for a person, longest found first, from the one after the `place` given.

    Raises:
        UnknownId: `after` is no place.
    """
    table = tables.link
    place = [table.c[name] for name in _PLACE]
    statement = select(table).where(table.c.plan == plan, table.c.state == "held")
    if after is not None:
        passed = tuple_(*_passed(transaction, plan, after), types=[one.type for one in place])
        statement = statement.where(tuple_(*place) > passed)
    return _links(transaction, statement.order_by(*place).limit(limit))


def place(link: Link) -> str:
    """Where the page after it begins. It says of nobody, and holds when the link is decided."""
    return f"{link.found.astimezone(UTC).strftime(_TIME)}-{link.id}"


def _passed(transaction: Transaction, plan: PlanId, place: str) -> tuple[Any, ...]:
    """The key of that place; if the link was found anew since, what was found with it comes again,
    and nothing is left out."""
    time, _, id = place.partition("-")
    try:
        found = datetime.strptime(time, _TIME).replace(tzinfo=UTC)
    except ValueError:
        raise UnknownId("match", place) from None
    table = tables.link
    statement = select(*(table.c[name] for name in _KEY)).where(
        table.c.plan == plan, table.c.found == found
    )
    rows = transaction.connection.execute(statement).all()
    key = next((row for row in rows if link_id(*row) == id), ("",) * len(_KEY))
    return (found, *key[1:])


def find(transaction: Transaction, *, plan: PlanId, id: str) -> Link | None:
    """The link of that id, whatever its state. The id is made of the key: the plan's keys are
    looked through."""
    if len(id) != LINK_ID_LENGTH:
        return None
    key = [tables.link.c[name] for name in _KEY]
    for row in transaction.connection.execute(select(*key).where(tables.link.c.plan == plan)):
        if link_id(*row) == id:
            matching = (column == value for column, value in zip(key, row, strict=True))
            return next(iter(_links(transaction, select(tables.link).where(*matching))), None)
    return None


def to_change(transaction: Transaction, link: Link) -> Link:
    """The link as it is now; whoever else would change it waits until COMMIT."""
    statement = select(tables.link).where(*_is(link))
    if transaction.is_postgres:  # SQLite lets one write at a time
        statement = statement.with_for_update()
    return next(iter(_links(transaction, statement)), link)


def decide(transaction: Transaction, link: Link, *, state: LinkState) -> bool:
    """A person sets the link's state, or with `held` has it wait again; False when it is gone."""
    result = transaction.connection.execute(
        update(tables.link).where(*_is(link)).values(state=state, is_decided=state != "held")
    )
    return result.rowcount == 1


def forget(transaction: Transaction, *, plan: PlanId, member: MemberId, partner: PartnerId) -> None:
    """None of the member's links at that partner may be used without asking again."""
    table = tables.link
    transaction.connection.execute(
        update(table)
        .where(table.c.plan == plan, table.c.member == member, table.c.partner == partner)
        .values(valid_until=None)
    )


def _is(link: Link) -> Iterator[ColumnElement[bool]]:
    table = tables.link
    yield table.c.plan == link.plan
    yield table.c.member == link.member
    yield table.c.partner == link.partner
    yield table.c.home_community_id == str(link.home_community_id)
    yield table.c.patient_id == link.patient_id.cx


def _links(transaction: Transaction, statement: Any) -> tuple[Link, ...]:
    return tuple(_link(row) for row in transaction.connection.execute(statement))


def _link(row: Any) -> Link:
    return Link(
        plan=PlanId(row.plan),
        member=MemberId(row.member),
        partner=PartnerId(row.partner),
        home_community_id=HomeCommunityId(Oid(row.home_community_id)),
        patient_id=PatientId.parse(row.patient_id),
        state=row.state,
        found=row.found,
        score=row.score,
        detail=row.detail,
        is_decided=row.is_decided,
        degree=row.degree,
        valid_until=row.valid_until,
        known=None if row.known is None else load(Demographics, row.known),
        is_locator=row.is_locator,
    )
