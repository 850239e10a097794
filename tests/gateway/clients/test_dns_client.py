"""DNS as strangers answer it: certificates of both kinds, UDP then TCP, and what goes wrong."""

import itertools
import socket
import socketserver
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import dns.flags
import dns.message
import dns.name
import dns.rcode
import dns.rdata
import dns.rdataclass
import dns.rdatatype
import dns.rrset
import pytest

from direct.discovery import MOST_CERTIFICATES, Service
from gateway.clients.dns_client import DnsClient, LookupFailed

Answer = Callable[[dns.message.Message, bool], bytes | None]
"""What is said to a question, over TCP or not; None says nothing."""


@contextmanager
def scripted(answer: Answer, seconds: float = 5.0) -> Iterator[DnsClient]:
    """A client of a name server that answers as it is told."""

    class Datagram(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            data, ours = self.request
            said = answer(dns.message.from_wire(data), False)
            if said is not None:
                ours.sendto(said, self.client_address)

    class Stream(socketserver.StreamRequestHandler):
        def handle(self) -> None:
            length = int.from_bytes(self.rfile.read(2))
            said = answer(dns.message.from_wire(self.rfile.read(length)), True)
            if said is not None:
                self.wfile.write(len(said).to_bytes(2) + said)

    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Stream) as tcp:
        address = tcp.server_address
        with socketserver.ThreadingUDPServer(address, Datagram) as udp:  # type: ignore[arg-type]
            threads = [threading.Thread(target=one.serve_forever) for one in (tcp, udp)]
            for thread in threads:
                thread.start()
            try:
                yield DnsClient((f"127.0.0.1:{address[1]}",), seconds)
            finally:
                for one in (tcp, udp):
                    one.shutdown()
                for thread in threads:
                    thread.join()


def answered(question: dns.message.Message, *rrsets: dns.rrset.RRset, rcode: int = 0) -> bytes:
    response = dns.message.make_response(question)
    response.answer += rrsets
    response.set_rcode(dns.rcode.Rcode(rcode))
    return response.to_wire(max_size=65535)


def records(name: dns.name.Name, kind: str, *texts: str, ttl: int = 300) -> dns.rrset.RRset:
    return dns.rrset.from_text_list(name, ttl, "IN", kind, list(texts))


def cert(name: dns.name.Name, *contents: tuple[int, bytes], ttl: int = 300) -> dns.rrset.RRset:
    """CERT records, each its type and what it holds."""
    found = dns.rrset.RRset(name, dns.rdataclass.IN, dns.rdatatype.CERT)
    for kind, content in contents:
        wire = kind.to_bytes(2) + bytes(3) + content
        rdata = dns.rdata.from_wire(dns.rdataclass.IN, dns.rdatatype.CERT, wire, 0, len(wire))
        found.add(rdata, ttl)
    return found


def name_of(question: dns.message.Message) -> dns.name.Name:
    return question.question[0].name


def test_certificates_and_pointers_are_told_apart_and_other_kinds_left() -> None:
    url = b"http://certs.test/a.cer"
    kinds = (1, b"certificate"), (4, url), (3, b"pgp"), (253, b"uri"), (4, "ä".encode())
    with scripted(lambda q, _: answered(q, cert(name_of(q), *kinds, ttl=77))) as client:
        found = client.certificates("dr.a.d.test")
    assert (found.certificates, found.links) == ((b"certificate",), (url.decode(),))
    assert found.ttl_seconds == 77


def test_what_is_truncated_is_asked_again_over_tcp() -> None:
    asked: list[bool] = []

    def answer(question: dns.message.Message, tcp: bool) -> bytes:
        asked.append(tcp)
        if tcp:
            return answered(question, cert(name_of(question), (1, b"x" * 2000)))
        response = dns.message.make_response(question)
        response.flags |= dns.flags.TC
        return response.to_wire()

    with scripted(answer) as client:
        assert client.certificates("d.test").certificates == (b"x" * 2000,)
    assert asked == [False, True]


