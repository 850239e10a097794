"""We host our certificates: DCDT's H1 to H4, asked by dnspython and by ldap3; and strangers."""

import asyncio
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import dns.flags
import dns.message
import dns.name
import dns.opcode
import dns.query
import dns.rcode
import dns.rdatatype
import dns.resolver
import ldap3
import pytest
from cryptography.hazmat.primitives.serialization import Encoding
from pydantic import ValidationError

from direct import ldap as ldap_messages
from direct.ldap import Done, Search
from direct.ldap_filter import Present
from direct.tlv import integer, tlv
from gateway.app.mail import own_certificates
from gateway.intakes import publish_dns
from gateway.intakes.publish import own_listings
from gateway.intakes.talks import MOST_CONNECTIONS
from gateway.settings import InvalidSettings
from gateway.settings_discovery import Publish
from gateway.store import direct_keys
from tests.certificates import leaf
from tests.gateway.house import PLAN, open_house
from tests.gateway.intakes.publishing_house import publish_settings, published

DOMAIN = "direct.plan.test"
ADDRESS = f"dr.a@{DOMAIN}"
BY_ADDRESS = leaf("hosted address", address=ADDRESS)
BY_DOMAIN = leaf("hosted domain", host=DOMAIN)
LDAP_SERVER = "ldap.hosts.test:1389"


def der(issued: Any) -> bytes:
    return bytes(issued.certificate.public_bytes(Encoding.DER))


@pytest.fixture(scope="module")
def ports(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, int]]:
    stated = publish_settings(
        tmp_path_factory.mktemp("published"),
        [BY_ADDRESS, BY_DOMAIN],
        domains=(DOMAIN,),
        dns="127.0.0.1:0",
        ldap="127.0.0.1:0",
        name_servers=("ns1.hosts.test", "ns2.hosts.test"),
        ldap_server=LDAP_SERVER,
    )
    with published(stated) as found:
        yield found


# ---- DNS -------------------------------------------------------------------------------------


def ask(ports: dict[str, int], name: str, kind: str = "CERT", **how: Any) -> dns.message.Message:
    """The answer over TCP."""
    query = dns.message.make_query(name, kind, **how)
    return dns.query.tcp(query, "127.0.0.1", port=ports["dns"], timeout=10)


def ask_udp(ports: dict[str, int], query: dns.message.Message) -> dns.message.Message:
    return dns.query.udp(query, "127.0.0.1", port=ports["dns"], timeout=10)


def resolver(ports: dict[str, int]) -> dns.resolver.Resolver:
    made = dns.resolver.Resolver(configure=False)
    made.nameservers = [dns.nameserver.Do53Nameserver("127.0.0.1", ports["dns"])]
    return made


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        pytest.param(f"dr.a.{DOMAIN}", BY_ADDRESS, id="H1"),
        pytest.param(DOMAIN, BY_DOMAIN, id="H2"),
        pytest.param("DIRECT.Plan.test", BY_DOMAIN, id="H2 in another case"),
    ],
)
def test_our_dns_hosts(ports: dict[str, int], name: str, expected: Any) -> None:
    (record,) = resolver(ports).resolve(name, "CERT")
    assert (record.certificate_type, record.certificate) == (1, der(expected))


def test_a_certificate_does_not_fit_into_a_datagram_and_is_given_over_tcp(
    ports: dict[str, int],
) -> None:
    answer = ask_udp(ports, dns.message.make_query(DOMAIN, "CERT", use_edns=0, payload=4096))
    assert answer.flags & dns.flags.TC
    assert answer.answer == []
    whole = ask(ports, DOMAIN)
    assert len(whole.answer) == 1
    assert whole.flags & dns.flags.AA


def test_the_zone_names_itself(ports: dict[str, int]) -> None:
    soa = ask(ports, DOMAIN, "SOA").answer[0][0]
    assert soa.mname.to_text() == "ns1.hosts.test."
    servers = ask(ports, DOMAIN, "NS").answer[0]
    assert {one.to_text() for one in servers} == {"ns1.hosts.test.", "ns2.hosts.test."}
    (service,) = resolver(ports).resolve(f"_ldap._tcp.{DOMAIN}", "SRV")
    assert service.to_text() == "0 0 1389 ldap.hosts.test."


