"""FHIR dates and times from what a document writes (FHIR R4: 2.24.0.1; C-CDA on FHIR: dates).

A FHIR dateTime with a time needs its offset. One written without is cut to its date: to guess
the offset would move the event. What is no date of the calendar is left out.
"""

import re
from collections.abc import Iterable
from datetime import date
from typing import Any, Final

from ccda.fhir.remembered import remembered
from ccda.fhir.systems import DATA_ABSENT
from ccda.hl7v3 import TS, iso_time, known_time

Json = dict[str, Any]

ABSENT: Final = "http://hl7.org/fhir/StructureDefinition/data-absent-reason"
_TIME: Final = re.compile(
    r"(\d{4})(?:-(\d\d)(?:-(\d\d)(?:T(\d\d)(?::(\d\d)(?::(\d\d)(\.\d+)?)?)?(Z|[+-]\d\d:\d\d)?)?)?)?"
)
# C-CDA on FHIR: CF-NullFlavorDataAbsentReason.
_REASONS: Final = {
    "NI": "unknown", "OTH": "unsupported", "NINF": "negative-infinity",
    "PINF": "positive-infinity", "MSK": "masked", "NA": "not-applicable", "UNK": "unknown",
    "ASKU": "asked-unknown", "NAV": "temp-unknown", "NASK": "not-asked", "TRC": "unsupported",
    "NP": "unknown",
}  # fmt: skip


def absent(null_flavor: str | None = None) -> Json:
    """What stands in place of a value that the source does not give."""
    return {"extension": [{"url": ABSENT, "valueCode": absent_code(null_flavor)}]}


def absent_code(null_flavor: str | None) -> str:
    return _REASONS.get(null_flavor or "", "unknown")


def absent_concept(null_flavor: str | None) -> Json:
    return {"coding": [{"system": DATA_ABSENT, "code": absent_code(null_flavor)}]}


def when(time: TS | None) -> str | None:
    return None if time is None or time.value is None else _of_hl7(time.value)


@remembered
def _of_hl7(written: str) -> str | None:
    return date_time(iso_time(known_time(written)))


@remembered
def date_time(iso: str | None) -> str | None:
    """A FHIR dateTime, as precise as it was written and FHIR can hold."""
    match = _TIME.fullmatch(iso.strip()) if iso else None
    if match is None:
        return None
    year, month, day, hour, minute, second, fraction, zone = match.groups()
    if not _is_day(int(year), int(month or 1), int(day or 1)):
        return None
    whole = "-".join(part for part in (year, month, day) if part)
    if minute is None or zone is None or not _is_clock(hour, minute, second, zone):
        return whole
    # Seconds must be there and may be zero-filled (FHIR R4: dateTime).
    return f"{whole}T{hour}:{minute}:{second or '00'}{fraction or ''}{zone}"


def day(iso: str | None) -> str | None:
    """A FHIR date: the same without any time."""
    found = date_time(iso)
    return None if found is None else found[:10]


def instant(iso: str | None) -> str | None:
    """A FHIR instant; None where the time is not written to the second."""
    found = date_time(iso)
    return found if found is not None and len(found) > 10 else None


def period(start: TS | None, end: TS | None) -> Json | None:
    return period_of(when(start), when(end))


def period_of(start: str | None, end: str | None) -> Json | None:
    """An interval whose start is not after its end (FHIR R4: per-1).

    Bounds of different precision that may be one moment are cut to what both say. An end before
    its start cannot stand: that the source is in error does.
    """
    if start is None or end is None:
        bounds = {name: bound for name, bound in (("start", start), ("end", end)) if bound}
        return bounds or None
    if len(start) > 10 and len(end) > 10:
        if _utc(start) <= _utc(end):
            return {"start": start, "end": end}
        return {"start": start, "_end": _in_error()}
    first, last = start[:10], end[:10]
    shared = min(len(first), len(last))
    if first[:shared] == last[:shared] or (len(start) > 10) != (len(end) > 10):
        first, last = first[:shared], last[:shared]
    if first > last:
        return {"start": start, "_end": _in_error()}
    return {"start": first, "end": last}


def is_after(later: str | None, earlier: str | None) -> bool:
    """Whether one moment surely comes after another."""
    if later is None or earlier is None:
        return False
    if len(later) > 10 and len(earlier) > 10:
        return _utc(later) > _utc(earlier)
    shared = min(len(later), len(earlier), 10)
    return later[:shared] > earlier[:shared]


def in_order(moments: Iterable[str]) -> list[str]:
    """The earliest first; where one has no clock, by the days that were written."""
    found = list(moments)
    if all(len(moment) > 10 for moment in found):
        return sorted(found, key=_utc)
    return sorted(found)


def _in_error() -> Json:
    return {"extension": [{"url": ABSENT, "valueCode": "error"}]}


def _utc(moment: str) -> tuple[int, float]:
    """A moment as a day and its seconds, which orders moments of different offsets."""
    year, month, day_ = int(moment[:4]), int(moment[5:7]), int(moment[8:10])
    clock = re.split(r"[Z+-]", moment[11:])[0].split(":")
    seconds = int(clock[0]) * 3600 + int(clock[1]) * 60 + float(clock[2])
    if not moment.endswith("Z"):
        shift = int(moment[-5:-3]) * 3600 + int(moment[-2:]) * 60
        seconds += -shift if moment[-6] == "+" else shift
    days, rest = divmod(seconds, 86400)
    return date(year, month, day_).toordinal() + int(days), rest


def _is_day(year: int, month: int, day_: int) -> bool:
    try:
        date(year, month, day_)
    except ValueError:
        return False
    return True


def _is_clock(hour: str, minute: str, second: str | None, zone: str) -> bool:
    shift = "00:00" if zone == "Z" else zone[1:]
    return (
        hour <= "23" and minute <= "59" and (second or "00") <= "59"
        and shift <= "14:00" and shift[3:] <= "59"
    )  # fmt: skip
