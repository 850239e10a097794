"""All the ways in by mail, as one: what `[mail]` names is up while a block runs."""

import asyncio
import contextlib
import ssl
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from ipaddress import ip_address

from gateway.exchange.spooling import MailMeans
from gateway.intakes.folder import watch_folder
from gateway.intakes.imap import poll_mailbox
from gateway.intakes.smtp import smtp_running
from gateway.intakes.smtp_commands import SmtpOptions
from gateway.settings_mail import Mail


@asynccontextmanager
async def intakes_running(
    means: MailMeans, mail: Mail, context: ssl.SSLContext | None
) -> AsyncIterator[str | None]:
    """Gives the address at which SMTP is heard, None where it is not.

    Raises:
        OSError: that address cannot be bound.
    """
    tasks = [
        *(asyncio.create_task(poll_mailbox(means, one, mail.limits)) for one in mail.imap),
        *(asyncio.create_task(watch_folder(means, one, mail.limits)) for one in mail.folders),
    ]
    try:
        async with AsyncExitStack() as stack:
            address = None
            if mail.listen is not None:
                host, _, port = mail.listen.rpartition(":")
                options = SmtpOptions(
                    hostname=mail.hostname or mail.domains[0].name,
                    limits=mail.limits,
                    context=context,
                    tls_required=not _is_loopback(host),
                    authentication=mail.authenticates,
                )
                running = smtp_running(means, options, host.strip("[]"), int(port))
                address = await stack.enter_async_context(running)
            yield address
    finally:
        for task in tasks:
            task.cancel()
        for task in tasks:
            with contextlib.suppress(asyncio.CancelledError):
                await task


def _is_loopback(host: str) -> bool:
    try:
        return host == "localhost" or ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False
