"""Waiting for name servers, directories and responders of others, in threads for that alone.

Whoever does not answer keeps a thread for as long as we wait. In the threads that everything else
works in, a few such would keep everybody waiting: other plans, and whoever asks if we are ready.
"""

import asyncio
import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import cache, partial
from typing import Final, Literal, ParamSpec, TypeVar

Arguments = ParamSpec("Arguments")
Result = TypeVar("Result")
For = Literal["check", "mail"]

_AT_ONCE: Final[dict[For, int]] = {"check": 4, "mail": 16}
"""A person's question waits for other questions, and mail for other mail."""


async def ask_others(
    what: For,
    look: Callable[Arguments, Result],
    *args: Arguments.args,
    **kwargs: Arguments.kwargs,
) -> Result:
    """What `look` returns, which asks others and may take as long as they do."""
    loop = asyncio.get_running_loop()
    return await loop.run_in_executor(_threads(what, os.getpid()), partial(look, *args, **kwargs))


@cache
def _threads(what: For, _process: int) -> ThreadPoolExecutor:
    """Of this process: one that was forked has no threads of its parent's."""
    return ThreadPoolExecutor(_AT_ONCE[what], thread_name_prefix=f"asking for {what}")
