"""CSV (RFC 4180) that a spreadsheet shows and never runs.

What begins like a formula is calculated when the file is opened, and can send the table's content
elsewhere; names and reasons are others' words. Such a cell begins with an apostrophe, which
spreadsheets take as "this is text".
"""

import csv
import io
from collections.abc import Iterable, Iterator, Sequence
from itertools import chain
from typing import Final

_FORMULA: Final = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")
"""How a formula may begin; the full-width letters are read as the others where they are at home."""


def write_csv(columns: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """The table with its head, lines ended by CR LF; None is an empty cell."""
    return "".join(csv_lines(columns, rows))


def csv_lines(columns: Sequence[str], rows: Iterable[Sequence[object]]) -> Iterator[str]:
    """The same, line by line: no more of it is held than one."""
    text = io.StringIO()
    writer = csv.writer(text)
    for row in chain((columns,), rows):
        writer.writerow([_cell(value) for value in row])
        yield text.getvalue()
        text.seek(0)
        text.truncate()


def _cell(value: object) -> object:
    """Numbers are ours and stay numbers."""
    if not isinstance(value, str):
        return value
    begins = value.lstrip(" \u00a0\ufeff")
    return f"'{value}" if begins.startswith(_FORMULA) else value
