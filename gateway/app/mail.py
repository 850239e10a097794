"""The parts of a house that has mail: its doors, and the verbs of Direct."""

import asyncio
import logging
import ssl
from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, datetime
from functools import cache

from cryptography import x509

from gateway.app.addresses import is_loopback
from gateway.app.house import House
from gateway.clients.tls import (
    plan_listener_context,
    rolling,
)
from gateway.exchange.direct_means import DirectMeans
from gateway.exchange.direct_opening import open_direct
from gateway.exchange.mail_forwarding import schedule_name
from gateway.exchange.spooling import MailMeans
from gateway.intakes.running import intakes_running
from gateway.model.identity import PlanId
from gateway.model.mail_domains import MailDomains
from gateway.model.sent_mail import MAIL_FORWARD
from gateway.settings import InvalidSettings, KeyPair
from gateway.store import direct_keys
from gateway.store.database import Transaction
from gateway.store.own_keys import OwnKeys

log = logging.getLogger("gateway")


def mail_means(house: House) -> MailMeans | None:
    """What mail doors work with; None for a house that has no mail."""
    mail = house.settings.mail
    if mail is None:
        return None
    plans_of = {domain.name: PlanId(domain.plan) for domain in mail.domains if domain.plan}
    return MailMeans(house.archive, house.queue, MailDomains(plans_of))


def direct_means(house: House) -> DirectMeans | None:
    """What the verbs of Direct work with; None for a house that has no mail.

    Raises:
        InvalidSettings: a file that [mail.out] names cannot be read.
    """
    return open_direct(
        house.settings,
        archive=house.archive,
        queue=house.queue,
        community=house.community,
        plans=house.plans,
        trust=house.direct_trust,
        fetcher=house.fetcher,
        openers=house.openers,
    )


async def own_certificates(house: House) -> Sequence[x509.Certificate]:
    """What others are to find of us now: the certificates of our Direct keys in use."""
    now = datetime.now(UTC)
    return await house.database.read_async(lambda tx: direct_keys.published(tx, now=now))


def schedule_forwards(house: House, transaction: Transaction) -> None:
    """From now on the rules of the settings are looked at."""
    mail = house.settings.mail
    for rule in () if mail is None else mail.out.forward:
        if house.plan(rule.plan) is None:
            raise InvalidSettings(f"[mail.out] forward {rule.name} names an unknown plan")
        house.queue.schedule(
            transaction,
            name=schedule_name(rule.name),
            kind=MAIL_FORWARD,
            plan=PlanId(rule.plan),
            payload={"rule": rule.name},
            every_seconds=rule.every_seconds,
            first=datetime.now(UTC),
        )


async def take_mail(house: House, *, stop: Callable[[], Awaitable[None]]) -> None:
    """Listens for mail, reads mailboxes and folders, until `stop` returns.

    Raises:
        InvalidSettings: there is no [mail], or a door is not safe as configured.
        OSError: an address is taken.
    """
    mail, means = house.settings.mail, mail_means(house)
    if mail is None or means is None:
        raise InvalidSettings("there is no [mail] in gateway.toml")
    stopped = asyncio.ensure_future(stop())  # also while it starts
    async with intakes_running(means, mail, mail_tls(house)) as address:
        if address is not None:
            log.info("listening for mail on %s", address)
        await stopped


def mail_tls(house: House) -> ssl.SSLContext | None:
    """STARTTLS wherever we have a key; without one SMTP may be spoken on loopback alone."""
    settings = house.settings
    if settings.mail is None or settings.mail.listen is None:
        return None
    if settings.tls is None:
        if not is_loopback(settings.mail.listen):
            raise InvalidSettings("[mail] listen is a real address and needs [tls]")
        return None
    keys = OwnKeys("tls", settings.tls, house.database)

    @cache
    def context(files: KeyPair) -> ssl.SSLContext:
        return plan_listener_context(certificate=files.certificate, key=files.key)

    return rolling(lambda: context(keys.current()))
