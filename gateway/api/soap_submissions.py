"""ITI-41 and ITI-80 at /ihe/xdr: a submission is looked at before its documents are let in.

Its envelope comes first. Once its sender is verified and a rule lets it submit, the attachments
stream into the blobs of the plan that it is for, and are read; nothing refers to them until the
record of the exchange commits, so that whatever breaks off leaves nothing.
"""

import asyncio
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from typing import Final

from gateway.api.partner_means import PartnerMeans
from gateway.api.soap_replied import Replied
from gateway.exchange.asker import Asker, Effect
from gateway.exchange.ingest import Received, receive
from gateway.exchange.policy import Refused, peer_sentence
from gateway.exchange.respond_submission import (
    Addressed,
    Taken,
    address,
    check_blobs,
    check_known,
    edge_in_words,
    file_submission,
    require_target,
    source_of,
    take,
    who_takes,
)
from gateway.model.document import Blob
from gateway.model.identity import PlanId
from gateway.model.later import StoredPart
from gateway.store.database import Transaction
from ihe.document_content import ContentId
from ihe.errors import MalformedMessage
from ihe.metadata import DocumentEntry
from ihe.registry_response import (
    ErrorCode,
    RegistryRefusal,
    RegistryResponse,
    ResponseStatus,
    write_registry_response,
)
from ihe.soap import ITI_41_ANSWER, ITI_80_ANSWER, ITI_80_REQUEST
from ihe.wire import OpenedRequest
from ihe.xdr import read_provide_and_register
from ihe.xdr_headers import AddressBlock, read_address_block, read_home_community_block

_NO_MTOM: Final = "is not in the message, which has no attachments: MTOM required"
TRANSACTIONS: Final = frozenset({"ITI-41", "ITI-80"})


@dataclass(frozen=True, slots=True)
class Declined:
    """A submission that is answered with an error by name; nothing of it is kept."""

    refusal: RegistryRefusal
    plan: PlanId
    edge: AddressBlock | None


def admit(opened: OpenedRequest, asker: Asker, means: PartnerMeans) -> Addressed | Declined:
    """What is submitted, and for which plan. Not on the event loop.

    Raises:
        MalformedMessage: its body is not the transaction's, or no rule lets its sender submit.
    """
    taking = means.archive.database.read(lambda tx: who_takes(tx, means.plans, asker))
    if isinstance(taking, Refused):
        raise MalformedMessage(peer_sentence(taking) or "The submission is refused.")
    edge = read_address_block(opened.header)
    try:
        request = read_provide_and_register(opened.body)
        if opened.kind is ITI_80_REQUEST:
            stated = read_home_community_block(opened.header)
            require_target(request, stated, means.community)
    except RegistryRefusal as refusal:
        return Declined(refusal, taking[0][0].id, edge)
    return means.archive.database.read(
        lambda tx: address(tx, request, taking, means.community, edge)
    )


async def receive_submission(
    given: Addressed | Declined, parts: Iterable[StoredPart], means: PartnerMeans
) -> Taken | Declined:
    """The submission once its documents are safe and read."""
    if isinstance(given, Declined):
        return given
    try:
        by_cid = {part.cid: part.blob for part in parts}
        pairs = await asyncio.to_thread(_blobs, given, by_cid, means)
        received = [(entry, await _receive(given, entry, blob, means)) for entry, blob in pairs]
    except RegistryRefusal as refusal:
        return Declined(refusal, given.plan.id, given.edge)
    return await means.archive.database.read_async(lambda tx: take(tx, given, received))


def _blobs(
    given: Addressed, by_cid: Mapping[str | None, Blob], means: PartnerMeans
) -> tuple[tuple[DocumentEntry, Blob], ...]:
    pairs = []
    for entry, document in given.request.submitted:
        content = document.content
        if isinstance(content, ContentId):
            blob = by_cid.get(content.value)
        else:
            blob = means.archive.store(given.plan.id, content)
        if blob is None:
            lack = "is not in the message" if by_cid else _NO_MTOM
            context = f"the part of {entry.unique_id} {lack}"
            raise RegistryRefusal(ErrorCode.MISSING_DOCUMENT, context)
        pairs.append((entry, blob))
    check_blobs(pairs)
    means.archive.database.read(lambda tx: check_known(tx, given, pairs))
    return tuple(pairs)


async def _receive(
    given: Addressed, entry: DocumentEntry, blob: Blob, means: PartnerMeans
) -> Received:
    source = source_of(given, entry)
    return await receive(means.archive, blob, plan=given.plan, source=source)


def answer(opened: OpenedRequest, given: Taken | Declined, means: PartnerMeans) -> Replied:
    """The RegistryResponse; documents are filed in the transaction of its record.

    Checked once more: what was taken meanwhile may have the same ids.
    """
    kind = ITI_80_ANSWER if opened.kind is ITI_80_REQUEST else ITI_41_ANSWER
    if isinstance(given, Taken):
        given = _still_good(given, means)
    if isinstance(given, Declined):
        response = given.refusal.answered_by(means.community.home_community_id)
        reason = "; ".join((str(given.refusal), *edge_in_words(given.edge)))
        effect = Effect("refused", plan=given.plan, reason=reason)
        return Replied(kind, write_registry_response(response), (effect,))
    response = RegistryResponse(ResponseStatus.SUCCESS, given.warnings)
    effect = Effect(plan=given.addressed.plan.id)
    noted = partial(_file, given, means)
    body = write_registry_response(response)
    return Replied(kind, body, (effect,), noted=noted, is_noted_briefly=False)


def _still_good(given: Taken, means: PartnerMeans) -> Taken | Declined:
    addressed = given.addressed
    pairs = zip(addressed.request.entries, (one.blob for one in given.received), strict=True)
    try:
        means.archive.database.read(lambda tx: check_known(tx, addressed, pairs))
    except RegistryRefusal as refusal:
        return Declined(refusal, addressed.plan.id, addressed.edge)
    return given


def _file(
    given: Taken, means: PartnerMeans, transaction: Transaction, _effects: tuple[Effect, ...]
) -> tuple[Effect, ...]:
    now = datetime.now(UTC)
    return file_submission(transaction, given, community=means.community, now=now)
