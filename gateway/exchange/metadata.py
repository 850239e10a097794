"""The XDS metadata of a document we offer, from what the document says (ITI TF-3: 4.2.3.2)."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from typing import Final
from uuid import UUID

from ccda.hl7v3 import CD, II, TS
from ccda.model import Author as DocumentAuthor
from ccda.model import ClinicalDocument, Participations
from gateway.model.community import Community
from gateway.model.document import Document
from gateway.model.member import Member
from ihe.dtm import utc_time
from ihe.identifiers import Oid, PatientId, UniqueId
from ihe.metadata import Author, Code, DocumentEntry
from ihe.xcpd import Demographics

LOINC: Final = "2.16.840.1.113883.6.1"
_SNOMED: Final = "2.16.840.1.113883.6.96"
_CONFIDENTIALITY: Final = "2.16.840.1.113883.5.25"
_FORMATS: Final = "1.3.6.1.4.1.19376.1.2.3"
# XDS demands both codes; a document rarely states either, and nothing may be made up.
_NOT_STATED: Final = Code("385432009", _SNOMED, "Not applicable")
_UNDETERMINED: Final = "und"  # RFC 5646: 4.1
_SUMMARY: Final = Code("34133-9", LOINC, "Summarization of Episode Note")
_REFERENCE: Final = "urn:ihe:iti:xds:"
"""Types of reference ids (ITI TF-3: 4.2.3.2.28)."""
_UNSTRUCTURED: Final = "2.16.840.1.113883.10.20.22.1.10"
_VALUE_LENGTH: Final = 256
"""LongName of rim.xsd."""
_TEXT_LENGTH: Final = 1024
"""FreeFormText of rim.xsd."""
_SEPARATORS: Final = str.maketrans("^~&|", "    ")
"""What parts the components of XCN: a name holds none."""
_US_REALM_HEADER: Final = "2.16.840.1.113883.10.20.22.1.1"
_SINCE_R2: Final = frozenset(
    f"2.16.840.1.113883.10.20.{number}"
    for number in (
        "22.1.13", "22.1.14", "22.1.15", "29.1",
        "22.2.56", "22.2.57", "22.2.58", "22.2.60", "22.2.61", "22.2.64", "22.2.65", "22.2.500",
    )
)  # fmt: skip
"""Templates of documents and sections that R1.1 did not have (C-CDA R2.1: Volume 2)."""


def entry_uuid(document: Document) -> str:
    """The id of the metadata entry: the document's own, as a URN."""
    return f"urn:uuid:{UUID(document.id)}"


def unique_id(document: Document) -> UniqueId:
    """The XDS uniqueId under which we offer it (ITI TF-3: 4.2.3.2.26).

    Ours, not ClinicalDocument/id: two plans of one house may hold the same document, and each
    must be able to give or withhold its own.
    """
    return UniqueId(f"2.25.{UUID(document.id).int}")


def patient_id(member: Member, community: Community) -> PatientId:
    """The id by which partners name a member to us: opaque, never the plan's number."""
    return PatientId(member.id, community.patient_authority)


def house_author(community: Community) -> Author:
    """Our organization as the author of what it writes or registers: XON, name and OID."""
    name = community.organization.translate(_SEPARATORS)
    home = community.home_community_id
    return Author(institutions=(f"{name}^^^^^&{home}&ISO^^^^{home}",))


def moment(time: datetime) -> str:
    """A time as XDS writes it."""
    return time.astimezone(UTC).strftime("%Y%m%d%H%M%S")


def describe(
    document: Document,
    clinical: ClinicalDocument,
    took_part: Participations,
    member: Member,
    community: Community,
) -> DocumentEntry:
    """The entry that ITI-38 answers list for this document; it states a type code."""
    patient = patient_id(member, community)
    bare = DocumentEntry(
        entry_uuid=entry_uuid(document),
        unique_id=unique_id(document),
        patient_id=patient,
        home_community_id=community.home_community_id,
        repository_unique_id=community.repository,
        mime_type="text/xml",
        availability="Approved",
        creation_time=moment(document.received),
        hash=document.blob.sha1,
        size_bytes=document.blob.size_bytes,
        source_patient_id=patient.cx,
    )
    return as_stated(bare, clinical, took_part)


