"""Simulated partners up beside a test, in a thread with its own event loop."""

import asyncio
import ssl
import threading
from collections.abc import Iterator, Sequence
from contextlib import AsyncExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from gateway.clients.tls import outgoing_context, partner_listener_context
from gateway.demo.certificates import issue
from gateway.demo.simulator.answering import Responder
from gateway.demo.simulator.holdings import HOME, NAME, holdings
from gateway.demo.simulator.listening import listening
from gateway.demo.simulator.mood import Mood
from gateway.demo.simulator.moods import mood
from gateway.model.partner import Endpoints, Partner, PartnerProfile
from ihe.identifiers import HomeCommunityId
from tests.gateway import house as lakeshore
from tests.gateway.own_loop import run_on


@dataclass(frozen=True, slots=True)
class Wanted:
    """A partner to be simulated; `moods` as `gateway simulate` takes them."""

    moods: tuple[str, ...] = ()
    name: str = NAME
    home: HomeCommunityId = HOME
    profile: PartnerProfile = field(default_factory=lambda: PartnerProfile(timeout_seconds=20.0))


@contextmanager
def simulated(*moods: str, **profile: Any) -> Iterator[Partner]:
    """One such partner, as our directory knows it."""
    wanted = Wanted(moods, profile=PartnerProfile(**{"timeout_seconds": 20.0, **profile}))
    with all_simulated([wanted]) as (partner,):
        yield partner


@contextmanager
def all_simulated(wanted: Sequence[Wanted]) -> Iterator[list[Partner]]:
    """All of them at once, in one thread."""
    with _up([_place(one) for one in wanted]) as ports:
        yield [_partner(one, port) for one, port in zip(wanted, ports, strict=True)]


def _moods(wanted: Wanted) -> tuple[Mood, ...]:
    return tuple(mood(one) for one in wanted.moods)


def _files(wanted: Wanted) -> tuple[Path, Path]:
    if any(one.expired for one in _moods(wanted)):
        return _expired_files(wanted.name)
    return lakeshore.key_files(wanted.name)


def _place(wanted: Wanted) -> tuple[Responder, ssl.SSLContext, ssl.SSLContext]:
    key = lakeshore.signing_key(wanted.name)
    certificate, private = _files(wanted)
    anchors = [lakeshore.authority().certificate_pem]
    context = partner_listener_context(
        certificate=certificate, key=private, anchors=anchors, pinned=()
    )
    client = outgoing_context(certificate=certificate, key=private, anchors=anchors, pinned=())
    return Responder(holdings(wanted.home), key, _moods(wanted)), context, client


def _partner(wanted: Wanted, port: int) -> Partner:
    base = f"https://localhost:{port}/ihe"
    endpoints = Endpoints(f"{base}/xcpd", f"{base}/xca", f"{base}/xca")
    pinned = _files(wanted)[0].read_text(encoding="ascii")
    return lakeshore.a_partner(
        wanted.name,
        str(wanted.home),
        endpoints=endpoints,
        profile=wanted.profile,
        tls_certificates=(pinned,),
    )


_folders: list[TemporaryDirectory[str]] = []


@cache
def _expired_files(name: str) -> tuple[Path, Path]:
    _folders.append(TemporaryDirectory(prefix="expired-"))
    issued = issue(lakeshore.authority(), name, now=datetime.now(UTC) - timedelta(days=3))
    return issued.save(Path(_folders[-1].name), "expired")


@contextmanager
def _up(
    places: Sequence[tuple[Responder, ssl.SSLContext, ssl.SSLContext]],
) -> Iterator[list[int]]:
    loop, stop, ready = asyncio.new_event_loop(), asyncio.Event(), threading.Event()
    ports: list[int] = []

    async def run() -> None:
        async with AsyncExitStack() as stack:
            for responder, context, client in places:
                up = await stack.enter_async_context(listening(responder, context, client=client))
                ports.append(up.port)
            ready.set()
            await stop.wait()

    def main() -> None:
        try:
            run_on(loop, run())
        finally:
            ready.set()

    thread = threading.Thread(target=main, name="simulated partners")
    thread.start()
    ready.wait(30)
    try:
        yield ports
    finally:
        loop.call_soon_threadsafe(stop.set)
        thread.join(30)
