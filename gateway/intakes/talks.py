"""Connections of strangers who ask and are answered: so many at once, none idle for long."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Final

from direct.tlv import Malformed

MOST_CONNECTIONS: Final = 100

Answering = Callable[[asyncio.StreamReader], Awaitable[bytes | None]]
"""Reads one question and gives its answer, or None to hang up; may raise Malformed."""


@asynccontextmanager
async def talking(
    answer: Answering, host: str, port: int, *, idle_seconds: float, most_bytes: int
) -> AsyncIterator[int]:
    """Answers whoever connects while the block runs; gives the port."""
    talks = _Talks(answer, idle_seconds)
    server = await asyncio.start_server(talks.run, host, port, limit=most_bytes)
    try:
        yield int(server.sockets[0].getsockname()[1])
    finally:
        server.close()
        await talks.end()


@dataclass(slots=True)
class _Talks:
    answer: Answering
    idle_seconds: float
    running: set[asyncio.Task[None]] = field(default_factory=set)

    def run(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if len(self.running) >= MOST_CONNECTIONS:
            writer.transport.abort()
            return
        task = asyncio.create_task(self._run(reader, writer))
        self.running.add(task)
        task.add_done_callback(self.running.discard)

    async def _run(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await self._talk(reader, writer)
        except (TimeoutError, OSError, asyncio.IncompleteReadError, Malformed):
            return  # cut off, silent, gone, or of another language: it has had what it gets
        finally:
            writer.transport.close()

    async def _talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            async with asyncio.timeout(self.idle_seconds):
                said = await self.answer(reader)
                if said is None:
                    return
                writer.write(said)
                await writer.drain()

    async def end(self) -> None:
        for task in tuple(self.running):
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task
