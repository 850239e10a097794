"""Text that is none is read all the same: SQLite keeps any bytes as text, and the driver refuses.

To whoever verifies, a column with such bytes is one that was changed, not a database that cannot
be reached.
"""

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from functools import partial
from sqlite3 import Connection
from typing import Any, Final

from gateway.store.transaction import Transaction

_ANY: Final = partial(str, encoding="utf-8", errors="surrogateescape")


@contextmanager
def any_text(transaction: Transaction) -> Iterator[None]:
    """Within it bytes that are no UTF-8 come as surrogates, which nothing that was sealed has."""
    if transaction.is_postgres:  # which takes no such text
        yield
        return
    with _text_as(_ANY, transaction.cursor().connection):
        yield


def text_as_bytes(connection: Connection) -> AbstractContextManager[None]:
    """Within it text comes as the bytes that it is kept in, which nothing tells from a BLOB."""
    return _text_as(bytes, connection)


@contextmanager
def _text_as(factory: Any, connection: Connection) -> Iterator[None]:
    before = connection.text_factory
    connection.text_factory = factory
    try:
        yield
    finally:
        connection.text_factory = before