def as_stated(
    bare: DocumentEntry, clinical: ClinicalDocument, took_part: Participations
) -> DocumentEntry:
    """The entry with all that the document says of itself; its own time before the entry's."""
    type_code = _code(clinical.code)
    start, stop = _service_times(clinical, took_part)
    return replace(
        bare,
        title=clinical.title and clinical.title[:_TEXT_LENGTH],
        creation_time=_utc(clinical.effective_time) or bare.creation_time,
        service_start_time=start,
        service_stop_time=stop,
        language_code=_language(clinical.language) or _UNDETERMINED,
        class_code=type_code,
        type_code=type_code,
        format_code=_format(clinical),
        healthcare_facility_type_code=_facility_type(clinical),
        practice_setting_code=_NOT_STATED,
        confidentiality_codes=_confidentiality(clinical),
        event_codes=_event_codes(took_part),
        authors=tuple(_author(author) for author in clinical.authors if author.name),
        reference_ids=tuple(_reference_ids(clinical)),
    )


def source_patient_info(person: Demographics) -> tuple[str, ...]:
    """Who the patient is, as PID fields (ITI TF-3: 4.2.3.2.23); no id, which has its own place."""
    name = next((one for one in person.names if one.family), None)
    address = next(iter(person.addresses), None)
    born = person.birth_time.value if person.birth_time else None
    fields = {
        "PID-5": None if name is None else _components(name.family, *name.given[:2]),
        "PID-7": born,
        "PID-8": person.gender,
        "PID-11": None
        if address is None
        else _components(
            " ".join(address.lines), None, address.city, address.state, address.postal_code
        ),
    }
    written = (f"{field}|{value}" for field, value in fields.items() if value)
    return tuple(one for one in written if len(one) <= _VALUE_LENGTH)


def _components(*parts: str | None) -> str:
    return "^".join((part or "").translate(_SEPARATORS).strip() for part in parts).rstrip("^")


def describe_summary(
    document: Document, member: Member, community: Community, *, confidentiality: str
) -> DocumentEntry:
    """The entry of a summary that we write: kept already, or still to be made on demand.

    What is made on demand has no time, hash and size yet (ITI TF-3: 4.2.5.2, table 4.2.3.2-1).
    """
    patient = patient_id(member, community)
    made = bool(document.blob.size_bytes)
    return DocumentEntry(
        entry_uuid=entry_uuid(document),
        unique_id=unique_id(document),
        patient_id=patient,
        home_community_id=community.home_community_id,
        repository_unique_id=community.repository,
        mime_type="text/xml",
        object_type="stable" if made else "on-demand",
        availability="Approved",
        title=document.title,
        creation_time=moment(document.received) if made else None,
        language_code="en-US",
        hash=document.blob.sha1 if made else None,
        size_bytes=document.blob.size_bytes if made else None,
        class_code=_SUMMARY,
        type_code=_SUMMARY,
        format_code=_format_code("structuredBody", "2.1"),
        healthcare_facility_type_code=_NOT_STATED,
        practice_setting_code=_NOT_STATED,
        confidentiality_codes=(Code(confidentiality, _CONFIDENTIALITY, confidentiality),),
        authors=(house_author(community),),
        source_patient_id=patient.cx,
    )


# ---- parts of an entry -----------------------------------------------------------------------


def _code(code: CD | None) -> Code | None:
    """None for none, and for what no schema takes: a list that holds it would be none at all."""
    if code is None or not code.code:
        return None
    system = code.system or LOINC
    if max(len(code.code), len(system)) > _VALUE_LENGTH:
        return None
    return Code(code.code, system, (code.display or code.code)[:_TEXT_LENGTH])


