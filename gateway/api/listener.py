"""The listeners: one event loop, one uvicorn server an address, each with its own application.

uvicorn gives an application no client certificate; `PeerCertificateProtocol` puts it into the
connection's state, so that SOAP doors know whom TLS has verified (DECISIONS 2, 7).
"""

import asyncio
import contextlib
import signal
import socket
import ssl
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from typing import Any

import uvicorn
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

PEER_CERTIFICATE = "peer_certificate"


class PeerCertificateProtocol(HttpToolsProtocol):
    """HTTP/1.1 whose requests carry the verified client certificate (DER) in their state."""

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


@dataclass(frozen=True, slots=True)
class Listener:
    """One address with its application; `tls` None is plain HTTP, for loopback only."""

    application: Any
    address: str
    tls: ssl.SSLContext | None = None

    @property
    def host_and_port(self) -> tuple[str, int]:
        host, _, port = self.address.rpartition(":")
        return host.strip("[]"), int(port)


class _Server(uvicorn.Server):
    @contextlib.contextmanager
    def capture_signals(self) -> Any:
        """Signals belong to the whole process: `serve` handles them once for all servers."""
        yield


def _server(listener: Listener) -> uvicorn.Server:
    host, port = listener.host_and_port
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
    return _Server(config)


@contextlib.asynccontextmanager
async def running(listeners: Sequence[Listener]) -> AsyncIterator[tuple[str, ...]]:
    """All listeners up while the block runs; leaving it drains and closes them.

    Gives the addresses as bound, in the listeners' order: port 0 has become a real one.

    Raises:
        OSError: an address cannot be bound.
    """
    servers = [_server(listener) for listener in listeners]
    with contextlib.ExitStack() as held:
        sockets = [held.enter_context(contextlib.closing(_bind(server))) for server in servers]
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


def _bind(server: uvicorn.Server) -> Any:
    try:
        return server.config.bind_socket()
    except SystemExit:  # uvicorn would end the process, and with it the other listeners
        config = server.config
        raise OSError(f"{config.host}:{config.port} cannot be listened on") from None


def _address(socket: Any) -> str:
    host, port = socket.getsockname()[:2]
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
