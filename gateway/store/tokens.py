"""Tokens of people and systems. The secret is shown once; only its hash is kept (DECISIONS 6)."""

import hashlib
import secrets
from datetime import datetime
from typing import Any

from sqlalchemy import insert, select, update

from gateway.model.caller import ROLES, Caller, Role, Token
from gateway.model.identity import PlanId
from gateway.store import tables
from gateway.store.scope import Scope, within
from gateway.store.transaction import Transaction


def create(
    transaction: Transaction,
    *,
    plan: PlanId,
    name: str,
    role: Role,
    now: datetime,
    expires: datetime | None = None,
) -> tuple[Token, str]:
    """A new token and its secret of 256 random bits, which cannot be had again."""
    if role not in ROLES:
        raise ValueError(f"a role is one of {', '.join(ROLES)}")
    secret = secrets.token_urlsafe(32)
    values = {
        "id": secrets.token_hex(8),
        "plan": plan,
        "name": name,
        "role": role,
        "secret_hash": _hash(secret),
        "created": now,
        "expires": expires,
    }
    row = transaction.connection.execute(
        insert(tables.token).values(values).returning(*tables.token.c)
    ).one()
    return _token(row), secret


def verify(transaction: Transaction, *, secret: str, now: datetime) -> Caller | None:
    """Whose secret it is; None when unknown, expired or revoked."""
    # Found by hash: a secret of 256 bits cannot be guessed, so timing tells nothing.
    row = transaction.connection.execute(
        select(tables.token).where(tables.token.c.secret_hash == _hash(secret))
    ).first()
    if row is None or row.revoked is not None:
        return None
    if row.expires is not None and row.expires <= now:
        return None
    return _token(row).caller


def list_all(transaction: Transaction, *, plan: Scope) -> tuple[Token, ...]:
    """All tokens, revoked and expired ones too, oldest first."""
    table = tables.token
    rows = transaction.connection.execute(
        select(table).where(within(table.c.plan, plan)).order_by(table.c.created, table.c.id)
    )
    return tuple(_token(row) for row in rows)


def revoke(transaction: Transaction, *, plan: Scope, token: str, now: datetime) -> bool:
    """Whether there was such a token to revoke; the first revocation's time stays."""
    table = tables.token
    result = transaction.connection.execute(
        update(table)
        .where(table.c.id == token, within(table.c.plan, plan), table.c.revoked.is_(None))
        .values(revoked=now)
    )
    return result.rowcount > 0


def _hash(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()


def _token(row: Any) -> Token:
    return Token(
        id=row.id,
        caller=Caller(token_id=row.id, name=row.name, role=row.role, plan=PlanId(row.plan)),
        created=row.created,
        expires=row.expires,
        revoked=row.revoked,
    )
