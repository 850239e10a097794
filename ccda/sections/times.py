"""When a statement is true: effectiveTime as TS, IVL, PIVL, EIVL or SXPR (CDA R2 datatypes)."""

from dataclasses import dataclass, field
from typing import Final

from ccda.hl7v3 import TS, XSI_TYPE
from ccda.safe_xml import Element
from ccda.sections.form import Form, read_quantity, read_time, without_none
from ccda.sections.statement import Statement, first, local_name

_FREQUENCIES: Final = frozenset(("PIVL_TS", "EIVL_TS", "PIVL_PPD_TS", "EIVL_PPD_TS"))


@dataclass(slots=True)
class Times:
    """An interval (start, end), a point, and how often."""

    start: TS | None = None
    end: TS | None = None
    time: TS | None = None
    frequency: list[Form] = field(default_factory=list)

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
    for element in statement.all("effectiveTime"):
        _add(times, element)
    return times


def _add(times: Times, element: Element) -> None:
    if not len(element):
        point = _point(element)
        if point is not None and (times.time is None or times.time.value is None):
            times.time = point
        return
    kind = (element.get(XSI_TYPE) or "").rpartition(":")[2]
    if kind in _FREQUENCIES or _is_frequency(element):
        times.frequency.append(_read_frequency(element))
        return
    if kind == "SXPR_TS":
        for part in element:
            if local_name(part) == "comp":
                _add(times, part)
        return
    _add_interval(times, element)


def _add_interval(times: Times, element: Element) -> None:
    for child in element:
        name = local_name(child)
        if name == "low":
            times.start = _fuller(times.start, child)
        elif name == "high":
            times.end = _fuller(times.end, child)
        elif name == "center":
            times.time = _fuller(times.time, child)
    if element.get("value"):
        times.time = _fuller(times.time, element)


def _fuller(known: TS | None, element: Element) -> TS | None:
    return known if known is not None and known.value else _point(element) or known


def _point(element: Element) -> TS | None:
    value, null_flavor = element.get("value") or None, element.get("nullFlavor")
    return TS(value, null_flavor) if value or null_flavor else None


def _is_frequency(element: Element) -> bool:
    return first(element, "period") is not None or first(element, "event") is not None


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
