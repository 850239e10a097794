"""Audit records to a repository: syslog over TLS (RFC 5425), or over UDP where asked (RFC 5426).

Syslog acknowledges nothing. Over TLS we end every conversation as RFC 5425: 4.4 has it, and take
what we sent for received only if the other side then ended it too: it closed without having left
anything unread, and its TCP has acknowledged every byte. Over UDP a message is gone when it has
left.
"""

import os
import socket
import ssl
import struct
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Final, Protocol

from ihe.syslog import frame

_DATAGRAM: Final = 65_487
"""What UDP over IPv6 can carry, and UDP over IPv4 a little more."""
_LOOK_SECONDS: Final = 0.02
_CONNECT_SECONDS: Final = 5.0


class NotSent(Exception):
    """Messages did not arrive, or nothing shows that they did; the text says why.

    `reached`: the repository was there and proved who it is, and then did not take them.
    """

    def __init__(self, reason: str, *, reached: bool = False) -> None:
        super().__init__(reason)
        self.reached = reached


class AuditSender(Protocol):
    """A way to one repository. Blocking: for a thread of its own."""

    @property
    def limit_bytes(self) -> int | None:
        """The longest message it can carry."""

    def send(self, messages: Sequence[bytes]) -> None:
        """Returns once they are there, all and in order.

        Raises:
            NotSent: they are not, or some may not be.
        """

    def abort(self) -> None:
        """Ends a `send` that another thread waits in; it raises NotSent."""


@dataclass(slots=True)
class TlsSender:
    """Syslog over TLS. `context_for` is asked for each conversation: certificates may change."""

    host: str
    port: int
    context_for: Callable[[], ssl.SSLContext]
    timeout_seconds: float = 20.0
    _wire: socket.socket | None = field(default=None, init=False)

    @property
    def limit_bytes(self) -> int | None:
        return None

    def send(self, messages: Sequence[bytes]) -> None:
        channel = self._connect()
        # A second handle on the connection: TLS ends on it, and TCP is asked what became of it.
        wire = socket.socket(fileno=os.dup(channel.fileno()))
        wire.settimeout(self.timeout_seconds)
        self._wire = wire
        try:
            with channel, wire:
                channel.sendall(b"".join(map(frame, messages)))
                _end_tls(channel)
                _await_end(wire, self.timeout_seconds)
        except OSError as error:
            raise NotSent(_in_words(error), reached=True) from None
        finally:
            self._wire = None

    def abort(self) -> None:
        wire = self._wire
        if wire is not None:
            with suppress(OSError):
                wire.shutdown(socket.SHUT_RDWR)

    def _connect(self) -> ssl.SSLSocket:
        try:
            context = self.context_for()
            plain = socket.create_connection((self.host, self.port), _CONNECT_SECONDS)
        except OSError as error:
            raise NotSent(_in_words(error)) from None
        plain.settimeout(self.timeout_seconds)
        self._wire = plain
        try:
            return context.wrap_socket(plain, server_hostname=self.host)
        except (OSError, ValueError) as error:
            plain.close()
            raise NotSent(_in_words(error)) from None


@dataclass(frozen=True, slots=True)
class UdpSender:
    """Syslog over UDP: in the clear, and nobody says whether it arrives."""

    host: str
    port: int

    @property
    def limit_bytes(self) -> int | None:
        return _DATAGRAM

    def send(self, messages: Sequence[bytes]) -> None:
        try:
            family, kind, _, _, address = socket.getaddrinfo(
                self.host, self.port, type=socket.SOCK_DGRAM
            )[0]
            with socket.socket(family, kind) as channel:
                for message in messages:
                    channel.sendto(message, address)
        except OSError as error:
            raise NotSent(_in_words(error)) from None

    def abort(self) -> None:
        """There is nothing to wait for."""


def _end_tls(channel: ssl.SSLSocket) -> None:
    """Says that no more comes, and hears the same; some close the connection instead."""
    try:
        channel.unwrap()
    except (ssl.SSLEOFError, ssl.SSLZeroReturnError):
        pass  # whether it was closed in order, TCP tells
    except ssl.SSLError as error:
        # With TLS 1.3 a receiver may refuse our certificate only now.
        raise ConnectionAbortedError(f"TLS: {error.reason or error}") from None
    except OSError as error:
        if error.errno:  # no number: the other side closed without a word
            raise


def _await_end(wire: socket.socket, timeout_seconds: float) -> None:
    """Returns once the other side has closed and acknowledged every byte.

    A side that closes with bytes unread, or is sent more after it has closed, resets instead.
    """
    wire.shutdown(socket.SHUT_WR)
    while wire.recv(4096):
        pass
    deadline = time.monotonic() + timeout_seconds
    while True:
        failure = wire.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
        if failure:
            raise OSError(failure, os.strerror(failure))
        if not _unacknowledged(wire):
            return
        if time.monotonic() > deadline:
            raise TimeoutError("not every byte was acknowledged")
        time.sleep(_LOOK_SECONDS)


def _unacknowledged(wire: socket.socket) -> int:
    if sys.platform != "linux":
        return 0
    import fcntl  # not everywhere, as the option below
    import termios

    told = fcntl.ioctl(wire.fileno(), termios.TIOCOUTQ, b"\0" * 4)
    return int(struct.unpack("i", told)[0])


def _in_words(error: Exception) -> str:
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"its certificate is not to be trusted: {error.verify_message}"
    if isinstance(error, ssl.SSLError):
        return f"TLS: {error.reason or 'it failed'}"
    if isinstance(error, TimeoutError):
        return "it takes too long"
    text = error.strerror if isinstance(error, OSError) else None
    return text or str(error) or type(error).__name__
