"""The documents in a message that is trusted, found in a worker process, stored and read."""

from dataclasses import dataclass
from typing import Final

from direct.errors import DirectError
from gateway.exchange.archive import Archive
from gateway.exchange.ingest import Received, receive
from gateway.exchange.mail_attachments import Attachment, attachment
from gateway.exchange.mail_carried import find_carried
from gateway.exchange.workers import Budget, Share, WorkerFailed, WorkerPool
from gateway.model.document import Source
from gateway.model.member import Plan

MOST_DOCUMENTS: Final = 100
"""Of one message; each costs a reading."""
_FOR_READING: Final = 1 / 3
"""Of what the message has left: to index and merge what was read costs twice as much again."""


@dataclass(frozen=True, slots=True)
class Contents:
    """The documents, stored and read; `failure` says why the message cannot be delivered."""

    received: tuple[Received, ...] = ()
    attachments: tuple[Attachment, ...] = ()
    problems: tuple[str, ...] = ()
    failure: str | None = None


async def take_documents(
    archive: Archive,
    openers: WorkerPool,
    content: bytes,
    raw: bytes,
    *,
    plan: Plan,
    sender: str,
    budget: Budget,
) -> Contents:
    """What is in the message. Its bytes are stored before anything refers to them.

    Its documents are read one after another, in the memory in which it was opened; those that its
    budget does not reach are kept, to be read by themselves.
    """
    try:
        found = await openers.run_within(budget, find_carried, content, raw)
    except DirectError as error:
        return Contents(failure=error.reason)
    except WorkerFailed as failure:
        if failure.reason == "closed":
            raise
        return Contents(failure="taking it apart took more time or memory than is allowed")
    if len(found.documents) > MOST_DOCUMENTS:
        return Contents(failure="it holds more documents than we take")
    received, attachments = [], []
    share = Share(openers, Budget(budget.left_seconds * _FOR_READING))
    for one in found.documents:
        blob = await archive.store_async(plan.id, one.found.content)
        if one.found.kind in ("pdf", "image"):
            attachments.append(attachment(one, blob))
        else:
            source = Source("DIRECT", partner_name=sender)
            received.append(await receive(archive, blob, plan=plan, source=source, share=share))
    return Contents(tuple(received), tuple(attachments), found.problems)
