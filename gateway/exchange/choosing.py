"""Which of the documents that a community lists are fetched, and when one is the listed one."""

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Final

from gateway.exchange.ingest import Ingested, Received, ingest, receive
from gateway.exchange.next_steps import DECIDE_DOCUMENTS, WITH_ANOTHER
from gateway.exchange.policy import Period, service_period
from gateway.exchange.visit import Visit
from gateway.model.document import Blob, Document, Source
from gateway.model.identity import DocumentId
from gateway.model.partner import Partner
from gateway.store import documents
from gateway.store.database import Transaction
from ihe.metadata import DocumentEntry
from ihe.registry_response import ErrorCode

_READINGS: Final = 5
"""How often a document is read whose reader fails."""
_DAY: Final = timedelta(days=1)
_EMPTY_SHA1: Final = "da39a3ee5e6b4b0d3255bfef95601890afd80709"


async def choose(
    visit: Visit, holder: Partner, listed: Sequence[DocumentEntry]
) -> list[DocumentEntry]:
    """Those of the listed documents that may be asked for and that we have not got."""
    return await _not_yet_held(visit, holder, _of_the_period(visit, listed))


def _of_the_period(visit: Visit, listed: Sequence[DocumentEntry]) -> tuple[DocumentEntry, ...]:
    """Those that do not state service dates wholly outside what may be asked for (DECISIONS 9).

    The query itself names none: many documents state none, communities differ in whether those
    match a query that does, and what is not listed would be lost unseen.
    """
    asking = visit.asking
    on = datetime.now(UTC).date()
    period = service_period(asking.member, since=asking.retrieval.since, on=on)
    kept = tuple(entry for entry in listed if not _is_outside(entry, period))
    if outside := len(listed) - len(kept):
        visit.remarks.append(
            f"{outside} of its documents are of dates that may not be asked for: not retrieved"
        )
    return kept


def _is_outside(entry: DocumentEntry, period: Period) -> bool:
    """Compared in the precision that is stated; a start without an end may still go on."""
    start, stop = _day(entry.service_start_time), _day(entry.service_stop_time)
    # Service times are UTC and coverage counts local days: a day either way is no difference.
    first = None if period.start is None else f"{period.start - _DAY:%Y%m%d}"
    last = None if period.end is None else f"{period.end + _DAY:%Y%m%d}"
    is_before = bool(stop and first) and stop < (first or "")[: len(stop)]
    return is_before or (bool(start and last) and start > (last or "")[: len(start)])


def _day(time: str | None) -> str:
    """The stated date, as far as it is one."""
    digits = (time or "")[:8]
    return digits if digits.isascii() and digits.isdigit() and len(digits) in (4, 6, 8) else ""


async def _not_yet_held(
    visit: Visit, holder: Partner, listed: Iterable[DocumentEntry]
) -> list[DocumentEntry]:
    """Stable documents are fetched once; an on-demand one is new, once each retrieval.

    What we have of them and could not file is decided anew: nothing is disclosed twice for it.
    Only bytes that are not those that were listed are worth nothing, and fetched again.
    """
    retrieval = visit.asking.retrieval
    # A visit to a partner that answers later is run anew with each answer: its questions must be
    # the same each time, so what they have brought meanwhile is not left out of them.
    before = retrieval.created if holder.profile.asynchronous else datetime.max.replace(tzinfo=UTC)
    wanted: list[DocumentEntry] = []
    waiting: dict[DocumentId, Document] = {}
    before_now: list[Document] = []

    def look(transaction: Transaction, entry: DocumentEntry) -> None:
        unique_id = str(entry.unique_id)
        known = [
            one
            for one in documents.by_unique_id(transaction, plan=retrieval.plan, unique_id=unique_id)
            if one.source.partner == holder.id
            and one.received < before
            and not (one.state in ("held", "quarantined") and doubt_of(entry, one.blob))
            and (entry.object_type != "on-demand" or one.received >= retrieval.created)
        ]
        if not known:
            wanted.append(entry)
        before_now.extend(known[:1])
        waiting.update({one.id: one for one in known if _may_be_filed_yet(visit, transaction, one)})

    def look_at_all(transaction: Transaction) -> None:
        for entry in listed:
            look(transaction, entry)

    await visit.asking.archive.database.read_async(look_at_all)
    say_not_filed(visit, before_now)
    done = await decide_again(visit, [(one.blob, one.source) for one in waiting.values()])
    now = {one.document.id: one.document for one in done}
    _say_undecided(visit, [now.get(one.id, one) for one in before_now])
    return wanted


