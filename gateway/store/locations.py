"""Which communities a Health Data Locator has said to know our members (ITI-56)."""

from collections.abc import Iterable
from datetime import datetime

from sqlalchemy import delete, insert, select

from gateway.model.identity import MemberId, PartnerId, PlanId
from gateway.store import tables
from gateway.store.transaction import Transaction
from ihe.identifiers import HomeCommunityId
from ihe.patient_location import PatientLocation


def put(
    transaction: Transaction,
    told: Iterable[PatientLocation],
    *,
    plan: PlanId,
    member: MemberId,
    locator: PartnerId,
    now: datetime,
) -> None:
    """What the locator says of the member now, in the place of what it said before."""
    table = tables.patient_location
    transaction.connection.execute(
        delete(table).where(
            table.c.plan == plan, table.c.member == member, table.c.partner == locator
        )
    )
    rows = [
        {
            "plan": plan,
            "member": member,
            "partner": locator,
            "home_community_id": str(one.home_community_id),
            "patient_id": one.patient_id.cx,
            "told": now,
        }
        for one in dict.fromkeys(told)
    ]
    if rows:
        transaction.connection.execute(insert(table), rows)


def locators_of(
    transaction: Transaction,
    *,
    plan: PlanId,
    member: MemberId,
    home_community_id: HomeCommunityId,
    since: datetime,
) -> tuple[PartnerId, ...]:
    """Who has said since then that the community knows the member."""
    table = tables.patient_location
    rows = transaction.connection.execute(
        select(table.c.partner)
        .where(
            table.c.plan == plan,
            table.c.member == member,
            table.c.home_community_id == str(home_community_id),
            table.c.told >= since,
        )
        .distinct()
        .order_by(table.c.partner)
    )
    return tuple(PartnerId(row.partner) for row in rows)
