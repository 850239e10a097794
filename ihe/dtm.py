"""Times as XDS writes them: HL7 DTM in UTC, without an offset (ITI TF-3: 4.2.3.1.7)."""

import re
from datetime import datetime, timedelta
from typing import Final

# Of a time written with less precision, the first moment that it covers.
_FIRST_MOMENT: Final = "00000101000000"
_LENGTHS: Final = frozenset({4, 6, 8, 10, 12, 14})
_TIME: Final = re.compile(
    r"(?P<moment>\d{4,14})(?:\.\d*)?(?:(?P<sign>[+-])(?P<hours>\d\d):?(?P<minutes>\d\d)?|Z)?",
    re.ASCII,
)
# Quirk: xs:dateTime, which everything else in these messages uses.
_ISO: Final = re.compile(
    r"^(\d{4})-(\d\d)(?!\d)(?:-(\d\d)(?:T(\d\d):(\d\d)(?::(\d\d))?)?)?", re.ASCII
)


def utc_time(text: str) -> str | None:
    """`text`, an HL7 time or one of ISO 8601, as digits in UTC; its precision is kept.

    An offset shifts what is known to the hour. None for what is no time that exists.
    """
    compact = _ISO.sub(lambda found: "".join(found.groups(default="")), text.strip(), count=1)
    found = _TIME.fullmatch(compact)
    if found is None or len(found["moment"]) not in _LENGTHS:
        return None
    moment = found["moment"]
    try:
        local = datetime.strptime(first_moment(moment), "%Y%m%d%H%M%S")
        if not found["sign"] or len(moment) < 10:
            return moment
        shift = timedelta(hours=int(found["hours"]), minutes=int(found["minutes"] or "0"))
        utc = local - shift if found["sign"] == "+" else local + shift
    except (ValueError, OverflowError):
        return None
    return f"{utc.year:04}{utc:%m%d%H%M%S}"[: len(moment)]


def first_moment(time: str) -> str:
    """`time` to the second: in UTC, text order is then time order."""
    return time + _FIRST_MOMENT[len(time) :]
