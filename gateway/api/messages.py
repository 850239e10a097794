"""Direct messages that came: listed, looked at, and what is kept of each."""

from typing import Annotated, Any, Literal

from fastapi import APIRouter

from gateway.api.access import CLINICAL, OPERATION, Desk, Note, desk
from gateway.api.means import After, Limit, PathId
from gateway.api.problems import Problem
from gateway.model.identity import ConversationId, MailId
from gateway.model.received_mail import ReceivedMail
from gateway.store import mail_received
from gateway.store.database import Transaction

router = APIRouter(prefix="/api/v1", tags=["mail"])


@router.get("/direct/messages")
async def list_messages(
    at: Annotated[Desk, desk("REST-MESSAGES", CLINICAL | OPERATION)],
    state: Literal["spooled", "judged", "filed", "held", "quarantined", "notice", "duplicate"]
    | None = None,
    after: After = None,
    limit: Limit = 100,
) -> dict[str, Any]:
    """The plan's received messages in the order they came."""
    plan = at.caller.plan

    def unit(transaction: Transaction, _note: Note) -> tuple[ReceivedMail, ...]:
        return mail_received.list_page(
            transaction,
            plan=plan,
            state=state,
            after=MailId(after) if after else None,
            limit=limit,
        )

    page = await at.act(unit)
    following = page[-1].id if len(page) == limit else None
    return {"messages": [message_form(message) for message in page], "next": following}


@router.get("/direct/messages/{message_id}")
async def read_message(
    message_id: PathId, at: Annotated[Desk, desk("REST-MESSAGE", CLINICAL | OPERATION)]
) -> dict[str, Any]:
    """What is known of one received message."""

    def unit(transaction: Transaction, note: Note) -> ReceivedMail:
        message = the_message(transaction, at, message_id)
        note.conversation = ConversationId(message.id)
        return message

    return message_form(await at.act(unit))


def the_message(transaction: Transaction, at: Desk, message_id: str) -> ReceivedMail:
    """The caller's message.

    Raises:
        Problem: 404; one of another plan looks exactly like none.
    """
    found = mail_received.get(transaction, plan=at.caller.plan, message=MailId(message_id))
    if found is None:
        raise Problem(404, "There is no such message in your plan.")
    return found


def message_form(message: ReceivedMail) -> dict[str, Any]:
    """A received message as JSON."""
    return {
        "id": message.id,
        "direction": "in",
        "door": message.door,
        "state": message.state,
        "reason": message.reason,
        "from": message.mail_from,
        "to": list(message.rcpt_to),
        "message_id": message.message_id,
        "arrived": message.arrived.isoformat(),
        "settled": message.settled.isoformat() if message.settled else None,
        "attempts": message.attempts,
        "peer": message.peer,
        "size": message.blob.size_bytes,
        "sha256": message.blob.sha256,
    }
