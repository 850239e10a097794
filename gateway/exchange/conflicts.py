"""On what sources disagree, in words (never decided silently)."""

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from ccda.hl7v3 import TS, iso_time
from gateway.exchange.courses import (
    dose_key,
    dose_words,
    events,
    periods,
    rhythm_words,
    route_key,
    route_words,
)
from gateway.exchange.identity import was_done
from gateway.exchange.moments import date_digits, sort_key
from gateway.exchange.statements import ENDED, Statement

_SEVERE: Final = {"24484000": 3, "6736007": 2, "255604002": 1, "399166001": 4, "371923003": 2}
_CRITICAL: Final = {"CRITH": 2, "CRITL": 1}
_SHORT: Final = {"CRITH": "high criticality", "CRITL": "low criticality"}


def latest_by_voice(statements: Sequence[Statement]) -> list[Statement]:
    """What each organization says now, the most recent first.

    A change within one organization is its own correction, not a disagreement.
    """
    if len(statements) == 1:
        return list(statements)
    latest: dict[str, Statement] = {}
    for one in sorted(statements, key=lambda one: one.rank):
        latest[one.voice] = one
    return sorted(latest.values(), key=lambda one: one.rank, reverse=True)


def danger(one: Statement) -> tuple[int, int, int]:
    """How an allergy ranks: still held, critical, severe. A later date alone does not settle it."""
    is_held = one.status not in ENDED and not one.entry.negated
    return int(is_held), _CRITICAL.get(_code(one.details.get("criticality")), 0), _severity(one)


def allergy_conflict(voices: Sequence[Statement]) -> str | None:
    """Organizations that differ on whether an allergy is held, or on how dangerous it is."""
    said = [{"held": d[0], "critical": d[1], "severe": d[2]} for d in map(danger, voices)]
    differs = len({each["held"] for each in said}) > 1 or any(
        len({each[key] for each in said if each[key]}) > 1 for key in ("critical", "severe")
    )
    if not differs:
        return None
    return "sources disagree: " + "; ".join(
        f"{speaker(one)} says {', '.join(_allergy_words(one))}{on_day(one)}" for one in voices
    )


def status_conflict(winner: Statement, voices: Sequence[Statement]) -> str | None:
    """Organizations that differ on whether it goes on, where time does not settle it.

    That it was stopped after others wrote that it runs is a change. That it runs after another
    wrote that it ended may be a new course or an old list, and so may a newer document that
    still has it.
    """
    has_ended = winner.status in ENDED
    others = [
        one
        for one in voices
        if one is not winner
        and one.status is not None
        and (one.status in ENDED) != has_ended
        and (_is_newer_document(one, winner) if has_ended else not _began_after(winner, one))
    ]
    if not others or winner.status is None:
        return None
    return "sources disagree: " + "; ".join(
        f"{speaker(one)} says {one.status}{on_day(one)}" for one in (winner, *others)
    )


def _is_newer_document(one: Statement, winner: Statement) -> bool:
    return sort_key(TS(one.document.effective_time)) > winner.recorded


def _began_after(later: Statement, earlier: Statement) -> bool:
    """Whether it is stated as a course of its own."""
    start, end = date_digits(later.entry.start), date_digits(earlier.entry.end)
    return bool(start and end) and start > end[: len(start)]


def outcome_conflict(voices: Sequence[Statement]) -> str | None:
    """Organizations of which one says that it was done and another that it came to nothing."""
    told = [one for one in voices if was_done(one) is not None]
    if len({was_done(one) for one in told}) < 2:
        return None
    return "sources disagree: " + "; ".join(
        f"{speaker(one)} says {one.status}{on_day(one)}" for one in told
    )