@pytest.mark.parametrize(
    ("name", "kind", "rcode"),
    [
        (f"nobody.{DOMAIN}", "CERT", dns.rcode.NXDOMAIN),
        (DOMAIN, "A", dns.rcode.NOERROR),
        (f"_tcp.{DOMAIN}", "SRV", dns.rcode.NOERROR),  # a name between two others exists
        (f"a.{DOMAIN}", "CERT", dns.rcode.NOERROR),
    ],
)
def test_that_there_is_nothing_is_said_with_how_long_that_holds(
    ports: dict[str, int], name: str, kind: str, rcode: int
) -> None:
    answer = ask(ports, name, kind)
    assert (answer.rcode(), answer.answer) == (rcode, [])
    assert answer.authority[0].rdtype is dns.rdatatype.SOA


@pytest.mark.parametrize("name", ["other.test", "plan.test", ".", f"x{DOMAIN}"])
def test_other_names_are_none_of_our_business(ports: dict[str, int], name: str) -> None:
    answer = ask(ports, name)
    assert (answer.rcode(), answer.answer) == (dns.rcode.REFUSED, [])


def test_nobody_gets_the_zone_and_nobody_changes_it(ports: dict[str, int]) -> None:
    assert ask(ports, DOMAIN, "AXFR").rcode() == dns.rcode.REFUSED
    assert ask(ports, DOMAIN, "CERT", rdclass="CH").rcode() == dns.rcode.REFUSED
    update = dns.message.make_query(DOMAIN, "SOA")
    update.set_opcode(dns.opcode.UPDATE)
    assert ask_udp(ports, update).rcode() == dns.rcode.NOTIMP


def test_a_datagram_is_never_larger_than_512_bytes(ports: dict[str, int]) -> None:
    for kind in ("ANY", "CERT", "NS", "SOA"):
        query = dns.message.make_query(DOMAIN, kind, use_edns=0, payload=65535)
        assert len(ask_udp(ports, query).to_wire()) <= 512


def test_what_is_no_question_has_no_answer_and_what_is_malformed_an_error(
    ports: dict[str, int],
) -> None:
    answer = dns.message.make_response(dns.message.make_query(DOMAIN, "CERT"))
    malformed = b"\x12\x34\x01\x00\x00\x01" + bytes(6) + b"\xc0\x0c"
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as ours:
        ours.settimeout(10)
        for silent in (b"", b"\0" * 11, answer.to_wire(), b"\x12\x34\x81" + bytes(20)):
            ours.sendto(silent, ("127.0.0.1", ports["dns"]))
        ours.sendto(malformed, ("127.0.0.1", ports["dns"]))
        said = ours.recv(1000)  # the first that is answered is the last that was sent
    assert said[:2] == b"\x12\x34"
    assert said[3] & 0x0F == dns.rcode.FORMERR
    assert len(said) == 12


def test_an_answer_is_never_answered() -> None:
    """Else two servers could be set to talk to each other for ever."""
    shown = publish_dns.Zones(
        (), domains=(DOMAIN,), name_servers=("ns.test",), server=None, ttl_seconds=60, serial=1
    )
    answer = dns.message.make_response(dns.message.make_query(DOMAIN, "SOA")).to_wire()
    assert shown.answer(answer, over_udp=True) is None
    assert shown.answer(answer[:20], over_udp=True) is None


def test_a_question_as_long_as_it_likes_is_not_read(ports: dict[str, int]) -> None:
    with socket.create_connection(("127.0.0.1", ports["dns"]), timeout=10) as talk:
        talk.sendall((publish_dns._MOST_QUERY_BYTES + 1).to_bytes(2) + b"x" * 100)
        assert hangs_up(talk)
    assert ask(ports, DOMAIN).answer


# ---- LDAP ------------------------------------------------------------------------------------


