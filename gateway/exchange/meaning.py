"""What an entry means that it does not say itself: by where it stands, and how senders write."""

from dataclasses import replace

from ccda.hl7v3 import TS, known_time
from ccda.model import Entry
from gateway.exchange.moments import sort_key


def as_meant(entry: Entry, parent: Entry | None) -> Entry:
    """The entry as it counts; `parent` is the one that it stands inside."""
    return _as_told(_as_held(entry, parent))


def only_groups(entry: Entry) -> bool:
    """Whether it says nothing but what its members have in common."""
    return entry.details.get("panel") is True or entry.details.get("relative") is True


def _as_held(entry: Entry, parent: Entry | None) -> Entry:
    """What is folded out of its group: of a team that is denied nobody is a member, and a test that
    tells no time was made when its panel was (C-CDA on FHIR: results)."""
    if parent is None or not only_groups(parent):
        return entry
    if entry.kind == "care_team" and parent.negated and not entry.negated:
        return replace(entry, negated=True)
    if entry.kind not in ("result", "vital_sign"):
        return entry
    if any(sort_key(time) for time in (entry.time, entry.start, entry.end)):
        return entry
    return replace(entry, start=parent.start, end=parent.end, time=parent.time)


def _as_told(entry: Entry) -> Entry:
    """A vaccine with the reason why it was refused was not given, negationInd forgotten or not.

    A time of which the month or the day was written as 00 is known no better than to the year.
    """
    if entry.kind == "immunization" and "refusal_reason" in entry.details and not entry.negated:
        entry = replace(entry, negated=True)
    start, end, time = _as_known(entry.start), _as_known(entry.end), _as_known(entry.time)
    if start is entry.start and end is entry.end and time is entry.time:
        return entry
    return replace(entry, start=start, end=end, time=time)


def _as_known(time: TS | None) -> TS | None:
    if time is None or not time.value:
        return time
    known = known_time(time.value)
    return time if known is time.value else TS(known, time.null_flavor)
