"""What was worked out of a short text already, as `functools.lru_cache` keeps it.

Documents write the same times, units and OIDs at every entry. A text longer than any of those is
worked out anew each time: else a few thousand hostile ones would stay in memory for good.
"""

from collections.abc import Callable
from functools import lru_cache, wraps
from typing import Final, TypeVar

_LONGEST: Final = 100
_KEPT: Final = 16384

Text = TypeVar("Text", str, str | None)
Found = TypeVar("Found")


def remembered(function: Callable[[Text], Found]) -> Callable[[Text], Found]:
    """A pure function of one text, which keeps its answers."""
    known = lru_cache(maxsize=_KEPT)(function)

    @wraps(function)
    def answer(text: Text) -> Found:
        return known(text) if text is None or len(text) <= _LONGEST else function(text)

    return answer
