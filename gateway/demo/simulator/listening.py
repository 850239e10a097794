"""The socket of a simulated partner: HTTP/1.1 by hand, since no server library lets one cheat.

A request is read whole; what is sent back, and how, is the mood's.
"""

import asyncio
import contextlib
import logging
import socket
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import format_datetime
from typing import Final

import httpx

from gateway.demo.simulator.answering import Responder
from gateway.demo.simulator.replies import SLOW_SECONDS, Brought, Reply
from ihe.wsdl import WsdlName, wsdl_bytes

log = logging.getLogger("gateway")
_HEAD_BYTES: Final = 64 * 1024
_REQUEST_BYTES: Final = 64 * 1024 * 1024
_BRING_SECONDS: Final = 20.0
_DRIP_SECONDS: Final = 0.25
_ENDLESS: Final = b" " * 65536
_REASONS: Final = {200: "OK", 302: "Found", 404: "Not Found", 500: "Internal Server Error"}
DOORS: Final[dict[str, WsdlName]] = {"/ihe/xcpd": "xcpd", "/ihe/xca": "xca"}
_Streams = tuple[asyncio.StreamReader, asyncio.StreamWriter]


@dataclass(slots=True)
class Listening:
    """A partner that listens on `port`."""

    port: int
    responder: Responder
    client: ssl.SSLContext | None = None
    """With which it connects to bring what comes later; without one it brings nothing."""
    errands: set[asyncio.Task[None]] = field(default_factory=set)


@asynccontextmanager
async def listening(
    responder: Responder,
    context: ssl.SSLContext,
    *,
    client: ssl.SSLContext | None = None,
    host: str = "127.0.0.1",
    port: int = 0,
) -> AsyncIterator[Listening]:
    """The partner up while the block runs; with port 0, at any that is free.

    Raises:
        OSError: the address cannot be listened on.
    """
    state = Listening(port, responder, client)
    if any(one.refuses for one in responder.moods):
        with socket.socket() as held:
            held.bind((host, port))  # the port is ours, and nobody listens on it
            state.port = held.getsockname()[1]
            yield state
        return
    talks: set[asyncio.Task[None]] = set()

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        if task is not None:
            talks.add(task)
            task.add_done_callback(talks.discard)
        # Whoever leaves in the middle, or whom we leave, ends this connection and nothing else.
        with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError, ssl.SSLError):
            await _talk(state, (reader, writer))
        writer.close()

    server = await asyncio.start_server(talk, host, port, ssl=context, limit=_HEAD_BYTES)
    state.port = server.sockets[0].getsockname()[1]
    try:
        yield state
    finally:
        server.close()
        for one in (*talks, *state.errands):  # those that hang on purpose
            one.cancel()
        await asyncio.gather(*talks, *state.errands, return_exceptions=True)


async def _talk(state: Listening, streams: _Streams) -> None:
    """Requests of one connection, one after the other."""
    reader, writer = streams
    while True:
        try:
            head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
        except (asyncio.IncompleteReadError, asyncio.LimitOverrunError):
            return
        line, *fields = head.rstrip("\r\n").split("\r\n")
        method, _, target = line.partition(" ")
        headers = dict(_field(one) for one in fields)
        if headers.get("expect", "").lower() == "100-continue":
            writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        content = await _content(reader, headers)
        reply = await asyncio.to_thread(
            _reply, state, method, target.split(" ")[0], headers.get("content-type", ""), content
        )
        is_open = await _send(streams, reply)
        for one in reply.then:
            _set_out(state, one)
        if not is_open:
            return


def _set_out(state: Listening, brought: Brought) -> None:
    if state.client is not None:
        errand = asyncio.create_task(_bring(state.client, brought))
        state.errands.add(errand)
        errand.add_done_callback(state.errands.discard)


async def _bring(context: ssl.SSLContext, brought: Brought) -> None:
    await asyncio.sleep(brought.after_seconds)
    kind = f'application/soap+xml; charset=UTF-8; action="{brought.action}"'
    try:
        async with httpx.AsyncClient(verify=context, timeout=_BRING_SECONDS) as client:
            await client.post(
                brought.address, content=brought.envelope, headers={"Content-Type": kind}
            )
    except httpx.HTTPError as error:  # whoever runs the simulation reads it
        log.warning("a deferred result could not be brought: %s", type(error).__name__)


def _field(line: str) -> tuple[str, str]:
    name, _, value = line.partition(":")
    return name.strip().lower(), value.strip()


async def _content(reader: asyncio.StreamReader, headers: dict[str, str]) -> bytes:
    if headers.get("transfer-encoding", "").lower() != "chunked":
        length = int(headers.get("content-length") or 0)
        return await reader.readexactly(min(length, _REQUEST_BYTES))
    content = bytearray()
    while size := int((await reader.readline()).split(b";")[0] or b"0", 16):
        content += await reader.readexactly(size)
        await reader.readline()
        if len(content) > _REQUEST_BYTES:
            raise ConnectionError("the request is too large for a simulation")
    await reader.readline()
    return bytes(content)


def _reply(state: Listening, method: str, target: str, content_type: str, content: bytes) -> Reply:
    path, _, query = target.partition("?")
    door = DOORS.get(path)
    if door is None:
        return Reply(b"", "text/plain", 404)
    if method == "GET" and query.lower() == "wsdl":
        address = f"https://localhost:{state.port}{path}"
        return Reply(wsdl_bytes(door, address), "text/xml; charset=utf-8")
    if method != "POST":
        return Reply(b"", "text/plain", 405, (("Allow", "POST"),))
    return state.responder.answer(content_type, content)


async def _send(streams: _Streams, reply: Reply) -> bool:
    """Whether the connection can be used again."""
    reader, writer = streams
    content = reply.content
    if reply.manner == "hang":
        await reader.read()  # until the other side leaves
        return False
    if reply.manner == "slow":
        await asyncio.sleep(SLOW_SECONDS)
    if reply.manner == "reset":
        raw = writer.get_extra_info("socket")
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\0\0\0\0\0\0\0")
        writer.transport.abort()
        return False
    if reply.manner == "endless":
        writer.write(_head(reply, None) + content[:200])
        while True:
            writer.write(_ENDLESS)
            await writer.drain()
            # A transport over TLS that broke does not let `drain` wait; the loop must learn of it.
            await asyncio.sleep(0)
    writer.write(_head(reply, len(content)))
    if reply.manner == "drip":
        for byte in content:
            writer.write(bytes([byte]))
            await writer.drain()
            await asyncio.sleep(_DRIP_SECONDS)
    whole = reply.manner != "early close"
    writer.write(content if whole else content[: len(content) // 2])
    await writer.drain()
    return whole


def _head(reply: Reply, length: int | None) -> bytes:
    """A length of None is for an answer that ends when the connection does."""
    reason = _REASONS.get(reply.status, "Simulated")
    given = {
        "Date": format_datetime(datetime.now(UTC), usegmt=True),
        "Content-Type": reply.content_type,
        **({"Connection": "close"} if length is None else {"Content-Length": str(length)}),
        **dict(reply.headers),
    }
    lines = [f"HTTP/1.1 {reply.status} {reason}", *(f"{key}: {one}" for key, one in given.items())]
    return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")
