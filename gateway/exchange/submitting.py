"""We submit a member's documents to a partner: ITI-41, or ITI-80 where its endpoint says so.

What leaves is what rules give this partner for the purpose, as if it had asked (DECISIONS 10), and
only for a member whom we may speak about (9). Every attempt is signed anew and has a record of its
own; the ids of the submission and of its documents stay, so that none is doubled by being sent
again. Documents are read from the store as they leave.
"""

import asyncio
from collections.abc import Iterable, Iterator, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from random import SystemRandom
from typing import Final

from gateway.clients.failures import Busy, Passing
from gateway.clients.soap_client import SoapClient
from gateway.exchange.archive import Archive
from gateway.exchange.asker import Way
from gateway.exchange.asking import Answered, Asking, Call, Patience, ask
from gateway.exchange.error_words import in_words
from gateway.exchange.in_turn import in_turn
from gateway.exchange.metadata import patient_id
from gateway.exchange.on_demand import kept_snapshot
from gateway.exchange.policy import Refused, may_ask
from gateway.exchange.shelf import Shelf, current, open_shelf
from gateway.exchange.submission_request import Chosen, document_parts, write_request
from gateway.model.community import Community
from gateway.model.document import OfferedDocument
from gateway.model.exchange import Exchange, ExchangeFilter, Outcome, RecordedExchange
from gateway.model.identity import ConversationId, PlanId, RetrievalId
from gateway.model.member import Plan
from gateway.model.partner import RETIRED, Partner
from gateway.model.purpose import PurposeOfUse
from gateway.model.retrieval import Retrieval
from gateway.model.submission import Submission
from gateway.store import exchange_log, exchange_search, links, members, partners, policy_rules
from gateway.store.database import Transaction
from ihe.registry_response import (
    ErrorCode,
    RegistryResponse,
    ResponseStatus,
    Severity,
    read_registry_response,
)
from ihe.soap import ITI_41_REQUEST, ITI_80_REQUEST, MessageKind
from ihe.wire import OpenedAnswer
from ihe.xdr import write_provide_and_register

TRANSACTIONS: Final = ("ITI-41", "ITI-80")
REFUSED: Final = "SUBMISSION"
"""The record of one that was ordered, and may not be sent when its time comes."""
GIVEN_UP: Final = "SUBMISSION-GIVEN-UP"
"""The record of one that nobody tries to send any more."""
ENDS: Final = (*TRANSACTIONS, REFUSED, GIVEN_UP)
"""Records of what an order has come to; the last of them says how it stands."""
_PAUSES_SECONDS: Final = (0.5, 1.5)
"""Before it is sent again where the connection failed, half of it more or less."""
_BUSY: Final = frozenset(
    {ErrorCode.REGISTRY_BUSY, ErrorCode.REPOSITORY_BUSY, ErrorCode.REGISTRY_NOT_AVAILABLE}
)
_OUTCOMES: Final[dict[ResponseStatus, Outcome]] = {
    ResponseStatus.SUCCESS: "success",
    ResponseStatus.PARTIAL_SUCCESS: "partial",
    ResponseStatus.FAILURE: "refused",
}
_chance = SystemRandom()


class NotSubmitted(Exception):
    """Nothing leaves; the text is a sentence of ours for whoever asked."""


@dataclass(frozen=True, slots=True)
class SubmitMeans:
    """What submissions are sent with."""

    archive: Archive
    client: SoapClient
    community: Community
    plans: Sequence[Plan]


@dataclass(frozen=True, slots=True)
class Submitted:
    """What the partner answered, and which documents it was sent."""

    outcome: Outcome
    documents: tuple[OfferedDocument, ...]
    reason: str | None = None


