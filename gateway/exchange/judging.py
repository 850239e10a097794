"""How a partner's matches are judged beside our member, and what a record says of it. Pure.

Both are asked for twice: when the answer comes, and when a record is replayed (`rejudging`), which
lays the words of then beside today's. They name decisions and scores, nothing of a person.
"""

from collections.abc import Sequence
from typing import Final

from gateway.exchange.matching import Decision, MatchResult, compare
from ihe.discovery import Demographics, Discovery, Match, Matched, MoreDemographicsRequested
from ihe.identifiers import HomeCommunityId

_JUDGED: Final = "judged: "
_NOBODY: Final = f"{_JUDGED}nobody"
_WORDS: Final[dict[Decision, str]] = {
    "match": "match",
    "possible": "possible",
    "no_match": "no match",
}
_MOST: Final = 20
"""A partner may name thousands, and a record is kept for good."""


def judge_matches(
    discovery: Discovery, known: Demographics, own: HomeCommunityId
) -> tuple[tuple[Match, MatchResult], ...]:
    """Each person whom others know, compared with what we know, in the answer's order.

    A hub that knows our records, too, names us beside others: those need not be asked for.
    """
    if not isinstance(discovery, Matched):
        return ()
    others = (one for one in discovery.matches if one.home_community_id != own)
    return tuple((one, compare(known, one.demographics)) for one in others)


def answer_in_words(discovery: Discovery, results: Sequence[MatchResult]) -> str | None:
    """How each of its matches is judged; None of an answer that asks for more instead."""
    if isinstance(discovery, MoreDemographicsRequested):
        return None
    return judged_in_words(results) or _NOBODY


def judged_in_words(results: Sequence[MatchResult]) -> str | None:
    """What is decided of each, and with how many points; None where there is nobody."""
    if not results:
        return None
    told = ", ".join(f"{_WORDS[one.decision]} ({one.score})" for one in results[:_MOST])
    more = len(results) - _MOST
    return f"{_JUDGED}{told}{f' and {more} more' if more > 0 else ''}"


def judged_then(reason: str | None) -> str | None:
    """What a record's reason has of it; None where that was not recorded."""
    parts = (reason or "").split("; ")
    return next((part for part in parts if part.startswith(_JUDGED)), None)
