"""Retrievals: what was asked for a member, and how far each partner has come."""

from collections.abc import Iterable, Sequence
from datetime import date, datetime
from typing import Any

from sqlalchemy import Row, delete, func, insert, literal, or_, select, update

from gateway.model.identity import ConversationId, MemberId, PartnerId, PlanId, RetrievalId
from gateway.model.ledger import Visits
from gateway.model.retrieval import PartnerProgress, Requester, Retrieval, RetrievalState
from gateway.store import tables
from gateway.store.errors import UnknownId
from gateway.store.sql import insert_new, upsert
from gateway.store.transaction import Transaction
from gateway.store.values import dump, load


def create(transaction: Transaction, retrieval: Retrieval) -> None:
    """Keeps a new retrieval, and the partners it already names."""
    values = {
        "id": retrieval.id,
        "plan": retrieval.plan,
        "member": retrieval.member,
        "purpose": retrieval.purpose,
        "person": retrieval.requester.person,
        "role": retrieval.requester.role,
        "authority": retrieval.requester.authority,
        "conversation": retrieval.conversation,
        "created": retrieval.created,
        "state": retrieval.state,
        "since": None if retrieval.since is None else retrieval.since.isoformat(),
        "finished": retrieval.finished,
    }
    transaction.connection.execute(insert(tables.retrieval).values(values))
    for progress in retrieval.partners:
        put_progress(transaction, plan=retrieval.plan, retrieval=retrieval.id, progress=progress)


def put_progress(
    transaction: Transaction, *, plan: PlanId, retrieval: RetrievalId, progress: PartnerProgress
) -> None:
    """How far it is at one partner now.

    Raises:
        UnknownId: no such retrieval in this plan.
    """
    values = {
        "retrieval": _number(transaction, plan, retrieval),
        "partner": progress.partner,
        "plan": plan,
        "partner_name": progress.partner_name,
        "step": progress.step,
        "outcome": progress.outcome,
        "documents_found": progress.documents_found,
        "documents_new": progress.documents_new,
        "documents_missing": progress.documents_missing,
        "elapsed_ms": progress.elapsed_ms,
        "detail": progress.detail,
        "next_step": progress.next_step,
        "remarks": _listed(progress.remarks),
        "steps": _listed(progress.steps),
    }
    upsert(transaction, tables.retrieval_partner, values, ["retrieval", "partner"])


def _listed(texts: tuple[str, ...]) -> str | None:
    return dump(texts) if texts else None


def set_state(
    transaction: Transaction,
    *,
    plan: PlanId,
    retrieval: RetrievalId,
    state: RetrievalState,
    finished: datetime | None = None,
) -> None:
    """Moves the retrieval on; `finished` belongs to its last state.

    Raises:
        UnknownId: no such retrieval in this plan.
    """
    table = tables.retrieval
    result = transaction.connection.execute(
        update(table)
        .where(table.c.plan == plan, table.c.id == retrieval)
        .values(state=state, finished=finished)
    )
    if result.rowcount == 0:
        raise UnknownId("retrieval", retrieval)


def claim_visit(
    transaction: Transaction, *, plan: PlanId, retrieval: RetrievalId, partner: PartnerId
) -> bool:
    """Whether the partner's part of the retrieval is now ours alone to go on with.

    A claim ends with `release_visit`, or with its process.
    """
    table = tables.visit_claim
    values = {"retrieval": retrieval, "partner": partner, "plan": plan}
    if insert_new(
        transaction, table, {**values, "process": transaction.process}, ["retrieval", "partner"]
    ):
        return True
    its = (table.c.retrieval == retrieval) & (table.c.partner == partner)
    holder = transaction.connection.execute(select(table.c.process).where(its)).scalar()
    if holder is None or transaction.is_running(holder):
        return False
    taken = transaction.connection.execute(
        update(table).where(its, table.c.process == holder).values(process=transaction.process)
    )
    return taken.rowcount == 1


def release_visit(
    transaction: Transaction, *, plan: PlanId, retrieval: RetrievalId, partner: PartnerId
) -> None:
    """Lets others go on with that part."""
    table = tables.visit_claim
    transaction.connection.execute(
        delete(table).where(
            table.c.plan == plan,
            table.c.retrieval == retrieval,
            table.c.partner == partner,
            table.c.process == transaction.process,
        )
    )


def get(transaction: Transaction, *, plan: PlanId, retrieval: RetrievalId) -> Retrieval | None:
    table = tables.retrieval
    rows = transaction.connection.execute(
        select(table).where(table.c.plan == plan, table.c.id == retrieval)
    ).all()
    return next(iter(_with_partners(transaction, rows)), None)


def states(
    transaction: Transaction, *, plan: PlanId, of: Sequence[RetrievalId]
) -> dict[RetrievalId, RetrievalState]:
    """How it stands with those of these, a thousand at the most, that there are."""
    table = tables.retrieval
    rows = transaction.connection.execute(
        select(table.c.id, table.c.state).where(table.c.plan == plan, table.c.id.in_(of))
    )
    return {RetrievalId(row.id): row.state for row in rows}


def several(
    transaction: Transaction, *, plan: PlanId, of: Sequence[RetrievalId]
) -> tuple[Retrieval, ...]:
    """These, a thousand at the most, with their partners."""
    table = tables.retrieval
    statement = select(table).where(table.c.plan == plan, table.c.id.in_(of))
    return _with_partners(transaction, transaction.connection.execute(statement).all())


