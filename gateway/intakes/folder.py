"""A folder of .eml files: each is made safe, then moved to `done`, or `refused` if it cannot be.

For audits, for what another program has saved, and for a HISP that delivers into a directory. Who
writes a file there does not say when it is whole: it is taken once it has not changed for a while.
"""

import asyncio
import logging
import os
import stat
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Final

from gateway.exchange.spooling import Envelope, MailMeans, Spool, count_refusal
from gateway.model.identity import PlanId
from gateway.settings_mail import MailFolder, MailLimits

log = logging.getLogger("gateway.folder")

_CHUNK: Final = 1024 * 1024
_STEADY_SECONDS: Final = 2
"""For which we must have seen it unchanged."""
_OLD_SECONDS: Final = 30
"""What was last written so long ago is whole at first sight."""


class _NotTaken(Exception):
    """The file will never be a message; the text says why, without its name."""


class _StillWritten(Exception):
    """The file has changed while we dealt with it: it is left for the next time."""


@dataclass(frozen=True, slots=True)
class _Look:
    """What differs once a file was written to, or another has taken its name."""

    inode: int
    size_bytes: int
    modified_ns: int


async def watch_folder(means: MailMeans, stated: MailFolder, limits: MailLimits) -> None:
    """Looks every so often until cancelled; a failure waits for the next time."""
    watch = Watch(means, stated, limits)
    while True:
        try:
            await watch.take()
        except Exception as error:  # the door of a background task
            log.error("a folder could not be read: %s", type(error).__name__)
        await asyncio.sleep(stated.every_seconds)


class Watch:
    """A folder, and what was seen in it; `clock` gives seconds as a file's times are in."""

    def __init__(
        self,
        means: MailMeans,
        stated: MailFolder,
        limits: MailLimits,
        *,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._means = means
        self._stated = stated
        self._limits = limits
        self._clock = clock
        self._since: dict[tuple[Path, _Look], float] = {}
        """Since when each file is as it is."""
        self._failed: set[_Look] = set()

    async def take(self) -> int:
        """Takes what lies there and is whole, by name; how many files were dealt with. What fails
        stays there, and keeps no other from being taken.

        Raises:
            OSError: the folder cannot be read.
            StoreUnavailable: nothing can be kept now; what is left stays there.
        """
        plan = self._means.domains.plan_of(self._stated.address)
        if plan is None:
            raise ValueError("the folder is of no domain of ours")
        found = await asyncio.to_thread(_looks, self._stated.path)
        dealt_with, failed = 0, set()
        for file, look in self._whole(found):
            try:
                await self._deal(plan, file, look)
                dealt_with += 1
            except _StillWritten:
                continue
            except OSError as error:
                failed.add(look)
                if look not in self._failed:  # once; its name may be a patient's
                    said = type(error).__name__
                    log.error("a file could not be taken: %s, inode %d", said, look.inode)
        self._failed = failed
        return dealt_with

    def _whole(self, found: dict[Path, _Look]) -> list[tuple[Path, _Look]]:
        now = self._clock()
        self._since = {one: self._since.get(one, now) for one in found.items()}
        return [
            (file, look)
            for (file, look), since in self._since.items()
            if now - since >= _STEADY_SECONDS or now - look.modified_ns / 1e9 >= _OLD_SECONDS
        ]

    async def _deal(self, plan: PlanId, file: Path, look: _Look) -> None:
        into = "done"
        try:
            await self._take(file, look)
        except _NotTaken as reason:
            said = str(reason)
            await count_refusal(self._means, "FOLDER", peer=None, reason=said, plan=plan)
            into = "refused"
        await asyncio.to_thread(_move, file, look, self._stated.path / into)

    async def _take(self, file: Path, look: _Look) -> None:
        envelope = Envelope(door="FOLDER", mail_from=None, rcpt_to=(self._stated.address,))
        with _opened(file) as content:
            async with Spool(self._means, envelope) as spool:
                size = 0
                while chunk := await asyncio.to_thread(content.read, _CHUNK):
                    size += len(chunk)
                    if size > self._limits.message_bytes:
                        raise _NotTaken("the message is too large")
                    await spool.write(chunk)
                if not size:
                    raise _NotTaken("the message is empty")
                _assert_unchanged(file, look)
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


def _looks(folder: Path) -> dict[Path, _Look]:
    found = {}
    for file in sorted(folder.iterdir()):
        if file.name.lower().endswith(".eml"):
            with suppress(FileNotFoundError):  # its writer has taken it away
                found[file] = _look(file)
    return found


def _look(file: Path) -> _Look:
    status = file.lstat()
    return _Look(status.st_ino, status.st_size, status.st_mtime_ns)


def _assert_unchanged(file: Path, look: _Look) -> None:
    if _look(file) != look:
        raise _StillWritten


def _move(file: Path, look: _Look, into: Path) -> None:
    """Under its own name; beside one of the same name, with a number."""
    into.mkdir(mode=0o700, exist_ok=True)
    target, number = into / file.name, 1
    while target.exists() or target.is_symlink():
        target, number = into / f"{file.stem}.{number}{file.suffix}", number + 1
    _assert_unchanged(file, look)
    file.rename(target)
