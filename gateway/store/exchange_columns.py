"""Whether a record's columns agree with its sealed text, asked of the database itself.

To bring every column of a million records here and to put each record's text together anew takes
longer than all the hashing. So the database puts the text together, by what it has for JSON, and
says whether it is the sealed one, byte for byte. It only ever says yes of what agrees: whatever it
spells otherwise, or cannot spell, it does not say yes of, and whoever asked then reads the columns.
"""

import sqlite3
from collections.abc import Sequence
from typing import Any, Final

from gateway.store import tables
from gateway.store.transaction import Transaction

_BATCH: Final = 2000
_MOST_SHAPES: Final = 24
"""Each makes the statement longer; records of a shape beyond are compared column by column."""
_BEFORE_ALL: Final = -(2**63)
TIME_POSTGRES: Final = (
    """CASE WHEN "time" >= '0001-01-01 00:00:00+00' """
    """THEN to_char("time" AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') """
    # Without its era the year 44 before Christ is spelled as the one after.
    """ELSE "time"::text END"""
)
"""The time in UTC as the sealed text spells it."""
_LIST: Final = '"documents"'
_OWN_FUNCTIONS: Final = (
    "SELECT set_config('search_path', 'pg_catalog, ' || current_setting('search_path'), true)"
)
"""Whoever may set up the role could else put a function of his own before one that is asked."""
Shape = frozenset[str]
"""The columns in which a record says something."""


class Agreement:
    """The records with the database's word on each, for these columns in the sealed order.

    SQLite has no JSON that leaves out what is NULL, so it is told which columns to take: a shape
    is learned from the first record of it, which was compared column by column.
    """

    def __init__(self, transaction: Transaction, names: Sequence[str]) -> None:
        self._transaction = transaction
        self._names = tuple(names)
        self._shapes: dict[Shape, None] = {}
        self._statement = self._spelled()

    def learn(self, columns: Sequence[Any]) -> bool:
        """These columns agree, though the database did not say so; whether from now on it can."""
        stated = (n for n, v in zip(self._names, columns, strict=True) if v is not None)
        shape = frozenset(stated)
        is_known = self._transaction.is_postgres or shape in self._shapes
        if is_known or len(self._shapes) >= _MOST_SHAPES:
            return False
        self._shapes[shape] = None
        self._statement = self._spelled()
        return True

    def following(self, after: int | None = None) -> list[Sequence[Any]]:
        """The next records: sequence, previous hash, hash, text as bytes, and whether all agrees.

        None are left where there are none.
        """
        cursor = self._transaction.cursor()
        if self._transaction.is_postgres and after is None:
            cursor.execute(_OWN_FUNCTIONS)
        found = self._fetched(cursor, _BEFORE_ALL if after is None else after)
        cursor.close()
        return found

    def _fetched(self, cursor: Any, after: int) -> list[Sequence[Any]]:
        given = (after, _BATCH)
        if self._transaction.is_postgres:
            return list(cursor.execute(self._statement, given, binary=True).fetchall())
        try:
            return list(cursor.execute(self._statement, given).fetchall())
        except sqlite3.OperationalError:
            # Bytes where text belongs are in no JSON: of this batch it says nothing.
            return list(cursor.execute(_statement("0", "?"), given).fetchall())

    def _spelled(self) -> str:
        if self._transaction.is_postgres:
            return _statement(_postgres(self._names), "%s")
        return _statement(_sqlite(self._names, self._shapes), "?")


def _statement(agrees: str, mark: str) -> str:
    content = "CAST(canon AS BLOB)" if mark == "?" else "convert_to(canon, 'UTF8')"
    return (
        f"SELECT sequence, previous_hash, hash, {content}, {agrees} FROM exchange "  # noqa: S608
        f"WHERE sequence > {mark} ORDER BY sequence LIMIT {mark}"
    )


def _sqlite(names: Sequence[str], shapes: Sequence[Shape] | dict[Shape, None]) -> str:
    """An integer stays one and text is quoted, so what changed its type is spelled otherwise."""
    if not shapes:
        return "0"
    whens = " ".join(_of_shape(names, shape) for shape in shapes)
    # Whatever collation a changed schema gives the column, bytes are compared.
    return f"canon = (CASE {whens} END) COLLATE BINARY"


def _of_shape(names: Sequence[str], shape: Shape) -> str:
    tests = " AND ".join(f'"{n}" IS {"NOT NULL" if n in shape else "NULL"}' for n in names)
    items = ", ".join(f"'{n}', \"{n}\"" for n in names if n in shape)
    return f"WHEN {tests} THEN json_object({items})"


def _postgres(names: Sequence[str]) -> str:
    """Values as they are, between quotes: to escape each takes longer than all the rest.

    That says nothing of a record with a backslash in any value, or a quote in any but the list of
    documents, whose quotes alone are escaped. Of all others the text is made of these values and no
    others, for no value can end before its own quote. What it says nothing of is escaped after all,
    as `to_json` does: by the same rules as ours.
    """
    quick = ", ".join(map(_between_quotes, names))
    whole = ", ".join(map(_escaped, names))
    texts = [f'"{name}"' for name in names if not _is_number(name) and name != "time"]
    plain = ", ".join(name for name in texts if name != _LIST)
    # Bytes are compared whatever collation the column or the database has; NULL is left out.
    return (
        f"""(CASE WHEN strpos(concat({plain}) COLLATE "C", '"') = 0 """
        f"""AND strpos(concat({plain}, {_LIST}) COLLATE "C", E'\\\\') = 0 """
        f"""AND canon COLLATE "C" = '{{' || concat_ws(',', {quick}) || '}}' THEN true """
        f"""ELSE canon COLLATE "C" = '{{' || concat_ws(',', {whole}) || '}}' END)"""
    )


def _between_quotes(name: str) -> str:
    """The member of that name; NULL where the column is."""
    if _is_number(name):
        return f"""'"{name}":' || "{name}\""""
    value = TIME_POSTGRES if name == "time" else f'"{name}"'
    if value == _LIST:
        value = f"""replace({value}, '"', E'\\\\"')"""
    return f"""'"{name}":"' || {value} || '"'"""


def _escaped(name: str) -> str:
    if _is_number(name):
        return _between_quotes(name)
    value = TIME_POSTGRES if name == "time" else f'"{name}"'
    return f"""'"{name}":' || to_json({value})::text"""


def _is_number(name: str) -> bool:
    return tables.exchange.c[name].type.python_type is int
