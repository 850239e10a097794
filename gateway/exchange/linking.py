"""What a partner's matches become: links to our member, confirmed, held for a person, or rejected.

Each match is judged beside the member, then beside what was known before, what the directory says
and whom else the plan knows by that patient id; last, all that are to be used beside each other.
What contradicts is held: no documents are asked for by it until a person has decided.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from itertools import combinations, product
from typing import Final

from ccda.hl7v3 import II, US_SSN
from gateway.exchange.demographics import demographics
from gateway.exchange.judging import answer_in_words, judge_matches, judged_in_words
from gateway.exchange.matching import MatchResult, compare, contradicts
from gateway.exchange.visit import Visit
from gateway.exchange.widening import Wider
from gateway.model.link import Link, LinkState
from gateway.store import links, members, partners
from gateway.store.database import Transaction
from ihe.identifiers import HomeCommunityId, PatientId
from ihe.xcpd import Demographics, Discovery, Match

_LINK_STATES: Final[dict[str, LinkState]] = {
    "match": "confirmed",
    "possible": "held",
    "no_match": "rejected",
}
_UNEXPLAINED: Final[dict[LinkState, str]] = {
    "held": "too little agrees to be sure",
    "rejected": "too little agrees to be the member",
}
UNLISTED: Final = "is not in the directory"
"""Why a match is held that a person cannot decide."""
_ANOTHERS: Final = "by this patient id the partner means another member of the plan"
_DESCRIBED_TWICE: Final = "the partner describes this patient id in two ways that contradict"
_CONTRADICTING: Final = "the partner's matches contradict each other"
_LONGEST: Final = timedelta(days=365)
"""However long a partner says that its answer holds: people move, and records are merged."""
_Key = tuple[HomeCommunityId, PatientId]


@dataclass(frozen=True, slots=True)
class Judged:
    """A match beside the roster alone, and beside what others know, where that was looked at."""

    match: Match
    by_roster: MatchResult
    widely: MatchResult | None

    @property
    def result(self) -> MatchResult:
        return self.widely or self.by_roster


def judge(visit: Visit, discovery: Discovery, wider: Wider | None) -> tuple[Judged, ...]:
    """Each match beside the member, and beside what others know if it was asked for with that."""
    ours = demographics(visit.asking.member, visit.asking.plan)
    own = visit.asking.community.home_community_id
    judged = []
    for match, result in judge_matches(discovery, ours, own):
        widely = None
        if wider is not None and result.decision == "possible":
            # Only what speaks for it: where the roster itself speaks against, that stands.
            widely = compare(wider.beside(ours), match.demographics)
        judged.append(Judged(match, result, widely))
    return tuple(judged)


def in_words(discovery: Discovery, judged: Sequence[Judged]) -> Iterator[str | None]:
    """By the roster first: that alone is known when the record is replayed."""
    yield answer_in_words(discovery, [one.by_roster for one in judged])
    widely = judged_in_words([one.widely for one in judged if one.widely is not None])
    yield None if widely is None else f"with what others know {widely}"


def linked(
    transaction: Transaction,
    visit: Visit,
    judged: Iterable[Judged],
    time_to_live: timedelta | None,
) -> tuple[Link, ...]:
    """The links of an answer, one a patient id, as they count from now on; nothing is stored."""
    now = datetime.now(UTC)
    until = None if time_to_live is None else now + min(time_to_live, _LONGEST)
    described = _by_patient(judged)
    made = [
        replace(_settled(transaction, visit, alike), found=now, valid_until=until)
        for alike in described.values()
    ]
    used = [described[_key(one)] for one in made if one.state == "confirmed"]
    if all(_are_one(*pair) for some in combinations(used, 2) for pair in product(*some)):
        return tuple(made)
    return tuple(_held(one, _CONTRADICTING) if _may_be_held(one) else one for one in made)


def still_fits(link: Link, ours: Demographics) -> bool:
    """Whether a link is to the person whom the roster describes now; whom a person linked, is."""
    if link.is_decided:
        return True
    return link.known is not None and compare(ours, link.known).decision == "match"


def _by_patient(judged: Iterable[Judged]) -> dict[_Key, tuple[Judged, ...]]:
    found: dict[_Key, tuple[Judged, ...]] = {}
    for one in judged:
        key = one.match.home_community_id, one.match.patient_id
        found[key] = (*found.get(key, ()), one)
    return found


def _key(link: Link) -> _Key:
    return link.home_community_id, link.patient_id


def _held(link: Link, why: str) -> Link:
    return replace(link, state="held", detail=why)


def _may_be_held(link: Link) -> bool:
    return link.state == "confirmed" and not link.is_decided


def _are_one(one: Judged, other: Judged) -> bool:
    """Whether two of a partner's descriptions may be of one person.

    Two records of a person mostly have two numbers of one issuer: only those that both have, and
    SSNs, are compared.
    """
    mine, theirs = one.match.demographics, other.match.demographics
    if mine == theirs:
        return True
    shared = {each for each in mine.ids if each in theirs.ids}
    result = compare(_with_ids(mine, shared), _with_ids(theirs, shared))
    speaks_against = contradicts(result) or any(reason.points < 0 for reason in result.reasons)
    return result.decision == "match" or (result.decision == "possible" and not speaks_against)


def _with_ids(stated: Demographics, shared: set[II]) -> Demographics:
    ids = tuple(each for each in stated.ids if each in shared or each.root == US_SSN)
    return replace(stated, ids=ids)


# ---- one patient id --------------------------------------------------------------------------


def _settled(transaction: Transaction, visit: Visit, alike: Sequence[Judged]) -> Link:
    """The link as it counts, beside what was known, what the directory says and a person decided.

    `alike` is all that the answer says of one patient id.
    """
    asked_for = visit.partner.profile.minimum_degree_match
    made = _made(visit, alike)
    before = _before(transaction, made)
    # Whoever looked at this very link knew more than the comparison does.
    if before is not None and before.is_decided:
        return replace(made, state=before.state, is_decided=True)
    if _is_in_dispute(alike):
        return _held(made, _DESCRIBED_TWICE)
    was_confirmed = before is not None and before.state == "confirmed"
    # An answer that only tells less than the one before it takes nothing back.
    if made.state == "held" and was_confirmed and not any(contradicts(one.result) for one in alike):
        made = replace(made, state="confirmed")
    if made.state != "confirmed":
        return made
    if made.degree is not None and made.degree < asked_for:
        return _held(made, f"the partner itself is sure of it to {made.degree} of 100 only")
    if not _is_listed(transaction, made):
        return _held(
            made, f"the community that holds the records ({made.home_community_id}) {UNLISTED}"
        )
    if _is_anothers(transaction, made, visit.asking.member.demographics):
        return _held(made, _ANOTHERS)
    return made


def _is_in_dispute(alike: Sequence[Judged]) -> bool:
    """Whether some of what is said of one patient id is the member, and some is not."""
    decisions = {one.result.decision for one in alike}
    if decisions == {"no_match"}:
        return False
    return "no_match" in decisions or not all(_are_one(*two) for two in combinations(alike, 2))


def _made(visit: Visit, alike: Sequence[Judged]) -> Link:
    """The link by the comparison alone, as the surest description has it."""
    one = max(alike, key=lambda one: (one.result.decision == "match", one.result.score))
    state = _LINK_STATES[one.result.decision]
    against = "; ".join(reason.text for reason in one.result.reasons if reason.points < 0)
    degrees = [each.match.degree for each in alike if each.match.degree is not None]
    return Link(
        plan=visit.asking.plan.id,
        member=visit.asking.member.id,
        partner=visit.partner.id,
        home_community_id=one.match.home_community_id,
        patient_id=one.match.patient_id,
        state=state,
        found=datetime.now(UTC),
        score=float(one.result.score),
        detail=against or _UNEXPLAINED.get(state),
        degree=min(degrees, default=None),
        known=replace(one.match.demographics, ids=()),
        is_locator=any(each.match.supports_locator for each in alike),
    )


def _before(transaction: Transaction, link: Link) -> Link | None:
    known = links.of_member(transaction, plan=link.plan, member=link.member, partner=link.partner)
    return next((one for one in known if _key(one) == _key(link)), None)


def _is_listed(transaction: Transaction, link: Link) -> bool:
    known = partners.by_home_community(
        transaction, plan=link.plan, home_community_id=link.home_community_id
    )
    return bool(known)


def _is_anothers(transaction: Transaction, link: Link, ours: Demographics) -> bool:
    """Whether that patient is confirmed to be a member who is not ours, enrolled twice."""
    same = links.by_patient(
        transaction,
        plan=link.plan,
        home_community_id=link.home_community_id,
        patient_id=link.patient_id,
    )
    for one in same:
        if one.member == link.member or one.state != "confirmed":
            continue
        other = members.get(transaction, plan=link.plan, member=one.member)
        if other is not None and compare(ours, other.demographics).decision != "match":
            return True
    return False
