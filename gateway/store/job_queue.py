"""Work to be done later, and again when it fails: one port, two carriers (DECISIONS 27)."""

from gateway.store.database import Database
from gateway.store.job_port import (
    JobQueue,
    Perform,
    PermanentFailure,
    QueueOptions,
    backoff_seconds,
)
from gateway.store.row_queue import RowQueue

__all__ = [
    "JobQueue",
    "Perform",
    "PermanentFailure",
    "QueueOptions",
    "backoff_seconds",
    "open_queue",
]


def open_queue(database: Database, options: QueueOptions | None = None) -> JobQueue:
    """Rows on SQLite, Procrastinate on PostgreSQL; it holds nothing that needs closing."""
    options = options or QueueOptions()
    if database.is_postgres:
        # Imported where it is needed: a house on SQLite starts a sixth of a second earlier.
        from gateway.store.procrastinate_queue import ProcrastinateQueue

        return ProcrastinateQueue(database, options)
    return RowQueue(database, options)
