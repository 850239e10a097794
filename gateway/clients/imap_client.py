"""A mailbox at a HISP, read by IMAP4rev1 (RFC 3501) under verified TLS; blocking, for a thread.

imaplib speaks the protocol. What we ask is little: which UIDs there are, a message in pieces, and
to flag or delete one. Its exceptions quote the server and stay inside.
"""

import imaplib
import re
import ssl
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Final, Literal

_PIECE: Final = 1024 * 1024
_LONGEST_LITERAL: Final = 2 * _PIECE
"""A server that sends more than was asked for is not listened to."""
_SIZE: Final = re.compile(rb"RFC822\.SIZE ([0-9]{1,18})\b")
_NUMBER: Final = re.compile(rb"^[0-9]{1,10}$")


class MailboxError(Exception):
    """The mailbox cannot be read now; the text says at which step, without a word of the server."""


class NoSuchMessage(Exception):
    """The server does not give this message; the others it may."""


class Mailbox:
    """One folder of one user, open."""

    def __init__(
        self, connection: imaplib.IMAP4, uid_validity: int, capabilities: frozenset[str]
    ) -> None:
        self._connection = connection
        self._capabilities = capabilities
        self.uid_validity = uid_validity

    def uids_after(self, last: int) -> tuple[int, ...]:
        """The UIDs above `last`, ascending.

        Raises:
            MailboxError
        """
        found = self._uid("listing", "SEARCH", f"UID {last + 1}:*")
        uids = {int(one) for line in found if line for one in bytes(line).split()}
        # `n:*` always names the last message, even one below n.
        return tuple(sorted(uid for uid in uids if uid > last))

    def size(self, uid: int) -> int:
        """How many bytes the server says that it has.

        Raises:
            MailboxError, NoSuchMessage
        """
        for line in self._fetch(uid, "(RFC822.SIZE)"):
            text = line[0] if isinstance(line, tuple) else line
            if isinstance(text, bytes) and (found := _SIZE.search(text)):
                return int(found[1])
        raise NoSuchMessage("the server does not tell its size")

    def pieces(self, uid: int) -> Iterator[bytes]:
        """The whole message as the server has it; it stays unseen.

        Raises:
            MailboxError, NoSuchMessage
        """
        start = 0
        while True:
            piece = self._piece(uid, start)
            if piece:
                yield piece
            if len(piece) < _PIECE:
                return
            start += len(piece)

    def flag(self, uid: int) -> None:
        """Marks it as seen. Raises MailboxError."""
        self._uid("flagging", "STORE", str(uid), "+FLAGS.SILENT", r"(\Seen)")

    def delete(self, uid: int) -> None:
        """Deletes it, and nothing else. Raises MailboxError."""
        self._uid("deleting", "STORE", str(uid), "+FLAGS.SILENT", r"(\Deleted)")
        if "UIDPLUS" in self._capabilities:
            # RFC 4315: a bare EXPUNGE would take what others have marked.
            self._uid("deleting", "EXPUNGE", str(uid))

    def _piece(self, uid: int, start: int) -> bytes:
        for line in self._fetch(uid, f"(BODY.PEEK[]<{start}.{_PIECE}>)"):
            if isinstance(line, tuple) and b"BODY[]" in line[0]:
                return bytes(line[1])
        if start:
            return b""  # some servers say nothing beyond the end
        raise NoSuchMessage("the server does not give its bytes")

    def _fetch(self, uid: int, what: str) -> list[Any]:
        with _told("fetching"):
            answer, lines = self._connection.uid("FETCH", str(uid), what)
        if answer != "OK":
            raise NoSuchMessage("the server does not give the message")
        return lines

    def _uid(self, step: str, *command: str) -> list[Any]:
        with _told(step):
            answer, lines = self._connection.uid(*command)
        if answer != "OK":
            raise MailboxError(f"{step} failed: the server refuses")
        return lines


@contextmanager
def open_mailbox(
    server: str,
    *,
    user: str,
    password: str,
    folder: str,
    security: Literal["tls", "starttls"],
    certificates: Path | None,
    timeout_seconds: float,
) -> Iterator[Mailbox]:
    """The folder, selected; `server` is `host:port`, `certificates` PEM of who vouches for it.

    Raises:
        MailboxError: it cannot be reached, is not who it should be, or lets us not in.
    """
    context = ssl.create_default_context(cafile=certificates)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    host, _, port = server.rpartition(":")
    host = host.strip("[]")
    with _told("connecting"):
        connection: _Tls | _StartTls
        if security == "tls":
            connection = _Tls(host, int(port), ssl_context=context, timeout=timeout_seconds)
        else:
            connection = _StartTls(host, int(port), timeout=timeout_seconds)
    try:
        if isinstance(connection, _StartTls):
            with _told("STARTTLS"):
                connection.starttls(context)
        _log_in(connection, user, password)
        yield Mailbox(connection, _select(connection, folder), _capabilities(connection))
    finally:
        with suppress(imaplib.IMAP4.error, OSError):
            connection.logout()
        with suppress(OSError):
            connection.shutdown()  # a connection that broke is not closed by logout


def _log_in(connection: imaplib.IMAP4, user: str, password: str) -> None:
    secret = f"\0{user}\0{password}".encode()
    with _told("logging in"):
        if "AUTH=PLAIN" in connection.capabilities:
            connection.authenticate("PLAIN", lambda _challenge: secret)
        else:
            connection.login(_quoted(user), password)


def _select(connection: imaplib.IMAP4, folder: str) -> int:
    with _told("selecting the folder"):
        answer, _ = connection.select(_quoted(folder))
        validity = connection.response("UIDVALIDITY")[1]
    number = validity[-1] if validity else None
    if answer != "OK" or not isinstance(number, bytes) or not _NUMBER.match(number):
        raise MailboxError("selecting the folder failed: it is not there, or has no UIDVALIDITY")
    return int(number)


def _capabilities(connection: imaplib.IMAP4) -> frozenset[str]:
    """What is offered to whom has logged in: servers keep most of it back until then."""
    with _told("asking what it can"):
        _, lines = connection.capability()
    texts = [line.decode("ascii", "replace") for line in lines if isinstance(line, bytes)]
    return frozenset(word.upper() for text in texts for word in text.split())


def _quoted(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


@contextmanager
def _told(step: str) -> Iterator[None]:
    try:
        yield
    except ssl.SSLCertVerificationError:
        raise MailboxError(f"{step} failed: the server's certificate is not trusted") from None
    except imaplib.IMAP4.error:
        raise MailboxError(f"{step} failed: the server refuses") from None
    except (OSError, EOFError, ValueError) as error:
        raise MailboxError(f"{step} failed: {type(error).__name__}") from None


class _Capped(imaplib.IMAP4):
    """IMAP that reads no more at once than was asked for."""

    def read(self, size: int) -> bytes:
        if size > _LONGEST_LITERAL:
            raise self.abort("the server sends more than was asked for")
        return super().read(size)


class _StartTls(_Capped):
    pass


class _Tls(imaplib.IMAP4_SSL):
    def read(self, size: int) -> bytes:
        if size > _LONGEST_LITERAL:
            raise self.abort("the server sends more than was asked for")
        return super().read(size)
