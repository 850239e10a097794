"""Processes beside ours: mail in one, so that a flood of it slows no other door, and more of those
that answer partners, since one computes on one processor alone.

`gateway serve` starts `gateway serve --only …` beside itself and starts it again when it ends.
The settings go over its standard input, which stays open as long as we live: a child that reads
its end is an orphan, and stops.
"""

import asyncio
import contextlib
import logging
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final, Literal

from gateway.api.sharing import SharedListener
from gateway.settings import Settings

log = logging.getLogger("gateway")

What = Literal["mail", "partners"]
_AGAIN_SECONDS: Final = 1.0
_STOP_SECONDS: Final = 20.0
"""Longer than a message that is coming in is waited for."""


@asynccontextmanager
async def mail_process(settings: Settings) -> AsyncIterator[None]:
    """The mail process up while the block runs; nothing where there is no mail to take."""
    mail = settings.mail
    is_taken = mail is not None and bool(mail.listen or mail.imap or mail.folders)
    async with _kept("mail", settings, 1 if is_taken else 0):
        yield


@asynccontextmanager
async def partner_processes(settings: Settings, shared: SharedListener) -> AsyncIterator[None]:
    """Those that answer partners beside this process, while the block runs."""
    async with _kept("partners", settings, settings.listen.partner_processes - 1, shared):
        yield


@asynccontextmanager
async def _kept(
    what: What, settings: Settings, count: int, shared: SharedListener | None = None
) -> AsyncIterator[None]:
    places = range(1, count + 1)
    keepers = [asyncio.create_task(_keep(what, settings, place, shared)) for place in places]
    try:
        yield
    finally:
        for keeper in keepers:
            keeper.cancel()
        for keeper in keepers:
            with contextlib.suppress(asyncio.CancelledError):
                await keeper


async def _keep(what: What, settings: Settings, place: int, shared: SharedListener | None) -> None:
    command = ["-m", "gateway", "serve", "--only", what, "--settings-from-parent"]
    files: tuple[int, ...] = ()
    if shared is not None:
        command += ["--listener-from-parent", shared.text(place)]
        files = shared.files
    while True:
        process = await asyncio.create_subprocess_exec(
            sys.executable, *command, stdin=PIPE, pass_fds=files
        )
        try:
            _hand_over(process, settings)
            code = await process.wait()
        except asyncio.CancelledError:
            await _end(process)
            raise
        finally:
            if shared is not None:
                shared.leave(place)
        log.error("a process for %s ended (%s); it starts again", what, code)
        await asyncio.sleep(_AGAIN_SECONDS)


def _hand_over(process: Process, settings: Settings) -> None:
    if process.stdin is not None:
        process.stdin.write(settings.model_dump_json().encode() + b"\n")


async def _end(process: Process) -> None:
    """It drains as we do; one that does not is killed."""
    with contextlib.suppress(ProcessLookupError):
        process.terminate()
    try:
        await asyncio.wait_for(process.wait(), _STOP_SECONDS)
    except TimeoutError:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        await process.wait()
