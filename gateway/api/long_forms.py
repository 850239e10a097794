"""JSON that is large by a few long strings in it, as files in base64 are.

A parser holds the interpreter from the first byte to the last, and meanwhile nobody else has a
turn. So what is long is cut out first and read in pieces; what is left is as small as any form.
"""

import asyncio
from base64 import b64decode
from collections.abc import Iterator
from dataclasses import dataclass
from secrets import token_hex
from typing import Annotated, Any, Final

from fastapi import Request
from pydantic import BeforeValidator, WithJsonSchema
from pydantic_core import from_json

from gateway.api.forms import LIMIT_BYTES, Form, not_json, read_body, read_json, validated
from gateway.api.problems import Problem

_LONG: Final = 256
"""Bytes of a string that is cut out: many small files are to stay within the limit, too."""
_AT_ONCE: Final = 2 * 1024 * 1024
"""Bytes of a string that is read in one step of a few milliseconds, and is text like any other."""
_PIECE: Final = 128 * 1024
_MOST_QUOTES: Final = 400_000
"""As many as a form can have, and a text in which each character is one."""
_ESCAPE: Final = 6
"""The longest escape of JSON, of which no half may begin a piece: a backslash, u, four digits."""


@dataclass(frozen=True, slots=True)
class LongString:
    """A string too long to be read at once, as JSON writes it between the quotes."""

    written: memoryview

    def pieces(self) -> Iterator[str]:
        """What it says.

        Raises:
            ValueError: it is no JSON.
        """
        place = 0
        while place < len(self.written):
            piece = bytes(self.written[place : place + _PIECE])
            if place + _PIECE < len(self.written):
                escape = piece.rfind(b"\\", -_ESCAPE)
                piece = piece if escape < 0 else piece[:escape]
            place += len(piece)
            yield from_json(b'"%b"' % piece)


async def read_long_form(request: Request, kind: type[Form], *, limit_bytes: int) -> Form:
    """The body as a form of that kind.

    Raises:
        Problem: 413 or 422.
    """
    content = await read_body(request, limit_bytes=limit_bytes)
    return await asyncio.to_thread(_read, content, kind)


def _read(content: bytes, kind: type[Form]) -> Form:
    rest, strings = _cut(content)
    form = read_json(rest)
    try:
        read = {mark: _whole(written) for mark, written in strings.items()}
    except ValueError:
        raise not_json() from None
    return validated(_restored(form, read), kind)


def _cut(content: bytes) -> tuple[bytes, dict[str, memoryview]]:
    """The same JSON with a mark in place of each long string, and what the marks stand for.

    Raises:
        Problem: 413, if what is left is no small form; 422, if it is no JSON.
    """
    # Drawn anew each time: whoever could write a mark could have one string stand in many places.
    drawn, whole = token_hex(8), memoryview(content)
    left: list[bytes] = []
    strings: dict[str, memoryview] = {}
    size = kept = 0
    for start, end in _strings(content):
        if end - start > _LONG:
            mark = f"{drawn}-{len(strings)}"
            strings[mark] = whole[start:end]
            left += (content[kept:start], mark.encode())
            size += start - kept + len(mark)
            kept = end
        if size + end - kept > LIMIT_BYTES:
            break
    if size + len(content) - kept > LIMIT_BYTES:
        raise Problem(413, f"Beside long strings the body may have up to {LIMIT_BYTES:,} bytes.")
    return b"".join((*left, content[kept:])), strings


def _strings(content: bytes) -> Iterator[tuple[int, int]]:
    """Where each string begins and ends, without its quotes; no more than a form can have.

    Raises:
        Problem: 422, if one does not end.
    """
    start: int | None = None
    place = 0
    for _ in range(_MOST_QUOTES):
        quote = content.find(b'"', place)
        if quote < 0 and start is not None:
            raise not_json()
        if quote < 0:
            return
        if start is None:
            start = quote + 1
        elif not _is_escaped(content, place, quote):
            yield start, quote
            start = None
        place = quote + 1


def _is_escaped(content: bytes, place: int, quote: int) -> bool:
    """Whether the backslashes between them are an odd number."""
    if content[quote - 1] != 0x5C:
        return False
    before = content[max(place, quote - _AT_ONCE) : quote]
    return (len(before) - len(before.rstrip(b"\\"))) % 2 == 1


def _whole(written: memoryview) -> Any:
    return LongString(written) if len(written) > _AT_ONCE else from_json(b'"%b"' % bytes(written))


def _restored(form: Any, strings: dict[str, Any]) -> Any:
    if isinstance(form, dict):
        return {key: _restored(value, strings) for key, value in form.items()}
    if isinstance(form, list):
        return [_restored(value, strings) for value in form]
    return strings.get(form, form) if isinstance(form, str) else form


# ---- files -----------------------------------------------------------------------------------


def _decoded(given: object) -> bytes:
    """The bytes that are written in base64, read in pieces.

    Raises:
        ValueError: it is not base64.
    """
    found: list[bytes] = []
    left, is_padded = "", False
    try:
        for piece in _pieces(given):
            text = left + piece
            whole = len(text) - len(text) % 4
            if (is_padded and text) or text.find("=", 0, whole - 2) >= 0:
                raise ValueError("base64 has no padding but at its end")
            found.append(b64decode(text[:whole], validate=True))
            left, is_padded = text[whole:], text[:whole].endswith("=")
        if left:
            raise ValueError("base64 has groups of four")
    except ValueError:
        raise ValueError("it is not base64") from None
    return b"".join(found)


def _pieces(given: object) -> Iterator[str]:
    if isinstance(given, LongString):
        return given.pieces()
    if not isinstance(given, str):
        raise ValueError("no string")
    return (given[start : start + _PIECE] for start in range(0, len(given), _PIECE))


Base64 = Annotated[
    bytes,
    BeforeValidator(_decoded),
    WithJsonSchema({"type": "string", "contentEncoding": "base64"}),
]
"""A field whose string may be as long as the body."""
