"""Partners: who they are, and by what they are believed."""

from datetime import datetime

from sqlalchemy import Index, LargeBinary, Text
from sqlmodel import Field

from gateway.store.column_types import BigNumber, UtcTime
from gateway.store.tables.row import Row


class PartnerRow(Row, table=True):
    __tablename__ = "partner"
    id: str = Field(primary_key=True)
    plan: str | None = Field(default=None, foreign_key="plan.id", index=True)
    name: str
    home_community_id: str = Field(index=True)
    network: str | None = None
    endpoints: str = Field(sa_type=Text)
    profile: str = Field(sa_type=Text)
    certificate_name: str | None = Field(default=None, index=True)


class PartnerCertificateRow(Row, table=True):
    """A pinned certificate; `fingerprint` is the SHA-256 of its DER, as hex."""

    __tablename__ = "partner_certificate"
    __table_args__ = (Index("partner_certificate_by_fingerprint", "fingerprint", "usage"),)
    partner: str = Field(primary_key=True, foreign_key="partner.id")
    usage: str = Field(primary_key=True)
    ordinal: int = Field(primary_key=True)
    plan: str | None = None
    fingerprint: str
    pem: str = Field(sa_type=Text)


class PartnerHealthRow(Row, table=True):
    """How often in a row a partner has failed; until when it is left alone, if it is."""

    __tablename__ = "partner_health"
    partner: str = Field(primary_key=True)
    plan: str | None = None
    failures: int
    since: datetime = Field(sa_type=UtcTime)
    until: datetime | None = Field(default=None, sa_type=UtcTime)
    reason: str = Field(sa_type=Text)


class PartnerLessonRow(Row, table=True):
    """What was learned of a partner's ways; in force until it is revoked."""

    __tablename__ = "partner_lesson"
    __table_args__ = (Index("partner_lesson_of_partner", "partner", "kind"),)
    number: int | None = Field(default=None, primary_key=True, sa_type=BigNumber)
    partner: str
    plan: str | None = None
    kind: str
    value: int
    learned: datetime = Field(sa_type=UtcTime)
    why: str = Field(sa_type=Text)
    revoked: datetime | None = Field(default=None, sa_type=UtcTime)
    revoked_by: str | None = None


class DirectAnchorRow(Row, table=True):
    """An anchor of Direct mail, trusted by hand; `domain` is "*" for all domains of ours."""

    __tablename__ = "direct_anchor"
    fingerprint: str = Field(primary_key=True)
    domain: str = Field(primary_key=True)
    plan: str | None = None
    incoming: bool
    outgoing: bool
    certificate: bytes = Field(sa_type=LargeBinary)
    revocation: str | None = None
    no_source: str | None = None
    added: datetime = Field(sa_type=UtcTime)


class DirectBundleRow(Row, table=True):
    """Where a bundle of anchors is fetched, for whom it counts, and how its changes are taken."""

    __tablename__ = "direct_bundle"
    name: str = Field(primary_key=True)
    plan: str | None = None
    url: str = Field(sa_type=Text)
    domain: str
    incoming: bool
    outgoing: bool
    signer: bytes | None = Field(default=None, sa_type=LargeBinary)
    hold: str
    every_seconds: int
    revocation: str | None = None
    no_source: str | None = None
    checked: datetime | None = Field(default=None, sa_type=UtcTime)
    failure: str | None = None


class DirectBundleVersionRow(Row, table=True):
    """What a bundle was at one time; `state` is current, held, past or rejected."""

    __tablename__ = "direct_bundle_version"
    bundle: str = Field(primary_key=True, foreign_key="direct_bundle.name")
    number: int = Field(primary_key=True, sa_column_kwargs={"autoincrement": False})
    plan: str | None = None
    fetched: datetime = Field(sa_type=UtcTime)
    content: bytes = Field(sa_type=LargeBinary)
    sha256: str
    signer: bytes | None = Field(default=None, sa_type=LargeBinary)
    state: str
    reason: str | None = Field(default=None, sa_type=Text)
    decided: datetime | None = Field(default=None, sa_type=UtcTime)


class DirectBundleAnchorRow(Row, table=True):
    """The anchors of a bundle's version, in its order."""

    __tablename__ = "direct_bundle_anchor"
    bundle: str = Field(primary_key=True)
    number: int = Field(primary_key=True)
    ordinal: int = Field(primary_key=True)
    plan: str | None = None
    certificate: bytes = Field(sa_type=LargeBinary)


class DelegationRow(Row, table=True):
    """An organization of a partner that lets another community ask in its name."""

    __tablename__ = "delegation"
    __table_args__ = (
        Index("delegation_by_principal", "principal", "delegate"),
        {"sqlite_with_rowid": False},
    )
    partner: str = Field(primary_key=True, foreign_key="partner.id")
    principal: str = Field(primary_key=True)
    delegate: str = Field(primary_key=True)
    plan: str | None = None


class OwnKeyRow(Row, table=True):
    """A key pair of the house beside that of its settings; `since` is None until it is used.

    The private key stays in its file, outside the database.
    """

    __tablename__ = "own_key"
    usage: str = Field(primary_key=True)
    fingerprint: str = Field(primary_key=True)
    plan: str | None = None
    certificate_file: str
    key_file: str
    imported: datetime = Field(sa_type=UtcTime)
    since: datetime | None = Field(default=None, sa_type=UtcTime)


class PolicyRuleRow(Row, table=True):
    __tablename__ = "policy_rule"
    plan: str = Field(primary_key=True, foreign_key="plan.id")
    name: str = Field(primary_key=True)
    rule: str = Field(sa_type=Text)


class LinkRow(Row, table=True):
    """A member, and a patient id by which a community knows the same person."""

    __tablename__ = "link"
    __table_args__ = (
        Index("link_by_patient", "plan", "home_community_id", "patient_id"),
        {"sqlite_with_rowid": False},
    )
    plan: str = Field(primary_key=True, foreign_key="plan.id")
    member: str = Field(primary_key=True, foreign_key="member.id")
    partner: str = Field(primary_key=True, foreign_key="partner.id")
    home_community_id: str = Field(primary_key=True)
    patient_id: str = Field(primary_key=True)
    state: str
    score: float | None = None
    detail: str | None = None
    found: datetime = Field(sa_type=UtcTime)
    is_decided: bool = False
    degree: int | None = None
    valid_until: datetime | None = Field(default=None, sa_type=UtcTime)
    known: str | None = Field(default=None, sa_type=Text)
    is_locator: bool = False


class PatientLocationRow(Row, table=True):
    """A community that a Health Data Locator, `partner`, has said to know a member."""

    __tablename__ = "patient_location"
    __table_args__ = ({"sqlite_with_rowid": False},)
    plan: str = Field(primary_key=True, foreign_key="plan.id")
    member: str = Field(primary_key=True, foreign_key="member.id")
    partner: str = Field(primary_key=True, foreign_key="partner.id")
    home_community_id: str = Field(primary_key=True)
    patient_id: str = Field(primary_key=True)
    told: datetime = Field(sa_type=UtcTime)
