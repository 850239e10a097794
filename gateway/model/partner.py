"""A community we exchange with: who it is, where it answers, and how it differs from the book."""

from dataclasses import dataclass, field
from datetime import date
from typing import Final, Literal

from gateway.model.identity import PartnerId, PlanId
from ihe.identifiers import HomeCommunityId, Oid
from ihe.saml_writing import AssertionStyle

RETIRED: Final = "it has left its network"
"""Why a retired partner is not spoken to, in words."""


@dataclass(frozen=True, slots=True)
class Endpoints:
    """Where a partner takes each transaction; None means it does not."""

    iti55: str | None = None
    iti38: str | None = None
    iti39: str | None = None
    iti41: str | None = None
    iti80: str | None = None
    """Where it takes submissions as a gateway (XCDR); before `iti41`, if it names both."""
    iti56: str | None = None
    """Where it says who else knows a patient; at `iti55`, if it names no other."""
    direct_domain: str | None = None
    replies: tuple[str, ...] = ()
    """Where else it may have answers sent that it does not wait for on the connection."""

    def takes_replies_at(self, address: str) -> bool:
        """Whether a ReplyTo is one of the registered addresses, to the letter.

        Whatever else a message names is not called: it could be a host of our own.
        """
        registered = (self.iti55, self.iti56, self.iti38, self.iti39, *self.replies)
        return any(known == address for known in registered if known is not None)


@dataclass(frozen=True, slots=True)
class PartnerProfile:
    """How this partner is spoken to. Only an operator may loosen what concerns security."""

    timeout_seconds: float = 60.0
    """The whole of one retrieval at this partner, from the first byte sent to the last read."""
    attempts: int = 3
    """How often one and the same request is made where no answer came, within that time."""
    pause_seconds: float = 0.0
    """Between the beginnings of two requests to it."""
    members_at_once: int = 8
    """Of how many members' records it is asked at one time: a slow partner takes no more of us."""
    documents_per_retrieve: int = 5
    audience_required: bool = False
    bearer_accepted: bool = False
    certificate_name: str | None = None
    """The name by which a signing certificate that only chains to an anchor is bound to it."""
    confirmation_required: bool = True
    """Its answers must carry a SignatureConfirmation (DECISIONS 4)."""
    same_certificate: bool = False
    """The TLS and the signing certificate must be one and the same (DECISIONS 2)."""
    asynchronous: bool = False
    """It answers on a connection of its own, at our door, when it can."""
    deferred_discovery: bool = False
    """It only acknowledges who is asked for (ITI-55), and brings the result to our door when a
    person, or a slow index, has found it (ITI TF-2: 3.55, Deferred Response)."""
    answer_within_seconds: float = 3600.0
    """How long an asynchronous or deferred answer is waited for, from when its request was sent."""
    health_data_locator: bool = False
    """It is asked which other communities know a member whom it knows (ITI-56), where it says of
    its match that it can tell."""
    only_where_located: bool = False
    """It is asked only for members whom a Health Data Locator says that it knows."""
    minimum_degree_match: int = 50
    """Below this, 0 to 100 by the partner's own measure, it need not name anybody."""
    ssn_on_request: bool = True
    """It gets a member's SSN when it asks for it; unasked, nobody does."""
    told_what_others_know: bool = True
    """Where it knows nobody, it is asked again with former names, addresses and telephone numbers
    that other communities have on record for the member."""
    query_window_days: int | None = None
    """Quirk: its documents are asked for in windows of so many days of creation time."""
    other_home_accepted: bool = False
    """Quirk: its documents name another home community than the one asked."""
    other_patient_id_accepted: bool = False
    """Quirk: it lists documents under another patient id than the one it was asked for."""
    repository_id_urn: bool = False
    """Quirk: it wants `urn:oid:` before the repository ids that are asked of it."""
    document_uuid_urn: bool = False
    """Quirk: a document id that is a UUID in lower case is asked for with `urn:uuid:` before it."""
    mtom: Literal["always", "never"] = "always"
    """Whether ITI-39 is sent as an MTOM package; what comes back is read either way."""
    postal_address: str | None = None
    """Where a letter reaches it: an accounting of disclosures names it with whoever received."""
    within: str | None = None
    """The home community by which it is reached: that one is asked in its place."""
    retired: bool = False
    """It has left its network: it is asked nothing, gets nothing and is let in no more."""
    charges_for: tuple[str, ...] = ()
    """The purposes of use for which it takes a fee; the ledger flags them."""
    audience: str | None = None
    """Whom our assertions say they are meant for: a URI, or `endpoint` for the address asked."""
    sha1_until: date | None = None
    """Quirk: it takes only signatures by RSA and SHA-1. Ours to it are made so up to and with this
    day, and after it nothing is sent: whoever grants the exception grants it anew, or not."""
    assertion: AssertionStyle = field(default_factory=AssertionStyle)
    """How our assertions are spelt for it."""


@dataclass(frozen=True, slots=True)
class Delegation:
    """An organization of a partner that lets another community ask in its name (Carequality).

    `delegate` is the other's home community, or an organization under its home community's OID.
    """

    principal: Oid
    delegate: Oid


@dataclass(frozen=True, slots=True)
class Partner:
    """One community. `plan` is the plan that exchanges with it, None for all plans of the house.

    Certificates are PEM texts: the partner's own, pinned.
    """

    id: PartnerId
    name: str
    home_community_id: HomeCommunityId
    endpoints: Endpoints
    network: str | None = None
    plan: PlanId | None = None
    tls_certificates: tuple[str, ...] = ()
    signing_certificates: tuple[str, ...] = ()
    profile: PartnerProfile = field(default_factory=PartnerProfile)
