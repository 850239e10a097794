"""What was asked of others, and what we owe them."""

from datetime import datetime

from sqlalchemy import Index, Text
from sqlmodel import Field

from gateway.store.column_types import BigNumber, UtcTime
from gateway.store.tables.row import Row


class RetrievalRow(Row, table=True):
    __tablename__ = "retrieval"
    __table_args__ = (
        Index("retrieval_of_member", "plan", "member"),
        Index("retrieval_by_time", "plan", "created"),
    )
    number: int | None = Field(default=None, primary_key=True, sa_type=BigNumber)
    id: str = Field(unique=True)
    plan: str = Field(foreign_key="plan.id")
    member: str = Field(foreign_key="member.id")
    purpose: str
    person: str
    role: str
    authority: str | None = None
    conversation: str
    created: datetime = Field(sa_type=UtcTime)
    state: str
    since: str | None = None
    finished: datetime | None = Field(default=None, sa_type=UtcTime)


class RetrievalPartnerRow(Row, table=True):
    __tablename__ = "retrieval_partner"
    __table_args__ = ({"sqlite_with_rowid": False},)
    retrieval: int = Field(primary_key=True, foreign_key="retrieval.number", sa_type=BigNumber)
    partner: str = Field(primary_key=True)
    plan: str
    partner_name: str
    step: str
    outcome: str | None = None
    documents_found: int = 0
    documents_new: int = 0
    documents_missing: int = 0
    elapsed_ms: int | None = None
    detail: str | None = None
    next_step: str | None = Field(default=None, sa_type=Text)
    remarks: str | None = Field(default=None, sa_type=Text)
    steps: str | None = Field(default=None, sa_type=Text)


class AwaitedAnswerRow(Row, table=True):
    """A request whose answer comes on a connection of its own; kept until the answer is stale."""

    __tablename__ = "awaited_answer"
    __table_args__ = (
        Index("awaited_answer_to", "retrieval", "visited", "question", unique=True),
        {"sqlite_with_rowid": False},
    )
    message_id: str = Field(primary_key=True)
    plan: str = Field(foreign_key="plan.id")
    partner: str
    retrieval: str
    visited: str
    question: str
    transaction: str
    state: str
    sent: datetime = Field(sa_type=UtcTime)
    expires: datetime = Field(sa_type=UtcTime, index=True)
    signature_values: str = Field(sa_type=Text)
    exchange: str = Field(sa_type=Text)
    answer: str | None = Field(default=None, sa_type=Text)
    result: str | None = None
    reason: str | None = None
    found: int = 0
    missing: int = 0
    request_id: str | None = Field(default=None, index=True)


class VisitClaimRow(Row, table=True):
    """Who goes on with one partner's part of a retrieval just now."""

    __tablename__ = "visit_claim"
    __table_args__ = ({"sqlite_with_rowid": False},)
    retrieval: str = Field(primary_key=True)
    partner: str = Field(primary_key=True)
    plan: str
    process: str


class OwedAnswerRow(Row, table=True):
    """An answer of ours that is computed and recorded, and not yet with the partner."""

    __tablename__ = "owed_answer"
    id: str = Field(primary_key=True)
    plan: str | None = None
    partner: str
    created: datetime = Field(sa_type=UtcTime)
    answer: str = Field(sa_type=Text)
