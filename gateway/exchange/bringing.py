"""The result of a deferred question, brought to who has asked it (ITI TF-2: 3.55.4.2).

It was computed when the question came; whether it may still be given is asked anew each time. It
goes out as a message of our own, to the address that the partner has registered. Before its first
byte leaves for the first time the records of what it tells commit; each time it leaves has a record
of its own, with the acknowledgement that came (`DEFERRAL`). Should it never arrive, a second record
of what it tells says so (DECISIONS 16).
"""

import asyncio
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Final
from uuid import uuid4

from ccda.safe_xml import Limits, parse_xml
from gateway.clients.answer_reading import Crossing
from gateway.clients.failures import NotDeferred, PartnerLate
from gateway.exchange.asking import explain, failure_outcome, is_refusal
from gateway.exchange.delivering import Answering, load_owed
from gateway.exchange.keeping import keep
from gateway.model.exchange import Exchange, Outcome
from gateway.model.later import DEFERRAL, OwedAnswer
from gateway.model.partner import Partner
from gateway.model.role import coded_role
from gateway.store import exchange_log, owed_answers
from gateway.store.database import Transaction
from gateway.store.errors import ExchangeNotOpen, StoreUnavailable
from gateway.store.job_queue import PermanentFailure
from ihe.acknowledgement import DUPLICATE_KEY, KNOWN_PROBLEMS, read_acknowledgement
from ihe.saml import Assertion, CodedAttribute
from ihe.soap import ANONYMOUS, ITI_55_DEFERRED_RESULT
from ihe.wire import OpenedAnswer

_BODY: Final = Limits(size_bytes=64 * 1024 * 1024, text_characters=64 * 1024 * 1024)
_ASSERTION_LIFETIME: Final = timedelta(minutes=10)
_LONGEST: Final = timedelta(days=1)
"""Nobody waits longer, and what was found is no longer what is known."""
_ROLE: Final = "responding gateway"
"""NHIN's framework wants a role in every assertion; no person's would be true here."""
_UNACKNOWLEDGED: Final = "it was taken without an acknowledgement"
_HAD_IT: Final = "it had the result already"


@dataclass(slots=True)
class _Attempt:
    """One time that a result leaves."""

    house: Answering
    owed: OwedAnswer
    partner: Partner
    record: Exchange
    open_id: int | None = None

    async def make_ready(self, crossing: Crossing) -> None:
        """Durable before the first byte: what is told of whom, and that it leaves."""
        archive = self.house.archive
        plans = {exchange.plan for exchange in self.owed.exchanges}
        kept = await asyncio.to_thread(
            keep, archive, crossing.request, None, plans, now=datetime.now(UTC)
        )

        def unit(transaction: Transaction) -> int:
            kept.put(transaction)
            if any(one.answer_hash is None for one in self.owed.exchanges):
                self.owed = _told(transaction, self.owed, kept.request_hash)
            return exchange_log.open_exchange(transaction, self.record)

        self.open_id = await archive.database.write_async(unit)

    async def end(
        self, crossing: Crossing, outcome: Outcome, reason: str | None, *, is_brought: bool = False
    ) -> None:
        """Closes the record; a result that has arrived is owed no more."""
        archive = self.house.archive
        kept = await asyncio.to_thread(
            keep,
            archive,
            crossing.request,
            crossing.answer,
            [self.owed.plan],
            now=self.record.time,
        )
        took = datetime.now(UTC) - self.record.time
        record = replace(
            self.record,
            outcome=outcome,
            reason=reason,
            duration_ms=round(took.total_seconds() * 1000),
        )

        def unit(transaction: Transaction) -> None:
            kept.put(transaction)
            if self.open_id is None:
                exchange_log.append(transaction, kept.named_in(record))
            else:
                exchange_log.close_exchange(transaction, self.open_id, kept.named_in(record))
            if is_brought:
                owed_answers.remove(transaction, owed=self.owed.id)

        await archive.database.write_async(unit)


