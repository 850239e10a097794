"""SAML 2.0 assertions of ITI-40 XUA: who asks, for whom, why (values here; ITI TF-2: 3.40)."""

from dataclasses import dataclass
from datetime import datetime

from ihe.identifiers import HomeCommunityId


@dataclass(frozen=True, slots=True)
class CodedAttribute:
    """A role or purpose, as `<hl7:Role>` or `<hl7:PurposeOfUse>` carries it."""

    code: str
    system: str | None
    system_name: str | None = None
    display: str | None = None


@dataclass(frozen=True, slots=True)
class Assertion:
    """What an asker states of itself. Read only from the element that verification returned."""

    id: str
    issuer: str
    issue_instant: datetime
    not_before: datetime | None
    not_on_or_after: datetime | None
    subject_name: str | None
    subject: str | None
    organization: str | None
    organization_id: str | None
    home_community_id: HomeCommunityId | None
    role: CodedAttribute | None
    purpose_of_use: CodedAttribute | None
    audiences: tuple[str, ...] = ()
    npi: str | None = None
    resource_id: str | None = None
    access_consent_policies: tuple[str, ...] = ()
    query_auth_grantor: str | None = None
