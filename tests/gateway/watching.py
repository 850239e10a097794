"""The statements that a house executes, through SQLAlchemy or by the driver itself."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from unittest.mock import patch

from sqlalchemy import Engine, event

from gateway.store.transaction import Transaction

Statements = list[tuple[str, Any]]


class _Watched:
    """A driver's cursor that notes what it executes."""

    def __init__(self, cursor: Any, seen: Statements) -> None:
        self._cursor, self._seen = cursor, seen

    def execute(self, statement: str, given: Any = ()) -> Any:
        self._seen.append((statement, tuple(given) if isinstance(given, list) else given))
        return self._cursor.execute(statement, given)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._cursor, name)


@contextmanager
def watching() -> Iterator[Statements]:
    """What is executed meanwhile, with its parameters, in whatever thread."""
    seen: Statements = []
    cursor = Transaction.cursor

    def note(_connection: Any, _cursor: Any, statement: str, given: Any, *_more: Any) -> None:
        seen.append((statement, given))

    event.listen(Engine, "before_cursor_execute", note)
    try:
        # A database offers nothing to hand in here: what is watched is its very inside.
        with patch.object(Transaction, "cursor", lambda self: _Watched(cursor(self), seen)):
            yield seen
    finally:
        event.remove(Engine, "before_cursor_execute", note)
