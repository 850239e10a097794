"""JSON bodies: read once the caller is known, up to a limit, and refused without echo.

FastAPI would read a body of any size, and judge it, before it asks who sends it.
"""

import asyncio
from typing import Any, Final, TypeVar

from fastapi import Request
from pydantic import BaseModel, ValidationError
from pydantic_core import from_json

from gateway.api.problems import Problem, invalid

Form = TypeVar("Form", bound=BaseModel)
LIMIT_BYTES: Final = 64 * 1024
_MOST_VALUES: Final = 1000
"""Each may be wrong, and is then told of: a body of nothing else would keep everybody waiting."""
_PIECE: Final = 1024 * 1024


async def read_form(request: Request, kind: type[Form]) -> Form:
    """The body as a form of that kind.

    Raises:
        Problem: 413 or 422.
    """
    content = await read_body(request, limit_bytes=LIMIT_BYTES)
    return validated(read_json(content), kind)


def read_json(content: bytes) -> Any:
    """What the JSON says.

    Raises:
        Problem: 422, it is none, or says more than any form does.
    """
    try:
        found = from_json(content)
    except ValueError:
        raise not_json() from None
    if _values(found) > _MOST_VALUES:
        raise Problem(422, f"The body may have up to {_MOST_VALUES:,} values.")
    return found


def _values(found: Any) -> int:
    if isinstance(found, dict):
        return len(found) + sum(map(_values, found.values()))
    return len(found) + sum(map(_values, found)) if isinstance(found, list) else 0


def validated(found: Any, kind: type[Form]) -> Form:
    """It as a form of that kind.

    Raises:
        Problem: 422, of the fields that are not valid.
    """
    try:
        return kind.model_validate(found)
    except ValidationError as error:
        found = error.errors(include_url=False, include_context=False, include_input=False)
        raise invalid([{**one, "loc": ("body", *one["loc"])} for one in found]) from None


def not_json() -> Problem:
    """422, of a body that cannot be read at all."""
    return invalid([{"loc": ("body",), "msg": "Invalid JSON", "type": "json_invalid"}])


async def read_body(request: Request, *, limit_bytes: int) -> bytes:
    """All of the body.

    Raises:
        Problem: 413; nothing beyond the limit is read.
    """
    too_large = Problem(413, f"The body may have up to {limit_bytes:,} bytes.")
    declared = request.headers.get("content-length", "")
    if declared.isdecimal() and int(declared) > limit_bytes:
        raise too_large
    pieces: list[bytes] = []
    size, piece = 0, bytearray()
    async for chunk in request.stream():
        size += len(chunk)
        if size > limit_bytes:
            raise too_large
        piece += chunk
        if len(piece) >= _PIECE:
            pieces.append(bytes(piece))
            piece.clear()
    if not pieces:
        return bytes(piece)
    # Of bytes, join lets others have the interpreter while it copies.
    return await asyncio.to_thread(b"".join, [*pieces, bytes(piece)])


def form_schema(kind: type[BaseModel]) -> dict[str, Any]:
    """The OpenAPI description of such a body."""
    schema = kind.model_json_schema()
    whole = _inlined(schema, schema.pop("$defs", {}))
    return {"requestBody": {"required": True, "content": {"application/json": {"schema": whole}}}}


def _inlined(schema: Any, definitions: dict[str, Any]) -> Any:
    """Without references: those of pydantic start at a root that an OpenAPI document has not."""
    if isinstance(schema, list):
        return [_inlined(item, definitions) for item in schema]
    if not isinstance(schema, dict):
        return schema
    if "$ref" in schema:
        return _inlined(definitions[schema["$ref"].rpartition("/")[2]], definitions)
    return {key: _inlined(item, definitions) for key, item in schema.items()}
