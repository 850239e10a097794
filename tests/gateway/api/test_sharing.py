"""Processes that take connections from one listening socket have as many each."""

import asyncio
import socket
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import replace

import pytest

from gateway.api.sharing import SharedListener, Taking


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
        async def opened() -> None:
            self.taken.append(connection)

        return asyncio.create_task(opened())


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
