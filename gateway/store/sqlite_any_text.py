"""Text that is none is read all the same: SQLite keeps any bytes as text, and the driver refuses.

To whoever verifies, a column with such bytes is one that was changed, not a database that cannot
be reached.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import Final

from gateway.store.transaction import Transaction

_ANY: Final = partial(str, encoding="utf-8", errors="surrogateescape")


@contextmanager
def any_text(transaction: Transaction) -> Iterator[None]:
    """Within it bytes that are no UTF-8 come as surrogates, which nothing that was sealed has."""
    if transaction.is_postgres:  # which takes no such text
        yield
        return
    connection = transaction.cursor().connection
    before = connection.text_factory
    connection.text_factory = _ANY
    try:
        yield
    finally:
        connection.text_factory = before
