"""An MTOM answer on its way out, and what is done when it does not arrive (DECISIONS 16).

The record of the answer has committed before its first byte leaves. Whatever ends the transfer
before the last byte is told to the caller, who appends a second record.
"""

import asyncio
import secrets
from collections.abc import Awaitable, Callable, Iterator, Sequence
from typing import Final

from fastapi.responses import Response
from starlette.types import Receive, Scope, Send

from ihe.mtom_writing import MultipartWriter, Part

_AT_ONCE_BYTES: Final = 512 * 1024
_SMALL_BYTES: Final = 32 * 1024
_TRANSFER_SECONDS: Final = 30 * 60.0
"""A gigabyte over a slow line; whoever takes longer only holds the connection."""


class Package(Response):
    """The envelope and its attachments, decrypted as they are sent; nothing is held whole.

    `broken` is awaited with the reason if the partner cannot have received everything.
    """

    def __init__(
        self,
        envelope: bytes,
        parts: Sequence[Part],
        *,
        action: str,
        broken: Callable[[str], Awaitable[None]],
    ) -> None:
        writer = MultipartWriter(envelope, boundary=f"gw-{secrets.token_hex(16)}", action=action)
        self.status_code = 200
        self.background = None
        size = writer.size_of(parts)
        stated = {} if size is None else {"content-length": str(size)}
        self.init_headers({"content-type": writer.content_type, **stated})
        self._chunks: Iterator[bytes] = writer.chunks(parts)
        self._broken = broken

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
            bodies, is_more = await asyncio.to_thread(_gather, self._chunks)
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
