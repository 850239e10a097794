"""A mail server, or a directory, that is slow keeps its own messages waiting, and nobody else's."""

import asyncio
import threading
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import timedelta
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import pytest

from gateway.clients import restraint as restraints
from gateway.clients.restraint import (
    AT_ONE_MAIL_SERVER,
    MAIL_IN_LINE,
    MESSAGES_AT_ONCE,
    Restraint,
)
from gateway.clients.smtp_client import Server
from gateway.exchange.jobs import JobMeans, perform
from gateway.model.identity import MailId
from tests.gateway import house as lakeshore
from tests.gateway.exchange.direct_certificates import certified
from tests.gateway.exchange.post_offices import Office, Town, office

CLINIC, QUICK, SLOW = "direct.clinic.test", "direct.quick.test", "direct.slow.test"
PLACES = AT_ONE_MAIL_SERVER + MAIL_IN_LINE + 1
"""For mail: those that one server holds, and one more."""
MORE = PLACES + 3


@pytest.fixture
def town() -> Town:
    return Town()


@pytest.fixture
async def clinic(tmp_path: Path, town: Town) -> AsyncIterator[Office]:
    async with office(tmp_path / "clinic", CLINIC, town) as opened:
        yield opened


@pytest.fixture
async def quick(tmp_path: Path, town: Town) -> AsyncIterator[Office]:
    async with office(tmp_path / "quick", QUICK, town) as opened:
        yield opened


@dataclass
class Slow(Office):
    """Its server answers nobody until it is released."""

    def __post_init__(self) -> None:
        self.released = asyncio.Event()
        self.waiting = self.most = 0

    async def handle_RCPT(self, *given: Any) -> str:
        self.waiting += 1
        self.most = max(self.most, self.waiting)
        await self.released.wait()
        self.waiting -= 1
        return await super().handle_RCPT(*given)


@pytest.fixture
async def slow(tmp_path: Path, town: Town) -> AsyncIterator[Slow]:
    async with office(tmp_path / "slow", SLOW, town, kind=Slow) as opened:
        assert isinstance(opened, Slow)
        yield opened
        opened.released.set()


@asynccontextmanager
async def working(at: Office) -> AsyncIterator[None]:
    """Jobs are done there meanwhile."""
    house = at.house
    means = JobMeans(
        house.archive, None, house.community, house.plans, at.means.queue, direct=at.means
    )
    work = asyncio.create_task(
        at.means.queue.work(lambda job: perform(job, means), room={"mail": PLACES})
    )
    try:
        yield
    finally:
        work.cancel()
        await asyncio.gather(work, return_exceptions=True)


async def until(is_so: Callable[[], bool]) -> None:
    async with asyncio.timeout(60):
        while not is_so():
            await asyncio.sleep(0.02)


def has_left(at: Office, *messages: MailId) -> bool:
    return {at.state(one) for one in messages} == {"handed_over"}


def reasons(at: Office, messages: list[MailId]) -> set[str | None]:
    return {recipient.reason for one in messages for recipient in at.sent(one).recipients}


async def test_messages_to_a_slow_server_hold_up_no_others_and_lose_no_attempt(
    clinic: Office, quick: Office, slow: Slow
) -> None:
    held = [await clinic.send(f"doctor@{SLOW}") for _ in range(MORE)]
    other = await clinic.send(f"doctor@{QUICK}")
    async with working(clinic):
        await until(lambda: has_left(clinic, other))
        await until(lambda: slow.waiting == AT_ONE_MAIL_SERVER)
        assert slow.most == AT_ONE_MAIL_SERVER
        assert {clinic.state(one) for one in held} == {"queued"}
        said = "other messages go to its domain, or by its mail server, before it"
        assert reasons(clinic, held) == {None, said}
    slow.released.set()
    clinic.now += timedelta(minutes=1)
    await clinic.work()
    assert has_left(clinic, *held)
    assert reasons(clinic, held) == {None}
    jobs = [one for one in lakeshore.rows_of(clinic.house, "job") if one["kind"] == "mail_send"]
    assert [one["attempt"] for one in jobs] == [1] * (MORE + 1)


