"""Messages that we send, a row for each recipient with its state, and the notices that came.

A message and the jobs that send it stand in one transaction; a recipient's state changes with the
exchange record of what happened to it. The bytes of the inner message lie in the blob store.
"""

import hashlib
from dataclasses import replace
from datetime import datetime
from functools import cache
from typing import Any

from sqlalchemy import Row, Select, insert, select, update

from gateway.model.document import Blob
from gateway.model.exchange import Exchange
from gateway.model.identity import MailId, PlanId
from gateway.model.sent_mail import HeardNotice, Recipient, RecipientState, SentMail
from gateway.store import tables
from gateway.store.documents import keep_blob
from gateway.store.errors import UnknownId
from gateway.store.scope import Scope, within
from gateway.store.sql import indexable, insert_new
from gateway.store.transaction import Transaction
from gateway.store.values import dump, load


def insert_message(transaction: Transaction, message: SentMail) -> None:
    """Keeps the message with its recipients; the blob must be stored already."""
    keep_blob(transaction, plan=message.plan, blob=message.blob)
    values = {
        "id": message.id,
        "plan": message.plan,
        "kind": message.kind,
        "message_id": indexable(message.message_id),
        "sender": message.sender,
        "blob_address": message.blob.address,
        "created": message.created,
        "record": dump(message.record),
        "wants_dispatched": message.wants_dispatched,
        "answers": message.answers,
    }
    transaction.connection.execute(insert(tables.mail_sent).values(values))
    for ordinal, recipient in enumerate(message.recipients):
        row = {
            "message": message.id,
            "address_key": recipient.address.lower(),
            "plan": message.plan,
            "ordinal": ordinal,
            **_state(recipient),
        }
        transaction.connection.execute(insert(tables.mail_recipient).values(row))


def forget_whose(
    transaction: Transaction, *, plan: PlanId, since: datetime, until: datetime
) -> None:
    """The messages of that time, until exclusive, name no member and no document any more."""
    table = tables.mail_sent.c
    is_of_then = (table.plan == plan, table.created >= since, table.created < until)
    kept = select(table.number, table.record).where(*is_of_then)
    for row in transaction.connection.execute(kept).all():
        record = replace(load(Exchange, row.record), member=None, documents=())
        transaction.connection.execute(
            update(tables.mail_sent).where(table.number == row.number).values(record=dump(record))
        )


def put_recipient(
    transaction: Transaction, *, plan: PlanId, message: MailId, recipient: Recipient
) -> None:
    """How it stands with the recipient from now on.

    Raises:
        UnknownId: the message has no such recipient in this plan.
    """
    if recipient.sealed is not None:
        keep_blob(transaction, plan=plan, blob=recipient.sealed)
    table = tables.mail_recipient
    result = transaction.connection.execute(
        update(table)
        .where(
            table.c.plan == plan,
            table.c.message == message,
            table.c.address_key == recipient.address.lower(),
        )
        .values(_state(recipient))
    )
    if result.rowcount == 0:
        raise UnknownId("recipient", message)


def put_notice(
    transaction: Transaction, *, plan: PlanId, message: MailId, heard: HeardNotice
) -> bool:
    """Keeps the notice; False when the same received message has said the same before."""
    values = {
        "message": message,
        "plan": plan,
        "address_key": heard.address.lower(),
        "kind": heard.notice.kind,
        "received": heard.notice.received or "",
        "heard": dump(heard),
    }
    key = ["message", "received", "address_key", "kind"]
    return insert_new(transaction, tables.mail_notice, values, key)


def claimed(transaction: Transaction, *, plan: PlanId, key: str) -> MailId | None:
    """The message that claimed this key by `mail_received.claim`; None if nobody has."""
    table, mark = tables.mail_claim, hashlib.sha256(key.encode()).hexdigest()
    owner = transaction.connection.execute(
        select(table.c.message).where(table.c.plan == plan, table.c.key == mark)
    ).scalar()
    return None if owner is None else MailId(owner)


# ---- looking ---------------------------------------------------------------------------------


