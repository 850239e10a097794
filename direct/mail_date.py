"""The Date of a message (RFC 5322: 3.3)."""

import re
from datetime import UTC, datetime, timedelta, timezone
from typing import Final

_MONTHS: Final = "jan feb mar apr may jun jul aug sep oct nov dec".split()
_DAYS: Final = "Mon Tue Wed Thu Fri Sat Sun".split()
_DATE: Final = re.compile(
    r"(?:[A-Za-z]{3,9},?\s+)?(\d{1,2})\s+([A-Za-z]{3})[a-z]*\s+(\d{2,4})\s+"
    r"(\d{1,2}):(\d\d)(?::(\d\d))?(?:\.\d+)?\s*([+-]\d{4}|[A-Za-z]{1,5})?",
    re.ASCII,
)
# Hours of the zones that RFC 5322: 4.3 names; of a letter or any other name nothing is known.
_ZONES: Final = {
    "ut": 0, "utc": 0, "gmt": 0, "z": 0, "est": -5, "edt": -4, "cst": -6, "cdt": -5,
    "mst": -7, "mdt": -6, "pst": -8, "pdt": -7,
}  # fmt: skip


def read_date(text: str) -> datetime | None:
    """The moment with its offset; None for what is none, or of which the zone is not known."""
    match = _DATE.match(text.strip())
    if match is None or match[2].lower() not in _MONTHS or not match[7]:
        return None
    year = int(match[3])
    if len(match[3]) < 4:  # RFC 5322: 4.3
        year += 2000 if len(match[3]) == 2 and year < 50 else 1900
    offset = _offset(match[7])
    if offset is None:
        return None
    try:
        return datetime(
            year,
            _MONTHS.index(match[2].lower()) + 1,
            int(match[1]),
            int(match[4]),
            int(match[5]),
            min(int(match[6] or 0), 59),  # a leap second
            tzinfo=timezone(offset) if offset else UTC,
        )
    except ValueError:
        return None


def write_date(moment: datetime) -> str:
    """`moment` as a Date field's value.

    Raises:
        ValueError: it has no offset.
    """
    if moment.tzinfo is None:
        raise ValueError("a date in a message has an offset")
    month = _MONTHS[moment.month - 1].capitalize()
    day = _DAYS[moment.weekday()]
    return f"{day}, {moment.day:02} {month} {moment.year:04} {moment:%H:%M:%S %z}"


def _offset(zone: str) -> timedelta | None:
    if zone[0] in "+-":
        sign = -1 if zone[0] == "-" else 1
        hours, minutes = int(zone[1:3]), int(zone[3:5])
        return (
            sign * timedelta(hours=hours, minutes=minutes) if hours < 24 and minutes < 60 else None
        )
    hour = _ZONES.get(zone.lower())
    return None if hour is None else timedelta(hours=hour)
