"""Direct in: a spooled message is opened, judged, taken apart, filed, and answered.

Strategy: a message is the same whichever door it came by. Nothing that it says is believed before
its signature is checked and its signer is trusted for the recipient's domain; until then it lies
in quarantine, no notice is sent, and nobody outside learns why (RFC 3218, EFAIL). What is trusted
ends in one transaction: documents in the index, notices in the outbox, the message's state with
its verdict, and the record DIRECT-RECEIVE. A refused message is run again when asked for; a job
that runs twice finds the message settled.
"""

import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Final

import orjson

from direct.errors import DirectError, NotEncrypted, NotForUs
from gateway.exchange.direct_means import DirectMeans
from gateway.exchange.ingest import Ingested, ingest
from gateway.exchange.mail_attachments import keep_attachments, misplaced
from gateway.exchange.mail_contents import Contents, take_documents
from gateway.exchange.mail_delivering import enqueue_message
from gateway.exchange.mail_hearing import entitled, failures_on_the_way, hear_report
from gateway.exchange.mail_judging import Judged, judge_signers
from gateway.exchange.mail_letter import Letter, open_letter, read_letter
from gateway.exchange.mail_looking import key_pairs
from gateway.exchange.mail_notifying import answers_to, write_answers
from gateway.exchange.mail_reports import Report
from gateway.exchange.mail_sealing import OpenedMail
from gateway.exchange.mail_verdict import verdict_form
from gateway.exchange.worker_messages import Aside
from gateway.exchange.workers import Budget, WorkerFailed
from gateway.model.document import Source
from gateway.model.exchange import Exchange, Outcome
from gateway.model.identity import ConversationId, DocumentId, MailId, MemberId, PlanId
from gateway.model.member import Plan
from gateway.model.partner import Partner
from gateway.model.received_mail import MailState, ReceivedMail
from gateway.store import direct_keys, exchange_log, mail_received, partners
from gateway.store.database import Transaction
from gateway.store.job_queue import PermanentFailure

TRANSACTION: Final = "DIRECT-RECEIVE"
_TOO_MUCH: Final = "opening it took more time or memory than is allowed"
_LONGEST_REASON: Final = 500


@dataclass(frozen=True, slots=True)
class _Refused:
    """Why the message goes to quarantine, and how far it was opened."""

    reason: str
    opened: OpenedMail | None = None
    letter: Letter | None = None
    judged: tuple[Judged, ...] = ()


@dataclass(frozen=True, slots=True)
class _Trusted:
    """A message whose signer is trusted for `recipients`; `opened` and `content`, what was signed,
    are None from a HISP."""

    letter: Letter
    opened: OpenedMail | None
    judged: tuple[Judged, ...]
    recipients: tuple[str, ...]
    content: Aside | None = None


async def receive_mail(means: DirectMeans, plan_id: PlanId, message: MailId) -> None:
    """Deals with the message, unless that was done.

    Raises:
        PermanentFailure: the plan or the message is gone.
    """
    started = time.monotonic()
    mail = await means.archive.database.read_async(
        lambda tx: mail_received.get(tx, plan=plan_id, message=message)
    )
    plan = means.plan(plan_id)
    if mail is None or plan is None:
        raise PermanentFailure("its message or its plan is gone")
    if mail.state not in ("spooled", "judged"):
        return
    budget = means.budget()
    with ExitStack() as kept:
        found = await _judged(means, mail, budget, kept)
        if isinstance(found, _Refused):
            await _quarantine(means, mail, found)
        elif found.letter.report is not None:
            await _take_report(means, mail, found, started)
        else:
            await _take_content(means, mail, plan, found, budget, started)


# ---- opening and judging ---------------------------------------------------------------------


async def _judged(
    means: DirectMeans, mail: ReceivedMail, budget: Budget, kept: ExitStack
) -> _Trusted | _Refused:
    """`kept` will close the content that it finds."""
    try:
        if means.mode == "hisp":
            return await _from_hisp(means, mail, budget)
        opened, letter, content = await _open(means, mail, budget)
    except DirectError as error:
        not_encrypted = isinstance(error, NotEncrypted)
        bounce = await _bounce(means, mail, budget) if not_encrypted else None
        return bounce or _Refused(error.reason)
    except WorkerFailed as failure:
        if failure.reason == "closed":  # we are stopping: it says nothing about the message
            raise
        return _Refused(_TOO_MUCH if failure.reason != "error" else "opening it failed")
    kept.enter_context(content)
    now = means.clock()
    judged = await judge_signers(
        means, opened, address=letter.from_, recipients=mail.rcpt_to, now=now
    )
    trusted = tuple(one.recipient for one in judged if one.trusted)
    if not trusted:
        reasons = dict.fromkeys(reason for one in judged for reason in one.verdict.reasons)
        return _Refused("; ".join(reasons), opened, letter, judged)
    return _Trusted(letter, opened, judged, trusted, content)


