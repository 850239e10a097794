"""The load: requests over TLS connections that are kept open, each connection one at a time.

Not httpx: its own work for a request is more than that of the door it would measure.
"""

import asyncio
import gc
import re
import ssl
import time
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Final

import uvloop

_LENGTH: Final = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)
_CHUNKED: Final = re.compile(rb"\r\ntransfer-encoding: *chunked", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Load:
    """What a run of requests took."""

    requests: int
    seconds: float
    latencies: tuple[float, ...]
    client_seconds: float
    """Processor time of the load generator."""
    server_seconds: float
    """Processor time of the server."""

    @property
    def requests_per_second(self) -> float:
        return self.requests / self.seconds


@dataclass(frozen=True, slots=True)
class Target:
    """A listener, how to reach it, and how the processor time of its process is learnt.

    By default it is asked itself, as `tests.bench.partner` answers.
    """

    address: str
    context: ssl.SSLContext
    processor_seconds: Callable[[], float] | None = None

    def post(self, path: str, body: bytes) -> bytes:
        """The body of the answer to one request.

        Raises:
            RuntimeError: the answer is not 200.
        """
        return uvloop.run(self._one(_posted(path, body)))

    def post_all(self, path: str, bodies: Sequence[bytes], *, connections: int) -> Load:
        """Each body once, over so many connections that are open before the clock starts."""
        requests = [_posted(path, body) for body in bodies]
        return uvloop.run(self._all(requests, connections))

    async def _one(self, request: bytes) -> bytes:
        async with self._connected() as (reader, writer):
            return await _exchange(reader, writer, request)

    async def _all(self, requests: list[bytes], connections: int) -> Load:
        waiting, latencies = iter(requests), list[float]()
        barrier = asyncio.Barrier(connections + 1)
        async with asyncio.TaskGroup() as group:
            for _ in range(connections):
                group.create_task(self._send(waiting, latencies, barrier))
            before = await self._server_seconds()
            gc.collect()
            await barrier.wait()
            processor, started = time.process_time(), time.perf_counter()
            await barrier.wait()
            seconds = time.perf_counter() - started
            processor = time.process_time() - processor
            after = await self._server_seconds()
        return Load(len(requests), seconds, tuple(latencies), processor, after - before)

    async def _send(
        self, waiting: Iterator[bytes], latencies: list[float], barrier: asyncio.Barrier
    ) -> None:
        async with self._connected() as (reader, writer):
            await barrier.wait()
            for request in waiting:
                started = time.perf_counter()
                await _exchange(reader, writer, request)
                latencies.append(time.perf_counter() - started)
            await barrier.wait()

    async def _server_seconds(self) -> float:
        if self.processor_seconds is not None:
            return self.processor_seconds()
        return float(await self._one(b"GET /processor-seconds HTTP/1.1\r\nHost: localhost\r\n\r\n"))

    @asynccontextmanager
    async def _connected(self) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
        host, _, port = self.address.rpartition(":")
        reader, writer = await asyncio.open_connection(
            host, int(port), ssl=self.context, server_hostname="localhost"
        )
        try:
            yield reader, writer
        finally:
            writer.close()
            await writer.wait_closed()


def _posted(path: str, body: bytes) -> bytes:
    head = (
        f"POST {path} HTTP/1.1\r\nHost: localhost\r\n"
        f"Content-Type: application/soap+xml; charset=UTF-8\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


async def _exchange(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, request: bytes
) -> bytes:
    writer.write(request)
    head = await reader.readuntil(b"\r\n\r\n")
    length = _LENGTH.search(head)
    if length is not None:
        body = await reader.readexactly(int(length[1]))
    elif _CHUNKED.search(head):
        body = await _read_chunks(reader)
    else:
        raise RuntimeError("an answer without its length")
    if not head.startswith(b"HTTP/1.1 200 "):
        raise RuntimeError(f"refused: {body.decode(errors='replace')}")
    return body


async def _read_chunks(reader: asyncio.StreamReader) -> bytes:
    """A body of unknown length (RFC 9112: 7.1)."""
    chunks: list[bytes] = []
    while size := int((await reader.readuntil(b"\r\n")).partition(b";")[0], 16):
        chunks.append(await reader.readexactly(size))
        await reader.readexactly(2)
    while await reader.readuntil(b"\r\n") != b"\r\n":
        pass  # a trailer
    return b"".join(chunks)
