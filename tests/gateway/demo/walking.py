"""`partners check` at one simulated partner, from a house of a test."""

import asyncio
from datetime import UTC, datetime

from gateway.app.house import House, open_client
from gateway.exchange.asking import Asking
from gateway.exchange.partner_check import check_partner
from gateway.exchange.partner_findings import Finding
from gateway.model.identity import ConversationId, RetrievalId
from gateway.model.member import Member
from gateway.model.partner import Partner
from gateway.model.retrieval import Requester, Retrieval
from tests.gateway import house as lakeshore
from tests.gateway.clients.asking_house import MEMBER, PLAN


def walk(house: House, partner: Partner, *, member: Member | None = None) -> list[Finding]:
    """All that the check finds; with a member as test patient, documents too."""
    asked = Retrieval(
        id=RetrievalId("check"),
        plan=PLAN,
        member=MEMBER.id,
        purpose="OPERATIONS",
        requester=Requester("Nora Nurse", "care manager", lakeshore.AUTHORITY),
        conversation=ConversationId("check"),
        created=datetime.now(UTC),
    )

    async def walked() -> list[Finding]:
        client = open_client(house)
        asking = Asking(house.archive, client, house.community, house.plans[0], MEMBER, asked)
        try:
            return (await check_partner(asking, partner, member=member)).findings
        finally:
            await client.close()

    return asyncio.run(walked())
