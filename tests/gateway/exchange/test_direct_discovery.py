"""The search as it is run: over real sockets, with what is remembered and for how long."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from ipaddress import ip_address

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from direct.discovery import (
    Answer,
    CertRecords,
    DirectoryEntries,
    Failed,
    Found,
    InvalidAddress,
    LinkedCertificates,
    NotFound,
    Records,
    Service,
    ServiceRecords,
    Services,
)
from gateway.clients.dns_client import DnsClient, LookupFailed
from gateway.clients.fetch import Fetcher
from gateway.clients.ldap_client import LdapClient
from gateway.exchange.direct_discovery import Lookups, find_certificate, holds_for, open_lookups
from gateway.settings_addresses import PrivateAddresses
from gateway.settings_discovery import Discovery
from tests.certificates import NOW, leaf
from tests.gateway.intakes.publishing_house import publish_settings, published
from tests.issuers import answering

DOMAIN = "d.test"
ADDRESS = f"dr.a@{DOMAIN}"
BY_ADDRESS = leaf("discovered address", address=ADDRESS)
BY_DOMAIN = leaf("discovered domain", host=DOMAIN)


@dataclass(frozen=True)
class Judged:
    trusted: bool
    reasons: tuple[str, ...] = ()
    is_temporary: bool = False


def trusting(*valid: x509.Certificate) -> Callable[..., Judged]:
    def judge(
        certificate: x509.Certificate, address: str, others: Sequence[x509.Certificate]
    ) -> Judged:
        assert address == ADDRESS
        assert certificate not in others
        return Judged(certificate in valid, () if certificate in valid else ("it is a stranger's",))

    return judge


@dataclass
class Clock:
    now: datetime = NOW

    def __call__(self) -> datetime:
        return self.now

    def wait(self, **length: float) -> None:
        self.now += timedelta(**length)


@pytest.fixture(scope="module")
def ports(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, int]]:
    """Our own publisher as somebody else's: DNS has the domain's, LDAP both."""
    stated = publish_settings(
        tmp_path_factory.mktemp("published"),
        [BY_ADDRESS, BY_DOMAIN],
        domains=(DOMAIN,),
        dns="127.0.0.1:0",
        ldap="127.0.0.1:0",
        name_servers=("ns.hosts.test",),
        ldap_server="ldap.hosts.test:389",
    )
    with published(stated) as found:
        yield found


def lookups(ports: dict[str, int], ldap: LdapClient | None = None) -> Lookups:
    dns = DnsClient((f"127.0.0.1:{ports['dns']}",))
    return Lookups(dns, ldap or LdapClient(dns.addresses), Fetcher(), clock=Clock())


def test_all_is_found_over_real_sockets_and_said_in_words(ports: dict[str, int]) -> None:
    judge = trusting(BY_DOMAIN.certificate)
    found = find_certificate(ADDRESS, lookups=lookups(ports), judge=judge)
    assert isinstance(found, Found)
    assert [one.certificate for one in found.candidates] == [BY_DOMAIN.certificate]
    assert found.candidates[0].place == "dns-domain"
    assert [(step.where, step.outcome, step.said) for step in found.steps] == [
        ("CERT records of dr.a.d.test", "invalid", "it is a stranger's"),
        ("CERT records of d.test", "valid", ""),
    ]


def test_ldap_is_asked_where_dns_had_nothing_valid(ports: dict[str, int]) -> None:
    """The SRV record's port is 389; our directory is elsewhere, so a map stands between."""

    @dataclass(frozen=True)
    class Moved(LdapClient):
        def certificates(self, host: str, port: int, mail: str) -> Records:
            assert (host, port) == ("ldap.hosts.test", 389)
            return LdapClient(self.look_up, self.private_addresses).certificates(
                host, ports["ldap"], mail
            )

    moved = Moved(
        lambda _: (ip_address("127.0.0.1"),), PrivateAddresses.of([f"127.0.0.1:{ports['ldap']}"])
    )
    ended = find_certificate(ADDRESS, lookups=lookups(ports, moved), judge=trusting())
    assert isinstance(ended, NotFound)
    assert ended.certain
    assert [(step.place, step.outcome) for step in ended.steps] == [
        ("dns-address", "invalid"), ("dns-domain", "invalid"),
        ("ldap-address", "invalid"), ("ldap-domain", "invalid"),
    ]  # fmt: skip


def test_a_directory_at_an_address_that_is_not_public_is_not_asked(ports: dict[str, int]) -> None:
    private = LdapClient(lambda _: (ip_address("127.0.0.1"),))
    ended = find_certificate(ADDRESS, lookups=lookups(ports, private), judge=trusting())
    assert isinstance(ended, NotFound)
    assert not ended.certain
    assert ended.steps[-2].said == "it is not at a public address"


