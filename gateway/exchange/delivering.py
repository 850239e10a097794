"""An answer of ours that goes out on a connection of its own (ITI TF-2: Appendix V.3.1.4).

It was computed, and its record committed, when the request came; here it is only brought. Each
attempt is sealed anew, so that its Timestamp is fresh; documents are read as they are sent. Should
it never arrive, a second record of the same message id says so (DECISIONS 16).
"""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from uuid import uuid4

from ccda.safe_xml import Limits, parse_xml
from gateway.clients.soap_client import Package, SoapClient, mtom_package, plain_package
from gateway.exchange.archive import Archive
from gateway.exchange.asking import explain, is_refusal
from gateway.model.document import Document
from gateway.model.later import OwedAnswer
from gateway.model.partner import Partner
from gateway.store import documents, exchange_log, members, owed_answers, partners
from gateway.store.database import Transaction
from gateway.store.job_queue import PermanentFailure
from gateway.store.scope import ALL_PLANS
from ihe.errors import SoapFault
from ihe.mtom import Part
from ihe.soap import ITI_39_ANSWER, MESSAGE_KINDS
from ihe.wire import seal_answer

_BODY = Limits(size_bytes=64 * 1024 * 1024, text_characters=64 * 1024 * 1024)


async def deliver(archive: Archive, client: SoapClient, answer_id: str) -> None:
    """Brings the answer; one that is with the partner already, or given up, is not brought again.

    Raises:
        PermanentFailure: it can never arrive.
        PartnerFailed, SoapFault: not this time.
    """
    found = await archive.database.read_async(lambda tx: _load(tx, answer_id))
    if found is None:
        return
    owed, partner, attached, against = found
    if partner is None or not partner.endpoints.takes_replies_at(owed.address):
        raise PermanentFailure("its address is no longer registered for the partner")
    if against is not None:
        raise PermanentFailure(against)
    if any(document is None for document in attached):
        raise PermanentFailure("a document of it is gone")
    package = _package(archive, client, owed, [one for one in attached if one is not None])
    try:
        await client.deliver(partner=partner, address=owed.address, package=package)
    except SoapFault as fault:
        if is_refusal(fault):
            raise PermanentFailure(explain(fault)) from None
        raise
    await archive.database.write_async(lambda tx: owed_answers.remove(tx, owed=answer_id))


def _load(
    transaction: Transaction, answer_id: str
) -> tuple[OwedAnswer, Partner | None, list[Document | None], str | None] | None:
    owed = owed_answers.get(transaction, owed=answer_id)
    if owed is None:
        return None
    partner = partners.get(transaction, plan=ALL_PLANS, partner=owed.partner)
    attached = [
        documents.get(transaction, plan=part.plan, document=part.document) for part in owed.parts
    ]
    return owed, partner, attached, _why_not_now(transaction, owed)


def _why_not_now(transaction: Transaction, owed: OwedAnswer) -> str | None:
    """What has happened since the answer was computed that keeps it here (DECISIONS 9, 14)."""
    for told in owed.exchanges:
        if told.plan is None:
            continue
        member = (
            members.get(transaction, plan=told.plan, member=told.member) if told.member else None
        )
        if member is not None and member.opted_out:
            return "the member has opted out of exchange since"
        for each in told.documents:
            document = documents.get(transaction, plan=told.plan, document=each)
            if document is not None and document.state != "filed":
                return "a document that it tells of was withdrawn since"
    return None


def _package(
    archive: Archive, client: SoapClient, owed: OwedAnswer, attached: list[Document]
) -> Package:
    kind = MESSAGE_KINDS[owed.action]
    seconds = owed.time_to_live_seconds
    envelope = seal_answer(
        parse_xml(owed.body.encode(), limits=_BODY),
        kind=kind,
        relates_to=owed.relates_to,
        message_id=f"urn:uuid:{uuid4()}",
        confirmations=owed.confirmations,
        signing_key=client.signing_key,
        now=datetime.now(UTC),
        to=owed.address,
        time_to_live=None if seconds is None else timedelta(seconds=seconds),
    )
    if kind is not ITI_39_ANSWER:
        return plain_package(envelope, kind.action)
    parts = (
        Part(part.cid, part.mime_type, archive.chunks(document.plan, document.blob))
        for part, document in zip(owed.parts, attached, strict=True)
    )
    return mtom_package(envelope, kind.action, parts)


def give_up_delivery(transaction: Transaction, answer_id: str, reason: str) -> None:
    """The partner does not get the answer; each of its records is followed by one that says so."""
    owed = owed_answers.get(transaction, owed=answer_id)
    if owed is None:
        return
    now = datetime.now(UTC)
    for exchange in owed.exchanges:
        failed = replace(
            exchange, time=now, outcome="failed", reason=f"the answer was not delivered: {reason}"
        )
        exchange_log.append(transaction, failed)
    owed_answers.remove(transaction, owed=answer_id)
