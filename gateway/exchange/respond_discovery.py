"""A partner asks whom we know (ITI-55): answered among the members that a rule opens to it.

What depends on the patient (opted out, ambiguous, another plan's) looks exactly like no match, so
that nobody learns from an answer whom we know (DECISIONS 10, 11).
"""

from collections.abc import Iterable, Iterator

from gateway.exchange.asker import Asker, Effect, ways
from gateway.exchange.ingest import demographics
from gateway.exchange.matching import Found, best_match, is_below_minimum, minimum_set_missing
from gateway.exchange.metadata import patient_id
from gateway.model.community import Community
from gateway.model.member import Member, Plan
from gateway.store import members
from gateway.store.database import Transaction
from ihe.xcpd import (
    Demographics,
    Discovery,
    Match,
    Matched,
    MoreDemographicsRequested,
    NoMatch,
    PatientDiscoveryRequest,
)


def discover(
    transaction: Transaction,
    request: PatientDiscoveryRequest,
    *,
    asker: Asker,
    plans: Iterable[Plan],
    community: Community,
) -> tuple[Discovery, tuple[Effect, ...]]:
    """Whom we know by these demographics, among the members a rule lets this partner ask for."""
    asked = request.demographics
    if is_below_minimum(asked):
        missing = minimum_set_missing(asked)
        effect = Effect(reason="the request is below the minimum set of demographics")
        return (MoreDemographicsRequested(missing) if missing else NoMatch()), (effect,)
    found: list[tuple[Member, int]] = []
    for way in ways(transaction, plans, asker):
        found += _find(transaction, way.plan, asked)
    if not found:
        return NoMatch(), (Effect(reason="no member matches"),)
    limit = request.minimum_degree_match or 0
    shown = [(member, score) for member, score in found if score >= limit]
    if not shown:
        return NoMatch(), (Effect(reason="the match is below the degree that was asked for"),)
    matches = tuple(_match(member, score, community) for member, score in shown)
    return Matched(matches), tuple(Effect(plan=one.plan, member=one.id) for one, _ in shown)


def _match(member: Member, score: int, community: Community) -> Match:
    return Match(
        patient_id=patient_id(member, community),
        home_community_id=community.home_community_id,
        demographics=_shown(member),
        degree=score,
    )


def _find(
    transaction: Transaction, plan: Plan, asked: Demographics
) -> Iterator[tuple[Member, int]]:
    known = members.candidates(transaction, plan=plan.id, named=asked)
    # Whoever opted out is compared all the same: left out, a namesake would be found instead.
    match = best_match([(member.id, demographics(member, plan)) for member in known], asked)
    if isinstance(match, Found):
        member = next(member for member in known if member.id == match.member)
        if not member.opted_out:
            yield member, match.result.score


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