def test_what_a_record_points_to_is_fetched_in_der_or_pem() -> None:
    with answering() as served:
        fetcher = Fetcher(PrivateAddresses.of([served.address]))
        asking = Lookups(DnsClient(), LdapClient(lambda _: ()), fetcher, clock=Clock())
        der = BY_DOMAIN.certificate.public_bytes(Encoding.DER)
        for content in (der, BY_DOMAIN.certificate_pem):
            served.answer = lambda _path, _body, content=content: content  # type: ignore[misc]
            link = LinkedCertificates(f"{served.base}/{len(content)}.cer")
            assert asking.answer(link) == Records((der,))
        served.answer = lambda _path, _body: 404
        assert asking.answer(LinkedCertificates(f"{served.base}/none")) == Failed(
            "cannot be fetched: it answers HTTP 404"
        )
        stranger = Lookups(DnsClient(), LdapClient(lambda _: ()), Fetcher(), clock=Clock())
        assert isinstance(stranger.answer(LinkedCertificates(f"{served.base}/x")), Failed)
        assert "/x" not in served.asked


def test_whom_to_ask_is_said_by_the_settings(ports: dict[str, int]) -> None:
    dns = DnsClient((f"127.0.0.1:{ports['dns']}",))
    asking = open_lookups(Discovery(), dns, Fetcher())
    found = find_certificate(ADDRESS, lookups=asking, judge=trusting(BY_ADDRESS.certificate))
    assert isinstance(found, Found)


def test_what_is_no_address_is_refused(ports: dict[str, int]) -> None:
    with pytest.raises(InvalidAddress):
        find_certificate("nobody", lookups=lookups(ports), judge=trusting())


# ---- what is remembered ----------------------------------------------------------------------


@dataclass
class Counting:
    """Both clients, giving `answer`, counting."""

    answer: Answer
    asked: int = 0

    def certificates(self, *_: object) -> Records:
        return self._give()  # type: ignore[return-value]

    def services(self, *_: object) -> Services:
        return self._give()  # type: ignore[return-value]

    def _give(self) -> Answer:
        self.asked += 1
        if isinstance(self.answer, Failed):
            raise LookupFailed(self.answer.reason)
        return self.answer


def counting(answer: Answer) -> tuple[Counting, Lookups, Clock]:
    counted, clock = Counting(answer), Clock()
    made = Lookups(counted, counted, Fetcher(), clock=clock)  # type: ignore[arg-type]
    return counted, made, clock


SOME = (b"der",)
SERVICE = (Service("a.test", 389),)


@pytest.mark.parametrize(
    ("answer", "seconds"),
    [
        (Records(SOME, ttl_seconds=300), 300),
        (Records(SOME, ttl_seconds=0), 60),
        (Records(SOME, ttl_seconds=10**9), 86400),
        (Records(SOME), 3600),
        (Records(ttl_seconds=300), 300),
        (Records(ttl_seconds=86400), 900),
        (Records(), 900),
        (Services(SERVICE, ttl_seconds=7200), 7200),
        (Services(ttl_seconds=7200), 900),
        (Failed("takes too long"), 60),
    ],
)
def test_an_answer_is_asked_for_again_when_it_no_longer_holds(answer: Answer, seconds: int) -> None:
    assert holds_for(answer) == timedelta(seconds=seconds)
    counted, made, clock = counting(answer)
    question = ServiceRecords("x") if isinstance(answer, Services) else CertRecords("x")
    assert made.answer(question) == answer
    clock.wait(seconds=seconds - 1)
    assert made.answer(question) == answer
    assert counted.asked == 1
    clock.wait(seconds=1)
    made.answer(question)
    assert counted.asked == 2


def test_who_wants_to_know_now_has_it_asked() -> None:
    counted, made, _ = counting(Records(SOME, ttl_seconds=300))
    question = DirectoryEntries("a.test", 389, ADDRESS)
    made.answer(question)
    counted.answer = Records((b"new",), ttl_seconds=300)
    assert made.answer(question) == Records(SOME, ttl_seconds=300)
    assert made.answer(question, fresh=True) == counted.answer
    assert made.answer(question) == counted.answer
    assert counted.asked == 2


def test_memory_has_an_end() -> None:
    counted, made, _ = counting(Records((b"x" * 1024 * 1024,), ttl_seconds=300))
    for number in range(100):
        made.answer(CertRecords(f"n{number}.test"))
    assert made.kept_bytes <= 32 * 1024 * 1024
    made.answer(CertRecords("n99.test"))
    assert counted.asked == 100
    made.answer(CertRecords("n0.test"))
    assert counted.asked == 101


def test_an_answer_is_judged_anew_each_time(ports: dict[str, int]) -> None:
    asking = lookups(ports)
    for judge, kind in ((trusting(BY_DOMAIN.certificate), Found), (trusting(), NotFound)):
        assert isinstance(find_certificate(ADDRESS, lookups=asking, judge=judge), kind)
