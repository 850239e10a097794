"""An MTOM package as it streams in: the envelope kept, attachments written where they belong."""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from typing import Final, Protocol

from ihe.mtom import PartData, PartEnd, PartStart, RootPart

_SINK_CHUNK_BYTES: Final = 4 * 1024 * 1024
"""Handed over at a time, so that the way to a thread and its digests costs little. As much again
is on its way to disk."""


class Writer(Protocol):
    """Where one attachment goes. Called from a thread, in order."""

    def write(self, *pieces: bytes) -> None: ...

    def finish(self) -> object: ...


Sink = Callable[[str | None, str | None], Writer]
"""A writer for the attachment of this Content-ID and declared type."""


class Pouring:
    """Events of a multipart answer: the root kept, attachments written to their sink.

    One piece is written while the next one comes in: hashing and sealing take as long as TLS does.
    """

    def __init__(self, sink: Sink | None) -> None:
        self.root = b""
        self._sink = sink
        self._writer: Writer | None = None
        self._pieces: list[bytes] = []
        self._size = 0
        self._writing: asyncio.Task[None] | None = None

    async def take(self, event: RootPart | PartStart | PartData | PartEnd) -> None:
        match event:
            case RootPart(content=content):
                self.root = content
            case PartStart(cid=cid, content_type=content_type):
                self._writer = self._sink(cid, content_type) if self._sink else None
            case PartData(content=content):
                self._pieces.append(content)
                self._size += len(content)
                if self._size >= _SINK_CHUNK_BYTES:
                    await self._flush()
            case PartEnd():
                await self._flush()
                await self._settle()
                if self._writer is not None:
                    await asyncio.to_thread(self._writer.finish)
                self._writer = None

    async def stop(self) -> None:
        """Returns once nothing is being written any more, after the message has broken off."""
        # How the last piece fared no longer matters: it is thrown away, and the break is raised.
        with suppress(Exception):
            await self._settle()

    async def _flush(self) -> None:
        pieces, self._pieces, self._size = self._pieces, [], 0
        await self._settle()
        if self._writer is not None and pieces:
            self._writing = asyncio.create_task(asyncio.to_thread(self._writer.write, *pieces))

    async def _settle(self) -> None:
        writing, self._writing = self._writing, None
        if writing is not None:
            await writing
