"""The end of an interval that is written as a beginning and a width, and the other way round.

CDA R2 datatypes: IVL, of which low, high and width any two tell the third, and center and width
tell both bounds. Times have the precision they were written with: a week after a year is in no
particular year.
"""

import re
from calendar import monthrange
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Final

from ccda.hl7v3 import NUMBER, TS, make_ts

_TIME: Final = re.compile(
    r"(?P<date>\d{4}(?:\d\d(?:\d\d(?:\d\d(?:\d\d)?)?)?)?)(?P<rest>(?:\d\d(?:\.\d+)?)?(?:[+-]\d{2,4}|Z)?)"
)
_FORMATS: Final = {4: "%Y", 6: "%Y%m", 8: "%Y%m%d", 10: "%Y%m%d%H", 12: "%Y%m%d%H%M"}
_MONTHS: Final = {"mo": 1, "a": 12}
_MINUTES: Final = {"min": 1, "h": 60, "d": 24 * 60, "wk": 7 * 24 * 60}
# What a time of so many digits is known to.
_STEPS: Final = {4: ("mo", 12), 6: ("mo", 1), 8: ("min", 24 * 60), 10: ("min", 60), 12: ("min", 1)}


Bounds = tuple[TS | None, TS | None]


def bounded(
    low: TS | None, high: TS | None, amount: str | None, unit: str | None, center: TS | None = None
) -> Bounds:
    """Low and high, of which a missing one is told by the width, as far as the calendar does."""
    if high is None and low is not None and low.value:
        return low, _time(moved(low.value, amount, unit))
    if low is None and high is not None and high.value:
        return _time(moved(high.value, amount, unit, back=True)), high
    if low is None and high is None and center is not None and center.value:
        return _around(center.value, amount, unit)
    return low, high


def _around(center: str, amount: str | None, unit: str | None) -> Bounds:
    """Half the width on both sides; months are of different lengths, and have no halves."""
    if unit not in _MINUTES or amount is None or NUMBER.fullmatch(amount.strip()) is None:
        return None, None
    half = str(Decimal(amount.strip()) / 2)
    low, high = moved(center, half, unit, back=True), moved(center, half, unit)
    return (_time(low), _time(high)) if low and high else (None, None)


def _time(written: str | None) -> TS | None:
    return None if written is None else make_ts(written, None)


def moved(written: str, amount: str | None, unit: str | None, *, back: bool = False) -> str | None:
    """The HL7 time that is so much later, or earlier; None where the calendar does not say."""
    match = _TIME.fullmatch(written.strip())
    if match is None or amount is None or NUMBER.fullmatch(amount.strip()) is None:
        return None
    try:
        date = _moved(match["date"], Decimal(amount.strip()) * (-1 if back else 1), unit)
    except (ArithmeticError, ValueError):  # no date, or one beyond the calendar
        return None
    return None if date is None else date + match["rest"]


def _moved(date: str, amount: Decimal, unit: str | None) -> str | None:
    smallest, step = _STEPS[len(date)]
    start = datetime.strptime(date, _FORMATS[len(date)])
    if unit in _MONTHS:
        months = amount * _MONTHS[unit]
        is_whole = not months % (step if smallest == "mo" else 1)
        end = _months_later(start, int(months)) if is_whole else None
    elif unit in _MINUTES and smallest == "min":
        minutes = amount * _MINUTES[unit]
        end = start + timedelta(minutes=int(minutes)) if not minutes % step else None
    else:
        end = None
    # strftime writes the year 987 in three digits.
    return None if end is None else f"{end.year:04}{end:%m%d%H%M}"[: len(date)]


def _months_later(start: datetime, months: int) -> datetime:
    """The same day of the month; the last one where that month has fewer."""
    years, month = divmod(start.month - 1 + months, 12)
    year = start.year + years
    last = monthrange(year, month + 1)[1]
    return start.replace(year=year, month=month + 1, day=min(start.day, last))
