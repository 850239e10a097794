"""Which statements are about the same fact.

Strategy: two statements are joined by what shows that they are one, strongest first: the same
statement id, a shared code (translations included), a translation that some document of this
member gives, and, where one of them has no code at all, the same name. No map is brought in from
elsewhere: whether I10 and 59621000 are one thing, only the member's documents say. And whatever
joins them, what contradicts it keeps them apart: negation, two codes of one system, another day.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import product
from operator import attrgetter
from typing import Any, TypeVar

from ccda.hl7v3 import TS
from gateway.exchange.apart import (
    SAME_CODE,
    SAME_ID,
    SAME_NAME,
    TIMES,
    Cluster,
    Why,
    alone,
    fit,
    is_one_thing,
    is_one_time,
    together,
)
from gateway.exchange.effort import spend
from gateway.exchange.moments import date_digits, fineness, sort_key
from gateway.exchange.statements import CodeKey, Statement

__all__ = ["Evidence", "Fact", "cluster", "contradictions", "learn_translations", "why_one"]

Fact = list[Statement]
"""The statements of one fact; at least one."""
Evidence = dict[CodeKey, dict[CodeKey, str]]
"""From a code to those that some document gives as its translation; which document."""


def learn_translations(statements: Iterable[Statement]) -> Evidence:
    """What the member's own documents show to be two codes of one thing."""
    learned: Evidence = defaultdict(dict)
    for one in statements:  # in one order, so that of several documents always one is named
        if len(one.codes) > 1 and not one.superseded:
            spend(len(one.codes) ** 2)
            for code in one.codes:
                for other in one.codes - {code}:
                    learned[code].setdefault(other, one.document.id)
    return learned


def cluster(statements: Iterable[Statement], learned: Evidence) -> list[Fact]:
    """The statements of one kind, grouped by fact, in an order that depends on them alone."""
    ordered = sorted(statements, key=_surest_first)
    holder: dict[tuple[str, int], Cluster] = {}  # of those that share something with another
    buckets = (
        (part, why)
        for bucket, why in _buckets(ordered, learned)
        for part in ([bucket] if why == SAME_ID else _by_period(bucket))
    )
    for bucket, why in buckets:
        heads: dict[int, Cluster] = {}
        spend(len(bucket))
        for one in bucket:
            mine = holder.get(one.order) or holder.setdefault(one.order, alone(one))
            if id(mine) in heads:
                continue
            spend(sum([head.compared_with(mine) for head in heads.values()]))
            match = _home([head for head in heads.values() if fit(head, mine, why)], mine)
            if match is None:
                heads[id(mine)] = mine
                continue
            small, large = sorted((match, mine), key=lambda side: len(side.statements))
            for member in small.statements:
                holder[member.order] = large
            large.take(small)
            heads = {id(h): h for h in (large if h is match else h for h in heads.values())}
    facts = (holder[one.order].statements if one.order in holder else [one] for one in ordered)
    return list({id(fact): fact for fact in facts}.values())


def _surest_first(one: Statement) -> tuple[Any, ...]:
    """Those that tell most of their time come first: the others then see what they could mean."""
    kind, order = one.entry.kind, (sort_key(one.when), one.order)
    match TIMES[kind]:
        case "span":
            return not date_digits(one.entry.start), *order
        case "event" | "placed":
            return -fineness(one.when), *order
        case "none":
            return order


def _home(fitting: Sequence[Cluster], mine: Cluster) -> Cluster | None:
    """Which of those that it fits it is a part of; None where it could be several.

    A course without a date is the one that goes on, if it does, and of those the last. An event
    told by its year is none of the two in that year, unless another tells it just as coarsely.
    """
    if len(fitting) < 2:
        return next(iter(fitting), None)
    match TIMES[mine.kind]:
        case "none":
            return fitting[0]
        case "span":
            # Of one drug in two doses it is the course in its own.
            fitting = _most_alike(fitting, mine)
            alike = [head for head in fitting if head.goes_on == mine.goes_on] or fitting
            return max(alike, key=lambda head: max(course[0] for course in head.courses))
        case "event" | "placed":
            same = [head for head in fitting if head.moments.keys() == mine.moments.keys()]
            return next(iter(_most_alike(same, mine)), None)


def _most_alike(fitting: Sequence[Cluster], mine: Cluster) -> Sequence[Cluster]:
    """Those that share most of what each document tells in its own way."""
    told = set().union(*mine.told.values())
    if len(fitting) < 2 or not told:
        return fitting
    shared = [len(told & set().union(*head.told.values())) for head in fitting]
    return [head for head, number in zip(fitting, shared, strict=True) if number == max(shared)]