def say_not_filed(visit: Visit, known: Sequence[Document]) -> None:
    """That what the partner has for the member is another's here: one of the two is not right; or
    that somebody has decided that it is not the member's."""
    own = visit.asking.member.id
    if number := sum(one.state == "filed" and one.member != own for one in known):
        visit.remarks.append(f"{number} of its documents are filed with another member")
        visit.steps.append(WITH_ANOTHER)
    if number := sum(one.state == "withdrawn" for one in known):
        visit.remarks.append(f"{number} of its documents are not filed: a person decided so")


def _say_undecided(visit: Visit, known: Sequence[Document]) -> None:
    """That what was fetched before still counts nowhere: said each time, until it does."""
    own = visit.asking.member.id
    held = [one for one in known if one.state == "held"]
    others = sum(one.candidate not in (None, own) for one in held)
    if number := len(held) - others:
        visit.remarks.append(f"{number} held for a person to decide: not surely the member's")
    if others:
        visit.remarks.append(
            f"{others} of its documents are held for a person to decide: they were fetched for"
            " another member"
        )
    if held:
        visit.steps.append(DECIDE_DOCUMENTS)
    if number := sum(one.state == "quarantined" for one in known):
        visit.remarks.append(f"{number} could not be read as a clinical document")


def _may_be_filed_yet(visit: Visit, transaction: Transaction, document: Document) -> bool:
    if document.state == "held":
        return document.candidate in (None, visit.asking.member.id)
    known = documents.quarantine_of(transaction, plan=document.plan, document=document.id)
    # What fails its reader each time is not read for ever.
    return known is not None and known.stage == documents.NOT_READ and known.attempts < _READINGS


async def decide_again(
    visit: Visit, waiting: Sequence[tuple[Blob, Source]]
) -> tuple[Ingested, ...]:
    """Files what was held and may be filed now, without asking anybody; what became of each."""
    asking = visit.asking
    received = [
        await receive(
            asking.archive,
            blob,
            plan=asking.plan,
            source=source,
            candidate=asking.member.id,
        )
        for blob, source in waiting
    ]

    def unit(transaction: Transaction) -> tuple[Ingested, ...]:
        done = take_in(visit, transaction, received)
        new = sum(one.outcome != "duplicate" for one in done)
        visit.note(transaction, documents_new=visit.progress.documents_new + new)
        return done

    return await asking.archive.database.write_async(unit) if received else ()


def take_in(
    visit: Visit, transaction: Transaction, received: Sequence[Received]
) -> tuple[Ingested, ...]:
    """What becomes of them, for the retrieval's member."""
    asking = visit.asking
    return ingest(
        transaction,
        received,
        plan=asking.plan,
        community=asking.community,
        now=datetime.now(UTC),
    )


# ---- is it the listed one ---------------------------------------------------------------------


def is_assembled(entry: DocumentEntry) -> bool:
    """Delayed document assembly: the registry knows neither size nor hash (size 0, empty hash)."""
    if entry.object_type == "on-demand":
        return False
    return entry.size_bytes == 0 or (entry.hash or "").lower() == _EMPTY_SHA1


def doubt_of(entry: DocumentEntry, blob: Blob) -> str | None:
    """Whether these bytes are not the ones that were listed (ITI TF-3: Table 4.2.4.1-2).

    An on-demand document is made when it is asked for: its entry states neither.
    """
    if entry.object_type == "on-demand" or is_assembled(entry):
        return None
    if entry.size_bytes is not None and entry.size_bytes != blob.size_bytes:
        return f"it is not the document that was listed ({ErrorCode.NON_IDENTICAL_SIZE.value})"
    # XDS hashes are SHA-1 in hex; anything else stated there cannot be compared.
    if entry.hash and len(entry.hash) == len(blob.sha1) and entry.hash.lower() != blob.sha1:
        return f"it is not the document that was listed ({ErrorCode.NON_IDENTICAL_HASH.value})"
    return None
