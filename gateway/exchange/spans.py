"""From when to when a line holds, by what its statements tell."""

from collections.abc import Iterator, Sequence

from ccda.hl7v3 import TS
from gateway.exchange.moments import finest, sort_key
from gateway.exchange.statements import ENDED, Statement
from gateway.exchange.trends import TREND_KINDS


def first_start(statements: Sequence[Statement]) -> TS | None:
    """The time that the first of them states, as fine as any that agrees with it."""
    starts = [one.when for one in _timed(statements) if one.when]
    return finest(starts) if starts else None


def is_moment(statements: Sequence[Statement]) -> bool:
    """Whether the first of them that states a time was then, and did not only begin then."""
    first = next(_timed(statements), None)
    return first is not None and first.when is first.entry.time


def last_end(stating: Statement, agreeing: Sequence[Statement]) -> TS | None:
    """The end that is told by who says how it stands; of what has ended, by anybody."""
    if stating.entry.end and sort_key(stating.entry.end):
        return stating.entry.end
    # Of an answer it is its own: that one smoked until 2022 ends nothing said in 2023.
    if stating.status not in ENDED or stating.entry.kind in TREND_KINDS:
        return None
    ends = [one.entry.end for one in agreeing if one.entry.end and sort_key(one.entry.end)]
    return max(ends, key=sort_key, default=None)


def _timed(statements: Sequence[Statement]) -> Iterator[Statement]:
    return (one for one in statements if one.when and sort_key(one.when))
