"""That someone did something at the terminal: one record of the plan's, as of any exchange.

No act without its record (DECISIONS 16): what changes data is recorded in the transaction that
changes it, what reads data before its first line is printed.
"""

import getpass
import os
from datetime import UTC, datetime
from typing import Final

from gateway.app.house import House
from gateway.cli.terminal import Exit, Failure
from gateway.model.exchange import Exchange, Outcome
from gateway.model.identity import ConversationId, DocumentId, MemberId, PartnerId, PlanId
from gateway.store import exchange_log
from gateway.store.transaction import Transaction

_PEER: Final = "terminal"


def record(
    transaction: Transaction,
    name: str,
    *,
    plan: PlanId | None,
    member: MemberId | None = None,
    partner: PartnerId | None = None,
    documents: tuple[DocumentId, ...] = (),
    purpose: str | None = None,
    authority: str | None = None,
    conversation: ConversationId | None = None,
    outcome: Outcome = "success",
    reason: str | None = None,
    message_id: str | None = None,
) -> None:
    """The act `name` of whoever sits at the terminal; `plan` is None for all plans at once."""
    act = Exchange(
        time=datetime.now(UTC),
        direction="in",
        transaction=name,
        outcome=outcome,
        plan=plan,
        partner=partner,
        peer=_PEER,
        person=operator(),
        role="operator",
        purpose=purpose,
        authority=authority,
        member=member,
        documents=documents,
        reason=reason,
        conversation=conversation,
        message_id=message_id,
    )
    exchange_log.append(transaction, act)


def act_of_operator(name: str, *, plan: PlanId | None) -> Exchange:
    """That act of whoever sits at the terminal, done now, for its record to be filled in."""
    return Exchange(
        time=datetime.now(UTC),
        direction="in",
        transaction=name,
        outcome="success",
        plan=plan,
        peer=_PEER,
        person=operator(),
        role="operator",
    )


def record_look(
    house: House,
    name: str,
    *,
    plan: PlanId | None,
    member: MemberId | None = None,
    documents: tuple[DocumentId, ...] = (),
    reason: str | None = None,
) -> None:
    """As `record`, for what was read and is about to be printed."""
    house.database.write(
        lambda tx: record(tx, name, plan=plan, member=member, documents=documents, reason=reason)
    )


def refusal(
    house: House,
    name: str,
    *,
    plan: PlanId | None,
    reason: str,
    advice: str = "",
    exit_code: Exit = Exit.FAILED,
) -> Failure:
    """The sentence with which the act `name` ends, once it is recorded that it was not done.

    `advice` is for the person alone: it is not part of the record.
    """
    house.database.write(lambda tx: record(tx, name, plan=plan, outcome="refused", reason=reason))
    return Failure(f"{reason}{advice}", exit_code)


def operator() -> str:
    """The operating system's name of the user; a container may know only a number."""
    try:
        return getpass.getuser()
    except (OSError, KeyError):
        return f"user {os.getuid()}"
