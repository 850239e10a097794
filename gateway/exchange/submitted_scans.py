"""PDFs and pictures that partners submit: what their metadata says of the patient decides.

ITI TF-3: 4.2.3.2.22 (sourcePatientId), 4.2.3.2.23 (sourcePatientInfo). No program reads in a scan
whose it is. Its entry is held to what a clinical document's header is held to: name, birth date and
the rest must match one member, and none of its identifiers another's. An identifier alone is no
match: then it waits for a person, with the member as candidate whom it names.
"""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Final

from gateway.exchange.demographics import demographics, person_of
from gateway.exchange.ingest import Ingested, Received
from gateway.exchange.mail_attachments import Attachment, keep_attachments
from gateway.exchange.matching import Found, best_match, compare, read_person
from gateway.exchange.summaries import hold_summary, renew_summary
from gateway.exchange.superseding import settle_versions
from gateway.model.document import Document, Replaced
from gateway.model.identity import MemberId
from gateway.model.member import Plan
from gateway.store import members, replacements
from gateway.store.database import Transaction
from ihe.discovery import Demographics
from ihe.metadata import DocumentEntry
from ihe.source_patient import read_source_patient

_SCANS: Final = frozenset({"application/pdf", "image/tiff", "image/jpeg", "image/png"})
"""What a person can look at, by its own first bytes."""


def is_scan(one: Received) -> bool:
    """Whether it is a PDF or a picture, whatever its metadata calls it."""
    return one.reading.clinical is None and one.reading.mime_type in _SCANS


def keep_scan(
    transaction: Transaction,
    entry: DocumentEntry,
    one: Received,
    beside: Sequence[Ingested],
    *,
    member: MemberId | None,
    plan: Plan,
    now: datetime,
) -> Ingested:
    """Files or holds it; `beside` are the clinical documents of its submission, `member` whom
    that names by an identifier or otherwise."""
    stated = read_source_patient(entry.source_patient_info)
    code = entry.type_code
    attachment = Attachment(
        blob=one.blob,
        media_type=one.reading.mime_type,
        title=entry.title,
        type_code=code.value if code is not None else None,
        type_system=code.scheme if code is not None else None,
        type_display=code.display if code is not None else None,
        named=stated or _of(transaction, member, plan),
        member=None if stated is None else _match(transaction, stated, member, plan),
    )
    (kept,) = keep_attachments(transaction, [attachment], beside, one.source, plan=plan, now=now)
    if one.replaced and kept.outcome != "duplicate":
        _replace(transaction, kept.document, one.replaced, now)
    return kept


def _replace(
    transaction: Transaction, kept: Document, replaced: Iterable[Replaced], now: datetime
) -> None:
    """What it replaces gives way to it, now or when a person files it."""
    replacements.put(transaction, plan=kept.plan, document=kept.id, replaced=replaced)
    if kept.member is not None:
        hold_summary(transaction, plan=kept.plan, member=kept.member, now=now)
        settle_versions(transaction, kept)
        renew_summary(transaction, plan=kept.plan, member=kept.member, now=now)


def _match(
    transaction: Transaction, stated: Demographics, named: MemberId | None, plan: Plan
) -> MemberId | None:
    """The member whom the entry's patient matches, and whom nothing else contradicts."""
    if named is not None:
        one = members.get(transaction, plan=plan.id, member=named)
        is_match = one is not None and compare(demographics(one, plan), stated).decision == "match"
        return named if is_match else None
    person = read_person(stated)
    known = members.resembling(transaction, plan=plan.id, person=person)
    match best_match(((one.id, person_of(one, plan)) for one in known), person):
        case Found(member=found):
            return found
        case _:
            return None


def _of(transaction: Transaction, member: MemberId | None, plan: Plan) -> Demographics | None:
    """Who is meant where only an identifier says so, as the roster has them."""
    if member is None:
        return None
    one = members.get(transaction, plan=plan.id, member=member)
    return None if one is None else demographics(one, plan)