@pytest.fixture
def connection(ports: dict[str, int]) -> Iterator[ldap3.Connection]:
    """ldap3 with all it asks by itself: the root, and the schema that we have not."""
    server = ldap3.Server("127.0.0.1", ports["ldap"], get_info=ldap3.ALL)
    made = ldap3.Connection(server, auto_bind=True, receive_timeout=10)
    yield made
    made.unbind()


@pytest.mark.parametrize(
    ("mail", "expected"),
    [pytest.param(ADDRESS, BY_ADDRESS, id="H3"), pytest.param(DOMAIN, BY_DOMAIN, id="H4")],
)
def test_our_ldap_hosts(connection: ldap3.Connection, mail: str, expected: Any) -> None:
    (base,) = connection.server.info.naming_contexts
    assert connection.search(base, f"(mail={mail})", attributes=["userCertificate;binary"])
    (found,) = connection.response
    assert found["raw_attributes"]["userCertificate;binary"] == [der(expected)]


def test_whoever_has_no_certificate_is_not_found(connection: ldap3.Connection) -> None:
    base = "dc=direct,dc=plan,dc=test"
    assert not connection.search(base, "(mail=nobody@direct.plan.test)")
    assert connection.result["result"] == 0
    assert not connection.search("dc=other", "(mail=*)")
    assert connection.result["description"] == "noSuchObject"


def test_filters_of_other_programs_are_understood(connection: ldap3.Connection) -> None:
    base = "dc=direct,dc=plan,dc=test"
    both = "(&(objectClass=inetOrgPerson)(|(mail=DR.A@direct.plan.test)(cn=x))(!(mail=y)))"
    assert connection.search(base, both, attributes=["mail"])
    assert connection.search(base, "(mail=dr.*@direct*)", attributes=["1.1"])
    assert not connection.search(base, "(mail>=a)")
    assert not connection.search(base, "(!(mail:caseExactMatch:=a))")


def test_nobody_binds_with_a_name(ports: dict[str, int]) -> None:
    server = ldap3.Server("127.0.0.1", ports["ldap"], get_info=ldap3.NONE)
    for how in ({"user": "cn=admin", "password": "x"},):
        connection = ldap3.Connection(server, **how)
        assert not connection.bind()
        assert connection.result["description"] == "invalidCredentials"
        connection.unbind()


def test_nobody_changes_anything(connection: ldap3.Connection) -> None:
    name = f"mail={ADDRESS},dc=direct,dc=plan,dc=test"
    connection.add("cn=x,dc=test", "person", {"sn": "x"})
    assert connection.result["description"] == "unwillingToPerform"
    connection.delete(name)
    assert connection.result["description"] == "unwillingToPerform"
    connection.modify(name, {"cn": [(ldap3.MODIFY_REPLACE, ["x"])]})
    assert connection.result["description"] == "unwillingToPerform"
    connection.compare(name, "cn", "x")
    assert connection.result["description"] == "unwillingToPerform"
    connection.extended("1.3.6.1.4.1.1466.20037")  # StartTLS
    assert connection.result["description"] == "protocolError"


@pytest.mark.parametrize(
    "nonsense",
    [
        b"GET / HTTP/1.1\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01",
        b"\x30\x80\x02\x01\x01",
        b"\x30\x84\x7f\xff\xff\xff",
        tlv(0x30, integer(1) + tlv(0x7F, b"")),
        tlv(0x30, b"\x02\x01"),
    ],
)
def test_nonsense_ends_the_conversation_and_nothing_else(
    ports: dict[str, int], nonsense: bytes
) -> None:
    with socket.create_connection(("127.0.0.1", ports["ldap"]), timeout=10) as talk:
        talk.sendall(nonsense)
        assert hangs_up(talk)
    with socket.create_connection(("127.0.0.1", ports["ldap"]), timeout=10) as talk:
        talk.sendall(ldap_messages.write_search(1, Search("", 0, Present("objectClass"))))
        assert talk.recv(1000)


