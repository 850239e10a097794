"""One test over time: repeated reports become one point, different units one unit."""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import product
from typing import Any, Final

from ccda.hl7v3 import CD, TS
from ccda.model import Entry, Interval, Kind
from ccda.summary import LineSource, TrendPoint
from ccda.values import quickly_made
from gateway.exchange.effort import spend
from gateway.exchange.moments import date_digits, finest, has_clock, may_be_one, sort_key
from gateway.exchange.statements import Statement
from gateway.exchange.taken_back import NULLIFIED
from gateway.exchange.units import (
    Quantity,
    agree,
    common_unit,
    convert,
    read_quantity,
    ucum,
    written,
)

TREND_KINDS: Final[frozenset[Kind]] = frozenset({"result", "vital_sign", "social_history"})
LOINC: Final = "2.16.840.1.113883.6.1"

Sources = Mapping[tuple[str, int], LineSource]
"""Of each statement, by its order."""


@quickly_made
@dataclass(frozen=True, slots=True)
class _Reading:
    """A statement's value; `quantity` in the trend's unit where it could be brought there."""

    statement: Statement
    quantity: Quantity | None
    text: str | None
    is_converted: bool


@quickly_made
@dataclass(frozen=True, slots=True)
class Measurement:
    """All that was told of one measurement, the weightiest first."""

    readings: tuple[_Reading, ...]
    conflict: str | None

    @property
    def best(self) -> _Reading:
        """The weightiest that no newer version of its document has replaced, if there is one."""
        first = self.readings[0]
        return next((one for one in self.readings if not one.statement.superseded), first)

    @property
    def speaking(self) -> Statement:
        """Who speaks for it."""
        return self.best.statement

    @property
    def time(self) -> TS | None:
        return _time(self.readings)


def standing(statements: Sequence[Statement]) -> list[Statement]:
    """Those that were not entered in error, by their own word or by a later one.

    Later on the same: under the same id, or one organization's on that value of that time.
    """
    wrong: dict[_Told, tuple[Any, ...]] = {}
    for one in statements:
        if one.status == NULLIFIED:
            for told in _tellings(one):
                wrong[told] = max(wrong.get(told, one.rank), one.rank)
    if not wrong:
        return list(statements)
    return [
        one
        for one in statements
        if one.status != NULLIFIED
        and not any(wrong[told] > one.rank for told in _tellings(one) if told in wrong)
    ]


_Told = str | tuple[str, ...]


def _tellings(one: Statement) -> Iterator[_Told]:
    """What shows that a statement is on the same as another."""
    yield from one.ids
    if _text(one) is not None and sort_key(one.when):
        yield one.voice, *_shape(one)


def measurements(statements: Sequence[Statement]) -> tuple[Measurement, ...]:
    """What was measured, oldest first. Statements without a value tell of none."""
    valued = [one for one in statements if _text(one) is not None]
    if len(valued) < 2:  # nothing to compare it with, nor to bring it to the unit of
        return tuple(Measurement((_as_written(one),), None) for one in valued)
    tests = {code for one in statements for system, code in one.codes if system == LOINC}
    read = {one.order: read_quantity(one.entry.value, one.entry.unit) for one in valued}
    # A measurement counts once for its unit, however many tell of it.
    shapes = {_shape(one): read[one.order] for one in valued}
    unit = common_unit([found for found in shapes.values() if found is not None], tests)
    readings = [_reading(one, read[one.order], unit, tests) for one in valued]
    # The weightiest first, so that a point speaks with the words of its best source.
    readings.sort(key=lambda one: one.statement.rank, reverse=True)
    groups = _grouped(readings)
    # Of two values of one moment the weightier comes last: it is the one that a line speaks with.
    groups.sort(key=lambda group: (sort_key(_time(group)), group[0].statement.rank))
    disagreeing = _disagreements(groups)
    return tuple(
        Measurement(tuple(group), disagreeing.get(index)) for index, group in enumerate(groups)
    )


