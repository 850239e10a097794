"""A roster as spreadsheets save it: its header, and the rows that say something."""

import csv
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, Final, TextIO

from gateway.cli.terminal import Exit, Failure

Row = dict[str | None, Any]
"""As csv gives it: under None the fields beyond the header, None for a field that is not there."""
_SEPARATORS: Final = {";": "semicolons", "\t": "tabs", "|": "bars"}


def open_roster(roster: Path) -> TextIO:
    """A byte that is no UTF-8 spoils its own line alone, which is refused by its number."""
    try:
        return roster.open(encoding="utf-8-sig", errors="surrogateescape", newline="")
    except OSError as error:
        raise Failure(f"{roster} cannot be read: {error.strerror}", Exit.USAGE) from None


def rows(
    roster: Path, lines: Iterable[str], required: Iterable[str]
) -> Iterator[tuple[int, Row | None]]:
    """Each row that is not blank, with the number of the line it ends on; None for what is no CSV
    any more.

    Raises:
        Failure: the header lacks what is required.
    """
    reader = csv.DictReader(lines, skipinitialspace=True)
    try:
        reader.fieldnames = [name.strip() for name in reader.fieldnames or ()]
        missing = [name for name in required if name not in reader.fieldnames]
        if missing:
            why = _what_it_is(",".join(reader.fieldnames))
            raise Failure(f"{roster} has no column {', '.join(missing)}: {why}", Exit.USAGE)
        for row in reader:
            if _says_something(row):
                yield reader.line_num, row
    except csv.Error:
        yield reader.line_num, None


def _what_it_is(header: str) -> str:
    """Why a header is none, of what people save by mistake."""
    if not header:
        return "it is empty"
    # A workbook is a zip; "Unicode text" is UTF-16, whose mark is no UTF-8.
    if header.startswith(("PK\x03\x04", "\udcff\udcfe", "\udcfe\udcff")):
        return "it is no CSV in UTF-8; save it as one"
    for separator, name in _SEPARATORS.items():
        if separator in header:
            return f"its columns are set apart by {name}; save it with commas"
    return "its first line is to name the columns, as `gateway members import --help` does"


def _says_something(row: Row) -> bool:
    """Spreadsheets write rows that were cleared, or only coloured, as commas."""
    beyond = row.get(None, ())
    return any(value and value.strip() for value in (*beyond, *_within(row)))


def _within(row: Row) -> Iterator[str | None]:
    return (value for name, value in row.items() if name is not None)
