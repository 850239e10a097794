"""How much of us one partner may take, and how fast it is asked (a bulkhead, and pacing).

One that answers slowly keeps its own visits waiting, and nobody else's: only a few stand in line
for it, since whoever does holds a place that others need. The rest are told when to come back.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from random import SystemRandom
from typing import Final

from gateway.model.identity import PartnerId
from gateway.model.partner import Partner

IN_LINE_SECONDS: Final = 30.0
"""For so long somebody stands in line at the most."""
FURTHEST_SECONDS: Final = 1800.0
"""Nobody is sent away for longer: a partner may soon be as quick as it ever was."""
_SHORTEST_LINE: Final = 4
_SMOOTHING: Final = 8
_chance: Final = SystemRandom()


@dataclass(slots=True)
class _Places:
    """Of one partner: who is with it and who stands in line, and how long a visit takes of late."""

    most: int
    free: asyncio.Semaphore
    in_line: int = 0
    visit_seconds: float = 1.0
    next_back: float = 0.0
    """The loop's time at which the last who was sent away comes back."""

    async def let_in(self) -> bool:
        """Whether there is a place now or, for who still gets into line, soon."""
        if self.free.locked() and self.in_line >= max(self.most, _SHORTEST_LINE):
            return False
        self.in_line += 1
        try:
            async with asyncio.timeout(IN_LINE_SECONDS):
                await self.free.acquire()
        except TimeoutError:
            return False
        finally:
            self.in_line -= 1
        return True

    def left(self, seconds: float) -> None:
        """Somebody was with it for so long, and goes."""
        self.free.release()
        self.visit_seconds += (seconds - self.visit_seconds) / _SMOOTHING

    def come_back(self) -> float:
        """In how many seconds: those who are sent away return as fast as it lets visits in."""
        now, apart = asyncio.get_running_loop().time(), self.visit_seconds / self.most
        soonest = max(self.next_back, now + self.in_line * apart)
        self.next_back = min(soonest + apart, now + FURTHEST_SECONDS)
        wait = self.next_back - now
        # Of more than fit into that time, each comes at a time of its own.
        return wait if wait < FURTHEST_SECONDS else _chance.uniform(wait / 2, wait)


@dataclass(slots=True)
class Restraint:
    """One a process, beside the client that it restrains."""

    _places: dict[PartnerId, _Places] = field(default_factory=dict)
    _next: dict[PartnerId, float] = field(default_factory=dict)

    @asynccontextmanager
    async def visiting(self, partner: Partner) -> AsyncIterator[float | None]:
        """While one member's records are asked of it, as many at once as it takes.

        Gives None to who is let in; else the seconds after which to come back, since too many wait
        or it let nobody in for `IN_LINE_SECONDS`.
        """
        places = self._places.get(partner.id)
        if places is None:
            most = partner.profile.members_at_once
            places = self._places[partner.id] = _Places(most, asyncio.Semaphore(most))
        if not await places.let_in():
            yield places.come_back()
            return
        clock = asyncio.get_running_loop().time
        began = clock()
        try:
            yield None
        finally:
            places.left(clock() - began)

    async def turn(self, partner: Partner) -> None:
        """Returns when the next request to it may leave."""
        pause = partner.profile.pause_seconds
        if pause <= 0:
            return
        now = asyncio.get_running_loop().time()
        at = max(now, self._next.get(partner.id, now))
        self._next[partner.id] = at + pause
        await asyncio.sleep(at - now)
