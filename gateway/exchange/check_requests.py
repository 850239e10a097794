"""What the requests of a check have in common: the questions, and a record of each."""

import asyncio
from datetime import UTC, datetime
from typing import Final
from uuid import uuid4

from lxml import etree

from ccda.hl7v3 import II, PN, TS
from gateway.clients.answer_reading import Crossing
from gateway.exchange.asking import Asking, Call, Patience
from gateway.exchange.keeping import Kept, keep
from gateway.exchange.metadata import patient_id
from gateway.exchange.moments import written
from gateway.model.exchange import Exchange
from gateway.model.member import Member
from gateway.model.partner import Partner
from gateway.store import exchange_log
from gateway.store.database import Transaction
from ihe.discovery import Demographics, PatientDiscoveryRequest
from ihe.soap import MessageKind

NOBODY: Final = Demographics(
    names=(PN("Conformance-Check", ("Nobody",)),), birth_time=TS("18990101"), gender="M"
)
"""Made up, of a name and a birth date that no record has."""


def discovery_request(
    asking: Asking,
    partner: Partner,
    told: Demographics,
    *,
    member: Member | None = None,
    respond_to: str | None = None,
) -> PatientDiscoveryRequest:
    """The question who that is; deferred if it says where the result is to be brought."""
    community = asking.community
    root = str(community.messages)
    return PatientDiscoveryRequest(
        message_id=II(root, str(uuid4())),
        creation_time=written(datetime.now(UTC)),
        sender=community.home_community_id,
        receiver=partner.home_community_id,
        query_id=II(root, str(uuid4())),
        demographics=told,
        patient_id=None if member is None else patient_id(member, community),
        sender_authority=community.patient_authority,
        deferred=respond_to is not None,
        respond_to=respond_to,
    )


def named_call(partner: Partner, kind: MessageKind, address: str) -> Call:
    """Whom a record names; a check sends for itself, once."""
    return Call(partner, kind, address, etree.Element("none"), Patience(1))


def new_message_id() -> str:
    return f"urn:uuid:{uuid4()}"


async def open_record(asking: Asking, record: Exchange) -> int:
    """Before the first byte leaves."""
    database = asking.archive.database
    return await database.write_async(lambda tx: exchange_log.open_exchange(tx, record))


async def close_record(asking: Asking, open_id: int, record: Exchange, crossing: Crossing) -> Kept:
    """The record as it ended, with what crossed the wire."""
    archive, plan = asking.archive, asking.plan.id
    kept = await asyncio.to_thread(
        keep, archive, crossing.request, crossing.answer, [plan], now=record.time
    )

    def unit(transaction: Transaction) -> None:
        exchange_log.close_exchange(transaction, open_id, kept.named_in(record))
        kept.put(transaction)

    await archive.database.write_async(unit)
    return kept