def test_questions_may_come_at_once_and_an_unbind_ends_it(ports: dict[str, int]) -> None:
    search = Search("dc=other", 2, Present("mail"))
    with socket.create_connection(("127.0.0.1", ports["ldap"]), timeout=10) as talk:
        talk.sendall(
            ldap_messages.write_search(1, search)
            + ldap_messages.write_search(2, search)
            + ldap_messages.write_unbind(3)
        )
        said = b""
        while chunk := talk.recv(1000):
            said += chunk
    ended = Done(ldap_messages.NO_SUCH_OBJECT)
    expected = [ldap_messages.write_done(number, search, ended.code) for number in (1, 2)]
    assert said == b"".join(expected)


@pytest.mark.parametrize("server", ["dns", "ldap"])
def test_so_many_connections_and_no_more(ports: dict[str, int], server: str) -> None:
    place = ("127.0.0.1", ports[server])
    talks = [socket.create_connection(place, timeout=10) for _ in range(MOST_CONNECTIONS)]
    try:
        with socket.create_connection(("127.0.0.1", ports[server]), timeout=10) as one_more:
            assert hangs_up(one_more)
    finally:
        for talk in talks:
            talk.close()
    answered = threading.Event()
    for _ in range(100):  # the others' ends are noticed one by one
        with socket.create_connection(("127.0.0.1", ports[server]), timeout=10) as talk:
            if not answers(talk, server):
                continue
            answered.set()
            break
    assert answered.is_set()


def answers(talk: socket.socket, server: str) -> bool:
    query = dns.message.make_query(DOMAIN, "SOA").to_wire()
    search = ldap_messages.write_search(1, Search("", 0, Present("objectClass")))
    try:
        talk.sendall(len(query).to_bytes(2) + query if server == "dns" else search)
        return bool(talk.recv(100))
    except OSError:
        return False


def hangs_up(talk: socket.socket) -> bool:
    try:
        return talk.recv(100) == b""
    except ConnectionResetError:
        return True


# ---- what changes while we answer ------------------------------------------------------------

RENEWED = leaf("renewed domain", host=DOMAIN)


def given(ports: dict[str, int]) -> list[bytes]:
    """The domain's certificates in DNS, and in LDAP the same."""
    answer = resolver(ports).resolve(DOMAIN, "CERT", raise_on_no_answer=False)
    in_dns = sorted(one.certificate for one in answer.rrset or ())
    server = ldap3.Server("127.0.0.1", ports["ldap"], get_info=ldap3.NONE)
    with ldap3.Connection(server, receive_timeout=10) as asked:
        asked.search("dc=test", f"(mail={DOMAIN})", attributes=["userCertificate;binary"])
        found = [one["raw_attributes"]["userCertificate;binary"] for one in asked.response]
    assert in_dns == sorted(one for each in found for one in each)
    return in_dns


def serial(ports: dict[str, int]) -> int:
    return int(ask(ports, DOMAIN, "SOA").answer[0][0].serial)


def until_given(ports: dict[str, int], *expected: Any) -> None:
    """Waits at most ten seconds: the servers look again every 20 ms here."""
    until = time.monotonic() + 10
    wanted = sorted(map(der, expected))
    while True:
        with suppress(AssertionError):  # looked at between the one server and the other
            if given(ports) == wanted:
                return
        assert time.monotonic() < until, "it is never published"
        time.sleep(0.02)


def answering(folder: Path, certificates: list[Any], **more: object) -> Publish:
    return publish_settings(
        folder,
        certificates,
        domains=(DOMAIN,),
        dns="127.0.0.1:0",
        ldap="127.0.0.1:0",
        name_servers=("ns.hosts.test",),
        **more,
    )


def test_a_key_that_comes_into_use_is_published_without_a_restart(tmp_path: Path) -> None:
    keys = [BY_DOMAIN.certificate]
    with published(answering(tmp_path, []), keys) as ports:
        until_given(ports, BY_DOMAIN)
        first = serial(ports)
        keys.append(RENEWED.certificate)
        until_given(ports, BY_DOMAIN, RENEWED)
        assert serial(ports) > first  # though the clock of this test stands still
        del keys[0]
        until_given(ports, RENEWED)
        del keys[0]
        until_given(ports)


