"""A document becomes a member's: from now on it counts in the summary, and rules may offer it."""

from dataclasses import replace
from typing import Final

from gateway.exchange import metadata
from gateway.exchange.reading import Reading
from gateway.exchange.sensitivity import PART_2_NOTICE
from gateway.model.community import Community
from gateway.model.document import Document, OfferedDocument
from gateway.model.member import Member
from gateway.store import documents, offers
from gateway.store.database import Transaction
from ihe.ebrim import entry_xml

_OWN_DOORS: Final = frozenset({"FILE", "REST"})
"""Through which the plan's own people bring documents."""


def file_document(
    transaction: Transaction,
    document: Document,
    reading: Reading,
    *,
    member: Member,
    community: Community,
) -> Document:
    """The document as filed; the caller settles its versions and renews the summary."""
    filed = documents.file(transaction, plan=document.plan, document=document.id, member=member.id)
    clinical = reading.clinical
    if clinical is not None:
        entry = metadata.describe(filed, clinical, reading.took_part, member, community)
        kind = entry.type_code
        if kind is None:
            return filed  # it says of what kind it is in no way that a list could
        if reading.is_part_2:
            # Whoever is told of the document is told of the notice that goes with it.
            entry = replace(entry, comments=PART_2_NOTICE)
        offers.put(
            transaction,
            OfferedDocument(
                document=filed,
                entry_uuid=entry.entry_uuid,
                unique_id=str(entry.unique_id),
                entry_xml=entry_xml(entry).decode("utf-8"),
                class_code=kind.value,
                confidentiality=clinical.confidentiality,
                third_party=not _is_ours(filed, community),
            ),
        )
    return filed


def _is_ours(document: Document, community: Community) -> bool:
    """Whether our own organization keeps the document, by its custodian (DECISIONS 10).

    Only of what its own people brought in is that believed: whoever sends us mail may name us.
    """
    named = (document.custodian or "").casefold().strip()
    is_brought = document.source.door in _OWN_DOORS and document.source.partner is None
    return is_brought and named == community.organization.casefold().strip()
