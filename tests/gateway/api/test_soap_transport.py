"""Who gets a connection, and in which dress a request may come (DECISIONS 7, 23)."""

import gc
import http.client
import socket
import ssl
import warnings
from collections.abc import Iterator

import pytest

from gateway.api.listener import Listener, PeerCertificateProtocol, running
from ihe.mtom_writing import MultipartWriter, Part
from ihe.soap import ITI_55_REQUEST
from tests.gateway.api.soap_place import Place, a_place, nothing_but_a_count
from tests.gateway.asking import answer_to, ask, discovery
from tests.gateway.house import client_context, contents, records

MATCHED = "{urn:hl7-org:v3}PRPA_IN201306UV02"


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    with a_place(tmp_path_factory.mktemp("house")) as place:
        yield place


# ---- who gets a connection -------------------------------------------------------------------


@pytest.mark.parametrize(
    ("by", "issuer"), [(None, "Test network"), ("Northfield Health", "Another network")]
)
def test_without_a_certificate_of_the_network_the_handshake_fails(
    place: Place, by: str | None, issuer: str
) -> None:
    before = contents(place.house)
    # TLS 1.3 refuses a client after its own side has ended: then the connection is just cut.
    with pytest.raises((ssl.SSLError, ConnectionError, http.client.RemoteDisconnected)):
        place.door.post("/ihe/xcpd", b"", by=by, issuer=issuer)
    assert contents(place.house) == before


def test_old_tls_is_not_spoken(place: Place) -> None:
    context = client_context("Northfield Health")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # that is what this test is about
        context.minimum_version = ssl.TLSVersion.TLSv1
        context.maximum_version = ssl.TLSVersion.TLSv1_1
    address = (place.door.host, place.door.port)
    with (
        socket.create_connection(address, timeout=10) as plain,
        pytest.raises((ssl.SSLError, ConnectionError)),
    ):
        context.wrap_socket(plain, server_hostname="localhost")


def test_plain_http_is_not_spoken(place: Place) -> None:
    connection = http.client.HTTPConnection(place.door.host, place.door.port, timeout=10)
    with pytest.raises((ConnectionError, http.client.HTTPException)):
        connection.request("POST", "/ihe/xcpd", b"<a/>")
        connection.getresponse()
    connection.close()


# uvicorn forgets to close the socket that it could not bind.
@pytest.mark.filterwarnings("ignore::ResourceWarning")
async def test_an_address_that_is_taken_is_an_error_not_an_exit(place: Place) -> None:
    taken = Listener(None, f"{place.door.host}:{place.door.port}")
    with pytest.raises(OSError, match="cannot be listened on"):
        async with running([Listener(None, "127.0.0.1:0"), taken]):
            pass
    gc.collect()


# ---- in which dress --------------------------------------------------------------------------


@pytest.mark.parametrize(
    "content_type",
    [
        "application/soap+xml; charset=UTF-8",
        f'application/soap+xml;charset=utf-8;action="{ITI_55_REQUEST.action}"',
        "text/xml; charset=utf-8",
        "Application/XML",
    ],
)
def test_a_plain_envelope_is_taken_under_any_name_of_xml(place: Place, content_type: str) -> None:
    sealed = ask(discovery(), ITI_55_REQUEST)
    reply = place.door.post("/ihe/xcpd", sealed.envelope, content_type=content_type)
    assert reply.status == 200
    assert reply.content_type == "application/soap+xml; charset=UTF-8"
    assert answer_to(sealed, reply.body).tag == MATCHED


@pytest.mark.parametrize("attachments", [0, 2])
def test_a_request_may_come_as_mtom(place: Place, attachments: int) -> None:
    sealed = ask(discovery(), ITI_55_REQUEST)
    writer = MultipartWriter(sealed.envelope, boundary="b-1", action=ITI_55_REQUEST.action)
    parts = [Part(f"{number}@test", "text/plain", [b"x" * 1000]) for number in range(attachments)]
    body = b"".join(writer.chunks(parts))
    reply = place.door.post("/ihe/xcpd", body, content_type=writer.content_type)
    assert reply.status == 200
    assert answer_to(sealed, reply.body).tag == MATCHED


def test_a_request_may_come_in_chunks(place: Place) -> None:
    sealed = ask(discovery(), ITI_55_REQUEST)
    size = 1000
    chunks = [sealed.envelope[at : at + size] for at in range(0, len(sealed.envelope), size)]
    body = b"".join(b"%x\r\n%s\r\n" % (len(chunk), chunk) for chunk in chunks) + b"0\r\n\r\n"
    with place.door.connected() as connection:
        head = (
            "POST /ihe/xcpd HTTP/1.1\r\nHost: localhost\r\nContent-Type: text/xml\r\n"
            "Transfer-Encoding: chunked\r\nConnection: close\r\n\r\n"
        )
        connection.sendall(head.encode() + body)
        answer = b"".join(iter(lambda: connection.recv(65536), b""))
    assert answer.startswith(b"HTTP/1.1 200 ")


