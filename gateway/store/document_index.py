"""Whether records are found by the documents that they name, and by no others.

`exchange_document` is the column `documents` turned around: of every record since version 3 it has
one row for each keyed hash that the sealed column holds, of the same plan. Records of version 2
said of their documents only what is sealed under their month's key: their rows are not compared.
"""

from typing import Final

from gateway.store.transaction import Transaction

_UNCOMPARED: Final = 2
"""The version whose records do not say in what is hashed by which documents they are found."""

_SQLITE: Final = f"""
SELECT MIN(sequence) FROM (
SELECT stated.sequence FROM (
SELECT e.sequence, e.plan, named.value AS document FROM exchange e, json_each(e.documents) named
WHERE e.documents <> '[]') stated
WHERE NOT EXISTS (SELECT 1 FROM exchange_document d WHERE d.document = stated.document
AND d.sequence = stated.sequence AND d.plan IS stated.plan)
UNION ALL
SELECT d.sequence FROM exchange_document d LEFT JOIN exchange e ON e.sequence = d.sequence
WHERE e.sequence IS NULL OR (e.version IS NOT {_UNCOMPARED} AND NOT EXISTS (
SELECT 1 FROM json_each(e.documents) named WHERE named.value = d.document))) misfiled
"""  # noqa: S608 - a constant of ours
_POSTGRES: Final = (
    _SQLITE.replace(
        "json_each(e.documents) named", "jsonb_array_elements_text(e.documents::jsonb) named(value)"
    )
    .replace("d.plan IS stated.plan", "d.plan IS NOT DISTINCT FROM stated.plan")
    .replace("e.version IS NOT", "e.version IS DISTINCT FROM")
)


def first_misfiled(transaction: Transaction) -> int | None:
    """The first record that is not found by just the documents that it names; None if there is
    none. For a log whose records are as they were sealed: it takes their word."""
    cursor = transaction.cursor()
    row = cursor.execute(_POSTGRES if transaction.is_postgres else _SQLITE).fetchone()
    cursor.close()
    return None if row is None or row[0] is None else int(row[0])
