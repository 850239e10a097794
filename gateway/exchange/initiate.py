"""We ask every partner at once for a member's records: ITI-55, then 38, then 39 at each.

One partner's failure is a row in the answer, never an exception, and never slows another: each
has its own patience (STYLE 21). Whom a partner returns is looked at a second time before its id
is used, and only documents that name the member are filed.

A retrieval that was broken off goes on where it stopped: a partner that has answered is not asked
again, and what it gave is not fetched again. A partner that answers on a connection of its own is
left, and gone on with when its answer has come.
"""

import asyncio
import logging
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

from gateway.clients.failures import NotCalled, PartnerFailed, PartnerLate, Resting
from gateway.exchange.asking import Asking, is_refusal
from gateway.exchange.awaiting import abandon
from gateway.exchange.discovering import discover
from gateway.exchange.fetching import fetch
from gateway.exchange.linking import UNLISTED
from gateway.exchange.locating import is_located, locate, locators_due
from gateway.exchange.next_steps import ADD_HOLDER, DECIDE_MATCH, SOMEONE_ELSE
from gateway.exchange.question import AnswerAwaited, PartnerRefused
from gateway.exchange.sharing import (
    AWAITED,
    WayAwaited,
    share_left,
    share_out,
    wait_for_others,
)
from gateway.exchange.visit import Visit, begin, enter, leave, visits
from gateway.model.identity import PartnerId, PlanId, RetrievalId
from gateway.model.link import Link
from gateway.model.partner import Partner
from gateway.model.retrieval import (
    NO_ADDRESS,
    NOT_LOCATED,
    PartnerOutcome,
    PartnerProgress,
    RetrievalState,
)
from gateway.store import partner_health, retrievals
from gateway.store.database import Transaction
from gateway.store.errors import StoreUnavailable
from ihe.errors import IheError
from ihe.identifiers import HomeCommunityId

log = logging.getLogger(__name__)
_ANSWERED: Final = frozenset({"matched", "no_match", "held", "refused"})
_BUSY: Final = timedelta(seconds=1)
"""After how long to look again whether somebody else has gone on with a visit."""


@dataclass(frozen=True, slots=True)
class GoOn:
    """When this partner's part of the retrieval is to be gone on with, if nothing comes before."""

    partner: PartnerId
    at: datetime


async def ask_partners(asking: Asking, asked: Sequence[Partner]) -> tuple[GoOn, ...]:
    """Asks all of them at once; the retrieval ends when the last partner's part has ended.

    Returns the parts that wait for an answer on a connection of its own. Cancelled, it returns
    once every call under way has its record.

    Raises:
        StoreUnavailable: some answers could not be kept; asked again, it goes on with those.
    """
    own = asking.community.home_community_id  # a directory of a network lists us, too
    everyone = visits(asking, once_each([one for one in asked if one.home_community_id != own]))
    unanswered = [visit for visit in everyone if visit.progress.outcome is None]
    retrieval, database = asking.retrieval, asking.archive.database
    await database.write_async(lambda tx: begin(tx, unanswered, retrieval))
    # Exceptions are kept until all have ended: none may cost another partner its answer.
    ended = await asyncio.gather(*map(_visit, _first(unanswered)), return_exceptions=True)
    # Whom a Health Data Locator may name waits until all of those have said what they know.
    if then := _then(unanswered):
        due = await database.read_async(lambda tx: locators_due(tx, asking))
        for visit in then:
            visit.locators_due = due
    named = await asyncio.gather(*map(_visit, then), return_exceptions=True)
    # What was left to others is fetched after all where these have failed meanwhile.
    left = (visit for visit in unanswered if visit.has_left)
    again = await asyncio.gather(*map(_visit, left), return_exceptions=True)
    ended = [*ended, *named, *again]
    for failure in ended:
        if isinstance(failure, BaseException):
            raise failure
    await database.write_async(
        lambda tx: end_if_all_have(tx, plan=retrieval.plan, retrieval_id=retrieval.id)
    )
    return tuple(one for one in ended if isinstance(one, GoOn))


def _first(everyone: Iterable[Visit]) -> list[Visit]:
    return [one for one in _whole(everyone) if not one.partner.profile.only_where_located]


def _then(everyone: Iterable[Visit]) -> list[Visit]:
    return [one for one in _whole(everyone) if one.partner.profile.only_where_located]


def _whole(everyone: Iterable[Visit]) -> list[Visit]:
    """Without those of whose part an earlier run has left only what is left to others."""
    return [one for one in everyone if not one.has_left]


