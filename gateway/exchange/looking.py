"""Threads that wait for others' name servers, directories and issuers, in the work on mail.

One of those that hangs takes no thread that anybody else works in.
"""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from functools import cache, partial
from typing import Final, ParamSpec, TypeVar

P = ParamSpec("P")
T = TypeVar("T")
_LOOKING: Final = 16
"""More than a few domains that are slow take, at two messages each (`clients.restraint`)."""


async def look(function: Callable[P, T], *given: P.args, **named: P.kwargs) -> T:
    """What the function gives, as `asyncio.to_thread`."""
    call = partial(copy_context().run, partial(function, *given, **named))
    return await asyncio.get_running_loop().run_in_executor(_threads(), call)


@cache
def _threads() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(_LOOKING, thread_name_prefix="looking")
