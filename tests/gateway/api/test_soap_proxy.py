"""A proxy that ends the partners' TLS: its header is believed, and nobody else's."""

import base64
import http.client
import socket
import ssl
import stat
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

from gateway.api.partner_means import TrustedProxy
from gateway.api.proxy import client_certificate
from gateway.app.listening import listeners
from gateway.settings import InvalidSettings, Listen, Proxy
from ihe.errors import SecurityRefused
from ihe.soap import ITI_55_REQUEST
from tests.gateway.asking import answer_to, ask, discovery
from tests.gateway.house import (
    SOAP,
    Door,
    a_rule,
    certificate_of,
    client_context,
    key_files,
    open_house,
    records,
    refusals,
    serving,
)

NORTHFIELD = certificate_of("Northfield Health")


def rfc_9440(name: str = "Northfield Health") -> str:
    der = ssl.PEM_cert_to_DER_cert(certificate_of(name).certificate_pem)
    return f":{base64.b64encode(der).decode()}:"


def nginx(name: str = "Northfield Health") -> str:
    return quote(certificate_of(name).certificate_pem, safe="")


def envoy(name: str = "Northfield Health") -> str:
    return f'By=spiffe://x;Hash=ab12;Cert="{nginx(name)}";Subject="CN=a,O=b";URI='


Headers = list[tuple[str, str]]


def post(connection: http.client.HTTPConnection, headers: Headers) -> int:
    sealed = ask(discovery(), ITI_55_REQUEST)
    with closing(connection):
        connection.putrequest("POST", "/ihe/xcpd")
        for key, value in (("Content-Type", SOAP), *headers):
            connection.putheader(key, value)
        connection.putheader("Content-Length", str(len(sealed.envelope)))
        connection.endheaders(sealed.envelope)
        answer = connection.getresponse()
        content = answer.read()
    if answer.status == 200:
        answer_to(sealed, content)
    return answer.status


class _ToFile(http.client.HTTPConnection):
    def __init__(self, path: str) -> None:
        super().__init__("localhost", timeout=30)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(30)
        self.sock.connect(self._path)


def plainly(door: Door) -> http.client.HTTPConnection:
    return http.client.HTTPConnection(door.host, door.port, timeout=30)


def by_tls(door: Door, name: str) -> http.client.HTTPConnection:
    context = client_context(name)
    return http.client.HTTPSConnection(door.host, door.port, timeout=30, context=context)


# ---- over plain HTTP -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("header", "value"),
    [("client-cert", rfc_9440), ("x-forwarded-client-cert", envoy), ("ssl-client-cert", nginx)],
)
def test_a_proxy_on_loopback_passes_on_whom_it_has_verified(
    tmp_path: Path, header: Any, value: Callable[[], str]
) -> None:
    proxy = Proxy(header=header)
    with open_house(tmp_path, rules=[a_rule()], proxy=proxy) as house, serving(house) as door:
        assert post(plainly(door), [(header.title(), value())]) == 200
        assert records(house)[-1].peer == "CN=Northfield Health,O=Gateway demo at 127.0.0.1"
        for headers in (
            [],
            [(header, value()), (header, value())],
            [(header, value()[:-40])],
            [("client-cert" if header != "client-cert" else "ssl-client-cert", value())],
        ):
            assert post(plainly(door), headers) == 400
        assert post(plainly(door), [(header, value("Stranger"))]) == 400  # type: ignore[call-arg]


def test_who_is_no_proxy_is_not_believed_and_nobody_without_one_is(tmp_path: Path) -> None:
    proxy = Proxy(addresses=("127.0.0.2",))
    with open_house(tmp_path, rules=[a_rule()], proxy=proxy) as house, serving(house) as door:
        assert post(plainly(door), [("Client-Cert", rfc_9440())]) == 400
        assert post(plainly(door), []) == 400
        assert {reason for _, _, reason in refusals(house)} == {
            "a client certificate in a header, and not from our proxy",
            "no client certificate was shown",
        }


def test_a_proxy_may_come_over_a_socket_file(tmp_path: Path) -> None:
    file = tmp_path / "p.sock"
    stale = socket.socket(socket.AF_UNIX)
    stale.bind(str(file))
    stale.close()
    listen = Listen(partners=f"unix:{file}", plans="127.0.0.1:0", operations="127.0.0.1:0")
    changes = {"proxy": Proxy(), "listen": listen}
    with open_house(tmp_path / "h", rules=[a_rule()], **changes) as house, serving(house) as door:
        assert door.host == f"unix:{file}"
        assert stat.S_IMODE(file.stat().st_mode) == 0o660
        assert post(_ToFile(str(file)), [("Client-Cert", rfc_9440())]) == 200
        assert records(house)[-1].peer == "CN=Northfield Health,O=Gateway demo at a socket file"
        assert post(_ToFile(str(file)), []) == 400


