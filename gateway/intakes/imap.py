"""Mailboxes of ours at a HISP, polled: fetched, made safe, and only then flagged or deleted there.

The cursor moves last. A crash anywhere before it makes us fetch a message again, and the spool
knows it by its bytes.
"""

import asyncio
import logging
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Final

from gateway.clients.imap_client import Mailbox, MailboxError, NoSuchMessage, open_mailbox
from gateway.exchange.spooling import Envelope, MailMeans, Spool, count_refusal
from gateway.model.identity import PlanId
from gateway.settings_mail import Mailbox as MailboxSettings
from gateway.settings_mail import MailLimits
from gateway.store import mailbox_cursors
from gateway.store.mailbox_cursors import Cursor

log = logging.getLogger("gateway.imap")

_TIMEOUT_SECONDS: Final = 60.0
_END: Final = object()


async def poll_mailbox(means: MailMeans, stated: MailboxSettings, limits: MailLimits) -> None:
    """Reads the mailbox every so often until cancelled; a failure waits for the next time."""
    poll = Poll(means, stated, limits)
    while True:
        try:
            await poll.once()
        except Exception as error:  # the door of a background task
            log.error("a mailbox could not be read: %s", type(error).__name__)
        await asyncio.sleep(stated.every_seconds)


class Poll:
    """One mailbox, over all its polls."""

    def __init__(self, means: MailMeans, stated: MailboxSettings, limits: MailLimits) -> None:
        plan = means.domains.plan_of(stated.address)
        if plan is None:
            raise ValueError("the mailbox is of no domain of ours")
        self._means = means
        self._stated = stated
        self._limits = limits
        self._plan: PlanId = plan
        self._name = f"{stated.user} {stated.server} {stated.folder}"
        self._ahead: set[int] = set()
        """UIDs dealt with above one that could not be: not fetched again by this process."""
        self._uid_validity = 0

    async def once(self) -> int:
        """How many messages were new to this poll.

        Raises:
            StoreError: nothing can be kept now.
            OSError: nor this; or the password is not to be read.
        """
        try:
            async with self._opened() as mailbox:
                return await self._read(mailbox)
        except MailboxError as error:
            log.error("a mailbox could not be read: %s", error)
            await self._refuse("the mailbox could not be read", failed=True)
            return 0

    @asynccontextmanager
    async def _opened(self) -> AsyncIterator[Mailbox]:
        stated = self._stated
        password = await asyncio.to_thread(stated.password_file.read_text, encoding="utf-8")
        opening = open_mailbox(
            stated.server,
            user=stated.user,
            password=password.rstrip("\r\n"),
            folder=stated.folder,
            security=stated.security,
            certificates=stated.certificates,
            timeout_seconds=_TIMEOUT_SECONDS,
        )
        mailbox = await asyncio.to_thread(opening.__enter__)
        try:
            yield mailbox
        finally:
            await asyncio.to_thread(opening.__exit__, None, None, None)

    async def _read(self, mailbox: Mailbox) -> int:
        database = self._means.archive.database
        cursor = await database.read_async(lambda tx: mailbox_cursors.get(tx, mailbox=self._name))
        if cursor is None or cursor.uid_validity != mailbox.uid_validity:
            cursor = Cursor(mailbox.uid_validity, 0)  # other numbers now: begun anew
        if self._uid_validity != mailbox.uid_validity:
            self._uid_validity = mailbox.uid_validity
            self._ahead.clear()
        last, is_whole, new = cursor.last_uid, True, 0
        for uid in await asyncio.to_thread(mailbox.uids_after, last):
            if uid not in self._ahead:
                if await self._take(mailbox, uid):
                    new += 1
                else:
                    is_whole = False  # the cursor stays below it, so that it is tried again
                    continue
            if is_whole:
                await self._move(Cursor(mailbox.uid_validity, uid))
                self._ahead.discard(uid)
            else:
                self._ahead.add(uid)
        return new

    async def _take(self, mailbox: Mailbox, uid: int) -> bool:
        """Whether the message is dealt with: safe here, or not to be taken."""
        try:
            if await asyncio.to_thread(mailbox.size, uid) > self._limits.message_bytes:
                await self._refuse("the message is too large")
                return True
            if not await self._spool(mailbox, uid):
                return True
        except NoSuchMessage:
            await self._refuse("the server does not give a message", failed=True)
            return False
        done: Callable[[int], None] = (
            mailbox.delete if self._stated.after == "delete" else mailbox.flag
        )
        await asyncio.to_thread(done, uid)
        return True

    async def _spool(self, mailbox: Mailbox, uid: int) -> bool:
        envelope = Envelope(
            door="IMAP",
            mail_from=None,
            rcpt_to=(self._stated.address,),
            peer=self._stated.server,
        )
        size, pieces = 0, mailbox.pieces(uid)
        async with Spool(self._means, envelope) as spool:
            while (piece := await asyncio.to_thread(next, pieces, _END)) is not _END:
                if not isinstance(piece, bytes):
                    continue
                size += len(piece)
                if size > self._limits.message_bytes:
                    await self._refuse("the message is larger than its server says")
                    return False
                await spool.write(piece)
            if not size:
                await self._refuse("the message is empty")
                return False
            await spool.commit()
        return True

    async def _move(self, cursor: Cursor) -> None:
        await self._means.archive.database.write_async(
            lambda tx: mailbox_cursors.put(tx, plan=self._plan, mailbox=self._name, cursor=cursor)
        )

    async def _refuse(self, reason: str, *, failed: bool = False) -> None:
        await count_refusal(
            self._means,
            "IMAP",
            peer=self._stated.server,
            reason=reason,
            plan=self._plan,
            outcome="failed" if failed else "refused",
        )