def test_a_certificate_written_into_its_file_is_published_and_nonsense_is_not(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    stated = answering(tmp_path, [BY_DOMAIN])
    with published(stated) as ports:
        until_given(ports, BY_DOMAIN)
        stated.certificates[0].write_bytes(RENEWED.certificate_pem)
        until_given(ports, RENEWED)
        stated.certificates[0].write_text("nothing")
        until = time.monotonic() + 10
        while "stays as it was" not in caplog.text and time.monotonic() < until:
            time.sleep(0.02)
        assert "published-0.pem is no certificate in PEM" in caplog.text
        until_given(ports, RENEWED)


def test_what_is_published_is_what_our_keys_are_now(tmp_path: Path) -> None:
    now = datetime.now(UTC)
    with open_house(tmp_path) as house:
        kept = []
        for issued in (BY_DOMAIN, RENEWED):
            key = direct_keys.seal_key(
                house.archive.blobs.keys,
                plan=PLAN,
                owner=DOMAIN,
                key=issued.key,
                certificates=[issued.certificate],
                now=now,
            )
            house.database.write(lambda tx, one=key: direct_keys.put(tx, one))
            kept.append(key)

        def use(key: direct_keys.DirectKey, since: datetime) -> None:
            house.database.write(
                lambda tx: direct_keys.use_from(
                    tx, plan=PLAN, owner=DOMAIN, fingerprint=key.fingerprint, since=since
                )
            )

        assert asyncio.run(own_certificates(house)) == ()
        use(kept[0], now - timedelta(days=1))
        assert asyncio.run(own_certificates(house)) == (BY_DOMAIN.certificate,)
        use(kept[1], now + timedelta(days=1))
        both = {BY_DOMAIN.certificate, RENEWED.certificate}
        assert set(asyncio.run(own_certificates(house))) == both
        use(kept[1], now)
        assert asyncio.run(own_certificates(house)) == (RENEWED.certificate,)


# ---- settings --------------------------------------------------------------------------------


def test_nothing_listens_by_itself(tmp_path: Path) -> None:
    with published(publish_settings(tmp_path, [BY_DOMAIN], domains=(DOMAIN,))) as ports:
        assert ports == {}


@pytest.mark.parametrize(
    "stated",
    [
        {"dns": "127.0.0.1:0"},
        {"dns": "127.0.0.1:0", "name_servers": (f"ns.{DOMAIN}",)},
        {"dns": "127.0.0.1:0", "name_servers": ("ns.test",), "ldap_server": f"{DOMAIN}:389"},
        {"dns": "somewhere:53", "name_servers": ("ns.test",)},
        {"ldap": "127.0.0.1"},
        {"ldap_server": "x..test:389"},
        {"ldap_server": "x.test"},
        {"name_servers": ("a b",)},
        {"domains": ()},
        {"ttl_seconds": 1},
    ],
)
def test_settings_that_cannot_be_meant_are_refused(
    tmp_path: Path, stated: dict[str, object]
) -> None:
    with pytest.raises(ValidationError):
        publish_settings(tmp_path, [BY_DOMAIN], **{"domains": (DOMAIN,), **stated})


def test_a_file_that_is_no_certificate_of_ours_is_named(tmp_path: Path) -> None:
    other = publish_settings(tmp_path, [BY_DOMAIN], domains=("other.test",))
    with pytest.raises(InvalidSettings, match=r"published-0.pem: a certificate is bound to none"):
        own_listings(other)
    (tmp_path / "empty.pem").write_text("nothing")
    for name, said in (("empty.pem", "is no certificate"), ("missing.pem", "cannot be read")):
        stated = Publish(domains=(DOMAIN,), certificates=(tmp_path / name,))
        with pytest.raises(InvalidSettings, match=f"{name} {said}"):
            own_listings(stated)
