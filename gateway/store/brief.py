"""What may run on the event loop itself: a few milliseconds of computing, and no waiting.

A thread costs a request more than its own work: each of the many short calls that let other
threads run hands the interpreter over, and has to get it back. So what is usually brief is begun on
the loop, and where it turns out not to be, it leaves: it is begun anew in a thread.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Final

_IS_BRIEF: Final[ContextVar[bool]] = ContextVar("brief", default=False)


class NotBrief(Exception):
    """It would have to wait, or take long: nothing was done, and a thread must do it."""


@contextmanager
def briefly() -> Iterator[None]:
    """What runs in the block must be brief; `leave` ends it with NotBrief where it is not."""
    before = _IS_BRIEF.set(True)
    try:
        yield
    finally:
        _IS_BRIEF.reset(before)


def leave() -> None:
    """Called before whatever waits or takes long, as long as nothing has been changed.

    Raises:
        NotBrief: it runs where it may not. Elsewhere this does nothing.
    """
    if _IS_BRIEF.get():
        raise NotBrief
