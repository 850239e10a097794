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
    """The database can be read; 503 while it cannot."""
    check: Callable[[], str | None] = request.app.state.check
    trouble = await asyncio.to_thread(check)
    if trouble is None:
        return JSONResponse({"status": "ready"})
    return JSONResponse({"status": "not ready", "reason": trouble}, 503)
