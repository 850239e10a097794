"""Fetching what a certificate names: public addresses alone, capped, each redirect looked at."""

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from ipaddress import ip_address

import pytest

from gateway.clients.fetch import Fetcher, FetchFailed, is_public, sent_on
from gateway.settings_addresses import PrivateAddresses
from tests.issuers import Answering, answering


@pytest.fixture
def served() -> Iterator[Answering]:
    with answering() as one:
        one.answer = lambda _path, _body: b"hello"
        yield one


def allowed(served: Answering, **how: object) -> Fetcher:
    return Fetcher(PrivateAddresses.of([served.address]), **how)  # type: ignore[arg-type]


def failure(fetcher: Fetcher, url: str) -> str:
    with pytest.raises(FetchFailed) as failed:
        fetcher.fetch(url)
    assert url not in str(failed.value)
    return str(failed.value)


def test_an_address_that_settings_allow_is_fetched(served: Answering) -> None:
    assert allowed(served).fetch(f"{served.base}/x") == b"hello"
    heard: list[bytes] = []
    served.answer = lambda _path, body: heard.append(body) or b"yes"  # type: ignore[func-returns-value]
    assert allowed(served).fetch(f"{served.base}/x", b"question", "application/x") == b"yes"
    assert heard == [b"question"]


def test_loopback_is_not_public_and_nothing_is_sent_there(served: Answering) -> None:
    port = served.address.rpartition(":")[2]
    for host in ("127.0.0.1", "localhost", "[::ffff:127.0.0.1]", "2130706433"):
        assert failure(Fetcher(), f"http://{host}:{port}/x") == "its address is not a public one"
    other_port = Fetcher(PrivateAddresses.of(["127.0.0.1:1"]))
    assert failure(other_port, f"{served.base}/x") == "its address is not a public one"
    assert served.asked == []


@pytest.mark.parametrize(
    ("address", "public"),
    [
        ("10.0.0.1", False), ("192.168.1.1", False), ("172.16.0.1", False), ("127.0.0.1", False),
        ("169.254.169.254", False), ("100.64.0.1", False), ("0.0.0.1", False),
        ("224.0.0.1", False), ("::1", False), ("fe80::1", False), ("fc00::1", False),
        ("::ffff:10.0.0.1", False), ("2002:0a00:0001::1", False), ("64:ff9b::a00:1", False),
        ("ff02::1", False), ("::", False), ("fec0::1", False), ("::127.0.0.1", False),
        ("64:ff9b:1::a00:1", False), ("::ffff:0:10.0.0.1", False), ("5f00::1", False),
        ("3fff::1", False), ("2001:0:a00:1::", False), ("2001:db8::1", False),
        ("8.8.8.8", True), ("2606:4700::1111", True), ("::ffff:8.8.8.8", True),
    ],
)  # fmt: skip
def test_which_addresses_are_public(address: str, public: bool) -> None:
    assert is_public(ip_address(address)) is public


@pytest.mark.parametrize(
    "url",
    ["ftp://a.example/", "file:///etc/passwd", "ldap://a.example/x", "http:///x", "http://u:p@h/",
     "http://h:x/", "http://[::1/", "gopher://h/", ""],
)  # fmt: skip
def test_other_addresses_are_not_fetched(url: str) -> None:
    with pytest.raises(FetchFailed):
        Fetcher().fetch(url)


def test_a_redirect_is_followed_a_few_times(served: Answering) -> None:
    def answer(path: str, _body: bytes) -> bytes | tuple[int, dict[str, str]]:
        number = int(path[1:])
        return b"there" if number == 3 else (302, {"Location": f"/{number + 1}"})

    served.answer = answer
    assert allowed(served).fetch(f"{served.base}/0") == b"there"
    served.answer = lambda _path, _body: (302, {"Location": "/0"})
    assert failure(allowed(served), f"{served.base}/0") == "it is sent on too often"


def test_a_redirect_to_where_we_may_not_go_is_not_followed(served: Answering) -> None:
    with answering() as inner:
        for target in (f"{inner.base}/secret", "file:///etc/passwd"):
            location = {"Location": target}
            served.answer = lambda _path, _body, location=location: (302, location)  # type: ignore[misc]
            failure(allowed(served), f"{served.base}/x")
        assert inner.asked == []


