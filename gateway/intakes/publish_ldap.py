"""Our certificates by LDAP: anybody may search them, and nobody can change them (RFC 4511)."""

import asyncio
import logging
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Final

from direct import ldap
from direct.directory import Directory
from direct.ldap import Abandon, Bind, Other, Request, Search, Unbind
from gateway.intakes.talks import talking

log = logging.getLogger(__name__)
_IDLE_SECONDS: Final = 30.0


@asynccontextmanager
async def answering_ldap(
    directory: Callable[[], Directory], host: str, port: int
) -> AsyncIterator[int]:
    """Answers at one port, which is given, while the block runs; of what there is when asked."""

    async def answer(reader: asyncio.StreamReader) -> bytes | None:
        said = answers(directory(), *ldap.read_request(await _next_message(reader)))
        return None if said is None else b"".join(said)

    async with talking(
        answer, host, port, idle_seconds=_IDLE_SECONDS, most_bytes=ldap.MOST_REQUEST_BYTES
    ) as bound:
        log.info("our certificates are in LDAP at %s:%s", host, bound)
        yield bound


def answers(directory: Directory, message_id: int, request: Request) -> list[bytes] | None:
    """What is said to a request, in order; None if nothing more is."""
    match request:
        case Unbind():
            return None
        case Abandon():
            return []
        case Bind():
            return [ldap.write_done(message_id, request, _bound(request))]
        case Search():
            found, code = directory.search(request)
            entries = [ldap.write_entry(message_id, one) for one in found]
            return [*entries, ldap.write_done(message_id, request, code)]
        case Other():
            said = "this directory is only searched"
            refused = ldap.UNWILLING_TO_PERFORM
            if request.is_extended:  # RFC 4511: 4.12: an operation that is not known
                refused = ldap.PROTOCOL_ERROR
            return [ldap.write_done(message_id, request, refused, said=said)]


def _bound(request: Bind) -> int:
    """RFC 4513: 5.1: without a name and without a password, and in no other way."""
    if request.version != 3:
        return ldap.PROTOCOL_ERROR
    if request.password is None:
        return ldap.AUTH_METHOD_NOT_SUPPORTED
    if request.name or request.password:
        return ldap.INVALID_CREDENTIALS
    return ldap.SUCCESS


async def _next_message(reader: asyncio.StreamReader) -> bytes:
    head = await reader.readexactly(2)
    while (length := ldap.message_length(head, most=ldap.MOST_REQUEST_BYTES)) is None:
        head += await reader.readexactly(1)
    return head + await reader.readexactly(length - len(head))
