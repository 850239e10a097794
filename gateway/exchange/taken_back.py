"""What was entered in error: an organization takes back its own word, and nobody else's."""

from collections import defaultdict
from collections.abc import Sequence
from typing import Any, Final

from gateway.exchange.effort import spend
from gateway.exchange.statements import Statement

NULLIFIED: Final = "nullified"
"""Entered in error."""


def untaken(statements: Sequence[Statement]) -> list[Statement]:
    """Those of one fact that were not entered in error, by their own word or by a later one.

    A later one is on the same under the same id, or in another document of the same organization:
    of two in one document the one is a copy that should not have been.
    """
    by_id: dict[str, tuple[Any, ...]] = {}
    by_voice: dict[str, dict[str, tuple[Any, ...]]] = defaultdict(dict)
    for one in statements:
        if one.status == NULLIFIED:
            for id_ in one.ids:
                by_id[id_] = max(by_id.get(id_, one.rank), one.rank)
            said = by_voice[one.voice]
            said[one.document.id] = max(said.get(one.document.id, one.rank), one.rank)
    if not by_voice:
        return list(statements)

    def is_taken_back(one: Statement) -> bool:
        said = by_voice.get(one.voice, {})
        spend(len(said))
        later = [rank for document, rank in said.items() if document != one.document.id]
        later += [by_id[id_] for id_ in one.ids if id_ in by_id]
        return any(rank > one.rank for rank in later)

    return [one for one in statements if one.status != NULLIFIED and not is_taken_back(one)]
