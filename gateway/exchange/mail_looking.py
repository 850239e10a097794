"""What is known of a received message: its verdict, what became of it, what it was answered."""

from collections.abc import Mapping
from typing import Any

import orjson

from direct.errors import DirectError
from gateway.exchange.direct_means import DirectMeans
from gateway.exchange.mail_sealing import key_pair_der, open_mail
from gateway.exchange.mail_verdict import evidence, verdict_text
from gateway.model.exchange import ExchangeFilter
from gateway.model.identity import ConversationId
from gateway.model.received_mail import ReceivedMail
from gateway.store import direct_keys, exchange_log, mail_received, mail_sent
from gateway.store.database import Transaction


class NoEvidence(Exception):
    """There is no signature to check again; the text says why."""


def load_verdict(means: DirectMeans, mail: ReceivedMail) -> dict[str, Any] | None:
    """The page as JSON; None for a message that was not judged yet."""
    sealed, form = means.archive.database.read(
        lambda tx: (
            mail_received.verdict_of(tx, plan=mail.plan, message=mail.id),
            _became(tx, mail),
        )
    )
    if sealed is None:
        return None
    content = mail_received.open_verdict(
        means.archive.blobs.keys, sealed, plan=mail.plan, message=mail.id
    )
    verdict: dict[str, Any] = orjson.loads(content)
    return {**verdict, **form}


def _became(transaction: Transaction, mail: ReceivedMail) -> dict[str, Any]:
    answers = mail_sent.answering(transaction, plan=mail.plan, answers=mail.id)
    wanted = ExchangeFilter(conversation=ConversationId(mail.id))
    told = exchange_log.search(transaction, plan=mail.plan, wanted=wanted)
    return {
        "id": mail.id,
        "state": mail.state,
        "reason": mail.reason,
        "sha256": mail.blob.sha256,
        "documents": [document for one in told for document in one.exchange.documents],
        "records": sorted(one.sequence for one in told),
        "answers": [
            {
                "from": one.sender,
                "message_id": one.message_id,
                "state": recipient.state,
                "since": recipient.since.isoformat() if recipient.since else None,
            }
            for one in answers
            for recipient in one.recipients
        ],
    }


def page(form: Mapping[str, Any]) -> str:
    """The page as text, for people."""
    lines = [
        f"Message       {form['id']}",
        f"State         {form['state']}" + (f": {form['reason']}" if form["reason"] else ""),
        *(f"Document      {one}" for one in form["documents"]),
        *(f"Answered      by {one['from']}: {one['state']}" for one in form["answers"]),
    ]
    return "\n".join(lines) + "\n" + verdict_text(form)


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
        lambda tx: {
            key.fingerprint: key
            for recipient in mail.rcpt_to
            for key in direct_keys.of_address(tx, plan=mail.plan, address=recipient)
        }
    )
    ring = means.archive.blobs.keys
    pairs = tuple(
        key_pair_der(direct_keys.open_key(ring, key), key.certificate) for key in keys.values()
    )
    try:
        opened = means.opening.run(open_mail, raw, pairs)
    except DirectError as error:
        raise NoEvidence(error.reason) from None
    return {"message.eml": raw, **evidence(opened, form)}