def same_asked(
    transaction: Transaction, *, like: Retrieval, begun_since: datetime
) -> Retrieval | None:
    """The newest retrieval since then that asked the same for the same member and person, or more,
    and whose partners have all answered, or may yet."""
    table, stated = tables.retrieval, tables.retrieval.c.since
    within = literal(False) if like.since is None else stated <= like.since.isoformat()
    rows = transaction.connection.execute(
        select(table)
        .where(
            table.c.plan == like.plan,
            table.c.member == like.member,
            table.c.purpose == like.purpose,
            table.c.person == like.requester.person,
            table.c.created >= begun_since,
            table.c.state.in_(("waiting", "running", "done")),
            or_(stated.is_(None), within),
        )
        .order_by(table.c.number.desc())
        .limit(1)
    )
    return next(iter(_with_partners(transaction, rows.all())), None)


def progress(
    transaction: Transaction, *, plan: PlanId, retrieval: RetrievalId, of: Iterable[PartnerId]
) -> tuple[PartnerProgress, ...]:
    """How far it is at those of these partners whom it asks; it may ask thousands of others."""
    asked, visit = tables.retrieval, tables.retrieval_partner
    rows = transaction.connection.execute(
        select(visit)
        .join_from(asked, visit, visit.c.retrieval == asked.c.number)
        .where(asked.c.plan == plan, asked.c.id == retrieval, visit.c.partner.in_(list(of)))
        .order_by(visit.c.partner_name, visit.c.partner)
    )
    return tuple(map(_progress, rows))


def list_page(
    transaction: Transaction,
    *,
    plan: PlanId,
    member: MemberId | None = None,
    state: RetrievalState | None = None,
    before: RetrievalId | None = None,
    limit: int = 100,
) -> tuple[Retrieval, ...]:
    """Retrievals, newest first, from the one before `before`."""
    table = tables.retrieval
    statement = select(table).where(table.c.plan == plan)
    if member is not None:
        statement = statement.where(table.c.member == member)
    if state is not None:
        statement = statement.where(table.c.state == state)
    if before is not None:
        statement = statement.where(table.c.number < _number(transaction, plan, before))
    rows = transaction.connection.execute(statement.order_by(table.c.number.desc()).limit(limit))
    return _with_partners(transaction, rows.all())


def visits(
    transaction: Transaction, *, plan: PlanId, since: datetime, until: datetime
) -> tuple[Visits, ...]:
    """How often each partner ended so, by purpose, in retrievals begun within that time."""
    asked, visit = tables.retrieval, tables.retrieval_partner
    by = (visit.c.partner, visit.c.partner_name, asked.c.purpose, visit.c.outcome)
    rows = transaction.connection.execute(
        select(
            *by,
            func.count().label("times"),
            func.sum(visit.c.documents_found).label("found"),
            func.sum(visit.c.documents_new).label("new"),
            func.sum(visit.c.documents_missing).label("missing"),
        )
        .join_from(asked, visit, visit.c.retrieval == asked.c.number)
        .where(
            asked.c.plan == plan,
            asked.c.created >= since,
            asked.c.created < until,
            visit.c.outcome.is_not(None),
            visit.c.outcome != "not_asked",
        )
        .group_by(*by)
    )
    return tuple(
        Visits(
            partner=PartnerId(row.partner),
            partner_name=row.partner_name,
            purpose=row.purpose,
            outcome=row.outcome,
            times=row.times,
            documents_found=int(row.found),
            documents_new=int(row.new),
            documents_missing=int(row.missing),
        )
        for row in rows
    )


def oldest_open(transaction: Transaction, *, plan: PlanId, since: datetime) -> datetime | None:
    """When the oldest retrieval begun since then began that has not ended."""
    table = tables.retrieval
    found = transaction.connection.execute(
        select(table.c.created)
        .where(table.c.plan == plan, table.c.created >= since, table.c.finished.is_(None))
        .order_by(table.c.created)
        .limit(1)
    ).scalar()
    return found


def _number(transaction: Transaction, plan: PlanId, retrieval: RetrievalId) -> int:
    table = tables.retrieval
    number = transaction.connection.execute(
        select(table.c.number).where(table.c.plan == plan, table.c.id == retrieval)
    ).scalar()
    if number is None:
        raise UnknownId("retrieval", retrieval)
    return int(number)


def _with_partners(transaction: Transaction, rows: Sequence[Row[Any]]) -> tuple[Retrieval, ...]:
    if not rows:
        return ()
    table = tables.retrieval_partner
    found: dict[int, list[PartnerProgress]] = {}
    for row in transaction.connection.execute(
        select(table)
        .where(table.c.retrieval.in_([row.number for row in rows]))
        .order_by(table.c.retrieval, table.c.partner_name, table.c.partner)
    ):
        found.setdefault(row.retrieval, []).append(_progress(row))
    return tuple(_retrieval(row, tuple(found.get(row.number, ()))) for row in rows)


def _progress(row: Row[Any]) -> PartnerProgress:
    return PartnerProgress(
        partner=PartnerId(row.partner),
        partner_name=row.partner_name,
        step=row.step,
        outcome=row.outcome,
        documents_found=row.documents_found,
        documents_new=row.documents_new,
        documents_missing=row.documents_missing,
        elapsed_ms=row.elapsed_ms,
        detail=row.detail,
        next_step=row.next_step,
        remarks=_texts(row.remarks),
        steps=_texts(row.steps),
    )


def _texts(listed: str | None) -> tuple[str, ...]:
    return () if listed is None else load(tuple[str, ...], listed)


def _retrieval(row: Row[Any], partners: tuple[PartnerProgress, ...]) -> Retrieval:
    return Retrieval(
        id=RetrievalId(row.id),
        plan=PlanId(row.plan),
        member=MemberId(row.member),
        purpose=row.purpose,
        requester=Requester(row.person, row.role, row.authority),
        conversation=ConversationId(row.conversation),
        created=row.created,
        state=row.state,
        since=None if row.since is None else date.fromisoformat(row.since),
        finished=row.finished,
        partners=partners,
    )
