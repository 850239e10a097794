"""What arrives at a SOAP door: an envelope, and, if it is an answer that we wait for, documents.

A request has no attachments, so that what stands around its envelope is small. An answer to an
ITI-39 of ours may bring any amount: it is let in only once its envelope, which is read first, says
that it relates to a request that waits for this very partner; then it streams into the blobs.
"""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Final

from fastapi import Request
from starlette.requests import ClientDisconnect

from gateway.clients.pouring import Pouring
from gateway.exchange.archive import Archive
from gateway.exchange.retrieving import Attachments
from gateway.model.later import AwaitedAnswer, StoredPart
from ihe.errors import MalformedMessage, MessageTooLarge, UnexpectedMessage
from ihe.mtom import Event, MultipartLimits, MultipartReader, RootPart, is_multipart
from ihe.soap import ENVELOPE_LIMIT_BYTES

# ihe-wire 2.3: partners send SOAP 1.2 as text/xml and application/xml too.
_ENVELOPE_TYPES: Final = ("application/soap+xml", "text/xml", "application/xml")
_SMALL_BYTES: Final = ENVELOPE_LIMIT_BYTES + 1024 * 1024
_ARRIVAL_SECONDS: Final = 60.0
_DOCUMENTS_SECONDS: Final = 30 * 60.0
"""A gigabyte over a slow line, from a partner that we asked for it."""

Look = Callable[[bytes], Awaitable[AwaitedAnswer | None]]
"""The request of ours that an envelope says it answers, if it waits for who is speaking."""


@dataclass(frozen=True, slots=True)
class Message:
    """`awaited` is the request that it may answer; `parts` came with it and are stored."""

    envelope: bytes
    awaited: AwaitedAnswer | None = None
    parts: tuple[StoredPart, ...] = ()


async def read_message(
    request: Request, look: Look, *, archive: Archive, limit_bytes: int
) -> Message:
    """The whole message; `limit_bytes` is for answers that we wait for.

    Raises:
        UnexpectedMessage: its content type is not one of SOAP 1.2.
        MalformedMessage: it is not whole, or took too long.
        MessageTooLarge: a limit is reached.
    """
    content_type = request.headers.get("content-type", "")
    kind = content_type.partition(";")[0].strip().lower()
    if not is_multipart(content_type) and kind not in _ENVELOPE_TYPES:
        raise UnexpectedMessage("the content type is not one of SOAP 1.2")
    try:
        async with asyncio.timeout(_ARRIVAL_SECONDS) as patience:
            if not is_multipart(content_type):
                envelope = await _read_plain(request)
                return Message(envelope, await look(envelope))
            arrival = _Arrival(content_type, look, archive, limit_bytes, patience)
            return await arrival.read(request)
    except TimeoutError:
        raise MalformedMessage("the message took too long to arrive") from None
    except ClientDisconnect:
        raise MalformedMessage("the connection ended before the message") from None


async def _read_plain(request: Request) -> bytes:
    content = bytearray()
    async for chunk in request.stream():
        content += chunk
        if len(content) > ENVELOPE_LIMIT_BYTES:
            raise MessageTooLarge("the envelope is larger than we take")
    return bytes(content)


@dataclass(slots=True)
class _Arrival:
    """A package on its way in."""

    content_type: str
    look: Look
    archive: Archive
    limit_bytes: int
    patience: asyncio.Timeout

    async def read(self, request: Request) -> Message:
        reader = MultipartReader(
            self.content_type, limits=MultipartLimits(total_bytes=self.limit_bytes)
        )
        envelope, awaited, early, size = b"", None, list[Event](), 0
        attachments: Attachments | None = None
        pouring = Pouring(None)
        try:
            async for chunk in request.stream():
                size += len(chunk)
                if attachments is None and size > _SMALL_BYTES:
                    raise MessageTooLarge("the message is over our limit")
                for event in reader.feed(chunk):
                    if isinstance(event, RootPart):
                        envelope = event.content
                        awaited = await self.look(envelope)
                        # No other answer has attachments: there they are passed over, not kept.
                        if awaited is not None and awaited.transaction == "ITI-39":
                            attachments = Attachments(self.archive, awaited.plan)
                            pouring = Pouring(attachments.open)
                            self._be_patient()
                            for kept in early:
                                await pouring.take(kept)
                    elif attachments is None and not envelope:
                        early.append(event)  # the root part need not be the first
                    else:
                        await pouring.take(event)
            reader.close()
        except BaseException:
            if attachments is not None:
                attachments.discard()
            raise
        parts = () if attachments is None else attachments.stored()
        return Message(envelope, awaited, parts)

    def _be_patient(self) -> None:
        self.patience.reschedule(asyncio.get_running_loop().time() + _DOCUMENTS_SECONDS)
