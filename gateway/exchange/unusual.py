"""Access to members that an auditor should look at, each with the reason in words. Pure.

Three questions to the records, against what was usual in the days before: has this partner or
person ever had to do with this member; does somebody go through far more members in a day than he
does otherwise; does a person look at odd hours. None of it is a finding: it says where to look.

A list names nobody and says how many it has shown: they count as so many members, each time anew.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta, tzinfo
from typing import Final, Literal
from zoneinfo import ZoneInfo

from gateway.exchange.shown_members import number_shown
from gateway.model.exchange import Exchange, RecordedExchange
from gateway.model.identity import MemberId
from gateway.model.later import DEFERRAL
from gateway.settings_audit import Usual

UnusualKind = Literal["first_time", "many_members", "odd_hours"]
COLUMNS: Final = ("record", "time", "kind", "who", "member", "why")
_HAPPENED: Final = ("success", "partial")


@dataclass(frozen=True, slots=True)
class Unusual:
    """One access to look at."""

    sequence: int
    time: datetime
    kind: UnusualKind
    who: str
    member: MemberId | None
    why: str


@dataclass(slots=True)
class _Known:
    """What is remembered of one partner or person."""

    last: dict[MemberId, datetime] = field(default_factory=dict)
    days: dict[date, set[MemberId]] = field(default_factory=lambda: defaultdict(set))
    listed: dict[date, int] = field(default_factory=lambda: defaultdict(int))
    told: set[tuple[UnusualKind, date]] = field(default_factory=set)

    def see(self, told: Exchange, day: date) -> None:
        """Remembers the access."""
        if told.member is not None:
            self.last[told.member] = told.time
            self.days[day].add(told.member)
        elif number := number_shown(told):
            self.listed[day] += number

    def seen(self, day: date) -> int:
        """How many members on that day."""
        return len(self.days.get(day, ())) + self.listed.get(day, 0)


def unusual_accesses(
    records: Iterable[RecordedExchange], *, since: datetime, usual: Usual
) -> Iterator[Unusual]:
    """What is unusual among the records from `since` on.

    `records` are in order, and begin `usual.days` before `since`: without them all is new.
    """
    zone: tzinfo = UTC if usual.zone == "UTC" else ZoneInfo(usual.zone)
    everybody: dict[str, _Known] = defaultdict(_Known)
    for record in records:
        told = record.exchange
        who = _who(told)
        is_look = told.member is not None or number_shown(told) > 0
        if who is None or not is_look or told.outcome not in _HAPPENED:
            continue
        known, local = everybody[who], told.time.astimezone(zone)
        first = list(_first_time(known, told, usual)) if told.time >= since else []
        known.see(told, local.date())
        reasons = [*first, *_reasons(known, told, local, usual)] if told.time >= since else []
        for kind, why in reasons:
            about = told.member if kind == "first_time" else None
            yield Unusual(record.sequence, told.time, kind, who, about, why)


def rows(found: Iterable[Unusual]) -> list[tuple[object, ...]]:
    """The cells of each, in the order of `COLUMNS`."""
    return [
        (one.sequence, one.time.isoformat(), one.kind, one.who, one.member, one.why)
        for one in found
    ]


def _who(told: Exchange) -> str | None:
    """The community that asks us, or the person at our own doors; what we ask is nobody's look,
    nor is the result of it that is brought later."""
    if told.direction != "in" or told.transaction == DEFERRAL:
        return None
    return told.partner or told.person


def _first_time(known: _Known, told: Exchange, usual: Usual) -> Iterator[tuple[UnusualKind, str]]:
    """Asked before the access is remembered."""
    if told.member is None:
        return
    before = known.last.get(told.member)
    if before is None or told.time - before > timedelta(days=usual.days):
        what = "partner" if told.partner else "person"
        yield "first_time", f"the first time in {usual.days} days that this {what} sees the member"


def _reasons(
    known: _Known, told: Exchange, local: datetime, usual: Usual
) -> Iterator[tuple[UnusualKind, str]]:
    yield from _many_members(known, local.date(), usual)
    if told.partner is None and told.role != "system":  # machines know no evening
        yield from _odd_hours(known, local, usual)


def _many_members(known: _Known, day: date, usual: Usual) -> Iterator[tuple[UnusualKind, str]]:
    seen, first = known.seen(day), day - timedelta(days=usual.days)
    earlier = (one for one in known.days.keys() | known.listed.keys() if first <= one < day)
    others = [known.seen(one) for one in earlier]
    mean = sum(others) / len(others) if others else 0.0
    if seen <= max(usual.members_per_day, usual.times * mean):
        return
    if _is_new(known, "many_members", day):
        before = f"{mean:.1f} on other days" if others else "none on any day before"
        yield "many_members", f"more than {seen - 1} members in one day, against {before}"


def _odd_hours(known: _Known, local: datetime, usual: Usual) -> Iterator[tuple[UnusualKind, str]]:
    if usual.opens <= local.hour < usual.closes:
        return
    if _is_new(known, "odd_hours", local.date()):
        hours = f"{usual.opens}:00 to {usual.closes}:00 {usual.zone}"
        yield "odd_hours", f"at {local:%H:%M}, outside {hours}"


def _is_new(known: _Known, kind: UnusualKind, day: date) -> bool:
    """Each kind is told once a day of one and the same."""
    if (kind, day) in known.told:
        return False
    known.told.add((kind, day))
    return True
