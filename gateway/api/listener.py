"""The listeners: one event loop, one uvicorn server an address, each with its own application.

uvicorn gives an application no client certificate; `PeerCertificateProtocol` puts it into the
connection's state, so that SOAP doors know whom TLS has verified (DECISIONS 2, 7).
"""

import asyncio
import contextlib
import os
import signal
import socket
import ssl
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Final, cast

import uvicorn
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from gateway.api.sharing import SharedListener, Taking

PEER_CERTIFICATE = "peer_certificate"
_HEAD_BYTES: Final = 64 * 1024
"""As much may come without a byte of a body: a head, or what stands between and after the pieces of
a body. httptools holds whatever comes, and nobody has said yet who they are."""


class PeerCertificateProtocol(HttpToolsProtocol):
    """HTTP/1.1 whose requests carry the verified client certificate (DER) in their state.

    A head has an end, and comes within `head_seconds`: whoever opens connections and says nothing
    would take them all. It is all that says something of a request: no header follows the body.
    """

    head_seconds: ClassVar[float] = 30.0
    _without_body = 0
    _patience: asyncio.TimerHandle | None = None

    def data_received(self, data: bytes) -> None:
        self._without_body += len(data)
        super().data_received(data)
        if self.transport.is_closing():
            return
        if self._without_body > _HEAD_BYTES:
            self._refuse_head()
        elif not self._is_answering():  # half a head, or the rest of what is answered already
            self._await_head()

    def on_headers_complete(self) -> None:
        self._stop_waiting()
        super().on_headers_complete()
        # RFC 9110: 6.5.1: a trailer is no header. The request has the list of what came before.
        self.headers = []

    def on_body(self, body: bytes) -> None:
        self._without_body = 0
        super().on_body(body)

    def on_message_complete(self) -> None:
        self._without_body = 0
        super().on_message_complete()

    def _refuse_head(self) -> None:
        if self._is_answering():
            self.transport.close()
        else:
            self.send_400_response("The head of the request is too large.")

    def _is_answering(self) -> bool:
        return self.cycle is not None and not self.cycle.response_complete

    def _await_head(self) -> None:
        if self._patience is None:
            self._patience = self.loop.call_later(self.head_seconds, self._be_late)

    def _stop_waiting(self) -> None:
        if self._patience is not None:
            self._patience.cancel()
            self._patience = None

    def _be_late(self) -> None:
        self._patience = None
        if self._is_answering():  # half of the next head came with this one: nothing is read now
            self._await_head()
        else:
            self.transport.close()

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        # asyncio hands every protocol a BaseTransport in its types; uvicorn narrows it too.
        super().connection_made(transport)
        # uvicorn's sockets come without it, and each answer on a kept connection would wait 40 ms
        # for the peer's delayed acknowledgement of its head.
        connection = transport.get_extra_info("socket")
        if connection is not None and connection.family in (socket.AF_INET, socket.AF_INET6):
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        channel = transport.get_extra_info("ssl_object")
        if channel is not None:
            peer = channel.getpeercert(binary_form=True)
            self.app_state = {**self.app_state, PEER_CERTIFICATE: peer}
        self._await_head()

    def connection_lost(self, exc: Exception | None) -> None:
        self._stop_waiting()
        super().connection_lost(exc)


@dataclass(frozen=True, slots=True)
class Listener:
    """One address with its application; `tls` None is plain HTTP, for loopback only.

    The address is `host:port`, or `unix:/path` for a socket file. Where several `processes` of ours
    answer there, `shared` is what they take connections from.
    """

    application: Any
    address: str
    tls: ssl.SSLContext | None = None
    processes: int = 1
    shared: SharedListener | None = None

    @property
    def socket_file(self) -> Path | None:
        kind, _, path = self.address.partition("unix:")
        return Path(path) if path and not kind else None

    @property
    def host_and_port(self) -> tuple[str, int]:
        host, _, port = self.address.rpartition(":")
        return host.strip("[]"), int(port)


class _Server(uvicorn.Server):
    @contextlib.contextmanager
    def capture_signals(self) -> Any:
        """Signals belong to the whole process: `serve` handles them once for all servers."""
        yield


