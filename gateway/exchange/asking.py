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
from gateway.clients.answer_reading import Crossing
from gateway.clients.failures import NotCalled, PartnerFailed, PartnerLate
from gateway.clients.soap_client import SoapClient
from gateway.exchange.archive import Archive
from gateway.exchange.keeping import Kept, keep
from gateway.exchange.retrieving import Attachments
from gateway.model.community import Community
from gateway.model.exchange import Exchange, Outcome
from gateway.model.identity import DocumentId
from gateway.model.member import Member, Plan
from gateway.model.partner import RETIRED, Partner
from gateway.model.purpose import PurposeOfUse
from gateway.model.retrieval import Retrieval
from gateway.model.role import coded_role
from gateway.store import exchange_log
from gateway.store.database import Database, Transaction
from gateway.store.errors import ExchangeNotOpen, StoreUnavailable
from ihe.errors import CommunityCouldNotAnswer, IheError, SecurityRefused, SoapFault
from ihe.mtom_writing import Part
from ihe.saml import Assertion, CodedAttribute
from ihe.soap import MessageKind
from ihe.wire import OpenedAnswer

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

    def __init__(self, seconds: float, *, whole: "Patience | None" = None) -> None:
        self._seconds = seconds
        self._left_seconds = seconds
        self._whole = whole

    def part(self, share: float) -> "Patience":
        """For one question a share of what is left; what it uses up is gone of the whole."""
        return Patience(round(self._left_seconds * share, 1), whole=self)

    @property
    def is_over(self) -> bool:
        """Whether the partner has used it up."""
        return self._left_seconds <= 0

    async def pause(self, seconds: float) -> bool:
        """Waits before it is asked again; False, at once, if there is no time left for that."""
        if self._left_seconds <= seconds:
            return False
        await asyncio.sleep(seconds)
        self._spend(seconds)
        return True

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
            self._spend(time.monotonic() - started)

    def _spend(self, seconds: float) -> None:
        self._left_seconds -= seconds
        if self._whole is not None:
            self._whole._spend(seconds)


@dataclass(frozen=True, slots=True)
class Asking:
    """A retrieval under way: for whom, why, and with what means.

    `replies_at` is where partners reach our doors, for answers on a connection of their own.
    """

    archive: Archive
    client: SoapClient
    community: Community
    plan: Plan
    member: Member
    retrieval: Retrieval
    replies_at: str | None = None


@dataclass(frozen=True, slots=True)
class Answered:
    """How a call ended, for its record; what it adds to what was found, and to what is missing."""

    outcome: Outcome = "success"
    documents: tuple[DocumentId, ...] = ()
    reason: str | None = None
    found: int = 0
    missing: int = 0


Read = Callable[[OpenedAnswer], Awaitable[T]]
Effect = Callable[[Transaction, T], Answered]


@dataclass(frozen=True, slots=True)
class Call:
    """One message to one partner. `missing` documents are those that a failure costs."""

    partner: Partner
    kind: MessageKind
    address: str
    body: Element
    patience: Patience
    attachments: Attachments | None = None
    missing: int = 0
    parts: Callable[[], Iterable[Part]] = tuple
    """What goes along as attachments, made anew for each attempt."""
    documents: tuple[DocumentId, ...] = ()
    """Those of ours that leave with it, whatever becomes of it."""


async def ask(asking: Asking, call: Call, read: Read[T], effect: Effect[T]) -> T:
    """What `read` makes of the answer, once `effect` and the record are durable.

    Whatever ends it, a record is closed; it is left to recovery only when the store itself fails.

    Raises:
        PartnerFailed: no answer, or none over a connection we trust.
        IheError: an answer that is not what its transaction demands.
    """
    message_id = f"urn:uuid:{uuid4()}"
    opened = new_record(asking, call, message_id)
    database = asking.archive.database
    open_id = await database.write_async(lambda tx: exchange_log.open_exchange(tx, opened))
    started = time.monotonic()
    crossing = Crossing()

    async def kept() -> Kept:
        return await asyncio.to_thread(
            keep,
            asking.archive,
            crossing.request,
            crossing.answer,
            [asking.plan.id],
            now=opened.time,
        )

    def record(answered: Answered) -> Exchange:
        return replace(
            opened,
            outcome=answered.outcome,
            documents=answered.documents or call.documents,
            reason=answered.reason,
            duration_ms=round((time.monotonic() - started) * 1000),
        )

    try:
        answer = await read(await _send(asking, call, message_id, crossing))
        envelopes = await kept()

        def unit(transaction: Transaction) -> None:
            answered = effect(transaction, answer)
            _close(transaction, open_id, record(answered), envelopes)

        await database.write_async(unit)
    except (Exception, asyncio.CancelledError) as error:
        failed = record(Answered(failure_outcome(error), reason=explain(error)))
        await asyncio.shield(_fail(database, open_id, failed, kept))
        raise
    return answer


async def _send(asking: Asking, call: Call, message_id: str, crossing: Crossing) -> OpenedAnswer:
    await asking.client.restraint.turn(call.partner)
    async with call.patience.waiting():
        return await asking.client.call(
            partner=call.partner,
            kind=call.kind,
            address=call.address,
            body=call.body,
            assertion=new_assertion(asking, call.partner, call.address),
            message_id=message_id,
            sink=None if call.attachments is None else call.attachments.open,
            crossing=crossing,
            parts=call.parts(),
        )


def _close(transaction: Transaction, open_id: int, record: Exchange, envelopes: Kept) -> None:
    exchange_log.close_exchange(transaction, open_id, envelopes.named_in(record))
    envelopes.put(transaction)


async def _fail(
    database: Database, open_id: int, failed: Exchange, kept: Callable[[], Awaitable[Kept]]
) -> None:
    # Not open: cancelled while it was committed, it is closed with its effect. Unavailable: the
    # row stays open, and the next start finds it.
    with suppress(ExchangeNotOpen, StoreUnavailable):
        envelopes = await kept()
        await database.write_async(lambda tx: _close(tx, open_id, failed, envelopes))


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
            about = ", which speaks of MTOM" if error.is_about_mtom else ""
            return f"it answered with a SOAP fault ({code}){about}"
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


# ---- the request -----------------------------------------------------------------------------


def new_record(asking: Asking, call: Call, message_id: str) -> Exchange:
    """The record of a call that is about to be made; its outcome is not known yet."""
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
        documents=call.documents,
        conversation=retrieval.conversation,
        message_id=message_id,
    )


def new_assertion(asking: Asking, partner: Partner, address: str) -> Assertion:
    """Who asks and why, made anew for each attempt (user-asks 12), for whoever is at `address`.

    Raises:
        NotCalled: the partner's network has no code for the purpose, or it has left that.
    """
    if partner.profile.retired:
        raise NotCalled(RETIRED)
    now = datetime.now(UTC)
    system = asking.client.purposes_for(partner)
    purpose = PurposeOfUse.parse(asking.retrieval.purpose).stated_in(system)
    if purpose is None:
        raise NotCalled("its network has no code for this purpose of use")
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
        audiences=_audiences(partner, address),
        access_consent_policies=(requester.authority,) if requester.authority else (),
    )


def _audiences(partner: Partner, address: str) -> tuple[str, ...]:
    audience = partner.profile.audience
    if audience is None:
        return ()
    return (address if audience == "endpoint" else audience,)
