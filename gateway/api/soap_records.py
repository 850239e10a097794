"""The record of what happened at a SOAP door; it commits before the first byte leaves.

A sender that is not verified is only counted (DECISIONS 16, 17).
"""

import asyncio
import logging
import time
import traceback
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from hashlib import sha256
from typing import Final

from gateway.api.soap_later import owe, owe_fault, owe_result
from gateway.api.soap_replied import Replied, Result
from gateway.api.soap_visit import Visit
from gateway.exchange.asker import Effect, speaking_to
from gateway.exchange.keeping import keep
from gateway.exchange.policy import Refused, purpose_stated
from gateway.model.exchange import Exchange
from gateway.store import exchange_log, replay
from gateway.store.database import Transaction
from ihe.errors import IheError, SecurityRefused
from ihe.saml import Assertion
from ihe.soap import ANONYMOUS, NOBODY

log = logging.getLogger("gateway")
_LONGEST_TEXT: Final = 1000


async def record_reply(visit: Visit, replied: Replied) -> None:
    """Appends the record, unless this very message was here before; an answer that goes out later
    is kept with it."""
    opened, certificate = visit.opened, visit.certificate
    assert opened is not None and certificate is not None  # noqa: S101 - or it was refused

    def unit(transaction: Transaction) -> bool:
        first = replay.is_first(
            transaction,
            peer=sha256(certificate).hexdigest(),  # wherever the peer connects from
            key=opened.replay_key.hex(),
            expires=opened.security.fresh_until,
            now=datetime.now(UTC),
        )
        if first:
            effects = replied.noted(transaction, replied.effects)
            exchanges = tuple(_exchange(visit, effect, replied.transaction) for effect in effects)
            _append(transaction, visit, exchanges)
            if replied.result is not None:
                _owe_result(transaction, visit, replied.result)
            if visit.is_later:
                owe(transaction, opened, replied, visit.partner, exchanges, visit.means)
        return first

    database = visit.means.archive.database
    is_brief = replied.is_noted_briefly and replied.result is None and not visit.is_later
    if not await (database.write_briefly(unit) if is_brief else database.write_async(unit)):
        raise SecurityRefused("the message was received before")


def _owe_result(transaction: Transaction, visit: Visit, result: Result) -> None:
    """Its records are made when it is brought: nothing has been told of anybody yet."""
    assert visit.opened is not None  # noqa: S101 - or it was refused
    effects = result.noted(transaction, result.effects)
    # What these answer is the question; the acknowledgement is in the record of the deferral.
    exchanges = (replace(_exchange(visit, effect), answer_hash=None) for effect in effects)
    owe_result(transaction, visit.opened, result, tuple(exchanges), visit.means)


def _append(transaction: Transaction, visit: Visit, exchanges: Sequence[Exchange]) -> None:
    visit.kept.put(transaction)
    for exchange in exchanges:
        exchange_log.append(transaction, exchange)


async def record_broken(visit: Visit, effects: tuple[Effect, ...], reason: str) -> None:
    """A second record of the same message id: the answer did not arrive (DECISIONS 16)."""
    failed = [_exchange(visit, replace(one, outcome="failed", reason=reason)) for one in effects]
    await _write(visit, lambda tx: [exchange_log.append(tx, exchange) for exchange in failed])


def _exchange(visit: Visit, effect: Effect, transaction: str | None = None) -> Exchange:
    assertion = visit.opened.assertion if visit.opened else None
    roles = assertion.roles if assertion else ()
    # A plan's log names the partner that the plan knows, for nobody finds another's in it.
    partner = speaking_to(effect.plan, visit.speaking_as) if effect.plan else None
    partner = partner or visit.partner
    return Exchange(
        time=datetime.now(UTC),
        direction="in",
        transaction=transaction or visit.transaction_name,
        outcome=effect.outcome,
        plan=effect.plan,
        partner=partner.id if partner else None,
        peer=visit.peer,
        # ITI TF-2: 3.40.4.1.2: the user is the assertion's subject, by the name for people if it
        # states one.
        person=_short((assertion.subject or assertion.subject_name) if assertion else None),
        role=_short("; ".join(role.display or role.code for role in roles) or None),
        purpose=_purpose(assertion),
        authority=_short(next(iter(assertion.access_consent_policies if assertion else ()), None)),
        member=effect.member,
        documents=effect.documents,
        reason=effect.reason,
        conversation=effect.conversation,
        message_id=_short(visit.opened.message_id if visit.opened else None),
        duration_ms=round((time.monotonic() - visit.started) * 1000),
        request_hash=visit.kept.request_hash,
        answer_hash=visit.kept.answer_hash,
    )


def _purpose(assertion: Assertion | None) -> str | None:
    """As it is understood, so that what one purpose let out stands together; of one that we do not
    know the code as it was written."""
    if assertion is None or assertion.purpose_of_use is None:
        return None
    stated = purpose_stated(assertion)
    return _short(assertion.purpose_of_use.code if isinstance(stated, Refused) else stated.code)


def _short(text: str | None) -> str | None:
    """What a peer says of itself: kept for good, so not at any length."""
    return text if text is None else text[:_LONGEST_TEXT]


async def note_refusal(visit: Visit, effect: Effect, fault: bytes, error: IheError) -> bool:
    """Recorded with its envelopes once the sender is known; a stranger is only counted."""
    try:
        if visit.opened is None:
            unit = partial(exchange_log.count_refusal, exchange=_exchange(visit, effect))
        else:
            # What is thrown away has answered nobody.
            answer = None if visit.fault_to(error) == NOBODY else fault
            visit.kept = await asyncio.to_thread(
                keep, visit.means.archive, visit.envelope, answer, [None], now=datetime.now(UTC)
            )
            unit = partial(_append_refusal, visit=visit, effect=effect, error=error)
        await visit.means.archive.database.write_async(unit)
    except Exception as failure:  # the door: there is nobody left to tell
        log_failure(failure)
        return False
    return True


def _append_refusal(
    transaction: Transaction, *, visit: Visit, effect: Effect, error: IheError
) -> None:
    exchange = _exchange(visit, effect)
    _append(transaction, visit, [exchange])
    if visit.opened and visit.partner and visit.fault_to(error) not in (ANONYMOUS, NOBODY):
        owe_fault(transaction, visit.opened, error, visit.partner, exchange, visit.means)


async def _write(visit: Visit, unit: Callable[[Transaction], object]) -> bool:
    """Whether `unit` is durable; a record that cannot be written is at least in the log."""
    try:
        await visit.means.archive.database.write_async(unit)
    except Exception as error:  # the door: there is nobody left to tell
        log_failure(error)
        return False
    return True


def log_failure(error: Exception) -> None:
    """What failed and where, without the error's text, which may quote anything (DECISIONS 20)."""
    frames = traceback.extract_tb(error.__traceback__)[-3:]
    places = " < ".join(f"{frame.name}:{frame.lineno}" for frame in reversed(frames))
    log.error("a partner's request failed: %s in %s", type(error).__name__, places)
