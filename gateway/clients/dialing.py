"""A connection to whichever of a host's addresses takes it first (RFC 8305).

asyncio has this too (`happy_eyeballs_delay`), and where it is cancelled just as an address has
answered it loses the connection, which then stays open until the garbage collector finds it.
"""

import asyncio
import socket
from collections.abc import Callable, Iterator, Sequence
from itertools import zip_longest
from typing import Any, Final, TypeVar

_ALONE_SECONDS: Final = 0.25
"""How long one address is tried alone (RFC 8305: 5)."""
_Protocol = TypeVar("_Protocol", bound=asyncio.Protocol)
_Address = tuple[Any, ...]
"""As getaddrinfo gives it."""


async def dial(protocol: Callable[[], _Protocol], host: str, port: int) -> _Protocol:
    """The protocol of a new connection. Cancelled it leaves nothing open.

    Raises:
        OSError: the host has no address, or none takes the connection: why the first does not.
    """
    loop = asyncio.get_running_loop()
    left = list(_in_turn(await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM)))
    trying: set[asyncio.Task[tuple[asyncio.Transport, _Protocol]]] = set()
    failures: list[BaseException] = []
    try:
        while left or trying:
            if left:
                trying.add(loop.create_task(_dial_one(protocol, left.pop(0))))
            ended, _ = await asyncio.wait(
                trying,
                timeout=_ALONE_SECONDS if left else None,
                return_when=asyncio.FIRST_COMPLETED,
            )
            for one in ended:
                trying.discard(one)
                failure = one.exception()
                if failure is None:
                    return one.result()[1]
                failures.append(failure)
        raise failures[0] if failures else OSError("the host has no address")
    finally:
        for other in trying:
            other.cancel()
        # Another may have been taken in the same moment.
        for connected in await asyncio.gather(*trying, return_exceptions=True):
            if not isinstance(connected, BaseException):
                connected[0].abort()


async def _dial_one(
    protocol: Callable[[], _Protocol], address: _Address
) -> tuple[asyncio.Transport, _Protocol]:
    family, _, number, _, (host, port, *_) = address
    return await asyncio.get_running_loop().create_connection(
        protocol, host, port, family=family, proto=number, flags=socket.AI_NUMERICHOST
    )


def _in_turn(found: Sequence[_Address]) -> Iterator[_Address]:
    """IPv6 and IPv4 alternate, beginning with what the resolver has first (RFC 8305: 4)."""
    first = [one for one in found if one[0] == found[0][0]]
    others = [one for one in found if one[0] != found[0][0]]
    for pair in zip_longest(first, others):
        yield from (one for one in pair if one is not None)
