"""A message on its way in: its bytes into the blob store, its row, and only then the answer.

Whoever sends a message may forget it once we say that we have it. So nothing is said before the
bytes, their name, the message's row, the job that will judge it and the record of its arrival are
durable; the last three are one transaction. A crash before that leaves a leftover for the sweeper,
and a sender who tries again; a crash after it, the same message twice, which is kept once. What is
in the message nobody has looked at yet.
"""

import asyncio
import re
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Final, Literal, ParamSpec, TypeVar
from uuid import uuid4

from direct.addresses import each_once
from gateway.exchange.archive import Archive
from gateway.model.document import Blob
from gateway.model.exchange import Exchange
from gateway.model.identity import ConversationId, MailId, PlanId
from gateway.model.mail_domains import MailDomains
from gateway.model.received_mail import MAIL_RECEIVE, MailDoor, ReceivedMail
from gateway.store import exchange_log, mail_received
from gateway.store.blobs import BlobWriter
from gateway.store.database import Transaction
from gateway.store.job_queue import JobQueue

P = ParamSpec("P")
T = TypeVar("T")

TRANSACTIONS: Final[dict[MailDoor, str]] = {
    "SMTP": "SMTP-IN",
    "REST": "REST-DIRECT-IN",
    "IMAP": "IMAP-IN",
    "FOLDER": "FOLDER-IN",
    "OUTBOX": "OUTBOX-IN",
}
"""The name of an arrival's record, by its door. What the message turns out to be is another's."""

_HEADER_BYTES: Final = 64 * 1024
"""How much is searched for the Message-ID: far more than a header takes."""
_MESSAGE_ID: Final = re.compile(rb"(?im)^message-id:[ \t]*(?:\r?\n[ \t]+)?(<[!-;=?-~]{1,990}>)")
_END_OF_HEADER: Final = re.compile(rb"\r?\n\r?\n")
_WRITTEN_AT_ONCE: Final = 256 * 1024
"""Fewer bytes are not worth a thread."""


@dataclass(frozen=True, slots=True)
class MailMeans:
    """What a mail door works with."""

    archive: Archive
    queue: JobQueue
    domains: MailDomains


@dataclass(frozen=True, slots=True)
class Envelope:
    """Who sends what to whom, as the door was told; `person` is a caller that proved its name."""

    door: MailDoor
    mail_from: str | None
    rcpt_to: tuple[str, ...]
    peer: str | None = None
    person: str | None = None
    role: str | None = None


@dataclass(frozen=True, slots=True)
class Taken:
    """A message that is safe: for each plan the stored one, and whether it had come before."""

    message: ReceivedMail
    is_new: bool


class NoRecipient(Exception):
    """None of the recipients is of a domain of ours: there is nobody to keep the message for."""


