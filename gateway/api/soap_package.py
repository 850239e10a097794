"""An MTOM answer on its way out, and what is done when it does not arrive (DECISIONS 16).

The record of the answer has committed before its first byte leaves. Whatever ends the transfer
before the last byte is told to the caller, who appends a second record.
"""

import asyncio
import secrets
import time
from collections.abc import Awaitable, Callable, Iterator, Sequence
from typing import Final

from fastapi.responses import Response
from starlette.types import Receive, Scope, Send

from ihe.mtom_writing import MultipartWriter, Part

_AT_ONCE_BYTES: Final = 512 * 1024
_SMALL_BYTES: Final = 32 * 1024
_TRANSFER_SECONDS: Final = 30 * 60.0
"""A gigabyte over a slow line; whoever takes longer only holds the connection."""
_WAITED_SECONDS: Final = 0.01
"""That an answer waited for the disk while it was gathered; the loop must not wait longer."""
_FAR_SECONDS: Final = 1.0
"""For so long threads gather those that follow one that waited."""


class _Disk:
    """Whether what is stored is had without waiting, as it is while the system holds it in memory.

    A thread costs the answer of one document a sixth of all else: half a megabyte is decrypted in
    a third of a millisecond, and the interpreter handed over and back takes longer.
    """

    def __init__(self) -> None:
        self._far_until = 0.0

    async def gather(self, chunks: Iterator[bytes], *, is_brief: bool) -> tuple[list[bytes], bool]:
        """As `_gather`: here and now if it is brief and none had to wait of late, else in a thread.

        Raises:
            StoreError: what is stored is not there, or damaged.
        """
        if not is_brief or time.monotonic() < self._far_until:
            return await asyncio.to_thread(_gather, chunks)
        started, computing = time.monotonic(), time.thread_time()
        try:
            return _gather(chunks)
        finally:
            now = time.monotonic()
            if (now - started) - (time.thread_time() - computing) > _WAITED_SECONDS:
                self._far_until = now + _FAR_SECONDS


_DISK: Final = _Disk()


class Package(Response):
    """The envelope and its attachments, decrypted as they are sent; nothing is held whole.

    `broken` is awaited with the reason if the partner cannot have received everything. With
    `may_be_brief` what is small is decrypted on the loop, where nothing but the disk is waited for.
    """

    def __init__(
        self,
        envelope: bytes,
        parts: Sequence[Part],
        *,
        action: str,
        broken: Callable[[str], Awaitable[None]],
        may_be_brief: bool = False,
    ) -> None:
        writer = MultipartWriter(envelope, boundary=f"gw-{secrets.token_hex(16)}", action=action)
        self.status_code = 200
        self.background = None
        size = writer.size_of(parts)
        stated = {} if size is None else {"content-length": str(size)}
        self.init_headers({"content-type": writer.content_type, **stated})
        self._chunks: Iterator[bytes] = writer.chunks(parts)
        self._broken = broken
        self._is_brief = may_be_brief and size is not None and size <= _AT_ONCE_BYTES

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        gone = asyncio.create_task(_until_gone(receive))
        try:
            async with asyncio.timeout(_TRANSFER_SECONDS):
                reason = await self._send(send, gone)
        except asyncio.CancelledError:
            await self._broken("the gateway was stopped during the transfer")
            raise
        except TimeoutError:
            reason = "the transfer took longer than is allowed"
        except Exception as error:  # the door: the server would log what the text quotes
            reason = f"the transfer failed: {type(error).__name__}"
        finally:
            gone.cancel()
        if reason is None:
            await send({"type": "http.response.body", "body": b"", "more_body": False})
        else:
            # Without the last chunk the server cuts the connection: the partner sees it is short.
            await self._broken(reason)

    async def _send(self, send: Send, gone: asyncio.Task[None]) -> str | None:
        """Why it did not arrive; None when all of it was sent."""
        headers = self.raw_headers
        await send({"type": "http.response.start", "status": self.status_code, "headers": headers})
        is_more = True
        while is_more:
            bodies, is_more = await _DISK.gather(self._chunks, is_brief=self._is_brief)
            for body in bodies:
                await send({"type": "http.response.body", "body": body, "more_body": True})
                if gone.done():
                    return "the partner broke off the transfer"
        return None


def _gather(chunks: Iterator[bytes]) -> tuple[list[bytes], bool]:
    """The next chunks, the small ones as one, and whether there may be more: each way to a thread
    costs as much as decrypting a document, and copying one costs as much as a packet or two."""
    found, size = list[bytes](), 0
    for chunk in chunks:
        if found and len(found[-1]) + len(chunk) <= _SMALL_BYTES:
            found[-1] += chunk
        else:
            found.append(chunk)
        size += len(chunk)
        if size >= _AT_ONCE_BYTES:
            return found, True
    return found, False


async def _until_gone(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
