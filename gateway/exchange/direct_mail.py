"""Direct in: a spooled message is opened, judged, taken apart, filed, and answered.

Strategy: a message is the same whichever door it came by. Nothing that it says is believed before
its signature is checked and its signer is trusted for the recipient's domain; until then it lies
in quarantine, no notice is sent, and nobody outside learns why (RFC 3218, EFAIL). What is trusted
ends in one transaction: documents in the index, notices in the outbox, the message's state with
its verdict, and the record DIRECT-RECEIVE. A refused message is run again when asked for; a job
that runs twice finds the message settled.
"""

import time
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Final

import orjson

from gateway.exchange.direct_means import DirectMeans, Opening
from gateway.exchange.ingest import Ingested, ingest
from gateway.exchange.mail_attachments import keep_attachments, misplaced, told_of
from gateway.exchange.mail_contents import Contents, take_documents
from gateway.exchange.mail_delivering import enqueue_message
from gateway.exchange.mail_hearing import entitled, hear_report
from gateway.exchange.mail_letter import Letter
from gateway.exchange.mail_notifying import answers_to, write_answers
from gateway.exchange.mail_opening import Refused, Trusted, judge_mail, raw_pieces
from gateway.exchange.mail_verdict import verdict_form
from gateway.exchange.summaries import Allowance
from gateway.model.document import Source
from gateway.model.exchange import Exchange, Outcome
from gateway.model.identity import ConversationId, DocumentId, MailId, MemberId, PlanId
from gateway.model.member import Plan
from gateway.model.partner import Partner
from gateway.model.received_mail import MailState, ReceivedMail
from gateway.store import exchange_log, mail_received, mail_sent, partners
from gateway.store.database import Transaction
from gateway.store.job_queue import PermanentFailure

TRANSACTION: Final = "DIRECT-RECEIVE"
_LONGEST_REASON: Final = 500


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
    opening = means.opening_of(mail)
    with ExitStack() as kept:
        found = await judge_mail(means, mail, opening, kept)
        if isinstance(found, Refused):
            await _quarantine(means, mail, found)
        elif found.letter.report is not None:
            await _take_report(means, mail, found, started)
        else:
            await _take_content(means, mail, plan, found, opening, started)


# ---- how it ends -----------------------------------------------------------------------------


async def _quarantine(means: DirectMeans, mail: ReceivedMail, refused: Refused) -> None:
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
    means: DirectMeans, mail: ReceivedMail, trusted: Trusted, started: float
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
    trusted: Trusted,
    opening: Opening,
    started: float,
) -> None:
    contents = await take_documents(
        means.archive,
        opening,
        trusted.content or raw_pieces(means, mail),
        trusted.letter,
        plan=plan,
    )
    now = means.clock()
    answers = answers_to(means, trusted.letter, trusted.recipients, failure=contents.failure)
    written = await write_answers(means, mail, trusted.letter, answers, now=now)
    verdict = _verdict(means, mail, trusted, now)

    def unit(transaction: Transaction) -> None:
        if not _is_waiting(transaction, mail):
            return
        ours = _claim(transaction, mail, trusted, is_delivered=contents.failure is None)
        if not ours:
            settled = _Settled("duplicate", "the same message came before")
        else:
            settled = _settled(trusted, _filed(transaction, means, mail, plan, trusted, contents))
            for answer in written:
                if answer.sender in ours:
                    enqueue_message(transaction, means.queue, answer)
        _settle(transaction, mail, trusted, settled, verdict, now=now, started=started)

    await means.archive.database.write_async(unit)


def _is_waiting(transaction: Transaction, mail: ReceivedMail) -> bool:
    """Whether nobody has settled it meanwhile: a job may run twice at once."""
    now = mail_received.get(transaction, plan=mail.plan, message=mail.id)
    return now is not None and now.state in ("spooled", "judged")


def _claim(
    transaction: Transaction, mail: ReceivedMail, trusted: Trusted, *, is_delivered: bool
) -> frozenset[str]:
    """The recipients to whom it is new: to the others the same signer's message of that id and
    content was delivered before. What is not delivered now may come again."""
    letter = trusted.letter
    if letter.message_id is None:
        return frozenset(trusted.recipients)
    signer = trusted.judged[0].signer.certificate.hex() if trusted.judged else mail.peer
    message = f"{signer} {letter.message_id} {letter.sha256}"
    owners: dict[str, MailId | None] = {}
    # In one order: of two that come at once, one waits for the other, and never both.
    for recipient in sorted(trusted.recipients, key=str.lower):
        key = f"{message} {recipient.lower()}"
        if is_delivered:
            owners[recipient] = mail_received.claim(
                transaction, plan=mail.plan, key=key, message=mail.id
            )
        else:
            owners[recipient] = mail_sent.claimed(transaction, plan=mail.plan, key=key)
    return frozenset(one for one, owner in owners.items() if owner in (None, mail.id))


@dataclass(frozen=True, slots=True)
class _Filed:
    """What became of the documents, those of them that the records name, and what else is to be
    said."""

    done: tuple[Ingested, ...]
    told: tuple[Ingested, ...]
    problems: tuple[str, ...]
    failure: str | None


def _filed(
    transaction: Transaction,
    means: DirectMeans,
    mail: ReceivedMail,
    plan: Plan,
    trusted: Trusted,
    contents: Contents,
) -> _Filed:
    now, source = means.clock(), _source(transaction, mail, trusted)
    received = [replace(one, source=source) for one in contents.received]
    done = ingest(
        transaction,
        received,
        plan=plan,
        community=means.community,
        now=now,
        allowance=Allowance(means.queue),
    )
    kept = keep_attachments(transaction, contents.attachments, done, source, plan=plan, now=now)
    problems = (*contents.problems, *misplaced(kept, done))
    told = (*done, *told_of(kept, done))
    return _Filed((*done, *kept), told, problems, contents.failure)


def _source(transaction: Transaction, mail: ReceivedMail, trusted: Trusted) -> Source:
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
    told: tuple[Ingested, ...] = ()


def _settled(trusted: Trusted, filed: _Filed) -> _Settled:
    done, told = filed.done, filed.told
    if filed.failure is not None:
        return _Settled("quarantined", filed.failure, "failed", told)
    outcome: Outcome = "partial" if len(trusted.recipients) < len(trusted.judged) else "success"
    held = [one for one in done if one.document.state in ("held", "quarantined")]
    said = [*(one.document.reason or "" for one in held), *filed.problems]
    reason = "; ".join(dict.fromkeys(said))[:_LONGEST_REASON] or None
    if held:
        return _Settled("held", reason, outcome, told)
    return _Settled("filed", reason if done else reason or "it holds no document", outcome, told)


def _settle(
    transaction: Transaction,
    mail: ReceivedMail,
    trusted: Trusted,
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
    for one in settled.told:
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
    means: DirectMeans, mail: ReceivedMail, trusted: Trusted, now: datetime
) -> mail_received.SealedVerdict:
    return _seal(means, mail, verdict_form(trusted.letter, trusted.opened, trusted.judged, at=now))


def _seal(
    means: DirectMeans, mail: ReceivedMail, form: Mapping[str, Any]
) -> mail_received.SealedVerdict:
    keys = means.archive.blobs.keys
    return mail_received.seal_verdict(keys, orjson.dumps(form), plan=mail.plan, message=mail.id)
