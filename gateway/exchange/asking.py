"""One call to a partner, with the record that DECISIONS 16 demands around it.

An `open` row commits before our first byte leaves. When the answer is there, the record is
appended in the same transaction as the answer's effect; when there is none, or when it could not
be kept, with the reason. If this process dies in between, the next start appends it with outcome
`unknown`.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Final, TypeVar
from uuid import uuid4

from ccda.safe_xml import Element
from gateway.clients.soap_client import PartnerFailed, PartnerLate, Sink, SoapClient
from gateway.exchange.archive import Archive
from gateway.model.community import Community
from gateway.model.exchange import Exchange, Outcome
from gateway.model.identity import DocumentId
from gateway.model.member import Member, Plan
from gateway.model.partner import Partner
from gateway.model.purpose import PurposeOfUse
from gateway.model.retrieval import Retrieval
from gateway.model.role import coded_role
from gateway.store import exchange_log
from gateway.store.database import Database, Transaction
from gateway.store.errors import ExchangeNotOpen, StoreUnavailable
from ihe.errors import CommunityCouldNotAnswer, IheError, SecurityRefused, SoapFault
from ihe.registry_response import ErrorCode, RegistryError
from ihe.saml import Assertion, CodedAttribute
from ihe.soap import MessageKind

T = TypeVar("T")
_ASSERTION_LIFETIME: Final = timedelta(minutes=10)
_SENDER_FAULTS: Final = frozenset({"Sender", "Client"})
_FAULTS: Final = _SENDER_FAULTS | {
    "Receiver", "Server", "MustUnderstand", "VersionMismatch", "DataEncodingUnknown",
}  # fmt: skip
# ITI TF-2: 3.55.4.2.2.7: the codes of detectedIssueManagement.
_PROBLEMS: Final = frozenset({"ResponderBusy", "AnswerNotAvailable", "InternalError"})


class Patience:
    """How long a partner may still let us wait: only waiting for it uses this up.

    What arrived in time is kept however long our own reading and writing takes; and a partner
    that answers slowly each time is late all the same.
    """

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._left_seconds = seconds

    @asynccontextmanager
    async def waiting(self) -> AsyncIterator[None]:
        """For the time of one call.

        Raises:
            PartnerLate: the partner has used it up.
        """
        started = time.monotonic()
        try:
            async with asyncio.timeout(self._left_seconds):
                yield
        except TimeoutError:
            raise PartnerLate(f"no answer within {self._seconds:g} s") from None
        finally:
            self._left_seconds -= time.monotonic() - started


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
    patience: Patience
    sink: Sink | None = None


async def ask(
    asking: Asking,
    call: Call,
    read: Callable[[Element], Awaitable[T]],
    effect: Callable[[Transaction, T], Answered],
) -> T:
    """What `read` makes of the answer's body, once `effect` and the record are durable.

    Whatever ends it, a record is closed; it is left to recovery only when the store itself fails.

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
        answer = await read(await _send(asking, call, message_id))

        def unit(transaction: Transaction) -> None:
            answered = effect(transaction, answer)
            exchange_log.close_exchange(transaction, open_id, record(answered))

        await database.write_async(unit)
    except (Exception, asyncio.CancelledError) as error:
        failed = record(Answered(failure_outcome(error), reason=explain(error)))
        await asyncio.shield(_close(database, open_id, failed))
        raise
    return answer


async def _send(asking: Asking, call: Call, message_id: str) -> Element:
    async with call.patience.waiting():
        return await asking.client.call(
            partner=call.partner,
            kind=call.kind,
            address=call.address,
            body=call.body,
            assertion=_assertion(asking, call.partner),
            message_id=message_id,
            sink=call.sink,
        )


async def _close(database: Database, open_id: int, failed: Exchange) -> None:
    # Not open: cancelled while it was committed, it is closed with its effect. Unavailable: the
    # row stays open, and the next start finds it.
    with suppress(ExchangeNotOpen, StoreUnavailable):
        await database.write_async(lambda tx: exchange_log.close_exchange(tx, open_id, failed))


# ---- failures in words -----------------------------------------------------------------------


def explain(error: BaseException) -> str:
    """A failure in our own words; a peer's text may hold anything, so it is not repeated."""
    match error:
        case asyncio.CancelledError():
            return exchange_log.INTERRUPTED
        case SecurityRefused():
            return f"its answer could not be trusted: {error.reason}"
        case SoapFault():
            code = error.code if error.code in _FAULTS else "a code of its own"
            return f"it answered with a SOAP fault ({code})"
        case CommunityCouldNotAnswer():
            known = f" ({error.problem})" if error.problem in _PROBLEMS else ""
            return f"it reported a problem of its own{known}"
        case PartnerFailed() | IheError():
            return str(error)
        case StoreUnavailable():
            return "its answer could not be kept: the database was not available"
        case _:
            return f"a fault of our own ({type(error).__name__})"


def failure_outcome(error: BaseException) -> Outcome:
    """`refused` when the partner said that our request is to blame, or when we do not believe its
    answer; `unknown` when we left before there was one."""
    if isinstance(error, asyncio.CancelledError):
        return "unknown"
    if isinstance(error, SecurityRefused):
        return "refused"
    return "refused" if is_refusal(error) else "failed"


def is_refusal(error: BaseException) -> bool:
    """Whether the partner refused us: SOAP 1.2 Part 1: 5.4.6, a Sender fault is not to be
    repeated without a change."""
    return isinstance(error, SoapFault) and error.code in _SENDER_FAULTS


def codes_of(errors: Iterable[RegistryError]) -> str:
    """The standard's codes among them; others may hold anything, and are only counted."""
    listed = list(errors)
    known = sorted({error.code.value for error in listed if isinstance(error.code, ErrorCode)})
    others = sum(not isinstance(error.code, ErrorCode) for error in listed)
    return ", ".join([*known, *([f"{others} of codes unknown to us"] if others else [])])


# ---- the request -----------------------------------------------------------------------------


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
    system = asking.client.purposes_for(partner)
    purpose = PurposeOfUse.parse(asking.retrieval.purpose).stated_in(system)
    if purpose is None:
        raise PartnerFailed("its network has no code for this purpose of use")
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
        role=coded_role(requester.role),
        purpose_of_use=CodedAttribute(purpose.code, purpose.system, purpose.system_name),
        access_consent_policies=(requester.authority,) if requester.authority else (),
    )
