"""Where documents of an answer are read: on the loop what is small and at hand, or elsewhere."""

import asyncio
import threading
from collections.abc import Iterator
from typing import Any

import pytest

from gateway.api import soap_package
from gateway.api.soap_package import Package
from ihe.mtom_writing import Part

SMALL, LARGE = 500_000, 600_000


class Clock:
    """Time that passes only where something waits or computes, however busy the machine is."""

    def __init__(self) -> None:
        self.now = self.computed = 0.0

    def wait(self, seconds: float) -> None:
        self.now += seconds

    def compute(self, seconds: float) -> None:
        self.now += seconds
        self.computed += seconds

    def monotonic(self) -> float:
        return self.now

    def thread_time(self) -> float:
        return self.computed


CLOCK = Clock()


class Sent:
    """An answer as it went out, and in which thread its document was read."""

    def __init__(
        self,
        size: int | None,
        *,
        may_be_brief: bool = True,
        waits: float = 0,
        computes: float = 0,
        breaks: bool = False,
    ) -> None:
        self.bytes = 0
        self.where: int | None = None
        self.broken: list[str] = []

        def chunks() -> Iterator[bytes]:
            self.where = threading.get_ident()
            CLOCK.wait(waits)
            CLOCK.compute(computes)
            for _ in range(10):
                yield bytes((size or SMALL) // 10)
            if breaks:
                raise OSError("the disk is gone")

        part = Part("a@b", "text/xml", chunks(), size)
        self.package = Package(
            b"<a/>", [part], action="urn:a", broken=self._break, may_be_brief=may_be_brief
        )

    async def _break(self, reason: str) -> None:
        self.broken.append(reason)

    async def go(self) -> "Sent":
        async def send(message: Any) -> None:
            self.bytes += len(message.get("body", b""))

        async def receive() -> Any:
            await asyncio.Event().wait()

        await self.package({"type": "http"}, receive, send)
        return self

    @property
    def is_here(self) -> bool:
        return self.where == threading.get_ident()


@pytest.fixture(autouse=True)
def disk(monkeypatch: pytest.MonkeyPatch) -> None:
    """One of which nothing is known yet."""
    monkeypatch.setattr(soap_package, "_DISK", soap_package._Disk())
    monkeypatch.setattr(soap_package, "time", CLOCK)


@pytest.mark.parametrize(
    ("size", "may_be_brief", "is_here"),
    [(SMALL, True, True), (SMALL, False, False), (LARGE, True, False), (None, True, False)],
)
async def test_only_what_is_small_and_may_be_is_read_on_the_loop(
    size: int | None, may_be_brief: bool, is_here: bool
) -> None:
    sent = await Sent(size, may_be_brief=may_be_brief).go()
    assert sent.is_here is is_here
    assert sent.bytes > (size or SMALL) and sent.broken == []
    if size is not None:
        assert int(sent.package.headers["content-length"]) == sent.bytes


async def test_after_one_that_waited_for_the_disk_threads_read_for_a_while() -> None:
    assert (await Sent(SMALL).go()).is_here
    assert (await Sent(SMALL, waits=0.005, computes=0.5).go()).is_here
    assert (await Sent(SMALL, waits=0.02).go()).is_here  # what was before waited little
    assert not (await Sent(SMALL, waits=0.5).go()).is_here
    assert not (await Sent(SMALL).go()).is_here
    CLOCK.wait(0.6)
    assert (await Sent(SMALL).go()).is_here


@pytest.mark.parametrize("may_be_brief", [True, False])
async def test_what_fails_on_its_way_is_told_as_broken_wherever_it_is_read(
    may_be_brief: bool,
) -> None:
    sent = await Sent(SMALL, may_be_brief=may_be_brief, breaks=True).go()
    assert sent.broken == ["the transfer failed: OSError"]
