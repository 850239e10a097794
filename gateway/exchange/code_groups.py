"""Which statements are about the same fact.

Strategy: two statements are joined by what shows that they are one, strongest first: the same
statement id, a shared code (translations included), a translation that some document of this
member gives, and, where one of them has no code at all, the same name. No map is brought in from
elsewhere: whether I10 and 59621000 are one thing, only the member's documents say. And whatever
joins them, what contradicts it keeps them apart: negation, two codes of one system, another day.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Final, Literal

from ccda.model import Kind
from gateway.exchange.moments import date_digits, may_be_one, sort_key
from gateway.exchange.statements import CodeKey, Statement

Times = Literal["none", "span", "event"]

# none: time is no part of what it is. span: two courses with a gap between are two.
# event: another day or hour is another event.
_TIMES: Final[dict[Kind, Times]] = {
    "problem": "span", "allergy": "none", "medication": "span", "immunization": "event",
    "result": "none", "vital_sign": "none", "procedure": "event", "encounter": "event",
    "social_history": "none", "family_history": "none", "functional_status": "event",
    "mental_status": "event", "device": "none", "coverage": "none", "advance_directive": "none",
    "goal": "event", "plan": "event", "concern": "span", "care_team": "none", "note": "event",
}  # fmt: skip
# Details without which a code does not say what it is.
_PART_OF_IDENTITY: Final[dict[Kind, tuple[str, ...]]] = {
    "coverage": ("member_ids",),
    "family_history": ("relative",),
    "result": ("panel",),
    "vital_sign": ("panel",),
    "care_team": ("name",),
}


_EVENTS: Final[frozenset[Kind]] = frozenset({"immunization", "procedure", "encounter"})


@dataclass(slots=True, eq=False)
class Cluster:
    """Statements of one fact; their codes by system, all and those that are no translations."""

    statements: list[Statement]
    codes: dict[str, set[str]]
    primaries: dict[str, set[str]]


SAME_ID: Final = "same statement id"
SAME_CODE: Final = "same code"
SAME_NAME: Final = "same name, one without a code"

Evidence = dict[CodeKey, dict[CodeKey, str]]
"""From a code to those that some document gives as its translation; which document."""


def learn_translations(statements: Iterable[Statement]) -> Evidence:
    """What the member's own documents show to be two codes of one thing."""
    learned: Evidence = defaultdict(dict)
    for one in statements:
        if len(one.codes) > 1 and not one.superseded:
            for code in one.codes:
                for other in one.codes - {code}:
                    shown = learned[code].get(other)
                    learned[code][other] = min(shown or one.document.id, one.document.id)
    return learned


def cluster(statements: Iterable[Statement], learned: Evidence) -> list[Cluster]:
    """The statements of one kind, grouped by fact, in an order that depends on them alone."""
    ordered = sorted(statements, key=lambda one: (sort_key(one.when), one.order))
    holder = {one.order: _alone(one) for one in ordered}
    buckets = (
        (part, why)
        for bucket, why in _buckets(ordered, learned)
        for part in ([bucket] if why == SAME_ID else _by_period(bucket))
    )
    for bucket, why in buckets:
        heads: list[Cluster] = []
        for one in bucket:
            mine = holder[one.order]
            if any(mine is head for head in heads):
                continue
            match = next((head for head in heads if _fit(head, mine, why)), None)
            if match is None:
                heads.append(mine)
                continue
            small, large = sorted((match, mine), key=lambda side: len(side.statements))
            for member in small.statements:
                holder[member.order] = large
            _join(small, large)
            heads[heads.index(match)] = large
    unique = {id(found): found for found in holder.values()}
    return list(unique.values())


def why_one(one: Statement, other: Statement, learned: Evidence) -> str:
    """What shows that two statements of a cluster are one fact, in words."""
    if one.ids & other.ids:
        return SAME_ID
    if one.codes & other.codes:
        return SAME_CODE
    shown = (learned.get(code, {}).get(their) for code in one.codes for their in other.codes)
    documents = sorted(document for document in shown if document)
    if documents:
        return f"translation in document {documents[0]}"
    return SAME_NAME if one.name == other.name else "joined through another source"


def contradictions(
    clusters: Sequence[Cluster], learned: Evidence
) -> Iterator[tuple[Cluster, Cluster]]:
    """Pairs of which one says that it is so and the other that it is not, of the same fact."""
    denied = [one for one in clusters if one.statements[0].entry.negated]
    for no in denied:
        for yes in clusters:
            if not yes.statements[0].entry.negated and _is_same_fact(yes, no, learned):
                yield yes, no


def _alone(one: Statement) -> Cluster:
    codes: dict[str, set[str]] = {}
    for system, code in one.codes:
        codes.setdefault(system, set()).add(code)
    return Cluster([one], codes, {one.primary[0]: {one.primary[1]}} if one.primary else {})


def _buckets(
    statements: list[Statement], learned: Evidence
) -> Iterator[tuple[list[Statement], str]]:
    """Statements that share something, with the words for it; the strongest first."""
    shared = _reused_ids(statements)
    for bucket in _sharing(statements, lambda one: one.ids - shared):
        yield bucket, SAME_ID
    for bucket in _sharing(statements, lambda one: ("|".join(code) for code in one.codes)):
        yield bucket, SAME_CODE
    having: dict[CodeKey, list[Statement]] = defaultdict(list)
    for one in statements:
        for code in one.codes:
            having[code].append(one)
    for code in sorted(having):
        for other in sorted(learned.get(code, {})):
            if code < other and other in having:
                pair = [one for one in having[other] if code not in one.codes]
                yield [*having[code], *pair], SAME_CODE
    uncoded = {one.name for one in statements if not one.codes and one.name}
    named = [one for one in statements if one.name in uncoded]
    for bucket in _sharing(named, lambda one: (one.name,)):
        yield bucket, SAME_NAME


