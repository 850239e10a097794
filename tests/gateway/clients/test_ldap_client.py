"""LDAP as strangers answer it: where we may go, what is found, and what goes wrong."""

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from ipaddress import IPv4Address, IPv6Address, ip_address

import pytest

from direct import ldap
from direct.directory import Directory
from direct.discovery import MOST_CERTIFICATES
from direct.ldap import Bind, Entry, Request, Search
from direct.ldap_filter import Equals
from direct.tlv import integer, tlv
from gateway.clients.dns_client import LookupFailed
from gateway.clients.ldap_client import LdapClient
from gateway.intakes.publish_ldap import answers
from gateway.settings_addresses import PrivateAddresses

Script = Callable[[socket.socket, int, Request], bool]
"""Answers one request on the connection; False hangs up."""
MAIL = "dr.a@d.test"
HOST = "ldap.test"


def entry(context: str, *certificates: bytes, name: str = "userCertificate;binary") -> Entry:
    return Entry(f"mail={MAIL},{context}", (("mail", (MAIL.encode(),)), (name, certificates)))


def directory(*entries: Entry, contexts: tuple[str, ...] = ("dc=d,dc=test",)) -> Script:
    """Answers as our own publisher does."""
    shown = Directory(contexts, entries)

    def answer(talk: socket.socket, number: int, request: Request) -> bool:
        said = answers(shown, number, request)
        if said is None:
            return False
        talk.sendall(b"".join(said))
        return True

    return answer


class Server:
    """A server on loopback; `heard` are the requests it has had."""

    def __init__(self, script: Script) -> None:
        self.heard: list[Request] = []
        self._script = script
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listening.getsockname()[1]
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._serve)
        self._thread.start()

    def _serve(self) -> None:
        while not self._closing.is_set():
            talk, _ = self._listening.accept()
            with talk, suppress(OSError):
                talk.settimeout(10)
                self._talk(talk)

    def _talk(self, talk: socket.socket) -> None:
        buffer = b""
        while True:
            length = ldap.message_length(buffer, most=10**6)
            if length is None or len(buffer) < length:
                chunk = talk.recv(65536)
                if not chunk:
                    return
                buffer += chunk
                continue
            number, request = ldap.read_request(buffer[:length])
            buffer = buffer[length:]
            self.heard.append(request)
            if not self._script(talk, number, request):
                return

    def close(self) -> None:
        self._closing.set()
        with socket.create_connection(("127.0.0.1", self.port)):
            pass
        self._thread.join()
        self._listening.close()


@contextmanager
def serving(script: Script) -> Iterator[Server]:
    server = Server(script)
    try:
        yield server
    finally:
        server.close()


def client(server: Server, **how: object) -> LdapClient:
    allowed = PrivateAddresses.of([f"127.0.0.1:{server.port}"])
    return LdapClient(lambda _: (ip_address("127.0.0.1"),), allowed, **how)  # type: ignore[arg-type]


def failure(script: Script, **how: object) -> str:
    with serving(script) as server, pytest.raises(LookupFailed) as failed:
        client(server, **how).certificates(HOST, server.port, MAIL)
    assert MAIL not in str(failed.value)
    return str(failed.value)


@pytest.mark.parametrize("name", ["userCertificate;binary", "userCertificate", "usercertificate"])
def test_certificates_are_found_under_either_name(name: str) -> None:
    shown = entry("dc=d,dc=test", b"one", b"two", name=name)
    with serving(directory(shown)) as server:
        found = client(server).certificates(HOST, server.port, MAIL)
    assert found.certificates == (b"one", b"two")


def test_it_binds_without_a_name_and_looks_where_the_server_has_entries() -> None:
    contexts = ("dc=d,dc=test", "dc=e,dc=test")
    shown = (entry(contexts[0]), entry(contexts[1], b"one"))
    with serving(directory(*shown, contexts=contexts)) as server:
        found = client(server).certificates(HOST, server.port, MAIL)
        heard = list(server.heard)
    assert found.certificates == (b"one",)
    assert heard[0] == Bind(3, "", b"")
    searched = [(one.base, one.filter) for one in heard[2:] if isinstance(one, Search)]
    assert searched == [(context, Equals("mail", MAIL.encode())) for context in contexts]


