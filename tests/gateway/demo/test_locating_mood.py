"""A simulated Health Data Locator, well behaved and not: what a retrieval and a check say of it."""

import asyncio
from datetime import UTC, datetime
from pathlib import Path

import pytest

from gateway.app import House, open_client
from gateway.demo.simulator.holdings import ELSEWHERE
from gateway.exchange.asking import Asking
from gateway.exchange.partner_check import check_partner
from gateway.exchange.partner_findings import Finding
from gateway.model.identity import ConversationId, RetrievalId
from gateway.model.partner import Partner
from gateway.model.retrieval import Requester, Retrieval
from tests.gateway import house as lakeshore
from tests.gateway.clients.asking_house import (
    MEMBER,
    PLAN,
    asking_house,
    assert_sound,
    retrieve,
)
from tests.gateway.demo.simulating import simulated


def checked(house: House, partner: Partner) -> list[Finding]:
    """What the check says of ITI-56."""
    asked = Retrieval(
        id=RetrievalId("check"),
        plan=PLAN,
        member=MEMBER.id,
        purpose="OPERATIONS",
        requester=Requester("Nora Nurse", "care manager", lakeshore.AUTHORITY),
        conversation=ConversationId("check"),
        created=datetime.now(UTC),
    )

    async def walk() -> list[Finding]:
        client = open_client(house)
        asking = Asking(house.archive, client, house.community, house.plans[0], MEMBER, asked)
        try:
            return (await check_partner(asking, partner, member=MEMBER)).findings
        finally:
            await client.close()

    return [one for one in asyncio.run(walk()) if one.place == "ITI-56"]


@pytest.mark.parametrize("mood", [(), ("other-location",)])
def test_what_a_locator_tells_is_said_and_what_is_wrong_named(
    tmp_path: Path, mood: tuple[str, ...]
) -> None:
    is_wrong = mood == ("other-location",)
    with (
        simulated(*mood, health_data_locator=True) as partner,
        asking_house(tmp_path, [partner]) as house,
    ):
        (row,) = retrieve(house).values()
        detail = row.detail or ""
        assert (f"the member is known to {ELSEWHERE}" in detail) != is_wrong
        assert ("1 of the locations that it tells cannot be used" in detail) == is_wrong
        found = checked(house, partner)
        wrong = [one for one in found if one.level == "deviation"]
        assert [one.text for one in wrong] == (
            ["RequestedPatientId is not the one that was asked for"] if is_wrong else []
        )
        if is_wrong:
            assert "3.56.4.2.2" in (wrong[0].section or "") and wrong[0].fragment is not None
        else:
            assert "it tells of 1 locations" in [one.text for one in found]
        assert_sound(house)
