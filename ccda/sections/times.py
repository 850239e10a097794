"""When a statement is true: effectiveTime as TS, IVL, PIVL, EIVL or SXPR (CDA R2 datatypes)."""

from typing import Final, TypeGuard

from ccda.hl7v3 import TS, XSI_TYPE, make_ts
from ccda.safe_xml import Element
from ccda.sections.form import Form, read_quantity, read_time, without_none
from ccda.sections.participants import Elements
from ccda.sections.statement import Children, Statement, children_of, first
from ccda.sections.widths import bounded

_BOUNDS: Final = frozenset(("low", "high", "width"))
_FREQUENCIES: Final = frozenset(("PIVL_TS", "EIVL_TS", "PIVL_PPD_TS", "EIVL_PPD_TS"))


class Times:
    """An interval (start, end), a point, and how often.

    All of an interval is from one element. `width` is how long it is, where that is written; the
    intervals and points that others state are `others`.
    """

    __slots__ = ("end", "frequency", "others", "start", "time", "width")

    def __init__(self) -> None:
        self.start: TS | None = None
        self.end: TS | None = None
        self.time: TS | None = None
        self.frequency: list[Form] = []
        self.width: Form | None = None
        self.others: list[Form] = []

    def form(self) -> Form:
        """`start`, `end`, `time` of what stands in the details, as far as they are written."""
        form: Form = {}
        for name, time in (("start", self.start), ("end", self.end), ("time", self.time)):
            if time is not None and time.value:
                form[name] = time.iso
        return form | self.more()

    def more(self) -> Form:
        """What an entry has no field for: `width` and `other_times`."""
        form: Form = {}
        if self.width is not None:
            form["width"] = self.width
        if self.others:
            form["other_times"] = self.others
        return form


def read_times(statement: Statement) -> Times:
    """All effectiveTimes of a statement; of several intervals the first that says it counts."""
    times = Times()
    for element in statement.children.get("effectiveTime", ()):
        _add(times, element)
    return times


def _add(times: Times, element: Element) -> None:
    if not len(element):
        _add_point(times, _point(element))
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
    point = _first(parts.get("center", ())) or _point(element)
    if not _BOUNDS.isdisjoint(parts):
        _add_interval(times, _read_interval(parts), point)
    else:
        _add_point(times, point)


def _add_point(times: Times, point: TS | None) -> None:
    if point is None:
        return
    if not _is_written(times.time):
        times.time = point if _is_written(point) else times.time or point
    elif _is_written(point) and point != times.time:
        times.others.append({"time": point.iso})


def _add_interval(times: Times, found: Times, point: TS | None) -> None:
    """Take it whole where no other was, or the other says nothing; else keep it beside that."""
    taken = _is_written(times.start) or _is_written(times.end) or times.width is not None
    said = found.form()
    if taken:
        if _is_written(point):
            said["time"] = point.iso
        same = (found.start, found.end, found.width) == (times.start, times.end, times.width)
        if said and not same:
            times.others.append(said)
        return
    if said or (times.start is None and times.end is None):
        times.start, times.end, times.width = found.start, found.end, found.width
    _add_point(times, point)


def _read_interval(parts: Children) -> Times:
    """Its bounds; where one is missing and the width tells it, that too."""
    found = Times()
    found.start, found.end = _first(parts.get("low", ())), _first(parts.get("high", ()))
    width = parts.get("width")
    if width is None:
        return found
    found.width = read_quantity(width[0])
    amount, unit = width[0].get("value"), width[0].get("unit")
    found.start, found.end = bounded(found.start, found.end, amount, unit)
    return found


def _first(elements: Elements) -> TS | None:
    """The first that is written, else the first that says why not."""
    points = [point for element in elements if (point := _point(element)) is not None]
    return next(filter(_is_written, points), points[0] if points else None)


def _is_written(time: TS | None) -> TypeGuard[TS]:
    return time is not None and bool(time.value)


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