def check(
    transaction: Transaction,
    given: Submission,
    plans: Iterable[Plan],
    community: Community,
    *,
    now: datetime,
) -> tuple[Partner, Shelf]:
    """To whom it goes, and the member's documents as rules open them to it.

    Raises:
        NotSubmitted: it may not be sent, or there is nothing to send.
    """
    plan = next((one for one in plans if one.id == given.plan), None)
    member = members.get(transaction, plan=given.plan, member=given.member)
    partner = partners.get(transaction, plan=given.plan, partner=given.partner)
    if plan is None or member is None or partner is None:
        raise NotSubmitted("its plan, member or partner is not there")
    if partner.profile.retired:
        raise NotSubmitted(f"the partner takes no submissions: {RETIRED}")
    if partner.endpoints.iti80 is None and partner.endpoints.iti41 is None:
        raise NotSubmitted("the partner takes no submissions: its endpoints name no iti41 or iti80")
    purpose = PurposeOfUse.parse(given.purpose)
    verdict = may_ask(
        member,
        purpose=purpose,
        requester=given.requester.person,
        treatment_agreed=plan.treatment_agreement is not None,
        on=now.date(),
    )
    if isinstance(verdict, Refused):
        raise NotSubmitted(verdict.reason)
    rules = policy_rules.list_all(transaction, plan=plan.id)
    shelf = open_shelf(transaction, Way(plan, partner, purpose, rules), member, community)
    if given.summary and shelf.summary is None:
        raise NotSubmitted("no rule gives this partner the member's summary for this purpose")
    if not set(given.documents) <= {one.document.id for one in shelf.documents}:
        raise NotSubmitted("no rule gives this partner one of the documents for this purpose")
    if not given.documents and not given.summary and not current(shelf.documents):
        raise NotSubmitted("no rule gives this partner any document of the member for this purpose")
    return partner, shelf


def is_answered(transaction: Transaction, given: Submission) -> bool:
    """Whether the partner has said what it makes of it: a worker may die before its queue hears."""
    return any(
        one.exchange.transaction in TRANSACTIONS
        and one.exchange.outcome in ("success", "partial", "refused")
        for one in records_of(transaction, given.id, given.plan)
    )


def records_of(
    transaction: Transaction, submission: str, plan: PlanId
) -> tuple[RecordedExchange, ...]:
    """What was recorded of it, oldest first: the order for it, and each attempt."""
    wanted = ExchangeFilter(conversation=ConversationId(submission))
    return exchange_search.search(transaction, plan=plan, wanted=wanted, descending=False)


def refuse_submission(transaction: Transaction, given: Submission, reason: str) -> None:
    """Records that an order, which was accepted, is not carried out."""
    exchange_log.append(transaction, _end(given, REFUSED, "refused", reason, datetime.now(UTC)))


def give_up_submission(
    transaction: Transaction, given: Submission, reason: str, *, is_known: bool, now: datetime
) -> None:
    """Records that it is not sent any more, unless its end is on record.

    `is_known`: what the last attempt came to; else it may have arrived.
    """
    found = [one.exchange.transaction for one in records_of(transaction, given.id, given.plan)]
    last = next((name for name in reversed(found) if name in ENDS), None)
    if last in (REFUSED, GIVEN_UP) or is_answered(transaction, given):
        return
    said = f"the submission was given up: {reason}"
    outcome: Outcome = "failed" if is_known else "unknown"
    exchange_log.append(transaction, _end(given, GIVEN_UP, outcome, said, now))


def _end(
    given: Submission, transaction: str, outcome: Outcome, reason: str, now: datetime
) -> Exchange:
    return Exchange(
        time=now,
        direction="in",
        transaction=transaction,
        outcome=outcome,
        plan=given.plan,
        partner=given.partner,
        person=given.requester.person,
        role=given.requester.role,
        purpose=given.purpose,
        authority=given.requester.authority,
        member=given.member,
        documents=given.documents,
        reason=reason,
        conversation=ConversationId(given.id),
    )


async def submit_in_turn(means: SubmitMeans, given: Submission) -> Submitted:
    """As `submit`; to one partner, for as many members at once as it takes.

    Raises:
        PutOff: as many are with it, and wait for that.
    """
    partner = await means.archive.database.read_async(
        lambda tx: partners.get(tx, plan=given.plan, partner=given.partner)
    )
    turn = nullcontext() if partner is None else in_turn(means.client.restraint.visiting(partner))
    async with turn:
        return await submit(means, given, now=datetime.now(UTC))


async def submit(means: SubmitMeans, given: Submission, *, now: datetime) -> Submitted:
    """What the partner answered; where the connection fails, it is sent again.

    Raises:
        NotSubmitted: it may not be sent, or there is nothing to send.
        PartnerFailed, IheError: the partner did not answer, or not as the transaction demands.
    """
    database = means.archive.database
    partner, shelf = await database.read_async(
        lambda tx: check(tx, given, means.plans, means.community, now=now)
    )
    documents = await asyncio.to_thread(_documents, means, given, shelf, now)
    chosen = await database.read_async(lambda tx: _choose(tx, partner, shelf, documents))
    asking = _asking(means, given, shelf)
    patience = Patience(partner.profile.timeout_seconds)
    for seconds in _PAUSES_SECONDS:
        try:
            return await _send(means, asking, partner, given, chosen, patience)
        except Busy:
            raise  # it asks for more time than anybody waits here
        except Passing:
            if not await patience.pause(seconds * _chance.uniform(0.5, 1.5)):
                raise
    return await _send(means, asking, partner, given, chosen, patience)


