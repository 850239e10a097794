"""What a peer may say before DATA: who it is, from whom and for whom it brings a message."""

import base64
import binascii
import logging
import ssl
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final, Literal

from aiosmtpd.smtp import SMTP, AuthResult
from aiosmtpd.smtp import Envelope as SmtpEnvelope
from aiosmtpd.smtp import Session as SmtpSession

from gateway.exchange.spooling import MailMeans
from gateway.intakes.smtp_peers import Peers
from gateway.model.caller import Caller
from gateway.model.mail_domains import is_address
from gateway.settings_mail import MailLimits
from gateway.store import tokens
from gateway.store.errors import StoreUnavailable

log = logging.getLogger("gateway.smtp")

NOT_KEPT: Final = "451 4.3.0 It could not be kept; try again later"
_NOT_PLAIN: Final = "501 5.5.2 Not of the form of PLAIN (RFC 4616)"
_ROLES: Final = frozenset({"system"})
"""Whose tokens SMTP takes: a person has no business here."""


@dataclass(frozen=True, slots=True)
class SmtpOptions:
    """How the listener behaves; `context` None is for loopback alone."""

    hostname: str
    limits: MailLimits
    context: ssl.SSLContext | None = None
    tls_required: bool = True
    authentication: Literal["off", "offered", "required"] = "off"


def caller_of(session: SmtpSession) -> Caller | None:
    """Who has proved its name on this connection."""
    known: object = session.auth_data
    return known if session.authenticated and isinstance(known, Caller) else None


class Door:
    """What aiosmtpd asks about each command."""

    def __init__(self, means: MailMeans, options: SmtpOptions, peers: Peers) -> None:
        self._means = means
        self._options = options
        self._peers = peers

    async def handle_EHLO(
        self,
        _server: SMTP,
        session: SmtpSession,
        _envelope: SmtpEnvelope,
        hostname: str,
        responses: list[str],
    ) -> list[str]:
        session.host_name = hostname
        return list(self._offered(responses))

    def _offered(self, responses: list[str]) -> Iterator[str]:
        for response in responses:
            if response.startswith("250-AUTH"):
                if self._options.authentication != "off":
                    yield "250-AUTH PLAIN"
            elif response == "250 HELP":
                yield "250 PIPELINING"
            else:
                yield response

    async def handle_MAIL(
        self,
        _server: SMTP,
        session: SmtpSession,
        envelope: SmtpEnvelope,
        address: str,
        options: list[str],
    ) -> str:
        if address != "<>" and not is_address(address):
            return "553 5.1.7 The sender is no address that we can answer"
        peer = session.peer[0] if session.peer else "unknown"
        if not self._peers.may_send(peer):
            return "450 4.7.1 Too many messages in a minute; try again later"
        envelope.mail_from = address
        envelope.mail_options.extend(options)
        return "250 2.1.0 OK"

    async def handle_RCPT(
        self,
        _server: SMTP,
        session: SmtpSession,
        envelope: SmtpEnvelope,
        address: str,
        options: list[str],
    ) -> str:
        if len(envelope.rcpt_tos) >= self._options.limits.recipients:
            return "452 4.5.3 Too many recipients at once"
        domains = self._means.domains
        if address.lower() == "postmaster":  # RFC 5321: 4.5.1
            address = f"postmaster@{domains.first}"
        if not is_address(address):
            return "553 5.1.3 The recipient is no address that we can take"
        plan = domains.plan_of(address)
        caller = caller_of(session)
        if plan is None or (caller is not None and caller.plan != plan):
            return "550 5.1.2 The recipient is not of a domain of ours"
        envelope.rcpt_tos.append(address)
        envelope.rcpt_options.extend(options)
        return "250 2.1.5 OK"

    async def auth_PLAIN(self, server: SMTP, args: list[str]) -> AuthResult:
        """RFC 4616: the name and the secret of a token whose role is that of a system."""
        response: Any
        if len(args) == 1:
            response = await server.challenge_auth("")
            if not isinstance(response, bytes):
                return AuthResult(success=False)
        else:
            try:
                response = base64.b64decode(args[1], validate=True)
            except binascii.Error:
                return AuthResult(success=False, handled=False, message="501 5.5.2 Not base64")
        parts = response.split(b"\0")
        if len(parts) != 3:
            return AuthResult(success=False, handled=False, message=_NOT_PLAIN)
        acting_for, name, secret = (part.decode("utf-8", "replace") for part in parts)
        caller = await self._verified(secret)
        if caller is None or name not in (caller.name, caller.token_id):
            return AuthResult(success=False, handled=False)
        if acting_for not in ("", name) or caller.role not in _ROLES:
            return AuthResult(success=False, handled=False)
        return AuthResult(success=True, auth_data=caller)

    async def _verified(self, secret: str) -> Caller | None:
        now = datetime.now(UTC)
        return await self._means.archive.database.read_async(
            lambda tx: tokens.verify(tx, secret=secret, now=now)
        )

    async def handle_exception(self, error: Exception) -> str:
        """The door: its text may quote the peer, so that only its kind is logged."""
        if not isinstance(error, StoreUnavailable):
            log.error("a command failed: %s", type(error).__name__)
        return NOT_KEPT
