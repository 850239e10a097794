"""A partner asks whom we know (ITI-55): answered among the members that a rule opens to it.

What depends on the patient (opted out, ambiguous, another plan's) looks exactly like no match, and
takes the same statements and comparisons, so that nobody learns from an answer, nor from the time
it takes, whom we know (DECISIONS 10, 11).
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from gateway.exchange import probing
from gateway.exchange.asker import Asker, Effect, Way, no_way, ways
from gateway.exchange.demographics import person_of
from gateway.exchange.judging import judged_in_words
from gateway.exchange.matching import (
    Ambiguous,
    Found,
    Judged,
    MatchResult,
    NotFound,
    against,
    are_all_one,
    choose,
    is_below_minimum,
    judge,
    left_out,
    minimum_set_missing,
    nearly_names,
)
from gateway.exchange.metadata import patient_id
from gateway.exchange.probing import NearMiss
from gateway.exchange.respond_location import tells_locations
from gateway.model.community import Community
from gateway.model.discovery_limits import DiscoveryLimits
from gateway.model.member import Member, Plan
from gateway.model.person import Person, read_person
from gateway.store import members
from gateway.store.brief import leave
from gateway.store.database import Transaction
from gateway.store.members import Candidate
from ihe.errors import CommunityCouldNotAnswer
from ihe.xcpd import (
    Demographics,
    Discovery,
    Match,
    Matched,
    MoreDemographicsRequested,
    NoMatch,
    PatientDiscoveryRequest,
)

_COMPARED_AT_ONCE: Final = 4
"""Comparisons come in multiples of this, with fillers; hardly a question has more candidates."""
_BRIEF_COMPARISONS: Final = 2 * _COMPARED_AT_ONCE
_BRIEF_PLANS: Final = 2
"""To look for somebody in more takes long enough for a thread."""


@dataclass(frozen=True, slots=True)
class Discovered:
    """What is answered, what is recorded of it, and the member that was nearly named."""

    answer: Discovery | CommunityCouldNotAnswer
    effects: tuple[Effect, ...]
    near: NearMiss | None = None


@dataclass(frozen=True, slots=True)
class _Look:
    """What one plan's members say to a question. `reason` is why none of them is answered;
    `is_locator` says whether the asker may hear where else they are known (ITI-56)."""

    plan: Plan
    found: tuple[tuple[Member, MatchResult], ...] = ()
    reason: str | None = None
    near: NearMiss | None = None
    is_locator: bool = False


def discover(
    transaction: Transaction,
    request: PatientDiscoveryRequest,
    *,
    asker: Asker,
    plans: Iterable[Plan],
    community: Community,
    limits: DiscoveryLimits,
    now: datetime,
) -> Discovered:
    """Whom we know by these demographics, among the members a rule lets this partner ask for.

    ITI TF-2: 3.55.4.2.3, all five cases; several plans, or several numbers of one person in one
    plan, are several matches (case 2).
    """
    if probing.is_too_often(transaction, asker.community, limits, now):
        busy = f"the community asks for more than {limits.per_minute} persons in a minute"
        return _not_now("ResponderBusy", Effect("refused", reason=busy))
    return whom_we_know(transaction, request, asker=asker, plans=plans, community=community)


def whom_we_know(
    transaction: Transaction,
    request: PatientDiscoveryRequest,
    *,
    asker: Asker,
    plans: Iterable[Plan],
    community: Community,
) -> Discovered:
    """As `discover`, however often the partner has asked; it changes nothing."""
    asked = read_person(request.demographics)
    if is_below_minimum(asked):
        missing = minimum_set_missing(asked)
        effect = Effect(reason=_said("the request is below the minimum set of demographics", asked))
        return Discovered(MoreDemographicsRequested(missing) if missing else NoMatch(), (effect,))
    open_ways = list(ways(transaction, plans, asker))
    if len(open_ways) > _BRIEF_PLANS:
        leave()
    looks = [_look(transaction, way, asked) for way in open_ways]
    if not looks:
        return Discovered(NoMatch(), (Effect(reason=no_way(asker)),))
    near = next((look.near for look in looks if look.near), None)
    found = [one for look in looks for one in look.found]
    limit = request.minimum_degree_match or 0
    shown = [(member, result) for member, result in found if result.score >= limit]
    if not shown:
        return Discovered(NoMatch(), _nobody(looks, asked), near)
    located = {look.plan.id for look in looks if look.is_locator}
    matches = tuple(
        _match(member, result.score, community, is_located=member.plan in located)
        for member, result in shown
    )
    effects = tuple(_named(member, result, asked) for member, result in shown)
    return Discovered(Matched(matches), effects, near)


def could_not_search() -> Discovered:
    """Case 5 where our own records cannot be read: a person of ours has to see to it."""
    effect = Effect("failed", reason="the members could not be searched")
    return _not_now("AnswerNotAvailable", effect)


def _not_now(problem: str, effect: Effect) -> Discovered:
    return Discovered(CommunityCouldNotAnswer(problem), (effect,))


def _match(member: Member, score: int, community: Community, *, is_located: bool) -> Match:
    return Match(
        patient_id=patient_id(member, community),
        home_community_id=community.home_community_id,
        demographics=_shown(member),
        degree=score,
        supports_locator=is_located,
    )


def _shown(member: Member) -> Demographics:
    """What an answer repeats of the roster: enough for a second look, without the SSN."""
    known = member.demographics
    return Demographics(
        names=known.names,
        birth_time=known.birth_time,
        gender=known.gender,
        addresses=known.addresses,
        telecoms=known.telecoms,
    )


# ---- what the record says --------------------------------------------------------------------


def _named(member: Member, result: MatchResult, asked: Person) -> Effect:
    reason = judged_in_words([result]) or ""
    return Effect(plan=member.plan, member=member.id, reason=_said(reason, asked))


def _nobody(looks: Sequence[_Look], asked: Person) -> tuple[Effect, ...]:
    """One record, in the log of the plan whose member was nearly the one."""
    if any(look.found for look in looks):
        return (Effect(reason=_said("the match is below the degree that was asked for", asked)),)
    for look in looks:
        if look.reason is not None:
            return (Effect(plan=look.plan.id, reason=_said(look.reason, asked)),)
    return (Effect(reason=_said("no member matches", asked)),)


def _said(reason: str, asked: Person) -> str:
    """The reason, and which of the stated fields could not be used."""
    ignored = left_out(asked)
    return f"{reason}; {ignored}" if ignored else reason


# ---- one plan --------------------------------------------------------------------------------


def _look(transaction: Transaction, way: Way, asked: Person) -> _Look:
    plan = way.plan
    known = members.candidates(transaction, plan=plan.id, person=asked, filled_to=_COMPARED_AT_ONCE)
    compared = (*known.members, *known.fillers)
    if len(compared) > _BRIEF_COMPARISONS:
        leave()
    judged = judge([(one.id, person_of(one, plan)) for one in compared], asked)
    by_id = {one.id: one for one in known.members}
    real = [one for one in judged if one[0] in by_id]
    chosen: tuple[tuple[Candidate, MatchResult], ...]
    match choose(real):
        case Found(member=member, result=result):
            chosen = ((by_id[member], result),)
        case Ambiguous(candidates=candidates):
            chosen = tuple((by_id[member], result) for member, result in candidates)
            if not _are_one_person(chosen):
                reason = "more than one member could be the person asked for"
                return _Look(plan, reason=reason, near=NearMiss(plan.id, chosen[0][0].id))
        case NotFound():
            return _nearly(plan, real)
    # Whoever opted out is compared all the same: left out, a namesake would be found instead.
    if any(one.opted_out for one, _ in chosen):
        return _Look(plan, reason="the member has opted out of exchange")
    found = tuple((one.member(), result) for one, result in chosen)
    return _Look(plan, found, is_locator=tells_locations(way))


def _are_one_person(chosen: Sequence[tuple[Candidate, MatchResult]]) -> bool:
    """Whether they all match, each other too: one person whom the plan has enrolled twice."""
    is_each = all(result.decision == "match" for _, result in chosen)
    return is_each and are_all_one([one.person for one, _ in chosen])


def _nearly(plan: Plan, judged: Sequence[Judged]) -> _Look:
    for member, result in judged:
        if nearly_names(result):
            reason = f"a member resembles the person asked for: {against(result)}"
            return _Look(plan, reason=reason, near=NearMiss(plan.id, member))
    return _Look(plan)
