"""Plans, their people, their keys."""

from datetime import datetime

from sqlalchemy import Index, LargeBinary, Text
from sqlmodel import Field

from gateway.store.column_types import UtcTime
from gateway.store.tables.row import Row


class PlanRow(Row, table=True):
    __tablename__ = "plan"
    id: str = Field(primary_key=True)
    name: str
    member_id_root: str | None = None
    treatment_agreement: str | None = None
    requester_role: str | None = None
    authority: str | None = None


class MemberRow(Row, table=True):
    __tablename__ = "member"
    __table_args__ = (Index("member_by_number", "plan", "member_id", unique=True),)
    id: str = Field(primary_key=True)
    plan: str = Field(foreign_key="plan.id")
    member_id: str
    demographics: str = Field(sa_type=Text)
    coverage_start: str | None = None
    coverage_end: str | None = None
    opted_out: bool = False
    comparable: str | None = Field(default=None, sa_type=Text)
    """As `store.comparable` writes the person."""


class MemberKeyRow(Row, table=True):
    """What a member may be found by when a document or a partner names someone."""

    __tablename__ = "member_key"
    __table_args__ = (Index("member_key_of", "member"), {"sqlite_with_rowid": False})
    plan: str = Field(primary_key=True)
    kind: str = Field(primary_key=True)
    value: str = Field(primary_key=True)
    member: str = Field(primary_key=True, foreign_key="member.id")


class TokenRow(Row, table=True):
    __tablename__ = "token"
    id: str = Field(primary_key=True)
    plan: str = Field(foreign_key="plan.id", index=True)
    name: str
    role: str
    secret_hash: str = Field(unique=True)
    created: datetime = Field(sa_type=UtcTime)
    expires: datetime | None = Field(default=None, sa_type=UtcTime)
    revoked: datetime | None = Field(default=None, sa_type=UtcTime)


class PlanKeyRow(Row, table=True):
    __tablename__ = "plan_key"
    plan: str = Field(primary_key=True, foreign_key="plan.id")
    generation: int = Field(primary_key=True)
    kek_id: str
    wrapped: bytes = Field(sa_type=LargeBinary)
    created: datetime = Field(sa_type=UtcTime)


class HouseKeyRow(Row, table=True):
    """Seals what belongs to no single plan: the messages of those we do not know."""

    __tablename__ = "house_key"
    generation: int = Field(primary_key=True, sa_column_kwargs={"autoincrement": False})
    plan: str | None = None
    kek_id: str
    wrapped: bytes = Field(sa_type=LargeBinary)
    created: datetime = Field(sa_type=UtcTime)
