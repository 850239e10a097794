"""Direct mail, in and out."""

from datetime import datetime

from sqlalchemy import ForeignKeyConstraint, Index, LargeBinary, Text
from sqlmodel import Field

from gateway.store.column_types import BigNumber, UtcTime
from gateway.store.tables.row import Row


class MailReceivedRow(Row, table=True):
    """A message as it came through a mail door; `recipients_key` is a hash of whom it is for."""

    __tablename__ = "mail_received"
    __table_args__ = (
        ForeignKeyConstraint(["plan", "blob_address"], ["blob.plan", "blob.address"]),
        Index("mail_received_once", "plan", "sha256", "recipients_key", unique=True),
        Index("mail_received_by_state", "plan", "state"),
        Index("mail_received_by_message_id", "plan", "message_id"),
    )
    number: int | None = Field(default=None, primary_key=True, sa_type=BigNumber)
    id: str = Field(unique=True)
    plan: str = Field(foreign_key="plan.id")
    door: str
    peer: str | None = None
    mail_from: str | None = None
    rcpt_to: str = Field(sa_type=Text)
    recipients_key: str
    sha256: str
    blob_address: str
    message_id: str | None = None
    arrived: datetime = Field(sa_type=UtcTime)
    state: str
    reason: str | None = None
    settled: datetime | None = Field(default=None, sa_type=UtcTime)
    attempts: int
    verdict_generation: int | None = None
    verdict: bytes | None = Field(default=None, sa_type=LargeBinary)


class MailClaimRow(Row, table=True):
    """What may be taken in only once, and the message that was the first to bring it."""

    __tablename__ = "mail_claim"
    __table_args__ = ({"sqlite_with_rowid": False},)
    plan: str = Field(primary_key=True, foreign_key="plan.id")
    key: str = Field(primary_key=True)
    message: str


class MailboxCursorRow(Row, table=True):
    """Up to which message a mailbox was read: the UIDs of a folder's UIDVALIDITY."""

    __tablename__ = "mailbox_cursor"
    __table_args__ = ({"sqlite_with_rowid": False},)
    mailbox: str = Field(primary_key=True)
    plan: str | None = None
    uid_validity: int = Field(sa_type=BigNumber)
    last_uid: int = Field(sa_type=BigNumber)


class MailSentRow(Row, table=True):
    """A message of ours; `record` is what its exchange records start from."""

    __tablename__ = "mail_sent"
    __table_args__ = (
        ForeignKeyConstraint(["plan", "blob_address"], ["blob.plan", "blob.address"]),
        Index("mail_sent_by_message_id", "plan", "message_id", unique=True),
        Index("mail_sent_by_answers", "plan", "answers"),
    )
    number: int | None = Field(default=None, primary_key=True, sa_type=BigNumber)
    id: str = Field(unique=True)
    plan: str = Field(foreign_key="plan.id")
    kind: str
    message_id: str
    sender: str
    blob_address: str
    created: datetime = Field(sa_type=UtcTime)
    record: str = Field(sa_type=Text)
    wants_dispatched: bool = False
    answers: str | None = None


class MailRecipientRow(Row, table=True):
    """How it stands with one recipient; `address` in lower case tells recipients apart."""

    __tablename__ = "mail_recipient"
    __table_args__ = ({"sqlite_with_rowid": False},)
    message: str = Field(primary_key=True, foreign_key="mail_sent.id")
    address_key: str = Field(primary_key=True)
    plan: str
    ordinal: int
    state: str
    recipient: str = Field(sa_type=Text)


class MailNoticeRow(Row, table=True):
    """A notice about a recipient, in the order they came."""

    __tablename__ = "mail_notice"
    __table_args__ = (
        Index("mail_notice_of", "message"),
        Index("mail_notice_once", "message", "received", "address_key", "kind", unique=True),
    )
    number: int | None = Field(default=None, primary_key=True, sa_type=BigNumber)
    message: str = Field(foreign_key="mail_sent.id")
    plan: str
    address_key: str
    kind: str
    received: str
    heard: str = Field(sa_type=Text)


class DirectKeyRow(Row, table=True):
    """A key of one of our addresses or domains; the private one sealed under its plan's key."""

    __tablename__ = "direct_key"
    plan: str = Field(primary_key=True, foreign_key="plan.id")
    owner: str = Field(primary_key=True)
    fingerprint: str = Field(primary_key=True)
    certificates: str = Field(sa_type=Text)
    generation: int
    sealed: bytes = Field(sa_type=LargeBinary)
    imported: datetime = Field(sa_type=UtcTime)
    since: datetime | None = Field(default=None, sa_type=UtcTime)