ENDLESS = {
    "a header": (b"POST /ihe/xcpd HTTP/1.1\r\nHost: x\r\nX: ", b"a" * 100_000),
    "headers": (b"POST /ihe/xcpd HTTP/1.1\r\nHost: x\r\n", b"X: a\r\n" * 10_000),
    "a path": (b"GET /", b"a" * 100_000),
    "trailers": (
        b"POST /ihe/xcpd HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n",
        b"X: a\r\n" * 10_000,
    ),
    "an extension of a chunk": (
        b"POST /ihe/xcpd HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n1;x=",
        b"a" * 100_000,
    ),
}


@pytest.mark.parametrize("what", ENDLESS)
def test_what_has_no_end_and_is_no_body_ends_the_connection(place: Place, what: str) -> None:
    head, more = ENDLESS[what]
    with place.door.connected() as secure:
        secure.sendall(head)
        with pytest.raises(OSError):
            for _ in range(300):
                secure.sendall(more)


_REFUSED = b"POST /nowhere HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\n"


@pytest.mark.parametrize("rest", [b"1", b"123456789"])
def test_whoever_was_answered_and_then_says_no_more_does_not_keep_the_connection(
    place: Place, monkeypatch: pytest.MonkeyPatch, rest: bytes
) -> None:
    monkeypatch.setattr(PeerCertificateProtocol, "head_seconds", 0.2)
    with place.door.connected() as secure:
        secure.sendall(_REFUSED)
        assert secure.recv(12) == b"HTTP/1.1 404"
        secure.sendall(rest)
        while secure.recv(65536):
            pass


@pytest.mark.parametrize("begun", [b"", b"POST /ihe/xcpd HTTP/1.1\r\nHost: x\r\n"])
def test_whoever_says_nothing_whole_does_not_keep_the_connection(
    place: Place, monkeypatch: pytest.MonkeyPatch, begun: bytes
) -> None:
    monkeypatch.setattr(PeerCertificateProtocol, "head_seconds", 0.2)
    with place.door.connected() as secure:
        secure.sendall(begun)
        assert secure.recv(1) == b""
    with place.door.connected() as secure:  # also after a whole request
        secure.sendall(b"GET /ihe/xcpd?wsdl HTTP/1.1\r\nHost: x\r\n\r\n")
        assert secure.recv(15) == b"HTTP/1.1 200 OK"
        secure.sendall(begun)
        while secure.recv(65536):
            pass


def test_a_head_may_be_as_long_as_others_let_it_be(place: Place) -> None:
    long = {"X-Long": "a" * 60_000}
    assert place.door.request("GET", "/ihe/xcpd?wsdl", headers=long).status == 200


def test_one_connection_carries_many_requests(place: Place) -> None:
    known = len(records(place.house))
    with place.door.connected() as connection:
        for _ in range(3):
            sealed = ask(discovery(), ITI_55_REQUEST)
            head = (
                "POST /ihe/xcpd HTTP/1.1\r\nHost: localhost\r\nContent-Type: text/xml\r\n"
                f"Content-Length: {len(sealed.envelope)}\r\n\r\n"
            )
            connection.sendall(head.encode() + sealed.envelope)
            answer = http.client.HTTPResponse(connection)
            answer.begin()
            assert answer_to(sealed, answer.read()).tag == MATCHED
    assert len(records(place.house)) == known + 3


def test_what_a_header_says_of_the_senders_address_is_not_believed(place: Place) -> None:
    sealed = ask(discovery(), ITI_55_REQUEST)
    headers = {"Content-Type": "text/xml", "X-Forwarded-For": "192.0.2.1"}
    assert place.door.request("POST", "/ihe/xcpd", sealed.envelope, headers).status == 200
    peer = next(one.peer for one in records(place.house) if one.message_id == sealed.message_id)
    assert peer == "CN=Northfield Health,O=Gateway demo at 127.0.0.1"


def test_a_connection_that_ends_inside_the_message_is_counted(place: Place) -> None:
    reason = "the connection ended before the message"
    with nothing_but_a_count(place, reason):
        with place.door.connected() as connection:
            head = "POST /ihe/xcpd HTTP/1.1\r\nHost: a\r\nContent-Type: text/xml\r\n"
            connection.sendall(head.encode() + b"Content-Length: 5000\r\n\r\n<half")
        place.settled(reason)


# ---- WSDL ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("door", "operation"),
    [("xcpd", b"PRPA_IN201305UV02"), ("xca", b"CrossGatewayRetrieve")],
)
def test_each_door_serves_its_wsdl_with_its_own_address(
    place: Place, door: str, operation: bytes
) -> None:
    before = contents(place.house)
    reply = place.door.request("GET", f"/ihe/{door}?wsdl")
    assert (reply.status, reply.content_type) == (200, "text/xml; charset=utf-8")
    assert reply.envelope.tag == "{http://schemas.xmlsoap.org/wsdl/}definitions"
    assert operation in reply.body
    assert f"https://{place.door.host}:{place.door.port}/ihe/{door}".encode() in reply.body
    assert contents(place.house) == before


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/"),
        ("GET", "/docs"),
        ("GET", "/openapi.json"),
        ("POST", "/ihe/other"),
        ("GET", "/ihe/other"),
        ("DELETE", "/ihe/xca"),
        ("GET", "/api/v1/members"),
    ],
)
def test_nothing_else_answers_there(place: Place, method: str, path: str) -> None:
    before = contents(place.house)
    reply = place.door.request(method, path)
    assert reply.status in (404, 405, 422)
    assert contents(place.house) == before