def once_each(asked: Sequence[Partner]) -> tuple[Partner, ...]:
    """A community once, by whichever of its entries: the plan's own before a shared one, one that
    takes patient discovery before one that does not; none that is asked with another
    (user-asks 20)."""
    by_community: dict[HomeCommunityId, Partner] = {}
    for partner in sorted(asked, key=lambda one: (one.endpoints.iti55 is None, one.plan is None)):
        by_community.setdefault(partner.home_community_id, partner)
    askable = {home.urn for home, one in by_community.items() if one.endpoints.iti55 is not None}
    chosen = {one.id for one in by_community.values() if one.profile.within not in askable}
    return tuple(partner for partner in asked if partner.id in chosen)


def end_if_all_have(transaction: Transaction, *, plan: PlanId, retrieval_id: RetrievalId) -> None:
    """Ends the retrieval, unless a partner's part of it still waits."""
    retrieval = retrievals.get(transaction, plan=plan, retrieval=retrieval_id)
    if retrieval is None or any(one.outcome is None for one in retrieval.partners):
        return
    retrievals.set_state(
        transaction,
        plan=plan,
        retrieval=retrieval_id,
        state=_state(retrieval.partners),
        finished=datetime.now(UTC),
    )


def _state(ended: Iterable[PartnerProgress]) -> RetrievalState:
    """Nothing is missing by those who are not to be asked, unless there is nobody else; what a
    person has to decide is no failure."""
    answered = {"matched", "no_match"}
    everyone = [one for one in ended if one.detail != NOT_LOCATED]
    everyone = [one for one in everyone if one.detail != NO_ADDRESS] or everyone
    if all(one.outcome in answered and not one.documents_missing for one in everyone):
        return "done"
    in_part = answered | {"held"}
    return "partial" if any(one.outcome in in_part for one in everyone) else "failed"


# ---- one partner -----------------------------------------------------------------------------


async def _visit(visit: Visit) -> GoOn | None:
    """Asks one partner to the end, whatever that is, or until its answer has to be waited for;
    later, if it is busy with others."""
    async with visit.asking.client.restraint.visiting(visit.partner) as back_in:
        if back_in is None:
            return await _visit_now(visit)
    at = datetime.now(UTC) + timedelta(seconds=back_in)
    return await visit.asking.archive.database.write_async(lambda tx: _put_off(tx, visit, at))


def _put_off(transaction: Transaction, visit: Visit, at: datetime) -> GoOn | None:
    """Says why it waits, unless somebody else has gone on with the visit."""
    entered = enter(transaction, visit)
    if entered == "ended":
        return None
    if entered == "entered":
        if visit.progress.detail is None:
            said = f"others are being asked for; its turn comes about {at:%H:%M:%S} UTC"
            visit.note(transaction, detail=said)
        leave(transaction, visit)
    return GoOn(visit.partner.id, at)


async def _visit_now(visit: Visit) -> GoOn | None:
    database = visit.asking.archive.database
    entered = await database.write_async(lambda tx: enter(tx, visit))
    if entered == "ended":
        return None
    if entered == "busy":
        return GoOn(visit.partner.id, datetime.now(UTC) + _BUSY)
    try:
        outcome = await _ask_to_the_end(visit)
        if outcome is None:
            await _save_left(visit, AWAITED)
        else:
            await database.write_async(lambda tx: _finish(tx, visit, outcome))
    except WayAwaited as awaited:
        await _save_left(visit, awaited.said)
        return GoOn(visit.partner.id, awaited.expires)
    except AnswerAwaited as awaited:
        # What was left to others is its own by now, and is gone on with as all else.
        step = "retrieve" if visit.progress.step == "left" else visit.progress.step
        await visit.save(detail=awaited.said, step=step)
        return GoOn(visit.partner.id, awaited.expires)
    finally:
        await asyncio.shield(_leave(visit))
    return None


async def _save_left(visit: Visit, said: str) -> None:
    """What there is to say of its own part, which is not asked for again."""
    await visit.save(
        detail="; ".join(text for text in (visit.detail, said) if text),
        next_step=visit.next_step,
        remarks=tuple(visit.remarks),
        steps=tuple(visit.steps),
        step="left",
    )


async def _leave(visit: Visit) -> None:
    # Unavailable: the claim ends with this process.
    with suppress(StoreUnavailable):
        await visit.asking.archive.database.write_async(lambda tx: leave(tx, visit))


