"""Work to be done later."""

from datetime import datetime

from sqlalchemy import Index, Text
from sqlmodel import Field

from gateway.store.column_types import BigNumber, UtcTime
from gateway.store.tables.row import Row


class JobRow(Row, table=True):
    """Jobs of the in-process worker; on PostgreSQL Procrastinate keeps its own."""

    __tablename__ = "job"
    __table_args__ = (
        Index("job_due_of_kind", "state", "kind", "run_at"),
        {"sqlite_autoincrement": True},
    )
    id: int | None = Field(default=None, primary_key=True, sa_type=BigNumber)
    plan: str | None = None
    kind: str
    payload: str = Field(sa_type=Text)
    state: str
    attempt: int = 0
    run_at: datetime = Field(sa_type=UtcTime)
    lease_until: datetime | None = Field(default=None, sa_type=UtcTime)
    worker: str | None = None
    error: str | None = None


class JobKeyRow(Row, table=True):
    """What was asked for once under a key is never queued again under it."""

    __tablename__ = "job_key"
    kind: str = Field(primary_key=True)
    key: str = Field(primary_key=True)
    plan: str | None = None
    job: int = Field(sa_type=BigNumber)
    created: datetime = Field(sa_type=UtcTime, index=True)


class ScheduleRow(Row, table=True):
    __tablename__ = "schedule"
    name: str = Field(primary_key=True)
    plan: str | None = None
    kind: str
    payload: str = Field(sa_type=Text)
    every_seconds: int
    next_run: datetime = Field(sa_type=UtcTime)
