"""Members in turn, for the steps that derive from the roster what it did not have before."""

from collections.abc import Iterator

import sqlalchemy as sa

from gateway.model.identity import MemberId, PlanId
from gateway.model.member import Member
from gateway.store import tables
from gateway.store.values import load
from ihe.xcpd import Demographics

_AT_ONCE = 1000


def members_in_turn(connection: sa.Connection) -> Iterator[list[Member]]:
    """All of them, some at a time, by columns that the table has had from the first step on."""
    columns = tables.member.c
    statement = (
        sa.select(columns.id, columns.plan, columns.member_id, columns.demographics)
        .where(columns.id > sa.bindparam("last"))
        .order_by(columns.id)
        .limit(_AT_ONCE)
    )
    last = ""
    while found := connection.execute(statement, {"last": last}).all():
        last = found[-1].id
        yield [
            Member(MemberId(id), PlanId(plan), number, load(Demographics, known))
            for id, plan, number, known in found
        ]
