"""Messages received by mail: kept once for whom they are for, then judged, filed or quarantined.

A message is the same when its bytes and its recipients are: whoever did not hear our answer sends
both again. The bytes stand in the blob store before the row; row, job and exchange record stand in
one transaction, and only then does the sender hear that we have it.
"""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from typing import Any

import orjson
from cryptography.exceptions import InvalidTag
from sqlalchemy import Row, Select, select, update

from gateway.model.document import Blob
from gateway.model.identity import MailId, PlanId
from gateway.model.received_mail import MailState, ReceivedMail
from gateway.store import tables
from gateway.store.documents import keep_blob
from gateway.store.errors import DamagedVerdict, UnknownId
from gateway.store.keys import KeyRing
from gateway.store.scope import Scope, within
from gateway.store.sql import indexable, insert_new
from gateway.store.transaction import Transaction

_ONCE = ("plan", "sha256", "recipients_key")


@dataclass(frozen=True, slots=True)
class SealedVerdict:
    """What was found out about a message, as JSON sealed under its plan's key."""

    generation: int
    sealed: bytes


def insert(transaction: Transaction, message: ReceivedMail) -> ReceivedMail:
    """The stored message: this one, or the one of the same bytes to the same recipients.

    Another `id` than the given one means that it was known.
    """
    keep_blob(transaction, plan=message.plan, blob=message.blob)
    values = {
        "id": message.id,
        "plan": message.plan,
        "door": message.door,
        "peer": message.peer,
        "mail_from": message.mail_from,
        "rcpt_to": orjson.dumps(message.rcpt_to).decode(),
        "recipients_key": recipients_key(message.rcpt_to),
        "sha256": message.blob.sha256,
        "blob_address": message.blob.address,
        "message_id": indexable(message.message_id),
        "arrived": message.arrived,
        "state": message.state,
        "reason": message.reason,
        "settled": message.settled,
        "attempts": message.attempts,
    }
    if insert_new(transaction, tables.mail_received, values, _ONCE):
        return message
    table = tables.mail_received
    row = transaction.connection.execute(
        _messages().where(
            table.c.plan == message.plan,
            table.c.sha256 == message.blob.sha256,
            table.c.recipients_key == values["recipients_key"],
        )
    ).one()
    return _read(row)


def recipients_key(recipients: Iterable[str]) -> str:
    """The same for the same recipients, in whatever order and case they are named."""
    named = sorted({recipient.casefold() for recipient in recipients})
    return hashlib.sha256("\0".join(named).encode()).hexdigest()


def claim(transaction: Transaction, *, plan: PlanId, key: str, message: MailId) -> MailId:
    """The message that claimed this key first: this one, or an earlier one that brought the same.

    For what tells messages apart once they are opened: the signer, the inner Message-ID, the hash
    of the content, one recipient. Claimed again by its owner, the key stays the owner's.
    """
    values = {"plan": plan, "key": hashlib.sha256(key.encode()).hexdigest(), "message": message}
    table = tables.mail_claim
    if insert_new(transaction, table, values, ["plan", "key"]):
        return message
    owner = transaction.connection.execute(
        select(table.c.message).where(table.c.plan == plan, table.c.key == values["key"])
    ).scalar_one()
    return MailId(owner)


# ---- what becomes of a message ---------------------------------------------------------------


def settle(
    transaction: Transaction,
    *,
    plan: PlanId,
    message: MailId,
    state: MailState,
    reason: str | None,
    now: datetime,
    verdict: SealedVerdict | None = None,
) -> ReceivedMail:
    """The message as it stands from now on; a verdict that is not given stays as it was.

    `reason` is a sentence for people, without content.

    Raises:
        UnknownId: no such message in this plan.
    """
    values: dict[str, Any] = {"state": state, "reason": reason, "settled": now}
    if verdict is not None:
        values |= {"verdict_generation": verdict.generation, "verdict": verdict.sealed}
    return _change(transaction, plan, message, **values)


