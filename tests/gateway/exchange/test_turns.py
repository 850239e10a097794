"""Only so many threads compute at once, and who waits for somebody outside holds nobody up."""

import asyncio
import threading
from functools import partial

import pytest

from gateway.exchange.turns import Turns, away
from gateway.store.brief import leave


def test_no_more_compute_at_once_than_may_and_all_get_their_turn() -> None:
    inside, most = 0, 0
    lock = threading.Lock()
    met = threading.Barrier(2)

    def step(number: int) -> int:
        nonlocal inside, most
        with lock:
            inside += 1
            most = max(most, inside)
        met.wait(20)  # two are let in together
        with lock:
            inside -= 1
        return number

    async def run() -> list[int]:
        turns = Turns(2)
        return await asyncio.gather(*(turns.run(partial(step, number)) for number in range(8)))

    assert asyncio.run(run()) == list(range(8))
    assert most == 2


def test_a_turn_is_lent_while_its_thread_waits_for_somebody_outside() -> None:
    answered = threading.Event()

    def waits() -> str:
        with away():
            assert answered.wait(20)
        return "waited"

    def answers() -> str:
        answered.set()
        return "answered"

    async def run() -> list[str]:
        turns = Turns(1)
        return await asyncio.gather(turns.run(waits), turns.run(answers))

    assert asyncio.run(run()) == ["waited", "answered"]


def test_who_has_no_turn_lends_none() -> None:
    with away():
        pass

    async def run() -> list[int]:
        turns = Turns(1)

        def step() -> int:
            return 1

        return [await turns.run(step) for _ in range(2)]

    assert asyncio.run(run()) == [1, 1]


def test_a_step_that_fails_gives_its_turn_back() -> None:
    def fails() -> None:
        raise ValueError("of the test")

    async def run() -> list[object]:
        turns = Turns(1)
        return await asyncio.gather(*(turns.run(fails) for _ in range(3)), return_exceptions=True)

    assert [str(error) for error in asyncio.run(run())] == ["of the test"] * 3


def test_what_is_brief_is_done_here_and_what_leaves_anew_in_a_thread() -> None:
    here = threading.get_ident()
    where: list[bool] = []

    def brief() -> str:
        where.append(threading.get_ident() == here)
        return "brief"

    def long() -> str:
        where.append(threading.get_ident() == here)
        leave()
        return "long"

    def waits() -> str:
        where.append(threading.get_ident() == here)
        with away():
            return "waited"

    async def run() -> list[str]:
        turns = Turns(1)
        return [await turns.run(step, is_brief=True) for step in (brief, long, waits)]

    assert asyncio.run(run()) == ["brief", "long", "waited"]
    assert where == [True, True, False, True, False]


def test_who_is_not_asked_to_be_brief_need_not_leave() -> None:
    leave()

    async def run() -> object:
        return await Turns(1).run(leave)

    assert asyncio.run(run()) is None


def test_a_brief_step_that_fails_is_not_done_twice() -> None:
    done: list[int] = []

    def fails() -> None:
        done.append(1)
        raise ValueError("of the test")

    with pytest.raises(ValueError, match="of the test"):
        asyncio.run(Turns(1).run(fails, is_brief=True))
    assert done == [1]
