"""SMTP in (RFC 5321): a message is answered with 250 once it is safe, and never looked into.

On a real address nothing but EHLO goes before STARTTLS (RFC 3207). aiosmtpd speaks the commands;
what follows DATA, and every limit, is ours. Its own log would hold addresses, so it is silent.
"""

import asyncio
import collections
import contextlib
import errno
import logging
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, Final, Literal

from aiosmtpd.smtp import SMTP
from aiosmtpd.smtp import Envelope as SmtpEnvelope

from gateway.exchange.spooling import Envelope, MailMeans, Spool, count_refusal
from gateway.intakes.smtp_commands import NOT_KEPT, Door, SmtpOptions, caller_of
from gateway.intakes.smtp_data import DataReader, Fault
from gateway.intakes.smtp_peers import Peers
from gateway.store.errors import StoreFull, StoreUnavailable

log = logging.getLogger("gateway.smtp")

_CHUNK: Final = 64 * 1024
_FULL: Final = frozenset({errno.ENOSPC, errno.EDQUOT})
_GRACE_SECONDS: Final = 10.0
"""How long a message that is coming in may take once we are asked to stop."""
_CALLS: Final = {"*": 100_000, "NOOP": 100, "HELP": 10, "VRFY": 10, "EHLO": 10, "HELO": 10}
"""How often a command may come on one connection: each resets the clock of the next."""

_PATH: Final = re.compile(r"<(?:@[^:<>\s]+:)?([^<>\s]*)>(?:[ \t]+(.*))?")

_STORED: Final = "250 2.0.0 It is safe"
_BUSY: Final = "421 4.7.0 Too many connections; try again later"
_TOO_MANY_ERRORS: Final = "421 4.7.0 Too many errors"
_TIMED_OUT: Final = "421 4.4.2 That took too long"
_STOPPING: Final = "421 4.3.2 We are stopping; try again shortly"
_NO_ROOM: Final = "452 4.3.1 There is no room for it; try again later"

_REASONS: Final = {
    _BUSY: "too many connections",
    _TOO_MANY_ERRORS: "too many errors on one connection",
    _TIMED_OUT: "it took too long",
    _NO_ROOM: "there is no room left",
    NOT_KEPT: "it could not be kept",
    "450": "too many messages in a minute",
    "452": "too many recipients at once",
    "500": "a command or a line that is not of SMTP",
    "501": "a command of the wrong form",
    "502": "a command that is not done here",
    "503": "a command out of its order",
    "504": "a mechanism that is not offered",
    "530": "no STARTTLS, or no name, before the message",
    "535": "unknown credentials",
    "538": "credentials without TLS",
    "550": "the recipient is not of a domain of ours",
    "552": "the message is too large",
    "553": "an address of the wrong form",
    "555": "a parameter that is not taken",
    Fault.BARE_LINE_END.value: "a lone CR or LF within the message",
    Fault.LONG_LINE.value: "a line of the message is too long",
}
"""What is recorded of an answer, by the answer or by its code: never a word of the peer's."""


@asynccontextmanager
async def smtp_running(
    means: MailMeans, options: SmtpOptions, host: str, port: int
) -> AsyncIterator[str]:
    """The listener up while the block runs; gives the address as bound. Leaving it drains.

    Raises:
        OSError: the address cannot be bound.
    """
    logging.getLogger("mail.log").setLevel(logging.CRITICAL + 1)
    limits = options.limits
    peers = Peers(
        connections=limits.connections,
        connections_per_peer=limits.connections_per_peer,
        messages_per_minute=limits.messages_per_minute,
    )
    loop = asyncio.get_running_loop()
    live: set[Receiver] = set()
    server = await loop.create_server(
        lambda: Receiver(means, options, peers, live), host, port, reuse_address=True
    )
    try:
        bound_host, bound_port = server.sockets[0].getsockname()[:2]
        yield f"{bound_host}:{bound_port}"
    finally:
        server.close()
        await _drain(live)
        await server.wait_closed()


async def _drain(live: set["Receiver"]) -> None:
    """Ends the idle, waits a little for those in the midst of a message, then ends them too."""
    for receiver in tuple(live):
        receiver.stop()
    until = asyncio.get_running_loop().time() + _GRACE_SECONDS
    while live and asyncio.get_running_loop().time() < until:
        await asyncio.sleep(0.02)
    for receiver in tuple(live):
        receiver.cut()


