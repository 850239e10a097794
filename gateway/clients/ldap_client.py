"""LDAP: the certificates of whoever has a mail attribute, asked without a name (RFC 4511).

The server's name comes out of DNS, so it is nobody's whom we trust with it: only public addresses
(as `clients.fetch`), one deadline over all, a cap on bytes; a referral is never followed. What it
says needs no protection: a certificate proves itself.
"""

import socket
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing
from dataclasses import dataclass, field
from ipaddress import IPv4Address, IPv6Address
from typing import Final

from direct import ldap
from direct.discovery import MOST_CERTIFICATES, Records
from direct.ldap import Done, Entry, Search
from direct.ldap_filter import Equals, Present, plain
from direct.tlv import Malformed
from gateway.clients.dns_client import LookupFailed
from gateway.clients.fetch import is_public
from gateway.settings_addresses import PrivateAddresses

_SECONDS: Final = 5.0
_MOST_BYTES: Final = 1024 * 1024
"""Over the whole conversation; sixteen certificates with their attributes have about 64 KB."""
_MOST_CONTEXTS: Final = 8
_ATTRIBUTES: Final = ("userCertificate;binary", "userCertificate")
_ENOUGH: Final = (ldap.SUCCESS, ldap.SIZE_LIMIT_EXCEEDED, ldap.NO_SUCH_OBJECT)

LookUp = Callable[[str], tuple[IPv4Address | IPv6Address, ...]]
"""Where a host is; may raise LookupFailed."""


@dataclass(frozen=True, slots=True)
class LdapClient:
    """Searches at public addresses, and at those `address:port` that settings allow by name.

    Everything blocks, for `seconds` at most beyond the look-up: call it in a thread.
    """

    look_up: LookUp
    private_addresses: PrivateAddresses = field(default_factory=PrivateAddresses)
    seconds: float = _SECONDS
    most_bytes: int = _MOST_BYTES

    def certificates(self, host: str, port: int, mail: str) -> Records:
        """The certificates of the entries with that mail attribute, under every naming context.

        Raises:
            LookupFailed: it could not be found out.
        """
        addresses = self._allowed(host, port)
        deadline = time.monotonic() + self.seconds
        with closing(_connected(addresses, port, deadline)) as connection:
            talk = _Talk(connection, deadline, self.most_bytes)
            try:
                return Records(tuple(talk.certificates(mail)[: MOST_CERTIFICATES + 1]))
            except Malformed as malformed:
                raise LookupFailed(f"answers in no way that can be read: {malformed}") from None
            except TimeoutError:
                raise LookupFailed("takes too long") from None
            except OSError as error:
                raise LookupFailed(f"breaks off ({type(error).__name__})") from None

    def _allowed(self, host: str, port: int) -> tuple[IPv4Address | IPv6Address, ...]:
        """Where the host is, if every address of it is one that we may go to."""
        addresses = self.look_up(host)
        if not addresses:
            raise LookupFailed("has a name that leads nowhere")
        for address in addresses:
            if not is_public(address) and not self.private_addresses.allow(address, port):
                raise LookupFailed("is not at a public address")
        return addresses


def _connected(
    addresses: tuple[IPv4Address | IPv6Address, ...], port: int, deadline: float
) -> socket.socket:
    for address in addresses:
        try:
            return socket.create_connection((str(address), port), timeout=_left(deadline))
        except OSError:
            continue
    raise LookupFailed("cannot be reached")


class _Refused(LookupFailed):
    """The server answers, and gives nothing."""


@dataclass(slots=True)
class _Talk:
    """One conversation: bind, what the server has, and a search in each part of it."""

    connection: socket.socket
    deadline: float
    bytes_left: int
    buffer: bytearray = field(default_factory=bytearray)
    last_id: int = 0

    def certificates(self, mail: str) -> list[bytes]:
        self._bind()
        refused: _Refused | None = None
        found: list[bytes] = []
        for base in self._contexts():
            wanted = Equals("mail", mail.encode())
            search = Search(base, ldap.SUBTREE, wanted, _ATTRIBUTES, MOST_CERTIFICATES)
            try:
                found += _values(self._found(search), "usercertificate")
            except _Refused as refusal:
                refused = refusal  # that part of it: another may be open to all
        self._send(ldap.write_unbind(self._next_id()))
        if refused is not None and not found:
            raise refused
        return found

    def _bind(self) -> None:
        self._send(ldap.write_bind(self._next_id()))
        answer = self._receive()
        if answer != Done(ldap.SUCCESS):
            raise LookupFailed("does not answer without a name")

    def _contexts(self) -> list[str]:
        """Where the server's entries are (RFC 4512: 5.1); the root of all if it does not say."""
        root = Search("", ldap.BASE, Present("objectClass"), ("namingContexts",))
        try:
            found = [value.decode() for value in _values(self._found(root), "namingcontexts")]
        except (_Refused, UnicodeDecodeError):
            found = []
        return found[:_MOST_CONTEXTS] or [""]

    def _found(self, search: Search) -> list[Entry]:
        self._send(ldap.write_search(self._next_id(), search))
        found: list[Entry] = []
        while not isinstance(answer := self._receive(), Done):
            if isinstance(answer, Entry):
                found.append(answer)
        if answer.code == ldap.REFERRAL:
            raise _Refused("refers us to others, whom we do not follow")
        if answer.code not in _ENOUGH:
            raise _Refused(f"ends the search with result {answer.code}")
        return found

    def _next_id(self) -> int:
        self.last_id += 1
        return self.last_id

    def _send(self, message: bytes) -> None:
        self.connection.settimeout(_left(self.deadline))
        self.connection.sendall(message)

    def _receive(self) -> ldap.Response:
        """The next answer to the last question."""
        while True:
            length = ldap.message_length(self.buffer, most=self.bytes_left + len(self.buffer))
            if length is None or len(self.buffer) < length:
                self._read_more()
                continue
            message = bytes(self.buffer[:length])
            del self.buffer[:length]
            message_id, answer = ldap.read_response(message)
            if message_id == self.last_id:
                return answer
            if message_id == 0:  # RFC 4511: 4.4: a notice that it hangs up
                raise LookupFailed("breaks off")

    def _read_more(self) -> None:
        # One deadline over all: a timeout of each read is never met by a byte now and again.
        self.connection.settimeout(_left(self.deadline))
        chunk = self.connection.recv(min(65536, self.bytes_left + 1))
        if not chunk:
            raise LookupFailed("breaks off")
        self.bytes_left -= len(chunk)
        if self.bytes_left < 0:
            raise LookupFailed("says more than we take")
        self.buffer += chunk


def _values(entries: Iterable[Entry], attribute: str) -> Iterator[bytes]:
    for entry in entries:
        for name, values in entry.attributes:
            if plain(name) == attribute:
                yield from values


def _left(deadline: float) -> float:
    left = deadline - time.monotonic()
    if left <= 0:
        raise TimeoutError
    return left
