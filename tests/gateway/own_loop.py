"""An event loop of a test's own thread, ended as `asyncio.run` ends one."""

import asyncio
from collections.abc import Coroutine
from typing import Any


def run_on(loop: asyncio.AbstractEventLoop, main: Coroutine[Any, Any, None]) -> None:
    """Runs `main` on the loop, and closes that. What is left is cancelled: a handshake whose other
    side went away may still wait, and would be told of as a task that was destroyed."""
    try:
        loop.run_until_complete(main)
    finally:
        try:
            left = asyncio.all_tasks(loop)
            for task in left:
                task.cancel()
            if left:
                loop.run_until_complete(asyncio.gather(*left, return_exceptions=True))
        finally:
            loop.close()
