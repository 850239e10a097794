"""How a call ends that did not end as asked: one record, one problem+json, nothing given away.

Whatever a route raises comes here, and so does what the router itself refuses. With a verified
caller it makes a record of the caller's plan; without one it is only counted (DECISIONS 16, 17).
"""

import logging
import traceback
from datetime import UTC, datetime
from typing import Final

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from starlette.datastructures import MutableHeaders
from starlette.exceptions import HTTPException
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from gateway.api import docs
from gateway.api.access import Desk, peer_of
from gateway.api.problems import Problem, outcome_response, problem_of, problem_response
from gateway.model.exchange import Exchange, Outcome
from gateway.store import exchange_log
from gateway.store.database import Database

log = logging.getLogger("gateway.api")

_HEADERS: Final = {
    "Cache-Control": "no-store",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "X-Frame-Options": "DENY",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
}
_FHIR: Final = "/fhir/"
_STRICT_TRANSPORT: Final = "max-age=31536000"


def install(application: FastAPI) -> None:
    """Every error of `application` leaves it as problem+json, every answer with safe headers."""
    for kind in (Problem, HTTPException, RequestValidationError):
        application.add_exception_handler(kind, end)
    application.add_middleware(Guard)


async def end(request: Request, error: Exception) -> Response:
    """The answer to a call that failed with `error`, once that is recorded."""
    problem = problem_of(error)
    try:
        await _record(request, problem)
    except Exception as second:
        log_error(second)
        problem = problem_of(second)
    headers = error.headers if isinstance(error, HTTPException) else None
    is_fhir = request.url.path.startswith(_FHIR)
    return (outcome_response if is_fhir else problem_response)(problem, headers)


async def _record(request: Request, problem: Problem) -> None:
    desk: Desk | None = getattr(request.state, "desk", None)
    outcome: Outcome = "refused" if problem.status < 500 else "failed"
    if desk is not None:
        await desk.record_ending(outcome, problem.detail)
        return
    database: Database | None = getattr(request.app.state, "database", None)
    if database is None or problem.status >= 500:
        return
    refusal = Exchange(
        time=datetime.now(UTC),
        direction="in",
        transaction=getattr(request.state, "transaction_name", "REST"),
        outcome=outcome,
        peer=peer_of(request),
        reason=problem.detail,
    )
    await database.write_async(lambda tx: exchange_log.count_refusal(tx, refusal))


class Guard:
    """Around an application: no exception leaves it, no answer without the headers above."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        answer = _Answer(scope, send)
        request = Request(scope, receive)
        try:
            await self._app(scope, receive, answer.send)
        except Exception as error:
            log_error(error)
            response = await end(request, error)
            if not answer.has_begun:
                await response(scope, receive, answer.send)
            return
        desk: Desk | None = getattr(request.state, "desk", None)
        if answer.was_broken_off and desk is not None:
            await desk.record_ending("partial", "the caller left before the last byte")


class _Answer:
    """What has left so far. A broken one is left unfinished, and the server cuts the connection:
    the caller must not take it for a whole one."""

    def __init__(self, scope: Scope, send: Send) -> None:
        self._is_https = scope["scheme"] == "https"
        self._is_docs = scope["path"] == "/docs" or scope["path"].startswith("/docs/")
        self._send = send
        self._is_whole = False
        self._is_endless = False
        self.has_begun = False

    @property
    def was_broken_off(self) -> bool:
        """Whoever stops following events has lost nothing."""
        return self.has_begun and not self._is_whole and not self._is_endless

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.has_begun = True
            headers = MutableHeaders(scope=message)
            if self._is_docs:
                headers["Content-Security-Policy"] = docs.POLICY
            for name, value in _HEADERS.items():
                headers.setdefault(name, value)
            if self._is_https:
                headers["Strict-Transport-Security"] = _STRICT_TRANSPORT
            self._is_endless = headers.get("content-type", "").startswith("text/event-stream")
        await self._send(message)
        if message["type"] == "http.response.body" and not message.get("more_body", False):
            self._is_whole = True


def log_error(error: Exception) -> None:
    """Its type and where it arose. Its text stays out of the log: it may quote a value."""
    frames = traceback.extract_tb(error.__traceback__)[-8:]
    places = " < ".join(f"{frame.filename}:{frame.lineno}" for frame in reversed(frames))
    log.error("a request failed: %s at %s", type(error).__name__, places)
