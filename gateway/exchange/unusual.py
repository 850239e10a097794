"""Access to members that an auditor should look at, each with the reason in words. Pure.

Three questions to the records, against what was usual in the days before: has this partner or
person ever had to do with this member; does somebody go through far more members in a day than he
does otherwise; does a person look at odd hours. None of it is a finding: it says where to look.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta, tzinfo
from typing import Final, Literal
from zoneinfo import ZoneInfo

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
    told: set[tuple[UnusualKind, date]] = field(default_factory=set)


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
        who, member = _who(told), told.member
        if who is None or member is None or told.outcome not in _HAPPENED:
            continue
        known, local = everybody[who], told.time.astimezone(zone)
        reasons = list(_reasons(known, told, member, local, usual)) if told.time >= since else []
        known.last[member] = told.time
        known.days[local.date()].add(member)
        for kind, why in reasons:
            about = member if kind == "first_time" else None
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


def _reasons(
    known: _Known, told: Exchange, member: MemberId, local: datetime, usual: Usual
) -> Iterator[tuple[UnusualKind, str]]:
    yield from _first_time(known, told, member, usual)
    yield from _many_members(known, member, local.date(), usual)
    if told.partner is None and told.role != "system":  # machines know no evening
        yield from _odd_hours(known, local, usual)


def _first_time(
    known: _Known, told: Exchange, member: MemberId, usual: Usual
) -> Iterator[tuple[UnusualKind, str]]:
    before = known.last.get(member)
    if before is None or told.time - before > timedelta(days=usual.days):
        what = "partner" if told.partner else "person"
        yield "first_time", f"the first time in {usual.days} days that this {what} sees the member"


def _many_members(
    known: _Known, member: MemberId, day: date, usual: Usual
) -> Iterator[tuple[UnusualKind, str]]:
    seen = len(known.days.get(day, set()) | {member})
    first = day - timedelta(days=usual.days)
    others = [len(some) for one, some in known.days.items() if first <= one < day]
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
