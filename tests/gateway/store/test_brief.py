"""What may not wait is told so before it does."""

import pytest

from gateway.store import plans
from gateway.store.brief import NotBrief, briefly, leave
from gateway.store.database import Database


def test_only_a_block_that_must_be_brief_is_left() -> None:
    leave()
    with pytest.raises(NotBrief), briefly():
        leave()
    leave()


def test_a_brief_block_reads_sqlite_and_waits_for_no_server_and_no_writer(
    database: Database,
) -> None:
    written: list[int] = []
    with pytest.raises(NotBrief), briefly():
        database.write(lambda _transaction: written.append(1))
    assert written == []
    with briefly():
        if not database.is_postgres:
            assert database.read(plans.list_all) == ()
            return
        with pytest.raises(NotBrief):
            database.read(plans.list_all)
