"""How much of us one partner may take, and how fast it is asked (a bulkhead, and pacing).

One that answers slowly keeps its own visits waiting, and nobody else's: only a few stand in line
for it, since whoever does holds a place that others need. The rest are told when to come back. So
it is with mail servers.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, field
from random import SystemRandom
from typing import Final

from gateway.model.identity import PartnerId
from gateway.model.partner import Partner

IN_LINE_SECONDS: Final = 30.0
"""For so long somebody stands in line at the most."""
AT_ONE_MAIL_SERVER: Final = 2
"""Messages that go to one domain, and by one server, at once."""
MAIL_IN_LINE: Final = 8
MESSAGES_AT_ONCE: Final = 6
"""Few, since each may take 50 MB of memory while it is sent: as many as three servers take."""
FURTHEST_SECONDS: Final = 1800.0
"""Nobody is sent away for longer: a partner may soon be as quick as it ever was."""
_SHORTEST_LINE: Final = 4
_VISIT_SECONDS: Final = 1.0
_MAIL_SECONDS: Final = 0.1
"""How long it is with somebody new, as far as we know: rather too short, for whoever comes back too
early is sent away again, but a server that waits for who comes too late stands still."""
_SMOOTHING: Final = 8
_chance: Final = SystemRandom()


@dataclass(slots=True)
class _Places:
    """Of one partner: who is with it and who stands in line, and how long a visit takes of late."""

    most: int
    line: int
    free: asyncio.Semaphore
    visit_seconds: float
    inside: list[float] = field(default_factory=list)
    """When those who are with it came, by the loop's time; the first of them first."""
    in_line: int = 0
    next_back: float = 0.0
    """The loop's time at which the last who was sent away comes back."""

    async def let_in(self) -> bool:
        """Whether there is a place now or, for who still gets into line, soon."""
        if self.free.locked() and self.in_line >= self.line:
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

    def enter(self) -> float:
        """When somebody who was let in came."""
        came = asyncio.get_running_loop().time()
        self.inside.append(came)
        return came

    def leave(self, came: float) -> None:
        """Somebody who came then goes."""
        self.free.release()
        self.inside.remove(came)
        seconds = asyncio.get_running_loop().time() - came
        self.visit_seconds += (seconds - self.visit_seconds) / _SMOOTHING

    def come_back(self) -> float:
        """In how many seconds: those who are sent away return as fast as it lets visits in."""
        now = asyncio.get_running_loop().time()
        # Who is with it for longer than visits took of late tells that they take longer now.
        seconds = max(self.visit_seconds, now - min(self.inside, default=now))
        apart = seconds / self.most
        soonest = max(self.next_back, now + self.in_line * apart)
        self.next_back = min(soonest + apart, now + FURTHEST_SECONDS)
        wait = self.next_back - now
        # Of more than fit into that time, each comes at a time of its own.
        return wait if wait < FURTHEST_SECONDS else _chance.uniform(wait / 2, wait)


@dataclass(slots=True)
class Restraint:
    """One a process, beside the client that it restrains."""

    _places: dict[str, _Places] = field(default_factory=dict)
    _next: dict[PartnerId, float] = field(default_factory=dict)
    _messages: asyncio.Semaphore = field(
        default_factory=lambda: asyncio.Semaphore(MESSAGES_AT_ONCE)
    )

    def visiting(self, partner: Partner) -> AbstractAsyncContextManager[float | None]:
        """While one member's records are asked of it, or brought to it, as many at once as it
        takes.

        Gives None to who is let in; else the seconds after which to come back, since too many wait
        or it let nobody in for `IN_LINE_SECONDS`.
        """
        return self._at_partner(f"partner {partner.id}", partner)

    def answering(self, partner: Partner) -> AbstractAsyncContextManager[float | None]:
        """The same while an answer is brought to it: it may need that for what it is asked."""
        return self._at_partner(f"asker {partner.id}", partner)

    def mailing(self, domain: str) -> AbstractAsyncContextManager[float | None]:
        """The same while a message is sent to one domain."""
        return self._at(f"domain {domain}", AT_ONE_MAIL_SERVER, MAIL_IN_LINE, _MAIL_SECONDS)

    def handing_over(self, host: str) -> AbstractAsyncContextManager[float | None]:
        """The same while a message is handed over to a server, which may be many domains'."""
        return self._at(f"server {host}", AT_ONE_MAIL_SERVER, MAIL_IN_LINE, _MAIL_SECONDS)

    def holding_message(self) -> asyncio.Semaphore:
        """While a message is in memory; waits as long as `MESSAGES_AT_ONCE` are."""
        return self._messages

    def _at_partner(self, whom: str, partner: Partner) -> AbstractAsyncContextManager[float | None]:
        most = partner.profile.members_at_once
        return self._at(whom, most, max(most, _SHORTEST_LINE), _VISIT_SECONDS)

    @asynccontextmanager
    async def _at(
        self, whom: str, most: int, line: int, visit_seconds: float
    ) -> AsyncIterator[float | None]:
        places = self._places.get(whom)
        if places is None:
            places = self._places[whom] = _Places(
                most, line, asyncio.Semaphore(most), visit_seconds
            )
        if not await places.let_in():
            yield places.come_back()
            return
        came = places.enter()
        try:
            yield None
        finally:
            places.leave(came)

    async def turn(self, partner: Partner) -> None:
        """Returns when the next request to it may leave."""
        pause = partner.profile.pause_seconds
        if pause <= 0:
            return
        now = asyncio.get_running_loop().time()
        at = max(now, self._next.get(partner.id, now))
        self._next[partner.id] = at + pause
        await asyncio.sleep(at - now)
