"""What is to be done later, and again: maps a job's kind to its verb (DECISIONS 27).

Nothing in exchange imports this; verbs enqueue, and whoever runs jobs calls `perform`.
"""

from collections.abc import Awaitable, Callable, Container, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Final

from gateway.clients.fetch import Fetcher
from gateway.clients.soap_client import SoapClient
from gateway.exchange.archive import Archive
from gateway.exchange.asking import Asking, explain, is_refusal
from gateway.exchange.asking_others import ask_others
from gateway.exchange.bringing import bring_result
from gateway.exchange.delivering import Answering, deliver, in_turn_with_asker
from gateway.exchange.direct_bundles import refresh_bundle
from gateway.exchange.direct_mail import receive_mail
from gateway.exchange.direct_means import DirectMeans
from gateway.exchange.giving_up import ENDED, end_parts, give_up, in_force
from gateway.exchange.initiate import GoOn, ask_partners
from gateway.exchange.mail_delivering import NotDelivered, deliver_mail, watch_mail
from gateway.exchange.mail_failing import report_failure
from gateway.exchange.mail_forwarding import forward_summaries
from gateway.exchange.policy import Refused, may_ask
from gateway.exchange.submitting import (
    NotSubmitted,
    SubmitMeans,
    is_answered,
    refuse_submission,
    submit_in_turn,
)
from gateway.exchange.summaries import renew_summary
from gateway.model.community import Community
from gateway.model.direct_anchors import REFRESH_BUNDLE
from gateway.model.exchange import Exchange
from gateway.model.identity import MailId, MemberId, PartnerId, PlanId, RetrievalId
from gateway.model.job import Job
from gateway.model.later import BRING_RESULT, DELIVER, GO_ON, RENEW_SUMMARY
from gateway.model.member import Member, Plan
from gateway.model.partner import Partner
from gateway.model.purpose import PurposeOfUse
from gateway.model.received_mail import MAIL_RECEIVE
from gateway.model.retrieval import RETRIEVE, Retrieval
from gateway.model.sent_mail import MAIL_FORWARD, MAIL_REPORT, MAIL_SEND, MAIL_WATCH
from gateway.model.submission import SUBMIT, Submission
from gateway.store import exchange_log, members, retrievals
from gateway.store.database import Transaction
from gateway.store.errors import StoreUnavailable
from gateway.store.job_port import PutOff
from gateway.store.job_queue import JobQueue, PermanentFailure
from gateway.store.values import load
from ihe.errors import SoapFault

_NONE: Final[Mapping[str, str]] = {}


@dataclass(frozen=True, slots=True)
class JobMeans:
    """What jobs work with. `replies_at` is where partners reach our doors, if that is set."""

    archive: Archive
    client: SoapClient | None
    """None where the settings have no keys to ask partners with."""
    community: Community
    plans: tuple[Plan, ...]
    queue: JobQueue
    replies_at: str | None = None
    fetcher: Fetcher = field(default_factory=Fetcher)
    direct: DirectMeans | None = None
    """None where the settings have no [mail]."""


async def perform(job: Job, means: JobMeans) -> None:
    """Does the job; doing it again after a crash changes nothing that was done.

    Raises:
        PermanentFailure: trying again will not help.
    """
    if job.is_worn_out:
        return await _give_up(job, means, "its process died at the last attempt")
    verb = _VERBS.get(job.kind)
    if verb is None:
        raise PermanentFailure(f"no verb for jobs of kind {job.kind}")
    try:
        await verb(job, means)
    except PutOff:
        raise  # it has not failed, and is not given up
    except Exception as error:
        if isinstance(error, PermanentFailure) or not job.attempts_left:
            is_told = isinstance(error, PermanentFailure | NotDelivered)
            each = error.each if isinstance(error, NotDelivered) else _NONE
            await _give_up(job, means, str(error) if is_told else explain(error), each)
        raise


async def _give_up(job: Job, means: JobMeans, reason: str, each: Mapping[str, str] = _NONE) -> None:
    with suppress(StoreUnavailable):  # it is what failed; the job's own error is raised
        await means.archive.database.write_async(
            lambda tx: give_up(tx, means.queue, job, reason, each, now=datetime.now(UTC))
        )