# ---- what leaves -----------------------------------------------------------------------------


def _documents(
    means: SubmitMeans, given: Submission, shelf: Shelf, now: datetime
) -> tuple[OfferedDocument, ...]:
    """Those that were named, the summary, or else the current ones."""
    found = [one for one in shelf.documents if one.document.id in given.documents]
    if given.summary and shelf.summary is not None:
        snapshot = kept_snapshot(means.archive, shelf.summary, means.community, now=now)
        found.append(snapshot.offered)
    return tuple(found) or current(shelf.documents)


def _choose(
    transaction: Transaction,
    partner: Partner,
    shelf: Shelf,
    documents: tuple[OfferedDocument, ...],
) -> Chosen:
    member = shelf.member
    known = [
        link.patient_id
        for link in links.of_member(
            transaction, plan=member.plan, member=member.id, partner=partner.id
        )
        if link.state == "confirmed" and link.home_community_id == partner.home_community_id
    ]
    # The partner's own id where discovery found it; ours says at least who names the person so.
    patient = known[0] if len(known) == 1 else patient_id(member, shelf.community)
    replaces = tuple(_replaced(transaction, partner, shelf, documents))
    return Chosen(shelf.member, documents, patient, replaces)


def _replaced(
    transaction: Transaction,
    partner: Partner,
    shelf: Shelf,
    documents: tuple[OfferedDocument, ...],
) -> Iterator[tuple[str, str]]:
    """Those of the older versions that the partner has taken from us before (DECISIONS 14)."""
    newer = {one.document.id: one.entry_uuid for one in documents}
    for one in shelf.documents:
        by = one.document.superseded_by
        if by in newer and _was_taken(transaction, partner, one):
            yield newer[by], one.entry_uuid


def _was_taken(transaction: Transaction, partner: Partner, one: OfferedDocument) -> bool:
    return any(
        exchange_search.search(
            transaction,
            plan=one.document.plan,
            wanted=ExchangeFilter(
                direction="out",
                transaction=name,
                outcome="success",
                partner=partner.id,
                document=one.document.id,
            ),
            limit=1,
        )
        for name in TRANSACTIONS
    )


# ---- one attempt -----------------------------------------------------------------------------


def _asking(means: SubmitMeans, given: Submission, shelf: Shelf) -> Asking:
    """Who submits and why, as every message of ours says it."""
    stated = Retrieval(
        id=RetrievalId(given.id),
        plan=given.plan,
        member=given.member,
        purpose=given.purpose,
        requester=given.requester,
        conversation=ConversationId(given.id),
        created=given.created,
    )
    return Asking(
        means.archive, means.client, means.community, shelf.way.plan, shelf.member, stated
    )


async def _send(
    means: SubmitMeans,
    asking: Asking,
    partner: Partner,
    given: Submission,
    chosen: Chosen,
    patience: Patience,
) -> Submitted:
    kind, address = _endpoint(partner)
    request = write_request(given, chosen, partner, means.community, kind)
    call = Call(
        partner,
        kind,
        address,
        write_provide_and_register(request),
        patience,
        parts=partial(document_parts, means.archive, chosen.documents),
        documents=tuple(one.document.id for one in chosen.documents),
    )

    async def read(answer: OpenedAnswer) -> RegistryResponse:
        return read_registry_response(answer.body)

    def effect(_transaction: Transaction, response: RegistryResponse) -> Answered:
        outcome = "failed" if _is_busy(response) else _OUTCOMES[response.status]
        return Answered(outcome, call.documents, _said(response))

    response = await ask(asking, call, read, effect)
    if _is_busy(response):
        raise Busy(_said(response) or "it was too busy")
    return Submitted(_OUTCOMES[response.status], chosen.documents, _said(response))


def _endpoint(partner: Partner) -> tuple[MessageKind, str]:
    endpoints = partner.endpoints
    if endpoints.iti80 is not None:
        return ITI_80_REQUEST, endpoints.iti80
    if endpoints.iti41 is None:
        raise NotSubmitted("the partner takes no submissions")
    return ITI_41_REQUEST, endpoints.iti41


def _said(response: RegistryResponse) -> str | None:
    return f"it reported {in_words(response.errors)}" if response.errors else None


def _is_busy(response: RegistryResponse) -> bool:
    errors = [one for one in response.errors if one.severity is Severity.ERROR]
    return bool(errors) and all(one.code in _BUSY for one in errors)
