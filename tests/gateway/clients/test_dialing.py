"""The first address that takes a connection has it, and no other connection stays open."""

import asyncio
import errno
import socket
from collections.abc import AsyncIterator
from contextlib import suppress
from typing import Any

import pytest

from gateway.clients import dialing
from gateway.clients.dialing import dial

_HOST = "partner.example"


class Peer:
    """A listener on loopback that counts who is with it."""

    def __init__(self) -> None:
        self.came = self.inside = 0
        self.port = 0

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.came += 1
        self.inside += 1
        with suppress(ConnectionError):  # aborted, as it is to be
            await reader.read()
        self.inside -= 1
        writer.close()

    async def is_left(self) -> None:
        async with asyncio.timeout(20):
            while self.inside:
                await asyncio.sleep(0.001)


@pytest.fixture
async def peer() -> AsyncIterator[Peer]:
    peer = Peer()
    server = await asyncio.start_server(peer.serve, "127.0.0.1", 0)
    peer.port = server.sockets[0].getsockname()[1]
    async with server:
        yield peer


@pytest.fixture
def addresses(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What the resolver says of `_HOST`."""
    found: list[str] = []
    ours = asyncio.BaseEventLoop.getaddrinfo

    async def resolve(loop: Any, host: str, port: int, **more: Any) -> Any:
        if host != _HOST:
            return await ours(loop, host, port, **more)
        return [
            (
                socket.AF_INET6 if ":" in one else socket.AF_INET,
                socket.SOCK_STREAM,
                socket.IPPROTO_TCP,
                "",
                (one, port, 0, 0) if ":" in one else (one, port),
            )
            for one in found
        ]

    monkeypatch.setattr(asyncio.BaseEventLoop, "getaddrinfo", resolve)
    return found


class Plain(asyncio.Protocol):
    transport: asyncio.Transport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport


async def test_what_does_not_take_it_is_passed_over(peer: Peer, addresses: list[str]) -> None:
    addresses += ["127.0.0.2", "127.0.0.3", "127.0.0.1"]  # nobody listens at the first two
    found = await dial(Plain, _HOST, peer.port)
    assert found.transport.get_extra_info("peername")[0] == "127.0.0.1"
    found.transport.abort()
    await peer.is_left()
    assert peer.came == 1


async def test_who_says_nothing_is_not_waited_for(
    peer: Peer, addresses: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dialing, "_ALONE_SECONDS", 0.01)
    ours, hanging = asyncio.BaseEventLoop.create_connection, asyncio.Event()

    async def create(loop: Any, protocol: Any, host: str, port: int, **more: Any) -> Any:
        if host == "127.0.0.2":
            await hanging.wait()
        return await ours(loop, protocol, host, port, **more)

    monkeypatch.setattr(asyncio.BaseEventLoop, "create_connection", create)
    addresses += ["127.0.0.2", "127.0.0.1"]
    found = await dial(Plain, _HOST, peer.port)
    found.transport.abort()
    await peer.is_left()
    # The one that was waited for is given up, and does not connect later.
    hanging.set()
    await asyncio.sleep(0.01)
    assert (peer.came, len(asyncio.all_tasks())) == (1, 1)


async def test_families_take_turns(addresses: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    tried: list[str] = []

    async def create(loop: Any, protocol: Any, host: str, port: int, **more: Any) -> Any:
        tried.append(host)
        raise OSError(errno.ECONNREFUSED, host)

    monkeypatch.setattr(asyncio.BaseEventLoop, "create_connection", create)
    addresses += ["::1", "::2", "::3", "127.0.0.1", "127.0.0.2"]
    with pytest.raises(OSError, match="::1"):
        await dial(Plain, _HOST, 443)
    assert tried == ["::1", "127.0.0.1", "::2", "127.0.0.2", "::3"]


async def test_a_host_without_an_address_is_told(addresses: list[str]) -> None:
    with pytest.raises(OSError, match="no address"):
        await dial(Plain, _HOST, 443)


async def test_cancelled_at_any_moment_it_leaves_nothing_open(
    peer: Peer, addresses: list[str]
) -> None:
    addresses += ["127.0.0.2", "127.0.0.1"]
    for turns in range(40):
        dialled = asyncio.create_task(dial(Plain, _HOST, peer.port))
        for _ in range(turns % 20):
            await asyncio.sleep(0)
        dialled.cancel()
        (found,) = await asyncio.gather(dialled, return_exceptions=True)
        if isinstance(found, Plain):
            found.transport.abort()
    await peer.is_left()
    assert peer.came > 5