class _SharingServer(_Server):
    """uvicorn's, but that it takes its connections in turn with other processes."""

    def __init__(self, config: uvicorn.Config, shared: SharedListener) -> None:
        super().__init__(config)
        self._shared = shared
        self._taking: Taking | None = None
        self._opening: set[asyncio.Protocol] = set()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets=[])
        self._taking = Taking(self._shared, has=self._has, opened=self._opened)
        # Closed with uvicorn's own, which it takes for one of them.
        self.servers.append(cast(asyncio.Server, self._taking))

    async def on_tick(self, counter: int) -> bool:
        if self._taking is not None:
            self._taking.tell()  # of those that have ended, too
        return await super().on_tick(counter)

    def _has(self) -> int:
        """Connections, those that are being opened too; each once, whatever TLS has come to."""
        connections: set[Any] = self.server_state.connections
        return len(connections) + sum(one not in connections for one in self._opening)

    def _opened(self, connection: socket.socket) -> asyncio.Task[None]:
        protocol = PeerCertificateProtocol(
            config=self.config, server_state=self.server_state, app_state=self.lifespan.state
        )
        self._opening.add(protocol)
        task = asyncio.create_task(self._open(connection, protocol))
        task.add_done_callback(lambda _: self._opening.discard(protocol))
        return task

    async def _open(self, connection: socket.socket, protocol: asyncio.Protocol) -> None:
        loop = asyncio.get_running_loop()
        # TLS that fails, or takes too long, ends with its connection.
        with contextlib.suppress(OSError):
            await loop.connect_accepted_socket(lambda: protocol, connection, ssl=self.config.ssl)


def _server(listener: Listener) -> uvicorn.Server:
    # A socket file needs neither; it is bound below.
    host, port = ("", 0) if listener.socket_file else listener.host_and_port
    context = listener.tls
    config = uvicorn.Config(
        listener.application,
        host=host,
        port=port,
        http=PeerCertificateProtocol,
        ws="none",
        lifespan="off",
        log_config=None,
        access_log=False,  # a path or query may name a member; the exchange log is the record
        server_header=False,
        proxy_headers=False,  # the peer in a record is the socket's, never what a header says
        timeout_graceful_shutdown=20,
        ssl_context_factory=None if context is None else lambda _config, _default: context,
    )
    return _Server(config) if listener.shared is None else _SharingServer(config, listener.shared)


@contextlib.asynccontextmanager
async def running(listeners: Sequence[Listener]) -> AsyncIterator[tuple[str, ...]]:
    """All listeners up while the block runs; leaving it drains and closes them.

    Gives the addresses as bound, in the listeners' order: port 0 has become a real one.

    Raises:
        OSError: an address cannot be bound.
    """
    servers = [_server(listener) for listener in listeners]
    with contextlib.ExitStack() as held:
        sockets = [
            held.enter_context(contextlib.closing(_bind(listener, server)))
            for listener, server in zip(listeners, servers, strict=True)
        ]
        addresses = tuple(_address(bound) for bound in sockets)
        tasks = [
            asyncio.create_task(server.serve(sockets=[bound]))
            for server, bound in zip(servers, sockets, strict=True)
        ]
        try:
            while not all(server.started for server in servers):
                await asyncio.sleep(0.01)
                _raise_what_ended(tasks)
            yield addresses
        finally:
            for server in servers:
                server.should_exit = True
            await asyncio.gather(*tasks, return_exceptions=True)


def _bind(listener: Listener, server: uvicorn.Server) -> Any:
    if listener.socket_file is not None:
        return _bind_file(listener.socket_file)
    if listener.shared is not None:
        return listener.shared.listening
    try:
        return server.config.bind_socket()
    except SystemExit:  # uvicorn would end the process, and with it the other listeners
        config = server.config
        raise OSError(f"{config.host}:{config.port} cannot be listened on") from None


def _bind_file(path: Path) -> socket.socket:
    """The socket file, for the owner and its group alone; one that a dead process left goes."""
    if path.is_socket() and not _answers(path):
        path.unlink()
    bound = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    mask = os.umask(0o117)
    try:
        bound.bind(str(path))
    except OSError:
        bound.close()
        raise
    finally:
        os.umask(mask)
    return bound


def _answers(path: Path) -> bool:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        return probe.connect_ex(str(path)) == 0


def _address(socket: Any) -> str:
    name = socket.getsockname()
    if isinstance(name, str):
        return f"unix:{name}"
    host, port = name[:2]
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def _raise_what_ended(tasks: Sequence[asyncio.Task[None]]) -> None:
    for task in tasks:
        if task.done():
            task.result()
            raise OSError("a listener ended before it had begun")


async def until_asked_to_stop() -> None:
    """Returns on SIGINT or SIGTERM."""
    loop = asyncio.get_running_loop()
    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    try:
        await stop.wait()
    finally:
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.remove_signal_handler(number)
