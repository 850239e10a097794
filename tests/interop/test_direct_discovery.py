"""DCDT's cases with servers from other hands: D1 to D18 asked of NSD and OpenLDAP, H1 to H4 both
by our own servers, asked by dig and ldapsearch, and by those two with what we print for them."""

import base64
import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import UTC, datetime

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from direct.discovery import Found, NotFound, Place
from direct.publication import entries, ldif, zone_lines
from direct.trust import TrustAnchor, Verdict, judge
from gateway.clients.dns_client import DnsClient
from gateway.clients.fetch import Fetcher, FetchFailed
from gateway.clients.ldap_client import LdapClient
from gateway.exchange.direct_discovery import Lookups, find_certificate
from gateway.intakes.publish import own_listings
from gateway.settings_addresses import PrivateAddresses
from ihe.revocation import Needs, Question
from tests.certificates import Issued
from tests.direct_certificates import MailAuthority
from tests.gateway.intakes.publishing_house import publish_settings, published
from tests.installs import Unavailable
from tests.interop import directory_servers
from tests.interop.directory_servers import (
    dig,
    directory_server,
    entry,
    ldapsearch,
    name_server,
)
from tests.interop.peer import free_port
from tests.issuers import DAY, Answering, answering

ZONE = "direct.test"
SUFFIX = "dc=direct,dc=test"
NOW = datetime.now(UTC)


def address(case: str) -> str:
    return f"dr.who@{case.lower()}.{ZONE}"


def domain(case: str) -> str:
    return f"{case.lower()}.{ZONE}"


# ---- certificates ----------------------------------------------------------------------------


class Pki:
    """The authorities, and what they have issued by case and name; lists over real HTTP."""

    def __init__(self, served: Answering) -> None:
        self.root = MailAuthority("Root", NOW, base=f"{served.base}/root")
        self.stranger = MailAuthority("Stranger", NOW, base=f"{served.base}/stranger")
        self.between = MailAuthority("Between", NOW, base=f"{served.base}/between", above=self.root)
        self.known: dict[tuple[str, str], Issued] = {}
        by_path = {one.base: one for one in (self.root, self.stranger, self.between)}

        def answer(path: str, body: bytes) -> bytes:
            base, _, last = f"{served.base}{path}".rpartition("/")
            return by_path[base].answer(f"/{last}", body, {})

        served.answer = answer

    def valid(self, case: str, name: str, bound: str, by: MailAuthority | None = None) -> Issued:
        made = (by or self.root).leaf(bound, issuer=True)
        return self.known.setdefault((case, name), made)

    def expired(self, case: str, name: str, bound: str) -> Issued:
        return self.known.setdefault(
            (case, name), self.root.leaf(bound, begin=-300 * DAY, end=-1 * DAY)
        )

    def strange(self, case: str, name: str, bound: str) -> Issued:
        return self.known.setdefault((case, name), self.stranger.leaf(bound))

    def unbound(self, case: str, name: str) -> Issued:
        return self.known.setdefault((case, name), self.root.leaf(f"other@{domain(case)}"))

    def revoked(self, case: str, name: str, bound: str) -> Issued:
        made = self.root.leaf(bound)
        self.root.revoke(made)
        return self.known.setdefault((case, name), made)


def der(issued: Issued) -> bytes:
    return issued.certificate.public_bytes(Encoding.DER)


# ---- DCDT's world ----------------------------------------------------------------------------


@dataclass
class Published:
    """What the servers are given to say."""

    zone: list[str] = field(default_factory=list)
    first: list[str] = field(default_factory=list)
    second: list[str] = field(default_factory=list)

    def cert(self, name: str, *issued: Issued) -> None:
        for one in issued:
            text = base64.b64encode(der(one)).decode()
            self.zone.append(f"{name}. 300 IN CERT PKIX 0 0 {text}")

    def srv(self, case: str, port: int, *, host: str = "ldap1", order: str = "0 0") -> None:
        self.zone.append(f"_ldap._tcp.{domain(case)}. 300 IN SRV {order} {port} {host}.{ZONE}.")


@dataclass
class Ports:
    first: int
    second: int
    nobody: int


def by_name(case: str) -> str:
    return f"dr.who.{domain(case)}"


