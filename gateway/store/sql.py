"""Statements that SQLite and PostgreSQL spell alike and SQLAlchemy does not; many rows at once.

Making a statement costs SQLAlchemy more than running it: each is made once.
"""

from collections.abc import Mapping, Sequence
from functools import cache
from operator import itemgetter
from typing import Any, Final

from sqlalchemy import Table
from sqlalchemy.dialects import postgresql, sqlite

from gateway.store.prepared import Prepared
from gateway.store.transaction import Transaction

INDEXABLE: Final = 512
"""Characters of text that go into an index; PostgreSQL refuses keys over a third of a page."""


def insert_new(
    transaction: Transaction, table: Table, values: Mapping[str, Any], key: Sequence[str]
) -> bool:
    """Inserts the row unless one of that key is there; whether it did."""
    return insert_numbered(transaction, table, values, key, key[0]) is not None


def insert_numbered(
    transaction: Transaction,
    table: Table,
    values: Mapping[str, Any],
    key: Sequence[str],
    number: str,
) -> Any | None:
    """As `insert_new`; gives the new row's column `number`, or None where one was there."""
    statement = _insert_new(table, tuple(key), tuple(values), number, transaction.is_postgres)
    row = statement.first(transaction, values)
    return None if row is None else row[0]


def upsert(
    transaction: Transaction,
    table: Table,
    values: Mapping[str, Any],
    key: Sequence[str],
    keep: Sequence[str] = (),
) -> Any:
    """Inserts the row, or gives the one of that key these values, save those of `keep`.

    Gives what the row then has in the columns of `keep`; None where there are none.
    """
    changed = tuple(name for name in values if name not in key and name not in keep)
    statement = _upsert(
        table, tuple(key), tuple(values), changed, tuple(keep), transaction.is_postgres
    )
    if keep:
        return statement.first(transaction, values)
    statement.run(transaction, values)
    return None


def insert_rows(transaction: Transaction, table: Table, rows: Sequence[Mapping[str, Any]]) -> None:
    """Inserts rows that each have a value for every column.

    The driver takes the values as they are, in a fifth of SQLAlchemy's time: no `UtcTime`.
    """
    columns = tuple(table.c.keys())
    insert_values(transaction, table, columns, list(map(itemgetter(*columns), rows)))


def insert_values(
    transaction: Transaction, table: Table, columns: tuple[str, ...], rows: Sequence[Sequence[Any]]
) -> None:
    """As `insert_rows`; each row is its values in the order of `columns`, which are all."""
    if not rows:
        return
    cursor = transaction.cursor()
    if transaction.is_postgres:
        with cursor.copy(_copy_in(table, columns)) as copy:
            for row in rows:
                copy.write_row(row)
    else:
        cursor.executemany(_insert_whole(table, columns), rows)
    cursor.close()


def indexable(text: str | None) -> str | None:
    """`text`, or for one too long to index its beginning: for ids that others send us."""
    return text if text is None else text[:INDEXABLE]


@cache
def _insert_new(
    table: Table, key: tuple[str, ...], columns: tuple[str, ...], number: str, is_postgres: bool
) -> Prepared:
    # RETURNING, since not every driver counts the rows of an INSERT.
    return Prepared(
        _insert(table, is_postgres)
        .on_conflict_do_nothing(index_elements=key)
        .returning(table.c[number]),
        columns,
    )


@cache
def _upsert(
    table: Table,
    key: tuple[str, ...],
    columns: tuple[str, ...],
    changed: tuple[str, ...],
    kept: tuple[str, ...],
    is_postgres: bool,
) -> Prepared:
    statement = _insert(table, is_postgres)
    values = {name: statement.excluded[name] for name in changed}
    statement = statement.on_conflict_do_update(index_elements=key, set_=values)
    if kept:
        return Prepared(statement.returning(*(table.c[name] for name in kept)), columns)
    return Prepared(statement, columns)


def _insert(table: Table, is_postgres: bool) -> sqlite.Insert | postgresql.Insert:
    return postgresql.insert(table) if is_postgres else sqlite.insert(table)


@cache
def _insert_whole(table: Table, columns: tuple[str, ...]) -> str:
    marks = ", ".join("?" for _ in columns)
    return f"INSERT INTO {table.name} ({_quoted(columns)}) VALUES ({marks})"  # noqa: S608


@cache
def _copy_in(table: Table, columns: tuple[str, ...]) -> str:
    return f"COPY {table.name} ({_quoted(columns)}) FROM STDIN"


def _quoted(columns: tuple[str, ...]) -> str:
    return ", ".join(f'"{name}"' for name in columns)


def insertion(*, is_postgres: bool) -> str:
    """The first words of an INSERT that is part of a COMMIT which fails as a whole, if it fails.

    On SQLite it says so: else SQLite copies each page that it changes, to be able to undo this
    statement alone, and has to put the copies into a file.
    """
    return "INSERT INTO" if is_postgres else "INSERT OR ROLLBACK INTO"
