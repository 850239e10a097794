"""Whether a record's columns agree with its sealed text, asked of the database itself.

To bring every column of a million records here and to put each record's text together anew takes
longer than all the hashing. So the database puts the text together, by what it has for JSON, and
says whether it is the sealed one, byte for byte. It only ever says yes of what agrees: whatever it
spells otherwise, or cannot spell, it does not say yes of, and whoever asked then reads the columns.
"""

import re
import sqlite3
from collections.abc import Iterable, Sequence
from itertools import groupby
from typing import Any, Final

from psycopg.types.string import ByteaBinaryLoader

from gateway.store import tables
from gateway.store.sqlite_any_text import text_as_bytes
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
    "SELECT set_config('search_path', 'pg_catalog, ' || current_setting('search_path'), true), "
    "set_config('client_encoding', 'UTF8', true)"
)
"""Whoever may set up the role could else put a function of his own before one that is asked. Texts
come in the bytes that were hashed."""
_NAMED: Final = f"NULLIF({_LIST}, '[]'), plan"
"""Of SQLite's rows the list of documents, NULL if it is empty."""
_DOCUMENTS: Final = 5
"""Where a row has it."""
_NO_DOCUMENTS: Final = b"[]"
_IS_LIST: Final = re.compile(rb'\["[^"\\]*+"(?:,"[^"\\]*+")*+\]')
Named = tuple[int, bytes, bytes | None]
"""A record's sequence, a document by its keyed hash, and the record's plan."""
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
        self.named: list[Named] | None = None
        """What the records name that were asked for last; None where nothing is said of that."""

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
        """The next records: sequence, previous hash, hash, text, and whether all agrees; then what
        is nobody else's. Text comes as the bytes that it is kept in: to decode it takes longer
        than to hash it. None are left where there are none.
        """
        cursor = self._transaction.cursor()
        if self._transaction.is_postgres:
            cursor.adapters.register_loader("text", ByteaBinaryLoader)
            if after is None:
                cursor.execute(_OWN_FUNCTIONS)
        found = self._fetched(cursor, _BEFORE_ALL if after is None else after)
        cursor.close()
        return found

    def _fetched(self, cursor: Any, after: int) -> list[Sequence[Any]]:
        given = (after, _BATCH)
        if self._transaction.is_postgres:
            return self._judged(cursor, cursor.execute(self._statement, given, binary=True))
        with text_as_bytes(cursor.connection):
            try:
                rows = cursor.execute(self._statement, given).fetchall()
            except sqlite3.OperationalError:
                # Bytes where text belongs are in no JSON: of this batch it says nothing.
                self.named = None
                return list(cursor.execute(_statement(f"0, {_NAMED}", "?"), given).fetchall())
        self.named = _named(rows)
        return list(rows)

    def _judged(self, cursor: Any, found: Iterable[Sequence[Any]]) -> list[Sequence[Any]]:
        """What PostgreSQL has found, with whether all agrees."""
        rows: list[Sequence[Any]] = []
        doubtful: list[int] = []
        self.named, are_lists, is_list = [], True, _IS_LIST.fullmatch
        name = self.named.extend
        for sequence, previous, sealed, content, is_spelled, quotes, documents, plan in found:
            inner = 0
            if documents != _NO_DOCUMENTS:
                if documents is not None and is_list(documents):
                    inner = documents.count(b'"')
                    name([(sequence, one, plan) for one in documents[2:-2].split(b'","')])
                else:
                    are_lists = False
            agrees = (
                is_spelled
                and content.count(b'"') == quotes + inner
                and content.count(b"\\") == inner
            )
            if not agrees:
                doubtful.append(sequence)
            rows.append((sequence, previous, sealed, content, agrees, documents, plan))
        if not are_lists:
            self.named = None
        if doubtful:
            statement = _escaped_too(self._names)
            agreeing = {row[0] for row in cursor.execute(statement, (doubtful,)).fetchall()}
            rows = [(*row[:4], row[4] or row[0] in agreeing, *row[5:]) for row in rows]
        return rows

    def _spelled(self) -> str:
        if self._transaction.is_postgres:
            return _statement(_postgres(self._names), "%s")
        return _statement(_sqlite(self._names, self._shapes), "?")


