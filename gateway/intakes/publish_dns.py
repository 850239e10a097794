"""Our certificates by DNS: an authoritative server for our mail domains alone (RFC 1035).

It answers no other names, hands out no zones, and over UDP never more than 512 bytes: a question
with a forged sender cannot be made to flood anybody. Certificates are larger than that, so whoever
wants one is told to ask over TCP.
"""

import asyncio
import base64
import logging
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Final, Protocol

import dns.exception
import dns.flags
import dns.message
import dns.name
import dns.opcode
import dns.rcode
import dns.rdata
import dns.rdataclass
import dns.rdatatype
import dns.rrset

from direct.publication import Listing
from gateway.intakes.talks import talking

log = logging.getLogger(__name__)
_UDP_BYTES: Final = 512
_MOST_QUERY_BYTES: Final = 4096
_IDLE_SECONDS: Final = 10.0
_IN: Final = dns.rdataclass.IN

_Kinds = dict[dns.rdatatype.RdataType, dns.rrset.RRset]


class Zones:
    """What is known of our domains: for each name, records by their kind."""

    def __init__(
        self,
        listings: Sequence[Listing],
        *,
        domains: Sequence[str],
        name_servers: Sequence[str],
        server: tuple[str, int] | None,
        ttl_seconds: int,
        serial: int,
    ) -> None:
        self._ttl = ttl_seconds
        self._names: dict[dns.name.Name, _Kinds] = {}
        self._origins = [_name(*domain.split(".")) for domain in domains]
        for origin in self._origins:
            # RFC 1912: 2.2; the last is how long others keep that there is nothing.
            times = f"7200 1800 1209600 {min(300, ttl_seconds)}"
            self._add(origin, "SOA", f"{name_servers[0]}. hostmaster.{origin} {serial} {times}")
            for host in name_servers:
                self._add(origin, "NS", f"{host}.")
            if server is not None:
                service = dns.name.Name((b"_ldap", b"_tcp", *origin.labels))
                self._add(service, "SRV", f"0 0 {server[1]} {server[0]}.")
        for one in listings:
            for der in one.certificates if one.is_in_dns else ():
                text = base64.b64encode(der).decode("ascii")
                self._add(_name(*one.labels), "CERT", f"PKIX 0 0 {text}")

    def _add(self, name: dns.name.Name, kind: str, text: str) -> None:
        rdata = dns.rdata.from_text(_IN, kind, text)
        kinds = self._names.setdefault(name, {})
        records = kinds.setdefault(rdata.rdtype, dns.rrset.RRset(name, _IN, rdata.rdtype))
        records.add(rdata, self._ttl)

    def origin_of(self, name: dns.name.Name) -> dns.name.Name | None:
        """The domain of ours that the name is in; the longest."""
        inside = [origin for origin in self._origins if name.is_subdomain(origin)]
        return max(inside, key=len, default=None)

    def records(self, name: dns.name.Name) -> Mapping[dns.rdatatype.RdataType, dns.rrset.RRset]:
        return self._names.get(name, {})

    def exists(self, name: dns.name.Name) -> bool:
        """Also a name that has no records, if one below it has (RFC 8020)."""
        return any(known.is_subdomain(name) for known in self._names)

    def answer(self, query: bytes, *, over_udp: bool) -> bytes | None:
        """The answer to a question; None to what is no question, and to what is an answer."""
        try:
            asked = dns.message.from_wire(query)
        except (dns.exception.DNSException, ValueError, EOFError):
            return _format_error(query)
        if asked.flags & dns.flags.QR:
            return None  # else two servers could be set to answer each other for ever
        answer = self._answered(asked)
        if over_udp and len(answer) > _UDP_BYTES:
            short = dns.message.make_response(asked, our_payload=_UDP_BYTES)
            short.flags |= dns.flags.AA | dns.flags.TC
            return short.to_wire()
        return answer

    def _answered(self, asked: dns.message.Message) -> bytes:
        response = dns.message.make_response(asked, our_payload=_UDP_BYTES)
        if asked.opcode() is not dns.opcode.QUERY:
            response.set_rcode(dns.rcode.NOTIMP)
            return response.to_wire()
        question = asked.question[0] if len(asked.question) == 1 else None
        origin = None if question is None else self.origin_of(question.name)
        if question is None or origin is None or question.rdclass is not _IN:
            response.set_rcode(dns.rcode.REFUSED)
            return response.to_wire()
        if question.rdtype in (dns.rdatatype.AXFR, dns.rdatatype.IXFR):
            response.set_rcode(dns.rcode.REFUSED)
            return response.to_wire()
        response.flags |= dns.flags.AA
        kinds = self.records(question.name)
        wanted = kinds.get(question.rdtype)
        if question.rdtype is dns.rdatatype.ANY:  # RFC 8482: 4.1: one kind is answer enough
            wanted = next(iter(kinds.values()), None)
        if wanted is not None:
            response.answer.append(wanted)
        else:
            response.authority.append(self._names[origin][dns.rdatatype.SOA])
            if not self.exists(question.name):
                response.set_rcode(dns.rcode.NXDOMAIN)
        try:
            return response.to_wire(max_size=65535)
        except dns.exception.TooBig:  # no message of DNS can hold so many certificates
            response = dns.message.make_response(asked, our_payload=_UDP_BYTES)
            response.set_rcode(dns.rcode.SERVFAIL)
            return response.to_wire()


def _name(*labels: str) -> dns.name.Name:
    return dns.name.Name((*(label.encode("ascii") for label in labels), b""))


def _format_error(query: bytes) -> bytes | None:
    """RFC 1035: 4.1.1: that the question cannot be read, as long as it has a number."""
    if len(query) < 12 or query[2] & 0x80:
        return None
    flags = (0x8000 | (query[2] & 0x79) << 8 | dns.rcode.FORMERR).to_bytes(2)
    return query[:2] + flags + bytes(8)


# ---- on the wire -----------------------------------------------------------------------------


class Answering(Protocol):
    """`Zones.answer`, of whichever zones there are when the question comes."""

    def __call__(self, query: bytes, *, over_udp: bool) -> bytes | None: ...


@asynccontextmanager
async def answering_dns(answer: Answering, host: str, port: int) -> AsyncIterator[int]:
    """Answers over UDP and TCP at one port, which is given, while the block runs."""

    async def answer_over_tcp(reader: asyncio.StreamReader) -> bytes | None:
        length = int.from_bytes(await reader.readexactly(2))
        if length > _MOST_QUERY_BYTES:
            return None
        said = answer(await reader.readexactly(length), over_udp=False)
        return None if said is None else len(said).to_bytes(2) + said

    async with talking(
        answer_over_tcp, host, port, idle_seconds=_IDLE_SECONDS, most_bytes=_MOST_QUERY_BYTES
    ) as bound:
        transport, _ = await asyncio.get_running_loop().create_datagram_endpoint(
            lambda: _Datagrams(answer), local_addr=(host, bound)
        )
        log.info("our certificates are in DNS at %s:%s", host, bound)
        try:
            yield bound
        finally:
            transport.close()


class _Datagrams(asyncio.DatagramProtocol):
    def __init__(self, answer: Answering) -> None:
        self._answer = answer
        self._transport: asyncio.DatagramTransport | None = None

    def connection_made(self, transport: asyncio.DatagramTransport) -> None:  # type: ignore[override]
        # asyncio hands every protocol a BaseTransport in its types.
        self._transport = transport

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        answer = self._answer(data, over_udp=True)
        if answer is not None and self._transport is not None:
            self._transport.sendto(answer, addr)