def newest(found: Sequence[Measurement]) -> Measurement | None:
    """The last that is still told, if it is known when it was."""
    current = [one for one in found if not one.speaking.superseded] or found
    return current[-1] if current and current[-1].time is not None else None


@dataclass(slots=True, eq=False)
class _Point:
    """Readings of one measurement. `shapes` are the different ones: copies are compared once."""

    readings: list[_Reading]
    shapes: dict[tuple[str, str, str], _Reading]
    ids: set[str]

    def take(self, other: "_Point") -> None:
        self.readings += other.readings
        self.shapes |= other.shapes
        self.ids |= other.ids

    def is_one_with(self, other: "_Point") -> bool:
        """The same report again: the same id, or nothing but one value at what may be one time."""
        if self.ids & other.ids:
            return True
        pairs = list(product(self.shapes.values(), other.shapes.values()))
        return any(_is_one_time(*pair) for pair in pairs) and all(
            _is_one_value(*pair) for pair in pairs
        )


def _alone(one: _Reading) -> _Point:
    return _Point([one], {_shape(one.statement): one}, set(one.statement.ids))


def _shape(one: Statement) -> tuple[str, str, str]:
    """What tells its reading from other readings: when, what, in which unit."""
    when = one.when
    return (when.value if when else None) or "", _text(one) or "", ucum(one.entry.unit) or ""


def _grouped(readings: Sequence[_Reading]) -> list[list[_Reading]]:
    """Readings of one measurement together; only those that share an id or a date are compared."""
    points: dict[int, _Point] = {}
    filed: dict[str, dict[int, _Point]] = defaultdict(dict)
    for one in readings:
        home, ids, dates = _alone(one), _ids(one), _dates(one)
        near = {key: found for at in _meets(ids, dates) for key, found in filed[at].items()}
        spend(sum([len(found.shapes) + len(found.readings) for found in near.values()]))
        # What is one with two shows that they are one: a date alone between two time zones.
        for key, found in near.items():
            if not found.is_one_with(home):
                continue
            found.take(home)
            if points.pop(id(home), None) is not None:
                for at in {at for each in home.readings for at in _files(_ids(each), _dates(each))}:
                    filed[at].pop(id(home), None)
                    filed[at][key] = found
            home = found
        points[id(home)] = home
        for at in _files(ids, dates):
            filed[at][id(home)] = home
    return [point.readings for point in points.values()]


def _files(ids: list[str], dates: list[str]) -> list[str]:
    """Where a reading is found again: by id, by its date, and as one within that month and year."""
    within = [f"within {date[:size]}" for date in dates for size in (4, 6) if size < len(date)]
    return [*ids, *[f"at {date}" for date in dates], *within]


def _meets(ids: list[str], dates: list[str]) -> list[str]:
    """Where those stand that may be the same: as coarse a date or coarser, or within its own."""
    coarser = {f"at {date[:length]}" for date in dates for length in (4, 6, 8)}
    return [*ids, *sorted(coarser), *[f"within {date}" for date in dates]]


def _ids(one: _Reading) -> list[str]:
    return [f"id {id_}" for id_ in sorted(one.statement.ids)]


def _dates(one: _Reading) -> list[str]:
    """As written, and in UTC."""
    when = one.statement.when
    here, in_utc = date_digits(when), sort_key(when)[:8]
    if here == in_utc:
        return [here] if here else []
    return sorted(date for date in (here, in_utc) if date)


def _as_written(one: Statement) -> _Reading:
    return _Reading(one, read_quantity(one.entry.value, one.entry.unit), _text(one), False)


def _reading(
    one: Statement, quantity: Quantity | None, unit: str | None, tests: set[str]
) -> _Reading:
    converted = convert(quantity, unit, tests) if quantity is not None else None
    is_converted = converted is not None and quantity is not None and converted != quantity
    return _Reading(one, converted or quantity, _text(one), is_converted)