def _named(rows: Sequence[Sequence[Any]]) -> list[Named] | None:
    """What these rows of SQLite name; None if one does not say it plainly."""
    named: list[Named] = []
    for sequence, *_, documents, plan in [row for row in rows if row[_DOCUMENTS] is not None]:
        if not isinstance(documents, bytes) or not _IS_LIST.fullmatch(documents):
            return None
        named += [(sequence, one, plan) for one in documents[2:-2].split(b'","')]
    return named


def _statement(agrees: str, mark: str) -> str:
    kept = "previous_hash, hash, canon"
    if mark != "?":
        kept = "previous_hash::text, hash::text, canon::text"
    return (
        f"SELECT sequence, {kept}, {agrees} FROM exchange "  # noqa: S608
        f"WHERE sequence > {mark} ORDER BY sequence LIMIT {mark}"
    )


def _sqlite(names: Sequence[str], shapes: Sequence[Shape] | dict[Shape, None]) -> str:
    """An integer stays one and text is quoted, so what changed its type is spelled otherwise."""
    if not shapes:
        return f"0, {_NAMED}"
    whens = " ".join(_of_shape(names, shape) for shape in shapes)
    # Whatever collation a changed schema gives the column, bytes are compared.
    return (
        f"canon = (CASE {whens} END) COLLATE BINARY "
        f"AND typeof(previous_hash) = 'text' AND typeof(hash) = 'text', {_NAMED}"
    )


def _of_shape(names: Sequence[str], shape: Shape) -> str:
    tests = " AND ".join(f'"{n}" IS {"NOT NULL" if n in shape else "NULL"}' for n in names)
    items = ", ".join(f"'{n}', \"{n}\"" for n in names if n in shape)
    return f"WHEN {tests} THEN json_object({items})"


def _postgres(names: Sequence[str]) -> str:
    """Values as they are, between quotes: to escape each takes longer than all the rest.

    Beside whether that is the sealed text stands how many quotes it has around names and values,
    and the list of documents, whose own quotes alone are escaped. Has it as many as these, and as
    many backslashes as escape them, then no value has one: none can end before its own quote.
    """
    # What joins two texts closes one and opens the other: half as many pieces to put together.
    runs = []
    for is_number, run in groupby(names, _is_number):
        if is_number:
            runs += [f"""'"{name}":' || "{name}\"""" for name in run]
        else:
            members = ", ".join(f"""'{name}":"' || {_between_quotes(name)}""" for name in run)
            runs.append(f"""'"' || NULLIF(concat_ws('","', {members}), '') || '"'""")
    numbers = ", ".join(f'"{name}"' for name in names if _is_number(name))
    texts = ", ".join(f'"{name}"' for name in names if not _is_number(name))
    # Bytes are compared whatever collation the column or the database has; NULL is left out.
    return (
        f"""canon COLLATE "C" = '{{' || concat_ws(',', {", ".join(runs)}) || '}}', """
        f"""4 * num_nonnulls({texts}) + 2 * num_nonnulls({numbers}), {_LIST}::text, """
        f"""CASE WHEN {_LIST} <> '[]' THEN plan::text END"""
    )


def _escaped_too(names: Sequence[str]) -> str:
    """Those of some records that agree when each value is escaped, as `to_json` does: by the same
    rules as ours."""
    whole = ", ".join(map(_escaped, names))
    return (
        f"""SELECT sequence FROM exchange WHERE sequence = ANY(%s) """  # noqa: S608
        f"""AND canon COLLATE "C" = '{{' || concat_ws(',', {whole}) || '}}'"""
    )


def _between_quotes(name: str) -> str:
    if name == "time":
        return TIME_POSTGRES
    return f"""replace({_LIST}, '"', E'\\\\"')""" if f'"{name}"' == _LIST else f'"{name}"'


def _escaped(name: str) -> str:
    if _is_number(name):
        return f"""'"{name}":' || "{name}\""""
    value = TIME_POSTGRES if name == "time" else f'"{name}"'
    return f"""'"{name}":' || to_json({value})::text"""


def _is_number(name: str) -> bool:
    return tables.exchange.c[name].type.python_type is int
