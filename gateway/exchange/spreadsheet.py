"""CSV (RFC 4180) that a spreadsheet shows and never runs.

What begins like a formula is calculated when the file is opened, and can send the table's content
elsewhere; names and reasons are others' words. Such a cell begins with an apostrophe, which
spreadsheets take as "this is text". Where a comma is in numbers a spreadsheet divides cells by
semicolons, and by tabs if it is told to: what would begin a cell there has its apostrophe too.
"""

import csv
import io
import re
from collections.abc import Iterable, Iterator, Sequence
from itertools import chain
from typing import Final

_FORMULA: Final = re.compile(
    '^(?=[ "\u00a0\ufeff]*[=+@\t\r\n＝＋－＠-])|(?<=[;\t\r\n])(?=[ "\u00a0\ufeff]*[=+@＝＋－＠-])'
)
"""Where a formula may begin; full-width letters are read as the others where they are at home."""


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
    return _FORMULA.sub("'", value) if isinstance(value, str) else value
