"""Nobody does a job any more: what waits for it hears so, and why."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Final

from gateway.exchange.awaiting import abandon
from gateway.exchange.delivering import give_up_delivery
from gateway.exchange.initiate import end_if_all_have
from gateway.exchange.mail_delivering import give_up_mail
from gateway.exchange.mail_unjudged import give_up_received
from gateway.exchange.submitting import give_up_submission
from gateway.model.identity import MailId, PartnerId, PlanId, RetrievalId
from gateway.model.job import Job
from gateway.model.later import BRING_RESULT, DELIVER, GO_ON
from gateway.model.partner import Partner
from gateway.model.received_mail import MAIL_RECEIVE
from gateway.model.retrieval import RETRIEVE, PartnerOutcome, PartnerProgress, Retrieval
from gateway.model.sent_mail import MAIL_SEND
from gateway.model.submission import SUBMIT, Submission
from gateway.store import partners, retrievals
from gateway.store.database import Transaction
from gateway.store.job_queue import JobQueue
from gateway.store.values import load

ENDED: Final = frozenset({"done", "partial", "failed", "cancelled"})
"""States of a retrieval in which nobody asks any more."""


@dataclass(frozen=True, slots=True)
class _Ending:
    """A job that is given up."""

    queue: JobQueue
    job: Job
    reason: str
    each: Mapping[str, str]
    now: datetime


def give_up(
    transaction: Transaction,
    queue: JobQueue,
    job: Job,
    reason: str,
    each: Mapping[str, str],
    *,
    now: datetime,
) -> None:
    """Ends what the job was for, a recipient's part for what `each` says of its address; of kinds
    that nobody waits for, nothing."""
    end = _ENDS.get(job.kind)
    if end is not None:
        end(transaction, _Ending(queue, job, reason, each, now))


def _answer(transaction: Transaction, ending: _Ending) -> None:
    give_up_delivery(transaction, ending.job.payload["answer"], ending.reason)


def _message(transaction: Transaction, ending: _Ending) -> None:
    plan, payload = ending.job.plan, ending.job.payload
    if plan is not None:
        give_up_mail(
            transaction,
            ending.queue,
            plan,
            MailId(payload["message"]),
            payload["domain"],
            reason=ending.reason,
            each=ending.each,
            now=ending.now,
        )


def _received(transaction: Transaction, ending: _Ending) -> None:
    plan = ending.job.plan
    if plan is not None:
        give_up_received(transaction, plan, MailId(ending.job.payload["message"]), now=ending.now)


def _submission(transaction: Transaction, ending: _Ending) -> None:
    given = load(Submission, ending.job.payload["submission"])
    give_up_submission(
        transaction, given, ending.reason, is_known=not ending.job.is_worn_out, now=ending.now
    )


def _retrieval(transaction: Transaction, ending: _Ending) -> None:
    plan, payload = ending.job.plan, ending.job.payload
    if plan is None:
        return
    retrieval = retrievals.get(transaction, plan=plan, retrieval=RetrievalId(payload["retrieval"]))
    if retrieval is None or retrieval.state in ENDED:
        return
    one = payload.get("partner")
    end_parts(
        transaction,
        retrieval,
        [partner for partner in in_force(transaction, plan) if one in (None, partner.id)],
        "failed",
        f"the retrieval was given up: {ending.reason}",
        only=None if one is None else PartnerId(one),
    )


_ENDS: Final[Mapping[str, Callable[[Transaction, _Ending], None]]] = {
    RETRIEVE: _retrieval,
    GO_ON: _retrieval,
    DELIVER: _answer,
    BRING_RESULT: _answer,
    SUBMIT: _submission,
    MAIL_SEND: _message,
    MAIL_RECEIVE: _received,
}


# ---- a retrieval -----------------------------------------------------------------------------


def in_force(transaction: Transaction, plan: PlanId) -> tuple[Partner, ...]:
    """The plan's partners but those that have left their network."""
    listed = partners.list_all(transaction, plan=plan)
    return tuple(one for one in listed if not one.profile.retired)


def end_parts(
    transaction: Transaction,
    retrieval: Retrieval,
    asked: Iterable[Partner],
    outcome: PartnerOutcome,
    detail: str,
    *,
    only: PartnerId | None = None,
) -> None:
    """All partners that have not answered (or one of them) end here with this outcome; with the
    last of them the retrieval."""
    known = {one.partner: one for one in retrieval.partners}
    waiting = {one.id: PartnerProgress(one.id, one.name) for one in asked} | known
    for progress in waiting.values():
        if progress.outcome is None and only in (None, progress.partner):
            abandon(
                transaction,
                plan=retrieval.plan,
                retrieval=retrieval.id,
                visited=progress.partner,
            )
            retrievals.put_progress(
                transaction,
                plan=retrieval.plan,
                retrieval=retrieval.id,
                progress=replace(progress, outcome=outcome, detail=detail),
            )
    if only is None:
        retrievals.set_state(
            transaction,
            plan=retrieval.plan,
            retrieval=retrieval.id,
            state="failed",
            finished=datetime.now(UTC),
        )
    else:
        end_if_all_have(transaction, plan=retrieval.plan, retrieval_id=retrieval.id)
