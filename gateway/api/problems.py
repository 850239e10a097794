"""Errors of the REST doors as problem+json (RFC 9457): what is wrong and what to do, no PHI."""

from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

_TITLES = {
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


class Problem(Exception):
    """An answer other than the one asked for; `detail` is a sentence for the caller."""

    def __init__(self, status: int, detail: str, **fields: Any) -> None:
        super().__init__(detail)
        self.status = status
        self.detail = detail
        self.fields = fields


def problem_response(problem: Problem) -> JSONResponse:
    content = {
        "type": "about:blank",
        "title": _TITLES.get(problem.status, "Error"),
        "status": problem.status,
        "detail": problem.detail,
        **problem.fields,
    }
    headers = {"WWW-Authenticate": "Bearer"} if problem.status == 401 else None
    return JSONResponse(
        content, problem.status, media_type="application/problem+json", headers=headers
    )


def install(application: FastAPI) -> None:
    """Every error of `application` leaves it as problem+json."""
    application.add_exception_handler(Problem, _on_problem)
    application.add_exception_handler(HTTPException, _on_http_exception)
    application.add_exception_handler(RequestValidationError, _on_invalid)
    application.add_exception_handler(Exception, _on_failure)


async def _on_problem(_request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, Problem)  # noqa: S101 - the handler is registered for it alone
    return problem_response(error)


async def _on_http_exception(_request: Request, error: Exception) -> JSONResponse:
    status = error.status_code if isinstance(error, HTTPException) else 500
    return problem_response(Problem(status, _TITLES.get(status, "Error") + "."))


async def _on_invalid(_request: Request, error: Exception) -> JSONResponse:
    # The values themselves may be PHI: only where and why goes back.
    errors = error.errors() if isinstance(error, RequestValidationError) else []
    places = [
        {"location": ".".join(map(str, found["loc"])), "message": found["msg"]} for found in errors
    ]
    return problem_response(Problem(422, "Some fields are not valid.", errors=places))


async def _on_failure(_request: Request, _error: Exception) -> JSONResponse:
    return problem_response(Problem(500, "The gateway failed; the failure is in its log."))