class Spool:
    """Takes a message's bytes as they come; `commit` makes it ours, `abort` forgets it.

    As an asynchronous context manager it leaves nothing half-written.
    """

    def __init__(self, means: MailMeans, envelope: Envelope) -> None:
        """Raises NoRecipient."""
        self._means = means
        self._envelope = envelope
        self._started = time.monotonic()
        self._recipients = _by_plan(means.domains, envelope.rcpt_to)
        if not self._recipients:
            raise NoRecipient("no recipient is of a domain of ours")
        self._writers: dict[PlanId, BlobWriter] = {}
        self._waiting = bytearray()
        self._head = bytearray()

    async def write(self, chunk: bytes) -> None:
        """Takes the next bytes.

        Raises:
            OSError: they cannot be kept, for want of room it may be.
        """
        self._head += chunk[: _HEADER_BYTES - len(self._head)]
        self._waiting += chunk
        if len(self._waiting) >= _WRITTEN_AT_ONCE:
            await self._write_out()

    async def commit(self) -> tuple[Taken, ...]:
        """The message, durable and queued, once for each plan that it is for.

        Raises:
            OSError: its bytes cannot be kept.
            StoreUnavailable: its row cannot; nothing is, and the sender must try again.
        """
        await self._write_out()
        blobs = await _in_thread(self._finish)
        now = datetime.now(UTC)
        envelope = self._envelope
        messages = [
            ReceivedMail(
                id=MailId(str(uuid4())),
                plan=plan,
                door=envelope.door,
                mail_from=envelope.mail_from,
                rcpt_to=tuple(self._recipients[plan]),
                blob=blob,
                arrived=now,
                peer=envelope.peer,
                message_id=message_id_of(bytes(self._head)),
            )
            for plan, blob in blobs.items()
        ]
        elapsed_ms = round((time.monotonic() - self._started) * 1000)
        return await self._means.archive.database.write_async(
            lambda tx: tuple(self._take(tx, message, elapsed_ms) for message in messages)
        )

    def abort(self) -> None:
        """Forgets what was written; after `commit` it does nothing."""
        for writer in self._writers.values():
            writer.abort()

    async def __aenter__(self) -> "Spool":
        return self

    async def __aexit__(self, *_error: object) -> None:
        self.abort()

    async def _write_out(self) -> None:
        content, self._waiting = bytes(self._waiting), bytearray()
        await _in_thread(self._write_all, content)

    def _write_all(self, content: bytes) -> None:
        for plan in self._recipients:
            if plan not in self._writers:
                self._writers[plan] = self._means.archive.blobs.writer(plan)
            self._writers[plan].write(content)

    def _finish(self) -> dict[PlanId, Blob]:
        return {plan: writer.finish() for plan, writer in self._writers.items()}

    def _take(self, transaction: Transaction, message: ReceivedMail, elapsed_ms: int) -> Taken:
        kept = mail_received.insert(transaction, message)
        is_new = kept.id == message.id
        if is_new:
            queue_message(transaction, self._means.queue, kept)
        arrival = self._record(kept, elapsed_ms)
        if not is_new:
            arrival = replace(arrival, time=message.arrived, reason="it had come before")
        exchange_log.append(transaction, arrival)
        return Taken(kept, is_new)

    def _record(self, message: ReceivedMail, elapsed_ms: int) -> Exchange:
        envelope = self._envelope
        return Exchange(
            time=message.arrived,
            direction="in",
            transaction=TRANSACTIONS[envelope.door],
            outcome="success",
            plan=message.plan,
            peer=envelope.peer,
            person=envelope.person,
            role=envelope.role,
            conversation=ConversationId(message.id),
            message_id=message.message_id,
            duration_ms=elapsed_ms,
        )


def queue_message(transaction: Transaction, queue: JobQueue, message: ReceivedMail) -> None:
    """Lets the message be judged; once for each time that it is spooled."""
    queue.enqueue(
        transaction,
        kind=MAIL_RECEIVE,
        plan=message.plan,
        payload={"message": message.id},
        idempotency_key=f"{message.id} {message.attempts}",
    )


def message_id_of(head: bytes) -> str | None:
    """The Message-ID that a message's header states; None without one that can be read."""
    end = _END_OF_HEADER.search(head)
    found = _MESSAGE_ID.search(head, 0, end.start() if end else len(head))
    return None if found is None else found[1].decode("ascii")


async def count_refusal(
    means: MailMeans,
    door: MailDoor,
    *,
    peer: str | None,
    reason: str,
    plan: PlanId | None = None,
    outcome: Literal["refused", "failed"] = "refused",
) -> None:
    """Records that something was not taken; strangers by the minute (DECISIONS 17)."""
    refusal = Exchange(
        time=datetime.now(UTC),
        direction="in",
        transaction=TRANSACTIONS[door],
        outcome=outcome,
        plan=plan,
        peer=peer,
        reason=reason,
    )
    await means.archive.database.write_async(lambda tx: exchange_log.count_refusal(tx, refusal))


async def _in_thread(work: Callable[P, T], *arguments: P.args, **named: P.kwargs) -> T:
    """In a thread; a caller that is cancelled goes on only once the thread has let go."""
    task = asyncio.ensure_future(asyncio.to_thread(work, *arguments, **named))
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError:
        await asyncio.wait({task})
        raise


def _by_plan(domains: MailDomains, recipients: Sequence[str]) -> dict[PlanId, list[str]]:
    found: dict[PlanId, list[str]] = {}
    for recipient in each_once(recipients):  # whoever stood there twice would be answered twice
        plan = domains.plan_of(recipient)
        if plan is not None:
            found.setdefault(plan, []).append(recipient)
    return found