def test_a_local_part_is_no_text_of_a_zone_file() -> None:
    heard: list[tuple[bytes, ...]] = []

    def answer(question: dns.message.Message, _tcp: bool) -> bytes:
        heard.append(name_of(question).labels)
        return answered(question)

    with scripted(answer) as client:
        assert client.certificates('a\\046b;"$.c.d.test').certificates == ()
    assert heard == [(b'a\\046b;"$', b"c", b"d", b"test", b"")]


def test_services_are_read() -> None:
    texts = "0 100 389 one.test.", "1 0 10389 two.test.", "0 0 0 ."
    with scripted(lambda q, _: answered(q, records(name_of(q), "SRV", *texts))) as client:
        found = client.services("_ldap._tcp.d.test")
    assert set(found.services[:3]) == {
        Service("one.test", 389, 0, 100), Service("two.test", 10389, 1, 0), Service(".", 0),
    }  # fmt: skip
    assert found.ttl_seconds == 300


@pytest.mark.parametrize(
    ("records_", "expected"),
    [
        (("20 second.test.", "10 first.test."), ("first.test", "second.test")),
        (("0 .",), ()),
        ((), ("d.test",)),
    ],
    ids=["in order", "null MX", "none"],
)
def test_mail_goes_to_the_most_preferred_to_nobody_or_to_the_domain_itself(
    records_: tuple[str, ...], expected: tuple[str, ...]
) -> None:
    def answer(question: dns.message.Message, _tcp: bool) -> bytes:
        rrsets = [records(name_of(question), "MX", *records_)] if records_ else []
        return answered(question, *rrsets)

    with scripted(answer) as client:
        assert client.mail_servers("d.test") == expected


def test_where_mail_goes_is_not_guessed_when_dns_fails() -> None:
    with (
        scripted(lambda q, _: answered(q, rcode=dns.rcode.SERVFAIL)) as client,
        pytest.raises(LookupFailed),
    ):
        client.mail_servers("d.test")


def test_a_host_is_at_its_addresses() -> None:
    texts = {"A": ["10.0.0.1", "8.8.8.8"], "AAAA": ["fe80::1"]}

    def answer(question: dns.message.Message, _tcp: bool) -> bytes:
        kind = dns.rdatatype.to_text(question.question[0].rdtype)
        return answered(question, records(name_of(question), kind, *texts[kind]))

    with scripted(answer) as client:
        found = {str(one) for one in client.addresses("ldap.test")}
    assert found == {"10.0.0.1", "8.8.8.8", "fe80::1"}


@pytest.mark.parametrize("rcode", [dns.rcode.NXDOMAIN, dns.rcode.NOERROR])
def test_that_there_is_nothing_holds_as_long_as_the_zone_says(rcode: int) -> None:
    def answer(question: dns.message.Message, _tcp: bool) -> bytes:
        response = dns.message.make_response(question)
        response.set_rcode(dns.rcode.Rcode(rcode))
        soa = records(dns.name.from_text("test"), "SOA", "ns. host. 1 2 3 4 120", ttl=900)
        response.authority.append(soa)
        return response.to_wire()

    with scripted(answer) as client:
        found = client.certificates("d.test")
    assert (found.certificates, found.links, found.ttl_seconds) == ((), (), 120)


def test_an_alias_is_followed_and_the_shortest_ttl_counts() -> None:
    def answer(question: dns.message.Message, _tcp: bool) -> bytes:
        other = dns.name.from_text("hosted.hisp.test")
        alias = records(name_of(question), "CNAME", "hosted.hisp.test.", ttl=90)
        return answered(question, alias, cert(other, (1, b"x"), ttl=600))

    with scripted(answer) as client:
        found = client.certificates("d.test")
    assert (found.certificates, found.ttl_seconds) == ((b"x",), 90)


# ---- dangers ---------------------------------------------------------------------------------


