"""What the record of a legal hold says of it: its id, and a digest of all that it holds.

A hold stands in a table, where whoever can write to the database can narrow it; its record stands
in the chain. So the record says which hold it was to the last word, and nothing of whom it is on.
"""

import hashlib
from dataclasses import dataclass
from typing import Final

import orjson

from gateway.model.retention import Hold
from gateway.store.column_types import utc_text

_BEGINS: Final = "hold "
_DIGEST: Final = ", SHA-256 "


@dataclass(frozen=True, slots=True)
class HoldNamed:
    """A hold as a record names it; those of records from before there was one have no digest."""

    id: str
    digest: str | None


def placed_words(hold: Hold) -> str:
    """The reason of the record that says that the hold was placed."""
    return f"{_BEGINS}{hold.id}{_DIGEST}{digest_of(hold)}"


def lifted_words(hold: Hold) -> str:
    """The reason of the record that says that the hold was lifted."""
    return f"{_BEGINS}{hold.id}"


def read_words(reason: str) -> HoldNamed:
    """Which hold the reason of a record names."""
    id, _, digest = reason.removeprefix(_BEGINS).partition(_DIGEST)
    return HoldNamed(id, digest or None)


def digest_of(hold: Hold) -> str:
    """The SHA-256, as hex, of the hold as it was placed, in one canonical text."""
    times = {"placed": hold.placed, "since": hold.since, "until": hold.until}
    stated = {
        "id": hold.id,
        "reason": hold.reason,
        "placed_by": hold.placed_by,
        "plan": hold.plan,
        "member": hold.member,
        "partner": hold.partner,
        **{name: None if time is None else utc_text(time) for name, time in times.items()},
    }
    return hashlib.sha256(orjson.dumps(stated, option=orjson.OPT_SORT_KEYS)).hexdigest()
