"""Members as lists show them, and how many one has shown, as its record says it: a record names
one at the most.

A record for each of them would be a thousand a page, and `count` is how many exchanges one stands
for. So a list of one member names it, and any other says how many they are.
"""

import re
from collections.abc import Iterable
from typing import Any, Final

from gateway.exchange.summarize import member_json
from gateway.model.exchange import Exchange
from gateway.model.identity import MemberId
from gateway.model.member import Member

LISTS: Final = ("REST-MEMBERS", "REST-DOCUMENTS", "CLI-MEMBERS")
"""The transactions whose records say it; of others the reason may be anybody's words."""
_WORDS: Final = re.compile(r"(\d{1,9}) members")


def member_form(member: Member) -> dict[str, Any]:
    """The member as it stands with the plan: whom it covers when, and who has opted out."""
    return {
        **member_json(member),
        "coverage_start": member.coverage_start,
        "coverage_end": member.coverage_end,
        "opted_out": member.opted_out,
    }


def shown(members: Iterable[MemberId | None]) -> tuple[MemberId | None, str | None]:
    """The member whom the record of a list of theirs names, or the reason that it states."""
    different = {member for member in members if member is not None}
    if len(different) == 1:
        return different.pop(), None
    return None, f"{len(different)} members"


def number_shown(told: Exchange) -> int:
    """How many members the record's list has shown without naming them."""
    found = _WORDS.fullmatch(told.reason or "")
    if told.transaction not in LISTS or told.member is not None or found is None:
        return 0
    return int(found[1])