def _by_period(bucket: list[Statement]) -> list[list[Statement]]:
    """Events by month, or by year where one tells no month: the rest cannot be the same event."""
    if _TIMES[bucket[0].entry.kind] != "event":
        return [bucket]
    dates = [date_digits(one.when) for one in bucket]
    width = 6 if all(len(date) >= 6 for date in dates if date) else 4
    periods: dict[str, list[Statement]] = defaultdict(list)
    for one, date in zip(bucket, dates, strict=True):
        periods[date[:width]].append(one)
    return [periods[period] for period in sorted(periods) if len(periods[period]) > 1]


def _reused_ids(statements: list[Statement]) -> frozenset[str]:
    """Ids that one document gives to two things: some systems write one id everywhere."""
    holders: dict[tuple[str, str], list[Statement]] = defaultdict(list)
    for one in statements:
        for id_ in one.ids:
            holders[one.document.id, id_].append(one)
    return frozenset(
        id_
        for (_, id_), held in holders.items()
        if any(not (held[0].codes & one.codes or held[0].name == one.name) for one in held[1:])
    )


def _sharing(
    statements: list[Statement], keys: Callable[[Statement], Iterable[str]]
) -> list[list[Statement]]:
    found: dict[str, list[Statement]] = defaultdict(list)
    for one in statements:
        for key in keys(one):
            found[key].append(one)
    return [found[key] for key in sorted(found) if len(found[key]) > 1]


def _join(small: Cluster, large: Cluster) -> None:
    """Everything of the one into the other."""
    large.statements += small.statements
    for mine, theirs in ((large.codes, small.codes), (large.primaries, small.primaries)):
        for system, codes in theirs.items():
            mine.setdefault(system, set()).update(codes)


def _fit(one: Cluster, other: Cluster, why: str) -> bool:
    """Whether nothing keeps the two apart."""
    if one.statements[0].entry.negated != other.statements[0].entry.negated:
        return False
    if _is_ahead(one) != _is_ahead(other):
        return False
    # A name says less than a code: it only gives a home to what has none.
    if why == SAME_NAME and one.codes and other.codes:
        return False
    if why == SAME_ID and not _is_one_voice(one, other):
        return False
    return _is_one_thing(one, other) and _is_one_time(one, other, why)


def _is_ahead(one: Cluster) -> bool:
    """Whether the event is only meant to happen: an order is no proof that it was done."""
    entry = one.statements[0].entry
    return entry.kind in _EVENTS and entry.mood not in (None, "EVN")


def _is_one_thing(one: Cluster, other: Cluster) -> bool:
    """Two codes of one system are two things, even where a third code covers both.

    A translation may be broader than what it translates (an ingredient, a chapter), so sharing one
    never outweighs that the codes themselves differ.
    """
    for mine, theirs in ((one.primaries, other.primaries), (one.codes, other.codes)):
        shared = mine.keys() & theirs.keys()
        if not all(mine[system] & theirs[system] for system in shared):
            return False
    first, second = one.statements[0], other.statements[0]
    return all(
        first.details.get(key) == second.details.get(key)
        for key in _PART_OF_IDENTITY.get(first.entry.kind, ())
    )


def _is_one_voice(one: Cluster, other: Cluster) -> bool:
    """Whether an id can be believed where no code agrees: one organization gave it to both."""
    own, their = ({s.voice for s in side.statements} for side in (one, other))
    mine, theirs = ({c for s in side.statements for c in s.codes} for side in (one, other))
    return bool(own & their) or bool(mine & theirs) or not (mine and theirs)


def _is_one_time(one: Cluster, other: Cluster, why: str) -> bool:
    kind = one.statements[0].entry.kind
    pairs = product(one.statements, other.statements)
    match _TIMES[kind]:
        case "none":
            return True
        case "span":
            return not any(_is_apart(a, b) or _is_apart(b, a) for a, b in pairs)
        case "event":
            # One id is one event, though a correction may have moved it.
            return why == SAME_ID or all(_is_one_event(a, b) for a, b in pairs)


def _is_apart(earlier: Statement, later: Statement) -> bool:
    """One course had ended before the other began."""
    end, start = date_digits(earlier.entry.end), date_digits(later.entry.start)
    return bool(end and start) and end < start[: len(end)]


def _is_one_event(one: Statement, other: Statement) -> bool:
    mine, theirs = one.when, other.when
    if not sort_key(mine) and not sort_key(theirs):
        return one.document.id != other.document.id
    return may_be_one(mine, theirs)


def _is_same_fact(yes: Cluster, no: Cluster, learned: Evidence) -> bool:
    own, their = ({c for s in side.statements for c in s.codes} for side in (yes, no))
    shown = bool(own & their) or any(other in their for c in own for other in learned.get(c, ()))
    named = not (own and their) and bool(
        {s.name for s in yes.statements if s.name} & {s.name for s in no.statements}
    )
    return (shown or named) and _is_one_thing(yes, no) and _is_one_time(yes, no, SAME_CODE)
