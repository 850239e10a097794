"""Our publishing servers up on loopback, in a thread with an event loop of their own."""

import asyncio
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from cryptography import x509

from gateway.intakes.publish import publishing
from gateway.settings_discovery import Publish
from tests.certificates import NOW, Issued
from tests.gateway.own_loop import run_on


def publish_settings(folder: Path, certificates: Sequence[Issued], **stated: object) -> Publish:
    """Settings that publish these certificates, written into the folder."""
    files = []
    for number, issued in enumerate(certificates):
        files.append(folder / f"published-{number}.pem")
        files[-1].write_bytes(issued.certificate_pem)
    given: dict[str, object] = {"certificates": tuple(files), **stated}
    return Publish(**given)  # type: ignore[arg-type]


@contextmanager
def published(stated: Publish, keys: Sequence[x509.Certificate] = ()) -> Iterator[dict[str, int]]:
    """The ports of "dns" and "ldap" while the block runs; `keys` may change meanwhile."""
    ports: dict[str, int] = {}
    ready, stop = threading.Event(), asyncio.Event()
    loop = asyncio.new_event_loop()

    async def look() -> Sequence[x509.Certificate]:
        return tuple(keys)

    async def run() -> None:
        async with publishing(stated, look, clock=lambda: NOW, every_seconds=0.02) as found:
            ports.update(found)
            ready.set()
            await stop.wait()

    def main() -> None:
        try:
            run_on(loop, run())
        finally:
            ready.set()

    thread = threading.Thread(target=main, name="publishing")
    thread.start()
    ready.wait(30)
    try:
        yield ports
    finally:
        loop.call_soon_threadsafe(stop.set)
        thread.join(30)
