"""A deferred result at our door: the answer to a question of ours, as a message of its own.

It is taken once, from the very partner that was asked, in time, and by the id of its question
(ITI TF-2: 3.55.4.2). Anything else hears an acknowledgement that says no, is recorded as refused,
and costs the question that waits nothing. What it says is read by the retrieval, which is gone on
with as soon as the result is durable.
"""

from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from hashlib import sha256

from lxml import etree

from gateway.api.partner_means import PartnerMeans
from gateway.api.soap_acknowledging import acknowledge
from gateway.api.soap_answers import UnwantedAnswer, go_on
from gateway.api.soap_replied import Replied
from gateway.exchange.asker import Effect
from gateway.model.later import ArrivedAnswer, AwaitedAnswer
from gateway.model.partner import Partner
from gateway.store import awaited_answers
from gateway.store.database import Transaction
from gateway.store.job_queue import JobQueue
from ihe.acknowledgement import DUPLICATE_KEY, UNKNOWN_KEY, correlation_key
from ihe.correlation import read_time_to_live
from ihe.v3_message import read_community
from ihe.wire import OpenedRequest
from ihe.xcpd import read_answered

_CAME_BEFORE = "a result of this question came before"


@dataclass(frozen=True, slots=True)
class _Unwanted:
    problem: str
    reason: str


def take_result(
    opened: OpenedRequest, envelope: bytes, partners: tuple[Partner, ...], means: PartnerMeans
) -> Replied:
    """The acknowledgement: the result is durable with its record, or why it is not wanted.

    `partners` are those as whom its verified sender may speak.

    Raises:
        MalformedMessage: it is no PRPA_IN201306UV02, or has no id.
    """
    message_id, request_id = read_answered(opened.body)
    awaited = None
    if request_id is not None:
        key = correlation_key(request_id)
        awaited = means.archive.database.read(
            lambda tx: awaited_answers.of_request(tx, request_id=key)
        )
    now = datetime.now(UTC)
    sender = read_community(opened.body, "sender") or partners[0].home_community_id
    unwanted = _why_unwanted(awaited, partners, now)
    if unwanted is not None or awaited is None:
        told = unwanted or _Unwanted(UNKNOWN_KEY, "the result names no question of ours")
        effect = Effect("refused", reason=told.reason)
        return acknowledge(message_id, sender, effect, means, problem=told.problem)
    lifetime = read_time_to_live(opened.header)
    answer = ArrivedAnswer(
        arrived=now,
        body=etree.tostring(opened.body, encoding="unicode", with_tail=False),
        time_to_live_seconds=None if lifetime is None else int(lifetime.total_seconds()),
        envelope_hash=sha256(envelope).hexdigest(),
    )
    effect = Effect(
        plan=awaited.plan,
        member=awaited.exchange.member,
        conversation=awaited.exchange.conversation,
    )
    noted = partial(_take, awaited, answer, means.queue)
    return acknowledge(message_id, sender, effect, means, noted=noted)


def _why_unwanted(
    awaited: AwaitedAnswer | None, partners: tuple[Partner, ...], now: datetime
) -> _Unwanted | None:
    if awaited is None:
        return _Unwanted(UNKNOWN_KEY, "the result names no question of ours")
    if awaited.partner not in {partner.id for partner in partners}:
        # It hears the same: whom we ask for what is nobody else's to learn.
        return _Unwanted(UNKNOWN_KEY, "the result is of a question to another partner")
    if awaited.state == "answered" or awaited.result == "success":
        return _Unwanted(DUPLICATE_KEY, _CAME_BEFORE)
    if awaited.state == "settled" or awaited.expires <= now:
        return _Unwanted(UNKNOWN_KEY, "the result came when its question was given up")
    return None


def _take(
    awaited: AwaitedAnswer,
    answer: ArrivedAnswer,
    queue: JobQueue,
    transaction: Transaction,
    effects: tuple[Effect, ...],
) -> tuple[Effect, ...]:
    """Makes the result durable, in the transaction of its record, and lets the retrieval go on."""
    if not go_on(transaction, queue, awaited, answer):
        raise UnwantedAnswer(_CAME_BEFORE)
    return effects
