"""Whether a certificate of disposal is one: signed by the log's own key, and as the chain says.

Whoever can write to the database can put a certificate there, with a key of his own beside it, and
a record that names it by hash. So it is read by a key that was handed in, and each of its lines is
laid beside what the records say: the month, how many there were of it and which, that its years
were over, and when it was done.
"""

import hashlib
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, Final

from sqlalchemy import Row, select

from gateway.model.checkpoint import InvalidCheckpoint, LogKey, read_note
from gateway.model.identity import PlanId
from gateway.model.retention import DISPOSAL, HOUSE, PlanMonth
from gateway.store import disposals, tables
from gateway.store.month_key import MonthName
from gateway.store.transaction import Transaction

_DUE: Final = re.compile(r"due (\d{4}-\d\d-\d\d), after (\d{1,3}) years")
_AT: Final = re.compile(r"at (\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ)")


@dataclass(frozen=True, slots=True)
class Judged:
    """A certificate, by the month it is kept for; the record that names it, if one does; and what
    is wrong with it, in words."""

    name: MonthName
    sequence: int | None
    fault: str | None

    @property
    def words(self) -> str:
        scope, month = self.name
        return f"the certificate of disposal of {month} of {scope or HOUSE}, {self.fault}"


def signer(certificate: object, keys: Sequence[LogKey]) -> LogKey | None:
    """Which of these keys has signed it; None if none has."""
    for key in keys if isinstance(certificate, str) else ():
        try:
            read_note(str(certificate), key)
        except (InvalidCheckpoint, UnicodeError):
            continue
        return key
    return None


def judged(transaction: Transaction, keys: Sequence[LogKey]) -> Iterator[Judged]:
    """Every certificate. `keys` are those of the log, from wherever they cannot have been put by
    somebody who writes to the database."""
    told = _told(transaction)
    table = tables.disposal
    kept = select(table.c.scope, table.c.month, table.c.certificate)
    for row in transaction.connection.execute(kept).all():
        name = (row.scope, row.month)
        record = told.get((*name, _digest(row.certificate)))
        fault = _fault(transaction, name, row.certificate, keys, record)
        yield Judged(name, None if record is None else record.sequence, fault)


def _fault(
    transaction: Transaction,
    name: MonthName,
    certificate: object,
    keys: Sequence[LogKey],
    record: Row[Any] | None,
) -> str | None:
    key = signer(certificate, keys)
    if key is None:
        return "which no key of this log has signed"
    if record is None:
        return "of which no record says that it was done"
    scope, month = name
    try:
        of = PlanMonth(PlanId(scope) if scope else None, month)
    except (TypeError, ValueError):
        return "which is of no month"
    lines = read_note(str(certificate), key).splitlines()
    if not _says(lines, _stated(transaction, of, record.sequence, key)):
        return "which is of other records than there are of that month"
    if not _was_due(lines, of, record.time):
        return "which was made before that month was due"
    return None


def _stated(
    transaction: Transaction, month: PlanMonth, before: int, key: LogKey
) -> tuple[str, ...]:
    """The lines that say what was disposed of, as the records before that one have it."""
    found = disposals.records(transaction, month, before=before)
    return (
        key.name,
        "certificate of disposal",
        f"of {month.plan or HOUSE}, {month.month}",
        f"records {found.records}, from {found.first or '-'} to {found.last or '-'}",
        f"closing hash {found.closing_hash or '-'}",
    )


def _says(lines: Sequence[str], stated: Sequence[str]) -> bool:
    return list(lines[: len(stated)]) == list(stated)


def _was_due(lines: Sequence[str], month: PlanMonth, done: datetime) -> bool:
    due = next(filter(None, map(_DUE.fullmatch, lines)), None)
    at = next(filter(None, map(_AT.fullmatch, lines)), None)
    if due is None or at is None:
        return False
    expected = month.due(int(due[2])).date()
    return (
        due[1] == expected.isoformat()
        and at[1] == f"{done:%Y-%m-%dT%H:%M:%SZ}"
        and expected <= date.fromisoformat(at[1][:10])
    )


def _told(transaction: Transaction) -> dict[tuple[str, str, str], Any]:
    """The records of disposals that were done, by scope, month and the certificate's hash."""
    table = tables.exchange
    done = select(table.c.sequence, table.c.plan, table.c.time, table.c.reason).where(
        table.c.transaction == DISPOSAL, table.c.outcome == "success"
    )
    found: dict[tuple[str, str, str], Any] = {}
    for row in transaction.connection.execute(done.order_by(table.c.sequence)):
        month, _, rest = (row.reason or "").partition(": ")
        found[row.plan or "", month, rest[-64:]] = row
    return found


def _digest(certificate: object) -> str:
    content = certificate.encode(errors="surrogatepass") if isinstance(certificate, str) else b""
    return hashlib.sha256(content).hexdigest()
