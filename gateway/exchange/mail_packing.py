"""How what we send is packed: as attachments or in an XDM package, and what it says of itself.

XDM says of each document what our registry says of it (XDR and XDM for Direct Messaging 1.0: 3).
The Context part names the patient, so that a receiver need not open anything to find whose it is;
it tells nothing that the documents beside it do not.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final
from uuid import UUID, uuid4

from ccda.safe_xml import parse_xml
from direct.context import Context, ContextPatientId, write_context
from direct.message import OutgoingPart
from gateway.exchange.demographics import demographics_of
from gateway.exchange.metadata import (
    as_stated,
    house_author,
    moment,
    patient_id,
    source_patient_info,
)
from gateway.exchange.reading import Reading
from gateway.exchange.sensitivity import PART_2_NOTICE
from gateway.model.community import Community
from gateway.model.document import OfferedDocument
from gateway.model.member import Member
from gateway.model.purpose import PurposeOfUse
from gateway.settings_mail_out import Package
from ihe.ebrim import read_document_entry
from ihe.identifiers import UniqueId
from ihe.metadata import DocumentEntry, SubmissionSet
from ihe.xdm import XdmSubmission, write_xdm

_EXTENSIONS: Final = {"text/xml": "xml", "application/pdf": "pdf"}
_PURPOSES: Final = {
    "TREATMENT": "treatment",
    "PAYMENT": "payment",
    "OPERATIONS": "operations",
    "EMERGENCY": "emergency",
    "RESEARCH": "research",
}
"""Those that the Context guide knows (1.1: 3.5)."""


@dataclass(frozen=True, slots=True)
class Packing:
    """How a domain is written to; `context` is said only of a member whose documents go along."""

    package: Package = "attachments"
    context: bool = True


@dataclass(frozen=True, slots=True)
class Given:
    """A document of the member's, as a rule gives it."""

    offered: OfferedDocument
    content: bytes


@dataclass(frozen=True, slots=True)
class File:
    """A file of the sender's own; `reading` is what its bytes say, where they were read."""

    part: OutgoingPart
    reading: Reading | None = None


@dataclass(frozen=True, slots=True)
class Load:
    """All that one message carries, from whom to whom."""

    sender: str
    to: tuple[str, ...]
    given: tuple[Given, ...]
    files: tuple[File, ...]
    member: Member | None
    community: Community
    purpose: PurposeOfUse


@dataclass(frozen=True, slots=True)
class Packed:
    """The parts, fields for the message's header, and what its text has to add."""

    parts: tuple[OutgoingPart, ...]
    fields: tuple[tuple[str, str], ...] = ()
    notice: str | None = None


def pack(load: Load, packing: Packing, *, now: datetime) -> Packed:
    """The load as the message's parts.

    Raises:
        ValueError: something of it cannot be written.
    """
    if packing.package == "xdm" and (load.given or load.files):
        parts = [OutgoingPart(_xdm(load, now), "application/zip", "XDM.zip")]
    else:
        parts = [*(one.part for one in load.files)]
        parts += [_attachment(one, number) for number, one in enumerate(load.given, len(parts) + 1)]
    fields: list[tuple[str, str]] = []
    if packing.context and load.given and load.member is not None:
        context, named = write_context(_context(load, load.member))
        parts.append(context)
        fields.append(named)
    is_part_2 = any(PART_2_NOTICE in one.offered.entry_xml for one in load.given)
    return Packed(tuple(parts), tuple(fields), PART_2_NOTICE if is_part_2 else None)


def _attachment(given: Given, number: int) -> OutgoingPart:
    """Named by what it is, never by whom it is about."""
    media_type = given.offered.document.mime_type or "application/octet-stream"
    ending = _EXTENSIONS.get(media_type, "dat")
    return OutgoingPart(given.content, media_type, f"document-{number}.{ending}")


# ---- XDM -------------------------------------------------------------------------------------


