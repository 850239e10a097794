"""Notices that come in: each moves the recipient that it is about, if its signer may say so.

A receipt can be forged by anyone whom we trust for anything, unless the signer is bound to the
very address that the receipt is about: so the signer is judged for that address once more. What
does not fit is kept with its reason, and changes nothing.
"""

from dataclasses import dataclass, replace
from datetime import datetime

from gateway.exchange.direct_means import DirectMeans
from gateway.exchange.mail_delivering import TRANSACTION, watch
from gateway.exchange.mail_judging import judge_signers
from gateway.exchange.mail_letter import Letter
from gateway.exchange.mail_reports import About, Report
from gateway.exchange.mail_sealing import OpenedMail
from gateway.exchange.notices import REPORTED, hear, in_our_words
from gateway.model.received_mail import ReceivedMail
from gateway.model.sent_mail import HeardNotice, Notice, Recipient, SentMail
from gateway.store import exchange_log, mail_sent
from gateway.store.database import Transaction


@dataclass(frozen=True, slots=True)
class Entitled:
    """Which of a report's statements its signer may make, and why not the others."""

    about: tuple[About, ...]
    refused: tuple[str, ...] = ()


async def entitled(
    means: DirectMeans, letter: Letter, opened: OpenedMail | None, mail: ReceivedMail, now: datetime
) -> Entitled:
    """The statements that count. Our HISP has judged before us, and says nothing of others."""
    report = letter.report
    if report is None:
        return Entitled(())
    if opened is None:
        return Entitled(report.about)
    counts, refused = [], []
    for about in await means.archive.database.read_async(lambda tx: _meant(tx, report, mail)):
        # For whom we sent it as: its anchors are those by which we trust who answers.
        judged = await judge_signers(
            means, opened, address=about.named[0], recipients=mail.rcpt_to[:1], now=now
        )
        if judged[0].trusted:
            counts.append(about)
        else:
            refused.append("the signer of the notice is not bound to the recipient it is about")
    return Entitled(tuple(counts), tuple(refused))


def _meant(transaction: Transaction, report: Report, mail: ReceivedMail) -> tuple[About, ...]:
    """Each statement by one name of its recipient alone, ours if we sent to any: the signer must
    be bound to the very address whose state it moves."""
    found = []
    for about in report.about:
        recipient = _recipient(_sent(transaction, mail, about), about)
        name = about.named[-1] if recipient is None else recipient.address
        found.append(replace(about, named=(name,)))
    return tuple(found)


def hear_report(
    transaction: Transaction,
    means: DirectMeans,
    letter: Letter,
    told: Entitled,
    mail: ReceivedMail,
    *,
    now: datetime,
) -> str:
    """Moves what the report's statements move; one sentence on what it did."""
    said = list(dict.fromkeys(told.refused))
    report = letter.report
    for about in told.about if report is not None else ():
        message = _sent(transaction, mail, about, to_change=True)
        recipient = _recipient(message, about)
        if message is None or recipient is None:
            said.append("it is about a message or recipient that we never sent to")
            continue
        notice = Notice(about.kind, about.form, now, about.text, mail.id)
        failure = in_our_words(about.form, about.status)
        said.append(_hear(transaction, means, message, recipient, notice, failure))
    return "; ".join(said) or "it says nothing that we could read"


def failures_on_the_way(
    transaction: Transaction, letter: Letter, mail: ReceivedMail
) -> tuple[About, ...]:
    """What an unsigned report may say: that a message which we have handed over, and about which
    nobody has said anything yet, was not delivered. Never that it was."""
    found = []
    for about in letter.report.about if letter.report is not None else ():
        recipient = _recipient(_sent(transaction, mail, about), about)
        if about.form == "DSN" and recipient is not None and recipient.state == "handed_over":
            found.append(about)
    return tuple(found)


def _sent(
    transaction: Transaction, mail: ReceivedMail, about: About, *, to_change: bool = False
) -> SentMail | None:
    if about.message_id is None:
        return None
    found = mail_sent.by_message_id(
        transaction, plan=mail.plan, message_id=about.message_id, to_change=to_change
    )
    # A notice is never about a notice: that way two agents would write to each other for ever.
    return found if found is not None and found.kind == "message" else None


def _recipient(message: SentMail | None, about: About) -> Recipient | None:
    sent_to = {one.address.lower(): one for one in (message.recipients if message else ())}
    return next((sent_to[one.lower()] for one in about.named if one.lower() in sent_to), None)


def _hear(
    transaction: Transaction,
    means: DirectMeans,
    message: SentMail,
    recipient: Recipient,
    notice: Notice,
    failure: str,
) -> str:
    moved, effect = hear(
        recipient, notice, wants_dispatched=message.wants_dispatched, clocks=means.clocks
    )
    heard = HeardNotice(recipient.address, notice, effect)
    if not mail_sent.put_notice(transaction, plan=message.plan, message=message.id, heard=heard):
        return "it was heard before"
    if moved != recipient:
        mail_sent.put_recipient(transaction, plan=message.plan, message=message.id, recipient=moved)
        watch(transaction, means.queue, message, moved)
        if moved.state in REPORTED:
            _record_failure(transaction, message, moved, failure)
    return f"{notice.form} {notice.kind}: {_IN_WORDS[effect]}"


_IN_WORDS = {
    "moved": "the recipient's state goes on",
    "duplicate": "it says again what is known",
    "late": "it came after the failure was reported, which stands",
    "contradicts": "it contradicts the final delivery that was reported before",
    "noted": "noted",
}


def _record_failure(
    transaction: Transaction, message: SentMail, recipient: Recipient, reason: str
) -> None:
    """A delivery that failed after all is a second record of the same message id.

    The reason is ours: what others write may name a person, and the log forgets nothing.
    """
    exchange_log.append(
        transaction,
        replace(
            message.record,
            time=recipient.since or message.created,
            direction="out",
            transaction=TRANSACTION,
            outcome="failed",
            peer=recipient.address,
            reason=reason,
            message_id=message.message_id,
        ),
    )
