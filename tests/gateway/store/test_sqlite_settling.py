"""What was overwritten is in no file of the database any more, while others have it open."""

import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

from sqlalchemy import make_url

from gateway.model.retention import PlanMonth
from gateway.store import disposals, exchange_log
from gateway.store.database import Database
from gateway.store.month_keys import month_of
from gateway.store.sqlite_settling import settle
from tests.gateway.store.builders import ACME, NOW, an_exchange


def test_a_shredded_key_is_nowhere_once_nobody_reads_from_before(
    sqlite_url: str, opened: Callable[[str], Database]
) -> None:
    serving, terminal = opened(sqlite_url), opened(sqlite_url)
    serving.write(lambda t: exchange_log.append(t, an_exchange()))
    file = Path(str(make_url(sqlite_url).database))
    with closing(sqlite3.connect(file, isolation_level=None)) as reader:
        (wrapped,) = reader.execute("SELECT wrapped FROM log_month").fetchone()

        def is_there() -> bool:
            files = [one for one in file.parent.glob(f"{file.name}*") if one.is_file()]
            return any(wrapped in one.read_bytes() for one in files)

        reader.execute("BEGIN")
        reader.execute("SELECT COUNT(*) FROM log_month").fetchone()
        month = PlanMonth(ACME, month_of(NOW))
        terminal.write(lambda t: disposals.shred(t, month, now=NOW))
        assert is_there()
        assert not settle(terminal, patience_seconds=0)
        reader.execute("COMMIT")
    assert settle(terminal)
    assert not is_there()


def test_postgresql_has_no_such_log(postgres_url: str, opened: Callable[[str], Database]) -> None:
    assert settle(opened(postgres_url))
