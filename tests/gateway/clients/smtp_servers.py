"""Scripted mail servers on loopback, real SMTP: what they took, and whom they refuse."""

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session

from gateway.clients.smtp_client import Server
from tests.gateway.house import key_files


@dataclass
class Taken:
    """One message as a server took it."""

    mail_from: str | None
    recipients: list[str]
    content: bytes
    is_tls: bool


@dataclass
class Post:
    """A server's answers, by address or for the whole message, and what it has taken."""

    rcpt: dict[str, str] = field(default_factory=dict)
    data: str = "250 taken"
    taken: list[Taken] = field(default_factory=list)
    port: int = 0

    def server(self, **how: Any) -> Server:
        return Server("127.0.0.1", self.port, **how)

    async def handle_RCPT(
        self, _server: SMTP, _session: Session, envelope: Envelope, address: str, _options: Any
    ) -> str:
        answer = self.rcpt.get(address, "250 ok")
        if answer.startswith("250"):
            envelope.rcpt_tos.append(address)
        return answer

    async def handle_DATA(self, _server: SMTP, session: Session, envelope: Envelope) -> str:
        if self.data.startswith("250"):
            content = envelope.original_content or b""
            is_tls = session.ssl is not None
            self.taken.append(Taken(envelope.mail_from, envelope.rcpt_tos, content, is_tls))
        return self.data


@asynccontextmanager
async def posting(
    *, tls: str | None = None, login: tuple[str, str] | None = None, **answers: Any
) -> AsyncIterator[Post]:
    """A server that listens; `tls` names the certificate with which it offers STARTTLS.

    With `login`, a name and a password, it takes mail from who says them by PLAIN under TLS.
    """
    post = Post(**answers)
    context = None
    if tls is not None:
        certificate, key = key_files(tls)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate, key)
    loop = asyncio.get_running_loop()
    known = None if login is None else LoginPassword(*(one.encode() for one in login))

    def talk() -> SMTP:
        return SMTP(
            post,
            hostname="mx.test",
            tls_context=context,
            loop=loop,
            auth_required=known is not None,
            auth_exclude_mechanism=["LOGIN"],
            authenticator=lambda *said: AuthResult(success=said[-1] == known, handled=False),
        )

    listening = await loop.create_server(talk, "127.0.0.1", 0)
    post.port = listening.sockets[0].getsockname()[1]
    try:
        yield post
    finally:
        listening.close()
