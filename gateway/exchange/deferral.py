"""A deferred question of ours (ITI TF-2: 3.55, Deferred Response): what its acknowledgement means.

The question and its acknowledgement are a record of their own (`DEFERRAL`); what was asked and told
is recorded once, when the result has come or is given up.
"""

import asyncio
from dataclasses import replace
from datetime import UTC, datetime

from ccda.safe_xml import Element
from gateway.clients.answer_reading import Crossing
from gateway.clients.failures import NotDeferred
from gateway.exchange.asking import Asking
from gateway.exchange.keeping import keep
from gateway.model.later import DEFERRAL, AwaitedAnswer
from gateway.store import exchange_log
from gateway.store.database import Transaction
from ihe.acknowledgement import (
    KNOWN_PROBLEMS,
    Acknowledgement,
    correlation_key,
    read_acknowledgement,
)


def deferred_until(expires: datetime) -> str:
    """What is said of a partner whose result is not there yet."""
    return f"waiting for a deferred answer until {expires:%Y-%m-%d %H:%M} UTC"


async def take_acknowledgement(
    asking: Asking, waiting: AwaitedAnswer, body: Element, crossing: Crossing
) -> None:
    """Keeps the acknowledgement, with its record.

    Raises:
        NotDeferred: the partner will not answer later.
        MalformedMessage: it cannot be read.
    """
    now = datetime.now(UTC)
    refusal = _why_not_deferred(waiting, read_acknowledgement(body))
    kept = await asyncio.to_thread(
        keep, asking.archive, crossing.request, crossing.answer, [asking.plan.id], now=now
    )
    record = replace(
        waiting.exchange,
        transaction=DEFERRAL,
        outcome="success" if refusal is None else "refused",
        reason=deferred_until(waiting.expires) if refusal is None else refusal,
        duration_ms=max(0, round((now - waiting.sent).total_seconds() * 1000)),
    )

    def unit(transaction: Transaction) -> None:
        kept.put(transaction)
        exchange_log.append(transaction, kept.named_in(record))

    await asking.archive.database.write_async(unit)
    if refusal is not None:
        raise NotDeferred(refusal)


def _why_not_deferred(waiting: AwaitedAnswer, said: Acknowledgement) -> str | None:
    if not said.accepted:
        code = said.problem if said.problem in KNOWN_PROBLEMS else "a code of its own"
        return f"it did not take the question as a deferred one ({code})"
    if said.request_id is not None and correlation_key(said.request_id) != waiting.request_id:
        return "it acknowledged another message than the question"
    return None