async def test_a_slow_server_of_many_domains_holds_up_no_others(
    clinic: Office, quick: Office, slow: Slow, town: Town
) -> None:
    domains = [f"direct.practice-{number}.test" for number in range(MORE)]
    for domain in domains:
        town.published[domain] = certified(domain)[1]
    found = Server("mx.slow.test", slow.port, address=ip_address("127.0.0.1"))
    own = clinic.means.route
    clinic.means = replace(
        clinic.means, route=lambda domain: (found,) if domain in domains else own(domain)
    )
    held = [await clinic.send(f"doctor@{domain}") for domain in domains]
    other = await clinic.send(f"doctor@{QUICK}")
    async with working(clinic):
        await until(lambda: has_left(clinic, other))
        await until(lambda: slow.waiting == AT_ONE_MAIL_SERVER)
        assert slow.most == AT_ONE_MAIL_SERVER
    slow.released.set()
    clinic.now += timedelta(minutes=1)
    await clinic.work()
    assert has_left(clinic, *held)


async def test_by_our_own_smarthost_go_as_many_as_may_be_in_memory(
    clinic: Office, slow: Slow, town: Town
) -> None:
    domains = [f"direct.practice-{number}.test" for number in range(MORE)]
    for domain in domains:
        town.published[domain] = certified(domain)[1]
    smarthost = Server("127.0.0.1", slow.port)
    clinic.means = replace(clinic.means, route=lambda _domain: (smarthost,))
    sent = [await clinic.send(f"doctor@{domain}") for domain in domains]
    async with working(clinic):
        await until(lambda: slow.waiting == MESSAGES_AT_ONCE)
        slow.released.set()
        await until(lambda: has_left(clinic, *sent))
    assert slow.most == MESSAGES_AT_ONCE


async def test_where_visits_take_longer_than_of_late_the_others_come_back_later(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(restraints, "IN_LINE_SECONDS", 0.0)
    restraint, loop = Restraint(), asyncio.get_running_loop()
    for _ in range(100):
        async with restraint.mailing(SLOW) as back_in:
            assert back_in is None
    async with restraint.mailing(SLOW), restraint.mailing(SLOW):
        async with restraint.mailing(SLOW) as back_in:
            assert back_in is not None and back_in < 1
        time = loop.time
        with monkeypatch.context() as later:
            later.setattr(loop, "time", lambda: time() + 600)
            async with restraint.mailing(SLOW) as back_in:
                assert back_in is not None and back_in >= 600 / AT_ONE_MAIL_SERVER


# ---- directories and issuers -----------------------------------------------------------------


async def test_a_directory_that_does_not_answer_takes_no_thread_that_others_work_in(
    clinic: Office, quick: Office
) -> None:
    asyncio.get_running_loop().set_default_executor(ThreadPoolExecutor(1))
    looking, released = threading.Event(), threading.Event()

    def find(address: str, *, sender: str, fresh: bool = False) -> Any:
        looking.set()
        released.wait(60)
        return clinic.find(address, sender=sender, fresh=fresh)

    clinic.means = replace(clinic.means, find=find)
    message = await clinic.send(f"doctor@{QUICK}")
    async with working(clinic):
        try:
            await until(looking.is_set)
            async with asyncio.timeout(20):
                await asyncio.to_thread(int)
        finally:
            released.set()
        await until(lambda: has_left(clinic, message))


async def test_an_issuer_that_does_not_answer_takes_no_thread_that_others_work_in(
    clinic: Office, quick: Office
) -> None:
    asyncio.get_running_loop().set_default_executor(ThreadPoolExecutor(1))
    looking, released = threading.Event(), threading.Event()
    judge = quick.judge

    def slowly(*given: Any, **named: Any) -> Any:
        looking.set()
        released.wait(60)
        return judge(*given, **named)

    quick.means = replace(quick.means, judge=slowly)
    await clinic.send(f"doctor@{QUICK}")
    await clinic.work()
    async with working(quick):
        try:
            await until(looking.is_set)
            async with asyncio.timeout(20):
                await asyncio.to_thread(int)
        finally:
            released.set()
        await until(lambda: [one.state for one in quick.received()] == ["filed"])