async def _open(
    means: DirectMeans, mail: ReceivedMail, budget: Budget
) -> tuple[OpenedMail, Letter, Aside]:
    """
    Raises:
        DirectError: it does not open, or none of our keys is for it.
    """
    keys = await means.archive.database.read_async(
        lambda tx: direct_keys.of_addresses(tx, plan=mail.plan, addresses=mail.rcpt_to)
    )
    if not keys:
        raise NotForUs("we have no key for any of its recipients")
    pairs = key_pairs(means, keys)
    (opened, letter), content = await means.opening.run_within(
        budget, open_letter, pairs, mail.rcpt_to, mail.mail_from, content=_raw(means, mail)
    )
    return opened, letter, content


def _raw(means: DirectMeans, mail: ReceivedMail) -> Iterator[bytes]:
    """Its bytes as they came, in pieces: they go to a worker, and are never held here."""
    return means.archive.chunks(mail.plan, mail.blob)


async def _read(means: DirectMeans, mail: ReceivedMail, budget: Budget) -> Letter:
    """
    Raises:
        DirectError: it cannot be read as it came.
    """
    letter: Letter = await means.opening.run_within(
        budget, read_letter, mail.rcpt_to, mail.mail_from, content=_raw(means, mail)
    )
    return letter


async def _bounce(means: DirectMeans, mail: ReceivedMail, budget: Budget) -> _Trusted | None:
    """A mail server's own report that it could not deliver, which no server signs.

    It may only make known that a message of ours failed on its way, while nobody has signed
    anything about it yet: whoever names our unguessable Message-ID stood on that way.
    """
    if mail.mail_from != "":
        return None
    try:
        letter = await _read(means, mail, budget)
    except DirectError:
        return None
    told = await means.archive.database.read_async(lambda tx: failures_on_the_way(tx, letter, mail))
    if not told:
        return None
    return _Trusted(replace(letter, report=Report(told)), None, (), ())


async def _from_hisp(means: DirectMeans, mail: ReceivedMail, budget: Budget) -> _Trusted:
    """Our HISP has opened and judged it; that it was our HISP, the door has made sure of."""
    return _Trusted(await _read(means, mail, budget), None, (), mail.rcpt_to)


# ---- how it ends -----------------------------------------------------------------------------


async def _quarantine(means: DirectMeans, mail: ReceivedMail, refused: _Refused) -> None:
    """Kept and explained; a stranger's message makes no notice, and is counted (DECISIONS 17)."""
    now = means.clock()
    form = verdict_form(refused.letter, refused.opened, refused.judged, at=now)
    sealed = _seal(means, mail, form)
    reason = refused.reason[:_LONGEST_REASON]

    def unit(transaction: Transaction) -> None:
        if not _is_waiting(transaction, mail):
            return
        mail_received.settle(
            transaction,
            plan=mail.plan,
            message=mail.id,
            state="quarantined",
            reason=reason,
            now=now,
            verdict=sealed,
        )
        refusal = replace(_record(mail, None, now), outcome="refused", reason=reason)
        exchange_log.count_refusal(transaction, replace(refusal, conversation=None))

    await means.archive.database.write_async(unit)


async def _take_report(
    means: DirectMeans, mail: ReceivedMail, trusted: _Trusted, started: float
) -> None:
    """A notice: it moves what it is about, and is never answered (RFC 8098: 3)."""
    now = means.clock()
    told = await entitled(means, trusted.letter, trusted.opened, mail, now)
    verdict = _verdict(means, mail, trusted, now)

    def unit(transaction: Transaction) -> None:
        if _is_waiting(transaction, mail):
            done = hear_report(transaction, means, trusted.letter, told, mail, now=now)
            settled = _Settled("notice", done)
            _settle(transaction, mail, trusted, settled, verdict, now=now, started=started)

    await means.archive.database.write_async(unit)


async def _take_content(
    means: DirectMeans,
    mail: ReceivedMail,
    plan: Plan,
    trusted: _Trusted,
    budget: Budget,
    started: float,
) -> None:
    contents = await take_documents(
        means.archive,
        means.opening,
        trusted.content or _raw(means, mail),
        trusted.letter,
        plan=plan,
        budget=budget,
    )
    now = means.clock()
    answers = answers_to(means, trusted.letter, trusted.recipients, failure=contents.failure)
    written = await write_answers(means, mail, trusted.letter, answers, now=now)
    verdict = _verdict(means, mail, trusted, now)

    def unit(transaction: Transaction) -> None:
        if not _is_waiting(transaction, mail):
            return
        if not _claim(transaction, mail, trusted):
            settled = _Settled("duplicate", "the same message came before")
        else:
            settled = _settled(trusted, _filed(transaction, means, mail, plan, trusted, contents))
            for answer in written:
                enqueue_message(transaction, means.queue, answer)
        _settle(transaction, mail, trusted, settled, verdict, now=now, started=started)

    await means.archive.database.write_async(unit)


def _is_waiting(transaction: Transaction, mail: ReceivedMail) -> bool:
    """Whether nobody has settled it meanwhile: a job may run twice at once."""
    now = mail_received.get(transaction, plan=mail.plan, message=mail.id)
    return now is not None and now.state in ("spooled", "judged")


