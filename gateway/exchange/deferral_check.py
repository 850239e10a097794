"""Whether a partner defers as the book has it: a deferred question for nobody, and its result.

The result comes to our own door, so `gateway serve` must be up where `[listen] public` says: what
it takes, and what it refuses and why, stands in the database, and is read there.
"""

import asyncio
import copy
import time
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Final

from ccda.safe_xml import Element, parse_xml
from gateway.clients.answer_reading import Crossing
from gateway.clients.failures import PartnerFailed
from gateway.exchange.asking import (
    Asking,
    Patience,
    explain,
    failure_outcome,
    new_assertion,
    new_record,
)
from gateway.exchange.check_requests import (
    close_record,
    discovery_request,
    named_call,
    new_message_id,
    open_record,
)
from gateway.exchange.partner_findings import Finding, Report
from gateway.model.exchange import Exchange, ExchangeFilter
from gateway.model.later import CHECK, DEFERRAL, ArrivedAnswer, AwaitedAnswer, Result
from gateway.model.partner import Partner
from gateway.store import awaited_answers, exchange_log, wire_messages
from gateway.store.database import Transaction
from gateway.store.exchange_log import INTERRUPTED
from gateway.store.scope import ALL_PLANS
from gateway.store.wire_messages import open_message
from ihe.acknowledgement import (
    DEFERRAL_NOT_SUPPORTED,
    KNOWN_PROBLEMS,
    correlation_key,
    read_acknowledgement,
)
from ihe.answer_rules import Asked, fragment, result_deviations
from ihe.discovery import Demographics, Matched, PatientDiscoveryRequest
from ihe.errors import CommunityCouldNotAnswer, IheError
from ihe.soap import (
    ANONYMOUS,
    ITI_55_ACKNOWLEDGEMENT,
    ITI_55_DEFERRED_REQUEST,
    parse_envelope,
    read_envelope,
)
from ihe.wire import OpenedAnswer
from ihe.xcpd import read_discovery_response, write_discovery_request

_PLACE: Final = "ITI-55 deferred"
_ACKNOWLEDGED: Final = "ITI TF-2: 3.55.4.1.3 (Deferred Response, acknowledgement)"
_RESULT: Final = "ITI TF-2: 3.55.4.2 (Deferred Response, result)"
_LOOK_SECONDS: Final = 0.2
_LEFT: Final = timedelta(minutes=10)
"""After the time for its result: no check that lives takes so long to look at it."""
_GRACE_SECONDS: Final = 6.0
"""How long is looked afterwards for a result that comes once more, or too late."""
_REFUSED: Final = {
    "a result of this question came before": "it brought the result twice",
    "the result came when its question was given up": (
        "it brought the result when the time for it was over"
    ),
}


async def check_deferral(
    asking: Asking,
    partner: Partner,
    told: Demographics,
    report: Report,
    *,
    wait_seconds: float,
) -> None:
    """Adds what there is to say to `report`; waits as the partner's profile says, at most
    `wait_seconds`."""
    address = partner.endpoints.iti55
    if address is None:
        return
    if asking.replies_at is None:
        text = "deferred answers are not looked at: [listen] public names no address of ours"
        report.findings.append(Finding("limitation", _PLACE, text))
        return
    await _Check(asking, partner, report, address, asking.replies_at, wait_seconds).all(told)


def recover_checks(transaction: Transaction, *, now: datetime) -> int:
    """Records as `unknown` what a check had asked that was killed: nobody else waits for it."""
    left = awaited_answers.unsettled(transaction, question=CHECK, before=now - _LEFT)
    for one in left:
        awaited_answers.settle(
            transaction, message_id=one.message_id, result="failed", reason=INTERRUPTED
        )
        exchange_log.append(
            transaction, replace(one.exchange, outcome="unknown", reason=INTERRUPTED)
        )
    return len(left)