class Receiver(SMTP):
    """One connection."""

    def __init__(
        self, means: MailMeans, options: SmtpOptions, peers: Peers, live: set["Receiver"]
    ) -> None:
        offers = options.authentication != "off"
        super().__init__(
            Door(means, options, peers),
            data_size_limit=options.limits.message_bytes,
            hostname=options.hostname,
            ident="ESMTP",
            tls_context=options.context,
            require_starttls=options.context is not None and options.tls_required,
            timeout=options.limits.command_seconds,
            auth_required=options.authentication == "required" and options.context is not None,
            auth_require_tls=options.context is not None,
            auth_exclude_mechanism=["LOGIN"] if offers else ["LOGIN", "PLAIN"],
            command_call_limit=_CALLS,
            loop=asyncio.get_running_loop(),
        )
        # aiosmtpd has one for all connections, and every EHLO of any lengthens it.
        self.command_size_limits = collections.defaultdict(lambda: SMTP.command_size_limit)
        self._auth_required = options.authentication == "required"
        self._means = means
        self._limits = options.limits
        self._peers = peers
        self._live = live
        self._address: str | None = None
        self._errors = 0
        self._is_busy = False
        self._is_stopping = False

    # ---- the connection ----------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        if self._address is not None:  # the same connection, under TLS from now on
            super().connection_made(transport)
            return
        name = transport.get_extra_info("peername")
        address = name[0] if name else "unknown"
        if not self._peers.enter(address):
            self._turn_away(transport, address)
            return
        self._address = address
        self._live.add(self)
        super().connection_made(transport)

    def _turn_away(self, transport: asyncio.BaseTransport, address: str) -> None:
        if isinstance(transport, asyncio.WriteTransport):
            transport.write(_BUSY.encode("ascii") + b"\r\n")
        transport.close()
        self._note_later(_BUSY, address)

    def connection_lost(self, error: Exception | None) -> None:
        if self._address is None:
            return
        if self in self._live:
            self._live.discard(self)
            self._peers.leave(self._address)
        super().connection_lost(error)

    def eof_received(self) -> bool | None:
        return None if self._address is None else super().eof_received()

    def data_received(self, data: bytes) -> None:
        if self._address is not None:
            super().data_received(data)

    def stop(self) -> None:
        """Ends the connection as soon as no message is on its way in."""
        self._is_stopping = True
        if not self._is_busy:
            self.cut()

    def cut(self) -> None:
        """Ends the connection now."""
        if self.transport is not None:
            self._say(_STOPPING)
            self.transport.close()

    def _timeout_cb(self) -> None:
        self._say(_TIMED_OUT)
        self._note_later(_TIMED_OUT, self._address or "unknown")
        self._close()

    def _say(self, status: str) -> None:
        with contextlib.suppress(OSError, RuntimeError):
            self._writer.write(status.encode("ascii") + b"\r\n")

    # ---- what is answered --------------------------------------------------------------------

    async def push(self, status: Any) -> None:
        """Answers; a refusal is recorded first (DECISIONS 16), and too many end the connection."""
        text = status if isinstance(status, str) else bytes(status).decode("ascii", "replace")
        if not text.startswith(("2", "3")):
            self._errors += 1
            await self._note(text, self._address or "unknown")
        if self._errors > self._limits.errors:
            await self._note(_TOO_MANY_ERRORS, self._address or "unknown")
            self._say(_TOO_MANY_ERRORS)
            self._close()
            return
        await super().push(status)

    async def _note(self, status: str, address: str) -> None:
        reason = _REASONS.get(status) or _REASONS.get(status[:3], "a command that is not taken")
        outcome: Literal["refused", "failed"] = (
            "failed" if status in (_NO_ROOM, NOT_KEPT) else "refused"
        )
        try:
            await count_refusal(self._means, "SMTP", peer=address, reason=reason, outcome=outcome)
        except StoreUnavailable:
            log.error("a refusal could not be recorded: the database is out of reach")

    def _note_later(self, status: str, address: str) -> None:
        """From where nothing can be awaited."""
        task = self.loop.create_task(self._note(status, address))
        _NOTING.add(task)
        task.add_done_callback(_NOTING.discard)

    def _close(self) -> None:
        if self.transport is not None:
            self.transport.close()

    # ---- commands that are not aiosmtpd's ----------------------------------------------------

    def _getaddr(self, arg: str) -> tuple[str | None, str | None]:
        """The address between the angle brackets, and what follows; None for any other form.

        A source route is passed over (RFC 5321: C). The `email` package, which aiosmtpd asks,
        would read comments, and what lacks a bracket (CVE-2023-27043).
        """
        if not arg:
            return "", ""
        found = _PATH.fullmatch(arg.strip())
        return (None, None) if found is None else (found[1] or "<>", found[2] or "")

    async def smtp_STARTTLS(self, arg: str) -> None:
        # RFC 3207: 4.2. What was sent in the clear after STARTTLS, anybody may have put there.
        if self._reader._buffer:  # type: ignore[attr-defined]
            await self.push("501 5.5.1 Nothing may follow STARTTLS before it is answered")
            self._close()
            return
        await super().smtp_STARTTLS(arg)

    async def smtp_VRFY(self, arg: str) -> None:
        """RFC 5321: 3.5.3; whoever asks learns nothing."""
        await self.push("252 2.1.5 Send some mail, and see")

    async def smtp_DATA(self, arg: str) -> None:
        if await self.check_helo_needed() or await self.check_auth_needed("DATA"):
            return
        envelope = self.envelope
        if envelope is None or not envelope.rcpt_tos:
            await self.push("503 5.5.1 Error: need RCPT command")
            return
        if arg:
            await self.push("501 5.5.4 Syntax: DATA")
            return
        # One clock for the whole message, however it drips.
        self._reset_timeout(self._limits.data_seconds)
        self._is_busy = True
        try:
            await super().push("354 End data with <CR><LF>.<CR><LF>")
            status = await self._take_message(envelope)
        finally:
            self._is_busy = False
            self._set_post_data_state()  # type: ignore[no-untyped-call]
        self._reset_timeout()
        await self.push(status)
        if status == Fault.BARE_LINE_END.value:
            self._close()  # what comes next is no command of anybody's
        elif self._is_stopping:
            self.cut()

    async def _take_message(self, envelope: SmtpEnvelope) -> str:
        try:
            async with Spool(self._means, self._stated(envelope)) as spool:
                fault = await self._read_into(spool)
                if fault is not None:
                    return fault.value
                await spool.commit()
                return _STORED
        except StoreFull:
            return _NO_ROOM
        except StoreUnavailable:
            return NOT_KEPT
        except ConnectionError:
            raise
        except OSError as error:
            return _NO_ROOM if error.errno in _FULL else NOT_KEPT

    def _stated(self, envelope: SmtpEnvelope) -> Envelope:
        known = None if self.session is None else caller_of(self.session)
        sender = envelope.mail_from or ""
        return Envelope(
            door="SMTP",
            mail_from="" if sender == "<>" else sender,
            rcpt_to=tuple(envelope.rcpt_tos),
            peer=self._address,
            person=known.name if known else None,
            role=known.role if known else None,
        )

    async def _read_into(self, spool: Spool) -> Fault | None:
        """Reads to the end of the message, so that what it is answered with is heard."""
        reader, failure = DataReader(self._limits.message_bytes), None
        while not reader.ended:
            chunk = await self._reader.read(_CHUNK)
            if not chunk:
                raise ConnectionResetError
            lines = reader.feed(chunk)
            if reader.fault is Fault.BARE_LINE_END or reader.size > 2 * self._limits.message_bytes:
                return reader.fault
            if lines and failure is None:
                try:
                    await spool.write(lines)
                except OSError as error:
                    failure = error
        # Commands that were sent with the message; the reader has no public way back.
        self._reader._buffer[:0] = reader.rest  # type: ignore[attr-defined]
        if reader.fault is None and failure is not None:
            raise failure
        return reader.fault


_NOTING: Final[set[asyncio.Task[None]]] = set()
"""Refusals about to be recorded: the loop itself keeps tasks but weakly."""