def _xdm(load: Load, now: datetime) -> bytes:
    documents = tuple(_entries(load, now))
    submission = XdmSubmission(_submission(load, [entry for entry, _ in documents], now), documents)
    return write_xdm([submission], organization=load.community.organization, now=now)


def _entries(load: Load, now: datetime) -> Iterator[tuple[DocumentEntry, bytes]]:
    person = () if load.member is None else source_patient_info(load.member.demographics)
    for one in load.given:
        entry = read_document_entry(parse_xml(one.offered.entry_xml.encode()))
        # In a package a document lies in no repository (ITI TF-3: 4.3.1, table 4.3.1-3).
        yield replace(entry, repository_unique_id=None, source_patient_info=person), one.content
    for file in load.files:
        yield _described(file, load, now), file.part.content


def _described(file: File, load: Load, now: datetime) -> DocumentEntry:
    """What is known of a file: what a C-CDA says of itself, of any other only what it is."""
    number = uuid4()
    patient = None if load.member is None else patient_id(load.member, load.community)
    bare = DocumentEntry(
        entry_uuid=number.urn,
        unique_id=_unique_id(number),
        patient_id=patient,
        mime_type=file.part.media_type,
        title=file.part.filename,
        creation_time=moment(now),
        source_patient_id=None if patient is None else patient.cx,
    )
    clinical = None if file.reading is None else file.reading.clinical
    if file.reading is None or clinical is None:
        return bare
    entry = as_stated(bare, clinical, file.reading.took_part)
    person = source_patient_info(demographics_of(clinical.patient))
    return replace(entry, mime_type=file.reading.mime_type, source_patient_info=person)


def _submission(load: Load, entries: Sequence[DocumentEntry], now: datetime) -> SubmissionSet:
    number = uuid4()
    by = replace(house_author(load.community), telecommunications=(_internet(load.sender),))
    return SubmissionSet(
        entry_uuid=number.urn,
        unique_id=_unique_id(number),
        source_id=load.community.device,
        patient_id=None if load.member is None else patient_id(load.member, load.community),
        submission_time=moment(now),
        content_type=next((one.class_code for one in entries if one.class_code), None),
        authors=(by,),
        intended_recipients=tuple(f"||{_internet(one)}" for one in load.to),
    )


def _unique_id(number: UUID) -> UniqueId:
    return UniqueId(f"2.25.{number.int}")


def _internet(address: str) -> str:
    """A Direct address as XTN (XDR and XDM for Direct Messaging 1.0: 4)."""
    return f"^^Internet^{address}"


# ---- Context ---------------------------------------------------------------------------------


def _context(load: Load, member: Member) -> Context:
    domain = load.sender.rpartition("@")[2]
    known = patient_id(member, load.community)
    return Context(
        version="1.0",
        id=f"{uuid4()}@{domain}",
        content_id=f"{uuid4()}@{domain}",
        patient_ids=(ContextPatientId(str(known.authority), known.id),),
        category="general",
        action="notification",
        purpose=_PURPOSES.get(load.purpose.code),
        patient={name: value for name, value in _patient(member) if value and ";" not in value},
    )


def _patient(member: Member) -> Iterator[tuple[str, str | None]]:
    """Enough to match by, no number of anybody's (Context 1.1: 3.6)."""
    person = member.demographics
    name = next((one for one in person.names if one.family), None)
    if name is not None:
        yield "givenName", next(iter(name.given), None)
        yield "surname", name.family
        yield "middleName", next(iter(name.given[1:]), None)
    yield "dateOfBirth", _date(person.birth_time.value if person.birth_time else None)
    yield "gender", person.gender
    yield "postalCode", next((one.postal_code for one in person.addresses), None)


def _date(written: str | None) -> str | None:
    """An HL7 date as the guide writes it; one that is no whole date is not stated."""
    day = (written or "")[:8]
    return f"{day[:4]}-{day[4:6]}-{day[6:]}" if len(day) == 8 and day.isdigit() else None
