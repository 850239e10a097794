"""A folder of .eml files: each is made safe, then moved to `done`, or `refused` if it cannot be.

For audits, for what another program has saved, and for a HISP that delivers into a directory.
"""

import asyncio
import logging
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, Final

from gateway.exchange.spooling import Envelope, MailMeans, Spool, count_refusal
from gateway.model.identity import PlanId
from gateway.settings_mail import MailFolder, MailLimits

log = logging.getLogger("gateway.folder")

_CHUNK: Final = 1024 * 1024


class _NotTaken(Exception):
    """The file will never be a message; the text says why, without its name."""


async def watch_folder(means: MailMeans, stated: MailFolder, limits: MailLimits) -> None:
    """Looks every so often until cancelled; a failure waits for the next time."""
    while True:
        try:
            await take_folder(means, stated, limits)
        except Exception as error:  # the door of a background task
            log.error("a folder could not be read: %s", type(error).__name__)
        await asyncio.sleep(stated.every_seconds)


async def take_folder(means: MailMeans, stated: MailFolder, limits: MailLimits) -> int:
    """Takes what lies there, by name; how many files were dealt with.

    Raises:
        OSError: the folder cannot be read, or nothing can be kept now; what is left stays there.
        StoreUnavailable: as above.
    """
    plan = means.domains.plan_of(stated.address)
    if plan is None:
        raise ValueError("the folder is of no domain of ours")
    found = await asyncio.to_thread(_files, stated.path)
    for file in found:
        envelope = Envelope(door="FOLDER", mail_from=None, rcpt_to=(stated.address,))
        try:
            await _take(means, envelope, file, limits)
        except _NotTaken as reason:
            await _refuse(means, plan, str(reason))
            await asyncio.to_thread(_move, file, stated.path / "refused")
        else:
            await asyncio.to_thread(_move, file, stated.path / "done")
    return len(found)


async def _take(means: MailMeans, envelope: Envelope, file: Path, limits: MailLimits) -> None:
    with _opened(file) as content:
        async with Spool(means, envelope) as spool:
            size = 0
            while chunk := await asyncio.to_thread(content.read, _CHUNK):
                size += len(chunk)
                if size > limits.message_bytes:
                    raise _NotTaken("the message is too large")
                await spool.write(chunk)
            if not size:
                raise _NotTaken("the message is empty")
            await spool.commit()


@contextmanager
def _opened(file: Path) -> Iterator[BinaryIO]:
    """A file of its own: a link could name anything that we may read."""
    try:
        descriptor = os.open(file, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    except OSError as error:
        if file.is_symlink():
            raise _NotTaken("it is a link, not a file") from None
        raise error
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise _NotTaken("it is not a file")
    with os.fdopen(descriptor, "rb") as content:
        yield content


def _files(folder: Path) -> list[Path]:
    return sorted(file for file in folder.iterdir() if file.name.lower().endswith(".eml"))


def _move(file: Path, into: Path) -> None:
    """Under its own name; beside one of the same name, with a number."""
    into.mkdir(mode=0o700, exist_ok=True)
    target, number = into / file.name, 1
    while target.exists() or target.is_symlink():
        target, number = into / f"{file.stem}.{number}{file.suffix}", number + 1
    file.rename(target)


async def _refuse(means: MailMeans, plan: PlanId, reason: str) -> None:
    await count_refusal(means, "FOLDER", peer=None, reason=reason, plan=plan)
