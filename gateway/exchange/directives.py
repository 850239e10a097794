"""Advance directives on which organizations disagree: one question, and two answers."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from itertools import combinations
from typing import Final

from ccda.hl7v3 import CD
from ccda.model import Interval
from gateway.exchange.conflicts import on_day, speaker
from gateway.exchange.effort import spend
from gateway.exchange.moments import date_digits
from gateway.exchange.statements import CodeKey, Statement

# "Other directive" asks nothing in particular: two answers to it are about two things.
_NO_QUESTION: Final = ("2.16.840.1.113883.6.96", "71388002")
_Facts = Sequence[Sequence[Statement]]


def answer_conflicts(facts: _Facts) -> dict[tuple[str, int], str]:
    """The conflict of each directive to whose question another organization answers otherwise.

    By its first statement. What an organization says is what the newest document says in which
    it answers: an older answer is one that it has changed.
    """
    asked: dict[CodeKey, dict[int, None]] = defaultdict(dict)
    for place, fact in enumerate(facts):
        for one in fact:
            if not one.superseded and not one.entry.negated and _answer(one):
                for code in one.codes - {_NO_QUESTION}:
                    asked[code][place] = None
    found: dict[tuple[str, int], str] = {}
    for places in asked.values():
        if len(places) > 1:
            for place, text in _of_question({place: facts[place] for place in places}).items():
                found.setdefault(facts[place][0].order, text)
    return found


def _of_question(facts: Mapping[int, Sequence[Statement]]) -> dict[int, str]:
    newest: dict[str, Statement] = {}
    current = [(place, one) for place, fact in facts.items() for one in fact if not one.superseded]
    for _, one in current:
        if one.voice not in newest or one.rank > newest[one.voice].rank:
            newest[one.voice] = one
    answers: dict[str, dict[int, Statement]] = defaultdict(dict)
    for place, one in current:
        if one.document.id == newest[one.voice].document.id:
            answers[one.voice][place] = one
    spend(len(answers) ** 2)
    differing = {
        place: one
        for some, others in combinations(answers.values(), 2)
        if _differ(some, others)
        for place, one in (*some.items(), *others.items())
    }
    if not differing:
        return {}
    said = [(one, answer) for each in answers.values() for one in each.values()
            if (answer := _answer(one))]  # fmt: skip
    said.sort(key=lambda told: told[0].rank, reverse=True)
    text = "sources disagree: " + "; ".join(
        f"{speaker(one)} says {answer}{on_day(one)}" for one, answer in said
    )
    return dict.fromkeys(differing, text)


def _differ(some: Mapping[int, Statement], others: Mapping[int, Statement]) -> bool:
    if some.keys() & others.keys():
        return False
    return not any(
        _is_over(one, other) or _is_over(other, one)
        for one in some.values()
        for other in others.values()
    )


def _is_over(one: Statement, other: Statement) -> bool:
    """Whether the one was no longer held when the other was made."""
    end, start = date_digits(one.entry.end), date_digits(other.when)
    return bool(end and start) and end < start[: len(end)]


def _answer(one: Statement) -> str:
    match one.entry.value:
        case CD() as value:
            return value.display or value.original_text or value.code or ""
        case str() as value:
            return value
        case Interval() | None:
            return ""
