"""Processes that take connections from one listening socket have as many each."""

import asyncio
import socket
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import replace

import pytest
import uvicorn

from gateway.api.listener import _SharingServer
from gateway.api.sharing import SharedListener, Taking, _Patience


@pytest.fixture
def shared() -> Iterator[list[SharedListener]]:
    """As three processes have it."""
    first = SharedListener.bind("127.0.0.1", 0, 3)
    others = [replace(first, listening=first.listening.dup(), place=place) for place in (1, 2)]
    yield [first, *others]
    for one in (first, *others):
        one.listening.close()


class Process:
    """Takes connections, beside others on the same loop."""

    def __init__(self, shared: SharedListener) -> None:
        self.taken: list[socket.socket] = []
        self.taking = Taking(shared, has=lambda: len(self.taken), opened=self._opened)

    def _opened(self, connection: socket.socket) -> "asyncio.Task[None]":
        self.taken.append(connection)
        return asyncio.create_task(asyncio.sleep(0))


async def connected(shared: SharedListener, processes: list[Process], count: int) -> list[int]:
    """How many each has, of so many that come one after the other."""
    address, before = shared.listening.getsockname(), sum(len(one.taken) for one in processes)
    with ExitStack() as stack:
        for number in range(1, count + 1):
            stack.enter_context(socket.create_connection(address))
            async with asyncio.timeout(10):
                while sum(len(one.taken) for one in processes) < before + number:
                    await asyncio.sleep(0.001)
    return [len(one.taken) for one in processes]


def ended(processes: list[Process]) -> None:
    for process in processes:
        process.taking.close()
        for connection in process.taken:
            connection.close()


async def test_each_has_as_many_as_any_other(shared: list[SharedListener]) -> None:
    processes = [Process(one) for one in shared]
    assert await connected(shared[0], processes, 12) == [4, 4, 4]
    ended(processes)


async def test_who_has_more_takes_all_the_same_where_the_others_do_not(
    shared: list[SharedListener],
) -> None:
    """They say that they have fewer, and are busy or have stopped."""
    first = Process(shared[0])
    for other in shared[1:]:
        other.tell(0)
    assert await connected(shared[0], [first], 3) == [3]
    ended([first])


async def test_whoever_has_left_is_not_waited_for(shared: list[SharedListener]) -> None:
    first, second, third = processes = [Process(one) for one in shared]
    assert await connected(shared[0], processes, 6) == [2, 2, 2]
    third.taking.close()
    assert shared[0].others_have == 2
    assert await connected(shared[0], [first, second], 4) == [4, 4]
    ended(processes)


def test_others_are_waited_for_as_long_as_they_are_heard_of() -> None:
    """They may be busy; but not for ever, for they may be busy with something else."""
    patience = _Patience(b"0", since=10.0, until=10.5)
    assert [patience.lasts(b"0", now) for now in (10.0, 10.09, 10.11)] == [True, True, False]
    assert [patience.lasts(b"1", now) for now in (10.11, 10.2, 10.22)] == [True, True, False]
    assert [patience.lasts(b"2", 10.49), patience.lasts(b"3", 10.5)] == [True, False]


async def test_a_connection_counts_once_while_it_is_opened_and_after(
    shared: list[SharedListener],
) -> None:
    """Else the others think that there are more, and take more themselves."""
    server = _Counting(uvicorn.Config(_nothing, lifespan="off", log_config=None), shared[0])
    serving = asyncio.create_task(server.serve())
    try:
        async with asyncio.timeout(10):
            while not server.started:
                await asyncio.sleep(0.001)
            with ExitStack() as stack:
                for number in range(1, 4):
                    address = shared[0].listening.getsockname()
                    stack.enter_context(socket.create_connection(address))
                    while len(server.counted) < 2 * number:
                        await asyncio.sleep(0.001)
            assert server.counted == [1, 1, 2, 2, 3, 3]
            while shared[0].counts[0] != 0:
                await asyncio.sleep(0.001)
    finally:
        server.should_exit = True
        await serving


async def _nothing(_scope: object, _receive: object, _send: object) -> None:
    """An application that nobody asks anything."""


class _Counting(_SharingServer):
    """Notes how many connections it has when it begins to open one, and when that is open."""

    def __init__(self, config: uvicorn.Config, shared: SharedListener) -> None:
        super().__init__(config, shared)
        self.counted: list[int] = []

    async def _open(self, connection: socket.socket, protocol: asyncio.Protocol) -> None:
        self.counted.append(self._has())
        await super()._open(connection, protocol)
        self.counted.append(self._has())
