"""The two statements that SQLite and PostgreSQL spell alike, and SQLAlchemy does not."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from sqlalchemy import Table
from sqlalchemy.dialects import postgresql, sqlite

from gateway.store.transaction import Transaction

INDEXABLE: Final = 512
"""Characters of text that go into an index; PostgreSQL refuses keys over a third of a page."""


def insert_new(
    transaction: Transaction, table: Table, values: Mapping[str, Any], key: Sequence[str]
) -> bool:
    """Inserts the row unless one of that key is there; whether it did."""
    statement = _insert(transaction, table).values(values)
    # RETURNING, since not every driver counts the rows of an INSERT.
    row = transaction.connection.execute(
        statement.on_conflict_do_nothing(index_elements=list(key)).returning(table.c[key[0]])
    )
    return row.first() is not None


def upsert(
    transaction: Transaction,
    table: Table,
    values: Mapping[str, Any],
    key: Sequence[str],
    keep: Sequence[str] = (),
) -> None:
    """Inserts the row, or gives the one of that key these values, save those of `keep`."""
    statement = _insert(transaction, table).values(values)
    changed = {
        name: statement.excluded[name] for name in values if name not in key and name not in keep
    }
    transaction.connection.execute(
        statement.on_conflict_do_update(index_elements=list(key), set_=changed)
    )


def indexable(text: str | None) -> str | None:
    """`text`, or for one too long to index its beginning: for ids that others send us."""
    return text if text is None else text[:INDEXABLE]


def _insert(transaction: Transaction, table: Table) -> sqlite.Insert | postgresql.Insert:
    return postgresql.insert(table) if transaction.is_postgres else sqlite.insert(table)
