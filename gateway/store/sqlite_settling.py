"""What SQLite has overwritten is gone from its write-ahead log too.

A COMMIT goes into that log, and into the file itself only now and then: till then both have what
was there before, also a key that was shredded, for as long as any process keeps the file open.
"""

import sqlite3
from contextlib import closing
from typing import Final

from sqlalchemy import make_url

from gateway.store.database import Database

_PATIENCE_SECONDS: Final = 5.0
"""For readers whose snapshot is older: theirs are as short as ours."""


def settle(database: Database, *, patience_seconds: float = _PATIENCE_SECONDS) -> bool:
    """Brings all that is durable into the file, and empties the log; False if somebody reads on.

    On PostgreSQL there is nothing to be done: see `disposals`.
    """
    if database.is_postgres:
        return True
    file = make_url(database.url).database
    connection = sqlite3.connect(str(file), timeout=patience_seconds, isolation_level=None)
    with closing(connection):
        busy, *_ = connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
    return not busy
