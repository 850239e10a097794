"""What is known of a received message: its verdict, what became of it, what it was answered."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

import orjson

from direct.errors import DirectError
from direct.mdn import read_notification
from direct.message import read_message
from gateway.exchange.direct_means import DirectMeans
from gateway.exchange.mail_sealing import KeyPairDer, key_pair_der, open_mail
from gateway.exchange.mail_verdict import evidence, verdict_text
from gateway.model.exchange import ExchangeFilter, RecordedExchange
from gateway.model.identity import ConversationId, DocumentId, MemberId
from gateway.model.received_mail import ReceivedMail
from gateway.model.sent_mail import SentMail
from gateway.store import direct_keys, documents, exchange_log, mail_received, mail_sent
from gateway.store.database import Transaction

_RECEIVED: Final = "DIRECT-RECEIVE"


class NoEvidence(Exception):
    """There is no signature to check again; the text says why."""


def load_verdict(means: DirectMeans, mail: ReceivedMail) -> dict[str, Any] | None:
    """The page as JSON; None for a message that was not judged yet."""
    sealed, form, answers = means.archive.database.read(
        lambda tx: (
            mail_received.verdict_of(tx, plan=mail.plan, message=mail.id),
            _became(tx, mail),
            mail_sent.answering(tx, plan=mail.plan, answers=mail.id),
        )
    )
    if sealed is None:
        return None
    content = mail_received.open_verdict(
        means.archive.blobs.keys, sealed, plan=mail.plan, message=mail.id
    )
    verdict: dict[str, Any] = orjson.loads(content)
    answered = [form for one in answers for form in _answer_forms(means, one)]
    return {**verdict, **form, "answers": answered}


def _answer_forms(means: DirectMeans, answer: SentMail) -> Iterator[dict[str, Any]]:
    """A notice of ours: what it says, as its own bytes say it, and whether it has left."""
    content = means.archive.load(answer.plan, answer.blob)
    said = read_notification(read_message(content))
    for recipient in answer.recipients:
        yield {
            "from": answer.sender,
            "to": recipient.address,
            "notice": None if said is None else said.type,
            "message_id": answer.message_id,
            "state": recipient.state,
            "since": recipient.since.isoformat() if recipient.since else None,
            "reason": recipient.reason,
        }


def _became(transaction: Transaction, mail: ReceivedMail) -> dict[str, Any]:
    told = _records(transaction, mail, None)
    return {
        "id": mail.id,
        "state": mail.state,
        "reason": mail.reason,
        "sha256": mail.blob.sha256,
        "documents": list(documents_of(transaction, mail)),
        "records": sorted(one.sequence for one in told),
    }


def _records(
    transaction: Transaction, mail: ReceivedMail, name: str | None
) -> tuple[RecordedExchange, ...]:
    """The newest of the message; with `name` those of that transaction, not every look at it."""
    wanted = ExchangeFilter(conversation=ConversationId(mail.id), transaction=name)
    return exchange_log.search(transaction, plan=mail.plan, wanted=wanted)


def documents_of(transaction: Transaction, mail: ReceivedMail) -> tuple[DocumentId, ...]:
    """What the message's records name."""
    told = _records(transaction, mail, _RECEIVED)
    return tuple(dict.fromkeys(one for each in told for one in each.exchange.documents))


def member_of(transaction: Transaction, mail: ReceivedMail) -> MemberId | None:
    """Whose documents it brought, as they are filed now; None of nobody's, and of several's."""
    kept = (
        documents.get(transaction, plan=mail.plan, document=id)
        for id in documents_of(transaction, mail)
    )
    found = {one.member for one in kept if one is not None and one.member is not None}
    return found.pop() if len(found) == 1 else None


def key_pairs(means: DirectMeans, keys: Sequence[direct_keys.DirectKey]) -> tuple[KeyPairDer, ...]:
    """Our keys, ready for a worker that opens messages."""
    ring = means.archive.blobs.keys
    return tuple(key_pair_der(direct_keys.open_key(ring, key), key.certificate) for key in keys)


def page(form: Mapping[str, Any]) -> str:
    """The page as text, for people."""
    lines = [
        f"Message       {form['id']}",
        f"State         {form['state']}" + (f": {form['reason']}" if form["reason"] else ""),
        *(f"Document      {one}" for one in form["documents"]),
        *(_answered(one) for one in form["answers"]),
    ]
    if not form["answers"]:
        lines.append(f"Answered      no{_why_not_answered(form)}")
    return "\n".join(lines) + "\n" + verdict_text(form)


def _answered(answer: Mapping[str, Any]) -> str:
    since = f" since {answer['since']}" if answer["since"] else ""
    why = f": {answer['reason']}" if answer["reason"] else ""
    return (
        f"Answered      {answer['notice']} by {answer['from']} to {answer['to']},"
        f" {answer['state']}{since}{why}"
    )


def _why_not_answered(form: Mapping[str, Any]) -> str:
    judged = form["recipients"]
    if judged and not any(one["trusted"] for one in judged):
        return ": nobody is answered who is not trusted"
    if form["state"] == "duplicate":
        return ": the message that came before was"
    return f": {form['no_notice']}" if form.get("no_notice") else ""


def make_evidence(
    means: DirectMeans, mail: ReceivedMail, form: Mapping[str, Any]
) -> dict[str, bytes]:
    """Files by name, with which plain openssl checks signature and chain, and the raw message.

    Raises:
        NoEvidence: the message was not sealed to us, or does not open.
    """
    raw = means.archive.load(mail.plan, mail.blob)
    if not form["recipients"]:
        raise NoEvidence("no signature of it was judged")
    keys = means.archive.database.read(
        lambda tx: direct_keys.of_addresses(tx, plan=mail.plan, addresses=mail.rcpt_to)
    )
    try:
        opened, signed = means.opening.run_on((raw,), open_mail, key_pairs(means, keys))
    except DirectError as error:
        raise NoEvidence(error.reason) from None
    return {"message.eml": raw, **evidence(opened, signed, form)}
