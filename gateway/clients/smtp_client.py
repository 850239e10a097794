"""SMTP out: one message to one domain's server, or to our smarthost (RFC 5321, DECISIONS 31).

To a smarthost or HISP the connection is under TLS and verified, or nothing is sent. To a server
that an MX record names TLS is used when offered, whatever its certificate says, for the content is
sealed by itself; a domain's policy may demand more. What is known of a failure is whether trying
again can help, and whether the message may have arrived all the same.
"""

import asyncio
import ssl
from collections.abc import Sequence
from dataclasses import dataclass, field
from ipaddress import IPv4Address, IPv6Address
from typing import Final, Literal

from aiosmtplib import (
    SMTP,
    SMTPException,
    SMTPRecipientRefused,
    SMTPRecipientsRefused,
    SMTPResponseException,
)

from gateway.clients.smtp_replies import in_our_words

Security = Literal["opportunistic", "starttls", "tls"]
"""TLS if it is offered; STARTTLS and verified; TLS from the first byte and verified."""
SECONDS: Final = 60.0
"""For one command and its answer; the end of a message may take its server longer to think of."""
_DATA_SECONDS: Final = 600.0


@dataclass(frozen=True, slots=True)
class Server:
    """Where a message is handed over. `anchors` are PEM texts; none means the system's.

    `address` is where the connection goes if that was looked up before; certificates are checked
    against `host` all the same.
    """

    host: str
    port: int = 25
    security: Security = "opportunistic"
    anchors: tuple[str, ...] = ()
    user: str | None = None
    password: str | None = field(default=None, repr=False)
    address: IPv4Address | IPv6Address | None = None


@dataclass(frozen=True, slots=True)
class RefusedRecipient:
    """A recipient that the server did not take, and why in our words."""

    address: str
    reason: str
    is_permanent: bool


@dataclass(frozen=True, slots=True)
class HandedOver:
    """Whom the server has taken the message for, and under which TLS, None if none."""

    server: str
    tls: str | None
    accepted: tuple[str, ...]
    refused: tuple[RefusedRecipient, ...] = ()


class NotHandedOver(Exception):
    """The message was taken for nobody; the text is ours, with at most the server's code.

    `is_permanent`: trying again cannot help. `is_uncertain`: the connection broke after the
    message's last byte may have left, so that it may have arrived.
    """

    def __init__(
        self,
        reason: str,
        *,
        is_permanent: bool = False,
        is_uncertain: bool = False,
        refused: tuple[RefusedRecipient, ...] = (),
    ) -> None:
        super().__init__(reason)
        self.reason = reason
        self.is_permanent = is_permanent
        self.is_uncertain = is_uncertain
        self.refused = refused


class _NextServer(Exception):
    """This server is of no use now; another of the domain may be."""


