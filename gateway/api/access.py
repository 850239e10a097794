"""Who calls, in which role, and the one desk at which every REST act is done and recorded.

A route asks for a `Desk` with the roles it admits. What it does, it does in `Desk.act`: the work
and its exchange record stand in one transaction, committed before the first byte of the answer
leaves (DECISIONS 16). A call that ends otherwise is recorded by `gateway.api.endings`, whatever
went wrong and wherever; one without a valid token is only counted (DECISIONS 17).
"""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Annotated, Final, TypeVar

from fastapi import Depends, Request, Security
from fastapi.dependencies.models import Dependant
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer

from gateway.api.problems import Problem
from gateway.model.caller import Caller, Role
from gateway.model.exchange import Exchange, Outcome
from gateway.model.identity import ConversationId, DocumentId, MemberId, PartnerId
from gateway.store import exchange_log, tokens
from gateway.store.database import Database, Transaction

T = TypeVar("T")

EVERYONE: Final[frozenset[Role]] = frozenset({"staff", "auditor", "operator", "system"})
CLINICAL: Final[frozenset[Role]] = frozenset({"staff", "system"})
OPERATION: Final[frozenset[Role]] = frozenset({"operator"})
AUDIT: Final[frozenset[Role]] = frozenset({"auditor"})

_BEARER: Final = HTTPBearer(auto_error=False, description="A token of `gateway tokens create`.")
_Credentials = Annotated[HTTPAuthorizationCredentials | None, Security(_BEARER)]


@dataclass(slots=True)
class Note:
    """What an act adds to its record while it is done."""

    member: MemberId | None = None
    partner: PartnerId | None = None
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
    secret: str = field(repr=False)
    note: Note = field(default_factory=Note)
    sequence: int | None = None
    """The act's record, once it is durable."""

    async def act(self, unit: Callable[[Transaction, Note], T]) -> T:
        """What `unit` returns, done and recorded in one transaction; what it raises undoes both."""

        def recorded(transaction: Transaction) -> tuple[T, exchange_log.Place]:
            result = unit(transaction, self.note)
            return result, exchange_log.append(transaction, self._record())

        result, place = await self.database.write_async(recorded)
        self.sequence = place.sequence
        return result

    def is_admitted(self, transaction: Transaction) -> bool:
        """Whether the caller's token still stands: an answer may take longer than that does."""
        now = datetime.now(UTC)
        return tokens.verify(transaction, secret=self.secret, now=now) is not None

    async def record_ending(self, outcome: Outcome, reason: str) -> None:
        """That the call did not end as asked, in the act's place or beside its record."""
        documents = self.note.documents
        if self.sequence is None:
            documents = ()  # the act was undone: it touched none
        else:
            reason = f"after record {self.sequence}: {reason}"
        ending = replace(self._record(), outcome=outcome, reason=reason, documents=documents)
        await self.database.write_async(lambda tx: exchange_log.append(tx, ending))

    def _record(self) -> Exchange:
        note = self.note
        return Exchange(
            time=datetime.now(UTC),
            direction="in",
            transaction=self.transaction_name,
            outcome=note.outcome,
            plan=self.caller.plan,
            partner=note.partner,
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


def desk(transaction_name: str, roles: frozenset[Role], *, reads_its_query: bool = False) -> object:
    """The dependency of a route: its `Desk`, for callers in one of `roles`.

    Where there are parameters to look by, one that is not known is refused: it may be a filter
    that is misspelt, and without it the answer would be about others, too. A route that
    `reads_its_query` judges itself.
    """

    async def open_desk(request: Request, credentials: _Credentials) -> Desk:
        started = time.monotonic()
        request.state.transaction_name = transaction_name
        database: Database = request.app.state.database
        secret = _secret(credentials)
        caller = await _verified(database, secret)
        opened = Desk(caller, database, transaction_name, peer_of(request), started, secret)
        request.state.desk = opened
        if caller.role not in roles:
            raise Problem(403, f"The role {caller.role} may not do this.")
        if request.method == "GET" and not reads_its_query:
            _refuse_unknown_parameters(request)
        return opened

    return Depends(open_desk)


def _refuse_unknown_parameters(request: Request) -> None:
    known = set(_parameters_of(request.scope["route"].dependant))
    if known and not known.issuperset(request.query_params):
        names = ", ".join(sorted(known))
        raise Problem(422, f"The address has a parameter that is not known here; known: {names}.")


def _parameters_of(dependant: Dependant) -> Iterator[str]:
    """Of the query: the route's own, and those of what it depends on."""
    yield from (one.alias for one in dependant.query_params)
    for below in dependant.dependencies:
        yield from _parameters_of(below)


def peer_of(request: Request) -> str:
    """What the wire shows of the other side."""
    return request.client.host if request.client else "unknown"


def _secret(credentials: HTTPAuthorizationCredentials | None) -> str:
    if credentials is None or not credentials.credentials.strip():
        raise Problem(401, "The request carries no bearer token.")
    return credentials.credentials.strip()


async def _verified(database: Database, secret: str) -> Caller:
    now = datetime.now(UTC)
    caller = await database.read_async(lambda tx: tokens.verify(tx, secret=secret, now=now))
    if caller is None:
        raise Problem(401, "The request carries an unknown, expired or revoked token.")
    return caller
