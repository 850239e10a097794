"""When a statement is true: effectiveTime as TS, IVL, PIVL, EIVL or SXPR (CDA R2 datatypes)."""

from typing import Final

from ccda.hl7v3 import TS, XSI_TYPE, make_ts
from ccda.safe_xml import Element
from ccda.sections.form import Form, read_quantity, read_time, without_none
from ccda.sections.statement import Statement, children_of, first

_FREQUENCIES: Final = frozenset(("PIVL_TS", "EIVL_TS", "PIVL_PPD_TS", "EIVL_PPD_TS"))


class Times:
    """An interval (start, end), a point, and how often."""

    __slots__ = ("end", "frequency", "start", "time")

    def __init__(self) -> None:
        self.start: TS | None = None
        self.end: TS | None = None
        self.time: TS | None = None
        self.frequency: list[Form] = []

    def form(self) -> Form:
        """`start`, `end` and `time` of what stands in the details, as far as they are written."""
        form: Form = {}
        for name, time in (("start", self.start), ("end", self.end), ("time", self.time)):
            if time is not None and time.value:
                form[name] = time.iso
        return form


def read_times(statement: Statement) -> Times:
    """All effectiveTimes of a statement; of several intervals the first that says it counts."""
    times = Times()
    for element in statement.children.get("effectiveTime", ()):
        _add(times, element)
    return times


def _add(times: Times, element: Element) -> None:
    if not len(element):
        point = _point(element)
        if point is not None and (times.time is None or times.time.value is None):
            times.time = point
        return
    kind = (element.get(XSI_TYPE) or "").rpartition(":")[2]
    parts = children_of(element)
    if kind in _FREQUENCIES or "period" in parts or "event" in parts:
        times.frequency.append(_read_frequency(element))
        return
    if kind == "SXPR_TS":
        for part in parts.get("comp", ()):
            _add(times, part)
        return
    for low in parts.get("low", ()):
        times.start = _fuller(times.start, low)
    for high in parts.get("high", ()):
        times.end = _fuller(times.end, high)
    for center in parts.get("center", ()):
        times.time = _fuller(times.time, center)
    if element.get("value"):
        times.time = _fuller(times.time, element)


def _fuller(known: TS | None, element: Element) -> TS | None:
    return known if known is not None and known.value else _point(element) or known


def _point(element: Element) -> TS | None:
    value, null_flavor = element.get("value") or None, element.get("nullFlavor")
    return make_ts(value, null_flavor) if value or null_flavor else None


def _read_frequency(element: Element) -> Form:
    """PIVL_TS: `period`; EIVL_TS: `event` (a code such as HS, at bedtime) and `offset`."""
    event = first(element, "event")
    return without_none(
        period=read_quantity(first(element, "period")),
        phase=read_time(first(element, "phase")),
        event=None if event is None else event.get("code"),
        offset=read_quantity(first(element, "offset")),
        institution_specified=element.get("institutionSpecified"),
        operator=element.get("operator"),
        null_flavor=element.get("nullFlavor"),
    )
