"""Whether records are found by the documents that they name, and by no others.

`exchange_document` is the column `documents` turned around: of every record since version 3 it has
one row for each keyed hash that the sealed column holds, of the same plan. Records of version 2
said of their documents only what is sealed under their month's key: their rows are not compared.
"""

from typing import Final

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


def first_misfiled(transaction: Transaction) -> int | None:
    """The first record that is not found by just the documents that it names; None if there is
    none. For a log whose records are as they were sealed: it takes their word."""
    cursor = transaction.cursor()
    row = cursor.execute(_POSTGRES if transaction.is_postgres else _SQLITE).fetchone()
    cursor.close()
    return None if row is None or row[0] is None else int(row[0])
