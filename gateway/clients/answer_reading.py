"""A partner's HTTP answer, read as it streams in: the envelope whole, attachments to their sink."""

import re
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Final

import httpx

from gateway.clients.failures import (
    Busy,
    EmptyAnswer,
    NotSoap,
    PartnerFailed,
    Redirected,
    TooLarge,
)
from gateway.clients.pouring import Pouring, Sink
from ihe.mtom import MultipartLimits, MultipartReader, is_multipart

# Documents may come inline in base64 from partners that answer without MTOM.
ENVELOPE_LIMIT_BYTES: Final = 64 * 1024 * 1024
_AWAY: Final = frozenset({429, 502, 503, 504})
_BLANKS: Final = b"\xef\xbb\xbf \t\r\n"
_MOST_BLANKS_BYTES: Final = 64 * 1024
_ENVELOPE: Final = re.compile(rb"(<\?xml[^>]*>\s*)?<([\w.-]+:)?Envelope[\s>]")


@dataclass(slots=True)
class Crossing:
    """The envelopes of one call as they crossed the wire; None until there is one.

    The answer's stands here also when it is refused, or is no SOAP at all; with it the HTTP
    status and those headers that say something of the partner.
    """

    request: bytes | None = None
    answer: bytes | None = None
    status: int | None = None
    content_type: str | None = None
    date: str | None = None


async def read_answer(
    response: httpx.Response, sink: Sink | None, crossing: Crossing, limit_bytes: int
) -> bytes:
    """The envelope of the answer, which may still be anything that is XML.

    Raises:
        PartnerFailed: it is surely no SOAP.
        IheError: an MTOM package that cannot be read.
    """
    content_type = response.headers.get("content-type", "")
    crossing.status, crossing.content_type = response.status_code, content_type
    crossing.date = response.headers.get("date")
    if response.headers.get("content-encoding", "identity").lower() != "identity":
        # A few bytes of it may be gigabytes, and no partner was told that it may.
        raise NotSoap("its answer is compressed, which was not asked for")
    chunks = response.aiter_raw()
    begun = await _beginning(chunks)
    # Quirk: a package is declared, and the envelope comes alone, or nothing (user-asks 2, 4). No
    # package begins as XML does.
    if is_multipart(content_type) and begun.lstrip(_BLANKS)[:1] not in (b"", b"<"):
        envelope = await _read_multipart(begun, chunks, content_type, sink, limit_bytes)
    else:
        envelope = await _read_whole(begun, chunks, limit_bytes)
    crossing.answer = envelope
    if not envelope.strip():
        raise _nothing(response)
    if response.status_code != 200:
        _require_fault(response, envelope)
    elif content_type.lower().startswith("text/html") and not _is_envelope(envelope):
        raise NotSoap("it answered with an HTML page instead of SOAP")
    return envelope


async def _beginning(chunks: AsyncIterator[bytes]) -> bytes:
    """As much as shows what it is: up to the first byte that is no blank, and what came with it."""
    begun = bytearray()
    async for chunk in chunks:
        begun += chunk
        if len(begun) > _MOST_BLANKS_BYTES or begun.lstrip(_BLANKS):
            break
    return bytes(begun)


def _is_envelope(answer: bytes) -> bool:
    """Quirk: SOAP that is called HTML, by servers that call all their errors so. A page that shows
    an envelope does not begin with one."""
    return _ENVELOPE.match(answer.lstrip(_BLANKS)) is not None


async def _read_whole(begun: bytes, chunks: AsyncIterator[bytes], limit_bytes: int) -> bytes:
    content = bytearray()
    limit = min(ENVELOPE_LIMIT_BYTES, limit_bytes)
    async for chunk in _joined(begun, chunks):
        content += chunk
        if len(content) > limit:
            raise TooLarge("its answer is larger than we take")
    return bytes(content)


async def _read_multipart(
    begun: bytes,
    chunks: AsyncIterator[bytes],
    content_type: str,
    sink: Sink | None,
    limit_bytes: int,
) -> bytes:
    reader = MultipartReader(content_type, limits=MultipartLimits(total_bytes=limit_bytes))
    pouring = Pouring(sink)
    try:
        async for chunk in _joined(begun, chunks):
            for event in reader.feed(chunk):
                await pouring.take(event)
        reader.close()
    finally:
        await pouring.stop()
    return pouring.root


async def _joined(begun: bytes, chunks: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    yield begun
    async for chunk in chunks:
        yield chunk


def _nothing(response: httpx.Response) -> PartnerFailed:
    if response.is_success:
        return EmptyAnswer(f"it answered HTTP {response.status_code} with an empty body")
    return _status(response, "with an empty body")


def _require_fault(response: httpx.Response, envelope: bytes) -> None:
    """A status other than 200 is believed only to carry a SOAP fault, which `wire` then reads."""
    if b"Fault" not in envelope or b"Envelope" not in envelope:
        raise _status(response, "without a SOAP fault")


def _status(response: httpx.Response, otherwise: str) -> PartnerFailed:
    status = response.status_code
    if response.is_redirect:
        return Redirected(f"it answered HTTP {status}, which points to another address")
    if status not in _AWAY:
        return NotSoap(f"it answered HTTP {status} {otherwise}")
    seconds = _retry_after(response)
    when = "" if seconds is None else f" and wants to be asked again in {seconds:g} s"
    return Busy(f"it answered HTTP {status}: it is busy or away{when}", seconds)


def _retry_after(response: httpx.Response) -> float | None:
    """RFC 9110: 10.2.3: seconds, or a date."""
    text = response.headers.get("retry-after", "").strip()
    if text.isascii() and text.isdigit() and len(text) < 9:
        return float(text)
    try:
        until = parsedate_to_datetime(text)
    except ValueError:
        return None
    aware = until if until.tzinfo else until.replace(tzinfo=UTC)
    return max(0.0, round((aware - datetime.now(UTC)).total_seconds()))
