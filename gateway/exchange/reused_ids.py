"""Ids that identify nothing: those that one document gives to several things.

Some systems copy the identifiers of a guide's examples into every statement they write. Such an id
shows nothing in any document: what has it is joined by what it says, as if it had none. One that
each document gives once is believed, whatever another document changes under it: a correction.
"""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace
from typing import Any, Final

from ccda.model import Kind
from gateway.exchange.apart import TIMES, alone, is_one_place_and_course
from gateway.exchange.identity import findings_of
from gateway.exchange.moments import fineness, may_be_one, sort_key
from gateway.exchange.people import is_one_person, person_of
from gateway.exchange.statements import Statement
from gateway.exchange.trends import TREND_KINDS

_TIMED: Final[frozenset[Kind]] = TREND_KINDS | {
    kind for kind, times in TIMES.items() if times in ("event", "placed")
}
"""Kinds of which another time is another thing, and no other word on the same."""


def without_reused_ids(statements: Sequence[Statement]) -> Sequence[Statement]:
    """The statements without those ids."""
    held: dict[tuple[Kind, str], list[Statement]] = defaultdict(list)
    for one in statements:
        for id_ in one.ids:
            held[one.entry.kind, id_].append(one)
    reused = {key for key, having in held.items() if len(having) > 1 and _is_reused(having)}
    return [_without(one, reused) for one in statements] if reused else statements


def _without(one: Statement, reused: set[tuple[Kind, str]]) -> Statement:
    kept = frozenset(id_ for id_ in one.ids if (one.entry.kind, id_) not in reused)
    return one if len(kept) == len(one.ids) else replace(one, ids=kept)


def _is_reused(held: Sequence[Statement]) -> bool:
    inside: dict[str, list[Statement]] = defaultdict(list)
    for one in held:
        inside[one.document.id].append(one)
    return any(_are_several(group) for group in inside.values() if len(group) > 1)


def _are_several(group: Sequence[Statement]) -> bool:
    """Whether statements of one document are about more than one thing.

    Each is compared with one of them alone, the one that tells its time best.
    """
    best = max(group, key=lambda one: fineness(one.when))
    return any(_is_another(best, one) for one in group if one is not best)


def _is_another(one: Statement, other: Statement) -> bool:
    if not (one.codes & other.codes or one.name == other.name):
        return True
    if one.entry.kind in _TIMED and not _may_be_one_time(one, other):
        return True
    if _said(one) != _said(other) or not is_one_person(person_of(one), person_of(other)):
        return True
    return not is_one_place_and_course(alone(one), alone(other))


def _may_be_one_time(one: Statement, other: Statement) -> bool:
    if not (sort_key(one.when) or sort_key(other.when)):
        return True
    return may_be_one(one.when, other.when)


def _said(one: Statement) -> tuple[Any, ...]:
    """What was found; of a question the answer stands in `code`."""
    answer = one.entry.code if one.entry.kind == "social_history" else None
    return answer, findings_of(one), one.entry.unit
