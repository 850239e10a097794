"""Up to which message each mailbox of ours was read (RFC 9051: 2.3.1.1)."""

from dataclasses import dataclass

from sqlalchemy import select

from gateway.model.identity import PlanId
from gateway.store import tables
from gateway.store.sql import upsert
from gateway.store.transaction import Transaction


@dataclass(frozen=True, slots=True)
class Cursor:
    """The last UID that was dealt with; it means something under its UIDVALIDITY alone."""

    uid_validity: int
    last_uid: int


def get(transaction: Transaction, *, mailbox: str) -> Cursor | None:
    table = tables.mailbox_cursor
    row = transaction.connection.execute(select(table).where(table.c.mailbox == mailbox)).first()
    return None if row is None else Cursor(row.uid_validity, row.last_uid)


def put(transaction: Transaction, *, plan: PlanId, mailbox: str, cursor: Cursor) -> None:
    values = {
        "mailbox": mailbox,
        "plan": plan,
        "uid_validity": cursor.uid_validity,
        "last_uid": cursor.last_uid,
    }
    upsert(transaction, tables.mailbox_cursor, values, ["mailbox"])