def test_a_trailer_is_no_header(tmp_path: Path) -> None:
    """A proxy replaces the header; what a client sends after the body it may pass on as it is."""
    with open_house(tmp_path, rules=[a_rule()], proxy=Proxy()) as house, serving(house) as door:
        envelope = ask(discovery(), ITI_55_REQUEST).envelope
        connection = plainly(door)
        with closing(connection):
            connection.putrequest("POST", "/ihe/xcpd")
            connection.putheader("Content-Type", SOAP)
            connection.putheader("Transfer-Encoding", "chunked")
            trailer = b"Client-Cert: %b\r\n" % rfc_9440().encode()
            body = b"%x\r\n%b\r\n0\r\n%b\r\n" % (len(envelope), envelope, trailer)
            connection.endheaders(body)
            assert connection.getresponse().status == 400
        assert {reason for _, _, reason in refusals(house)} == {
            "the proxy passed on no client certificate, or several"
        }


# ---- over TLS --------------------------------------------------------------------------------


def test_a_proxy_that_shows_its_pinned_certificate_is_believed_and_no_other(
    tmp_path: Path,
) -> None:
    certificate, _ = key_files("Our proxy", "Elsewhere")
    proxy = Proxy(certificates=(certificate,))
    theirs = [("Client-Cert", rfc_9440())]
    with open_house(tmp_path, rules=[a_rule()], proxy=proxy) as house, serving(house) as door:
        context = client_context("Our proxy", "Elsewhere")
        ours = http.client.HTTPSConnection(door.host, door.port, timeout=30, context=context)
        assert post(ours, theirs) == 200
        assert post(by_tls(door, "Northfield Health"), []) == 200
        for name, headers in (("Northfield Health", theirs), ("Stranger", theirs)):
            assert post(by_tls(door, name), headers) == 400
        assert {reason for _, _, reason in refusals(house)} == {
            "a client certificate in a header, and not from our proxy"
        }
        with pytest.raises(OSError):  # plain HTTP at a door of TLS
            post(plainly(door), theirs)


def test_without_a_proxy_a_header_is_refused(tmp_path: Path) -> None:
    with open_house(tmp_path, rules=[a_rule()]) as house, serving(house) as door:
        for header, value in (
            ("Client-Cert", rfc_9440()),
            ("X-Forwarded-Client-Cert", envoy()),
            ("ssl-client-cert", nginx()),
        ):
            assert post(by_tls(door, "Northfield Health"), [(header, value)]) == 400


# ---- settings --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("address", "proxy", "why"),
    [
        ("0.0.0.0:8443", Proxy(), "must say which the proxy shows"),
        ("unix:/tmp/x", None, "for a .proxy. alone"),
    ],
)
def test_an_address_that_anybody_reaches_needs_tls(
    tmp_path: Path, address: str, proxy: Proxy | None, why: str
) -> None:
    listen = Listen(partners=address, plans="127.0.0.1:0", operations="127.0.0.1:0")
    with open_house(tmp_path, furnished=False, proxy=proxy, listen=listen) as house:
        with pytest.raises(InvalidSettings, match=why):
            listeners(house)


def test_plain_http_is_for_loopback_alone() -> None:
    with pytest.raises(ValueError, match="pin its certificate"):
        Proxy(addresses=("10.0.0.1",))


# ---- the header ------------------------------------------------------------------------------


def read(header: str, value: str) -> bytes | None:
    scope = {
        "scheme": "http",
        "client": ("127.0.0.1", 1),
        "headers": [(header.encode(), value.encode())],
    }
    return client_certificate(scope, TrustedProxy(header, addresses=frozenset({"127.0.0.1"})))


DER = ssl.PEM_cert_to_DER_cert(NORTHFIELD.certificate_pem)
OTHER = nginx("Somebody else")


@pytest.mark.parametrize(
    ("header", "value"),
    [
        ("client-cert", rfc_9440().strip(":")),
        ("client-cert", rfc_9440() + ";a=1"),
        ("client-cert", rfc_9440() + ", " + rfc_9440()),
        ("client-cert", "::"),
        ("client-cert", ":AAAA:"),
        ("ssl-client-cert", ""),
        ("ssl-client-cert", "(null)"),
        ("x-forwarded-client-cert", f'Cert="{OTHER}",{envoy()}'),
        ("x-forwarded-client-cert", f"{envoy()},{envoy()}"),
        ("x-forwarded-client-cert", f'Cert="{OTHER}";{envoy()}'),
        ("x-forwarded-client-cert", "Hash=ab12"),
        ("x-forwarded-client-cert", f'Subject="a\\";Cert="{OTHER}"'),
        ("x-forwarded-client-cert", "garbage"),
    ],
)
def test_a_header_that_says_no_one_thing_is_refused(header: str, value: str) -> None:
    with pytest.raises(SecurityRefused):
        read(header, value)


def test_a_name_in_quotes_is_no_pair() -> None:
    value = f'Subject="CN=x;Cert=\\"{OTHER}\\"";Cert="{nginx()}"'
    assert read("x-forwarded-client-cert", value) == DER
