"""HL7 times: as moments are written, and compared in the precision they were written with."""

import re
from datetime import UTC, datetime, timedelta, timezone
from functools import lru_cache
from typing import Final

from ccda.hl7v3 import TS, hl7_time

_TIME: Final = re.compile(r"(\d{4,14})(?:\.\d+)?(?:([+-])(\d\d):?(\d\d)?|Z)?")
_ISO: Final = re.compile(r"\d{4}-\d\d-\d\d(T.*)?")
_FORMATS: Final = {10: "%Y%m%d%H", 12: "%Y%m%d%H%M", 14: "%Y%m%d%H%M%S"}

_ISO_MARKS: Final = str.maketrans("", "", "-:T")
"""What ISO 8601 has between the numbers of a time, and HL7 has not."""


def written(moment: datetime) -> TS:
    """The moment to the second, in UTC."""
    return TS(moment.astimezone(UTC).isoformat(timespec="seconds").translate(_ISO_MARKS))


def sort_key(time: TS | None) -> str:
    """Text that orders times; a coarser time comes before the finer ones within it."""
    return _read(time.value)[1] if time and time.value else ""


def date_digits(time: TS | None) -> str:
    """The written date, up to eight digits; empty if there is none."""
    return _read(time.value)[0][:8] if time and time.value else ""


def has_clock(time: TS | None) -> bool:
    """Whether it says the hour as well."""
    return time is not None and bool(time.value) and len(_read(time.value or "")[0]) > 8


def fineness(time: TS | None) -> int:
    """How many digits it was written with; none where it says no time."""
    return len(_read(time.value)[0]) if time and time.value else 0


@lru_cache(maxsize=1 << 14)  # one record repeats its times, and merging compares them often
def _read(value: str) -> tuple[str, str]:
    """The digits as written, and as UTC where an offset is told."""
    written = value.strip()
    # Quirk: ISO 8601 where HL7 writes digits alone.
    written = hl7_time(written) if _ISO.fullmatch(written) else written
    found = _TIME.fullmatch(written)
    if found is None:
        return "", ""
    digits, sign, hours, minutes = found.groups()
    if sign is None or len(digits) not in _FORMATS:
        return digits, digits
    offset = timedelta(hours=int(hours), minutes=int(minutes or 0))
    try:
        zone = timezone(offset if sign == "+" else -offset)
        moment = datetime.strptime(digits, _FORMATS[len(digits)]).replace(tzinfo=zone)
        return digits, moment.astimezone(UTC).strftime(_FORMATS[len(digits)])
    except (ValueError, OverflowError):
        return digits, digits


def may_be_one(one: TS | None, other: TS | None) -> bool:
    """Whether two times can mean the same moment: the finer lies within the coarser.

    Times of day are compared as instants where both tell their offset; against a date alone the
    written date counts, which is how a lab's day is carried into another record.
    """
    if has_clock(one) and has_clock(other):
        mine, theirs = sort_key(one), sort_key(other)
    else:
        mine, theirs = date_digits(one), date_digits(other)
    return bool(mine and theirs) and (mine.startswith(theirs) or theirs.startswith(mine))


def finest(times: list[TS]) -> TS | None:
    """The finest of those that agree with the first; of one instant, as its place wrote it."""
    if len(times) == 1:
        return times[0] if sort_key(times[0]) else None
    agreeing = {time.value: time for time in times if may_be_one(times[0], time)}

    def precision(time: TS) -> tuple[int, str, bool, str]:
        key = sort_key(time)
        return len(key), key, not _is_utc(time), time.value or ""

    return max(agreeing.values(), key=precision, default=None)


def _is_utc(time: TS) -> bool:
    return (time.value or "").endswith(("+0000", "-0000", "+00:00"))
