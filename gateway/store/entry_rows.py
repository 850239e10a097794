"""Clinical statements and sections as rows and back, losing nothing.

What SQL may be asked for has columns of its own; the rest stands as JSON in `rest`, which is
None for most rows and then costs nothing to read.
"""

from dataclasses import fields
from operator import attrgetter
from typing import Any, Final

import orjson
from sqlalchemy import Row

from ccda.hl7v3 import CD, II, TS
from ccda.model import Author, Entry, Interval, RawEntry, Section
from gateway.store.values import dump, from_json

_REST_OF_CODE: Final = tuple(
    one.name for one in fields(CD) if one.name not in ("code", "system", "display")
)
_NOTHING: Final[dict[str, Any]] = {
    **dict.fromkeys(("templates", "raw_entries", "authors"), ()),
    **dict.fromkeys(("null_flavor", "line")),
    "path": "",
    "details": {},
}
"""What of a section has no column, and its value where there is none."""
ENTRY_COLUMNS: Final = (
    "kind", "path", "line", "status", "unit", "negated", "code", "code_system", "display",
    "value", "start_time", "end_time", "at_time", "rest",
)  # fmt: skip
"""What `write_entry` gives, in this order."""
SECTION_COLUMNS: Final = ("code", "code_system", "title", "text", "rest")
"""What `write_section` gives, in this order."""
_of_code = attrgetter(*_REST_OF_CODE)


def write_entry(entry: Entry) -> tuple[Any, ...]:
    """The `ENTRY_COLUMNS` of one statement: all but its key and plan."""
    rest: dict[str, Any] = {}
    if entry.text is not None:
        rest["text"] = entry.text
    if entry.no_information:
        rest["no_information"] = True
    if entry.mood is not None:
        rest["mood"] = entry.mood
    if entry.parent is not None:  # a parent of 0 is one
        rest["parent"] = entry.parent
    if entry.ids:
        rest["ids"] = entry.ids
    if entry.authors:
        rest["authors"] = entry.authors
    if entry.details:
        rest["details"] = entry.details
    return (
        entry.kind,
        entry.path,
        entry.line,
        entry.status,
        entry.unit,
        entry.negated,
        *_write_code(entry.code, rest),
        None if entry.code is None else entry.code.display,
        _write_value(entry.value, rest),
        _write_time("start", entry.start, rest),
        _write_time("end", entry.end, rest),
        _write_time("time", entry.time, rest),
        dump(rest) if rest else None,
    )


def read_entry(row: Row[Any]) -> Entry:
    """The statement that `write_entry` wrote."""
    rest = {} if row.rest is None else orjson.loads(row.rest)
    return Entry(
        kind=row.kind,
        path=row.path,
        line=row.line,
        code=_read_code(row.code, row.code_system, row.display, rest),
        start=_read_time("start", row.start_time, rest),
        end=_read_time("end", row.end_time, rest),
        time=_read_time("time", row.at_time, rest),
        status=row.status,
        value=_read_value(row.value, rest),
        unit=row.unit,
        text=rest.get("text"),
        negated=row.negated,
        no_information=rest.get("no_information", False),
        mood=rest.get("mood"),
        ids=tuple(from_json(II, item) for item in rest.get("ids", ())),
        authors=tuple(from_json(Author, item) for item in rest.get("authors", ())),
        details=rest.get("details", {}),
        parent=rest.get("parent"),
    )


def write_section(section: Section) -> tuple[Any, ...]:
    """The `SECTION_COLUMNS` of one section: all but its key and plan."""
    rest: dict[str, Any] = {}
    code, system = _write_code(section.code, rest, display=True)
    for name, nothing in _NOTHING.items():
        if (item := getattr(section, name)) != nothing:
            rest[name] = item
    return code, system, section.title, section.text, dump(rest) if rest else None


def read_section(row: Row[Any], entries: tuple[Entry, ...]) -> Section:
    """The section that `write_section` wrote, with its entries put back."""
    rest = {} if row.rest is None else orjson.loads(row.rest)
    return Section(
        code=_read_code(row.code, row.code_system, None, rest),
        title=row.title,
        templates=tuple(rest.get("templates", ())),
        text=row.text,
        entries=entries,
        null_flavor=rest.get("null_flavor"),
        line=rest.get("line"),
        path=rest.get("path", ""),
        raw_entries=tuple(from_json(RawEntry, item) for item in rest.get("raw_entries", ())),
        authors=tuple(from_json(Author, item) for item in rest.get("authors", ())),
        details=rest.get("details", {}),
    )


def _write_code(
    code: CD | None, rest: dict[str, Any], *, display: bool = False
) -> tuple[str | None, str | None]:
    """Code and system as columns; `display` says whether the display name has none of its own."""
    if code is None:
        return None, None
    left = {
        name: item
        for name, item in zip(_REST_OF_CODE, _of_code(code), strict=True)
        if item is not None and item != ()
    }
    if display and code.display is not None:
        left["display"] = code.display
    if left or (code.code is None and code.system is None):
        rest["code"] = left
    return code.code, code.system


def _read_code(
    code: str | None, system: str | None, display: str | None, rest: dict[str, Any]
) -> CD | None:
    left = rest.get("code")
    if left is None:
        return None if code is None and system is None else CD(code, system, display)
    return from_json(CD, {"display": display, **left, "code": code, "system": system})


def _write_time(name: str, time: TS | None, rest: dict[str, Any]) -> str | None:
    if time is None:
        return None
    if time.value is None or time.null_flavor is not None:
        rest[name] = time.null_flavor
    return time.value


def _read_time(name: str, value: str | None, rest: dict[str, Any]) -> TS | None:
    return None if value is None and name not in rest else TS(value, rest.get(name))


def _write_value(value: str | CD | Interval | None, rest: dict[str, Any]) -> str | None:
    match value:
        case CD():
            rest["coded"] = value
            return value.display
        case Interval():
            rest["interval"] = [value.low, value.high]
            return None
        case _:
            return value


def _read_value(value: str | None, rest: dict[str, Any]) -> str | CD | Interval | None:
    if "coded" in rest:
        return from_json(CD, {"code": None, **rest["coded"]})
    if "interval" in rest:
        low, high = rest["interval"]
        return Interval(low, high)
    return value
