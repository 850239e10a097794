"""kill -9 while a message leaves: never lost; handed over twice only where SMTP cannot tell.

Between the server's 250 and our commit nobody can know both: the message then goes once more, and
its receiver knows it by its id (RFC 5321: 4.2.5; Direct AS 1.3: 3).
"""

import asyncio
import multiprocessing
import os
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from gateway.clients.smtp_client import HandedOver, Server, SmtpClient
from gateway.exchange.mail_delivering import TRANSACTION
from gateway.store import exchange_log, mail_sent
from tests.flows.test_direct import CLINIC, INTAKE, PLAN_DOMAIN
from tests.gateway.clients.smtp_servers import Post, posting
from tests.gateway.exchange.direct_certificates import certified
from tests.gateway.exchange.post_offices import Office, Town, office
from tests.gateway.house import PLAN, documents, records

FORK = multiprocessing.get_context("fork")
DESK = f"desk@{CLINIC}"


@contextmanager
def server() -> Iterator[Post]:
    """A mail server in a thread of its own, that outlives who sends to it."""
    loop, started, stop = asyncio.new_event_loop(), threading.Event(), asyncio.Event()
    found: list[Post] = []

    async def run() -> None:
        async with posting() as post:
            found.append(post)
            started.set()
            await stop.wait()

    thread = threading.Thread(target=lambda: loop.run_until_complete(run()))
    thread.start()
    assert started.wait(60)
    try:
        yield found[0]
    finally:
        loop.call_soon_threadsafe(stop.set)
        thread.join(60)
        loop.close()


@dataclass
class Death:
    """Ends this process at the first `step` after `event`: a durable step, or the hand-over."""

    event: str
    step: str
    is_due: bool = False

    def __call__(self, step: str) -> None:
        if self.is_due and step == self.step:
            os.kill(os.getpid(), signal.SIGKILL)
        self.is_due = self.is_due or step == self.event


@dataclass(frozen=True)
class Watched(SmtpClient):
    """Tells of the hand-over, which is no step of ours."""

    tell: Callable[[str], None] = print

    async def hand_over(self, *given: Any, **stated: Any) -> HandedOver:
        done = await super().hand_over(*given, **stated)
        self.tell("handed over")
        return done


def at_clinic(folder: Path, port: int, work: Any, death: Death | None = None) -> None:
    async def run() -> None:
        town = Town()
        town.published[PLAN_DOMAIN] = certified(PLAN_DOMAIN)[1]
        async with office(folder, CLINIC, town, failpoint=death) as clinic:
            clinic.means = replace(
                clinic.means,
                route=lambda _: (Server("127.0.0.1", port),),
                smtp=Watched(CLINIC, tell=death or (lambda _step: None)),
            )
            await work(clinic)

    asyncio.run(run())


async def queue(clinic: Office) -> None:
    await clinic.send(INTAKE)


async def deliver(clinic: Office) -> None:
    clinic.house.database.write(lambda tx: exchange_log.recover(tx, now=datetime.now(UTC)))
    await clinic.work()
    assert clinic.failures == []


async def check(clinic: Office) -> None:
    house = clinic.house
    (sent,) = house.database.read(lambda tx: mail_sent.list_page(tx, plan=PLAN, limit=10))
    assert clinic.state(sent.id) == "handed_over"
    assert house.database.read(exchange_log.verify).first_bad is None
    outcomes = [one.outcome for one in records(house) if one.transaction == TRANSACTION]
    assert outcomes in (["success"], ["unknown", "success"])


def run_in_child(folder: Path, port: int, death: Death | None) -> int | None:
    process = FORK.Process(target=at_clinic, args=(folder, port, deliver, death))
    process.start()
    process.join()
    code = process.exitcode
    process.close()
    return code


@pytest.mark.parametrize(
    ("death", "handed_over"),
    [
        pytest.param(Death("blob synced", "blob named"), 1, id="before the message is kept"),
        pytest.param(Death("blob named", "before commit"), 1, id="before the open row"),
        pytest.param(Death("blob named", "after commit"), 1, id="before it leaves"),
        pytest.param(Death("handed over", "before commit"), 2, id="before we say that it left"),
        pytest.param(Death("handed over", "after commit"), 1, id="once that is durable"),
    ],
)
def test_a_killed_sender_loses_nothing_and_its_receiver_files_once(
    tmp_path: Path, death: Death, handed_over: int
) -> None:
    with server() as post:
        at_clinic(tmp_path / "clinic", post.port, queue)
        assert run_in_child(tmp_path / "clinic", post.port, death) == -signal.SIGKILL
        assert run_in_child(tmp_path / "clinic", post.port, None) == 0
        at_clinic(tmp_path / "clinic", post.port, check)
    assert len(post.taken) == handed_over
    asyncio.run(received(tmp_path / "plan", post))


async def received(folder: Path, post: Post) -> None:
    async with office(folder, PLAN_DOMAIN, Town()) as plan:
        for taken in post.taken:
            await plan.spool(taken.content, tuple(taken.recipients), taken.mail_from or "")
        await plan.work()
        assert plan.failures == []
        states = sorted(one.state for one in plan.received())
        assert states in (["filed"], ["duplicate", "filed"])
        assert len(documents(plan.house)) == 1
