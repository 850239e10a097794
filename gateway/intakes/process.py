"""Mail in a process of its own, so that a flood of it slows no other door.

`gateway serve` starts `gateway serve --only mail` beside itself and starts it again when it ends.
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
from typing import Final

from gateway.settings import Settings

log = logging.getLogger("gateway.mail")

_COMMAND: Final = ("-m", "gateway", "serve", "--only", "mail", "--settings-from-parent")
_AGAIN_SECONDS: Final = 1.0
_STOP_SECONDS: Final = 20.0
"""Longer than a message that is coming in is waited for."""


@asynccontextmanager
async def mail_process(settings: Settings) -> AsyncIterator[None]:
    """The mail process up while the block runs; nothing where there is no mail to take."""
    mail = settings.mail
    if mail is None or not (mail.listen or mail.imap or mail.folders):
        yield
        return
    keeper = asyncio.create_task(_keep(settings))
    try:
        yield
    finally:
        keeper.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await keeper


async def _keep(settings: Settings) -> None:
    while True:
        process = await asyncio.create_subprocess_exec(sys.executable, *_COMMAND, stdin=PIPE)
        try:
            _hand_over(process, settings)
            code = await process.wait()
        except asyncio.CancelledError:
            await _end(process)
            raise
        log.error("the mail process ended (%s); it starts again", code)
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