async def _ask_to_the_end(visit: Visit) -> PartnerOutcome | None:
    """None where it is to be asked once more, when others have ended."""
    try:
        return await (_ask_for_left(visit) if visit.has_left else _ask(visit))
    except (StoreUnavailable, AnswerAwaited):
        raise
    except Exception as error:  # the door of one partner: the others go on
        if not isinstance(error, PartnerFailed | IheError):
            log.error("asking a partner failed: %s", type(error).__name__)
        visit.failed(error)
        return _outcome(error)


def _finish(transaction: Transaction, visit: Visit, outcome: PartnerOutcome) -> None:
    visit.note(
        transaction,
        outcome=outcome,
        detail=visit.detail,
        next_step=visit.next_step,
        remarks=(),
        steps=(),
    )
    retrieval, partner = visit.asking.retrieval, visit.partner.id
    abandon(transaction, plan=retrieval.plan, retrieval=retrieval.id, visited=partner)
    if visit.ailment is not None:
        partner_health.failed(
            transaction,
            partner=partner,
            plan=visit.partner.plan,
            reason=visit.ailment,
            now=datetime.now(UTC),
        )
    elif outcome in _ANSWERED:
        partner_health.succeeded(transaction, partner=partner)


def _outcome(error: Exception) -> PartnerOutcome:
    if isinstance(error, PartnerLate):
        return "late"
    return "refused" if is_refusal(error) or isinstance(error, PartnerRefused) else "failed"


async def _ask(visit: Visit) -> PartnerOutcome | None:
    address = visit.partner.endpoints.iti55
    if address is None:
        visit.failed(NotCalled(NO_ADDRESS))
        return "not_asked"
    if not await is_located(visit):
        return "not_asked"
    if (resting := await _resting(visit)) is not None:
        visit.failed(resting)
        return "not_asked"
    found = await discover(visit, address)
    held = [link for link in found if link.state == "held"]
    for link in held:
        detail = link.detail or "a match is held for a person to decide"
        visit.remarks.append(detail)
        visit.steps.append(ADD_HOLDER if detail.endswith(UNLISTED) else DECIDE_MATCH)
    confirmed = [link for link in found if link.state == "confirmed"]
    for link in confirmed:
        await locate(visit, link)
    if confirmed:
        shares = await share_out(visit, confirmed)
        await _fetch_all(visit, shares.ours)
        visit.left = [link for link, _ in shares.left]
        return None if shares.left else "matched"
    if held:
        return "held"
    if found:
        visit.remarks.append("it returned someone else")
        visit.steps.append(SOMEONE_ELSE)
    return "no_match"


async def _resting(visit: Visit) -> Resting | None:
    """Why it is not asked now; a question that is under way goes on whatever its partner's state.

    Nobody waits for one that has kept others waiting; after a while one visit tries it.
    """
    profile = visit.partner.profile
    answers_later = profile.asynchronous or profile.deferred_discovery
    if answers_later or visit.progress.step != "discovery":
        return None
    trial = timedelta(seconds=profile.timeout_seconds)
    now = datetime.now(UTC)
    health = await visit.asking.archive.database.write_async(
        lambda tx: partner_health.admit(tx, partner=visit.partner.id, now=now, trial=trial)
    )
    if health is None or health.until is None:
        return None
    return Resting(
        f"it failed {health.failures} times in a row since {health.since:%Y-%m-%d %H:%M} UTC and is"
        f" left alone until {health.until:%H:%M:%S} UTC"
    )


async def _ask_for_left(visit: Visit) -> PartnerOutcome:
    """Once all others have ended, or wait for an answer on a connection of its own.

    Raises:
        AnswerAwaited: some of it may still come through another partner.
    """
    shares = await share_left(visit)
    await wait_for_others(visit, shares)
    await _fetch_all(visit, shares.ours)
    return "matched"


async def _fetch_all(visit: Visit, confirmed: Iterable[Link]) -> None:
    """The documents of each patient id; one that cannot be had does not cost the others."""
    failures: list[PartnerFailed | IheError] = []
    awaited: list[AnswerAwaited] = []
    for link in confirmed:
        try:
            await fetch(visit, link)
        except AnswerAwaited as waiting:
            awaited.append(waiting)
        except PartnerLate as late:
            failures.insert(0, late)
            if visit.patience.is_over:  # its time is used up for every other id, too
                break
        except (PartnerFailed, IheError) as error:
            failures.append(error)
    if awaited:
        raise min(awaited, key=lambda one: one.expires)
    if missing := visit.progress.documents_missing:
        visit.remarks.insert(0, f"partial: {missing} missing")
    if failures:
        raise failures[0]
