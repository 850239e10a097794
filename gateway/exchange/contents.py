"""Whether what is kept beside the log is what its records name: all of it is opened and read.

`store.evidence` asks what is there. This takes as long as it takes to read every envelope, mail and
document, and finds also those that were changed, and documents that were taken away.
"""

import hashlib
from collections.abc import Iterator, Sequence
from functools import partial
from typing import Final

from gateway.exchange.archive import Archive
from gateway.model.exchange import RecordedExchange
from gateway.model.identity import PlanId
from gateway.store import exchange_log, kept_pages
from gateway.store.errors import DamagedRecord, StoreError
from gateway.store.evidence import Gone
from gateway.store.transaction import Transaction
from gateway.store.wire_messages import WireMessage, open_message

_PAGE: Final = 200


def read_contents(archive: Archive) -> Iterator[Gone]:
    """All that is not there, or not what it was; what was disposed of is not asked for."""
    yield from _documents(archive)
    yield from _envelopes(archive)
    yield from _blobs(archive)


def _documents(archive: Archive) -> Iterator[Gone]:
    """Those that records name; a record of which nobody can open that ends it."""
    after = 0
    try:
        while page := archive.database.read(partial(_page, after=after)):
            yield from page[1]
            after = page[0]
    except DamagedRecord as damaged:
        yield Gone(damaged.sequence, "whose it was", is_damaged=True)


def _page(transaction: Transaction, after: int) -> tuple[int, list[Gone]] | None:
    """The last record of the page, and the documents that its records name and nobody has."""
    records = exchange_log.following(transaction, after=after, limit=_PAGE)
    if not records:
        return None
    return records[-1].sequence, _unknown(transaction, records)


def _unknown(transaction: Transaction, records: Sequence[RecordedExchange]) -> list[Gone]:
    named = [(record.sequence, id) for record in records for id in record.exchange.documents]
    known = kept_pages.known_documents(transaction, {id for _, id in named})
    return [Gone(sequence, f"document {id}") for sequence, id in named if id not in known]


def _envelopes(archive: Archive) -> Iterator[Gone]:
    database, after = archive.database, kept_pages.FIRST
    while page := database.read(partial(kept_pages.envelopes, after=after, limit=_PAGE)):
        for _, message in page:
            if not _opens(archive, message):
                sequence = database.read(partial(kept_pages.first_naming, hash=message.hash))
                yield Gone(sequence, "an envelope", is_damaged=True)
        after = page[-1][0]


def _opens(archive: Archive, message: WireMessage) -> bool:
    try:
        open_message(archive.blobs.keys, message)
    except StoreError:
        return False
    return True


def _blobs(archive: Archive) -> Iterator[Gone]:
    """The bytes of documents and mail."""
    database, after = archive.database, kept_pages.FIRST
    while page := database.read(partial(kept_pages.blobs, after=after, limit=_PAGE)):
        for plan, address, sha256 in page:
            if not _is_sound(archive, plan, address, sha256):
                held_as = partial(kept_pages.held_as, plan=plan, address=address)
                yield Gone(None, database.read(held_as), is_damaged=True)
        after = page[-1][:2]


def _is_sound(archive: Archive, plan: PlanId, address: str, sha256: str) -> bool:
    digest = hashlib.sha256()
    try:
        for chunk in archive.blobs.read(plan=plan, address=address):
            digest.update(chunk)
    except (StoreError, OSError):
        return False
    return digest.hexdigest() == sha256