async def _retrieve(job: Job, means: JobMeans) -> None:
    """Asks every partner that has not answered."""
    await _ask(job, means, None)


async def _go_on(job: Job, means: JobMeans) -> None:
    """Goes on with one partner's part: its answer has come, or its time is over."""
    await _ask(job, means, PartnerId(job.payload["partner"]))


async def _ask(job: Job, means: JobMeans, only: PartnerId | None) -> None:
    plan = next((plan for plan in means.plans if plan.id == job.plan), None)
    if plan is None:
        raise PermanentFailure("its plan is no longer served here")
    found = await means.archive.database.read_async(
        lambda tx: _subject(tx, plan.id, RetrievalId(job.payload["retrieval"]))
    )
    if found is None:
        raise PermanentFailure("its retrieval or member is gone")
    retrieval, member, asked = found
    if retrieval.state in ENDED:
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
        await means.archive.database.write_async(lambda tx: _refuse(tx, retrieval, asked, reason))
        return
    await _end_the_gone(means, retrieval, asked)
    asking = Asking(
        means.archive, _client(means), means.community, plan, member, retrieval, means.replies_at
    )
    left = {one.partner for one in retrieval.partners if one.step == "left"}
    waiting = await ask_partners(asking, [one for one in asked if _is_asked(one, only, left)])
    if waiting:
        await means.archive.database.write_async(
            lambda tx: _come_back(tx, means.queue, retrieval, waiting)
        )


def _is_asked(partner: Partner, only: PartnerId | None, left: Container[PartnerId]) -> bool:
    """With the part that is gone on with, those that wait for what it may have told (ITI-56), or
    have left something to it."""
    waits = partner.profile.only_where_located or partner.id in left
    return waits or only in (None, partner.id)


def _come_back(
    transaction: Transaction, queue: JobQueue, retrieval: Retrieval, waiting: Iterable[GoOn]
) -> None:
    """When nothing has come by then, each of these parts hears that its time is over."""
    for one in waiting:
        queue.enqueue(
            transaction,
            kind=GO_ON,
            plan=retrieval.plan,
            payload={"retrieval": retrieval.id, "partner": one.partner},
            idempotency_key=f"{retrieval.id} {one.partner} {one.at.isoformat()}",
            run_at=one.at,
        )


async def _end_the_gone(means: JobMeans, retrieval: Retrieval, asked: Iterable[Partner]) -> None:
    """Who was taken out of the directory meanwhile does not answer any more."""
    listed = {partner.id for partner in asked}
    gone = [one for one in retrieval.partners if one.outcome is None and one.partner not in listed]

    def unit(transaction: Transaction) -> None:
        for progress in gone:
            ended = replace(progress, outcome="failed", detail="it is no longer in the directory")
            retrievals.put_progress(
                transaction, plan=retrieval.plan, retrieval=retrieval.id, progress=ended
            )

    if gone:
        await means.archive.database.write_async(unit)


def _subject(
    transaction: Transaction, plan: PlanId, retrieval_id: RetrievalId
) -> tuple[Retrieval, Member, tuple[Partner, ...]] | None:
    retrieval = retrievals.get(transaction, plan=plan, retrieval=retrieval_id)
    if retrieval is None:
        return None
    member = members.get(transaction, plan=plan, member=retrieval.member)
    if member is None:
        return None
    return retrieval, member, in_force(transaction, plan)


def _refuse(
    transaction: Transaction, retrieval: Retrieval, asked: Iterable[Partner], reason: str
) -> None:
    """Nobody is asked, and the decision is on record: its order was accepted."""
    end_parts(transaction, retrieval, asked, "not_asked", reason)
    record = Exchange(
        time=datetime.now(UTC),
        direction="in",
        transaction="RETRIEVAL",
        outcome="refused",
        plan=retrieval.plan,
        person=retrieval.requester.person,
        role=retrieval.requester.role,
        purpose=retrieval.purpose,
        authority=retrieval.requester.authority,
        member=retrieval.member,
        reason=reason,
        conversation=retrieval.conversation,
    )
    exchange_log.append(transaction, record)


