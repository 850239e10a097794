"""Whether the database still keeps its evidence from being changed, and shows all of it.

Whoever owns the tables can drop their triggers, to change what they guard or for some upkeep, and
forget them; put another under a trigger's name; add one, or a rule, that lets a record go by; or
make an index that lacks one. Then the log may be whole today and nobody kept it so. So all that
stands on the tables is laid beside what the migrations make, which `as_made.json` holds.
"""

from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any, Final

import orjson
from sqlalchemy import text

from gateway.store.transaction import Transaction

EVIDENCE: Final = (
    "exchange", "exchange_head", "exchange_document", "disposal", "log_month", "wire_message",
    "legal_hold", "checkpoint",
)  # fmt: skip
_ON: Final = ", ".join(f"'{table}'" for table in EVIDENCE)
_ON_SQLITE: Final = f"""
SELECT type, name, tbl_name, CASE type WHEN 'table' THEN '' ELSE sql END FROM sqlite_master
WHERE (tbl_name COLLATE NOCASE IN ({_ON}) OR name COLLATE NOCASE IN ({_ON}))
AND (sql IS NOT NULL OR type = 'table')
"""  # noqa: S608 - our own names
"""An index without words is a key's, and comes with its table."""
_TABLES: Final = ", ".join(f"to_regclass('{table}')" for table in EVIDENCE)
_ON_POSTGRESQL: Final = f"""
SELECT CASE relkind WHEN 'r' THEN 'table' ELSE 'kind ' || relkind::text END, relname::text,
relname::text, ''
FROM pg_catalog.pg_class WHERE oid IN ({_TABLES})
UNION ALL
SELECT 'trigger', tgname::text, relname::text,
concat_ws(' ', tgtype, tgattr, tgqual, tgnargs, lanname, proconfig, prosrc)
FROM pg_catalog.pg_trigger JOIN pg_catalog.pg_class c ON c.oid = tgrelid
JOIN pg_catalog.pg_proc p ON p.oid = tgfoid JOIN pg_catalog.pg_language l ON l.oid = prolang
WHERE NOT tgisinternal AND tgenabled IN ('O', 'A') AND tgrelid IN ({_TABLES})
UNION ALL
SELECT 'index', i.relname::text, c.relname::text,
CASE WHEN indisvalid AND indisready THEN pg_catalog.pg_get_indexdef(indexrelid) ELSE 'unready' END
FROM pg_catalog.pg_index JOIN pg_catalog.pg_class i ON i.oid = indexrelid
JOIN pg_catalog.pg_class c ON c.oid = indrelid
WHERE indrelid IN ({_TABLES})
UNION ALL
SELECT 'rule', rulename::text, relname::text, ''
FROM pg_catalog.pg_rewrite JOIN pg_catalog.pg_class c ON c.oid = ev_class
WHERE ev_class IN ({_TABLES})
"""  # noqa: S608 - our own names
"""Not the triggers that are disabled, or fire on a replica alone."""
Standing = Mapping[str, tuple[str, str]]
"""What stands on a table: by kind and name, the table and what it is."""


def missing_guards(transaction: Transaction) -> tuple[str, ...]:
    """The names of the triggers that should stand as they were made, and do not."""
    stands, made = standing(transaction), as_made(is_postgres=transaction.is_postgres)
    lacking = [name for name, what in made.items() if stands.get(name) != what]
    return tuple(sorted(_called(one) for one in lacking if one.startswith("trigger ")))


def strange(transaction: Transaction) -> tuple[str, ...]:
    """What else is not as it was made, in words: tables, indexes, and what nobody made here."""
    made = as_made(is_postgres=transaction.is_postgres)
    return tuple(sorted(_strange(standing(transaction), made)))


def _strange(stands: Standing, made: Standing) -> Iterator[str]:
    for name in stands.keys() - made.keys():
        yield f"{name} on {stands[name][0]}, which is none of ours"
    for name in made.keys() - stands.keys():
        if not name.startswith("trigger "):
            yield f"no {name}"
    for name in made.keys() & stands.keys():
        if made[name] != stands[name] and not name.startswith("trigger "):
            yield f"{name}, which is not as it was made"


def standing(transaction: Transaction) -> Standing:
    """All that stands on the tables of evidence."""
    asked = _ON_POSTGRESQL if transaction.is_postgres else _ON_SQLITE
    rows: Any = transaction.connection.execute(text(asked))
    return {f"{kind} {name}": (table, _bare(what)) for kind, name, table, what in rows}


@cache
def as_made(*, is_postgres: bool) -> Standing:
    """What `standing` gives of a database that was just migrated."""
    of = orjson.loads(Path(__file__).with_name("as_made.json").read_bytes())
    made = of["postgresql" if is_postgres else "sqlite"]
    return {name: (table, what) for name, (table, what) in made.items()}


def _bare(what: object) -> str:
    """Without what is spelled by a server's version or by where the tables lie."""
    words = str(what).replace('"', "").split()
    return " ".join(word.rpartition(".")[2] if before == "ON" else word
                    for before, word in zip(["", *words], words, strict=False))  # fmt: skip


def _called(name: str) -> str:
    return name.partition(" ")[2]
