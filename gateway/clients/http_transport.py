"""HTTP/1.1 over TLS for httpx, where what has come is read as one, however many records it is.

A TLS record holds at most 16 KB (RFC 8446: 5.1), and httpcore's own stream takes each by itself
through every layer: of a document of 200 MB that is most of the work. Here asyncio opens all the
records that the socket has, and httpcore, which frames HTTP and keeps the connections, is given
them together.
"""

import asyncio
import ssl
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from typing import Any, Final, cast

import httpcore
import httpx

from gateway.clients.dialing import dial

_WAITING_BYTES: Final = 256 * 1024
"""What lies here unread before the peer has to wait; asyncio holds as much again, still sealed."""
_KEPT_CONNECTIONS: Final = 20
_CONNECTIONS: Final = 100
_KEPT_SECONDS: Final = 5.0
_FAILURES: Final = (
    httpcore.TimeoutException,
    httpcore.NetworkError,
    httpcore.ProtocolError,
    httpcore.UnsupportedProtocol,
)


class HttpTransport(httpx.AsyncBaseTransport):
    """What an `httpx.AsyncClient` sends by; neither proxies nor the environment change it."""

    def __init__(self, context: ssl.SSLContext) -> None:
        self._pool = httpcore.AsyncConnectionPool(
            ssl_context=context,
            max_connections=_CONNECTIONS,
            max_keepalive_connections=_KEPT_CONNECTIONS,
            keepalive_expiry=_KEPT_SECONDS,
            network_backend=_Network(),
        )

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        url = request.url
        sent = httpcore.Request(
            method=request.method,
            url=httpcore.URL(
                scheme=url.raw_scheme, host=url.raw_host, port=url.port, target=url.raw_path
            ),
            headers=request.headers.raw,
            content=request.stream,
            extensions=request.extensions,
        )
        with _as_httpx():
            given = await self._pool.handle_async_request(sent)
        return httpx.Response(
            given.status,
            headers=given.headers,
            stream=_Body(given),
            extensions=given.extensions,
        )

    async def aclose(self) -> None:
        await self._pool.aclose()


class _Body(httpx.AsyncByteStream):
    """The answer's content as it comes in."""

    def __init__(self, given: httpcore.Response) -> None:
        self._given = given

    async def __aiter__(self) -> AsyncIterator[bytes]:
        with _as_httpx():
            async for piece in self._given.aiter_stream():
                yield piece

    async def aclose(self) -> None:
        await self._given.aclose()


@contextmanager
def _as_httpx() -> Iterator[None]:
    """httpcore's exceptions as those of the same name that httpx has."""
    try:
        yield
    except _FAILURES as error:
        named = getattr(httpx, type(error).__name__)
        raise named(str(error)) from error


# ---- the network, as httpcore asks for it ----------------------------------------------------


class _Network(httpcore.AsyncNetworkBackend):
    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Any = None,
    ) -> httpcore.AsyncNetworkStream:
        try:
            async with asyncio.timeout(timeout):
                arriving = await dial(_Arriving, host, port)
        except TimeoutError as error:
            raise httpcore.ConnectTimeout(str(error)) from error
        except OSError as error:
            raise httpcore.ConnectError(str(error)) from error
        return _Stream(arriving)

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)


