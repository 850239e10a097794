"""The record of every exchange, and what is counted beside it."""

from datetime import datetime

from sqlalchemy import Index, LargeBinary, Text, text
from sqlmodel import Field

from gateway.store.column_types import BigNumber, UtcTime
from gateway.store.tables.row import Row


class ExchangeRow(Row, table=True):
    """Append-only by trigger; `canon` is what was hashed, the other columns must agree with it.

    `version` is None for what was sealed before `private` was: see `exchange_private`.
    """

    __tablename__ = "exchange"
    __table_args__ = (
        Index("exchange_of_plan", "plan", "sequence"),
        Index("exchange_by_member", "plan", "member", "sequence"),
        Index("exchange_by_conversation", "plan", "conversation", "sequence"),
        Index("exchange_by_time", "plan", "time", "sequence"),
        Index("exchange_by_transaction", "plan", "transaction", "sequence"),
        Index("exchange_by_outcome", "plan", "outcome", "sequence"),
        Index("exchange_by_partner", "plan", "partner", "sequence"),
        Index("exchange_by_person", "plan", "person", "sequence"),
        Index("exchange_by_purpose", "plan", "purpose", "sequence"),
        Index("exchange_by_direction", "plan", "direction", "sequence"),
        *(
            Index(
                f"exchange_by_{name}",
                "plan",
                name,
                "sequence",
                sqlite_where=text(f"{name} IS NOT NULL"),
                postgresql_where=text(f"{name} IS NOT NULL"),
            )
            for name in ("role", "duration_ms")
        ),
        # Of what may be long, migration 0034 indexes the beginning.
        Index("exchange_by_count", "plan", "count", "sequence"),
    )
    sequence: int = Field(
        primary_key=True, sa_type=BigNumber, sa_column_kwargs={"autoincrement": False}
    )
    time: datetime = Field(sa_type=UtcTime)
    direction: str
    transaction: str
    outcome: str
    plan: str | None = None
    partner: str | None = None
    peer: str | None = None
    person: str | None = None
    role: str | None = None
    purpose: str | None = None
    authority: str | None = None
    member: str | None = None
    documents: str = Field(sa_type=Text)
    reason: str | None = None
    conversation: str | None = None
    message_id: str | None = None
    duration_ms: int | None = None
    count: int
    request_hash: str | None = None
    answer_hash: str | None = None
    version: int | None = None
    month: str | None = None
    private: str | None = Field(default=None, sa_type=Text)
    canon: str = Field(sa_type=Text)
    previous_hash: str
    hash: str


class ExchangeDocumentRow(Row, table=True):
    """Which records name a document: the column `documents`, turned around for searching."""

    __tablename__ = "exchange_document"
    __table_args__ = ({"sqlite_with_rowid": False},)
    document: str = Field(primary_key=True)
    sequence: int = Field(
        primary_key=True, sa_type=BigNumber, sa_column_kwargs={"autoincrement": False}
    )
    plan: str | None = None


class LogMonthRow(Row, table=True):
    """The key of a plan's month in the log, or of the house's; gone once it was disposed of."""

    __tablename__ = "log_month"
    scope: str = Field(primary_key=True)
    """The plan, or empty for the house."""
    month: str = Field(primary_key=True)
    plan: str | None = None
    kek_id: str | None = None
    wrapped: bytes | None = Field(default=None, sa_type=LargeBinary)
    created: datetime = Field(sa_type=UtcTime)
    disposed: datetime | None = Field(default=None, sa_type=UtcTime)


class LegalHoldRow(Row, table=True):
    """What must not be disposed of, and why; None means any. `until` is exclusive."""

    __tablename__ = "legal_hold"
    id: str = Field(primary_key=True)
    plan: str | None = None
    member: str | None = None
    partner: str | None = None
    since: datetime | None = Field(default=None, sa_type=UtcTime)
    until: datetime | None = Field(default=None, sa_type=UtcTime)
    reason: str = Field(sa_type=Text)
    placed_by: str
    placed: datetime = Field(sa_type=UtcTime)
    lifted_by: str | None = None
    lifted: datetime | None = Field(default=None, sa_type=UtcTime)
    lifted_because: str | None = Field(default=None, sa_type=Text)


class DisposalRow(Row, table=True):
    """The signed certificate that a month of a plan's log was disposed of; append-only."""

    __tablename__ = "disposal"
    scope: str = Field(primary_key=True)
    month: str = Field(primary_key=True)
    plan: str | None = None
    certificate: str = Field(sa_type=Text)
    key: str = Field(sa_type=Text)
    made: datetime = Field(sa_type=UtcTime)


