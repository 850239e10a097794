"""That a member of ours and a patient of a community are the same person (ITI-55)."""

from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from typing import Final, Literal

from gateway.model.identity import MemberId, PartnerId, PlanId
from ihe.discovery import Demographics
from ihe.identifiers import HomeCommunityId, PatientId

LINK_ID_LENGTH: Final = 20
LinkState = Literal["confirmed", "held", "rejected"]


@dataclass(frozen=True, slots=True)
class Link:
    """One patient id of the member at one community; held until a person decides if unsure."""

    plan: PlanId
    member: MemberId
    partner: PartnerId
    home_community_id: HomeCommunityId
    patient_id: PatientId
    state: LinkState
    found: datetime
    score: float | None = None
    detail: str | None = None
    is_decided: bool = False
    """A person set its state: no comparison changes it."""
    degree: int | None = None
    """How sure the community itself is, 0 to 100 by its own measure (ITI-55 match degree)."""
    valid_until: datetime | None = None
    """Until when it may be used without asking again; None: not at all (CorrelationTimeToLive)."""
    known: Demographics | None = None
    """What the community has on record for the person, without its ids; None if it was not kept."""

    is_locator: bool = False
    """The community says that it knows where else the person is known (ITI-56)."""

    @property
    def id(self) -> str:
        """By which people name it: opaque, and the same as long as it is the same match."""
        home = str(self.home_community_id)
        return link_id(self.plan, self.member, self.partner, home, self.patient_id.cx)


def link_id(plan: str, member: str, partner: str, home: str, patient: str) -> str:
    """The id of the link of that key."""
    named = (plan, member, partner, home, patient)
    return sha256("\n".join(named).encode()).hexdigest()[:LINK_ID_LENGTH]
