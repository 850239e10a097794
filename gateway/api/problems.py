"""Errors of the REST doors as problem+json (RFC 9457): what is wrong and what to do, no PHI."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect

from gateway.store.errors import StoreUnavailable, UnknownId

_TITLES: Final = {
    400: "The request cannot be understood",
    401: "A valid token is needed",
    403: "This caller may not do that",
    404: "There is no such thing here",
    405: "That is not done here",
    409: "The request conflicts with what is stored",
    413: "The body is too large",
    415: "That content type is not taken here",
    422: "The request is not valid",
    500: "The gateway failed",
    503: "The gateway cannot answer now",
}
_RETRY_SECONDS: Final = "5"
"""A locked database is free again within seconds; a lost one comes back when it comes back."""

PROBLEM_SCHEMA: Final[dict[int | str, dict[str, Any]]] = {
    "4XX": {
        "description": "Why not, as problem+json (RFC 9457).",
        "content": {
            "application/problem+json": {
                "schema": {
                    "type": "object",
                    "required": ["type", "title", "status", "detail"],
                    "properties": {
                        "type": {"type": "string"},
                        "title": {"type": "string"},
                        "status": {"type": "integer"},
                        "detail": {"type": "string"},
                        "errors": {"type": "array", "items": {"type": "object"}},
                    },
                }
            }
        },
    }
}
"""What every route may answer instead of what was asked, for its OpenAPI description."""


class Problem(Exception):
    """An answer other than the one asked for; `detail` is a sentence for the caller."""

    def __init__(self, status: int, detail: str, **fields: Any) -> None:
        super().__init__(detail)
        self.status = status
        self.detail = detail
        self.fields = fields


def problem_of(error: Exception) -> Problem:
    """What the caller may hear of any error: never its text unless we wrote it for callers."""
    match error:
        case Problem():
            return error
        case RequestValidationError():
            return invalid(error.errors())
        case HTTPException(status_code=status):
            return Problem(status, _TITLES.get(status, "Error") + ".")
        case ClientDisconnect():
            return Problem(400, "The caller left before the whole body had come.")
        case StoreUnavailable():
            return Problem(503, "The gateway cannot reach its database; try again shortly.")
        case UnknownId():
            return Problem(404, "There is no such thing in your plan.")
        case _:
            return Problem(500, "The gateway failed; the failure is in its log.")


def invalid(errors: Sequence[Mapping[str, Any]]) -> Problem:
    """Which fields are wrong and why; the values themselves may be PHI and never go back."""
    places = [{"location": _location(found), "message": found["msg"]} for found in errors]
    return Problem(422, "Some fields are not valid.", errors=places)


def _location(found: Mapping[str, Any]) -> str:
    # The name of a field that should not be there is the caller's own text.
    place = found["loc"][:-1] if found["type"] == "extra_forbidden" else found["loc"]
    return ".".join(map(str, place))


def problem_response(problem: Problem, headers: Mapping[str, str] | None = None) -> JSONResponse:
    content = {
        "type": "about:blank",
        "title": _TITLES.get(problem.status, "Error"),
        "status": problem.status,
        "detail": problem.detail,
        **problem.fields,
    }
    needed = {401: {"WWW-Authenticate": "Bearer"}, 503: {"Retry-After": _RETRY_SECONDS}}
    return JSONResponse(
        content,
        problem.status,
        media_type="application/problem+json",
        headers={**(headers or {}), **needed.get(problem.status, {})},
    )


_ISSUES: Final = {
    401: "login", 403: "forbidden", 404: "not-found", 405: "not-supported", 409: "conflict",
    413: "too-costly", 415: "not-supported", 503: "transient",
}  # fmt: skip


def outcome_response(problem: Problem, headers: Mapping[str, str] | None = None) -> JSONResponse:
    """The same at a FHIR door, as an OperationOutcome (FHIR R4 3.1.0.6)."""
    code = problem.fields.get("code") or _ISSUES.get(problem.status)
    usual = "invalid" if problem.status < 500 else "exception"
    issue = {"severity": "error", "code": code or usual, "diagnostics": problem.detail}
    if expression := problem.fields.get("expression"):
        issue["expression"] = [expression]
    answer = problem_response(problem, headers)
    return JSONResponse(
        {"resourceType": "OperationOutcome", "issue": [issue]},
        problem.status,
        media_type="application/fhir+json",
        headers={
            name: value
            for name, value in answer.headers.items()
            if name not in ("content-length", "content-type")
        },
    )