def test_a_server_that_does_not_say_where_is_searched_from_its_root() -> None:
    with serving(directory(entry("dc=d,dc=test", b"one"), contexts=())) as server:
        found = client(server).certificates(HOST, server.port, MAIL)
    assert found.certificates == (b"one",)


def test_nobody_with_that_attribute_is_no_failure() -> None:
    with serving(directory(entry("dc=d,dc=test", b"one"))) as server:
        found = client(server).certificates(HOST, server.port, "other@d.test")
    assert found.certificates == ()


def test_one_part_that_is_closed_does_not_hide_another() -> None:
    contexts = ("cn=closed", "dc=d,dc=test")
    open_part = directory(entry("dc=d,dc=test", b"one"), contexts=contexts)

    def script(talk: socket.socket, number: int, request: Request) -> bool:
        if isinstance(request, Search) and request.base == "cn=closed":
            talk.sendall(ldap.write_done(number, request, 50))
            return True
        return open_part(talk, number, request)

    with serving(script) as server:
        found = client(server).certificates(HOST, server.port, MAIL)
    assert found.certificates == (b"one",)


# ---- where we may go -------------------------------------------------------------------------


@pytest.mark.parametrize("address", [
    "127.0.0.1", "10.0.0.1", "169.254.169.254", "::1", "::ffff:127.0.0.1", "0.0.0.1", "fe80::1",
])  # fmt: skip
def test_a_private_address_is_not_gone_to(address: str) -> None:
    with serving(directory()) as server:
        asking = LdapClient(lambda _: (ip_address(address),))
        with pytest.raises(LookupFailed, match="not at a public address"):
            asking.certificates(HOST, server.port, MAIL)
        assert server.heard == []


def test_one_private_address_among_public_ones_is_enough_to_refuse() -> None:
    mixed: tuple[IPv4Address | IPv6Address, ...] = (
        ip_address("8.8.8.8"),
        ip_address("127.0.0.1"),
    )
    with pytest.raises(LookupFailed, match="not at a public address"):
        LdapClient(lambda _: mixed).certificates(HOST, 389, MAIL)


def test_a_private_address_is_allowed_with_its_port_alone() -> None:
    with serving(directory()) as server:
        other = PrivateAddresses.of([f"127.0.0.1:{server.port + 1}"])
        asking = LdapClient(lambda _: (ip_address("127.0.0.1"),), other)
        with pytest.raises(LookupFailed, match="not at a public address"):
            asking.certificates(HOST, server.port, MAIL)


def test_a_name_that_leads_nowhere_and_a_port_where_nobody_is() -> None:
    with pytest.raises(LookupFailed, match="leads nowhere"):
        LdapClient(lambda _: ()).certificates(HOST, 389, MAIL)
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    allowed = PrivateAddresses.of([f"127.0.0.1:{port}"])
    with pytest.raises(LookupFailed, match="cannot be reached"):
        LdapClient(lambda _: (ip_address("127.0.0.1"),), allowed).certificates(HOST, port, MAIL)


# ---- dangers ---------------------------------------------------------------------------------


def ending(code: int) -> Script:
    def script(talk: socket.socket, number: int, request: Request) -> bool:
        is_bind = isinstance(request, Bind)
        talk.sendall(ldap.write_done(number, request, ldap.SUCCESS if is_bind else code))
        return True

    return script


