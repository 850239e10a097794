"""One call to a partner, with the record that DECISIONS 16 demands around it.

An `open` row commits before our first byte leaves. When the answer is there, the record is
appended in the same transaction as the answer's effect; when there is none, with the reason. If
this process dies in between, the next start appends it with outcome `unknown`.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Final, TypeVar
from uuid import uuid4

from ccda.safe_xml import Element
from gateway.clients.soap_client import PartnerFailed, Sink, SoapClient
from gateway.exchange.archive import Archive
from gateway.model.community import Community
from gateway.model.exchange import Exchange, Outcome
from gateway.model.identity import DocumentId
from gateway.model.member import Member, Plan
from gateway.model.partner import Partner
from gateway.model.purpose import PurposeOfUse
from gateway.model.retrieval import Retrieval
from gateway.store import exchange_log
from gateway.store.database import Transaction
from ihe.errors import IheError, SecurityRefused, SoapFault
from ihe.saml import Assertion, CodedAttribute
from ihe.soap import MessageKind

T = TypeVar("T")
_ASSERTION_LIFETIME: Final = timedelta(minutes=10)


@dataclass(frozen=True, slots=True)
class Asking:
    """A retrieval under way: for whom, why, and with what means."""

    archive: Archive
    client: SoapClient
    community: Community
    plan: Plan
    member: Member
    retrieval: Retrieval


@dataclass(frozen=True, slots=True)
class Answered:
    """How a call ended, for its record."""

    outcome: Outcome = "success"
    documents: tuple[DocumentId, ...] = ()
    reason: str | None = None


@dataclass(frozen=True, slots=True)
class Call:
    """One message to one partner."""

    partner: Partner
    kind: MessageKind
    address: str
    body: Element
    sink: Sink | None = None


async def ask(
    asking: Asking,
    call: Call,
    read: Callable[[Element], Awaitable[T]],
    effect: Callable[[Transaction, T], Answered],
) -> T:
    """What `read` makes of the answer's body, once `effect` and the record are durable.

    Raises:
        PartnerFailed: no answer, or none over a connection we trust.
        IheError: an answer that is not what its transaction demands.
    """
    message_id = f"urn:uuid:{uuid4()}"
    opened = _new_record(asking, call, message_id)
    database = asking.archive.database
    open_id = await database.write_async(lambda tx: exchange_log.open_exchange(tx, opened))
    started = time.monotonic()

    def record(answered: Answered) -> Exchange:
        return replace(
            opened,
            outcome=answered.outcome,
            documents=answered.documents,
            reason=answered.reason,
            duration_ms=round((time.monotonic() - started) * 1000),
        )

    try:
        body = await asking.client.call(
            partner=call.partner,
            kind=call.kind,
            address=call.address,
            body=call.body,
            assertion=_assertion(asking, call.partner),
            message_id=message_id,
            sink=call.sink,
        )
        answer = await read(body)
    except (PartnerFailed, IheError, asyncio.CancelledError) as error:
        failed = record(Answered(_failure_outcome(error), reason=explain(error)))
        await database.write_async(lambda tx: exchange_log.close_exchange(tx, open_id, failed))
        raise

    def unit(transaction: Transaction) -> None:
        answered = effect(transaction, answer)
        exchange_log.close_exchange(transaction, open_id, record(answered))

    await database.write_async(unit)
    return answer


def explain(error: BaseException) -> str:
    """A failure in our own words; a peer's text may hold anything, so it is not repeated."""
    if isinstance(error, asyncio.CancelledError | TimeoutError):
        return "the partner did not answer in time"
    if isinstance(error, SoapFault):
        return f"the partner answered with a SOAP fault ({error.code or 'no code'})"
    return str(error)


def _failure_outcome(error: BaseException) -> Outcome:
    return "refused" if isinstance(error, SecurityRefused) else "failed"


def _new_record(asking: Asking, call: Call, message_id: str) -> Exchange:
    retrieval = asking.retrieval
    return Exchange(
        time=datetime.now(UTC),
        direction="out",
        transaction=call.kind.transaction,
        outcome="unknown",
        plan=asking.plan.id,
        partner=call.partner.id,
        peer=call.address,
        person=retrieval.requester.person,
        role=retrieval.requester.role,
        purpose=retrieval.purpose,
        authority=retrieval.requester.authority,
        member=asking.member.id,
        conversation=retrieval.conversation,
        message_id=message_id,
    )


def _assertion(asking: Asking, partner: Partner) -> Assertion:
    """Who asks and why, made anew for each attempt (user-asks 12)."""
    now = datetime.now(UTC)
    purpose = PurposeOfUse.parse(asking.retrieval.purpose)
    requester = asking.retrieval.requester
    home = asking.community.home_community_id
    return Assertion(
        id=f"_{uuid4()}",
        issuer=asking.client.issuer,
        issue_instant=now,
        not_before=now,
        not_on_or_after=now + _ASSERTION_LIFETIME,
        subject_name=asking.client.issuer,
        subject=requester.person,
        organization=asking.community.organization,
        organization_id=home.urn,
        home_community_id=home,
        role=CodedAttribute("106331006", "2.16.840.1.113883.6.96", "SNOMED_CT", requester.role),
        purpose_of_use=CodedAttribute(purpose.code, purpose.system, purpose.system_name),
        audiences=(),
    )
