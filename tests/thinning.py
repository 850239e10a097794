"""Of the public corpus every so manieth document is tried by the tests that take long over each;
so are the largest messages, and a process is killed at every so manieth durable step.

`make interop` tries them all: CORPUS_STEP=1.
"""

import os
from collections.abc import Iterable
from itertools import islice
from typing import Final, TypeVar

T = TypeVar("T")
STEP: Final = int(os.environ.get("CORPUS_STEP", "12"))


def thinned(documents: Iterable[T]) -> Iterable[T]:
    return islice(documents, 0, None, STEP)