def _text(one: Statement) -> str | None:
    """The value as words; an answer that is a code stands in `code` (a smoking status)."""
    value = one.entry.value
    if value is None and one.entry.kind == "social_history":
        value = one.entry.code
    match value:
        case CD():
            return value.display or value.original_text or value.code
        case Interval(low=low, high=high):
            if low and high:
                return f"{low}–{high}"
            outside = one.details.get("exclusive")  # the bounds that are themselves not meant
            is_outside = isinstance(outside, list) and ("low" if low else "high") in outside
            if low:
                return f"> {low}" if is_outside else f"≥ {low}"
            return f"< {high}" if is_outside else f"≤ {high}"
        case _:
            return value


def _is_one_time(one: _Reading, other: _Reading) -> bool:
    mine, theirs = one.statement.when, other.statement.when
    return bool(sort_key(mine)) and may_be_one(mine, theirs)


def _is_one_value(one: _Reading, other: _Reading) -> bool:
    if one.quantity is not None and other.quantity is not None:
        return _is_same(one, other)
    mine, theirs = (ucum(each.statement.entry.unit) for each in (one, other))
    if mine and theirs and mine != theirs:  # ≥ 5 mg/dL is not ≥ 5 g/dL
        return False
    return (one.text or "").casefold() == (other.text or "").casefold()


def _time(group: Sequence[_Reading]) -> TS | None:
    times = [time for one in group if (time := one.statement.when) and sort_key(time)]
    return finest(times) if times else None


def _disagreements(groups: list[list[_Reading]]) -> dict[int, str]:
    """Points of one moment with different values, told by different voices."""
    found: dict[int, str] = {}
    for index, group in enumerate(groups):
        mine = group[0].statement
        day = sort_key(mine.when)[:8]
        # The groups stand in order of time, so those of one day stand together.
        for other in range(index + 1, len(groups)):
            spend(1)
            theirs = groups[other][0].statement
            if not day or sort_key(theirs.when)[:8] != day:
                break
            if mine.voice == theirs.voice or has_clock(mine.when) != has_clock(theirs.when):
                continue
            if may_be_one(mine.when, theirs.when):
                text = f"at the same time {_said(group[0])}, {_said(groups[other][0])}"
                found[index] = found[other] = text
    return found


def _said(one: _Reading) -> str:
    entry = one.statement.entry
    value = " ".join(part for part in (one.text, entry.unit) if part)
    return f"{one.statement.speaker or 'one source'} says {value}"


def point(measured: Measurement, sources: Sources) -> TrendPoint:
    """It in the trend of its line."""
    best, group = measured.best, measured.readings
    # Of one report in two units, the one that needs no conversion is shown.
    shown = next((one for one in group if not one.is_converted and _is_same(one, best)), best)
    entry = shown.statement.entry
    time = measured.time
    value = written(shown.quantity) if shown.is_converted and shown.quantity else shown.text
    return TrendPoint(
        time=time.iso if time else None,
        value=value,
        unit=shown.quantity.unit if shown.quantity else entry.unit,
        written_value=shown.text,
        written_unit=entry.unit,
        interpretation=_interpretation(shown.statement),
        conflict=measured.conflict,
        sources=tuple([sources[order] for order in sorted([r.statement.order for r in group])]),
        entry=_told(best.statement, entry),
    )


def _told(best: Statement, shown: Entry) -> Entry:
    """The best source's statement, with the number in the unit in which it is shown."""
    return replace(
        best.entry,
        status=best.status,
        value=shown.value,
        unit=shown.unit,
        details=best.details,
    )


def _is_same(one: _Reading, other: _Reading) -> bool:
    if one.quantity is None or other.quantity is None:
        return one is other
    return one.quantity.unit == other.quantity.unit and agree(one.quantity, other.quantity)


def _interpretation(one: Statement) -> str | None:
    given = one.details.get("interpretation")
    first = given[0] if isinstance(given, list) and given else given
    return first.get("code") if isinstance(first, dict) else None
