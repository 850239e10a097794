"""What is asked and answered about a person (ITI TF-2: 3.55); how it is written is in `xcpd`."""

from dataclasses import dataclass
from typing import Literal

from ccda.hl7v3 import AD, II, PN, TEL, TS
from ccda.values import quickly_made
from ihe.identifiers import HomeCommunityId, Oid, PatientId

RequestedAttribute = Literal[
    "LivingSubjectAdministrativeGenderRequested",
    "PatientAddressRequested",
    "PatientTelecomRequested",
    "LivingSubjectBirthPlaceNameRequested",
    "LivingSubjectBirthPlaceAddressRequested",
    "MothersMaidenNameRequested",
    "SSNRequested",
]


@quickly_made
@dataclass(frozen=True, slots=True)
class Demographics:
    """What is known of a person. `gender` is the HL7 code as written; ids hold SSN and others."""

    names: tuple[PN, ...] = ()
    birth_time: TS | None = None
    gender: str | None = None
    addresses: tuple[AD, ...] = ()
    telecoms: tuple[TEL, ...] = ()
    ids: tuple[II, ...] = ()
    mothers_maiden_name: PN | None = None
    birth_place: AD | None = None
    birth_place_name: str | None = None


@quickly_made
@dataclass(frozen=True, slots=True)
class PatientDiscoveryRequest:
    """PRPA_IN201305UV02. `patient_id` is the sender's own id for the person: we may ask back."""

    message_id: II
    creation_time: TS
    sender: HomeCommunityId
    receiver: HomeCommunityId | None
    query_id: II
    demographics: Demographics
    patient_id: PatientId | None = None
    sender_authority: Oid | None = None
    minimum_degree_match: int | None = None
    deferred: bool = False
    respond_to: str | None = None
    processing: str = "P"
    """P for production, T for a test, D for debugging (HL7 ProcessingID)."""
    care_provider_ids: tuple[II, ...] = ()


@dataclass(frozen=True, slots=True)
class Match:
    """One person the community knows: its patient id there, and which community holds the data."""

    patient_id: PatientId
    home_community_id: HomeCommunityId
    demographics: Demographics
    degree: int | None = None
    supports_locator: bool = False


@dataclass(frozen=True, slots=True)
class Matched:
    """Cases 1 and 2 (ITI TF-2: 3.55.4.2.3); `unreadable` counts matches that cannot be used."""

    matches: tuple[Match, ...]
    unreadable: int = 0


@dataclass(frozen=True, slots=True)
class MoreDemographicsRequested:
    """Case 3: there may be someone, if these were stated too; `others` are codes we do not know."""

    attributes: tuple[RequestedAttribute, ...]
    others: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class NoMatch:
    """Case 4. Case 5 is raised as `CommunityCouldNotAnswer`."""


Discovery = Matched | NoMatch | MoreDemographicsRequested


@dataclass(frozen=True, slots=True)
class DiscoveryResponse:
    """PRPA_IN201306UV02 as read: what was found, and which request it answers."""

    message_id: II | None
    creation_time: TS
    sender: HomeCommunityId | None
    request_id: II | None
    query_id: II | None
    discovery: Discovery
