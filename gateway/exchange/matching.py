"""Whether two sets of demographics are one person, with the reasons.

Strategy: every attribute that both sides state agrees in some way, and `RULES` gives that
agreement points and an effect. The points make the score; the effects are what no score outweighs,
because a wrong link shows one person's record to another, while a missed one is a question for a
reviewer. Twins share family, birth date, address, telephone and often a policy number, so for a
given name that is not quite the same only what is a person's own can stand in, the SSN. A name and
a birth date alone are never a match: in a large plan several people share them.

Reasons name attributes and kinds of agreement, never values.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Final, Literal

from ccda.values import quickly_made
from gateway.exchange.agreement import (
    address_agreement,
    birth_agreement,
    email_agreement,
    gender_agreement,
    id_agreement,
    maiden_agreement,
    name_agreements,
    phone_agreement,
    ssn_agreement,
)
from gateway.exchange.demographics import (
    demographics_of,
    is_below_minimum,
    minimum_set_missing,
)
from gateway.model.identity import MemberId
from gateway.model.ignored import Ignored
from gateway.model.person import Person, read_person
from ihe.xcpd import Demographics

__all__ = [
    "Ambiguous", "Found", "Ignored", "Judged", "MatchResult", "NotFound", "Reason", "against",
    "are_all_one", "best_match", "choose", "compare", "compare_people", "contradicts",
    "demographics_of", "is_below_minimum", "judge", "left_out", "minimum_set_missing",
    "nearly_names", "read_person",
]  # fmt: skip

Decision = Literal["match", "possible", "no_match"]
Effect = Literal[
    "none", "needs_home", "needs_household", "needs_id", "needs_own", "blocks", "refutes",
]  # fmt: skip

MATCH_SCORE: Final = 70
POSSIBLE_SCORE: Final = 45
RUNNER_UP_MARGIN: Final = 5
"""A second candidate this close to the best makes the answer ambiguous."""


@quickly_made
@dataclass(frozen=True, slots=True)
class Reason:
    """How one attribute agreed, and what that was worth."""

    attribute: str
    agreement: str
    points: int
    text: str


@quickly_made
@dataclass(frozen=True, slots=True)
class MatchResult:
    """`score` is 0 to 100. `ignored` are the fields left out, ours and theirs, with why."""

    score: int
    decision: Decision
    reasons: tuple[Reason, ...]
    ignored: tuple[Ignored, ...] = ()


@dataclass(frozen=True, slots=True)
class Found:
    """One candidate matches and no other comes near."""

    member: MemberId
    result: MatchResult


@dataclass(frozen=True, slots=True)
class Ambiguous:
    """More than one matches, or another comes too near to the one that does. Best first."""

    candidates: tuple[tuple[MemberId, MatchResult], ...]


@dataclass(frozen=True, slots=True)
class NotFound:
    """None matches; `possible` are for a reviewer, best first."""

    possible: tuple[tuple[MemberId, MatchResult], ...] = ()


BestMatch = Found | Ambiguous | NotFound
Judged = tuple[MemberId, MatchResult]
"""A candidate, and how it compares."""


@dataclass(frozen=True, slots=True)
class _Rule:
    points: int
    effect: Effect
    text: str


def _rule(points: int, text: str, effect: Effect = "none") -> _Rule:
    return _Rule(points, effect, text)


# Effects: needs_home asks for the same door or telephone, where nobody else has this very name,
# needs_household for both; an identifier that agrees (SSN, or an id of the same issuer) will do
# for either, and needs_id takes nothing less. needs_own asks for the SSN, which twins do not
# share. blocks leaves at best a possible match, refutes none at all unless the SSN agrees, and
# then a possible one. A document that bears a name we do not know its person by is a question
# for a reviewer, however much else agrees: hence needs_own for a family name that was changed.
RULES: Final[dict[str, dict[str, _Rule]]] = {
    "family": {
        "exact": _rule(20, "the family names are the same"),
        "compound": _rule(15, "one family name is a part of the other"),
        "other name": _rule(16, "the family name is one of the person's other names"),
        "typo": _rule(13, "the family names differ by a slip of the pen"),
        "changed": _rule(
            4, "the family names differ, as by marriage; all else of the name agrees", "needs_own",
        ),
        "swapped": _rule(9, "family and given name stand in each other's place"),
        "different": _rule(-25, "the family names differ", "needs_own"),
        "absent": _rule(0, "a family name is missing", "needs_id"),
    },
    "given": {
        "exact": _rule(15, "the given names are the same"),
        "spelling": _rule(13, "the given names are spellings of one name"),
        "nickname": _rule(10, "one given name is a short form of the other"),
        "swapped": _rule(9, "family and given name stand in each other's place"),
        "middle": _rule(7, "one side's given name is the other's middle name", "needs_own"),
        "initial": _rule(4, "a given name is an initial that fits", "needs_own"),
        "typo": _rule(8, "the given names differ by a slip of the pen", "needs_own"),
        "different": _rule(-30, "the given names differ", "refutes"),
        "absent": _rule(0, "a given name is missing", "needs_own"),
    },
    "middle": {
        "exact": _rule(4, "the middle names are the same"),
        "initial": _rule(3, "the middle initial fits"),
        "different": _rule(-8, "the middle names differ, as Mary Ann's and Mary Jo's", "needs_own"),
    },
    "suffix": {
        "exact": _rule(3, "the generation suffixes are the same"),
        "different": _rule(-40, "the generation suffixes differ", "refutes"),
    },
    "birth date": {
        "exact": _rule(28, "the birth dates are the same"),
        "conventional": _rule(
            20, "the birth dates are the same first of January, often written for an unknown day"
        ),
        "same month": _rule(12, "year and month of birth agree, a day is missing", "needs_id"),
        "same year": _rule(6, "the year of birth agrees, the rest is missing", "needs_id"),
        "first of January": _rule(
            6, "the year of birth agrees, one side has its first of January for the day", "needs_id"
        ),
        "swapped": _rule(
            10, "day and month of birth stand in each other's place", "needs_household"
        ),
        "typo": _rule(10, "the birth dates differ by one digit", "needs_household"),
        "different": _rule(-40, "the birth dates differ", "refutes"),
        "generation": _rule(-50, "the birth dates are a generation apart", "refutes"),
        "absent": _rule(0, "a birth date is missing", "needs_own"),
    },
    "gender": {
        "exact": _rule(4, "the genders are the same"),
        "different": _rule(-20, "the genders differ", "blocks"),
    },
    "address": {
        "exact": _rule(10, "street and place agree"),
        "typo": _rule(7, "the street differs by a slip of the pen, the place agrees"),
        "different": _rule(-2, "the addresses differ; people move"),
    },
    "zip": {
        "exact": _rule(5, "the ZIP codes are the same"),
        "different": _rule(0, "the ZIP codes differ; people move"),
    },
    "phone": {
        "exact": _rule(10, "a telephone number is the same"),
        "different": _rule(0, "the telephone numbers differ"),
    },
    "email": {
        "exact": _rule(10, "a mail address is the same"),
    },
    "SSN": {
        "exact": _rule(30, "the SSNs are the same"),
        "last four": _rule(8, "the last four digits of the SSNs agree"),
        "next": _rule(-2, "one SSN follows the other, as twins' may", "needs_id"),
        "typo": _rule(-2, "the SSNs differ by one digit", "needs_home"),
        "different": _rule(-35, "the SSNs differ", "blocks"),
    },
    "id": {
        "exact": _rule(30, "an identifier of the same issuer is the same"),
        "different": _rule(-15, "identifiers of the same issuer differ", "needs_id"),
    },
    "mother's maiden name": {
        "exact": _rule(5, "the mothers' maiden names are the same"),
        "different": _rule(-3, "the mothers' maiden names differ"),
    },
}  # fmt: skip

_REASONS: Final = {
    (attribute, agreement): Reason(attribute, agreement, rule.points, rule.text)
    for attribute, rules in RULES.items()
    for agreement, rule in rules.items()
}
_Facts = frozenset[tuple[str, str]]
_SSN: Final = ("SSN", "exact")
_DOOR, _PHONE = ("address", "exact"), ("phone", "exact")
_OWN: Final = (frozenset({_SSN}),)
_ID: Final = (*_OWN, frozenset({("id", "exact")}))
_HOUSEHOLD: Final = (frozenset({_DOOR, _PHONE}),)
_HOME: Final = (*_ID, frozenset({_DOOR}), frozenset({_PHONE}))
_BY_MIDDLE_NAME: Final = frozenset({("given", "middle"), ("birth date", "exact")})
# A name and a birth date need one of these beside them, or the score does not matter.
_CORROBORATION: Final = (
    *_HOME,
    *(
        frozenset({fact})
        for fact in (("address", "typo"), ("email", "exact"), ("SSN", "last four"))
    ),
)
# What satisfies an effect: any of these, whole.
_PROOFS: Final[dict[Effect, tuple[_Facts, ...]]] = {
    "needs_home": _HOME,
    "needs_household": (*_ID, *_HOUSEHOLD),
    "needs_id": _ID,
    "needs_own": _OWN,
    "blocks": (),
}


def compare(ours: Demographics, theirs: Demographics) -> MatchResult:
    """Whether both are one person; the same result whichever side is called ours."""
    return compare_people(read_person(ours), read_person(theirs))


def compare_people(ours: Person, theirs: Person) -> MatchResult:
    """As `compare`, for people already read: what is compared with many is read once."""
    agreements = _agreements(ours, theirs)
    reasons = tuple([_REASONS[named] for named in agreements.items()])
    score = max(0, min(100, sum([reason.points for reason in reasons])))
    ignored: tuple[Ignored, ...] = ()
    if ours.ignored or theirs.ignored:
        both = {*ours.ignored, *theirs.ignored}
        ignored = tuple(sorted(both, key=lambda one: (one.attribute, one.why)))
    # The same ZIP code with another street is where namesakes live; and where somebody who has no
    # door gets letters, many others do.
    is_near = agreements.get("zip") == "exact" and "address" not in agreements
    is_near = is_near and all(one.attribute != "address" for one in ignored)
    return MatchResult(score, _decide(score, agreements, is_near), reasons, ignored)


def judge(candidates: Iterable[tuple[MemberId, Person]], theirs: Person) -> tuple[Judged, ...]:
    """Each candidate beside the person asked for, best first, whatever their order was."""
    judged = [(member, compare_people(ours, theirs)) for member, ours in candidates]
    judged.sort(key=lambda one: (one[1].decision != "match", -one[1].score, one[0]))
    return tuple(judged)


def choose(judged: Sequence[Judged]) -> BestMatch:
    """Who of those it is; they come as `judge` gives them."""
    near = [one for one in judged if one[1].decision != "no_match"]
    if not near or near[0][1].decision != "match":
        return NotFound(tuple(near))
    best = near[0][1]
    rivals = [one for one in judged if one == near[0] or _is_rival(one[1], best)]
    return Found(*near[0]) if len(rivals) == 1 else Ambiguous(tuple(rivals))


def _is_rival(result: MatchResult, best: MatchResult) -> bool:
    """Whether it could be this one as well; or must be, having the very SSN that was stated.

    One who goes by the middle name may have a twin who is called so: unless something of one's own
    says which of them is meant, nothing does.
    """
    facts, of_best = _facts(result), _facts(best)
    if result.decision == "match" or (_SSN in facts and _SSN not in of_best):
        return True
    if result.decision != "possible":
        return False
    is_near = result.score >= best.score - RUNNER_UP_MARGIN
    return is_near or (facts >= _BY_MIDDLE_NAME and not _is_proved(_ID, of_best))


def _facts(result: MatchResult) -> _Facts:
    return frozenset((one.attribute, one.agreement) for one in result.reasons)


def best_match(candidates: Iterable[tuple[MemberId, Person]], theirs: Person) -> BestMatch:
    """Who of several it is. The order of the candidates does not matter."""
    return choose(judge(candidates, theirs))


def are_all_one(people: Sequence[Person]) -> bool:
    """Whether each of them matches each other: one person who is on record several times."""
    pairs = combinations(people, 2)
    return all(compare_people(one, other).decision == "match" for one, other in pairs)


def nearly_names(result: MatchResult) -> bool:
    """Whether who asks seems to mean that person and misses some facts, or guesses them.

    A name and one thing that is hers are enough, also where the birth date refutes a match.
    """
    if result.decision == "possible":
        return True
    facts = _facts(result)
    given = {("given", agreement) for agreement in ("exact", "spelling", "nickname")}
    family = {("family", agreement) for agreement in ("exact", "compound", "other name", "typo")}
    return bool(facts & given and facts & family) and _is_proved(_HOME, facts)


def left_out(person: Person) -> str | None:
    """Which of the person's fields were ignored and why, in words; None when all could be used."""
    said = "; ".join(f"{one.attribute}, {one.why}" for one in person.ignored)
    return f"left out of the comparison: {said}" if said else None