def get(
    transaction: Transaction, *, plan: Scope, message: MailId, to_change: bool = False
) -> SentMail | None:
    """The message; `to_change` keeps whoever else would change it waiting until COMMIT."""
    table = tables.mail_sent
    where = (table.c.id == message, within(table.c.plan, plan))
    return _first(transaction, *where, to_change=to_change)


def by_message_id(
    transaction: Transaction, *, plan: PlanId, message_id: str, to_change: bool = False
) -> SentMail | None:
    """The message of that Message-ID (without brackets), which a notice names; as of `get`."""
    table = tables.mail_sent
    where = (table.c.plan == plan, table.c.message_id == indexable(message_id))
    return _first(transaction, *where, to_change=to_change)


def answering(transaction: Transaction, *, plan: PlanId, answers: MailId) -> tuple[SentMail, ...]:
    """Our notices about a received message, in the order they were made."""
    table = tables.mail_sent
    statement = _messages().where(table.c.plan == plan, table.c.answers == answers)
    rows = transaction.connection.execute(statement.order_by(table.c.number)).all()
    return tuple(_message(transaction, row) for row in rows)


def list_page(
    transaction: Transaction,
    *,
    plan: PlanId,
    state: RecipientState | None = None,
    after: MailId | None = None,
    limit: int = 100,
) -> tuple[SentMail, ...]:
    """Messages, not notices, newest first; with `state` those with a recipient in it.

    Raises:
        UnknownId: `after` is no message of this plan.
    """
    table, recipient = tables.mail_sent, tables.mail_recipient
    statement = _messages().where(table.c.plan == plan, table.c.kind == "message")
    if state is not None:
        having = select(recipient.c.message).where(
            recipient.c.plan == plan, recipient.c.state == state
        )
        statement = statement.where(table.c.id.in_(having))
    if after is not None:
        number = transaction.connection.execute(
            select(table.c.number).where(table.c.plan == plan, table.c.id == after)
        ).scalar()
        if number is None:
            raise UnknownId("message", after)
        statement = statement.where(table.c.number < number)
    rows = transaction.connection.execute(
        statement.order_by(table.c.number.desc()).limit(limit)
    ).all()
    return tuple(_message(transaction, row) for row in rows)


def notices_of(
    transaction: Transaction, *, plan: Scope, message: MailId
) -> tuple[HeardNotice, ...]:
    """What was heard about the message, in the order it came, late and double notices too."""
    table = tables.mail_notice
    rows = transaction.connection.execute(
        select(table.c.heard)
        .where(table.c.message == message, within(table.c.plan, plan))
        .order_by(table.c.number)
    )
    return tuple(load(HeardNotice, row.heard) for row in rows)


# ---- rows and values -------------------------------------------------------------------------


@cache
def _messages() -> Select[Any]:
    """Messages with their blobs' hashes."""
    table, blob = tables.mail_sent, tables.blob
    same = (blob.c.plan == table.c.plan) & (blob.c.address == table.c.blob_address)
    return select(table, blob.c.size_bytes, blob.c.sha1, blob.c.sha256).join_from(table, blob, same)


def _first(transaction: Transaction, *where: Any, to_change: bool) -> SentMail | None:
    statement = _messages().where(*where)
    if to_change:
        # Two notices of one message may come at once: each must see what the other moved.
        statement = statement.with_for_update(of=tables.mail_sent)
    row = transaction.connection.execute(statement).first()
    return None if row is None else _message(transaction, row)


def _message(transaction: Transaction, row: Row[Any]) -> SentMail:
    table = tables.mail_recipient
    recipients = transaction.connection.execute(
        select(table.c.recipient).where(table.c.message == row.id).order_by(table.c.ordinal)
    )
    return SentMail(
        id=MailId(row.id),
        plan=PlanId(row.plan),
        kind=row.kind,
        message_id=row.message_id,
        sender=row.sender,
        blob=Blob(row.blob_address, row.size_bytes, row.sha1, row.sha256),
        created=row.created,
        record=load(Exchange, row.record),
        recipients=tuple(load(Recipient, one.recipient) for one in recipients),
        wants_dispatched=row.wants_dispatched,
        answers=None if row.answers is None else MailId(row.answers),
    )


def _state(recipient: Recipient) -> dict[str, Any]:
    return {"state": recipient.state, "recipient": dump(recipient)}
