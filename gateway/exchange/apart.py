"""What keeps two groups of statements apart, whatever joins them.

Negation, another event, two codes of one system, another person or device, another time. Each
group keeps what distinguishes its statements once, so that many copies of one statement cost no
more than one when groups are compared.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import product
from typing import Final, Literal

from ccda.hl7v3 import TS
from ccda.model import Kind
from gateway.exchange.beside import beside, may_be_one_place, place_of
from gateway.exchange.identity import (
    findings_of,
    is_one_identity,
    marks_of,
    same_details,
    shares_mark,
    strengths,
    told_of,
)
from gateway.exchange.moments import date_digits, has_clock, may_be_one, sort_key
from gateway.exchange.people import is_one_person, person_of
from gateway.exchange.statements import ENDED, CodeKey, Statement

Times = Literal["none", "span", "event", "placed"]

# none: time is no part of what it is. span: two courses with a gap between are two.
# event: another day or hour is another event. placed: so it is, unless an identifier says more.
TIMES: Final[dict[Kind, Times]] = {
    "problem": "span", "allergy": "none", "medication": "span", "immunization": "event",
    "result": "none", "vital_sign": "none", "procedure": "event", "encounter": "event",
    "social_history": "none", "family_history": "none", "functional_status": "event",
    "mental_status": "event", "device": "placed", "coverage": "none", "advance_directive": "none",
    "goal": "event", "plan": "event", "concern": "span", "care_team": "none", "note": "event",
}  # fmt: skip
# Kinds of which a mood other than EVN is an order for one that may never have happened.
_DONE: Final[frozenset[Kind]] = frozenset(
    {"immunization", "procedure", "encounter", "result", "vital_sign"}
)

# Kinds of which one code stands over many findings: each value is another.
_FINDINGS: Final[frozenset[Kind]] = frozenset(
    {
        "functional_status",
        "mental_status",
        "advance_directive",
        "goal",
        "plan",
        "note",
        "concern",
    }
)
_DAY: Final = len("YYYYMMDD")

Why = Literal["same statement id", "same code", "same name, one without a code"]
SAME_ID: Final = "same statement id"
SAME_CODE: Final = "same code"
SAME_NAME: Final = "same name, one without a code"


@dataclass(slots=True, eq=False)
class Cluster:
    """Statements of one fact; their codes by system, all and those that are no translations."""

    statements: list[Statement]
    codes: dict[str, set[str]] = field(default_factory=dict)
    primaries: dict[str, set[str]] = field(default_factory=dict)
    voices: set[str] = field(default_factory=set)
    moments: dict[str, TS] = field(default_factory=dict)
    undated: set[str] = field(default_factory=set)
    """The documents of those statements that tell no time."""
    courses: set[tuple[str, str]] = field(default_factory=set)
    marks: dict[str, frozenset[str]] = field(default_factory=dict)
    person: dict[str, frozenset[str]] = field(default_factory=dict)
    """Of whom it is told, where it is not the member."""
    strengths: frozenset[str] = frozenset()
    findings: frozenset[tuple[str, str]] = frozenset()
    beside: dict[str, set[str]] = field(default_factory=dict)
    """What makes its code another thing, by what it is: where on the body, who pays."""
    places: dict[str, set[frozenset[str]]] = field(default_factory=dict)
    """Where somebody was seen, in words, by the document that tells it."""
    told: dict[str, set[str]] = field(default_factory=dict)
    """What each document tells in one way: a dose, a lot, that it was done."""
    goes_on: bool = False

    @property
    def kind(self) -> Kind:
        return self.statements[0].entry.kind

    @property
    def coded(self) -> set[CodeKey]:
        return {(system, code) for system, codes in self.codes.items() for code in codes}

    def compared_with(self, other: "Cluster") -> int:
        """How many times and places are compared to see whether the two are one."""
        places = 0
        if self.places and other.places:
            mine, theirs = (sum(map(len, each.places.values())) for each in (self, other))
            places = mine * theirs
        courses = len(self.courses) * len(other.courses)
        return places + courses + len(self.moments) * len(other.moments)

    def take(self, other: "Cluster") -> None:
        """Everything of the other into this one."""
        self.statements += other.statements
        for mine, theirs in (
            (self.codes, other.codes),
            (self.primaries, other.primaries),
            (self.beside, other.beside),
            (self.told, other.told),
        ):
            for system, codes in theirs.items() if theirs else ():
                mine.setdefault(system, set()).update(codes)
        for document, places in other.places.items():
            self.places.setdefault(document, set()).update(places)
        self.voices |= other.voices
        self.moments |= other.moments
        self.undated |= other.undated
        self.courses |= other.courses
        for known, told in ((self.marks, other.marks), (self.person, other.person)):
            for source, found in told.items():
                known[source] = known.get(source, frozenset()) | found
        self.strengths |= other.strengths
        self.findings |= other.findings
        self.goes_on |= other.goes_on


def alone(one: Statement) -> Cluster:
    """A group of one."""
    made = Cluster(
        [one], voices={one.voice}, marks=dict(marks_of(one)), person=dict(person_of(one))
    )
    for system, code in one.codes:
        made.codes.setdefault(system, set()).add(code)
    if one.primary:
        made.primaries[one.primary[0]] = {one.primary[1]}
    if one.when is not None and sort_key(one.when):
        made.moments[one.when.value or ""] = one.when
    else:
        made.undated.add(one.document.id)
    made.courses.add((date_digits(one.entry.start), date_digits(one.entry.end)))
    if one.entry.kind == "medication":
        made.strengths = strengths(one)
    made.told = told_of(one)
    if one.entry.kind in _FINDINGS:
        made.findings = findings_of(one)
    made.beside = beside(one)
    if place := place_of(one):
        made.places = {one.document.id: {place}}
    made.goes_on = one.status not in ENDED and not date_digits(one.entry.end)
    return made


def together(statements: Sequence[Statement]) -> Cluster:
    """Those of one fact, in the order they are given."""
    made = alone(statements[0])
    for one in statements[1:]:
        made.take(alone(one))
    return made


def fit(one: Cluster, other: Cluster, why: Why) -> bool:
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
    # One id is one finding, though a correction may have changed it.
    if why != SAME_ID and one.findings and other.findings and not one.findings & other.findings:
        return False
    if why != SAME_ID and not is_one_place_and_course(one, other):
        return False
    return is_one_time(one, other, why) and is_one_thing(one, other)


def is_one_thing(one: Cluster, other: Cluster) -> bool:
    """Two codes of one system are two things, even where a third code covers both.

    A translation may be broader than what it translates (an ingredient, a chapter), so sharing one
    never outweighs that the codes themselves differ.
    """
    if not _same_codes(one.codes, other.codes):
        return False
    if not (_same_codes(one.primaries, other.primaries) or _is_brand(one, other)):
        return False
    if not is_one_identity(one.kind, one.marks, other.marks):
        return False
    if not is_one_person(one.person, other.person):
        return False
    return same_details(one.statements[0], other.statements[0])


def is_one_place_and_course(one: Cluster, other: Cluster) -> bool:
    """One side is not the other; no document tells one course in two doses or from two lots."""
    if not _same_codes(one.told, other.told) or not _is_one_house(one, other):
        return False
    # A device has its number wherever it was put.
    is_numbered = one.kind == "device" and shares_mark(one.marks, other.marks)
    return is_numbered or _same_codes(one.beside, other.beside)


def _is_one_house(one: Cluster, other: Cluster) -> bool:
    """Whether the places where somebody was seen may be one.

    Two that are told by two documents for one minute are: nobody is in both.
    """
    if not (one.places and other.places):
        return True
    for document in one.places.keys() & other.places.keys():
        if not may_be_one_place(one.places[document], other.places[document]):
            return False
    minutes = {sort_key(time) for time in one.moments.values() if _is_exact(time)}
    if minutes & {sort_key(time) for time in other.moments.values()}:
        return True
    mine, theirs = (set().union(*each.places.values()) for each in (one, other))
    return may_be_one_place(mine, theirs)


def _is_exact(time: TS) -> bool:
    """Whether it tells the time of day; midnight is what many write who know the day alone."""
    return has_clock(time) and bool((time.value or "")[8:12].strip("0"))


def is_one_time(one: Cluster, other: Cluster, why: Why) -> bool:
    match TIMES[one.kind]:
        case "none":
            return True
        case "span":
            # One that was written to end before it began is still the same as its copy.
            pairs = ((a, b) for a, b in product(one.courses, other.courses) if a != b)
            return not any(_is_apart(a, b) or _is_apart(b, a) for a, b in pairs)
        case "placed":
            undated = not (one.moments and other.moments)
            return undated or shares_mark(one.marks, other.marks) or _is_one_moment(one, other)
        case "event":
            # One id is one event, though a correction may have moved it.
            return why == SAME_ID or _is_one_event(one, other)


def _is_ahead(one: Cluster) -> bool:
    """Whether the event is only meant to happen: an order is no proof that it was done."""
    entry = one.statements[0].entry
    return entry.kind in _DONE and entry.mood not in (None, "EVN")


def _same_codes(mine: Mapping[str, set[str]], theirs: Mapping[str, set[str]]) -> bool:
    return all(mine[system] & theirs[system] for system in mine.keys() & theirs.keys())


def _is_brand(one: Cluster, other: Cluster) -> bool:
    """Two drug codes of one system where the one is told as the other's translation.

    Of the same strength that is a brand and its generic; an ingredient tells no strength.
    """
    if not one.strengths or one.strengths != other.strengths:
        return False
    return all(
        one.primaries[system] & other.primaries[system]
        or one.codes[system] & other.primaries[system]
        or one.primaries[system] & other.codes[system]
        for system in one.primaries.keys() & other.primaries.keys()
    )


def _is_one_voice(one: Cluster, other: Cluster) -> bool:
    """Whether an id can be believed where no code agrees: one organization gave it to both."""
    if one.voices & other.voices or not (one.codes and other.codes):
        return True
    return any(codes & other.codes.get(system, set()) for system, codes in one.codes.items())


def _is_apart(earlier: tuple[str, str], later: tuple[str, str]) -> bool:
    """One course had ended before the other began, or on that very day: refilled, not retold."""
    (begun, end), start = earlier, later[0]
    if not (end and start):
        return False
    is_next = len(end) == _DAY and end == start and bool(begun) and begun != start
    return is_next or end < start[: len(end)]


def _is_one_event(one: Cluster, other: Cluster) -> bool:
    """All tell times that can be one, or none does; one document tells of one event once."""
    if one.undated or other.undated:
        return not (one.moments or other.moments or one.undated & other.undated)
    return _is_one_moment(one, other)


def _is_one_moment(one: Cluster, other: Cluster) -> bool:
    pairs = product(one.moments.values(), other.moments.values())
    return all(may_be_one(mine, theirs) for mine, theirs in pairs)