def spool_again(transaction: Transaction, *, plan: PlanId, message: MailId) -> ReceivedMail:
    """The message as one that waits to be judged; its last verdict stays until the next one.

    Raises:
        UnknownId: no such message in this plan.
    """
    table = tables.mail_received
    return _change(transaction, plan, message, state="spooled", attempts=table.c.attempts + 1)


def seal_verdict(keys: KeyRing, verdict: bytes, *, plan: PlanId, message: MailId) -> SealedVerdict:
    """The JSON of a verdict, which may name people; before the unit of work that keeps it."""
    generation, sealed = keys.seal(plan, verdict, _name(message))
    return SealedVerdict(generation, sealed)


def open_verdict(keys: KeyRing, verdict: SealedVerdict, *, plan: PlanId, message: MailId) -> bytes:
    """The verdict's JSON.

    Raises:
        DamagedVerdict: it is not what was sealed for this message.
        KeyFileUnusable: it was sealed under another key than the file holds.
    """
    try:
        return keys.open(plan, verdict.generation, verdict.sealed, _name(message))
    except InvalidTag:
        raise DamagedVerdict(message) from None


# ---- looking ---------------------------------------------------------------------------------


def get(transaction: Transaction, *, plan: Scope, message: MailId) -> ReceivedMail | None:
    table = tables.mail_received
    row = transaction.connection.execute(
        _messages().where(table.c.id == message, within(table.c.plan, plan))
    ).first()
    return None if row is None else _read(row)


def verdict_of(transaction: Transaction, *, plan: PlanId, message: MailId) -> SealedVerdict | None:
    """The last verdict, still sealed; None before the first."""
    table = tables.mail_received
    row = transaction.connection.execute(
        select(table.c.verdict_generation, table.c.verdict).where(
            table.c.plan == plan, table.c.id == message
        )
    ).first()
    if row is None or row.verdict is None:
        return None
    return SealedVerdict(row.verdict_generation, row.verdict)


def list_page(
    transaction: Transaction,
    *,
    plan: PlanId,
    state: MailState | None = None,
    after: MailId | None = None,
    limit: int = 100,
) -> tuple[ReceivedMail, ...]:
    """Messages in the order they came, from the one after `after`.

    Raises:
        UnknownId: `after` is no message of this plan.
    """
    table = tables.mail_received
    statement = _messages().where(table.c.plan == plan).order_by(table.c.number).limit(limit)
    if state is not None:
        statement = statement.where(table.c.state == state)
    if after is not None:
        number = transaction.connection.execute(
            select(table.c.number).where(table.c.plan == plan, table.c.id == after)
        ).scalar()
        if number is None:
            raise UnknownId("message", after)
        statement = statement.where(table.c.number > number)
    return tuple(_read(row) for row in transaction.connection.execute(statement))


# ---- rows and values -------------------------------------------------------------------------


@cache
def _messages() -> Select[Any]:
    """Messages with their blobs' hashes."""
    table, blob = tables.mail_received, tables.blob
    same = (blob.c.plan == table.c.plan) & (blob.c.address == table.c.blob_address)
    return select(table, blob.c.size_bytes, blob.c.sha1).join_from(table, blob, same)


def _change(transaction: Transaction, plan: PlanId, message: MailId, **values: Any) -> ReceivedMail:
    table = tables.mail_received
    transaction.connection.execute(
        update(table).where(table.c.plan == plan, table.c.id == message).values(**values)
    )
    changed = get(transaction, plan=plan, message=message)
    if changed is None:
        raise UnknownId("message", message)
    return changed


def _name(message: MailId) -> str:
    return f"verdict {message}"


def _read(row: Row[Any]) -> ReceivedMail:
    return ReceivedMail(
        id=MailId(row.id),
        plan=PlanId(row.plan),
        door=row.door,
        mail_from=row.mail_from,
        rcpt_to=tuple(orjson.loads(row.rcpt_to)),
        blob=Blob(row.blob_address, row.size_bytes, row.sha1, row.sha256),
        arrived=row.arrived,
        peer=row.peer,
        message_id=row.message_id,
        state=row.state,
        reason=row.reason,
        settled=row.settled,
        attempts=row.attempts,
    )
