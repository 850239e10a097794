"""A syslog receiver over mutual TLS (RFC 5425), as strict as the standard, on a real socket.

    with receiving(port=port) as receiver:
        ...
        receiver.wait_for(3)

It ends as RFC 5425: 4.4 wants: it answers a close_notify with its own, and closes. Its manners can
be worse: see `Manners`. Started again on the same port it is the same repository.
"""

import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from lxml import etree

from tests.gateway.house import authority, key_files

SECONDS: Final = 20.0


@dataclass(frozen=True, slots=True)
class Manners:
    """How a receiver misbehaves: after so many bytes it hangs up, it never ends a conversation, it
    hangs up on a message with such words, it reads nothing until it is let."""

    hang_up_after: int | None = None
    never_ends: bool = False
    refuses: bytes | None = None
    reads_once: threading.Event | None = None


@dataclass(slots=True)
class Receiver:
    port: int
    manners: Manners = Manners()
    messages: list[bytes] = field(default_factory=list)
    """What came whole, in order, over all conversations."""
    peers: list[str] = field(default_factory=list)
    halves: int = 0
    """How often a conversation broke off within a frame."""
    _more: threading.Condition = field(default_factory=threading.Condition)

    def wait_for(self, count: int) -> list[bytes]:
        """The messages, once there are so many."""
        with self._more:
            there = self._more.wait_for(lambda: len(self.messages) >= count, SECONDS)
            assert there, f"{len(self.messages)} messages have come"
            return list(self.messages)

    def take(self, message: bytes) -> None:
        with self._more:
            self.messages.append(message)
            self._more.notify_all()


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@contextmanager
def receiving(
    port: int = 0,
    *,
    manners: Manners = Manners(),
    certificate: str = "Audit repository",
    issuer: str = "Test network",
) -> Iterator[Receiver]:
    """The receiver, listening while the block runs; at its end it is gone with every connection."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.verify_mode = ssl.CERT_REQUIRED
    context.load_verify_locations(cadata=authority().certificate_pem)
    context.load_cert_chain(*key_files(certificate, issuer))
    listener = socket.create_server(("127.0.0.1", port))
    receiver = Receiver(listener.getsockname()[1], manners)
    open_now: set[socket.socket] = set()
    thread = threading.Thread(target=_accept, args=(listener, context, receiver, open_now))
    thread.start()
    try:
        yield receiver
    finally:
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        for connection in list(open_now):
            with suppress(OSError):
                # An SSLSocket's own shutdown would have its reader go on in the clear.
                socket.socket.shutdown(connection, socket.SHUT_RDWR)
        thread.join()


def _accept(
    listener: socket.socket,
    context: ssl.SSLContext,
    receiver: Receiver,
    open_now: set[socket.socket],
) -> None:
    while True:
        try:
            plain, _ = listener.accept()
        except OSError:
            return
        plain.settimeout(SECONDS)
        open_now.add(plain)
        with suppress(OSError), plain, context.wrap_socket(plain, server_side=True) as channel:
            open_now.add(channel)
            receiver.peers.append(_subject(channel))
            _converse(channel, receiver)
        open_now.clear()


def _subject(channel: ssl.SSLSocket) -> str:
    shown = channel.getpeercert() or {}
    fields = dict(pair for part in shown.get("subject", ()) for pair in part)  # type: ignore[misc]
    return str(fields.get("commonName", ""))


def _converse(channel: ssl.SSLSocket, receiver: Receiver) -> None:
    manners, waiting, heard = receiver.manners, b"", 0
    if manners.reads_once is not None:
        manners.reads_once.wait(SECONDS)
    while chunk := channel.recv(1024):
        heard += len(chunk)
        waiting += chunk
        whole, waiting = _frames(waiting)
        for message in whole:
            if manners.refuses is not None and manners.refuses in message:
                return
            receiver.take(message)
        if manners.hang_up_after is not None and heard >= manners.hang_up_after:
            receiver.halves += bool(waiting)
            return
    receiver.halves += bool(waiting)
    if manners.never_ends:
        threading.Event().wait(2)
        return
    with suppress(ValueError):  # a connection that was cut has no TLS left to end
        channel.unwrap()


def _frames(stream: bytes) -> tuple[list[bytes], bytes]:
    """The whole frames, and the beginning of the next (RFC 5425: 4.3)."""
    found = []
    while True:
        length, blank, rest = stream.partition(b" ")
        assert length.isdigit() or not length, f"no length before a frame: {length[:40]!r}"
        assert not length.startswith(b"0")
        if not blank or len(rest) < int(length):
            return found, stream
        found.append(rest[: int(length)])
        stream = rest[int(length) :]


# ---- what a message says ---------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Told:
    """One syslog message with its AuditMessage."""

    header: list[str]
    xml: "etree._Element"

    @property
    def event(self) -> tuple[str | None, str | None]:
        """EventID and outcome."""
        found = self.xml.find("EventIdentification")
        assert found is not None
        return found.find("EventID").get("csd-code"), found.get("EventOutcomeIndicator")  # type: ignore[union-attr]

    @property
    def codes(self) -> tuple[str | None, str | None]:
        """EventID and EventTypeCode."""
        codes = (
            self.xml.find(f"EventIdentification/{name}") for name in ("EventID", "EventTypeCode")
        )
        first, second = (None if code is None else code.get("csd-code") for code in codes)
        return first, second

    @property
    def description(self) -> str | None:
        return self.xml.findtext("EventIdentification/EventOutcomeDescription")


def read(message: bytes) -> Told:
    """The message, which must be of RFC 5424's grammar and of DICOM's schema."""
    *header, xml = message.split(b" ", 7)
    root = etree.fromstring(xml)
    schema().assertValid(root)
    return Told([part.decode("ascii") for part in header], root)


def schema() -> "etree.RelaxNG":
    """DICOM PS3.15: A.5.1, in our own words."""
    file = Path(__file__).resolve().parents[2] / "samples" / "atna" / "audit_message.rng"
    return etree.RelaxNG(etree.parse(file))
