"""JSON bodies: read once the caller is known, up to a limit, and refused without echo.

FastAPI would read a body of any size, and judge it, before it asks who sends it.
"""

import asyncio
from typing import Any, Final, TypeVar

from fastapi import Request
from pydantic import BaseModel, ValidationError

from gateway.api.problems import Problem, invalid

Form = TypeVar("Form", bound=BaseModel)
_LIMIT_BYTES: Final = 64 * 1024


async def read_form(request: Request, kind: type[Form], *, limit_bytes: int = _LIMIT_BYTES) -> Form:
    """The body as a form of that kind.

    Raises:
        Problem: 413 or 422.
    """
    content = await read_body(request, limit_bytes=limit_bytes)
    try:
        if len(content) > _LIMIT_BYTES:  # longer than the event loop may stand still
            return await asyncio.to_thread(kind.model_validate_json, content)
        return kind.model_validate_json(content)
    except ValidationError as error:
        found = error.errors(include_url=False, include_context=False, include_input=False)
        raise invalid([{**one, "loc": ("body", *one["loc"])} for one in found]) from None


async def read_body(request: Request, *, limit_bytes: int) -> bytes:
    """All of the body.

    Raises:
        Problem: 413; nothing beyond the limit is read.
    """
    too_large = Problem(413, f"The body may have up to {limit_bytes:,} bytes.")
    declared = request.headers.get("content-length", "")
    if declared.isdecimal() and int(declared) > limit_bytes:
        raise too_large
    content = bytearray()
    async for chunk in request.stream():
        content += chunk
        if len(content) > limit_bytes:
            raise too_large
    return bytes(content)


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