class WireMessageRow(Row, table=True):
    """An envelope as it crossed the wire, sealed under its month's key; older ones their plan's."""

    __tablename__ = "wire_message"
    __table_args__ = (Index("wire_message_of_month", "month", "scope"),)
    hash: str = Field(primary_key=True)
    """SHA-256 of the envelope, as hex: what its exchange record names; of an answer and its request
    that of the answer."""
    scope: str = Field(primary_key=True)
    """The plan, or empty for the house, and the month: it is kept for each that it concerns."""
    plan: str | None = None
    month: str | None = None
    generation: int
    sealed: bytes = Field(sa_type=LargeBinary)
    asked: str | None = None
    """SHA-256 of the request that is sealed before its answer, and how long it is."""
    asked_bytes: int | None = None


class ExchangeHeadRow(Row, table=True):
    """The last record's place, so that a tail cut by mistake is seen without a checkpoint."""

    __tablename__ = "exchange_head"
    id: int = Field(primary_key=True, sa_column_kwargs={"autoincrement": False})
    plan: str | None = None
    sequence: int = Field(sa_type=BigNumber)
    hash: str


class CheckpointRow(Row, table=True):
    """The log sealed at a size; `frontier` are the roots on which the tree goes on."""

    __tablename__ = "checkpoint"
    size: int = Field(
        primary_key=True, sa_type=BigNumber, sa_column_kwargs={"autoincrement": False}
    )
    plan: str | None = None
    note: str = Field(sa_type=Text)
    key: str
    frontier: str = Field(sa_type=Text)
    made: datetime = Field(sa_type=UtcTime)
    published: str = Field(sa_type=Text)


class AuditFeedRow(Row, table=True):
    """How far an audit repository has been told of the log, and the process that tells it."""

    __tablename__ = "audit_feed"
    repository: str = Field(primary_key=True)
    plan: str | None = None
    sequence: int = Field(sa_type=BigNumber)
    process: str | None = None
    attempts: int
    trouble: str | None = None


class AuditDeadLetterRow(Row, table=True):
    """A record of which a repository could not be told, and why; `again` once it is to be tried."""

    __tablename__ = "audit_dead_letter"
    repository: str = Field(primary_key=True)
    sequence: int = Field(
        primary_key=True, sa_type=BigNumber, sa_column_kwargs={"autoincrement": False}
    )
    plan: str | None = None
    reason: str = Field(sa_type=Text)
    again: bool


class ExchangeOpenRow(Row, table=True):
    """Begun and not yet recorded: mutable, no evidence (DECISIONS 16)."""

    __tablename__ = "exchange_open"
    __table_args__ = ({"sqlite_autoincrement": True},)  # an id closed once is never another's
    id: int | None = Field(default=None, primary_key=True, sa_type=BigNumber)
    plan: str | None = None
    process: str
    exchange: str = Field(sa_type=Text)


class RefusalRow(Row, table=True):
    """Refusals before anyone was known, gathered until their minute is over (DECISIONS 17).

    So are failures of ours: `outcome` says which. No plan's are counted among another's.
    """

    __tablename__ = "refusal"
    minute: datetime = Field(primary_key=True, sa_type=UtcTime)
    peer: str = Field(primary_key=True)
    reason: str = Field(primary_key=True)
    transaction: str = Field(primary_key=True)
    scope: str = Field(primary_key=True)
    """The plan, or empty for what is known to be of none."""
    outcome: str = Field(primary_key=True, sa_column_kwargs={"server_default": "refused"})
    plan: str | None = None
    first: datetime = Field(sa_type=UtcTime)
    count: int


class ReplayRow(Row, table=True):
    __tablename__ = "replay"
    peer: str = Field(primary_key=True)
    key: str = Field(primary_key=True)
    plan: str | None = None
    expires: datetime = Field(sa_type=UtcTime, index=True)


class SettingSeenRow(Row, table=True):
    """A setting by a digest of its value, as the last process found it."""

    __tablename__ = "setting_seen"
    name: str = Field(primary_key=True)
    plan: str | None = None
    digest: str


class DiscoveryTallyRow(Row, table=True):
    """How often a community has asked in a period: about anybody, or about one member in vain.

    `about` is that member's id or empty; `variant` tells the questions about it apart.
    """

    __tablename__ = "discovery_tally"
    __table_args__ = ({"sqlite_with_rowid": False},)
    home_community_id: str = Field(primary_key=True)
    period: str = Field(primary_key=True)
    about: str = Field(primary_key=True)
    variant: str = Field(primary_key=True)
    plan: str | None = None
    count: int
    expires: datetime = Field(sa_type=UtcTime, index=True)
