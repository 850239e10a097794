"""DNS: CERT, SRV and address records, over UDP and then TCP (RFC 1035, RFC 4398, RFC 2782).

What an answer says is believed as little as its way here deserves: certificates prove themselves,
and where a name leads is looked at before anybody connects to it.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import Final

import dns.exception
import dns.flags
import dns.message
import dns.name
import dns.nameserver
import dns.rdata
import dns.rdataclass
import dns.rdatatype
import dns.resolver
from dns.rdtypes.ANY.CERT import CERT
from dns.rdtypes.ANY.MX import MX
from dns.rdtypes.IN.SRV import SRV

from direct.discovery import MOST_CERTIFICATES, MOST_LINKS, Records, Service, Services

_SECONDS: Final = 5.0
_ONE_TRY_SECONDS: Final = 2.0
_PKIX: Final = 1
_IPKIX: Final = 4
_LONGEST_URL: Final = 2048
_MOST_SERVICES: Final = 100


class LookupFailed(Exception):
    """There was no answer; the text is a sentence of ours that follows "it"."""


@dataclass(frozen=True, slots=True)
class DnsClient:
    """Asks the name servers given, each `address:port`, or those of the system.

    They are ours, and so may be at private addresses. Everything blocks, for `seconds` at most:
    call it in a thread.
    """

    name_servers: tuple[str, ...] = ()
    seconds: float = _SECONDS

    def certificates(self, name: str) -> Records:
        """The certificates that the name's CERT records hold or point to.

        Raises:
            LookupFailed: it could not be found out.
        """
        found, ttl = self._ask(name, dns.rdatatype.CERT)
        records = [one for one in found if isinstance(one, CERT)]
        certificates = [one.certificate for one in records if one.certificate_type == _PKIX]
        links = [one.certificate for one in records if one.certificate_type == _IPKIX]
        return Records(
            # One more than are looked at, so that whoever reads it knows of more.
            tuple(certificates[: MOST_CERTIFICATES + 1]),
            tuple(_urls(links))[: MOST_LINKS + 1],
            ttl_seconds=ttl,
        )

    def services(self, name: str) -> Services:
        """The name's SRV records.

        Raises:
            LookupFailed: it could not be found out.
        """
        found, ttl = self._ask(name, dns.rdatatype.SRV)
        services = tuple(
            Service(one.target.to_text(omit_final_dot=True), one.port, one.priority, one.weight)
            for one in found
            if isinstance(one, SRV)
        )
        return Services(services[:_MOST_SERVICES], ttl_seconds=ttl)

    def mail_servers(self, domain: str) -> tuple[str, ...]:
        """The hosts that take the domain's mail, the most preferred first (RFC 5321: 5.1).

        The domain itself if it has no MX record; nobody if it says so by a null MX (RFC 7505).

        Raises:
            LookupFailed: it could not be found out.
        """
        found, _ = self._ask(domain, dns.rdatatype.MX)
        records = sorted(
            (one.preference, one.exchange.to_text(omit_final_dot=True))
            for one in found
            if isinstance(one, MX)
        )
        if not records:
            return (domain,)
        return tuple(host for _, host in records if host not in ("", ".", "@"))

    def addresses(self, host: str) -> tuple[IPv4Address | IPv6Address, ...]:
        """Where the host is, IPv4 first; empty if DNS knows no address of it.

        Raises:
            LookupFailed: it could not be found out.
        """
        kinds = (dns.rdatatype.A, dns.rdatatype.AAAA)
        found = [one for kind in kinds for one in self._ask(host, kind)[0]]
        return tuple(ip_address(one.to_text()) for one in found)

    def _ask(self, name: str, kind: dns.rdatatype.RdataType) -> tuple[list[dns.rdata.Rdata], int]:
        """The records, none if there is nothing of the kind, and how long that holds.

        dnspython asks over TCP whatever comes back truncated, follows aliases within an answer
        (16 at most), and takes an answer with malformed records for none.
        """
        resolver = self._resolver()
        try:
            # Names are made of labels as they are: a local part is no text of a zone file.
            asked = dns.name.Name((*(label.encode("ascii") for label in name.split(".")), b""))
            answer = resolver.resolve(
                asked, kind, search=False, raise_on_no_answer=False, lifetime=self.seconds
            )
        except dns.resolver.NXDOMAIN as nothing:
            (response,) = nothing.kwargs["responses"].values()  # one name was asked for
            return [], _negative_ttl(response)
        except dns.resolver.LifetimeTimeout:
            raise LookupFailed("takes too long") from None
        except (dns.resolver.NoNameservers, dns.resolver.NoResolverConfiguration):
            raise LookupFailed("gives no answer that can be used") from None
        except (dns.exception.DNSException, UnicodeError, OSError, EOFError, ValueError) as error:
            raise LookupFailed(f"cannot be asked ({type(error).__name__})") from None
        if answer.rrset is None:
            return [], _negative_ttl(answer.response)
        return list(answer.rrset), answer.chaining_result.minimum_ttl

    def _resolver(self) -> dns.resolver.Resolver:
        try:
            resolver = dns.resolver.Resolver(configure=not self.name_servers)
        except dns.resolver.NoResolverConfiguration:
            raise LookupFailed("cannot be asked: the system names no name server") from None
        resolver.timeout = min(_ONE_TRY_SECONDS, self.seconds)
        resolver.cache = None  # kept by whoever asks, who also keeps what is not in DNS
        if self.name_servers:
            resolver.nameservers = [_name_server(one) for one in self.name_servers]
        return resolver


def _name_server(address: str) -> dns.nameserver.Do53Nameserver:
    host, _, port = address.rpartition(":")
    return dns.nameserver.Do53Nameserver(host.strip("[]"), int(port))


def _urls(texts: Iterable[bytes]) -> Iterable[str]:
    for text in texts:
        if len(text) <= _LONGEST_URL and text.isascii():
            yield text.decode("ascii")


def _negative_ttl(response: dns.message.Message) -> int:
    """RFC 2308: 5: nothing is kept for as long as the zone's SOA says."""
    found = [
        min(rrset.ttl, rrset[0].minimum)
        for rrset in response.authority
        if rrset.rdtype is dns.rdatatype.SOA and len(rrset)
    ]
    return min(found, default=0)
