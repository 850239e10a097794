"""ITI-55 Cross Gateway Patient Discovery (ITI TF-2: 3.55): values, and how they are written."""

from dataclasses import dataclass
from typing import Literal

from ccda.hl7v3 import AD, II, PN, TEL, TS
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


@dataclass(frozen=True, slots=True)
class Demographics:
    """What is known of a person. `gender` is the HL7 code as written; ids include the SSN."""

    names: tuple[PN, ...] = ()
    birth_time: TS | None = None
    gender: str | None = None
    addresses: tuple[AD, ...] = ()
    telecoms: tuple[TEL, ...] = ()
    ids: tuple[II, ...] = ()
    mothers_maiden_name: PN | None = None
    birth_place: AD | None = None


@dataclass(frozen=True, slots=True)
class PatientDiscoveryRequest:
    """PRPA_IN201305UV02. `patient_id` is the sender's own id, for reverse queries."""

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
    """Cases 1 and 2 (ITI TF-2: 3.55.4.2.3)."""

    matches: tuple[Match, ...]


@dataclass(frozen=True, slots=True)
class MoreDemographicsRequested:
    """Case 3: there may be someone, if these were stated too."""

    attributes: tuple[RequestedAttribute, ...]


@dataclass(frozen=True, slots=True)
class NoMatch:
    """Case 4. Case 5 is raised as `CommunityCouldNotAnswer`."""


Discovery = Matched | NoMatch | MoreDemographicsRequested
