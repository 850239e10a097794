"""How many steps merging may take: counted, not timed, so that the same statements end in the same
way on every machine.

A step is the comparison of two statements. Where nobody has set a bound, nothing is counted.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar

_left: ContextVar[int | None] = ContextVar("steps left", default=None)


class TooMuchToMerge(Exception):
    """The bound is reached; nothing was changed."""


@contextmanager
def at_most(steps: int) -> Iterator[Callable[[], int]]:
    """What is merged inside takes no more steps than that, or raises TooMuchToMerge.

    What is given says how many are left.
    """
    token = _left.set(steps)
    try:
        yield lambda: _left.get() or 0
    finally:
        _left.reset(token)


def spend(steps: int) -> None:
    """Says that so many steps come now."""
    left = _left.get()
    if left is None:
        return
    if left < steps:
        raise TooMuchToMerge
    _left.set(left - steps)
