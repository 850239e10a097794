"""What the commands say, and how they end: sentences on stderr, results on stdout."""

import os
import sys
from collections.abc import Mapping
from enum import IntEnum
from pathlib import Path
from typing import Final

from rich.console import Console
from rich.table import Column

# Names and titles are others' words: brackets in them are no markup, colons no emoji.
# What goes into a file or to another program has no edge at 80 characters.
_EDGE: Final = None if sys.stdout.isatty() or "COLUMNS" in os.environ else 240
out = Console(highlight=False, soft_wrap=True, markup=False, emoji=False, width=_EDGE)
err = Console(stderr=True, highlight=False, soft_wrap=True, markup=False, emoji=False)


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


def printable(text: str | None) -> str:
    """Others' words as they may be shown: a control character in them could command a terminal."""
    kept = (letter if letter.isprintable() or letter in "\n\t" else "�" for letter in text or "")
    return "".join(kept)


def id_column(characters: int) -> Column:
    """A column of ids that are never folded: whoever reads one must be able to copy it."""
    return Column("id", no_wrap=True, min_width=characters)


def save_files(folder: Path, files: Mapping[str, bytes]) -> None:
    """Into a new folder, for the user alone: their content is somebody's record.

    Raises:
        Failure: the folder is there already, or nothing can be written.
    """
    try:
        folder.mkdir(mode=0o700)
        for name, content in files.items():
            (folder / name).write_bytes(content)
    except OSError as error:
        raise Failure(f"{error.filename}: {error.strerror}", Exit.USAGE) from None


def say_failure(failure: Failure) -> None:
    """The sentence, and nothing else, on stderr."""
    sys.stderr.write(f"gateway: {printable(str(failure))}\n")
