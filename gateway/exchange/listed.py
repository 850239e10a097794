"""How many documents an answer listed, as a record's reason says it. Pure."""

import re
from typing import Final

_LISTED: Final = re.compile(r"\d+ documents? listed")


def listed_in_words(number: int) -> str:
    """The number, for the record and for its replay."""
    return f"{number} document{'' if number == 1 else 's'} listed"


def listed_then(reason: str | None) -> str | None:
    """What a record's reason has of it; None where that was not recorded."""
    return next(filter(_LISTED.fullmatch, _parts(reason)), None)


def without_number(reason: str | None) -> str | None:
    """The reason without it, by which like is counted with like; None if nothing else is said."""
    return "; ".join(part for part in _parts(reason) if not _LISTED.fullmatch(part)) or None


def _parts(reason: str | None) -> list[str]:
    return (reason or "").split("; ")
