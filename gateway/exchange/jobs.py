"""What is to be done later, and again: maps a job's kind to its verb (DECISIONS 27).

Nothing in exchange imports this; verbs enqueue, and whoever runs jobs calls `perform`.
"""

from collections.abc import Awaitable, Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Final

from gateway.clients.soap_client import SoapClient
from gateway.exchange.archive import Archive
from gateway.exchange.asking import Asking, explain
from gateway.exchange.initiate import ask_partners
from gateway.exchange.policy import Refused, may_ask
from gateway.model.community import Community
from gateway.model.identity import PlanId, RetrievalId
from gateway.model.job import Job
from gateway.model.member import Member, Plan
from gateway.model.partner import Partner
from gateway.model.purpose import PurposeOfUse
from gateway.model.retrieval import RETRIEVE, PartnerOutcome, PartnerProgress, Retrieval
from gateway.store import members, partners, retrievals
from gateway.store.database import Transaction
from gateway.store.errors import StoreUnavailable
from gateway.store.job_queue import PermanentFailure

_ENDED: Final = frozenset({"done", "partial", "failed", "cancelled"})


@dataclass(frozen=True, slots=True)
class JobMeans:
    """What jobs work with."""

    archive: Archive
    client: SoapClient
    community: Community
    plans: tuple[Plan, ...]


async def perform(job: Job, means: JobMeans) -> None:
    """Does the job; doing it again after a crash changes nothing that was done.

    Raises:
        PermanentFailure: trying again will not help.
    """
    verb = _VERBS.get(job.kind)
    if verb is None:
        raise PermanentFailure(f"no verb for jobs of kind {job.kind}")
    try:
        await verb(job, means)
    except Exception as error:
        is_permanent = isinstance(error, PermanentFailure)
        if is_permanent or not job.attempts_left:
            await _give_up(job, means, str(error) if is_permanent else explain(error))
        raise


async def _give_up(job: Job, means: JobMeans, reason: str) -> None:
    """Nobody does the job any more: what waits for its retrieval hears so."""
    if job.plan is None:
        return
    plan, retrieval_id = job.plan, RetrievalId(job.payload["retrieval"])

    def unit(transaction: Transaction) -> None:
        retrieval = retrievals.get(transaction, plan=plan, retrieval=retrieval_id)
        if retrieval is not None and retrieval.state not in _ENDED:
            asked = partners.list_all(transaction, plan=plan)
            _end(transaction, retrieval, asked, "failed", f"the retrieval was given up: {reason}")

    with suppress(StoreUnavailable):  # it is what failed; the job's own error is raised
        await means.archive.database.write_async(unit)


async def _retrieve(job: Job, means: JobMeans) -> None:
    plan = next((plan for plan in means.plans if plan.id == job.plan), None)
    if plan is None:
        raise PermanentFailure("its plan is no longer served here")
    found = await means.archive.database.read_async(
        lambda tx: _subject(tx, plan.id, RetrievalId(job.payload["retrieval"]))
    )
    if found is None:
        raise PermanentFailure("its retrieval or member is gone")
    retrieval, member, asked = found
    if retrieval.state in _ENDED:
        return  # it was done when its worker died, before the queue heard of it
    verdict = may_ask(
        member,
        purpose=PurposeOfUse.parse(retrieval.purpose),
        requester=retrieval.requester.person,
        treatment_agreed=plan.treatment_agreement is not None,
        on=datetime.now(UTC).date(),
    )
    if isinstance(verdict, Refused):
        # Coverage ended or the member opted out since it was accepted (DECISIONS 9).
        reason = verdict.reason
        await means.archive.database.write_async(
            lambda tx: _end(tx, retrieval, asked, "not_asked", reason)
        )
        return
    asking = Asking(means.archive, means.client, means.community, plan, member, retrieval)
    await ask_partners(asking, asked)


def _subject(
    transaction: Transaction, plan: PlanId, retrieval_id: RetrievalId
) -> tuple[Retrieval, Member, tuple[Partner, ...]] | None:
    retrieval = retrievals.get(transaction, plan=plan, retrieval=retrieval_id)
    if retrieval is None:
        return None
    member = members.get(transaction, plan=plan, member=retrieval.member)
    if member is None:
        return None
    return retrieval, member, partners.list_all(transaction, plan=plan)


def _end(
    transaction: Transaction,
    retrieval: Retrieval,
    asked: Iterable[Partner],
    outcome: PartnerOutcome,
    detail: str,
) -> None:
    """The retrieval ends here, for all partners that have not answered with this outcome."""
    known = {one.partner: one for one in retrieval.partners}
    waiting = {one.id: PartnerProgress(one.id, one.name) for one in asked} | known
    for progress in waiting.values():
        if progress.outcome is None:
            retrievals.put_progress(
                transaction,
                plan=retrieval.plan,
                retrieval=retrieval.id,
                progress=replace(progress, outcome=outcome, detail=detail),
            )
    retrievals.set_state(
        transaction,
        plan=retrieval.plan,
        retrieval=retrieval.id,
        state="failed",
        finished=datetime.now(UTC),
    )


_VERBS: Final[Mapping[str, Callable[[Job, JobMeans], Awaitable[None]]]] = {RETRIEVE: _retrieve}