def test_a_referral_is_not_followed() -> None:
    with serving(directory(entry("dc=d,dc=test", b"elsewhere"))) as elsewhere:
        url = f"ldap://127.0.0.1:{elsewhere.port}/".encode()

        def script(talk: socket.socket, number: int, request: Request) -> bool:
            if isinstance(request, Bind):
                talk.sendall(ldap.write_done(number, request, ldap.SUCCESS))
                return True
            reference = tlv(0x30, integer(number) + tlv(0x73, tlv(0x04, url)))
            referred = integer(ldap.REFERRAL, 0x0A) + tlv(0x04, b"") * 2
            referred += tlv(0xA3, tlv(0x04, url))
            talk.sendall(reference + tlv(0x30, integer(number) + tlv(0x65, referred)))
            return True

        assert failure(script) == "refers us to others, whom we do not follow"
        assert elsewhere.heard == []


def test_a_server_that_wants_a_name_or_knows_no_search_is_left() -> None:
    def refusing(talk: socket.socket, number: int, request: Request) -> bool:
        talk.sendall(ldap.write_done(number, request, 48))
        return True

    assert failure(refusing) == "does not answer without a name"
    assert failure(ending(1)) == "ends the search with result 1"


def flooding(what: Callable[[int], bytes]) -> Script:
    """Answers the bind, and then says the same without end."""

    def script(talk: socket.socket, number: int, request: Request) -> bool:
        if isinstance(request, Bind):
            talk.sendall(ldap.write_done(number, request, ldap.SUCCESS))
            return True
        while True:
            talk.sendall(what(number))

    return script


def test_a_giant_answer_is_broken_off() -> None:
    large, small = entry("dc=d", b"x" * 60_000), entry("dc=d", b"x")
    for said in (
        lambda number: ldap.write_entry(number, large),
        lambda number: ldap.write_entry(number, small),
        lambda _: ldap.write_entry(77, small),  # to a question that nobody asked
    ):
        assert "than we take" in failure(flooding(said))


def test_a_message_that_says_it_is_giant_is_not_waited_for() -> None:
    assert "larger than we take" in failure(flooding(lambda _: b"\x30\x84\x7f\xff\xff\xff"))


def test_a_flood_of_certificates_is_cut_to_what_is_looked_at() -> None:
    many = entry("dc=d,dc=test", *(b"%d" % number for number in range(1000)))
    with serving(directory(many)) as server:
        found = client(server).certificates(HOST, server.port, MAIL)
    assert len(found.certificates) == MOST_CERTIFICATES + 1


@pytest.mark.parametrize("nonsense", [
    b"HTTP/1.1 400 Bad Request\r\n\r\n", b"\x15\x03\x01\x00\x02", b"\x30\x80\0\0",
    tlv(0x30, b"\x02"), tlv(0x30, integer(1) + tlv(0x65, b"")), tlv(0x30, integer(1)),
    tlv(0x30, integer(1) + tlv(0x64, b"\x04\x01")),
])  # fmt: skip
def test_what_is_no_ldap_is_left(nonsense: bytes) -> None:
    def script(talk: socket.socket, _number: int, _request: Request) -> bool:
        talk.sendall(nonsense)
        return True

    assert failure(script).startswith("answers in no way that can be read")


def test_a_silent_server_is_left() -> None:
    assert failure(lambda *_: True, seconds=0.3) == "takes too long"


def test_a_server_that_drips_is_left_too() -> None:
    def script(talk: socket.socket, number: int, request: Request) -> bool:
        pause = threading.Event()
        talk.sendall(b"\x30\x82\x10\x00")
        for _ in range(1000):
            pause.wait(0.05)
            talk.sendall(b"x")
        return True

    assert failure(script, seconds=0.5) == "takes too long"


def test_a_server_that_hangs_up_or_says_so_is_left() -> None:
    def notice(talk: socket.socket, _number: int, _request: Request) -> bool:
        content = integer(52, 0x0A) + tlv(0x04, b"") * 2
        talk.sendall(tlv(0x30, integer(0) + tlv(0x78, content)))
        return True

    assert failure(lambda *_: False).startswith("breaks off")
    assert failure(notice) == "breaks off"