class _Stream(httpcore.AsyncNetworkStream):
    """One connection; in the clear until `start_tls`."""

    def __init__(self, arriving: "_Arriving") -> None:
        self._arriving = arriving

    async def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        """All that has come, which may be more than `max_bytes`: h11 takes any amount."""
        try:
            async with asyncio.timeout(timeout):
                return await self._arriving.take()
        except TimeoutError as error:
            raise httpcore.ReadTimeout(str(error)) from error

    async def write(self, buffer: bytes, timeout: float | None = None) -> None:
        try:
            async with asyncio.timeout(timeout):
                await self._arriving.send(buffer)
        except TimeoutError as error:
            raise httpcore.WriteTimeout(str(error)) from error

    async def aclose(self) -> None:
        """At once: nothing that matters is unsent, and whoever hangs is not waited for."""
        self._arriving.transport.abort()
        await asyncio.sleep(0)  # the loop closes the socket in its next turn, if it has one

    async def start_tls(
        self,
        ssl_context: ssl.SSLContext,
        server_hostname: str | None = None,
        timeout: float | None = None,
    ) -> httpcore.AsyncNetworkStream:
        try:
            async with asyncio.timeout(timeout):
                await self._arriving.start_tls(ssl_context, server_hostname)
        except BaseException as error:
            await self.aclose()
            if isinstance(error, TimeoutError):
                raise httpcore.ConnectTimeout(str(error)) from error
            if isinstance(error, OSError):  # of TLS too
                raise httpcore.ConnectError(str(error)) from error
            raise
        return self

    def get_extra_info(self, info: str) -> Any:
        match info:
            case "is_readable":  # asked of a connection that nothing is expected from
                return self._arriving.has_news
            case "client_addr":
                return self._arriving.transport.get_extra_info("sockname")
            case "server_addr":
                return self._arriving.transport.get_extra_info("peername")
            case _:
                return self._arriving.transport.get_extra_info(info)


class _Arriving(asyncio.Protocol):
    """What has come on a connection and was not taken yet, and whether there can be more.

    Not a buffered protocol: asyncio gives one no more than its buffer holds of what had come when
    the peer closed the connection.
    """

    transport: asyncio.Transport

    def __init__(self) -> None:
        self._pieces: list[bytes] = []
        self._size = 0
        self._is_over = False
        self._error: Exception | None = None
        self._news = asyncio.Event()
        self._may_send = asyncio.Event()
        self._may_send.set()

    @property
    def has_news(self) -> bool:
        """Bytes, or that the connection is at its end."""
        return self._news.is_set()

    async def take(self) -> bytes:
        """Waits for news; empty at the end.

        Raises:
            httpcore.ReadError: the connection broke.
            ssl.SSLError: what came is no TLS of our peer's, or its TLS refuses ours.
        """
        await self._news.wait()
        if self._pieces:
            return self._taken()
        if isinstance(self._error, ssl.SSLError):
            raise self._error
        if self._error is not None:
            raise httpcore.ReadError(str(self._error)) from self._error
        return b""

    def _taken(self) -> bytes:
        pieces, self._pieces = self._pieces, []
        if self._size >= _WAITING_BYTES:
            self.transport.resume_reading()
        self._size = 0
        if not self._is_over:
            self._news.clear()
        return pieces[0] if len(pieces) == 1 else b"".join(pieces)

    async def send(self, content: bytes) -> None:
        """Returns once little of it waits to be sent.

        Raises:
            httpcore.WriteError: the connection is at its end.
        """
        if not self._is_over:
            self.transport.write(content)
            await self._may_send.wait()
        if self._is_over:
            raise httpcore.WriteError("the connection has ended")

    async def start_tls(self, context: ssl.SSLContext, hostname: str | None) -> None:
        loop = asyncio.get_running_loop()
        secured = await loop.start_tls(self.transport, self, context, server_hostname=hostname)
        # None is for a transport that was closed meanwhile.
        if secured is None:
            raise ConnectionAbortedError("the connection ended as TLS began")
        self.transport = secured

    # ---- called by asyncio -------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        self._pieces.append(data)
        self._size += len(data)
        self._news.set()
        if self._size >= _WAITING_BYTES:
            self.transport.pause_reading()

    def eof_received(self) -> None:
        self._end(None)

    def connection_lost(self, exc: Exception | None) -> None:
        self._end(exc)

    def pause_writing(self) -> None:
        self._may_send.clear()

    def resume_writing(self) -> None:
        self._may_send.set()

    def _end(self, error: Exception | None) -> None:
        self._is_over, self._error = True, self._error or error
        self._news.set()
        self._may_send.set()