def test_nothing_that_is_asked_for_over_https_comes_by_a_redirect_without_it() -> None:
    asked = "https://anchors.example/bundle.p7b"
    for location in ("http://anchors.example/", "HTTP://x.example/", "ftp://x.example/"):
        with pytest.raises(FetchFailed, match="from https"):
            sent_on(asked, location)
    for location in ("/x", "//anchors.example/x", "https://anchors.example/x", "x"):
        assert sent_on(asked, location).startswith("https://anchors.example/")
    assert sent_on("http://ca.example/crl", "http://b.example/crl") == "http://b.example/crl"
    assert sent_on("http://ca.example/crl", "https://b.example/crl") == "https://b.example/crl"


def test_a_redirect_to_nowhere_and_other_answers_fail(served: Answering) -> None:
    served.answer = lambda _path, _body: (302, {})
    failure(allowed(served), f"{served.base}/x")
    served.answer = lambda _path, _body: 500
    assert failure(allowed(served), f"{served.base}/x") == "it answers HTTP 500"


@pytest.mark.parametrize("path", ["\x01", "x" * 70_000, "\ud800", "[", "%"])
def test_an_address_that_is_none_fails_as_any_other(served: Answering, path: str) -> None:
    with suppress(FetchFailed):  # what can be asked for may be answered
        allowed(served).fetch(f"{served.base}/{path}")


@pytest.mark.parametrize(
    "target", ["http://[bad/", "http://{}/\x01", "http://\u2100@{}/", "//[", ""]
)
def test_a_redirect_to_what_is_no_address_fails(served: Answering, target: str) -> None:
    location = {"Location": target.format(served.address).encode().decode("latin-1")}
    served.answer = lambda _path, _body: (302, location)
    failure(allowed(served), f"{served.base}/x")


def test_a_resolver_that_does_not_answer_is_left(monkeypatch: pytest.MonkeyPatch) -> None:
    answered = threading.Event()

    def unanswered(*_asked: object, **_how: object) -> list[object]:
        answered.wait(20)
        return []

    monkeypatch.setattr(socket, "getaddrinfo", unanswered)
    started = time.monotonic()
    try:
        assert failure(Fetcher(seconds=0.3), "http://name.example/x") == "it takes too long"
        assert time.monotonic() - started < 10
    finally:
        answered.set()


def test_more_than_we_take_is_broken_off(served: Answering) -> None:
    served.answer = lambda _path, _body: b"x" * 1001
    assert failure(allowed(served, most_bytes=1000), f"{served.base}/x") == (
        "it is larger than we take"
    )


def test_whoever_does_not_answer_in_time_is_left() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        address = f"127.0.0.1:{silent.getsockname()[1]}"
        fetcher = Fetcher(PrivateAddresses.of([address]), seconds=0.3)
        assert failure(fetcher, f"http://{address}/x") == "it takes too long"


def test_whoever_answers_a_byte_at_a_time_is_left_too() -> None:
    chunked = b"Transfer-Encoding: chunked\r\n\r\n1;x="
    for part in (b"X: ", chunked):
        with dripping(b"HTTP/1.1 200 OK\r\n" + part) as address:
            fetcher = Fetcher(PrivateAddresses.of([address]), seconds=0.4)
            started = time.monotonic()
            assert failure(fetcher, f"http://{address}/x") == "it takes too long"
            assert time.monotonic() - started < 2


@contextmanager
def dripping(part: bytes) -> Iterator[str]:
    """A host that says this much of an answer, and then a byte now and again."""

    def drip() -> None:
        with suppress(OSError):
            connection, _ = server.accept()
            with connection:
                connection.sendall(part)
                for _ in range(60):
                    time.sleep(0.05)
                    connection.sendall(b"0")

    with socket.create_server(("127.0.0.1", 0)) as server:
        thread = threading.Thread(target=drip)
        thread.start()
        yield f"127.0.0.1:{server.getsockname()[1]}"
        thread.join()


def test_a_name_that_leads_nowhere_fails() -> None:
    assert failure(Fetcher(), "http://no-such-host.invalid/x") == "its name cannot be resolved"


def test_nobody_listening_is_a_failed_connection(served: Answering) -> None:
    fetcher = Fetcher(PrivateAddresses.of(["127.0.0.1:1"]))
    assert failure(fetcher, "http://127.0.0.1:1/x").startswith("the connection failed")


def test_an_address_is_allowed_however_it_is_written(served: Answering) -> None:
    port = served.address.rpartition(":")[2]
    for spelling in (f"[::FFFF:127.0.0.1]:{port}", f"0:0:0:0:0:ffff:7f00:1:0{port}"):
        fetcher = Fetcher(PrivateAddresses.of([spelling]))
        assert fetcher.fetch(f"http://127.0.0.1:{port}/x") == b"hello"
        assert fetcher.fetch(f"http://[::ffff:127.0.0.1]:{port}/x") == b"hello"
