"""What the commands say, and how they end: sentences on stderr, results on stdout."""

import sys
from enum import IntEnum

from rich.console import Console

out = Console(highlight=False, soft_wrap=True)
err = Console(stderr=True, highlight=False, soft_wrap=True)


class Exit(IntEnum):
    """DECISIONS 30."""

    DONE = 0
    FAILED = 1
    USAGE = 2
    PARTLY = 3


class Failure(Exception):
    """A command cannot go on; the text is the sentence its user reads."""

    def __init__(self, sentence: str, exit_code: Exit = Exit.FAILED) -> None:
        super().__init__(sentence)
        self.exit_code = int(exit_code)


def say_failure(failure: Failure) -> None:
    """The sentence, and nothing else, on stderr."""
    sys.stderr.write(f"gateway: {failure}\n")
