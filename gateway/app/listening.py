"""What a house listens on, each listener with its own TLS (DECISIONS 7)."""

import logging
import os
import socket
import ssl
from dataclasses import replace
from datetime import timedelta
from functools import cache, partial

from gateway.api.applications import (
    create_operations_application,
    create_partner_application,
    create_plan_application,
)
from gateway.api.listener import Listener
from gateway.api.means import PlanMeans
from gateway.api.metrics import meters
from gateway.api.partner_means import PartnerMeans, TrustedProxy
from gateway.app.addresses import is_loopback, require_loopback
from gateway.app.house import House, read_text, signing_keys
from gateway.app.mail import direct_means, mail_means
from gateway.app.partner_contexts import PartnerContexts
from gateway.auditing import feed_lag
from gateway.clients.tls import plan_listener_context, rolling
from gateway.exchange.turns import Turns
from gateway.model.discovery_limits import DiscoveryLimits
from gateway.settings import InvalidSettings, KeyPair
from gateway.settings import Proxy as ProxySettings
from gateway.store import (
    partners,
    plans,
)
from gateway.store.errors import StoreError
from gateway.store.own_keys import OwnKeys

log = logging.getLogger("gateway")


def listeners(house: House) -> list[Listener]:
    """What this house listens on, as its settings say.

    Raises:
        InvalidSettings: an address is not safe as configured.
    """
    settings = house.settings
    plan_means = PlanMeans(
        house.archive,
        house.community,
        house.plans,
        house.queue,
        usual=settings.audit.usual,
        host=socket.gethostname(),
    )
    if settings.mail is not None:
        size = settings.mail.limits.message_bytes
        plan_means = replace(
            plan_means,
            mail=mail_means(house),
            mail_limit_bytes=size,
            direct=direct_means(house),
        )

    def check() -> str | None:
        try:
            house.database.read(plans.list_all)
        except StoreError as error:
            return str(error)
        return None

    lag = partial(feed_lag, house.database) if settings.audit.repositories else None
    # Also where it is one address with that of plans: what it tells, it tells to everybody.
    require_loopback(settings.listen.operations, "operations")
    shared = settings.listen.operations == settings.listen.plans
    plan_tls = _plan_tls(house)
    known = tuple(plan.id for plan in house.plans)
    measured = meters(settings, house.database, house.queue, known)
    plan_application = create_plan_application(
        plan_means, check=check if shared else None, meters=measured if shared else None
    )
    plan_application.state.lag = lag
    found = [Listener(plan_application, settings.listen.plans, plan_tls)]
    if not shared:
        operations = create_operations_application(check, measured)
        operations.state.lag = lag
        found.append(Listener(operations, settings.listen.operations))
    to_partners = partner_listener(house)
    if to_partners is not None:
        found.append(to_partners)
    else:
        log.warning("no [tls] and [signing]: partners cannot reach this gateway")
    return found


def partner_listener(house: House) -> Listener | None:
    """What partners reach; None without [tls] and [signing].

    Raises:
        InvalidSettings: its address is not safe as configured.
    """
    tls, signing = house.settings.tls, house.settings.signing
    if tls is None or signing is None:
        return None
    return _partner_listener(house, tls, signing)


def _plan_tls(house: House) -> ssl.SSLContext | None:
    """Plans may use plain HTTP on loopback alone (DECISIONS 7)."""
    settings = house.settings
    if is_loopback(settings.listen.plans):
        return None
    if settings.tls is None:
        raise InvalidSettings("[listen] plans is a real address and needs [tls]")
    keys = OwnKeys("tls", settings.tls, house.database)

    @cache
    def context(files: KeyPair) -> ssl.SSLContext:
        return plan_listener_context(certificate=files.certificate, key=files.key)

    return rolling(lambda: context(keys.current()))


def _partner_listener(house: House, tls: KeyPair, signing: KeyPair) -> Listener:
    settings, processes = house.settings, house.settings.listen.partner_processes
    means = PartnerMeans(
        archive=house.archive,
        community=house.community,
        plans=house.plans,
        own_key=signing_keys(house, signing).signing_key,
        anchors_for=house.anchors_for,
        audiences_for=house.audiences_for,
        require_unrevoked=house.require_unrevoked,
        turns=Turns(max(1, (os.cpu_count() or 1) // processes)),
        skew=timedelta(seconds=settings.limits.clock_skew_seconds),
        discovery_limits=DiscoveryLimits(
            settings.limits.discoveries_per_minute, settings.limits.near_misses_per_day
        ),
        query_results=settings.limits.query_results,
        queue=house.queue,
        message_limit_bytes=settings.limits.message_bytes,
        time_to_live=timedelta(days=settings.limits.correlation_days) or None,
        proxy=_proxy(settings.proxy),
    )
    address = settings.listen.partners
    return Listener(
        create_partner_application(means),
        address,
        _partner_tls(house, tls),
        processes=processes,
    )


def _proxy(stated: ProxySettings | None) -> TrustedProxy | None:
    if stated is None:
        return None
    shown = frozenset(partners.fingerprint(read_text(path)) for path in stated.certificates)
    # A proxy that shows a certificate is known by that alone.
    return TrustedProxy(stated.header, shown, frozenset(() if shown else stated.addresses))


def _partner_tls(house: House, tls: KeyPair) -> ssl.SSLContext | None:
    """Mutual TLS; None where a proxy of ours has ended it, and speaks to us within the machine."""
    settings, address = house.settings, house.settings.listen.partners
    proxies = settings.proxy.certificates if settings.proxy else ()
    if settings.proxy is not None and not proxies:
        if not address.startswith("unix:") and not is_loopback(address):
            raise InvalidSettings(
                "[listen] partners is a real address: [proxy] certificates must say which the "
                "proxy shows"
            )
        return None
    if address.startswith("unix:"):
        raise InvalidSettings("[listen] partners is a socket file, which is for a [proxy] alone")
    keys = OwnKeys("tls", tls, house.database)
    anchors = tuple(read_text(path) for network in settings.networks for path in network.anchors)
    pinned = tuple(read_text(path) for path in proxies)
    return rolling(PartnerContexts(keys, house.database, anchors, pinned).current)
