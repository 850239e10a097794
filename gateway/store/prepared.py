"""Statements that every exchange runs, compiled once and run by the driver's own cursor.

SQLAlchemy takes five times as long to run a small statement as SQLite does. Here it only spells
the statement, once a dialect; values and rows pass through its types as they always do.
"""

from collections import namedtuple
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, cast

from sqlalchemy import Dialect, Executable
from sqlalchemy.sql.compiler import SQLCompiler

from gateway.store.transaction import Transaction

_Process = Callable[[Any], Any]


class Prepared:
    """One statement without values of its own: each is a `bindparam`, or a column of an INSERT."""

    __slots__ = ("_columns", "_spelled", "_statement")

    def __init__(self, statement: Executable, columns: Sequence[str] | None = None) -> None:
        """`columns` are those that an INSERT without `values` is given."""
        self._statement: Final = statement
        self._columns: Final = columns
        self._spelled: dict[str, _Spelled] = {}

    def run(self, transaction: Transaction, given: Mapping[str, Any]) -> None:
        """Runs it, for what it changes."""
        cursor = transaction.cursor()
        spelled = self._for(transaction)
        cursor.execute(spelled.text, spelled.values(given))
        cursor.close()

    def rows(self, transaction: Transaction, given: Mapping[str, Any]) -> list[Any]:
        """What it finds, each a tuple with its columns' names."""
        cursor = transaction.cursor()
        spelled = self._for(transaction)
        cursor.execute(spelled.text, spelled.values(given))
        found = [spelled.row(row) for row in cursor.fetchall()]
        cursor.close()
        return found

    def first(self, transaction: Transaction, given: Mapping[str, Any]) -> Any | None:
        """The first that it finds, or None. For statements that find one at the most."""
        found = self.rows(transaction, given)
        return found[0] if found else None

    def _for(self, transaction: Transaction) -> "_Spelled":
        dialect = transaction.connection.dialect
        spelled = self._spelled.get(dialect.name)
        if spelled is None:
            spelled = self._spelled[dialect.name] = _Spelled(
                self._statement, dialect, self._columns
            )
        return spelled


class _Spelled:
    """A statement in the words of one driver."""

    __slots__ = ("_fixed", "_into", "_make", "_order", "_out", "text")

    def __init__(
        self, statement: Executable, dialect: Dialect, columns: Sequence[str] | None
    ) -> None:
        compiled = cast(
            SQLCompiler,
            statement.compile(dialect=dialect, column_keys=columns),  # type: ignore[attr-defined]
        )
        if compiled.update_prefetch or compiled.post_compile_params:
            raise TypeError("this statement needs SQLAlchemy each time it is run")
        self.text: Final = compiled.string
        order = compiled.positiontup
        self._order: Final = None if order is None else tuple(order)
        # A column that was left out has its default; one without is missed when it is run.
        self._fixed: Final = {
            **{name: one.value for name, one in compiled.binds.items() if not one.required},
            **{column.key: cast(Any, column.default).arg for column in compiled.insert_prefetch},
        }
        self._into: Final = tuple(
            (name, cast(_Process, process)) for name, process in compiled._bind_processors.items()
        )
        results = compiled._result_columns or ()
        kind = cast(Any, namedtuple)("Row", [column.keyname for column in results])
        self._make: Final = kind._make
        found = enumerate(column.type.dialect_impl(dialect) for column in results)
        processes = ((place, kind.result_processor(dialect, None)) for place, kind in found)
        self._out: Final = tuple((place, one) for place, one in processes if one is not None)

    def values(self, given: Mapping[str, Any]) -> Any:
        """The parameters as the driver takes them."""
        values = {**self._fixed, **given}
        for name, process in self._into:
            values[name] = process(values[name])
        return values if self._order is None else [values[name] for name in self._order]

    def row(self, found: Sequence[Any]) -> Any:
        """One row as SQLAlchemy would give it."""
        if not self._out:
            return self._make(found)
        changed = list(found)
        for place, process in self._out:
            changed[place] = process(changed[place])
        return self._make(changed)
