"""Legal holds: what of the exchange log must not be disposed of. None is ever removed."""

import secrets
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any, Final

from sqlalchemy import Row, insert, select, text, type_coerce, update
from sqlalchemy.types import NullType

from gateway.model.identity import MemberId, PartnerId, PlanId
from gateway.model.retention import Hold
from gateway.store import tables
from gateway.store.transaction import Transaction

_TIMES: Final = ("placed", "since", "until", "lifted")


def new_id() -> str:
    """An id that is short enough to be read out."""
    return secrets.token_hex(4)


def put(transaction: Transaction, hold: Hold) -> None:
    """Adds a hold."""
    names = tables.legal_hold.c.keys()
    values = {name: getattr(hold, name) for name in names}
    transaction.connection.execute(insert(tables.legal_hold).values(values))


def freeze(transaction: Transaction) -> None:
    """Until this unit has ended no hold is placed or lifted, and one that just was is seen."""
    if transaction.is_postgres:  # on SQLite nobody else writes anyway
        transaction.connection.execute(text("LOCK TABLE legal_hold IN SHARE ROW EXCLUSIVE MODE"))


def lift(transaction: Transaction, id: str, *, by: str, because: str, now: datetime) -> Hold | None:
    """The hold, lifted; None if none of that id is in force."""
    table = tables.legal_hold
    statement = select(table).where(table.c.id == id, table.c.lifted.is_(None)).with_for_update()
    row = transaction.connection.execute(statement).first()
    if row is None:
        return None
    values = {"lifted_by": by, "lifted": now, "lifted_because": because}
    transaction.connection.execute(update(table).where(table.c.id == id).values(values))
    return replace(_hold(row), **values)  # type: ignore[arg-type]  # each under its own name


def list_all(transaction: Transaction, *, lifted: bool = False) -> tuple[Hold, ...]:
    """Those in force, and if asked for those that were lifted; the oldest first. Of a row that
    makes no hold `as_kept` knows."""
    known = (hold for hold in as_kept(transaction).values() if hold is not None)
    found = (hold for hold in known if lifted or hold.is_in_force)
    return tuple(sorted(found, key=lambda hold: (hold.placed, hold.id)))


def as_kept(transaction: Transaction) -> dict[str, Hold | None]:
    """Every hold by its id, lifted or not; None stands for a row that makes no hold.

    SQLite keeps anything anywhere, and one row must not hide the others.
    """
    table = tables.legal_hold
    raw = [type_coerce(column, NullType()).label(column.name) for column in table.c]
    rows = transaction.connection.execute(select(*raw)).mappings()
    return {str(row["id"]): _read(dict(row)) for row in rows}


def _read(values: dict[str, Any]) -> Hold | None:
    try:
        for name in _TIMES:
            values[name] = _time(values[name])
        hold = Hold(**values)
    except (TypeError, ValueError):
        return None
    words = (value for name, value in values.items() if name not in _TIMES)
    return hold if all(isinstance(value, str | None) for value in words) else None


def _time(value: Any) -> datetime | None:
    found = datetime.fromisoformat(value) if isinstance(value, str) else value
    if found is not None and not isinstance(found, datetime):
        raise TypeError
    return None if found is None else found.astimezone(UTC)


def _hold(row: Row[Any]) -> Hold:
    return Hold(
        id=row.id,
        reason=row.reason,
        placed_by=row.placed_by,
        placed=row.placed,
        plan=None if row.plan is None else PlanId(row.plan),
        member=None if row.member is None else MemberId(row.member),
        partner=None if row.partner is None else PartnerId(row.partner),
        since=row.since,
        until=row.until,
        lifted_by=row.lifted_by,
        lifted=row.lifted,
        lifted_because=row.lifted_because,
    )