@dataclass(slots=True)
class _Check:
    asking: Asking
    partner: Partner
    report: Report
    address: str
    base: str
    wait_seconds: float
    message_id: str = ""
    request_hash: str | None = None
    """By which the records name the envelope of the question."""

    def say(
        self, level: str, text: str, section: str | None = None, about: Element | None = None
    ) -> None:
        shown = None if about is None else fragment(about)
        finding = Finding(level, _PLACE, text, section, shown, self.message_id or None)
        self.report.findings.append(finding)

    async def all(self, told: Demographics) -> None:
        request = discovery_request(self.asking, self.partner, told, respond_to=f"{self.base}/xcpd")
        began = datetime.now(UTC)
        waiting = self._new_wait(request)
        self.message_id = waiting.message_id
        body = write_discovery_request(request)
        if not await self._is_taken(waiting, body):
            await self._settle(waiting, None)
            return
        self.say("answered", "it answers")
        known = await self._wait(waiting)
        answer = None if known is None else known.answer
        if answer is not None:
            self._read(answer, waiting, body)
        await asyncio.sleep(_GRACE_SECONDS)
        refused = await self._refused(began)
        if answer is None and not refused:
            self._nothing_came(waiting)
        for record in refused:
            self.say("deviation", *await self._in_words(record))
        await self._settle(waiting, answer)

    # ---- the question ------------------------------------------------------------------------

    def _new_wait(self, request: PatientDiscoveryRequest) -> AwaitedAnswer:
        asking, now = self.asking, datetime.now(UTC)
        message_id = new_message_id()
        seconds = min(self.wait_seconds, self.partner.profile.answer_within_seconds)
        call = named_call(self.partner, ITI_55_DEFERRED_REQUEST, self.address)
        return AwaitedAnswer(
            message_id=message_id,
            plan=asking.plan.id,
            partner=self.partner.id,
            retrieval=asking.retrieval.id,
            visited=self.partner.id,
            question=CHECK,
            transaction="ITI-55",
            sent=now,
            expires=now + timedelta(seconds=seconds),
            signature_values=(),
            exchange=replace(new_record(asking, call, message_id), member=None),
            request_id=correlation_key(request.message_id),
        )

    async def _is_taken(self, waiting: AwaitedAnswer, body: Element) -> bool:
        """Whether it acknowledges that it will answer later; whatever else it says is noted."""
        record = replace(waiting.exchange, transaction=DEFERRAL)
        open_id = await open_record(self.asking, record)
        crossing = Crossing()
        try:
            answer = await self._send(waiting, copy.deepcopy(body), crossing)
        except (PartnerFailed, IheError) as error:
            reason = explain(error)
            failed = replace(record, outcome=failure_outcome(error), reason=reason)
            await self._close(open_id, failed, crossing)
            self.say("deviation", f"it takes no deferred question: {reason}", _ACKNOWLEDGED)
            return False
        await self._close(open_id, replace(record, outcome="success"), crossing)
        if answer is None:
            text = "it takes the deferred question without an acknowledgement (MCCI_IN000002UV01)"
            self.say("deviation", text, _ACKNOWLEDGED)
            return True
        return self._is_acknowledged(answer, waiting)

    def _is_acknowledged(self, answer: OpenedAnswer, waiting: AwaitedAnswer) -> bool:
        if answer.kind is not ITI_55_ACKNOWLEDGEMENT:
            text = "it answers at once: it does not defer (say deferred_discovery = false)"
            self.say("limitation", text, _ACKNOWLEDGED)
            return False
        try:
            said = read_acknowledgement(answer.body)
        except IheError as error:
            text = f"its acknowledgement cannot be read: {error.reason}"
            self.say("deviation", text, _ACKNOWLEDGED, answer.body)
            return False
        if said.request_id is None or correlation_key(said.request_id) != waiting.request_id:
            text = "its acknowledgement does not name the question's id (targetMessage)"
            self.say("deviation", text, _ACKNOWLEDGED, answer.body.find("{*}acknowledgement"))
        if said.accepted:
            return True
        about = answer.body.find("{*}acknowledgement")
        if said.problem == DEFERRAL_NOT_SUPPORTED:
            text = "it says that it does not defer (NS250; say deferred_discovery = false)"
            self.say("limitation", text, _ACKNOWLEDGED, about)
        else:
            code = said.problem if said.problem in KNOWN_PROBLEMS else "a code of its own"
            self.say(
                "deviation", f"it refuses the deferred question ({code})", _ACKNOWLEDGED, about
            )
        return False

    async def _send(
        self, waiting: AwaitedAnswer, body: Element, crossing: Crossing
    ) -> OpenedAnswer | None:
        asking, partner = self.asking, self.partner

        async def ready(values: tuple[str, ...]) -> None:
            named = replace(waiting, signature_values=values)
            await asking.archive.database.write_async(lambda tx: awaited_answers.put(tx, named))

        async with Patience(partner.profile.timeout_seconds).waiting():
            return await asking.client.send(
                partner=partner,
                kind=ITI_55_DEFERRED_REQUEST,
                address=self.address,
                body=body,
                assertion=new_assertion(asking, partner, self.address),
                message_id=waiting.message_id,
                reply_to=ANONYMOUS,
                ready=ready,
                crossing=crossing,
            )

    async def _close(self, open_id: int, record: Exchange, crossing: Crossing) -> None:
        kept = await close_record(self.asking, open_id, record, crossing)
        self.request_hash = kept.request_hash

    # ---- the result --------------------------------------------------------------------------

    async def _wait(self, waiting: AwaitedAnswer) -> AwaitedAnswer | None:
        """How the question stands once it is answered, or its time is over."""
        database = self.asking.archive.database
        until = time.monotonic() + (waiting.expires - datetime.now(UTC)).total_seconds()
        while True:
            known = await database.read_async(
                lambda tx: awaited_answers.get(tx, message_id=waiting.message_id)
            )
            if known is None or known.answer is not None or time.monotonic() >= until:
                return known
            await asyncio.sleep(_LOOK_SECONDS)

    def _read(self, answer: ArrivedAnswer, waiting: AwaitedAnswer, asked: Element) -> None:
        body = parse_xml((answer.body or "").encode())
        took = (answer.arrived - waiting.sent).total_seconds()
        question = Asked(
            ITI_55_DEFERRED_REQUEST, waiting.message_id, self.partner.home_community_id, asked
        )
        broken = list(result_deviations(body, question))
        for one in broken:
            found = Finding(
                "deviation", _PLACE, one.text, one.section, one.fragment, waiting.message_id
            )
            self.report.findings.append(found)
        try:
            found_there = read_discovery_response(body, asked=self.partner.home_community_id)
        except CommunityCouldNotAnswer as error:
            self.say("deviation", explain(error), _RESULT, body)
            return
        except IheError as error:
            self.say("deviation", f"its result cannot be read: {error.reason}", _RESULT, body)
            return
        if isinstance(found_there.discovery, Matched):
            self.say("deviation", "its result matches a made-up person", _RESULT)
        if not broken:
            self.say("passed", f"it brings the result of a deferred question, after {took:.0f} s")

    def _nothing_came(self, waiting: AwaitedAnswer) -> None:
        seconds = (waiting.expires - waiting.sent).total_seconds()
        allowed = self.partner.profile.answer_within_seconds
        where = f"to {self.base}/xcpd (gateway serve must be up there)"
        if seconds < allowed:
            text = (
                f"it brought no result within {seconds:g} s {where}; its profile gives it"
                f" {allowed:g} s"
            )
            self.say("limitation", text, _RESULT)
        else:
            text = (
                f"it acknowledged the question, and brought no result within {seconds:g} s {where}"
            )
            self.say("deviation", text, _RESULT)

    async def _refused(self, since: datetime) -> list[Exchange]:
        """What our door has refused of the partner since then."""

        def unit(transaction: Transaction) -> list[Exchange]:
            return [
                found.exchange
                for name in ("ITI-55", DEFERRAL)
                for found in exchange_log.search(
                    transaction,
                    plan=ALL_PLANS,
                    wanted=ExchangeFilter(
                        since=since,
                        direction="in",
                        transaction=name,
                        outcome="refused",
                        partner=self.partner.id,
                    ),
                    descending=False,
                )
            ]

        return await self.asking.archive.database.read_async(unit)

    async def _in_words(self, record: Exchange) -> tuple[str, str, Element | None]:
        reason = record.reason or ""
        text = _REFUSED.get(reason, f"what it brought is refused: {reason}")
        return text, _RESULT, await self._brought(record)

    async def _brought(self, record: Exchange) -> Element | None:
        """The body of what it brought; None if it is none that can be shown."""

        def unit(transaction: Transaction) -> wire_messages.WireMessage | None:
            hash, answer = record.request_hash or "", record.answer_hash
            return wire_messages.get(transaction, plan=ALL_PLANS, hash=hash, answer=answer)

        archive = self.asking.archive
        kept = await archive.database.read_async(unit)
        if kept is None:
            return None
        try:
            envelope = open_message(archive.blobs.keys, kept)
            return read_envelope(parse_envelope(envelope)).payload
        except IheError:
            return None

    async def _settle(self, waiting: AwaitedAnswer, answer: ArrivedAnswer | None) -> None:
        """What was asked and told in both messages together has its own record, as always."""
        record = replace(
            waiting.exchange,
            outcome="success" if answer is not None else "failed",
            reason=None if answer is not None else "no result of the deferred question was taken",
            request_hash=self.request_hash,
            answer_hash=None if answer is None else answer.envelope_hash,
        )

        def unit(transaction: Transaction) -> None:
            result: Result = "success" if answer is not None else "late"
            # False: it never left.
            if awaited_answers.settle(
                transaction, message_id=waiting.message_id, result=result, reason=record.reason
            ):
                exchange_log.append(transaction, record)

        await self.asking.archive.database.write_async(unit)
