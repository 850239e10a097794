"""Puts together what the verbs of Direct work with, of the settings and the parts of the house."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from ipaddress import IPv4Address, IPv6Address
from pathlib import Path
from typing import Literal

from cryptography import x509

from direct.cms_algorithms import SealAlgorithms
from direct.discovery import Found, NotFound
from direct.trust import Verdict
from gateway.clients.dns_client import DnsClient, LookupFailed
from gateway.clients.fetch import Fetcher, is_public
from gateway.clients.smtp_client import Server, SmtpClient
from gateway.exchange.archive import Archive
from gateway.exchange.direct_discovery import Lookups, find_certificate, open_lookups
from gateway.exchange.direct_means import DirectMeans
from gateway.exchange.direct_trust import DirectTrust
from gateway.exchange.mail_packing import Packing
from gateway.exchange.notices import Clocks
from gateway.exchange.workers import WorkerPool
from gateway.model.community import Community
from gateway.model.identity import PlanId
from gateway.model.mail_domains import MailDomains
from gateway.model.member import Plan
from gateway.settings import InvalidSettings, Settings
from gateway.settings_addresses import PrivateAddresses, private_address
from gateway.settings_mail_out import MailOut, Route, Smarthost
from gateway.store.job_queue import JobQueue

_SMTP_PORT = 25
_MOST_SERVERS = 8


def open_direct(
    settings: Settings,
    *,
    archive: Archive,
    queue: JobQueue,
    community: Community,
    plans: tuple[Plan, ...],
    trust: DirectTrust,
    fetcher: Fetcher,
    openers: WorkerPool,
) -> DirectMeans | None:
    """None for a house without [mail].

    Raises:
        InvalidSettings: a file that [mail.out] names cannot be read.
    """
    mail = settings.mail
    if mail is None:
        return None
    out, discovery = mail.out, settings.discovery
    dns = DnsClient(discovery.name_servers, discovery.seconds)
    agent = _Agent(trust, open_lookups(discovery, dns, fetcher))
    return DirectMeans(
        archive=archive,
        queue=queue,
        community=community,
        plans=plans,
        domains=MailDomains({one.name: PlanId(one.plan) for one in mail.domains if one.plan}),
        judge=agent.judge,
        find=agent.find,
        route=Routes(out, dns).route,
        smtp=SmtpClient(out.hostname or mail.hostname or mail.domains[0].name),
        mode=mail.mode,
        clocks=Clocks(
            timedelta(minutes=out.processed_minutes), timedelta(minutes=out.dispatched_minutes)
        ),
        sends_dispatched=out.sends_dispatched,
        forwards=out.forward,
        algorithms=lambda domain: _algorithms(out.route(domain)),
        packing=lambda domain: _packing(out.route(domain)),
        openers=openers,
        message_cpu_seconds=settings.limits.mail_cpu_seconds,
    )


def _algorithms(route: Route) -> SealAlgorithms:
    return SealAlgorithms(
        key_transport=route.key_transport, oaep_digest=route.oaep_digest, cipher=route.cipher
    )


def _packing(route: Route) -> Packing:
    return Packing(route.package, route.context)


@dataclass(frozen=True, slots=True)
class _Agent:
    """Judges and finds certificates for our domains."""

    trust: DirectTrust
    lookups: Lookups

    def judge(
        self,
        certificate: x509.Certificate,
        *,
        address: str,
        others: Sequence[x509.Certificate],
        ours: str,
        usage: Literal["sign", "encrypt"],
        now: datetime,
    ) -> Verdict:
        return self.trust.judge(
            certificate,
            address=address,
            domain=ours.rpartition("@")[2].lower(),
            direction="incoming" if usage == "sign" else "outgoing",
            others=others,
        )

    def find(self, address: str, *, sender: str, fresh: bool = False) -> Found | NotFound:
        def judge(
            certificate: x509.Certificate, whose: str, others: Sequence[x509.Certificate]
        ) -> Verdict:
            domain = sender.rpartition("@")[2].lower()
            return self.trust.judge(
                certificate, address=whose, domain=domain, direction="outgoing", others=others
            )

        return find_certificate(address, lookups=self.lookups, judge=judge, fresh=fresh)


# ---- where mail goes -------------------------------------------------------------------------


class Routes:
    """The servers for a domain: as stated for it, our smarthost, or its MX records."""

    def __init__(self, out: MailOut, dns: DnsClient, *, port: int = _SMTP_PORT) -> None:
        """Raises InvalidSettings when a file of a smarthost cannot be read, or a private address is
        of a port that no mail goes to.

        `port` is where a domain's own servers take mail.
        """
        for one in out.private_addresses:
            if private_address(one)[1] != port:
                raise InvalidSettings(
                    f"[mail.out] private_addresses: {one}: mail goes to port {port} alone"
                )
        self._out = out
        self._dns = dns
        self._port = port
        self._private = PrivateAddresses.of(out.private_addresses)
        self._smarthost = None if out.smarthost is None else smarthost_server(out.smarthost)
        self._stated = {
            route.domain: smarthost_server(route.smarthost)
            for route in out.routes
            if route.smarthost is not None
        }

    def route(self, domain: str) -> Sequence[Server]:
        """The servers, the best first; none for a domain that takes no mail.

        Raises:
            LookupFailed: it cannot be found out now.
        """
        stated = self._stated.get(domain.lower()) or self._smarthost
        return (stated,) if stated is not None else self._by_mx(domain)

    def _by_mx(self, domain: str) -> tuple[Server, ...]:
        """RFC 5321: 5.1; RFC 7505: a null MX says that the domain takes no mail."""
        required = self._out.route(domain).tls == "required"
        servers = []
        hosts = self._dns.mail_servers(domain)[:_MOST_SERVERS]
        for host in hosts:
            for address in self._dns.addresses(host):
                if self._may_go_to(address):
                    security: Literal["starttls", "opportunistic"] = (
                        "starttls" if required else "opportunistic"
                    )
                    servers.append(Server(host, self._port, security, address=address))
        if hosts and not servers:
            raise LookupFailed("names no mail server that we may go to")
        return tuple(servers)

    def _may_go_to(self, address: IPv4Address | IPv6Address) -> bool:
        """A stranger's DNS must not send us into our own house."""
        return is_public(address) or self._private.allow(address, self._port)


def smarthost_server(stated: Smarthost) -> Server:
    """Where its mail is handed over, with the files that it names.

    Raises:
        InvalidSettings: one cannot be read.
    """
    anchors = () if stated.certificates is None else (_text(stated.certificates),)
    password = None if stated.password_file is None else _text(stated.password_file).rstrip("\r\n")
    return Server(stated.host, stated.port, stated.security, anchors, stated.user, password)


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except OSError as error:
        raise InvalidSettings(f"smarthost: {path}: {error.strerror}") from None
