"""CorrelationTimeToLive: how long an ITI-55 answer may be used again (ITI TF-2: 3.55.4.2.3.1).

It is an xs:duration in the SOAP header of the answer; without one nothing may be kept.
"""

import re
from datetime import timedelta
from typing import Final

from ccda.safe_xml import Element, parse_xml

NAMESPACE: Final = "urn:ihe:iti:xcpd:2009"
TIME_TO_LIVE: Final = f"{{{NAMESPACE}}}CorrelationTimeToLive"

_DURATION: Final = re.compile(
    r"P(?:(?P<years>\d{1,4})Y)?(?:(?P<months>\d{1,5})M)?(?:(?P<weeks>\d{1,4})W)?"
    r"(?:(?P<days>\d{1,6})D)?"
    r"(?:T(?:(?P<hours>\d{1,7})H)?(?:(?P<minutes>\d{1,9})M)?(?:(?P<seconds>\d{1,10}(?:\.\d+)?)S)?)?"
)
# A year and a month are the shortest there are: no id is kept for longer than was allowed.
_SECONDS: Final = {
    "years": 365 * 86_400,
    "months": 28 * 86_400,
    "weeks": 7 * 86_400,
    "days": 86_400,
    "hours": 3_600,
    "minutes": 60,
    "seconds": 1,
}


def read_time_to_live(header: Element) -> timedelta | None:
    """What a SOAP header grants; None when it grants nothing, or nothing that can be read."""
    return read_duration(header.findtext(TIME_TO_LIVE))


def read_duration(text: str | None) -> timedelta | None:
    """A positive xs:duration (XML Schema 1.1 Part 2: 3.3.6), rounded down to whole seconds."""
    found = _DURATION.fullmatch((text or "").strip())
    if found is None:
        return None
    seconds = sum(float(number) * _SECONDS[unit] for unit, number in found.groupdict("0").items())
    try:
        return timedelta(seconds=int(seconds)) or None
    except OverflowError:
        return timedelta.max


def write_time_to_live(granted: timedelta) -> str:
    """The header block that says for how long the answer may be used again, as text.

    Raises:
        ValueError: `granted` is not at least a second.
    """
    if granted < timedelta(seconds=1):
        raise ValueError("a time to live is at least a second")
    return (
        f'<xcpd:CorrelationTimeToLive xmlns:xcpd="{NAMESPACE}">{write_duration(granted)}'
        "</xcpd:CorrelationTimeToLive>"
    )


def grant(header: Element, granted: timedelta) -> None:
    """Says in a SOAP header for how long the message may be used again.

    Raises:
        ValueError: `granted` is not at least a second.
    """
    header.append(parse_xml(write_time_to_live(granted).encode()))


def write_duration(duration: timedelta) -> str:
    """Whole seconds as xs:duration; days where they come out even."""
    seconds = int(duration.total_seconds())
    days, rest = divmod(seconds, 86_400)
    return f"P{days}D" if not rest else f"PT{seconds}S"
