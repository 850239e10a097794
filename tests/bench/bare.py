"""The limit of indexing: the rows and the blob of a document, written by the driver and no more.

The rows are read back from the house that made them and the blob is the sealed file as it lies
there, so that nothing is left to make: one executemany a table, one file written as durably as
ours, one COMMIT that is on disk when it returns. At the end both databases must hold as many rows
in every table (`counts`): a row left out here would make ours look slower than it is.
"""

import os
import sqlite3
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final, Self

import psycopg
from sqlalchemy import Table, make_url

from gateway.store import tables
from gateway.store.durable import make_folder, sync_folder

Rows = list[tuple[Table, Sequence[tuple[Any, ...]]]]
"""In the order in which they may be written."""
_OF_DOCUMENT: Final = (tables.section, tables.entry, tables.replacement, tables.offer)


class BareDatabase:
    """One connection of a driver: `sqlite3` or `psycopg`."""

    def __init__(self, url: str) -> None:
        place = make_url(url)
        self._is_postgres = place.get_backend_name() == "postgresql"
        self._connection: Any
        if self._is_postgres:
            plain = place.set(drivername="postgresql").render_as_string(hide_password=False)
            self._connection = psycopg.connect(plain, autocommit=True)
        else:
            self._connection = sqlite3.connect(str(place.database), isolation_level=None)
            for pragma in ("journal_mode = WAL", "synchronous = FULL", "foreign_keys = ON"):
                self._connection.execute(f"PRAGMA {pragma}")
        self._members: set[str] = set()
        self._months: set[str] = set()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._connection.close()

    def rows_of(self, document: str) -> Rows:
        """All that the last unit wrote for this document, and the record of it."""
        (stored,) = self._select(tables.document, "id", document)
        known = dict(zip(tables.document.c.keys(), stored, strict=True))
        number, member = known["number"], known["member"]
        rows: Rows = []
        if member is not None and member not in self._members:
            self._members.add(member)
            rows.append((tables.member, self._select(tables.member, "id", member)))
            rows.append((tables.member_key, self._select(tables.member_key, "member", member)))
        rows.append((tables.blob, self._select(tables.blob, "address", known["blob_address"])))
        rows.append((tables.document, [stored]))
        rows += ((table, self._select(table, "document", number)) for table in _OF_DOCUMENT)
        if member is not None:
            rows.append((tables.summary, self._select(tables.summary, "member", member)))
        rows += self._record_rows()
        return [(table, found) for table, found in rows if found]

    def _record_rows(self) -> Rows:
        """The last record of the log, what finds it, and the month's key the first time."""
        rows: Rows = []
        (head,) = self._select(tables.exchange_head, "id", 1)
        sequence = dict(zip(tables.exchange_head.c.keys(), head, strict=True))["sequence"]
        for table in (tables.exchange, tables.exchange_document):
            rows.append((table, self._select(table, "sequence", sequence)))
        rows.append((tables.exchange_head, [head]))
        month = dict(zip(tables.exchange.c.keys(), rows[0][1][0], strict=True))["month"]
        if month is not None and month not in self._months:
            self._months.add(month)
            rows.append((tables.log_month, self._select(tables.log_month, "month", month)))
        return rows

    def statements(self, rows: Rows) -> list[tuple[str, Sequence[tuple[Any, ...]]]]:
        """Those rows with the statement that inserts each; made before the clock runs."""
        return [(self._insert(table), found) for table, found in rows]

    def write(
        self, statements: list[tuple[str, Sequence[tuple[Any, ...]]]], *, blob: bytes, path: Path
    ) -> None:
        """Returns once both are on disk, the blob first."""
        _write_blob(blob, path)
        cursor = self._connection.cursor()
        cursor.execute("BEGIN" if self._is_postgres else "BEGIN IMMEDIATE")
        for statement, found in statements:
            cursor.executemany(statement, found)
        cursor.execute("COMMIT")

    def counts(self) -> dict[str, int]:
        """How many rows each table has."""
        return {table.name: self._count(table) for table in tables.METADATA.sorted_tables}

    def _count(self, table: Table) -> int:
        row = self._connection.execute(f"SELECT count(*) FROM {table.name}").fetchone()  # noqa: S608
        return int(row[0])

    def _select(self, table: Table, column: str, value: Any) -> list[tuple[Any, ...]]:
        names = ", ".join(f'"{name}"' for name in table.c.keys())
        mark = "%s" if self._is_postgres else "?"
        statement = f'SELECT {names} FROM {table.name} WHERE "{column}" = {mark}'  # noqa: S608
        return list(self._connection.execute(statement, (value,)).fetchall())

    def _insert(self, table: Table) -> str:
        names = [f'"{name}"' for name in table.c.keys()]
        marks = ", ".join(["%s" if self._is_postgres else "?"] * len(names))
        key = ", ".join(f'"{column.name}"' for column in table.primary_key)
        changed = ", ".join(f"{name} = excluded.{name}" for name in names)
        # The summary and the head of the log are there from the second document on.
        again = table in (tables.summary, tables.exchange_head)
        conflict = f" ON CONFLICT ({key}) DO UPDATE SET {changed}" if again else ""
        return f"INSERT INTO {table.name} ({', '.join(names)}) VALUES ({marks}){conflict}"  # noqa: S608


def _write_blob(content: bytes, path: Path) -> None:
    make_folder(path.parent)
    temporary = path.with_suffix(".new")
    with temporary.open("xb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    temporary.replace(path)
    sync_folder(path.parent)
