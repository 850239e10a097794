"""A relay between two gateways that keeps every byte: mutual TLS on both sides of it."""

import selectors
import socket
import ssl
import threading
from dataclasses import dataclass
from email.message import Message
from email.parser import BytesHeaderParser
from pathlib import Path
from types import TracebackType
from typing import Self
from urllib.parse import urlsplit

from tests.interop.certificates import Identity
from tests.interop.peer import Addresses

_CHUNK = 65536
_SECONDS = 60


@dataclass(frozen=True, slots=True)
class HttpMessage:
    """One HTTP message as it crossed the wire."""

    raw: bytes

    @property
    def start_line(self) -> str:
        return self.raw.split(b"\r\n", 1)[0].decode("ascii")

    @property
    def headers(self) -> Message:
        head = self.raw.split(b"\r\n\r\n", 1)[0]
        return BytesHeaderParser().parsebytes(head.split(b"\r\n", 1)[1] + b"\r\n\r\n")

    @property
    def body(self) -> bytes:
        """The payload, its transfer coding undone."""
        return self._read_body()[0]

    @property
    def is_whole(self) -> bool:
        """Whether nothing more will come."""
        return b"\r\n\r\n" in self.raw and self._read_body()[1]

    def _read_body(self) -> tuple[bytes, bool]:
        sent = self.raw.split(b"\r\n\r\n", 1)[1]
        if self.headers.get("Transfer-Encoding", "").lower() != "chunked":
            stated = self.headers.get("Content-Length")
            return sent, stated is not None and len(sent) >= int(stated)
        whole = bytearray()
        while b"\r\n" in sent:
            size, sent = sent.split(b"\r\n", 1)
            length = int(size.split(b";")[0], 16)
            whole += sent[:length]
            if length == 0:
                return bytes(whole), True
            sent = sent[length + 2 :]
        return bytes(whole), False


@dataclass(frozen=True, slots=True)
class WireExchange:
    """A request and its answer."""

    request: HttpMessage
    response: HttpMessage


class Relay:
    """Listens in front of `target`, one host, and records; a context manager around its thread.

    It speaks as `server` to who asks and as `client` to who answers. A connection serves for one
    exchange.
    """

    def __init__(
        self, target: Addresses, *, server: Identity, client: Identity, authority: Path
    ) -> None:
        self._target = target
        self._server = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=str(authority))
        self._server.verify_mode = ssl.CERT_REQUIRED
        self._server.load_cert_chain(server.certificate, server.key)
        self._client = ssl.create_default_context(cafile=str(authority))
        self._client.load_cert_chain(client.certificate, client.key)
        self._stopping = threading.Event()
        self.exchanges: list[WireExchange] = []

    @property
    def addresses(self) -> Addresses:
        """The same services, with the relay in front."""
        base = f"https://127.0.0.1:{self._listener.getsockname()[1]}"
        return Addresses(
            base + urlsplit(self._target.discovery).path,
            base + urlsplit(self._target.query).path,
            base + urlsplit(self._target.retrieve).path,
        )

    def __enter__(self) -> Self:
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._listener.settimeout(0.2)
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        problem: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._stopping.set()
        self._thread.join(timeout=10)
        self._listener.close()

    def _serve(self) -> None:
        while not self._stopping.is_set():
            try:
                accepted, _ = self._listener.accept()
            except TimeoutError:
                continue
            with accepted:
                accepted.settimeout(_SECONDS)
                self._pass_on(accepted)

    def _pass_on(self, accepted: socket.socket) -> None:
        split = urlsplit(self._target.discovery)
        host, port = split.hostname or "", split.port or 443
        try:
            with (
                self._server.wrap_socket(accepted, server_side=True) as asking,
                socket.create_connection((host, port), timeout=_SECONDS) as plain,
                self._client.wrap_socket(plain, server_hostname=host) as answering,
            ):
                request, response = _pump(asking, answering)
        except (OSError, ssl.SSLError):
            # Whoever failed its handshake will say so itself; here is nothing to record.
            return
        self.exchanges.append(WireExchange(HttpMessage(request), HttpMessage(response)))


def send(request: bytes, target: Addresses, *, client: Identity, authority: Path) -> HttpMessage:
    """The answer to a request as it was recorded, which asks to close the connection after it."""
    context = ssl.create_default_context(cafile=str(authority))
    context.load_cert_chain(client.certificate, client.key)
    split = urlsplit(target.discovery)
    host, port = split.hostname or "", split.port or 443
    with (
        socket.create_connection((host, port), timeout=_SECONDS) as plain,
        context.wrap_socket(plain, server_hostname=host) as connection,
    ):
        connection.sendall(request)
        answer = bytearray()
        while data := connection.recv(_CHUNK):
            answer += data
    return HttpMessage(bytes(answer))


def _pump(asking: ssl.SSLSocket, answering: ssl.SSLSocket) -> tuple[bytes, bytes]:
    """Copies both ways until the answer is whole."""
    request, response = bytearray(), bytearray()
    with selectors.DefaultSelector() as selector:
        selector.register(asking, selectors.EVENT_READ, (answering, request))
        selector.register(answering, selectors.EVENT_READ, (asking, response))
        while True:
            for key, _ in selector.select(timeout=_SECONDS) or _timed_out():
                source, (sink, record) = key.fileobj, key.data
                assert isinstance(source, ssl.SSLSocket)
                data = _read(source)
                if data:
                    record += data
                    sink.sendall(data)
                    if source is answering and HttpMessage(bytes(response)).is_whole:
                        return bytes(request), bytes(response)
                elif data is None:
                    continue
                elif source is answering:
                    return bytes(request), bytes(response)
                else:
                    selector.unregister(source)


def _read(source: ssl.SSLSocket) -> bytes | None:
    """What came, empty at the end, None if it was TLS's own talk (session tickets) alone."""
    source.setblocking(False)
    try:
        data = source.recv(_CHUNK)
        # The selector does not see what is decrypted already.
        while source.pending():
            data += source.recv(source.pending())
    except ssl.SSLWantReadError:
        return None
    finally:
        source.settimeout(_SECONDS)
    return data


def _timed_out() -> list[tuple[selectors.SelectorKey, int]]:
    raise TimeoutError("Neither side of the relay said anything")