@dataclass(frozen=True, slots=True)
class SmtpClient:
    """Hands messages over. `hostname` is how we greet."""

    hostname: str
    seconds: float = SECONDS

    async def hand_over(
        self,
        servers: Sequence[Server],
        *,
        mail_from: str,
        recipients: Sequence[str],
        message: bytes,
    ) -> HandedOver:
        """The first server of `servers` that takes it decides.

        An empty `mail_from` is the null reverse-path, for what must not be answered.

        Raises:
            NotHandedOver: nobody took it for anyone.
        """
        reasons = []
        for server in servers:
            try:
                return await self._at(server, mail_from, recipients, message)
            except _NextServer as failure:
                reasons.append(f"{server.host}: {failure}")
        raise NotHandedOver("; ".join(reasons) or "the domain has no mail server")

    async def _at(
        self, server: Server, mail_from: str, recipients: Sequence[str], message: bytes
    ) -> HandedOver:
        try:
            smtp, tls = await self._connected(server)
        except (SMTPException, OSError, ValueError) as error:
            raise _NextServer(_said(error)) from None
        try:
            return await self._transaction(smtp, server, tls, mail_from, recipients, message)
        finally:
            await _leave(smtp)

    # ---- connecting --------------------------------------------------------------------------

    async def _connected(self, server: Server) -> tuple[SMTP, str | None]:
        if server.security != "opportunistic":
            return await self._secured(server, _verified(server.anchors))
        try:
            return await self._secured(server, _unverified(), is_wanted=True)
        except (ssl.SSLError, ConnectionError):
            # Its TLS is broken. The content is sealed: rather in the clear than not at all.
            smtp = self._smtp(server, use_tls=False, context=None)
            await smtp.connect()
            return smtp, None

    async def _secured(
        self, server: Server, context: ssl.SSLContext, *, is_wanted: bool = False
    ) -> tuple[SMTP, str | None]:
        smtp = self._smtp(server, use_tls=server.security == "tls", context=context)
        try:
            await smtp.connect()
            if server.security != "tls":
                await smtp.ehlo()
                if is_wanted and not smtp.supports_extension("starttls"):
                    return smtp, None
                # Without the extension it raises: a stripped offer must not make us send.
                await smtp.starttls(server_hostname=server.host, tls_context=context)
            if server.user is not None:
                await smtp.login(server.user, server.password or "")
        except SMTPResponseException:
            await _leave(smtp)
            raise
        except BaseException:
            smtp.close()
            raise
        channel = smtp.get_transport_info("ssl_object")
        return smtp, None if channel is None else channel.version()

    def _smtp(self, server: Server, *, use_tls: bool, context: ssl.SSLContext | None) -> SMTP:
        return SMTP(
            hostname=server.host if server.address is None else str(server.address),
            port=server.port,
            local_hostname=self.hostname,
            timeout=self.seconds,
            use_tls=use_tls,
            start_tls=False,  # ours to do, so that we see whether it was done
            tls_context=context,
        )

    # ---- the transaction ---------------------------------------------------------------------

    async def _transaction(
        self,
        smtp: SMTP,
        server: Server,
        tls: str | None,
        mail_from: str,
        recipients: Sequence[str],
        message: bytes,
    ) -> HandedOver:
        accepted, refused = await self._envelope(smtp, mail_from, recipients, len(message))
        if not accepted:
            raise NotHandedOver(
                f"{server.host} refuses every recipient",
                is_permanent=all(one.is_permanent for one in refused),
                refused=refused,
            )
        try:
            await smtp.data(message, timeout=max(self.seconds, _DATA_SECONDS))
        except SMTPResponseException as error:
            permanent = 500 <= error.code < 600
            raise NotHandedOver(
                f"{server.host} refuses the message with {error.code}", is_permanent=permanent
            ) from None
        except (SMTPException, OSError) as error:
            raise NotHandedOver(
                f"{server.host}: {_said(error)} while the message was being sent",
                is_uncertain=True,
            ) from None
        return HandedOver(server.host, tls, accepted, refused)

    async def _envelope(
        self, smtp: SMTP, mail_from: str, recipients: Sequence[str], size_bytes: int
    ) -> tuple[tuple[str, ...], tuple[RefusedRecipient, ...]]:
        accepted, refused = [], []
        try:
            await smtp.ehlo()
            options = [f"SIZE={size_bytes}"] if smtp.supports_extension("size") else []
            await smtp.mail(mail_from, options=options)
            for recipient in recipients:
                try:
                    await smtp.rcpt(recipient)
                    accepted.append(recipient)
                except SMTPRecipientRefused as error:
                    permanent = 500 <= error.code < 600
                    reason = in_our_words(error.code, error.message)
                    refused.append(RefusedRecipient(recipient, reason, permanent))
        except SMTPResponseException as error:
            if 500 <= error.code < 600:
                raise NotHandedOver(
                    f"their server refuses us with {error.code}", is_permanent=True
                ) from None
            raise _NextServer(_said(error)) from None
        except (SMTPException, OSError) as error:
            raise _NextServer(_said(error)) from None
        return tuple(accepted), tuple(refused)


def _verified(anchors: Sequence[str]) -> ssl.SSLContext:
    context = ssl.create_default_context(cadata="\n".join(anchors) or None)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    return context


def _unverified() -> ssl.SSLContext:
    """RFC 7435: against whoever only listens. Who the server is, the sealed content settles."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


async def _leave(smtp: SMTP) -> None:
    """Politely, but not for long: what was to be said has been said."""
    channel = smtp.transport
    try:
        await asyncio.wait_for(smtp.quit(), timeout=5.0)
    except (SMTPException, OSError):
        smtp.close()
    finally:
        # Closed over TLS it would wait for the other side, and outlive a loop that ends with us.
        if isinstance(channel, asyncio.WriteTransport):
            channel.abort()


def _said(error: Exception) -> str:
    """What happened, in words that hold nothing the other side made up."""
    match error:
        case SMTPRecipientsRefused():
            return "it refuses every recipient"
        case SMTPResponseException(code=code):
            return f"it answers {code}"
        case ssl.SSLCertVerificationError():
            return "its certificate is not one that we trust"
        case ssl.SSLError():
            return "TLS with it failed"
        case TimeoutError():
            return "it takes too long"
        case OSError() | SMTPException():
            return f"the connection failed ({type(error).__name__})"
        case _:
            return f"it cannot be asked ({type(error).__name__})"
