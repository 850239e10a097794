"""The operations listener: alive, ready, and nothing else that tells of members."""

import asyncio
from collections.abc import Callable

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse

router = APIRouter(prefix="/health", tags=["operations"])


@router.get("/live")
async def live() -> dict[str, str]:
    """The process answers."""
    return {"status": "alive"}


@router.get("/ready")
async def ready(request: Request) -> JSONResponse:
    """The database can be read; 503 while it cannot. With audit repositories, how far behind
    each is: that is no reason to answer nobody."""
    check: Callable[[], str | None] = request.app.state.check
    trouble = await asyncio.to_thread(check)
    if trouble is None:
        lag: Callable[[], list[dict[str, object]]] | None = getattr(request.app.state, "lag", None)
        audit = {} if lag is None else {"audit": await asyncio.to_thread(lag)}
        return JSONResponse({"status": "ready", **audit})
    return JSONResponse({"status": "not ready", "reason": trouble}, 503)