def _format(clinical: ClinicalDocument) -> Code:
    """ihe-wire 2.0: the HL7 format codes of C-CDA, or C32's for what is older."""
    if _US_REALM_HEADER not in clinical.templates:
        return Code("urn:ihe:pcc:xphr:2007", _FORMATS, "XPHR Extract")
    body = (
        "nonXMLBody" if clinical.body or _UNSTRUCTURED in clinical.templates else "structuredBody"
    )
    # Both releases use the same template roots, and what is read keeps no extensions. R2.1 is made
    # to conform to R1.1 as well, so that of a document that shows neither, 1.1 is true.
    sections = (root for section in clinical.sections for root in section.templates)
    release = "1.1" if _SINCE_R2.isdisjoint({*clinical.templates, *sections}) else "2.1"
    return _format_code(body, release)


def _format_code(body: str, release: str) -> Code:
    return Code(f"urn:hl7-org:sdwg:ccda-{body}:{release}", _FORMATS, f"C-CDA R{release} {body}")


def _confidentiality(clinical: ClinicalDocument) -> tuple[Code, ...]:
    code = clinical.confidentiality
    return (Code(code, _CONFIDENTIALITY, code),) if code and len(code) <= _VALUE_LENGTH else ()


def _service_times(
    clinical: ClinicalDocument, took_part: Participations
) -> tuple[str | None, str | None]:
    """Of the encounter, or else of the services that the document is about."""
    encounter = clinical.encounter
    start, stop = (_utc(encounter.start), _utc(encounter.end)) if encounter else (None, None)
    if start or stop:
        return start, stop
    times = [event.time for event in took_part.service_events if event.time is not None]
    starts = (found for time in times if (found := _utc(time.low or time.value)))
    stops = [found for time in times if (found := _utc(time.high or time.value))]
    return min(starts, default=None), max(stops, default=None)


def _facility_type(clinical: ClinicalDocument) -> Code:
    place = clinical.encounter.place if clinical.encounter else None
    code = place.code if place else None
    return _stated(code) or _NOT_STATED


def _event_codes(took_part: Participations) -> tuple[Code, ...]:
    found = (_stated(event.code) for event in took_part.service_events)
    return tuple(dict.fromkeys(code for code in found if code is not None))


def _language(code: str | None) -> str | None:
    return code if code and len(code) <= _VALUE_LENGTH else None


def _stated(code: CD | None) -> Code | None:
    """A code that says of which system it is."""
    return None if code is None or not code.system else _code(code)


def _reference_ids(clinical: ClinicalDocument) -> Iterator[str]:
    """By what others know the document and what it is about, as CXi (ITI TF-3: 4.2.3.2.28)."""
    encounters = clinical.encounter.ids if clinical.encounter else ()
    orders = (one for order in clinical.orders for one in order.ids)
    for kind, ids in (
        ("2013:uniqueId", (clinical.id,)),
        ("2015:encounterId", encounters),
        ("2013:order", orders),
    ):
        for one in ids:
            if one is not None and (written := _cxi(one, _REFERENCE + kind)):
                yield written


def _cxi(identifier: II, kind: str) -> str | None:
    try:
        root = Oid(identifier.root or "")
        if identifier.extension is None:
            return f"{root}^^^^{kind}"
        written = f"{PatientId(identifier.extension, root).cx}^{kind}"
    except ValueError:
        return None
    return written if len(written) <= _VALUE_LENGTH else None


def _author(author: DocumentAuthor) -> Author:
    # XCN and XON with the name alone; of a person the family name component carries it whole.
    institutions = (_name(author.organization),) if author.organization else ()
    return Author(person=f"^{_name(author.name or '')}"[:_VALUE_LENGTH], institutions=institutions)


def _name(text: str) -> str:
    return text.translate(_SEPARATORS)[:_VALUE_LENGTH]


def _utc(time: TS | None) -> str | None:
    """XDS times are UTC without an offset; None for what is no time that exists."""
    return utc_time(time.value) if time and time.value else None