def why_one(one: Statement, other: Statement, learned: Evidence) -> str:
    """What shows that two statements of a cluster are one fact, in words."""
    if one.document.blob.sha256 == other.document.blob.sha256 and one.ordinal == other.ordinal:
        return "same document, received twice"
    if one.ids & other.ids:
        return SAME_ID
    if one.codes & other.codes:
        return SAME_CODE
    shown = (learned.get(code, {}).get(their) for code in one.codes for their in other.codes)
    documents = sorted(document for document in shown if document)
    if documents:
        return f"translation in document {documents[0]}"
    return SAME_NAME if one.name == other.name else "joined through another source"


def contradictions(facts: Sequence[Fact], learned: Evidence) -> Iterator[tuple[Fact, Fact]]:
    """Pairs of which one says that it is so and the other that it is not, of the same fact."""
    if not any(one[0].entry.negated for one in facts):
        return
    clusters = [together(one) for one in facts]
    told: dict[_Key, dict[int, Cluster]] = defaultdict(dict)
    for place, one in enumerate(clusters):
        if not one.statements[0].entry.negated:
            for key in _keys(one, {}):
                told[key][place] = one
    for no in clusters:
        if no.statements[0].entry.negated:
            keys = _keys(no, learned)
            spend(sum([len(told[key]) for key in keys if key in told]))
            near = {place: yes for key in keys for place, yes in told.get(key, {}).items()}
            for _, yes in sorted(near.items()):
                if is_one_time(yes, no, SAME_CODE) and _is_same_fact(yes, no, learned):
                    yield yes.statements, no.statements


_Key = tuple[CodeKey | str, str]


def _keys(one: Cluster, learned: Evidence) -> set[_Key]:
    """By what a cluster is found: code or name, of an event with each year it may have been in."""
    said: set[CodeKey | str] = {*one.coded, *(s.name for s in one.statements if s.name)}
    said |= {other for code in one.coded for other in learned.get(code, ())}
    years = {""}
    if TIMES[one.kind] == "event":
        years = {period for time in one.moments.values() for period in _periods(time, 4)} or years
    return set(product(said, years))


def _periods(time: TS | None, width: int) -> set[str]:
    """The year or month as written and in UTC: the turn of the year is not everywhere at once."""
    return {date_digits(time)[:width], sort_key(time)[:width]}


def _buckets(
    statements: list[Statement], learned: Evidence
) -> Iterator[tuple[list[Statement], Why]]:
    """Statements that share something, with the words for it; the strongest first."""
    by_id = _holders(statements, attrgetter("ids"))
    for id_ in sorted(_shared(by_id)):
        yield by_id[id_], SAME_ID
    having = _holders(statements, attrgetter("codes"))
    for code in sorted(_shared(having), key="|".join):
        yield having[code], SAME_CODE
    for code in sorted(having.keys() & learned.keys()):
        for other in sorted(learned[code]):
            if code < other and other in having:
                pair = [one for one in having[other] if code not in one.codes]
                yield [*having[code], *pair], SAME_CODE
    if not all(one.codes for one in statements):
        by_name = _holders(statements, lambda one: (one.name,))
        for name in sorted(_shared(by_name)):
            if name and not all(one.codes for one in by_name[name]):
                yield by_name[name], SAME_NAME


_Held = TypeVar("_Held", str, CodeKey)


def _holders(
    statements: list[Statement], keys: Callable[[Statement], Iterable[_Held]]
) -> dict[_Held, list[Statement]]:
    """From each id, code or name to the statements that have it."""
    found: dict[_Held, list[Statement]] = defaultdict(list)
    for one in statements:
        for key in keys(one):
            found[key].append(one)
    return found


def _shared(held: Mapping[_Held, list[Statement]]) -> list[_Held]:
    return [key for key, having in held.items() if len(having) > 1]


def _by_period(bucket: list[Statement]) -> list[list[Statement]]:
    """Events by month, or by year where one tells no month: the rest cannot be the same event."""
    if TIMES[bucket[0].entry.kind] != "event":
        return [bucket]
    dates = [date_digits(one.when) for one in bucket]
    width = 6 if all(len(date) >= 6 for date in dates if date) else 4
    periods: dict[str, list[Statement]] = defaultdict(list)
    for one in bucket:
        for period in _periods(one.when, width):
            periods[period].append(one)
    return [periods[period] for period in sorted(periods) if len(periods[period]) > 1]


def _is_same_fact(yes: Cluster, no: Cluster, learned: Evidence) -> bool:
    own, their = yes.coded, no.coded
    shown = bool(own & their) or any(other in their for c in own for other in learned.get(c, ()))
    named = not (own and their) and bool(
        {s.name for s in yes.statements if s.name} & {s.name for s in no.statements}
    )
    return (shown or named) and is_one_thing(yes, no)
