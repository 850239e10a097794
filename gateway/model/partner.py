"""A community we exchange with: who it is, where it answers, and how it differs from the book."""

from dataclasses import dataclass, field

from gateway.model.identity import PartnerId, PlanId
from ihe.identifiers import HomeCommunityId, Oid
from ihe.saml_writing import AssertionStyle


@dataclass(frozen=True, slots=True)
class Endpoints:
    """Where a partner takes each transaction; None means it does not."""

    iti55: str | None = None
    iti38: str | None = None
    iti39: str | None = None
    iti41: str | None = None
    direct_domain: str | None = None


@dataclass(frozen=True, slots=True)
class PartnerProfile:
    """How this partner is spoken to. Only an operator may loosen what concerns security."""

    timeout_seconds: float = 60.0
    """The whole of one retrieval at this partner, from the first byte sent to the last read."""
    documents_per_retrieve: int = 5
    audience_required: bool = False
    bearer_accepted: bool = False
    certificate_name: str | None = None
    """The name by which a signing certificate that only chains to an anchor is bound to it."""
    confirmation_required: bool = True
    """Its answers must carry a SignatureConfirmation (DECISIONS 4)."""
    same_certificate: bool = False
    """The TLS and the signing certificate must be one and the same (DECISIONS 2)."""
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
