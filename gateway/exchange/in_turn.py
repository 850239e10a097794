"""A job whose turn with somebody has not come gives its place to others, and comes back."""

from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager

from gateway.store.job_port import PutOff


@asynccontextmanager
async def in_turn(visit: AbstractAsyncContextManager[float | None]) -> AsyncIterator[None]:
    """While the `visit`, one of `clients.restraint`, lasts.

    Raises:
        PutOff: it does not begin now.
    """
    async with visit as back_in:
        if back_in is not None:
            raise PutOff(back_in)
        yield
