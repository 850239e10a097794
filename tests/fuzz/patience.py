"""A case without end is ended by the processor's clock: the wall's says only how busy we are."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType


class WithoutEnd(BaseException):
    """Not an Exception: no door that the case passes may take it for its own."""


@contextmanager
def patience(seconds: float) -> Iterator[None]:
    """Raises WithoutEnd in the block once it has had so much of the processor."""
    before = signal.signal(signal.SIGPROF, _end)
    signal.setitimer(signal.ITIMER_PROF, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.signal(signal.SIGPROF, before)


def _end(_number: int, _frame: FrameType | None) -> None:
    raise WithoutEnd


def end_me_after(seconds: float) -> None:
    """The kernel ends this process (SIGPROF) unless it is asked anew within so much of the
    processor: for code in C, which no exception interrupts."""
    signal.signal(signal.SIGPROF, signal.SIG_DFL)
    signal.setitimer(signal.ITIMER_PROF, seconds)
