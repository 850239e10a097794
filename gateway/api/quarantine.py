"""Quarantine: documents that cannot be read, messages that were not trusted; run again when mended.

Two lists in one answer, each with its own next page.
"""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Annotated, Any

from fastapi import APIRouter, Query
from fastapi.responses import JSONResponse

from gateway.api.access import CLINICAL, OPERATION, Desk, Note, desk
from gateway.api.documents import document_form
from gateway.api.means import After, Limit, Means, PathId
from gateway.api.messages import message_form
from gateway.api.problems import Problem
from gateway.exchange.ingest import Ingested
from gateway.exchange.replaying import NotQuarantined, read_again, refile, replay_message
from gateway.model.document import Document
from gateway.model.identity import ConversationId, DocumentId, MailId
from gateway.model.received_mail import ReceivedMail
from gateway.store import documents, mail_received
from gateway.store.database import Transaction

router = APIRouter(prefix="/api/v1", tags=["quarantine"])

AfterMessage = Annotated[
    str | None,
    Query(pattern=r"^[!-~]{1,100}$", description="The last page's `next_message`."),
]


@dataclass(frozen=True, slots=True)
class _Page:
    documents: tuple[Document, ...]
    messages: tuple[ReceivedMail, ...]


@router.get("/quarantine")
async def list_quarantine(
    at: Annotated[Desk, desk("REST-QUARANTINE", CLINICAL | OPERATION)],
    after: After = None,
    after_message: AfterMessage = None,
    limit: Limit = 100,
) -> dict[str, Any]:
    """Documents that could not be read, messages that were not trusted, each with its reason."""
    plan = at.caller.plan

    def unit(transaction: Transaction, note: Note) -> _Page:
        page = _Page(
            documents.list_page(
                transaction,
                plan=plan,
                state="quarantined",
                after=DocumentId(after) if after else None,
                limit=limit,
            ),
            mail_received.list_page(
                transaction,
                plan=plan,
                state="quarantined",
                after=MailId(after_message) if after_message else None,
                limit=limit,
            ),
        )
        note.documents = tuple(document.id for document in page.documents)
        return page

    page = await at.act(unit)
    full, crowded = len(page.documents) == limit, len(page.messages) == limit
    return {
        "documents": [document_form(document) for document in page.documents],
        "next": page.documents[-1].id if full else None,
        "messages": [message_form(message) for message in page.messages],
        "next_message": page.messages[-1].id if crowded else None,
    }


@router.post("/quarantine/{item_id}/replay", status_code=202)
async def replay(
    item_id: PathId,
    means: Means,
    at: Annotated[Desk, desk("REST-REPLAY", CLINICAL | OPERATION)],
) -> JSONResponse:
    """Run it again: a message is queued to be judged anew (202), a document is read anew (200)."""
    document = await at.database.read_async(
        lambda tx: documents.get(tx, plan=at.caller.plan, document=DocumentId(item_id))
    )
    try:
        if document is None:
            again = await at.act(lambda tx, note: _queued(tx, note, means, at, item_id))
            return JSONResponse(message_form(again), 202)
        done = await _read(document, means, at)
    except NotQuarantined as reason:
        raise Problem(409, f"There is nothing to replay: {reason}.") from None
    return JSONResponse({**document_form(done.document), "outcome": done.outcome}, 200)


def _queued(
    transaction: Transaction, note: Note, means: Means, at: Desk, item_id: str
) -> ReceivedMail:
    again = replay_message(transaction, means.queue, plan=at.caller.plan, message=MailId(item_id))
    note.conversation = ConversationId(again.id)  # not what was asked for: that may be anything
    return again


async def _read(document: Document, means: Means, at: Desk) -> Ingested:
    plan = means.plan(at.caller.plan)
    received = await read_again(means.archive, document, plan)
    unit = refile(received, plan=plan, community=means.community, now=datetime.now(UTC))

    def recorded(transaction: Transaction, note: Note) -> Ingested:
        done = unit(transaction)
        note.member, note.documents = done.document.member, (document.id,)
        return done

    return await at.act(recorded)
