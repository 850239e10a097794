"""A mailbox at a HISP, as far as a poller sees it: IMAP4rev1 (RFC 3501) on a real TLS socket.

Faithful in what matters to us: UIDs and UIDVALIDITY, literals, partial fetches, flags, UIDPLUS,
`n:*` that names the last message, and answers cut by the network wherever one likes.
"""

import base64
import re
import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from gateway.clients.tls import plan_listener_context

USER, PASSWORD = "intake@hisp.example", 'se"cret \\ word'


@dataclass(slots=True)
class Folder:
    """What a mailbox holds, and how its server behaves."""

    messages: dict[int, bytes] = field(default_factory=dict)
    flags: dict[int, set[str]] = field(default_factory=dict)
    uid_validity: int = 7
    capabilities: str = "IMAP4rev1 AUTH=PLAIN UIDPLUS"
    unreadable: set[int] = field(default_factory=set)
    stated_sizes: dict[int, int] = field(default_factory=dict)
    fetched: list[int] = field(default_factory=list)
    selected: list[str] = field(default_factory=list)
    literal: int | None = None
    """How long a server says that a piece is, whatever was asked for."""
    die_at: str | None = None
    """The command at which the connection is cut, once."""
    injected: bytes = b""
    """What follows the answer to STARTTLS in the clear: somebody in between has put it there."""

    def add(self, content: bytes) -> int:
        uid = max(self.messages, default=0) + 1
        self.messages[uid] = content
        self.flags[uid] = set()
        return uid


class _Cut(Exception):
    pass


@contextmanager
def serving(folder: Folder, certificate: Path, key: Path, *, tls: str = "tls") -> Iterator[str]:
    """The server up; gives its `host:port`. Each connection has a thread of its own."""
    context = plan_listener_context(certificate=certificate, key=key)
    listener = socket.create_server(("localhost", 0))
    threads: list[threading.Thread] = []

    def accept() -> None:
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            thread = threading.Thread(target=_talk, args=(folder, connection, context, tls))
            thread.start()
            threads.append(thread)

    accepting = threading.Thread(target=accept)
    accepting.start()
    try:
        yield f"localhost:{listener.getsockname()[1]}"
    finally:
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        accepting.join(10)
        for thread in threads:
            thread.join(10)


def _talk(folder: Folder, plain: socket.socket, context: ssl.SSLContext, tls: str) -> None:
    connection = plain
    connection.settimeout(20)
    try:
        if tls == "tls":
            connection = context.wrap_socket(plain, server_side=True)
        _Session(folder, connection, context).run()
    except (OSError, _Cut):
        pass
    finally:
        connection.close()


class _Session:
    def __init__(self, folder: Folder, connection: socket.socket, context: ssl.SSLContext) -> None:
        self.folder = folder
        self.connection = connection
        self.context = context
        self.is_in = False
        self.file = connection.makefile("rb")

    def send(self, line: bytes) -> None:
        self.connection.sendall(line + b"\r\n")

    def run(self) -> None:
        self.send(b"* OK [CAPABILITY " + self.capabilities() + b"] ready")
        try:
            while line := self.file.readline():
                tag, _, rest = line.rstrip(b"\r\n").decode().partition(" ")
                name = rest.upper().replace("UID ", "UID-").partition(" ")[0]
                if self.folder.die_at == name:
                    self.folder.die_at = None
                    raise _Cut
                if not self.answer(tag, name, rest):
                    return
        finally:
            self.file.close()
            self.connection.close()

    def capabilities(self) -> bytes:
        found = self.folder.capabilities
        if not self.is_in:  # as Dovecot: the rest is for whom has logged in
            found = found.replace(" UIDPLUS", "")
        return (
            found if isinstance(self.connection, ssl.SSLSocket) else found + " STARTTLS"
        ).encode()

    def answer(self, tag: str, name: str, rest: str) -> bool:
        match name:
            case "CAPABILITY":
                self.send(b"* CAPABILITY " + self.capabilities())
            case "STARTTLS":
                self.connection.sendall(f"{tag} OK begin\r\n".encode() + self.folder.injected)
                self.file.close()
                self.connection = self.context.wrap_socket(self.connection, server_side=True)
                self.file = self.connection.makefile("rb")
                return True
            case "AUTHENTICATE":
                self.send(b"+ ")
                given = base64.b64decode(self.file.readline())
                if given != f"\0{USER}\0{PASSWORD}".encode():
                    self.send(f"{tag} NO wrong, {given!r}".encode())
                    return True
                self.is_in = True
            case "LOGIN":
                escaped = PASSWORD.replace("\\", "\\\\").replace('"', '\\"')
                if rest != f'LOGIN "{USER}" "{escaped}"':
                    self.send(f"{tag} NO wrong".encode())
                    return True
                self.is_in = True
            case "SELECT":
                self.folder.selected.append(rest.partition(" ")[2])
                self.send(f"* {len(self.folder.messages)} EXISTS".encode())
                self.send(f"* OK [UIDVALIDITY {self.folder.uid_validity}] valid".encode())
            case "UID-SEARCH":
                self.send(" ".join(["* SEARCH", *map(str, self.found(rest))]).encode())
            case "UID-FETCH":
                if not self.fetch(rest):
                    self.send(f"{tag} NO cannot".encode())
                    return True
            case "UID-STORE":
                uid = int(rest.split()[2])
                self.folder.flags[uid] |= set(re.findall(r"\\\w+", rest))
            case "UID-EXPUNGE":
                uid = int(rest.split()[2])
                if "\\Deleted" in self.folder.flags[uid]:
                    del self.folder.messages[uid]
            case "LOGOUT":
                self.send(b"* BYE")
        self.send(f"{tag} OK done".encode())
        return name != "LOGOUT"

    def found(self, rest: str) -> list[int]:
        start = int(rest.split()[-1].partition(":")[0])
        uids = sorted(self.folder.messages)
        return [uid for uid in uids if uid >= start or uid == uids[-1]]

    def fetch(self, rest: str) -> bool:
        uid = int(rest.split()[2])
        if uid in self.folder.unreadable:
            return False
        content = self.folder.messages[uid]
        number = sorted(self.folder.messages).index(uid) + 1
        if "RFC822.SIZE" in rest:
            size = self.folder.stated_sizes.get(uid, len(content))
            self.send(f"* {number} FETCH (UID {uid} RFC822.SIZE {size})".encode())
            return True
        self.folder.fetched.append(uid)
        partial = re.search(r"BODY\.PEEK\[\]<(\d+)\.(\d+)>", rest)
        assert partial is not None, rest
        start, length = int(partial[1]), int(partial[2])
        piece = content[start : start + length]
        if self.folder.literal is not None:
            head = f"* {number} FETCH (UID {uid} BODY[]<{start}> {{{self.folder.literal}}}"
            self.send(head.encode())
            return True
        self.connection.sendall(
            f"* {number} FETCH (UID {uid} BODY[]<{start}> {{{len(piece)}}}\r\n".encode()
            + piece
            + b")\r\n"
        )
        return True
