"""The exchange log, for auditors; the look is itself recorded (DECISIONS 16)."""

from dataclasses import replace
from datetime import UTC, datetime
from typing import Annotated, Any, Final

from fastapi import APIRouter, Path, Query
from pydantic import AfterValidator

from gateway.api.access import AUDIT, Desk, Note, desk
from gateway.api.means import Limit, QueryId
from gateway.api.problems import Problem
from gateway.model.exchange import Direction, ExchangeFilter, Outcome, RecordedExchange
from gateway.model.identity import ConversationId, DocumentId, MemberId, PartnerId
from gateway.model.retention import PlanMonth
from gateway.store import disposals, exchange_log, members
from gateway.store.database import Transaction
from gateway.store.exchange_search import Column, NoSuchRecord

router = APIRouter(prefix="/api/v1/exchanges", tags=["exchanges"])
MOST: Final = 2**63 - 1
"""The largest number that a database knows."""
_MOST_PASSED: Final = 10_000
"""What is passed over is gathered all the same."""
_FIRST: Final = datetime(1900, 1, 1, tzinfo=UTC)
_LAST: Final = datetime(9000, 1, 1, tzinfo=UTC)


def _in_utc(time: datetime) -> datetime:
    """A time without a zone is UTC; one before any record is as good as the first."""
    aware = time if time.tzinfo else time.replace(tzinfo=UTC)
    return min(max(aware, _FIRST), _LAST).astimezone(UTC)


Moment = Annotated[datetime | None, AfterValidator(lambda time: time and _in_utc(time)), Query()]
Words = Annotated[str | None, Query(max_length=200, pattern=r"^[^\x00-\x1f]+$")]


@router.get("")
async def list_exchanges(
    at: Annotated[Desk, desk("REST-EXCHANGES", AUDIT)],
    member: QueryId = None,
    partner: QueryId = None,
    person: Words = None,
    purpose: Words = None,
    document: QueryId = None,
    conversation: QueryId = None,
    transaction: Words = None,
    outcome: Outcome | None = None,
    since: Moment = None,
    until: Moment = None,
    direction: Direction | None = None,
    order: Annotated[Column, Query(description="The column to sort by.")] = "sequence",
    descending: bool = True,
    after: Annotated[int | None, Query(ge=1, le=MOST, description="The last page's next.")] = None,
    offset: Annotated[int, Query(ge=0, description="Records to pass over, 10,000 at most.")] = 0,
    limit: Limit = 100,
) -> dict[str, Any]:
    """The plan's exchange records that fit, newest first, or sorted by any column.

    Of `disposed_months` nobody can say any more which member or document a record was about.
    `after` goes on where the last page ended, however deep; `offset` counts from the beginning.
    """
    if offset > _MOST_PASSED:
        why = f"Up to {_MOST_PASSED:,} records are passed over: go on `after` a page's last record."
        raise Problem(422, why)
    wanted = replace(
        within(since, until),
        transaction=transaction,
        outcome=outcome,
        direction=direction,
        partner=PartnerId(partner) if partner else None,
        person=person,
        purpose=purpose,
        member=MemberId(member) if member else None,
        document=DocumentId(document) if document else None,
        conversation=ConversationId(conversation) if conversation else None,
    )

    def look(tx: Transaction) -> tuple[tuple[RecordedExchange, ...], tuple[PlanMonth, ...]]:
        hidden = disposals.hidden(tx, at.caller.plan, wanted)
        return exchange_log.search(
            tx,
            plan=at.caller.plan,
            wanted=wanted,
            order=order,
            descending=descending,
            limit=limit,
            offset=offset,
            after=after,
        ), hidden

    def unit(tx: Transaction, note: Note) -> None:
        if wanted.member is not None:
            # Whatever else the caller wrote there must not enter the log.
            known = members.get(tx, plan=at.caller.plan, member=wanted.member)
            note.member = known.id if known else None

    try:
        # Not in the act's own unit: on SQLite nobody else writes while that one runs.
        page, hidden = await at.database.read_async(look)
    except NoSuchRecord:
        raise Problem(404, "There is no such record of your plan to go on after.") from None
    await at.act(unit)
    is_full = len(page) == limit
    return {
        "exchanges": [exchange_form(record) for record in page],
        "next": page[-1].sequence if is_full else None,
        "next_offset": offset + limit if is_full else None,
        "disposed_months": sorted(month.month for month in hidden),
    }


@router.get("/{sequence}")
async def read_exchange(
    sequence: Annotated[int, Path(ge=1, le=MOST, description="Its place in the log.")],
    at: Annotated[Desk, desk("REST-EXCHANGE", AUDIT)],
) -> dict[str, Any]:
    """One record, with its place in the chain."""

    def unit(transaction: Transaction, note: Note) -> RecordedExchange:
        found = exchange_log.get(transaction, plan=at.caller.plan, sequence=sequence)
        if found is None:
            raise Problem(404, "There is no such record of your plan.")
        note.member = found.exchange.member
        return found

    return exchange_form(await at.act(unit))


def within(since: datetime | None, until: datetime | None) -> ExchangeFilter:
    """The records of that time.

    Raises:
        Problem: 422, of no time at all: an empty answer would say that nothing happened.
    """
    if since is not None and until is not None and since >= until:
        raise Problem(422, "since must be before until.")
    return ExchangeFilter(since=since, until=until)


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
        "disposed": record.is_disposed,
        "hash": record.hash,
        "previous_hash": record.previous_hash,
    }
