"""Several ways to one patient id: who fetches what is there, and who waits for that (user-asks 20).

Two ways to one community would bring each document twice. So a patient id is the part of whoever
named it first in this retrieval; for all others it is left to that one, and theirs again where its
part has failed. Whom that one waits for on a connection of its own may keep it for hours, so that
those who have left something to it wait as well, also over a restart.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Final

from gateway.exchange.discovering import found_before, is_of_retrieval
from gateway.exchange.question import AnswerAwaited
from gateway.exchange.visit import Visit
from gateway.model.link import Link
from gateway.model.retrieval import PartnerProgress
from gateway.store import awaited_answers, links, retrievals
from gateway.store.database import Transaction

THROUGH: Final = "its records are asked for through"
AWAITED: Final = "its records are being asked for through another partner"
_NOTHING_CAME: Final = frozenset({"failed", "late", "refused", "not_asked"})
_AFTER: Final = timedelta(minutes=1)
"""How long after the last answer to it was due a partner is looked at again."""


class WayAwaited(AnswerAwaited):
    """What was left to another partner is not there yet, and it may still fail."""

    @property
    def said(self) -> str:
        return f"{AWAITED}; that is awaited until {self.expires:%Y-%m-%d %H:%M} UTC"


@dataclass(slots=True)
class Shares:
    """Patient ids that we fetch, and those that others fetch now, each with who that is."""

    ours: list[Link] = field(default_factory=list)
    left: list[tuple[Link, PartnerProgress]] = field(default_factory=list)


async def share_out(visit: Visit, confirmed: Sequence[Link], *, is_resumed: bool = False) -> Shares:
    """Whose part each patient id is; remarks those that another partner has fetched.

    With `is_resumed` without those that nobody has named before us: they are fetched already.
    """
    asking = visit.asking

    def unit(transaction: Transaction) -> Shares:
        plan, retrieval, shares = asking.plan.id, asking.retrieval, Shares()
        known = links.of_member(transaction, plan=plan, member=asking.member.id)
        ways_to = {one.partner for one in known}
        found = retrievals.progress(transaction, plan=plan, retrieval=retrieval.id, of=ways_to)
        asked = {one.partner: one for one in found}
        for link in confirmed:
            named = [
                asked[one.partner]
                for one in known
                if _is_same_patient(one, link)
                and one.partner in asked
                and one.partner != visit.partner.id
                and one.state == "confirmed"
                and is_of_retrieval(one, retrieval)
                and (one.found, one.partner) < (link.found, link.partner)
            ]
            before = [one for one in named if one.outcome not in _NOTHING_CAME]
            if is_resumed and not named:
                continue
            if not before:
                shares.ours.append(link)
            elif all(one.outcome is None for one in before):
                shares.left.append((link, before[0]))
            else:
                visit.remarks.append(f"{THROUGH} {before[0].partner_name}")
        return shares

    return await asking.archive.database.read_async(unit)


def _is_same_patient(one: Link, other: Link) -> bool:
    return (one.home_community_id, one.patient_id) == (other.home_community_id, other.patient_id)


async def share_left(visit: Visit) -> Shares:
    """The same of what was left to others, once these have ended, or wait for an answer."""
    left, visit.left = visit.left, []
    if left:
        return await share_out(visit, left)
    # An earlier run has left it, and what it said of all else was kept.
    visit.remarks.extend(visit.progress.remarks)
    visit.steps.extend(visit.progress.steps)
    found = await visit.asking.archive.database.read_async(lambda tx: found_before(tx, visit))
    confirmed = [one for one in found if one.state == "confirmed"]
    return await share_out(visit, confirmed, is_resumed=True)


async def wait_for_others(visit: Visit, shares: Shares) -> None:
    """Remarks through whom the rest is asked for, unless these may yet fail to bring it.

    Raises:
        WayAwaited: some of them wait for an answer on a connection of their own.
    """
    retrieval = visit.asking.retrieval
    others = {one.partner: one for _, one in shares.left}

    def due(transaction: Transaction) -> datetime | None:
        now, found = datetime.now(UTC), []
        for one in others.values():
            # One that waits for others in its turn is not waited for: it may be for us.
            if one.step == "left":
                continue
            asked = awaited_answers.of_visit(
                transaction, plan=retrieval.plan, retrieval=retrieval.id, visited=one.partner
            )
            found += [now, *(each.expires for each in asked if each.state != "settled")]
        return max(found) + _AFTER if found else None

    until = await visit.asking.archive.database.read_async(due)
    if until is not None:
        raise WayAwaited(until)
    visit.remarks.extend(f"{THROUGH} {one.partner_name}" for one in others.values())
