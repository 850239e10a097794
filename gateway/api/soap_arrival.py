"""What arrives at a SOAP door: an envelope, and, where they are welcome, documents.

A question has no attachments, so that what stands around its envelope is small. An answer to an
ITI-39 of ours, or a submission, may bring any amount: it is let in only once its envelope, which
is read first, says that it relates to a request that waits for this very partner, or is verified
and allowed; then it streams into the blobs.
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
from gateway.model.identity import PlanId
from gateway.model.later import AwaitedAnswer, StoredPart
from ihe.errors import MalformedMessage, MessageTooLarge, UnexpectedMessage
from ihe.mtom import Event, MultipartLimits, MultipartReader, RootPart, is_multipart
from ihe.soap import ENVELOPE_LIMIT_BYTES

# ihe-wire 2.3: partners send SOAP 1.2 as text/xml and application/xml too.
_ENVELOPE_TYPES: Final = ("application/soap+xml", "text/xml", "application/xml")
_NOT_SOAP: Final = "the content type is not one of SOAP 1.2"
_MTOM: Final = (
    'MTOM required: a message with attachments is multipart/related; type="application/xop+xml"'
)
_SMALL_BYTES: Final = ENVELOPE_LIMIT_BYTES + 1024 * 1024
_ARRIVAL_SECONDS: Final = 60.0
_DOCUMENTS_SECONDS: Final = 30 * 60.0
"""A gigabyte over a slow line, from a partner that may bring it."""


@dataclass(frozen=True, slots=True)
class Welcome:
    """That more may come with an envelope: attachments for that plan, or to be passed over.

    `awaited` is the request of ours that it says it answers, if it waits for who is speaking.
    """

    plan: PlanId | None = None
    awaited: AwaitedAnswer | None = None


Look = Callable[[bytes], Awaitable[Welcome | None]]
"""What an envelope is the beginning of; None of a question, to which nothing belongs."""


def _is_small(welcome: Welcome | None) -> bool:
    """A question, and an answer that has no attachments; what comes with a submission that is
    declined is passed over, so that its sender hears why."""
    return welcome is None or (welcome.awaited is not None and welcome.plan is None)


@dataclass(frozen=True, slots=True)
class Message:
    """`awaited` is the request that it may answer; `parts` came with it and are stored."""

    envelope: bytes
    awaited: AwaitedAnswer | None = None
    parts: tuple[StoredPart, ...] = ()


async def read_message(
    request: Request, look: Look, *, archive: Archive, limit_bytes: int
) -> Message:
    """The whole message; `limit_bytes` is for what is welcome.

    Raises:
        UnexpectedMessage: its content type is not one of SOAP 1.2.
        MalformedMessage: it is not whole, or took too long.
        MessageTooLarge: a limit is reached.
    """
    content_type = request.headers.get("content-type", "")
    kind = content_type.partition(";")[0].strip().lower()
    if not is_multipart(content_type) and kind not in _ENVELOPE_TYPES:
        about_mtom = kind == "application/xop+xml" or kind.startswith("multipart/")
        raise UnexpectedMessage(_MTOM if about_mtom else _NOT_SOAP)
    try:
        async with asyncio.timeout(_ARRIVAL_SECONDS) as patience:
            if not is_multipart(content_type):
                envelope = await _read_plain(request)
                welcome = await look(envelope)
                return Message(envelope, welcome.awaited if welcome else None)
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
        envelope, early, size = b"", list[Event](), 0
        welcome: Welcome | None = None
        attachments: Attachments | None = None
        pouring = Pouring(None)
        try:
            async for chunk in request.stream():
                size += len(chunk)
                if _is_small(welcome) and size > _SMALL_BYTES:
                    raise MessageTooLarge("the message is over our limit")
                for event in reader.feed(chunk):
                    if isinstance(event, RootPart):
                        envelope = event.content
                        welcome = await self.look(envelope)
                        # What belongs to nothing is passed over, not kept.
                        if welcome is not None and welcome.plan is not None:
                            attachments = Attachments(self.archive, welcome.plan)
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
            await pouring.stop()
            if attachments is not None:
                attachments.discard()
            raise
        parts = () if attachments is None else attachments.stored()
        return Message(envelope, welcome.awaited if welcome else None, parts)

    def _be_patient(self) -> None:
        self.patience.reschedule(asyncio.get_running_loop().time() + _DOCUMENTS_SECONDS)
