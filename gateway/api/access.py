"""Who calls, in which role, and the one desk at which every REST act is done and recorded.

A route asks for a `Desk` with the roles it admits. What it does, it does in `Desk.act`: the work
and its exchange record stand in one transaction, committed before the first byte of the answer
leaves (DECISIONS 16). A refusal is recorded too; one without a valid token is only counted,
so that strangers cannot fill the log (DECISIONS 17).
"""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Final, TypeVar

from fastapi import Depends, Request

from gateway.api.problems import Problem
from gateway.model.caller import Caller, Role
from gateway.model.exchange import Exchange, Outcome
from gateway.model.identity import ConversationId, DocumentId, MemberId
from gateway.store import exchange_log, tokens
from gateway.store.database import Database, Transaction

T = TypeVar("T")

EVERYONE: Final[frozenset[Role]] = frozenset({"staff", "auditor", "operator", "system"})
CLINICAL: Final[frozenset[Role]] = frozenset({"staff", "system"})
OPERATION: Final[frozenset[Role]] = frozenset({"operator"})
AUDIT: Final[frozenset[Role]] = frozenset({"auditor"})


@dataclass(slots=True)
class Note:
    """What an act adds to its record while it is done."""

    member: MemberId | None = None
    documents: tuple[DocumentId, ...] = ()
    purpose: str | None = None
    authority: str | None = None
    conversation: ConversationId | None = None
    outcome: Outcome = "success"
    reason: str | None = None


@dataclass(slots=True)
class Desk:
    """A verified caller at one door, for one request."""

    caller: Caller
    database: Database
    transaction_name: str
    peer: str
    started: float
    note: Note = field(default_factory=Note)

    async def act(self, unit: Callable[[Transaction, Note], T]) -> T:
        """What `unit` returns, done and recorded in one transaction.

        Raises:
            Problem: `unit` raised it; its own work is undone, the refusal is recorded.
        """

        def recorded(transaction: Transaction) -> T:
            result = unit(transaction, self.note)
            exchange_log.append(transaction, self._record())
            return result

        try:
            return await self.database.write_async(recorded)
        except Problem as problem:
            refusal = self._refusal(problem)
            await self.database.write_async(lambda tx: exchange_log.append(tx, refusal))
            raise

    def _record(self) -> Exchange:
        note = self.note
        return Exchange(
            time=datetime.now(UTC),
            direction="in",
            transaction=self.transaction_name,
            outcome=note.outcome,
            plan=self.caller.plan,
            peer=self.peer,
            person=self.caller.name,
            role=self.caller.role,
            purpose=note.purpose,
            authority=note.authority,
            member=note.member,
            documents=note.documents,
            reason=note.reason,
            conversation=note.conversation,
            duration_ms=round((time.monotonic() - self.started) * 1000),
        )

    def _refusal(self, problem: Problem) -> Exchange:
        outcome: Outcome = "refused" if problem.status < 500 else "failed"
        return replace(self._record(), outcome=outcome, reason=problem.detail, documents=())


def desk(transaction_name: str, roles: frozenset[Role]) -> object:
    """The dependency of a route: its `Desk`, for callers in one of `roles`."""

    async def open_desk(request: Request) -> Desk:
        database: Database = request.app.state.database
        peer = request.client.host if request.client else "unknown"
        caller = await _verified(request.headers, database, transaction_name, peer)
        opened = Desk(caller, database, transaction_name, peer, time.monotonic())
        if caller.role not in roles:
            await _refuse_role(opened)
        return opened

    return Depends(open_desk)


async def _verified(
    headers: Mapping[str, str], database: Database, transaction_name: str, peer: str
) -> Caller:
    scheme, _, secret = headers.get("authorization", "").partition(" ")
    if scheme.lower() != "bearer" or not secret:
        reason = "no bearer token"
    else:
        now = datetime.now(UTC)
        caller = await database.read_async(
            lambda tx: tokens.verify(tx, secret=secret.strip(), now=now)
        )
        if caller is not None:
            return caller
        reason = "an unknown, expired or revoked token"
    await _count(database, transaction_name, peer, reason)
    raise Problem(401, f"The request carries {reason}.")


async def _count(database: Database, transaction_name: str, peer: str, reason: str) -> None:
    refusal = Exchange(
        time=datetime.now(UTC),
        direction="in",
        transaction=transaction_name,
        outcome="refused",
        peer=peer,
        reason=reason,
    )
    await database.write_async(lambda tx: exchange_log.count_refusal(tx, refusal))


async def _refuse_role(desk: Desk) -> None:
    def refuse(_transaction: Transaction, _note: Note) -> None:
        raise Problem(403, f"The role {desk.caller.role} may not do this.")

    await desk.act(refuse)
