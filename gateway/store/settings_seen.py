"""The settings as the last process found them, each by a digest: what has changed since is told.

Of values nothing is kept but digests: the record of a change names what changed, never to what.
"""

import hashlib
from collections.abc import Mapping

from sqlalchemy import delete, select
from sqlalchemy.dialects import postgresql, sqlite

from gateway.store import tables
from gateway.store.transaction import Transaction


def changed(transaction: Transaction, stated: Mapping[str, str]) -> tuple[str, ...] | None:
    """The names whose value is not what it was, or is new or gone, sorted; `stated` from now on.

    None if no settings were ever seen here: then there is nothing from which they could differ.
    Of two processes that start with the same change, one is told of it.
    """
    table = tables.setting_seen
    seen = set(transaction.connection.execute(select(table.c.name)).scalars())
    found = [name for name, value in stated.items() if _put(transaction, name, value)]
    for name in sorted(seen - set(stated)):
        gone = delete(table).where(table.c.name == name)
        if transaction.connection.execute(gone).rowcount:
            found.append(name)
    return tuple(sorted(found)) if seen else None


def _put(transaction: Transaction, name: str, value: str) -> bool:
    """Whether the digest was another one; a second process waits here for the first."""
    table = tables.setting_seen
    digest = hashlib.sha256(f"{name}\0{value}".encode()).hexdigest()
    insert = postgresql.insert if transaction.is_postgres else sqlite.insert
    statement = insert(table).values(name=name, plan=None, digest=digest)
    update = statement.on_conflict_do_update(
        index_elements=["name"],
        set_={"digest": statement.excluded.digest},
        where=table.c.digest != statement.excluded.digest,
    ).returning(table.c.name)
    return transaction.connection.execute(update).first() is not None
