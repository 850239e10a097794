"""The partner listener that is measured, in a process of its own: `python -m tests.bench.partner`.

Beside the real doors it has a no-op of the same outward form on the same port: it reads the same
body over the same TLS and gives as many bytes back. The first line on stdout is the address.
"""

import asyncio
import json
import os
import re
import sys
import tempfile
import time
from collections.abc import AsyncIterator
from dataclasses import replace
from functools import cache
from pathlib import Path

from fastapi import FastAPI, Request
from fastapi.responses import PlainTextResponse, Response, StreamingResponse

from gateway.api import soap, soap_records
from gateway.api.listener import running, until_asked_to_stop
from gateway.api.sharing import SharedListener
from gateway.app.house import House, open_house
from gateway.app.listening import listeners
from gateway.app.serving import settle
from gateway.app.working import working
from gateway.exchange.keeping import Kept
from gateway.settings import Settings

UNRECORDED = "--unrecorded"
SHARED = "--shared"
_COPY = Path(tempfile.gettempdir()) / f"bench-copy-{os.getpid()}"


def main() -> None:
    """`python -m tests.bench.partner SETTINGS`: serves the house of these settings (JSON).

    With `--unrecorded` its SOAP doors record nothing and keep nothing, to measure what that costs;
    with `--shared TEXT` it takes connections from a listener that others take from too.
    """
    if UNRECORDED in sys.argv[2:]:
        soap_records._append = lambda *_given: None
        soap.keep = lambda *_given, **_named: Kept()  # type: ignore[attr-defined]
    settings = Settings(**json.loads(Path(sys.argv[1]).read_text(encoding="utf-8")))
    shared = None
    if SHARED in sys.argv[2:]:
        shared = SharedListener.handed_down(sys.argv[sys.argv.index(SHARED) + 1])
    with open_house(settings) as house:
        asyncio.run(_serve(house, shared))


async def _serve(house: House, shared: SharedListener | None) -> None:
    (door,) = (one for one in listeners(house) if one.tls is not None)
    door = replace(door, shared=shared)
    application: FastAPI = door.application
    application.add_api_route("/noop/{size}", _no_op, methods=["POST"])
    application.add_api_route("/copy-in", _copy_in, methods=["POST"])
    application.add_api_route("/copy-out", _copy_out, methods=["POST"])
    application.add_api_route("/memory", _memory, methods=["POST"])
    application.add_api_route("/processor-seconds", _processor_seconds, methods=["GET"])
    async with working(house), running([door]) as (address,):
        settle()
        print(address, flush=True)
        await until_asked_to_stop()


async def _no_op(request: Request) -> Response:
    async for _ in request.stream():
        pass
    return Response(_filler(request.path_params["size"]), media_type="application/soap+xml")


async def _copy_in(request: Request) -> Response:
    """What comes into a file, synced: the least that keeping it can cost."""
    with _COPY.open("wb") as file:
        async for chunk in request.stream():
            await asyncio.to_thread(file.write, chunk)
        file.flush()
        await asyncio.to_thread(os.fsync, file.fileno())
    return PlainTextResponse("")


async def _copy_out() -> Response:
    """The same file again."""

    async def pieces() -> AsyncIterator[bytes]:
        with _COPY.open("rb") as file:
            while piece := await asyncio.to_thread(file.read, 512 * 1024):
                yield piece

    return StreamingResponse(pieces())


async def _memory() -> PlainTextResponse:
    """What is resident, and the most that was since this was asked last (VmRSS, VmHWM; in MB)."""
    status = Path("/proc/self/status").read_text(encoding="ascii")
    found = [re.findall(rf"{name}:\s+(\d+) kB", status)[0] for name in ("VmRSS", "VmHWM")]
    Path("/proc/self/clear_refs").write_text("5", encoding="ascii")  # HWM counts anew
    return PlainTextResponse(" ".join(str(int(one) / 1000) for one in found))


async def _processor_seconds() -> PlainTextResponse:
    """What this process has used so far: it tells costs apart from waiting and from neighbours."""
    return PlainTextResponse(str(time.process_time()))


@cache
def _filler(size: str) -> bytes:
    return b"x" * int(size)


if __name__ == "__main__":
    main()