async def _deliver(job: Job, means: JobMeans) -> None:
    """Brings an answer of ours to the partner that waits for it."""
    answering, answer = _answering(means), job.payload["answer"]
    async with in_turn_with_asker(answering, answer):
        await deliver(answering, answer)


async def _bring_result(job: Job, means: JobMeans) -> None:
    """Brings the result of a deferred question to who has asked it."""
    answering, answer = _answering(means), job.payload["answer"]
    async with in_turn_with_asker(answering, answer):
        await bring_result(answering, answer)


def _answering(means: JobMeans) -> Answering:
    return Answering(means.archive, _client(means), means.community, means.plans)


def _client(means: JobMeans) -> SoapClient:
    if means.client is None:
        raise PermanentFailure("there is no [tls] and [signing] to speak to partners with")
    return means.client


async def _receive_mail(job: Job, means: JobMeans) -> None:
    """Judges a spooled message, files what is in it, and answers it."""
    plan, direct = _post(job, means)
    await receive_mail(direct, plan, MailId(job.payload["message"]))


async def _send_mail(job: Job, means: JobMeans) -> None:
    """Hands a message over to its recipients of one domain."""
    plan, direct = _post(job, means)
    await deliver_mail(direct, plan, MailId(job.payload["message"]), job.payload["domain"])


async def _watch_mail(job: Job, means: JobMeans) -> None:
    """Reports a recipient from whom no notice came in time."""
    plan, direct = _post(job, means)
    await watch_mail(direct, plan, MailId(job.payload["message"]), job.payload["address"])


async def _report_mail(job: Job, means: JobMeans) -> None:
    """Tells a sender that a recipient will not get its message."""
    plan, direct = _post(job, means)
    await report_failure(direct, plan, MailId(job.payload["message"]), job.payload["address"])


async def _forward_mail(job: Job, means: JobMeans) -> None:
    """Sends what is new of the members of a rule."""
    plan, direct = _post(job, means)
    await forward_summaries(direct, plan, job.payload["rule"])


def _post(job: Job, means: JobMeans) -> tuple[PlanId, DirectMeans]:
    if means.direct is None or job.plan is None:
        raise PermanentFailure("there is no [mail] in the settings any more")
    return job.plan, means.direct


async def _submit(job: Job, means: JobMeans) -> None:
    """Sends a submission. One that was answered is not sent again; its record says so."""
    given = load(Submission, job.payload["submission"])
    house = SubmitMeans(means.archive, _client(means), means.community, means.plans)
    if await means.archive.database.read_async(lambda tx: is_answered(tx, given)):
        return
    try:
        await submit_in_turn(house, given)
    except NotSubmitted as refusal:
        reason = str(refusal)
        await means.archive.database.write_async(lambda tx: refuse_submission(tx, given, reason))
        raise PermanentFailure(reason) from None
    except SoapFault as fault:
        if is_refusal(fault):
            raise PermanentFailure(explain(fault)) from None
        raise


async def _renew_summary(job: Job, means: JobMeans) -> None:
    """Merges what took more than the message that brought it may take."""
    plan, member, now = job.plan, MemberId(job.payload["member"]), datetime.now(UTC)
    if plan is None:
        raise PermanentFailure("it names no plan")
    await means.archive.database.write_async(
        lambda tx: renew_summary(tx, plan=plan, member=member, now=now)
    )


async def _refresh_bundle(job: Job, means: JobMeans) -> None:
    """Fetches a trust bundle anew. One that fails is tried again at its next time."""
    database, name = means.archive.database, job.payload["bundle"]
    await ask_others("mail", refresh_bundle, database, means.fetcher, name)


_VERBS: Final[Mapping[str, Callable[[Job, JobMeans], Awaitable[None]]]] = {
    RETRIEVE: _retrieve,
    GO_ON: _go_on,
    DELIVER: _deliver,
    BRING_RESULT: _bring_result,
    MAIL_RECEIVE: _receive_mail,
    MAIL_SEND: _send_mail,
    MAIL_WATCH: _watch_mail,
    MAIL_REPORT: _report_mail,
    MAIL_FORWARD: _forward_mail,
    REFRESH_BUNDLE: _refresh_bundle,
    SUBMIT: _submit,
    RENEW_SUMMARY: _renew_summary,
}
