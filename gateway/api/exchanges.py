"""The exchange log, for auditors; the look is itself recorded (DECISIONS 16)."""

from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter, Query

from gateway.api.access import AUDIT, Desk, Note, desk
from gateway.api.means import Limit
from gateway.api.problems import Problem
from gateway.model.exchange import ExchangeFilter, Outcome, RecordedExchange
from gateway.model.identity import ConversationId, DocumentId, MemberId, PartnerId
from gateway.store import exchange_log
from gateway.store.database import Transaction

router = APIRouter(prefix="/api/v1/exchanges", tags=["exchanges"])


@router.get("")
async def list_exchanges(
    at: Annotated[Desk, desk("REST-EXCHANGES", AUDIT)],
    member: str | None = None,
    partner: str | None = None,
    person: str | None = None,
    purpose: str | None = None,
    document: str | None = None,
    conversation: str | None = None,
    transaction: str | None = None,
    outcome: Outcome | None = None,
    since: datetime | None = None,
    until: datetime | None = None,
    offset: Annotated[int, Query(ge=0)] = 0,
    limit: Limit = 100,
) -> dict[str, Any]:
    """The plan's exchange records that fit, newest first."""
    wanted = ExchangeFilter(
        since=since,
        until=until,
        transaction=transaction,
        outcome=outcome,
        partner=PartnerId(partner) if partner else None,
        person=person,
        purpose=purpose,
        member=MemberId(member) if member else None,
        document=DocumentId(document) if document else None,
        conversation=ConversationId(conversation) if conversation else None,
    )

    def unit(tx: Transaction, note: Note) -> tuple[RecordedExchange, ...]:
        note.member = wanted.member
        return exchange_log.search(
            tx, plan=at.caller.plan, wanted=wanted, limit=limit, offset=offset
        )

    page = await at.act(unit)
    following = offset + limit if len(page) == limit else None
    return {"exchanges": [exchange_form(record) for record in page], "next_offset": following}


@router.get("/{sequence}")
async def read_exchange(
    sequence: int, at: Annotated[Desk, desk("REST-EXCHANGE", AUDIT)]
) -> dict[str, Any]:
    """One record, with its place in the chain."""

    def unit(transaction: Transaction, note: Note) -> RecordedExchange:
        found = exchange_log.get(transaction, plan=at.caller.plan, sequence=sequence)
        if found is None:
            raise Problem(404, "There is no such record of your plan.")
        note.member = found.exchange.member
        return found

    return exchange_form(await at.act(unit))


def exchange_form(record: RecordedExchange) -> dict[str, Any]:
    """ARCHITECTURE's `GET /api/v1/exchanges/{id}`."""
    exchange = record.exchange
    return {
        "sequence": record.sequence,
        "time": exchange.time.isoformat(),
        "direction": exchange.direction,
        "transaction": exchange.transaction,
        "partner": exchange.partner,
        "peer": exchange.peer,
        "person": exchange.person,
        "role": exchange.role,
        "purpose": exchange.purpose,
        "authority": exchange.authority,
        "member": exchange.member,
        "documents": list(exchange.documents),
        "outcome": exchange.outcome,
        "reason": exchange.reason,
        "conversation": exchange.conversation,
        "message_id": exchange.message_id,
        "duration_ms": exchange.duration_ms,
        "count": exchange.count,
        "hash": record.hash,
        "previous_hash": record.previous_hash,
    }