_TELLS_LESS: Final = frozenset({"absent", "initial", "same month", "same year", "first of January"})


def contradicts(result: MatchResult) -> bool:
    """Whether something says that they are two, rather than too little that they are one.

    People move, so an address that differs says neither.
    """
    return any(
        RULES[attribute][agreement].effect != "none" and agreement not in _TELLS_LESS
        for attribute, agreement in _facts(result)
    )


def against(result: MatchResult) -> str:
    """What speaks against the match, in words."""
    reasons = "; ".join(reason.text for reason in result.reasons if reason.points < 0)
    return reasons or "too little agrees to be sure"


def _agreements(ours: Person, theirs: Person) -> dict[str, str]:
    """How each attribute agrees that both sides state (or must)."""
    are_women = ours.gender == theirs.gender == "F"
    found: list[tuple[str, str | None]] = [
        *name_agreements(ours.names, theirs.names, worth=_worth, may_marry=are_women),
        ("birth date", birth_agreement(ours.birth, theirs.birth)),
        ("gender", gender_agreement(ours.gender, theirs.gender)),
        *address_agreement(ours.addresses, theirs.addresses),
        ("phone", phone_agreement(ours.phones, theirs.phones)),
        ("email", email_agreement(ours.emails, theirs.emails)),
        ("SSN", ssn_agreement(ours.ssn, theirs.ssn)),
        ("id", id_agreement(ours.ids, theirs.ids)),
        ("mother's maiden name", maiden_agreement(ours.maiden, theirs.maiden)),
    ]
    return {attribute: agreement for attribute, agreement in found if agreement is not None}


def _worth(attribute: str, agreement: str) -> int:
    return RULES[attribute][agreement].points


def _decide(score: int, agreements: dict[str, str], is_near: bool) -> Decision:
    """`is_near`: in one ZIP code, and nothing is known against one door."""
    if score < POSSIBLE_SCORE:
        return "no_match"
    facts = frozenset(agreements.items())
    effects = {RULES[attribute][agreement].effect for attribute, agreement in facts}
    if "refutes" in effects:
        return "possible" if _SSN in facts else "no_match"
    allowed = (is_near or _is_proved(_CORROBORATION, facts)) and all(
        _is_proved(proofs, facts) for effect, proofs in _PROOFS.items() if effect in effects
    )
    return "match" if allowed and score >= MATCH_SCORE else "possible"


def _is_proved(proofs: tuple[_Facts, ...], facts: _Facts) -> bool:
    return any(proof <= facts for proof in proofs)
