"""Many members at once, past the verbs: for tests and figures that need a large plan."""

import sqlite3
from collections.abc import Iterable
from contextlib import closing
from itertools import islice
from pathlib import Path

from gateway.model.member import Member
from gateway.model.person import read_person
from gateway.store import tables
from gateway.store.comparable import write_person
from gateway.store.database import Database
from gateway.store.members import key_rows
from gateway.store.sql import insert_rows
from gateway.store.values import dump

_AT_ONCE = 20_000


def enroll(database: Database, members: Iterable[Member]) -> int:
    """Adds members that are not there yet, with their keys; how many they were."""
    waiting, count = iter(members), 0
    while some := list(islice(waiting, _AT_ONCE)):
        rows = [_row(member) for member in some]
        keys = sorted(key_rows(some), key=lambda row: tuple(row.values()))

        def add(transaction, rows=rows, keys=keys):
            insert_rows(transaction, tables.member, rows)
            insert_rows(transaction, tables.member_key, keys)

        database.write(add)
        count += len(some)
    return count


def fill(file: Path, members: Iterable[Member]) -> int:
    """The same for a closed SQLite file and for millions: each index is built in its own order."""
    with closing(sqlite3.connect(file, isolation_level=None)) as connection:
        index = "SELECT sql FROM sqlite_master WHERE name = 'member_key_of'"
        (make_index,) = connection.execute(index).fetchone()
        for statement in (
            "PRAGMA synchronous = OFF",
            "BEGIN",
            "DROP INDEX member_key_of",
            "CREATE TABLE staged (plan, kind, value, member)",
        ):
            connection.execute(statement)
        waiting, count = iter(members), 0
        while some := list(islice(waiting, _AT_ONCE)):
            count += len(some)
            connection.executemany(
                "INSERT INTO member VALUES (:id, :plan, :member_id, :demographics,"
                " :coverage_start, :coverage_end, :opted_out, :comparable)",
                map(_row, some),
            )
            connection.executemany(
                "INSERT INTO staged VALUES (:plan, :kind, :value, :member)", key_rows(some)
            )
        for statement in (
            "INSERT INTO member_key (plan, kind, value, member) SELECT * FROM staged"
            " ORDER BY plan, kind, value, member",
            "DROP TABLE staged",
            make_index,
            "COMMIT",
        ):
            connection.execute(statement)
    return count


def _row(member: Member) -> dict[str, object]:
    start, end = member.coverage_start, member.coverage_end
    return {
        "id": member.id,
        "plan": member.plan,
        "member_id": member.member_id,
        "demographics": dump(member.demographics),
        "coverage_start": start.isoformat() if start else None,
        "coverage_end": end.isoformat() if end else None,
        "opted_out": member.opted_out,
        "comparable": write_person(read_person(member.demographics)),
    }
