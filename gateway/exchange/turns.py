"""Who computes now: as many threads at once as there are processors, in the order they came.

More of them would only take the interpreter from each other, and from the loop that has the
answers of all to send: with sixteen connections that cost a sixth of the rate and a third of the
longest wait. What is brief needs no thread at all: on the loop it costs a third less still.
"""

import asyncio
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from typing import Final, TypeVar

from gateway.store.brief import NotBrief, briefly, leave

T = TypeVar("T")
_Turn = tuple[asyncio.AbstractEventLoop, asyncio.Semaphore]
_HERE: Final[ContextVar[_Turn | None]] = ContextVar("turn", default=None)
"""By whose leave this thread computes; it comes along into the thread."""


class Turns:
    """One an event loop."""

    def __init__(self, count: int | None = None) -> None:
        self._free = asyncio.Semaphore(count or os.cpu_count() or 1)

    async def run(self, step: Callable[[], T], *, is_brief: bool = False) -> T:
        """What `step` gives, done in a thread once it is its turn.

        One that `is_brief` is done here and now, unless it leaves (`store.brief`).
        """
        if is_brief:
            with suppress(NotBrief), briefly():
                return step()
        async with self._free:
            _HERE.set((asyncio.get_running_loop(), self._free))
            return await asyncio.to_thread(step)


@contextmanager
def away() -> Iterator[None]:
    """While the block waits for somebody outside, another has the turn of this thread, if any.

    Raises:
        NotBrief: what runs here may not wait.
    """
    leave()
    turn = _HERE.get()
    if turn is None:
        yield
        return
    loop, free = turn
    loop.call_soon_threadsafe(free.release)
    try:
        yield
    finally:
        asyncio.run_coroutine_threadsafe(free.acquire(), loop).result()