async def bring_result(house: Answering, answer_id: str) -> None:
    """Brings the result; one that is with the partner already, or given up, is not brought again.

    Raises:
        PermanentFailure: it can never arrive, or its time is over.
        PartnerFailed, IheError: not this time.
    """
    found = await house.archive.database.read_async(lambda tx: load_owed(tx, house, answer_id))
    if found is None:
        return
    owed, partner, _, against = found
    if partner is None or not partner.endpoints.takes_replies_at(owed.address):
        raise PermanentFailure("its address is no longer registered for the partner")
    if against is not None:
        raise PermanentFailure(against)
    if datetime.now(UTC) - owed.created > _LONGEST:
        raise PermanentFailure(f"it could not be brought within {_LONGEST.days} day")
    message_id = f"urn:uuid:{uuid4()}"
    attempt = _Attempt(house, owed, partner, _new_record(owed, message_id))
    crossing = Crossing()
    try:
        remark = _read(await _send(attempt, message_id, crossing))
    except StoreUnavailable:
        raise
    except (Exception, asyncio.CancelledError) as error:
        # Unavailable: the row stays open, and the next start finds it.
        with suppress(ExchangeNotOpen, StoreUnavailable):
            ended = attempt.end(crossing, failure_outcome(error), explain(error))
            await asyncio.shield(ended)
        if is_refusal(error) or isinstance(error, NotDeferred):
            raise PermanentFailure(explain(error)) from None
        raise
    await attempt.end(crossing, "success", remark, is_brought=True)


async def _send(attempt: _Attempt, message_id: str, crossing: Crossing) -> OpenedAnswer | None:
    house, partner = attempt.house, attempt.partner
    seconds, granted = partner.profile.timeout_seconds, attempt.owed.time_to_live_seconds

    async def ready(_values: tuple[str, ...]) -> None:
        await attempt.make_ready(crossing)

    await house.client.restraint.turn(partner)
    try:
        async with asyncio.timeout(seconds):
            return await house.client.send(
                partner=partner,
                kind=ITI_55_DEFERRED_RESULT,
                address=attempt.owed.address,
                body=parse_xml(attempt.owed.body.encode(), limits=_BODY),
                assertion=_assertion(house, attempt.owed, partner),
                message_id=message_id,
                reply_to=ANONYMOUS,
                ready=ready,
                crossing=crossing,
                time_to_live=None if granted is None else timedelta(seconds=granted),
            )
    except TimeoutError:
        raise PartnerLate(f"no answer within {seconds:g} s") from None


def _read(answer: OpenedAnswer | None) -> str | None:
    """What is to be remarked of an acknowledgement.

    Raises:
        NotDeferred: the partner does not take the result.
        IheError: it cannot be read.
    """
    if answer is None:
        return _UNACKNOWLEDGED
    said = read_acknowledgement(answer.body)
    if said.accepted:
        return None
    if said.problem == DUPLICATE_KEY:
        return _HAD_IT  # an acknowledgement of before has not reached us
    code = said.problem if said.problem in KNOWN_PROBLEMS else "a code of its own"
    raise NotDeferred(f"it did not take the result ({code})")


# ---- what is recorded ------------------------------------------------------------------------


def _told(transaction: Transaction, owed: OwedAnswer, envelope_hash: str | None) -> OwedAnswer:
    """Records what the result tells, of whom; once, however often it has to be brought."""
    now = datetime.now(UTC)
    told = tuple(replace(one, time=now, answer_hash=envelope_hash) for one in owed.exchanges)
    for exchange in told:
        exchange_log.append(transaction, exchange)
    changed = replace(owed, exchanges=told)
    owed_answers.change(transaction, changed)
    return changed


def _new_record(owed: OwedAnswer, message_id: str) -> Exchange:
    """The record of one time that it leaves; in whose name it was asked is in the others."""
    members = {exchange.member for exchange in owed.exchanges}
    first = owed.exchanges[0]
    return Exchange(
        time=datetime.now(UTC),
        direction="out",
        transaction=DEFERRAL,
        outcome="unknown",
        plan=owed.plan,
        partner=owed.partner,
        peer=owed.address,
        purpose=first.purpose,
        member=members.pop() if len(members) == 1 else None,
        message_id=message_id,
    )


def _assertion(house: Answering, owed: OwedAnswer, partner: Partner) -> Assertion:
    """Nobody asks for anything: the organization says that it answers, and why it was asked."""
    now, client, community = datetime.now(UTC), house.client, house.community
    system = client.purposes_for(partner)
    purpose = None if owed.purpose is None else owed.purpose.stated_in(system)
    return Assertion(
        id=f"_{uuid4()}",
        issuer=client.issuer,
        issue_instant=now,
        not_before=now,
        not_on_or_after=now + _ASSERTION_LIFETIME,
        subject_name=client.issuer,
        subject=community.organization,
        organization=community.organization,
        organization_id=community.home_community_id.urn,
        home_community_id=community.home_community_id,
        role=coded_role(_ROLE),
        purpose_of_use=None
        if purpose is None
        else CodedAttribute(purpose.code, purpose.system, purpose.system_name),
    )
