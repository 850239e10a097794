"""Rows of the exchange log as they were before they were sealed: member and documents in the clear.

Tests look at the log's rows by SQL of their own; what is private in them opens as it does in the
house.
"""

from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import orjson

from gateway.store.database import open_database
from gateway.store.exchange_private import month_name, private_of


def in_the_clear(
    rows: Sequence[dict[str, Any]], *, database: Path, key_file: Path
) -> list[dict[str, Any]]:
    """The rows with their members and documents, as JSON text, where they are sealed."""
    seen = [SimpleNamespace(**row) for row in rows]
    names = {name for row in seen if (name := month_name(row)) is not None}  # type: ignore[arg-type]
    if not names:
        return list(rows)
    with closing(open_database(f"sqlite:///{database}", key_file=key_file)) as opened:
        keys = opened.read(lambda t: t.log_keys.reading(t, names))
    cleared = []
    for row in seen:
        member, documents, _ = private_of(row, keys)  # type: ignore[arg-type]
        told = {"member": member, "documents": orjson.dumps(documents).decode()}
        cleared.append({**vars(row), **told})
    return cleared
