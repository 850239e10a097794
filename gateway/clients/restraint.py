"""How much of us one partner may take, and how fast it is asked (a bulkhead, and pacing).

One that answers slowly keeps its own visits waiting, and nobody else's.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from gateway.model.identity import PartnerId
from gateway.model.partner import Partner


@dataclass(slots=True)
class Restraint:
    """One a process, beside the client that it restrains."""

    _places: dict[PartnerId, asyncio.Semaphore] = field(default_factory=dict)
    _next: dict[PartnerId, float] = field(default_factory=dict)

    @asynccontextmanager
    async def visiting(self, partner: Partner) -> AsyncIterator[None]:
        """While one member's records are asked of it; waits while as many are as it takes."""
        places = self._places.get(partner.id)
        if places is None:
            places = asyncio.Semaphore(partner.profile.members_at_once)
            self._places[partner.id] = places
        async with places:
            yield

    async def turn(self, partner: Partner) -> None:
        """Returns when the next request to it may leave."""
        pause = partner.profile.pause_seconds
        if pause <= 0:
            return
        now = asyncio.get_running_loop().time()
        at = max(now, self._next.get(partner.id, now))
        self._next[partner.id] = at + pause
        await asyncio.sleep(at - now)