def test_an_alias_without_end_ends() -> None:
    def loop(question: dns.message.Message, _tcp: bool) -> bytes:
        other = dns.name.from_text("b.test")
        there = records(name_of(question), "CNAME", "b.test.")
        return answered(question, there, records(other, "CNAME", name_of(question).to_text()))

    def long(question: dns.message.Message, _tcp: bool) -> bytes:
        names = [name_of(question), *(dns.name.from_text(f"n{n}.test") for n in range(100))]
        pairs = itertools.pairwise(names)
        return answered(question, *(records(a, "CNAME", b.to_text()) for a, b in pairs))

    for answer in (loop, long):
        with scripted(answer, seconds=1.0) as client, pytest.raises(LookupFailed):
            client.certificates("d.test")


def test_a_giant_answer_is_cut_to_what_is_looked_at() -> None:
    many = [(1, b"%d" % number + b"x" * 30) for number in range(1000)]
    links = [(4, b"http://x.test/%d" % number) for number in range(100)]
    with scripted(lambda q, tcp: answered(q, cert(name_of(q), *many, *links)) if tcp else
                  truncated(q)) as client:  # fmt: skip
        found = client.certificates("d.test")
    assert len(found.certificates) == MOST_CERTIFICATES + 1
    with scripted(lambda q, _: answered(q, cert(name_of(q), (4, b"http://" + b"x" * 400), (
        4, b"http://a.test/")))) as client:  # fmt: skip
        assert client.certificates("d.test").links


def truncated(question: dns.message.Message) -> bytes:
    response = dns.message.make_response(question)
    response.flags |= dns.flags.TC
    return response.to_wire()


def test_malformed_records_are_no_answer() -> None:
    def answer(question: dns.message.Message, _tcp: bool) -> bytes:
        whole = answered(question, cert(name_of(question), (1, b"x" * 20)))
        at = whole.index(b"x" * 20) - 7
        return whole[:at] + (2).to_bytes(2) + whole[at + 2 : at + 4]  # a CERT of two octets

    with scripted(answer, seconds=1.0) as client, pytest.raises(LookupFailed) as failed:
        client.certificates("d.test")
    assert "d.test" not in str(failed.value)


def test_an_answer_to_another_question_is_none() -> None:
    def answer(question: dns.message.Message, _tcp: bool) -> bytes:
        other = dns.message.make_query("other.test", "CERT", id=question.id)
        return answered(other, cert(name_of(other), (1, b"x")))

    with scripted(answer, seconds=1.0) as client, pytest.raises(LookupFailed):
        client.certificates("d.test")


@pytest.mark.parametrize("rcode", [dns.rcode.SERVFAIL, dns.rcode.REFUSED])
def test_a_server_that_refuses_is_not_one_that_knows_of_nothing(rcode: int) -> None:
    with scripted(lambda q, _: answered(q, rcode=rcode), seconds=1.0) as client:
        with pytest.raises(LookupFailed, match=r"gives no answer|takes too long"):
            client.certificates("d.test")


def test_a_silent_server_is_left() -> None:
    with scripted(lambda _q, _tcp: None, seconds=0.3) as client:
        with pytest.raises(LookupFailed, match="takes too long"):
            client.services("_ldap._tcp.d.test")


def test_a_server_that_drips_over_tcp_is_left() -> None:
    stop = threading.Event()

    def drip(question: dns.message.Message, tcp: bool) -> bytes | None:
        if not tcp:
            return truncated(question)
        stop.wait(10)
        return None

    with scripted(drip, seconds=0.5) as client:
        with pytest.raises(LookupFailed, match="takes too long"):
            client.certificates("d.test")
        stop.set()


@pytest.mark.parametrize("name", ["a..test", "x" * 64 + ".test", ".".join(["x" * 60] * 5), "ä.t"])
def test_what_cannot_be_a_name_is_not_asked(name: str) -> None:
    with scripted(lambda _q, _tcp: None, seconds=5) as client:
        with pytest.raises(LookupFailed, match="cannot be asked"):
            client.certificates(name)


def test_a_port_where_nobody_is_fails() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
        with pytest.raises(LookupFailed):
            DnsClient((f"127.0.0.1:{port}",), 0.3).certificates("d.test")
