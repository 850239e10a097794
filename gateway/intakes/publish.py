"""Our own certificates, shown by DNS and LDAP while the gateway serves, as `[publish]` says.

They are looked at again and again: a key that is imported, or comes into use, is shown without a
restart, and so is a file of `[publish]` that another certificate was written into.
"""

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from datetime import UTC, datetime
from typing import Final

from cryptography import x509

from direct.directory import Directory
from direct.publication import Listing, NothingToPublish, context_of, entries, listings
from gateway.intakes.publish_dns import Zones, answering_dns
from gateway.intakes.publish_ldap import answering_ldap
from gateway.settings import InvalidSettings
from gateway.settings_addresses import host_and_port
from gateway.settings_discovery import Publish

log = logging.getLogger(__name__)
OwnCertificates = Callable[[], Awaitable[Sequence[x509.Certificate]]]
LOOK_SECONDS: Final = 5.0
"""How often they are looked at: far more often than others ask again."""


class Shown:
    """What our servers answer with."""

    def __init__(self, stated: Publish, found: Sequence[Listing], *, now: datetime) -> None:
        self._stated = stated
        self._serial = 0
        self._show(tuple(found), now)

    def renew(self, found: Sequence[Listing], *, now: datetime) -> bool:
        """Answers with these from now on; whether they are others than before."""
        if tuple(found) == self._found:
            return False
        self._show(tuple(found), now)
        return True

    def _show(self, found: tuple[Listing, ...], now: datetime) -> None:
        self._found = found
        # RFC 1982: a zone that says something else has a higher serial, within one second too.
        self._serial = max(int(now.timestamp()), self._serial + 1) % 2**32
        self.directory = directory(self._stated, found)
        self.zones = zones(self._stated, found, serial=self._serial) if self._stated.dns else None

    def answer_dns(self, query: bytes, *, over_udp: bool) -> bytes | None:
        """As `Zones.answer`, of the zones of now."""
        return None if self.zones is None else self.zones.answer(query, over_udp=over_udp)


@asynccontextmanager
async def publishing(
    stated: Publish | None,
    look: OwnCertificates,
    *,
    clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    every_seconds: float = LOOK_SECONDS,
) -> AsyncIterator[dict[str, int]]:
    """Answers while the block runs; gives the ports of "dns" and "ldap", as far as they listen.

    `look` gives the certificates of our own Direct keys as they are now.

    Raises:
        InvalidSettings: a certificate cannot be read, or is bound to nothing of ours.
        OSError: an address is taken.
    """
    ports: dict[str, int] = {}
    async with AsyncExitStack() as stack:
        if stated is not None and (stated.dns or stated.ldap):
            shown = Shown(stated, await _look(stated, look), now=clock())
            if stated.dns:
                host, port = host_and_port(stated.dns)
                ports["dns"] = await stack.enter_async_context(
                    answering_dns(shown.answer_dns, host, port)
                )
            if stated.ldap:
                host, port = host_and_port(stated.ldap)
                ports["ldap"] = await stack.enter_async_context(
                    answering_ldap(lambda: shown.directory, host, port)
                )
            following = asyncio.create_task(_follow(stated, look, shown, clock, every_seconds))
            stack.push_async_callback(_end, following)
        yield ports


async def _follow(
    stated: Publish,
    look: OwnCertificates,
    shown: Shown,
    clock: Callable[[], datetime],
    every_seconds: float,
) -> None:
    """Shows what is published now, again and again; what cannot be read leaves what was."""
    while True:
        await asyncio.sleep(every_seconds)
        try:
            found = await _look(stated, look)
        except InvalidSettings as error:
            log.error("what is published stays as it was: %s", error)
            continue
        except Exception as error:  # the door of a background task
            log.error("what is published stays as it was (%s)", type(error).__name__)
            continue
        if shown.renew(found, now=clock()):
            log.info("other certificates of ours are published from now on")


async def _look(stated: Publish, look: OwnCertificates) -> tuple[Listing, ...]:
    keys = () if stated.certificates else await look()
    return await asyncio.to_thread(own_listings, stated, keys)


async def _end(task: asyncio.Task[None]) -> None:
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task


def own_listings(stated: Publish, keys: Sequence[x509.Certificate] = ()) -> tuple[Listing, ...]:
    """What the certificates of the settings are bound to; without any, those of `keys`, as far as
    they are bound to our domains.

    Raises:
        InvalidSettings: one cannot be read, or is bound to nothing of ours.
    """
    if not stated.certificates:
        return tuple(_of_keys(stated, keys))
    certificates = []
    for path in stated.certificates:
        try:
            certificate = x509.load_pem_x509_certificate(path.read_bytes())
            listings([certificate], stated.domains)
        except OSError as error:
            raise InvalidSettings(f"[publish] {path} cannot be read: {error.strerror}") from None
        except NothingToPublish as nothing:
            raise InvalidSettings(f"[publish] {path}: {nothing}") from None
        except ValueError:
            raise InvalidSettings(f"[publish] {path} is no certificate in PEM") from None
        certificates.append(certificate)
    return listings(certificates, stated.domains)


def _of_keys(stated: Publish, keys: Sequence[x509.Certificate]) -> Sequence[Listing]:
    bound = []
    for key in keys:
        with suppress(NothingToPublish):  # of a domain that is published elsewhere
            listings([key], stated.domains)
            bound.append(key)
    return listings(bound, stated.domains)


def zones(stated: Publish, found: Sequence[Listing], *, serial: int) -> Zones:
    """The zones of our domains."""
    return Zones(
        found,
        domains=stated.domains,
        name_servers=stated.name_servers,
        server=stated.server,
        ttl_seconds=stated.ttl_seconds,
        serial=serial,
    )


def directory(stated: Publish, found: Sequence[Listing]) -> Directory:
    """The entries of our domains."""
    contexts = dict.fromkeys(context_of(one.domain) for one in found)
    return Directory(tuple(contexts), entries(found))
