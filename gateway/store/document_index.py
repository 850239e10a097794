"""Whether records are found by the documents that they name, and by no others.

`exchange_document` is the column `documents` turned around: of every record since version 3 it has
one row for each keyed hash that the sealed column holds, of the same plan. Records of version 2
said of their documents only what is sealed under their month's key: their rows are not compared.
"""

from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from functools import partial
from typing import Final, Self

from psycopg.types.string import ByteaBinaryLoader

from gateway.store.exchange_columns import Named
from gateway.store.sqlite_any_text import text_as_bytes
from gateway.store.transaction import Transaction

_UNCOMPARED: Final = 2
"""The version whose records do not say in what is hashed by which documents they are found."""

_MISFILED: Final = """
SELECT MIN(sequence) FROM (
SELECT e.sequence FROM exchange e WHERE e.documents <> '[]' AND NOT {readable}
UNION ALL
SELECT stated.sequence FROM (
SELECT e.sequence, e.plan, named.value AS document FROM exchange e, {named}
WHERE e.documents <> '[]') stated
WHERE NOT EXISTS (SELECT 1 FROM exchange_document d WHERE d.document = stated.document
AND d.sequence = stated.sequence AND d.plan {alike} stated.plan)
UNION ALL
SELECT d.sequence FROM exchange_document d LEFT JOIN exchange e ON e.sequence = d.sequence
WHERE e.sequence IS NULL OR (COALESCE(e.version, 1) <> {uncompared} AND NOT EXISTS (
SELECT 1 FROM {named} WHERE named.value = d.document))) misfiled
"""
# A chain made anew may hold anything: what is no list names nothing, and is itself misfiled.
_ARRAY: Final = (
    "CASE WHEN json_valid(e.documents) THEN json_type(e.documents) = 'array' ELSE FALSE END"
)
_SQLITE: Final = _MISFILED.format(
    readable=f"({_ARRAY})",
    named=f"json_each(CASE WHEN {_ARRAY} THEN e.documents ELSE '[]' END) named",
    alike="IS",
    uncompared=_UNCOMPARED,
)
_LIST: Final = """e.documents ~ '^\\["[^"\\\\]*"(,"[^"\\\\]*")*\\]$'"""
_POSTGRES: Final = _MISFILED.format(
    readable=f"({_LIST})",
    named="jsonb_array_elements_text("
    f"CASE WHEN {_LIST} THEN e.documents ELSE '[]' END::jsonb) named(value)",
    alike="IS NOT DISTINCT FROM",
    uncompared=_UNCOMPARED,
)


_IN_ORDER_POSTGRES: Final = """
SELECT sequence, document::text, plan::text FROM exchange_document ORDER BY sequence
"""
# A BLOB, which no search finds, must not come as the bytes of a text.
_IN_ORDER_SQLITE: Final = """
SELECT sequence, CASE WHEN typeof(document) = 'text' THEN document END,
CASE WHEN typeof(plan) = 'blob' THEN 0 ELSE plan END FROM exchange_document ORDER BY sequence
"""


class Filing:
    """The rows of `exchange_document`, compared with what records name as they are walked: to look
    for each of them takes as long as all else does.

    It only ever says yes: of a log with records of version 2, or with anything amiss, it says
    nothing.
    """

    def __init__(self, transaction: Transaction) -> None:
        self._is_alike, self._compared = True, 0
        driver = transaction.cursor().connection
        self._as_bytes: Callable[[], AbstractContextManager[None]] = nullcontext
        if transaction.is_postgres:
            self._cursor = driver.cursor("filing", binary=True)
            self._cursor.adapters.register_loader("text", ByteaBinaryLoader)
            self._cursor.execute(_IN_ORDER_POSTGRES)
        else:
            self._as_bytes = partial(text_as_bytes, driver)
            self._cursor = driver.execute(_IN_ORDER_SQLITE)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._cursor.close()

    def compare(self, named: Sequence[Named] | None) -> None:
        """The next records name these documents, in the order of their sequences; None if they do
        not say it plainly. Those that were compared may come again."""
        if named and named[0][0] <= self._compared:
            named = [one for one in named if one[0] > self._compared]
        if self._is_alike and (named is None or not self._has_next(named)):
            self._is_alike = False

    def is_whole(self) -> bool:
        """Whether there were just the rows that were compared."""
        return self._is_alike and self._cursor.fetchone() is None

    def _has_next(self, named: Sequence[Named]) -> bool:
        if not named:
            return True
        self._compared = named[-1][0]
        with self._as_bytes():
            rows = self._cursor.fetchmany(len(named))
        # One record's stand in any order.
        return rows == named or Counter(rows) == Counter(named)


def first_misfiled(transaction: Transaction) -> int | None:
    """The first record that is not found by just the documents that it names; None if there is
    none. For a log whose records are as they were sealed: it takes their word."""
    cursor = transaction.cursor()
    row = cursor.execute(_POSTGRES if transaction.is_postgres else _SQLITE).fetchone()
    cursor.close()
    return None if row is None or row[0] is None else int(row[0])
