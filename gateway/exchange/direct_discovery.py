"""The certificates of a Direct address, looked for in DNS and LDAP, with every step in words.

`direct.discovery` says what is asked, and in what order; here it is asked, and the answers are
kept for as long as they hold: also that there is nothing, and for a minute that somebody does not
answer. What a certificate is worth is judged anew each time. Everything blocks: call it in a
thread.
"""

import threading
from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final, assert_never

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from direct.certificates import certificates_in
from direct.discovery import (
    Answer,
    Ask,
    CertRecords,
    DirectoryEntries,
    Failed,
    Found,
    LinkedCertificates,
    Lookup,
    NotFound,
    Records,
    ServiceRecords,
    Services,
    Validity,
    Verdict,
    search,
)
from gateway.clients.dns_client import DnsClient, LookupFailed
from gateway.clients.fetch import Fetcher, FetchFailed
from gateway.clients.ldap_client import LdapClient
from gateway.settings_addresses import PrivateAddresses
from gateway.settings_discovery import Discovery

_MOST_ANSWERS: Final = 10_000
_MOST_BYTES: Final = 32 * 1024 * 1024
_SHORTEST: Final = timedelta(minutes=1)
"""A TTL of 0 would have each of a hundred messages to one address ask all over again."""
_LONGEST: Final = timedelta(days=1)
_UNSAID: Final = timedelta(hours=1)
"""LDAP says nothing of how long it holds."""
_NOTHING_LONGEST: Final = timedelta(minutes=15)
"""Whoever publishes a certificate today should not have to wait for our memory of its absence."""

Judge = Callable[[x509.Certificate, str, Sequence[x509.Certificate]], Verdict]
"""What a certificate is worth for an address; the others were found beside it."""


@dataclass(frozen=True, slots=True)
class _Kept:
    answer: Answer
    until: datetime
    size: int


class Lookups:
    """Asks, and remembers the answers. One a process; safe to be used from many threads."""

    def __init__(
        self,
        dns: DnsClient,
        ldap: LdapClient,
        fetcher: Fetcher,
        *,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._dns = dns
        self._ldap = ldap
        self._fetcher = fetcher
        self._clock = clock
        self._kept: OrderedDict[Lookup, _Kept] = OrderedDict()
        self._bytes = 0
        self._lock = threading.Lock()

    def answer(self, question: Lookup, *, fresh: bool = False) -> Answer:
        """The answer, asked for unless one still holds; `fresh` asks anyway."""
        with self._lock:
            kept = self._kept.get(question)
        if kept is not None and kept.until > self._clock() and not fresh:
            return kept.answer
        answer = self._ask(question)
        self._keep(question, answer)
        return answer

    @property
    def kept_bytes(self) -> int:
        """How much of certificates is remembered."""
        return self._bytes

    def _ask(self, question: Lookup) -> Answer:
        try:
            match question:
                case CertRecords(name=name):
                    return self._dns.certificates(name)
                case ServiceRecords(name=name):
                    return self._dns.services(name)
                case DirectoryEntries(host=host, port=port, mail=mail):
                    return self._ldap.certificates(host, port, mail)
                case LinkedCertificates(url=url):
                    # RFC 4398: 2.1: what the record itself would hold; a bag of them is sent too.
                    found = certificates_in(self._fetcher.fetch(url))
                    return Records(tuple(one.public_bytes(Encoding.DER) for one in found))
                case never:
                    assert_never(never)
        except LookupFailed as failure:
            return Failed(str(failure))
        except FetchFailed as failure:
            return Failed(f"cannot be fetched: {failure}")

    def _keep(self, question: Lookup, answer: Answer) -> None:
        size = sum(map(len, answer.certificates)) if isinstance(answer, Records) else 0
        with self._lock:
            old = self._kept.pop(question, None)
            self._kept[question] = _Kept(answer, self._clock() + holds_for(answer), size)
            self._bytes += size - (old.size if old else 0)
            while self._bytes > _MOST_BYTES or len(self._kept) > _MOST_ANSWERS:
                _, dropped = self._kept.popitem(last=False)
                self._bytes -= dropped.size


def open_lookups(stated: Discovery, dns: DnsClient, fetcher: Fetcher) -> Lookups:
    """Lookups that ask whom the settings name; names of LDAP servers go through `dns` too."""
    allowed = PrivateAddresses.of(stated.private_addresses)
    return Lookups(dns, LdapClient(dns.addresses, allowed, stated.seconds), fetcher)


def holds_for(answer: Answer) -> timedelta:
    """How long an answer is kept: what it says itself, within what is reasonable."""
    if isinstance(answer, Failed):
        return _SHORTEST
    match answer:
        case Records(certificates=certificates, links=links):
            is_empty = not certificates and not links
        case Services(services=services):
            is_empty = not services
        case never:
            assert_never(never)
    stated = answer.ttl_seconds
    wanted = _UNSAID if stated is None else timedelta(seconds=stated)
    return max(_SHORTEST, min(wanted, _NOTHING_LONGEST if is_empty else _LONGEST))


def find_certificate(
    address: str, *, lookups: Lookups, judge: Judge, fresh: bool = False
) -> Found | NotFound:
    """The valid certificates of `address`, and each place that was looked at, in words.

    `fresh` asks everybody anew, whatever is remembered.

    Raises:
        InvalidAddress: it is no address of the form local@domain in ASCII.
    """
    answers: dict[Lookup, Answer] = {}
    verdicts: dict[Validity, Verdict] = {}
    while True:
        ended = search(address, answers, verdicts)
        if not isinstance(ended, Ask):
            return ended
        match ended.question:
            case Validity(certificate=certificate, others=others) as question:
                verdicts[question] = judge(certificate, address, others)
            case question:
                answers[question] = lookups.answer(question, fresh=fresh)


def why_not_found(found: NotFound) -> str:
    """One sentence: which certificates were there and refused, or that there is none."""
    refused = [
        step.said
        for step in found.steps
        if step.outcome == "invalid" or step.certificate is not None
    ]
    if refused:
        return f"no certificate of it is trusted: {refused[0]}"
    failed = [step.said for step in found.steps if step.outcome == "failed"]
    if failed:
        return f"its certificate could not be looked for: {failed[0]}"
    return "it publishes no certificate"