def _claim(transaction: Transaction, mail: ReceivedMail, trusted: _Trusted) -> bool:
    """Whether it is new: the same signer's message of that id came to none of these before."""
    message_id = trusted.letter.message_id
    if message_id is None:
        return True
    signer = trusted.judged[0].signer.certificate.hex() if trusted.judged else mail.peer
    owners = [
        mail_received.claim(
            transaction,
            plan=mail.plan,
            key=f"{signer} {message_id} {recipient.lower()}",
            message=mail.id,
        )
        for recipient in trusted.recipients
    ]
    return any(owner == mail.id for owner in owners)


@dataclass(frozen=True, slots=True)
class _Filed:
    """What became of the documents, and what else is to be said."""

    done: tuple[Ingested, ...]
    problems: tuple[str, ...]
    failure: str | None


def _filed(
    transaction: Transaction,
    means: DirectMeans,
    mail: ReceivedMail,
    plan: Plan,
    trusted: _Trusted,
    contents: Contents,
) -> _Filed:
    now, source = means.clock(), _source(transaction, mail, trusted)
    received = [replace(one, source=source) for one in contents.received]
    done = ingest(transaction, received, plan=plan, community=means.community, now=now)
    kept = keep_attachments(transaction, contents.attachments, done, source, plan=plan, now=now)
    problems = (*contents.problems, *misplaced(kept, done))
    return _Filed((*done, *kept), problems, contents.failure)


def _source(transaction: Transaction, mail: ReceivedMail, trusted: _Trusted) -> Source:
    """Whom it came from: a partner if its domain is one's of the directory."""
    partner = _partner(transaction, mail.plan, trusted.letter.from_)
    if partner is None:
        return Source("DIRECT", partner_name=trusted.letter.from_)
    return Source(
        "DIRECT",
        partner=partner.id,
        partner_name=partner.name,
        home_community_id=str(partner.home_community_id),
    )


def _partner(transaction: Transaction, plan: PlanId, address: str) -> Partner | None:
    domain = address.rpartition("@")[2].lower()
    known = partners.list_all(transaction, plan=plan)
    return next(
        (one for one in known if (one.endpoints.direct_domain or "").lower() == domain), None
    )


@dataclass(frozen=True, slots=True)
class _Settled:
    """How the message ends."""

    state: MailState
    reason: str | None
    outcome: Outcome = "success"
    done: tuple[Ingested, ...] = ()


def _settled(trusted: _Trusted, filed: _Filed) -> _Settled:
    done = filed.done
    if filed.failure is not None:
        return _Settled("quarantined", filed.failure, "failed", done)
    outcome: Outcome = "partial" if len(trusted.recipients) < len(trusted.judged) else "success"
    held = [one for one in done if one.document.state in ("held", "quarantined")]
    said = [*(one.document.reason or "" for one in held), *filed.problems]
    reason = "; ".join(dict.fromkeys(said))[:_LONGEST_REASON] or None
    if held:
        return _Settled("held", reason, outcome, done)
    return _Settled("filed", reason if done else reason or "it holds no document", outcome, done)


def _settle(
    transaction: Transaction,
    mail: ReceivedMail,
    trusted: _Trusted,
    settled: _Settled,
    verdict: mail_received.SealedVerdict,
    *,
    now: datetime,
    started: float,
) -> None:
    """The message's state with its verdict, and the records; one a member (DECISIONS 16)."""
    mail_received.settle(
        transaction,
        plan=mail.plan,
        message=mail.id,
        state=settled.state,
        reason=settled.reason,
        now=now,
        verdict=verdict,
    )
    partner = _partner(transaction, mail.plan, trusted.letter.from_)
    record = replace(
        _record(mail, trusted.letter, now),
        outcome=settled.outcome,
        reason=settled.reason,
        partner=None if partner is None else partner.id,
        duration_ms=round((time.monotonic() - started) * 1000),
    )
    by_member: dict[MemberId | None, list[DocumentId]] = {}
    for one in settled.done:
        by_member.setdefault(one.document.member, []).append(one.document.id)
    for member, ids in (by_member or {None: []}).items():
        exchange_log.append(transaction, replace(record, member=member, documents=tuple(ids)))


def _record(mail: ReceivedMail, letter: Letter | None, now: datetime) -> Exchange:
    return Exchange(
        time=now,
        direction="in",
        transaction=TRANSACTION,
        outcome="success",
        plan=mail.plan,
        peer=mail.peer if letter is None else letter.from_,
        conversation=ConversationId(mail.id),
        message_id=None if letter is None else letter.message_id,
        request_hash=mail.blob.sha256,
    )


def _verdict(
    means: DirectMeans, mail: ReceivedMail, trusted: _Trusted, now: datetime
) -> mail_received.SealedVerdict:
    return _seal(means, mail, verdict_form(trusted.letter, trusted.opened, trusted.judged, at=now))


def _seal(
    means: DirectMeans, mail: ReceivedMail, form: Mapping[str, Any]
) -> mail_received.SealedVerdict:
    keys = means.archive.blobs.keys
    return mail_received.seal_verdict(keys, orjson.dumps(form), plan=mail.plan, message=mail.id)
