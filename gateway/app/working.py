"""What goes on beside the listeners: jobs, recovery, the log's seal, the sweeper, what runs out."""

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Final

from gateway.app.house import House, log_seal, open_client
from gateway.app.mail import direct_means, schedule_forwards
from gateway.auditing import audit_feeds, mail_places, repository_places
from gateway.clients.soap_client import SoapClient
from gateway.exchange.audit_feed import feed_now_and_then
from gateway.exchange.checkpoints import folder_places, is_due, make_checkpoint, publish
from gateway.exchange.deferral_check import recover_checks
from gateway.exchange.expiring import kept_in, named_by, warnings
from gateway.exchange.jobs import JobMeans, perform
from gateway.store import (
    awaited_answers,
    discovery_tally,
    exchange_log,
    replay,
)
from gateway.store.sweeper import sweep

log = logging.getLogger("gateway")
_RECOVERY_SECONDS: Final = 60.0
_LOOK_SECONDS: Final = 5.0
"""How often the log is looked at: whether it has grown so much that it is to be sealed."""
_SWEEP_SECONDS: Final = 3600.0
_WARN_SECONDS: Final = 86_400.0
"""A day: seldom enough to be read, often enough to be seen before the 45 days are over."""
_GRACE: Final = timedelta(days=1)
"""No ingest takes as long: a blob without a row after a day has lost whoever wrote it."""
_RESTART_SECONDS: Final = 1.0


@asynccontextmanager
async def working(house: House, *, is_warning: bool = False) -> AsyncIterator[None]:
    """Jobs and recovery in this process, while the block runs.

    Its log warns of certificates that run out if it `is_warning`; the demo's are made for a day.
    """
    house.database.write(lambda tx: exchange_log.recover(tx, now=datetime.now(UTC)))
    tasks = [
        asyncio.create_task(_kept_up("recovery", partial(_recover_now_and_then, house))),
        asyncio.create_task(_kept_up("the log's seal", partial(_seal_now_and_then, house))),
        asyncio.create_task(_kept_up("publishing it", partial(_publish_now_and_then, house))),
        asyncio.create_task(_kept_up("the sweeper", partial(_sweep_now_and_then, house))),
        *(
            asyncio.create_task(_kept_up("an audit feed", partial(feed_now_and_then, feed)))
            for feed in audit_feeds(house.settings, house.database, house.archive.blobs.keys)
        ),
    ]
    if is_warning:
        warn = partial(_warn_now_and_then, house)
        tasks.append(asyncio.create_task(_kept_up("the look at what runs out", warn)))
    client: SoapClient | None = None
    if house.settings.tls is not None and house.settings.signing is not None:
        client = open_client(house)
    direct = direct_means(house)
    house.database.write(partial(schedule_forwards, house))
    if client is not None or direct is not None:
        means = JobMeans(
            house.archive,
            client,
            house.community,
            house.plans,
            house.queue,
            house.settings.replies_at,
            house.fetcher,
            direct,
        )

        async def work_off() -> None:
            await house.queue.work(lambda job: perform(job, means))

        tasks.append(asyncio.create_task(_kept_up("the job worker", work_off)))
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        for task in tasks:
            with contextlib.suppress(asyncio.CancelledError):
                await task
        if client is not None:
            await client.close()


async def _kept_up(name: str, run: Callable[[], Awaitable[None]]) -> None:
    """Runs it until cancelled: a database that is away for a while must not end it for good."""
    while True:
        try:
            await run()
        except Exception as error:  # the door of a background task
            log.error("%s stopped (%s); it starts again", name, type(error).__name__)
        await asyncio.sleep(_RESTART_SECONDS)


async def _recover_now_and_then(house: House) -> None:
    while True:
        await asyncio.sleep(_RECOVERY_SECONDS)
        now = datetime.now(UTC)
        await house.database.write_async(partial(exchange_log.recover, now=now))
        await house.database.write_async(partial(replay.forget_expired, now=now))
        await house.database.write_async(partial(discovery_tally.forget_expired, now=now))
        await house.database.write_async(partial(recover_checks, now=now))
        await house.database.write_async(partial(awaited_answers.forget_old, now=now))


async def _seal_now_and_then(house: House) -> None:
    """A checkpoint once enough records or time have gone by."""
    seal, audit = log_seal(house.settings), house.settings.audit
    while True:
        now = datetime.now(UTC)
        due = partial(
            is_due,
            key=seal.public,
            every_records=audit.every_records,
            every_seconds=audit.every_seconds,
            now=now,
        )
        if await house.database.read_async(due):
            await house.database.write_async(partial(make_checkpoint, seal=seal, now=now))
        await asyncio.sleep(min(_LOOK_SECONDS, audit.every_seconds))


async def _publish_now_and_then(house: House) -> None:
    """Brings checkpoints to each place outside; one that hangs keeps none from being made."""
    seal, audit = log_seal(house.settings), house.settings.audit
    places = {**folder_places(seal), **dict(repository_places(house.settings, house.database))}
    mailboxes = mail_places(house.settings)
    while True:
        await asyncio.to_thread(publish, house.database, places)
        for mailbox in mailboxes:
            now = datetime.now(UTC)
            await asyncio.to_thread(mailbox.publish, house.database, now=now)
        await asyncio.sleep(min(_LOOK_SECONDS, audit.every_seconds))


async def _sweep_now_and_then(house: House) -> None:
    """What crashes and broken answers left among the blobs goes, once it is surely nobody's."""
    while True:
        await asyncio.to_thread(
            sweep, house.archive.blobs.root, house.database, now=datetime.now(UTC), grace=_GRACE
        )
        await asyncio.sleep(_SWEEP_SECONDS)


async def _warn_now_and_then(house: House) -> None:
    """What `gateway config check` says of certificates that run out, for whoever reads the log."""
    while True:
        stored = await house.database.read_async(lambda tx: tuple(kept_in(tx)))
        named = await asyncio.to_thread(lambda: tuple(named_by(house.settings)))
        for warning in warnings((*named, *stored), now=datetime.now(UTC)):
            log.warning("%s", warning)
        await asyncio.sleep(_WARN_SECONDS)
