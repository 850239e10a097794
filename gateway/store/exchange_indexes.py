"""Whether each of the exchange log's indexes on SQLite has every record: by it a search finds them.

Whoever owns the file can make an index of some records alone and then have the schema say that it
is of all: nothing but SQLite's own check notices. That looks for each record in each index, which
takes as long as to verify the chain, so it runs where all is opened (`damage`). Each time the
records are counted, by every index: in a fifteenth of that time, one that lacks some is found.
"""

from typing import Final

from sqlalchemy import text

from gateway.store.guards import EVIDENCE, as_made
from gateway.store.transaction import Transaction

_SOUND: Final = "ok"
_WHERE: Final = " WHERE "


def first_unindexed(transaction: Transaction) -> tuple[int, str] | None:
    """A record that some index lacks, and which; None if all have all."""
    if transaction.is_postgres:
        return None
    run = transaction.connection.execute
    standing = set(run(text("SELECT name FROM pragma_index_list('exchange')")).scalars())
    indexes = {name: rule for name, rule in _indexes().items() if name in standing}
    if not indexes:  # `strange` says so
        return None
    rules = list(dict.fromkeys(indexes.values()))
    stated = ", ".join(f"COUNT(CASE WHEN {rule} THEN 1 END)" for rule in rules)
    whole = run(text(f"SELECT {stated} FROM exchange NOT INDEXED")).one()  # noqa: S608
    expected = dict(zip(rules, whole, strict=True))
    for name, rule in indexes.items():
        counted = f"SELECT COUNT(*) FROM exchange INDEXED BY {name} WHERE {rule}"  # noqa: S608
        if run(text(counted)).scalar() != expected[rule]:
            return _lacking(transaction, name, rule)
    return None


def damage(transaction: Transaction) -> str | None:
    """What SQLite's own check finds in the tables of evidence first; None if that is nothing.

    It compares every index with its table, entry by entry.
    """
    if transaction.is_postgres:
        return None
    for table in EVIDENCE:
        checked = text(f"PRAGMA integrity_check('{table}')")
        found = transaction.connection.execute(checked).scalars().all()
        if found != [_SOUND]:
            return f"{table}: {found[0]}"
    return None


def _indexes() -> dict[str, str]:
    """Every index on the records, and of which of them it is."""
    made = as_made(is_postgres=False)
    return {
        name.removeprefix("index "): what.partition(_WHERE)[2] or "TRUE"
        for name, (table, what) in made.items()
        if name.startswith("index ") and table == "exchange"
    }


def _lacking(transaction: Transaction, name: str, rule: str) -> tuple[int, str]:
    found = text(
        f"SELECT MIN(sequence) FROM exchange NOT INDEXED WHERE {rule} AND sequence NOT IN"  # noqa: S608
        f" (SELECT sequence FROM exchange INDEXED BY {name} WHERE {rule})"
    )
    sequence = transaction.connection.execute(found).scalar()
    if sequence is None:
        return 1, f"the index {name} has other records than there are"
    return sequence, f"record {sequence} is not found by the index {name}"