def fill(pki: Pki, out: Published, ports: Ports) -> None:
    """Every credential of DCDT's in its place; each is invalid in a way of its own."""

    def person(case: str, name: str, issued: Issued) -> str:
        return entry(SUFFIX, f"{case} {name}", address(case), der(issued))

    def house(case: str, name: str, issued: Issued, *, binary: bool = True) -> str:
        return entry(SUFFIX, f"{case} {name}", domain(case), der(issued), binary=binary)

    out.cert(by_name("D1"), pki.valid("D1", "valA", address("D1")))
    out.cert(domain("D1"), pki.expired("D1", "invB", domain("D1")))
    out.srv("D1", ports.first)
    out.first.append(person("D1", "invC", pki.unbound("D1", "invC")))
    out.first.append(house("D1", "invD", pki.strange("D1", "invD", domain("D1"))))

    out.cert(domain("D2"), pki.valid("D2", "valB", domain("D2")))
    out.srv("D2", ports.first)
    out.first.append(person("D2", "invC", pki.expired("D2", "invC", address("D2"))))
    out.first.append(house("D2", "invD", pki.revoked("D2", "invD", domain("D2"))))

    out.srv("D3", ports.first)
    out.first.append(person("D3", "valC", pki.valid("D3", "valC", address("D3"))))
    out.first.append(house("D3", "invD", pki.expired("D3", "invD", domain("D3"))))

    out.srv("D4", ports.first)
    out.first.append(house("D4", "valD", pki.valid("D4", "valD", domain("D4"))))

    out.cert(by_name("D5"), pki.expired("D5", "invA", address("D5")))
    out.cert(domain("D6"), pki.strange("D6", "invB", domain("D6")))
    out.srv("D7", ports.first)
    out.first.append(person("D7", "invC", pki.unbound("D7", "invC")))
    out.srv("D8", ports.first)
    out.first.append(house("D8", "invD", pki.expired("D8", "invD", domain("D8"))))

    invalid = pki.expired("D9", "invA", address("D9"))
    out.cert(by_name("D9"), invalid, pki.valid("D9", "valA", address("D9")))

    out.srv("D10", ports.nobody, order="0 0")
    out.srv("D10", ports.second, host="ldap2", order="1 0")
    out.second.append(person("D10", "valE", pki.valid("D10", "valE", address("D10"))))

    out.srv("D12", ports.nobody)
    out.srv("D13", ports.first)

    out.cert(by_name("D14"), pki.valid("D14", "valA", address("D14")))

    out.srv("D15", ports.first, order="0 0")
    out.srv("D15", ports.second, host="ldap2", order="1 0")
    out.first.append(person("D15", "valC", pki.valid("D15", "valC", address("D15"))))
    out.second.append(person("D15", "invE", pki.expired("D15", "invE", address("D15"))))

    out.srv("D16", ports.second, host="ldap2", order="0 0")
    out.srv("D16", ports.first, order="0 100")
    out.first.append(person("D16", "valC", pki.valid("D16", "valC", address("D16"))))
    out.second.append(person("D16", "valE", pki.valid("D16", "valE", address("D16"))))

    gone = [pki.revoked("D17", name, address("D17")) for name in ("invB", "invC")]
    out.cert(by_name("D17"), *gone, pki.valid("D17", "valA", address("D17")))
    out.cert(domain("D17"), pki.expired("D17", "invD", domain("D17")))

    out.cert(by_name("D18"), pki.valid("D18", "valA", address("D18"), pki.between))
    out.cert(domain("D18"), pki.strange("D18", "invB", domain("D18")))


def zone_text(lines: Sequence[str]) -> str:
    head = [
        f"{ZONE}. 300 IN SOA ns.{ZONE}. hostmaster.{ZONE}. 1 7200 1800 1209600 60",
        f"{ZONE}. 300 IN NS ns.{ZONE}.",
        *(f"{host}.{ZONE}. 300 IN A 127.0.0.1" for host in ("ns", "ldap1", "ldap2")),
    ]
    return "\n".join([*head, *lines]) + "\n"


def ldif_text(found: Sequence[str]) -> str:
    own = "objectClass: dcObject\nobjectClass: organization\ndc: direct\no: DCDT\n"
    return f"dn: {SUFFIX}\n{own}\n" + "".join(found)


