"""One listening socket from which several processes take connections, evenly.

Left to the kernel, chance deals them out: a partner keeps a handful of connections, and of sixteen
one of two processes has ten or more nearly every second time, so that whoever is connected there
waits longer. Hence each process tells the others how many it has, and leaves the next one to a
process that has fewer.
"""

import asyncio
import logging
import mmap
import os
import socket
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Self

log = logging.getLogger("gateway")

_BACKLOG: Final = 2048
_LOOK_SECONDS: Final = 0.002
_PATIENCE_SECONDS: Final = 0.1
"""So long one that has more leaves what waits to others of whom nothing is heard: they may be
busy with the handshakes of those that they took before, or have stopped."""
_MOST_SECONDS: Final = 0.5
"""So long to others who take some meanwhile."""
_AGAIN_SECONDS: Final = 1.0
"""Until the next try where no more files can be open: a connection that waits would be shown again
and again."""
_COUNT_BYTES: Final = 4
_GONE: Final = 0xFFFF_FFFF
"""The count of a process that takes none: nobody waits for it."""


@dataclass(frozen=True, slots=True)
class SharedListener:
    """A socket that listens, and how many connections each process has that takes from it.

    `place` is this process' own among them.
    """

    listening: socket.socket
    counts: memoryview
    memory: int
    place: int = 0

    @classmethod
    def bind(cls, host: str, port: int, processes: int) -> Self:
        """For the process that starts the others.

        Raises:
            OSError: the address cannot be listened on.
        """
        family, kind, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        listening = socket.socket(family, kind)
        try:
            listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listening.bind(address)
            listening.listen(_BACKLOG)
        except OSError:
            listening.close()
            raise
        memory = os.memfd_create("connections")
        os.ftruncate(memory, processes * _COUNT_BYTES)
        shared = cls(listening, _counts(memory), memory)
        for place in range(processes):
            shared.leave(place)
        return shared

    @classmethod
    def handed_down(cls, text: str) -> Self:
        """For a process that was started with the `files` and the `text` of another."""
        listening, memory, place = map(int, text.split(","))
        return cls(socket.socket(fileno=listening), _counts(memory), memory, place)

    @property
    def files(self) -> tuple[int, int]:
        """What a process has to inherit."""
        return self.listening.fileno(), self.memory

    def text(self, place: int) -> str:
        """What a process has to be told that takes this place."""
        return ",".join(map(str, (*self.files, place)))

    def tell(self, count: int) -> None:
        """So many connections are here."""
        self.counts[self.place] = count

    def leave(self, place: int) -> None:
        """The process there takes no more."""
        self.counts[place] = _GONE

    @property
    def others_have(self) -> int:
        """The fewest that another process has."""
        others = (count for place, count in enumerate(self.counts) if place != self.place)
        return min(others, default=_GONE)


def _counts(memory: int) -> memoryview:
    return memoryview(mmap.mmap(memory, 0)).cast("I")


class Taking:
    """Takes connections from a shared listener as long as it is open, for an asyncio loop.

    `has` tells how many connections this process has, those that `opened` has begun to serve too.
    """

    def __init__(
        self,
        shared: SharedListener,
        *,
        has: Callable[[], int],
        opened: Callable[[socket.socket], "asyncio.Task[None]"],
    ) -> None:
        self._shared = shared
        self._has = has
        self._opened = opened
        self._opening: set[asyncio.Task[None]] = set()
        self._loop = asyncio.get_running_loop()
        self._later: asyncio.TimerHandle | None = None
        self._closed = False
        shared.listening.setblocking(False)
        self.tell()
        self._watch()

    def tell(self) -> int:
        """Tells the others how many connections are here."""
        count = self._has()
        if not self._closed:
            self._shared.tell(count)
        return count

    def close(self) -> None:
        """Takes no more; what has been taken stays."""
        if not self._closed:
            self._closed = True
            self._shared.leave(self._shared.place)
            self._loop.remove_reader(self._shared.listening)
            if self._later is not None:
                self._later.cancel()

    async def wait_closed(self) -> None:
        """Returns once whatever was being opened is open, or is not."""
        await asyncio.gather(*self._opening, return_exceptions=True)

    def _watch(self) -> None:
        self._later = None
        self._loop.add_reader(self._shared.listening, self._offered)

    def _offered(self) -> None:
        """Connections wait: all processes hear of it."""
        self._loop.remove_reader(self._shared.listening)
        now = self._loop.time()
        self._take_or_leave(_Patience(bytes(self._shared.counts), now, now + _MOST_SECONDS))

    def _take_or_leave(self, patience: "_Patience") -> None:
        """Takes them as long as no other process has fewer, and after a while all the same."""
        is_patient = patience.lasts(bytes(self._shared.counts), self._loop.time())
        while not (is_patient and self.tell() > self._shared.others_have):
            try:
                connection, _ = self._shared.listening.accept()
            except (BlockingIOError, InterruptedError, ConnectionAbortedError):
                self._watch()  # others have them, or nobody wants them any more
                return
            except OSError as error:
                log.error("a connection cannot be taken: %s", error.strerror)
                self._wait(_AGAIN_SECONDS, self._watch)
                return
            self._begin(connection)
        self._wait(_LOOK_SECONDS, lambda: self._take_or_leave(patience))

    def _begin(self, connection: socket.socket) -> None:
        connection.setblocking(False)
        task = self._opened(connection)
        self._opening.add(task)
        task.add_done_callback(self._opening.discard)
        self.tell()

    def _wait(self, seconds: float, then: Callable[[], None]) -> None:
        self._later = self._loop.call_later(seconds, then)


@dataclass(slots=True)
class _Patience:
    """With processes that have fewer connections: what they had when it began anew."""

    counts: bytes
    since: float
    until: float

    def lasts(self, counts: bytes, now: float) -> bool:
        """Whether to leave to them what waits; it begins anew whenever one has taken some."""
        if counts != self.counts:
            self.counts, self.since = counts, now
        return now < min(self.since + _PATIENCE_SECONDS, self.until)
