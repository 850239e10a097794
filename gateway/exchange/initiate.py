"""We ask every partner at once for a member's records: ITI-55, then 38, then 39 at each.

One partner's failure is a row in the answer, never an exception, and never slows another: each
has its own patience (STYLE 21). Whom a partner returns is looked at a second time before its id
is used, and only documents that name the member are filed.

A retrieval that was broken off goes on where it stopped: a partner that has answered is not asked
again, and what it gave is not fetched again.
"""

import asyncio
import logging
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime

from gateway.clients.soap_client import PartnerFailed, PartnerLate
from gateway.exchange.asking import Asking, explain, is_refusal
from gateway.exchange.discovering import discover
from gateway.exchange.fetching import fetch
from gateway.exchange.visit import Visit, begin, visits
from gateway.model.link import Link
from gateway.model.partner import Partner
from gateway.model.retrieval import PartnerOutcome, PartnerProgress, RetrievalState
from gateway.store import retrievals
from gateway.store.errors import StoreUnavailable
from ihe.errors import IheError

log = logging.getLogger(__name__)


async def ask_partners(asking: Asking, asked: Sequence[Partner]) -> RetrievalState:
    """Asks all of them at once; returns the state in which that leaves the retrieval.

    Cancelled, it returns once every call under way has its record.

    Raises:
        StoreUnavailable: some answers could not be kept; asked again, it goes on with those.
    """
    everyone = visits(asking, asked)
    unanswered = [visit for visit in everyone if visit.progress.outcome is None]
    retrieval, database = asking.retrieval, asking.archive.database
    await database.write_async(lambda tx: begin(tx, unanswered, retrieval))
    # Exceptions are kept until all have ended: none may cost another partner its answer.
    ended = await asyncio.gather(*map(_visit, unanswered), return_exceptions=True)
    for failure in ended:
        if failure is not None:
            raise failure
    state = _state(visit.progress for visit in everyone)
    await database.write_async(
        lambda tx: retrievals.set_state(
            tx,
            plan=retrieval.plan,
            retrieval=retrieval.id,
            state=state,
            finished=datetime.now(UTC),
        )
    )
    return state


def _state(ended: Iterable[PartnerProgress]) -> RetrievalState:
    answered = {"matched", "no_match"}
    everyone = list(ended)
    if all(one.outcome in answered and not one.documents_missing for one in everyone):
        return "done"
    return "partial" if any(one.outcome in answered for one in everyone) else "failed"


# ---- one partner -----------------------------------------------------------------------------


async def _visit(visit: Visit) -> None:
    """Asks one partner to the end, whatever that is."""
    try:
        outcome = await _ask(visit)
    except StoreUnavailable:
        raise
    except Exception as error:  # the door of one partner: the others go on
        if not isinstance(error, PartnerFailed | IheError):
            log.error("asking a partner failed: %s", type(error).__name__)
        outcome = _outcome(error)
        visit.remarks.append(explain(error))
    await visit.save(outcome=outcome, detail=visit.detail)


def _outcome(error: Exception) -> PartnerOutcome:
    if isinstance(error, PartnerLate):
        return "late"
    return "refused" if is_refusal(error) else "failed"


async def _ask(visit: Visit) -> PartnerOutcome:
    address = visit.partner.endpoints.iti55
    if address is None:
        visit.remarks.append("it has no address for patient discovery")
        return "not_asked"
    found = await discover(visit, address)
    held = [link for link in found if link.state == "held"]
    visit.remarks.extend(link.detail or "a match is held for a person to decide" for link in held)
    confirmed = [link for link in found if link.state == "confirmed"]
    if confirmed:
        await _fetch_all(visit, confirmed)
        return "matched"
    if held:
        return "held"
    if found:
        visit.remarks.append("it returned someone else")
    return "no_match"


async def _fetch_all(visit: Visit, confirmed: Iterable[Link]) -> None:
    """The documents of each patient id; one that cannot be had does not cost the others."""
    failures: list[PartnerFailed | IheError] = []
    for link in confirmed:
        try:
            await fetch(visit, link)
        except PartnerLate as late:  # its time is used up for every other id, too
            failures.insert(0, late)
            break
        except (PartnerFailed, IheError) as error:
            failures.append(error)
    if missing := visit.progress.documents_missing:
        visit.remarks.insert(0, f"partial: {missing} missing")
    if failures:
        raise failures[0]