@dataclass(frozen=True)
class World:
    """The servers that run, and who asks them."""

    pki: Pki
    served: Answering
    dns_port: int
    ports: Ports

    @property
    def fetcher(self) -> Fetcher:
        return Fetcher(PrivateAddresses.of([self.served.address]))

    def lookups(self, dns_port: int | None = None, *ldap_ports: int) -> Lookups:
        dns = DnsClient((f"127.0.0.1:{dns_port or self.dns_port}",))
        ports = ldap_ports or (self.ports.first, self.ports.second, self.ports.nobody)
        allowed = PrivateAddresses.of(f"127.0.0.1:{port}" for port in ports)
        return Lookups(dns, LdapClient(dns.addresses, allowed), self.fetcher)

    def judge(self) -> Callable[[x509.Certificate, str, Sequence[x509.Certificate]], Verdict]:
        """`direct.trust`, with lists and issuers fetched over HTTP."""
        anchors = [TrustAnchor(self.pki.root.certificate)]

        def judged(
            certificate: x509.Certificate, wanted: str, others: Sequence[x509.Certificate]
        ) -> Verdict:
            answers: dict[Question, bytes | None] = {}
            while isinstance(
                said := judge(
                    certificate, address=wanted, others=others, anchors=anchors, usage="encrypt",
                    answers=answers, now=datetime.now(UTC),
                ),
                Needs,
            ):  # fmt: skip
                question = said.question
                try:
                    answers[question] = self.fetcher.fetch(question.url, question.body)
                except FetchFailed:
                    answers[question] = None
            return said

        return judged

    def find(self, wanted: str, lookups: Lookups | None = None) -> Found | NotFound:
        return find_certificate(wanted, lookups=lookups or self.lookups(), judge=self.judge())


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    try:
        directory_servers.servers()
    except Unavailable as missing:
        pytest.exit(str(missing), returncode=1)
    folder = tmp_path_factory.mktemp("dcdt")
    with ExitStack() as stack:
        served = stack.enter_context(answering())
        pki, out = Pki(served), Published()
        # The directories' ports are in the zone, their entries need no port: filled twice.
        fill(pki, out, Ports(1, 1, 1))
        ports = Ports(
            *(
                stack.enter_context(
                    directory_server(folder / name, ldif_text(found), suffix=SUFFIX)
                )
                for name, found in (("first", out.first), ("second", out.second))
            ),
            nobody=free_port(),
        )
        out = Published()
        fill(pki, out, ports)
        (folder / "dns").mkdir()
        zones = {ZONE: zone_text(out.zone)}
        dns_port = stack.enter_context(name_server(folder / "dns", zones))
        yield World(pki, served, dns_port, ports)


CASES: list[tuple[str, str | None, Place | None, tuple[str, ...]]] = [
    ("D1", "valA", "dns-address", ()),
    ("D2", "valB", "dns-domain", ()),
    ("D3", "valC", "ldap-address", ()),
    ("D4", "valD", "ldap-domain", ()),
    ("D5", None, None, ("expired",)),
    ("D6", None, None, ("anchor",)),
    ("D7", None, None, ("not bound",)),
    ("D8", None, None, ("expired",)),
    ("D9", "valA", "dns-address", ("expired",)),
    ("D10", "valE", "ldap-address", ()),
    ("D11", None, None, ()),
    ("D12", None, None, ()),
    ("D13", None, None, ()),
    ("D14", "valA", "dns-address", ()),
    ("D15", "valC", "ldap-address", ()),
    ("D16", "valC", "ldap-address", ()),
    ("D17", "valA", "dns-address", ("revoked", "revoked")),
    ("D18", "valA", "dns-address", ()),
]


@pytest.mark.parametrize(("case", "name", "place", "refused"), CASES, ids=[c[0] for c in CASES])
def test_discovery(
    world: World, case: str, name: str | None, place: Place | None, refused: tuple[str, ...]
) -> None:
    ended = world.find(address(case))
    invalid = [step.said for step in ended.steps if step.outcome == "invalid"]
    assert len(invalid) == len(refused), ended.steps
    for said, why in zip(invalid, refused, strict=True):
        assert why in said
    if name is None:
        assert isinstance(ended, NotFound)
        return
    assert isinstance(ended, Found), ended.steps
    (candidate,) = ended.candidates
    assert candidate.certificate == world.pki.known[case, name].certificate
    assert candidate.place == place


def test_d10_and_d12_tried_the_server_that_is_not_there(world: World) -> None:
    for case in ("D10", "D12"):
        failed = [step for step in world.find(address(case)).steps if step.outcome == "failed"]
        assert [step.said for step in failed] == ["it cannot be reached"]
        assert failed[0].where.startswith(f"ldap1.{ZONE}:{world.ports.nobody} ")


def test_d11_and_d13_are_certain_that_there_is_nothing_and_d12_is_not(world: World) -> None:
    for case, certain in (("D11", True), ("D12", False), ("D13", True)):
        ended = world.find(address(case))
        assert isinstance(ended, NotFound)
        assert ended.certain is certain


def test_d14_does_not_fit_into_a_datagram(world: World) -> None:
    said = dig(world.dns_port, by_name("D14"), "CERT", "+notcp", "+ignore", "+noedns")
    assert re.search(r"flags:[a-z ]* tc", said)
    assert len(der(world.pki.known["D14", "valA"])) > 512


def test_d17_and_d18_have_fetched_lists_and_the_issuer_over_http(world: World) -> None:
    world.served.asked.clear()
    world.find(address("D17"))
    assert "/root/list.crl" in world.served.asked
    world.find(address("D18"))
    assert {"/between/ca.cer", "/between/list.crl"} <= set(world.served.asked)