def course_conflict(voices: Sequence[Statement]) -> str | None:
    """Organizations that both hold a drug to be taken now, and each in another way."""
    taken = [one for one in voices if one.status not in ENDED]
    found = (
        _differing(taken, "doses", dose_words, lambda details: [("", dose_key(details))]),
        _differing(taken, "routes", route_words, lambda details: [route_key(details) or ("", "")]),
        # What is told by the clock and what by the meals cannot be compared.
        _differing(
            taken,
            "frequencies",
            rhythm_words,
            lambda details: [
                ("every", " ".join(sorted(periods(details)))),
                ("at", " ".join(sorted(events(details)))),
            ],
        ),
    )
    return ". ".join(text for text in found if text) or None


def _differing(
    taken: Sequence[Statement],
    what: str,
    words: Callable[[Mapping[str, Any]], str],
    keys: Callable[[Mapping[str, Any]], list[tuple[str, str]]],
) -> str | None:
    """The sentence, where two tell one thing in one manner and differently."""
    seen: dict[str, set[str]] = defaultdict(set)
    for one in taken:
        for manner, key in keys(one.details):
            seen[manner] |= {key} if key else set()
    if all(len(values) < 2 for values in seen.values()):
        return None
    return f"sources state different {what}: " + "; ".join(
        f"{speaker(one)} {told}{on_day(one)}" for one in taken if (told := words(one.details))
    )


def lot_conflict(voices: Sequence[Statement]) -> str | None:
    """Organizations that tell of one dose and name two lots."""
    named = [(one, str(one.details["lot_number"])) for one in voices if "lot_number" in one.details]
    if len({"".join(filter(str.isalnum, lot)).casefold() for _, lot in named}) < 2:
        return None
    return "sources state different lot numbers: " + "; ".join(
        f"{speaker(one)} {lot}{on_day(one)}" for one, lot in named
    )


def negation_conflict(yes: Sequence[Statement], no: Sequence[Statement]) -> str:
    """The sentence for both lines of a contradiction."""
    held, denied = latest_by_voice(yes), latest_by_voice(no)
    return (
        "sources disagree: "
        + ", ".join(f"{speaker(one)}{on_day(one)}" for one in held)
        + (" says it was done; " if _is_event(held[0]) else " says it is so; ")
        + ", ".join(f"{speaker(one)}{on_day(one)}" for one in denied)
        + (" that it was not" if _is_event(held[0]) else " that it is not")
    )


def nothing_known_conflict(voices: Sequence[Statement], denying: Sequence[Statement]) -> str:
    return (
        "sources disagree: "
        + ", ".join(f"{speaker(one)}{on_day(one)}" for one in latest_by_voice(denying))
        + " says that none is known; "
        + ", ".join(f"{speaker(one)}{on_day(one)}" for one in voices)
        + " states this one"
    )


def speaker(one: Statement) -> str:
    return one.speaker or "one source"


def on_day(one: Statement) -> str:
    """The day it was recorded, in brackets."""
    day = (one.recorded_iso or iso_time(one.document.effective_time) or "")[:10]
    return f" ({day})" if day else ""


def _is_event(one: Statement) -> bool:
    return one.entry.kind in ("immunization", "procedure", "encounter")


def _allergy_words(one: Statement) -> list[str]:
    words = [one.status or "no status"]
    reactions = [str(each.get("display") or "") for each in _reactions(one)]
    words += [text.lower() for text in reactions if text]
    severity = {3: "severe", 2: "moderate", 1: "mild", 4: "fatal"}.get(_severity(one))
    critical = _SHORT.get(_code(one.details.get("criticality")))
    return [*words, *(word for word in (severity, critical) if word)]


def _severity(one: Statement) -> int:
    codes = [_code(one.details.get("severity"))]
    codes += [_code(reaction.get("severity")) for reaction in _reactions(one)]
    return max(_SEVERE.get(code, 0) for code in codes)


def _reactions(one: Statement) -> list[dict[str, Any]]:
    """Those that were seen; a source may say which one was not."""
    return [each for each in _list(one.details.get("reaction")) if not each.get("negated")]


def _code(value: Any) -> str:
    return str(value.get("code") or "") if isinstance(value, dict) else ""


def _list(value: Any) -> list[dict[str, Any]]:
    found = value if isinstance(value, list) else [value]
    return [each for each in found if isinstance(each, dict)]
