"""A sealed message as HTTP content (SOAP 1.2 Part 2: 7.1.4; MTOM, DECISIONS 23)."""

import asyncio
import secrets
from collections.abc import AsyncIterator, Iterable
from dataclasses import dataclass
from typing import Final

from ihe.mtom_writing import MultipartWriter, Part
from ihe.soap import MessageKind

# These are sent as MTOM always (DECISIONS 23); the others have nothing to attach.
_AS_MTOM: Final = frozenset({"ITI-39", "ITI-41", "ITI-80"})


@dataclass(frozen=True, slots=True)
class Package:
    """A sealed message as HTTP content: whole, or in pieces that are made as they are sent."""

    content_type: str
    content: bytes | AsyncIterator[bytes]


def plain_package(envelope: bytes, action: str) -> Package:
    """An envelope without attachments."""
    return Package(f'application/soap+xml; charset=UTF-8; action="{action}"', envelope)


def mtom_package(envelope: bytes, action: str, parts: Iterable[Part]) -> Package:
    """An envelope with its attachments, each read only as it is sent."""
    writer = _writer(envelope, action)

    async def pieces() -> AsyncIterator[bytes]:
        chunks = writer.chunks(parts)
        while (chunk := await asyncio.to_thread(next, chunks, None)) is not None:
            yield chunk

    return Package(writer.content_type, pieces())


def request_package(
    kind: MessageKind, envelope: bytes, parts: Iterable[Part], *, is_mtom: bool
) -> Package:
    """A request of ours; `is_mtom` is the partner's wish, and whatever has attachments is MTOM."""
    attached = tuple(parts)
    if attached:
        return mtom_package(envelope, kind.action, attached)
    if kind.transaction not in _AS_MTOM or not is_mtom:
        return plain_package(envelope, kind.action)
    writer = _writer(envelope, kind.action)
    return Package(writer.content_type, b"".join(writer.chunks(())))


def _writer(envelope: bytes, action: str) -> MultipartWriter:
    return MultipartWriter(envelope, boundary=f"gw-{secrets.token_hex(16)}", action=action)