# ---- H1 to H4 --------------------------------------------------------------------------------

DOMAIN = f"hosting.{ZONE}"
HOSTED = f"dr.a@{DOMAIN}"


@dataclass(frozen=True)
class Hosting:
    """What we host: by our own servers, and in the others by what we print for them."""

    by_address: Issued
    by_domain: Issued
    dns_ports: dict[str, int]
    ldap_ports: dict[str, int]


@pytest.fixture(scope="module")
def hosting(world: World, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hosting]:
    folder = tmp_path_factory.mktemp("hosting")
    by_address = world.pki.valid("H", "address", HOSTED)
    by_domain = world.pki.valid("H", "domain", DOMAIN)
    with ExitStack() as stack:
        stated = publish_settings(
            folder,
            [by_address, by_domain],
            domains=(DOMAIN,),
            dns="127.0.0.1:0",
            ldap="127.0.0.1:0",
            name_servers=("ns.hosts.test",),
            ldap_server="ldap.hosts.test:389",
        )
        ours = stack.enter_context(published(stated))
        found = own_listings(stated)
        context = f"dc=hosting,{SUFFIX}"
        slapd = stack.enter_context(
            directory_server(folder / "ldap", ldif(entries(found)), suffix=context)
        )
        lines = zone_lines(found, ttl_seconds=300, server=(f"ldap1.{ZONE}", slapd))
        (folder / "dns").mkdir()
        zones = {ZONE: zone_text([lines])}
        nsd = stack.enter_context(name_server(folder / "dns", zones))
        yield Hosting(
            by_address,
            by_domain,
            {"our DNS": ours["dns"], "NSD with our lines": nsd},
            {"our LDAP": ours["ldap"], "OpenLDAP with our LDIF": slapd},
        )


@pytest.mark.parametrize("server", ["our DNS", "NSD with our lines"])
@pytest.mark.parametrize(
    ("case", "name"), [("H1", f"dr.a.{DOMAIN}"), ("H2", DOMAIN)], ids=["H1", "H2"]
)
def test_hosting_in_dns(hosting: Hosting, server: str, case: str, name: str) -> None:
    expected = hosting.by_address if case == "H1" else hosting.by_domain
    said = dig(hosting.dns_ports[server], name, "CERT", "+short")
    kind, tag, algorithm, *text = said.split()
    assert (kind, tag, algorithm) == ("PKIX", "0", "0")
    assert base64.b64decode("".join(text)) == der(expected)


@pytest.mark.parametrize("server", ["our LDAP", "OpenLDAP with our LDIF"])
@pytest.mark.parametrize(("case", "mail"), [("H3", HOSTED), ("H4", DOMAIN)], ids=["H3", "H4"])
def test_hosting_in_ldap(hosting: Hosting, server: str, case: str, mail: str) -> None:
    expected = hosting.by_address if case == "H3" else hosting.by_domain
    port = hosting.ldap_ports[server]
    root = ldapsearch(port, "", "(objectClass=*)", "namingContexts", scope="base")
    (context,) = re.findall(r"^namingContexts: (.*)$", root, re.MULTILINE)
    said = ldapsearch(port, context, f"(mail={mail})", "userCertificate;binary")
    (text,) = re.findall(r"^userCertificate;binary:: (.*)$", said, re.MULTILINE)
    assert base64.b64decode(text) == der(expected)
    assert "dn:" not in ldapsearch(port, context, "(mail=nobody@elsewhere.test)")


def test_what_others_host_of_ours_is_found_by_us(world: World, hosting: Hosting) -> None:
    nsd = hosting.dns_ports["NSD with our lines"]
    slapd = hosting.ldap_ports["OpenLDAP with our LDIF"]
    found = world.find(HOSTED, world.lookups(nsd, slapd))
    assert isinstance(found, Found)
    assert found.candidates[0].certificate == hosting.by_address.certificate
    only_domain = world.find(f"nobody@{DOMAIN}", world.lookups(nsd, slapd))
    assert isinstance(only_domain, Found)
    assert only_domain.candidates[0].place == "dns-domain"


def test_dig_is_told_that_a_name_is_not_there_and_that_it_has_nothing(hosting: Hosting) -> None:
    ours = hosting.dns_ports["our DNS"]
    assert "status: NXDOMAIN" in dig(ours, f"nobody.{DOMAIN}", "CERT")
    assert "status: NOERROR" in dig(ours, f"_tcp.{DOMAIN}", "SRV")
    assert "status: REFUSED" in dig(ours, "elsewhere.test", "CERT")
    assert f"_ldap._tcp.{DOMAIN}." in dig(ours, f"_ldap._tcp.{DOMAIN}", "SRV")
    assert "Transfer failed" in dig(ours, DOMAIN, "AXFR")
