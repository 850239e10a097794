"""A partner asks which other communities know a member (ITI-56), as an option of the operator's.

Where a member is known tells something of them, so that no rule gives it but one that says
`locations`. Told are the communities that know the member by a match that was looked at and stands,
never the asker and never ourselves. Whatever depends on the patient (unknown, opted out, known
nowhere else) is one and the same fault (DECISIONS 11).
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from gateway.exchange.asker import Asker, Effect, Way, ways
from gateway.model.community import Community
from gateway.model.identity import MemberId
from gateway.model.member import Member, Plan
from gateway.store import links, members, policy_rules
from gateway.store.database import Transaction
from ihe.errors import NotPermitted
from ihe.identifiers import PatientId
from ihe.patient_location import PatientLocation

_NO_LOCATOR: Final = "This community is no Health Data Locator: patient locations are not told."
_NOT_FOR_YOU: Final = (
    "This community tells yours no patient locations for the purpose that is stated."
)
_NOWHERE: Final = "No location is known for this patient id."


@dataclass(frozen=True, slots=True)
class Located:
    """The communities that know the member, and what to record."""

    locations: tuple[PatientLocation, ...]
    effect: Effect


def locate(
    transaction: Transaction,
    asked: PatientId,
    *,
    asker: Asker,
    plans: Iterable[Plan],
    community: Community,
) -> Located:
    """Where else the member of that id of ours is known.

    XCPD Health Data Locator: 3.56.4.2.

    Raises:
        NotPermitted: nothing is told, to anybody, to this partner, or of this patient.
    """
    served = tuple(plans)
    open_ways = [one for one in ways(transaction, served, asker) if tells_locations(one)]
    if not open_ways:
        raise _closed(transaction, served, asker)
    found = _member(transaction, asked, open_ways, community)
    if found is None:
        raise _nowhere("no member of this patient id is open to this partner")
    if found.opted_out:
        raise _nowhere("the member has opted out of exchange")
    locations = _locations(transaction, found, asker, community)
    if not locations:
        raise _nowhere("no other community is known to know the member")
    number = len({one.home_community_id for one in locations})
    said = "one other community that knows" if number == 1 else f"{number} others that know"
    effect = Effect(plan=found.plan, member=found.id, reason=f"told of {said} the member")
    return Located(locations, effect)


def tells_locations(way: Way) -> bool:
    """Whether a rule lets this asker hear where the plan's members are known."""
    return any(rule.locations for rule in way.reaching())


def _closed(transaction: Transaction, plans: Iterable[Plan], asker: Asker) -> NotPermitted:
    rules = (rule for plan in plans for rule in policy_rules.list_all(transaction, plan=plan.id))
    if any(rule.locations for rule in rules):
        reason = f"no rule tells this partner patient locations for {asker.purpose.code}"
        return NotPermitted(reason, told=_NOT_FOR_YOU)
    reason = "no rule tells anybody patient locations"
    return NotPermitted(reason, told=_NO_LOCATOR, subcode="wsa:ActionNotSupported")


def _nowhere(reason: str) -> NotPermitted:
    return NotPermitted(reason, told=_NOWHERE)


def _member(
    transaction: Transaction, asked: PatientId, open_ways: Iterable[Way], community: Community
) -> Member | None:
    if asked.authority != community.patient_authority:
        return None
    named = MemberId(asked.id)
    for way in open_ways:
        found = members.get(transaction, plan=way.plan.id, member=named)
        if found is not None:
            return found
    return None


def _locations(
    transaction: Transaction, member: Member, asker: Asker, community: Community
) -> tuple[PatientLocation, ...]:
    """Confirmed matches alone: what is held or was rejected may be somebody else."""
    known = links.of_member(transaction, plan=member.plan, member=member.id)
    untold = (asker.community, community.home_community_id)
    return tuple(
        dict.fromkeys(
            PatientLocation(link.home_community_id, link.patient_id)
            for link in known
            if link.state == "confirmed" and link.home_community_id not in untold
        )
    )
