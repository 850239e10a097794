"""Jobs that come again and again, and keys that keep a job from coming twice."""

from collections.abc import Callable, Mapping
from datetime import datetime, timedelta

import orjson
from sqlalchemy import delete, select, update

from gateway.model.identity import PlanId
from gateway.store import tables
from gateway.store.job_port import JobQueue, checked_payload
from gateway.store.sql import indexable, insert_new, upsert
from gateway.store.transaction import Transaction


def enqueue_once(
    transaction: Transaction,
    *,
    kind: str,
    key: str | None,
    plan: PlanId | None,
    now: datetime,
    enqueue: Callable[[], int],
) -> int:
    """The id of the job made by `enqueue`, now or when that key was first given."""
    if key is None:
        return enqueue()
    table = tables.job_key
    key = indexable(key) or ""
    mine = (table.c.kind == kind) & (table.c.key == key)
    # The key first: of two that ask at once, the second waits here until the first is durable.
    values = {"kind": kind, "key": key, "plan": plan, "job": 0, "created": now}
    if not insert_new(transaction, table, values, ["kind", "key"]):
        return int(transaction.connection.execute(select(table.c.job).where(mine)).scalar_one())
    job = enqueue()
    transaction.connection.execute(update(table).where(mine).values(job=job))
    return job


def put(
    transaction: Transaction,
    *,
    name: str,
    kind: str,
    plan: PlanId | None,
    payload: Mapping[str, str],
    every_seconds: int,
    first: datetime,
) -> None:
    """Sets a schedule; a known one keeps its next time, lest restarts put it off for ever."""
    if every_seconds < 1:
        raise ValueError("a schedule's period is at least a second")
    values = {
        "name": name,
        "plan": plan,
        "kind": kind,
        "payload": orjson.dumps(checked_payload(payload)).decode(),
        "every_seconds": every_seconds,
        "next_run": first,
    }
    upsert(transaction, tables.schedule, values, ["name"], keep=["next_run"])


def remove(transaction: Transaction, *, name: str) -> bool:
    table = tables.schedule
    return transaction.connection.execute(delete(table).where(table.c.name == name)).rowcount > 0


def enqueue_due(transaction: Transaction, queue: JobQueue, *, now: datetime) -> int:
    """Enqueues every schedule whose time has come; how many those are."""
    table = tables.schedule
    rows = transaction.connection.execute(
        select(table)
        .where(table.c.next_run <= now)
        .order_by(table.c.name)
        .with_for_update(skip_locked=True)
    ).all()
    for row in rows:
        queue.enqueue(
            transaction,
            kind=row.kind,
            plan=row.plan,
            payload=orjson.loads(row.payload),
            idempotency_key=f"{row.name}@{row.next_run.isoformat()}",
            run_at=row.next_run,
        )
        period = timedelta(seconds=row.every_seconds)
        missed = (now - row.next_run) // period
        transaction.connection.execute(
            update(table)
            .where(table.c.name == row.name)
            .values(next_run=row.next_run + (missed + 1) * period)
        )
    return len(rows)
