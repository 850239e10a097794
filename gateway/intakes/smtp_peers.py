"""How much one peer may do at a time: its connections, and its messages a minute.

A peer is an IPv4 address or a /64 of IPv6, which is what one customer gets.
"""

import time
from collections import Counter
from collections.abc import Callable
from ipaddress import IPv6Address, ip_address
from typing import Final

_FORGOTTEN_AT: Final = 10_000
"""So many peers at once are an attack; the idle ones are forgotten, which favours nobody."""


class Peers:
    """Counts by peer, for one listener. Not for threads: it lives in the event loop."""

    def __init__(
        self,
        *,
        connections: int,
        connections_per_peer: int,
        messages_per_minute: int,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._connections = connections
        self._per_peer = connections_per_peer
        self._per_minute = messages_per_minute
        self._clock = clock
        self._open: Counter[str] = Counter()
        self._left: dict[str, tuple[float, float]] = {}

    def enter(self, address: str) -> bool:
        """Whether one more connection may be; `leave` gives its place back."""
        peer = _peer(address)
        if self._open.total() >= self._connections or self._open[peer] >= self._per_peer:
            return False
        self._open[peer] += 1
        return True

    def leave(self, address: str) -> None:
        peer = _peer(address)
        self._open[peer] -= 1
        if self._open[peer] <= 0:
            del self._open[peer]

    def may_send(self, address: str) -> bool:
        """Whether one more message may be; a minute's worth may come at once, then evenly."""
        peer, now = _peer(address), self._clock()
        left, at = self._left.get(peer, (float(self._per_minute), now))
        left = min(self._per_minute, left + (now - at) * self._per_minute / 60)
        self._left[peer] = (max(left - 1, 0.0) if left >= 1 else left, now)
        if len(self._left) > _FORGOTTEN_AT:
            self._left = {one: state for one, state in self._left.items() if one in self._open}
        return left >= 1


def _peer(address: str) -> str:
    try:
        found = ip_address(address)
    except ValueError:
        return address
    if isinstance(found, IPv6Address):
        if found.ipv4_mapped is not None:
            return str(found.ipv4_mapped)
        return str(IPv6Address(int(found) >> 64 << 64))
    return str(found)
