"""What crosses a connection of ours: all of it, many records at a time, no more than we take."""

import asyncio
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any, cast

import httpcore
import httpx
import pytest

from gateway.clients.http_transport import _WAITING_BYTES, HttpTransport, _Arriving
from gateway.clients.tls import partner_listener_context
from tests.gateway import house as lakeshore

_RECORD = 16 * 1024
_LONG = bytes(range(256)) * 4096 * 4
_WAIT_SECONDS = 30.0
_TIMEOUT = {"timeout": {"connect": 20.0, "read": 20.0, "write": 20.0, "pool": 20.0}}

Script = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@asynccontextmanager
async def _served(script: Script) -> AsyncIterator[str]:
    certificate, key = lakeshore.key_files(lakeshore.US)
    anchors = [lakeshore.authority().certificate_pem]
    context = partner_listener_context(certificate=certificate, key=key, anchors=anchors, pinned=())

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await script(reader, writer)
        finally:
            writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=context)
    async with server:
        yield f"https://localhost:{server.sockets[0].getsockname()[1]}/"


@pytest.fixture
def context() -> ssl.SSLContext:
    return lakeshore.client_context(lakeshore.a_partner().name)


async def _asked(reader: asyncio.StreamReader) -> None:
    await reader.readuntil(b"\r\n\r\n")


async def _pieces(transport: HttpTransport, url: str) -> list[bytes]:
    request = httpx.Request("GET", url, extensions=_TIMEOUT)
    response = await transport.handle_async_request(request)
    assert isinstance(response.stream, httpx.AsyncByteStream)
    try:
        return [piece async for piece in response.stream]
    finally:
        await response.aclose()


@pytest.mark.timeout(60)
async def test_many_records_are_read_as_one(context: ssl.SSLContext) -> None:
    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await _asked(reader)
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(_LONG) + _LONG)
        await writer.drain()

    async with _served(script) as url:
        transport = HttpTransport(context)
        found = await _pieces(transport, url)
        await transport.aclose()
    assert b"".join(found) == _LONG
    assert max(map(len, found)) > 4 * _RECORD


@pytest.mark.timeout(60)
async def test_all_that_came_before_the_connection_ended_is_read(context: ssl.SSLContext) -> None:
    """An answer without its length is over with the connection; we are slower than it ends."""
    ended = asyncio.Event()

    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await _asked(reader)
        writer.write(b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n" + _LONG[: 8 * _WAITING_BYTES])
        writer.close()
        ended.set()

    async with _served(script) as url:
        transport = HttpTransport(context)
        response = await transport.handle_async_request(
            httpx.Request("GET", url, extensions=_TIMEOUT)
        )
        await asyncio.wait_for(ended.wait(), _WAIT_SECONDS)
        found = bytearray()
        async for piece in cast(httpx.AsyncByteStream, response.stream):
            found += piece
            await asyncio.sleep(0)
        await transport.aclose()
    assert bytes(found) == _LONG[: 8 * _WAITING_BYTES]


@pytest.mark.timeout(60)
async def test_a_connection_that_its_peer_has_closed_is_not_used_again(
    context: ssl.SSLContext,
) -> None:
    opened = 0

    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal opened
        opened += 1
        await _asked(reader)
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")

    async with _served(script) as url:
        transport = HttpTransport(context)
        response = await transport.handle_async_request(
            httpx.Request("GET", url, extensions=_TIMEOUT)
        )
        stream = response.extensions["network_stream"]
        assert await response.aread() == b"ok"
        async with asyncio.timeout(_WAIT_SECONDS):
            while not stream.get_extra_info("is_readable"):
                await asyncio.sleep(0.005)
        assert await _pieces(transport, url) == [b"ok"]
        await transport.aclose()
    assert opened == 2


@pytest.mark.timeout(60)
async def test_a_peer_that_says_nothing_is_waited_for_no_longer_than_said(
    context: ssl.SSLContext,
) -> None:
    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await _asked(reader)
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 20\r\n\r\nand then")
        await reader.read()  # until we go

    async with _served(script) as url:
        transport = HttpTransport(context)
        timeout = _TIMEOUT["timeout"] | {"read": 0.2}
        request = httpx.Request("GET", url, extensions={"timeout": timeout})
        response = await transport.handle_async_request(request)
        with pytest.raises(httpx.ReadTimeout):
            await response.aread()
        await transport.aclose()


@pytest.mark.timeout(60)
async def test_what_is_closed_is_closed_before_the_loop_may_end(context: ssl.SSLContext) -> None:
    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await _asked(reader)
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
        await reader.read()  # until we go

    async with _served(script) as url:
        transport = HttpTransport(context)
        request = httpx.Request("GET", url, extensions=_TIMEOUT)
        response = await transport.handle_async_request(request)
        connection = response.extensions["network_stream"].get_extra_info("socket")
        await response.aread()
        assert connection.fileno() >= 0
        await transport.aclose()
        assert connection.fileno() == -1


# ---- what asyncio calls --------------------------------------------------------------------


class _Transport:
    """What is asked of it, in order."""

    def __init__(self) -> None:
        self.asked: list[str] = []

    def pause_reading(self) -> None:
        self.asked.append("pause")

    def resume_reading(self) -> None:
        self.asked.append("resume")

    def write(self, _content: bytes) -> None:
        self.asked.append("write")


def _arriving() -> tuple[_Arriving, _Transport]:
    arriving, transport = _Arriving(), _Transport()
    arriving.connection_made(cast(Any, transport))
    return arriving, transport


async def test_who_sends_more_than_is_taken_has_to_wait() -> None:
    arriving, transport = _arriving()
    arriving.data_received(bytes(_WAITING_BYTES - 1))
    assert transport.asked == []
    arriving.data_received(b"x")
    assert transport.asked == ["pause"]
    assert len(await arriving.take()) == _WAITING_BYTES
    assert transport.asked == ["pause", "resume"]
    arriving.data_received(b"more")
    assert await arriving.take() == b"more"
    assert transport.asked == ["pause", "resume"]


async def test_what_came_before_a_break_is_given_and_then_the_break() -> None:
    arriving, _ = _arriving()
    arriving.data_received(b"half of it")
    arriving.connection_lost(ConnectionResetError())
    assert await arriving.take() == b"half of it"
    with pytest.raises(httpcore.ReadError):
        await arriving.take()
    with pytest.raises(httpcore.WriteError):
        await arriving.send(b"x")


async def test_what_tls_refuses_is_said_as_tls_says_it() -> None:
    arriving, _ = _arriving()
    arriving.connection_lost(ssl.SSLError("alert certificate required"))
    with pytest.raises(ssl.SSLError, match="certificate required"):
        await arriving.take()


async def test_a_sender_waits_until_its_peer_takes_what_was_sent() -> None:
    arriving, transport = _arriving()
    arriving.pause_writing()
    sending = asyncio.create_task(arriving.send(b"x"))
    await asyncio.sleep(0)
    assert (transport.asked, sending.done()) == (["write"], False)
    arriving.resume_writing()
    await asyncio.wait_for(sending, _WAIT_SECONDS)
