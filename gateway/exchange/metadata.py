"""The XDS metadata of a document we offer, from what the document says (ITI TF-3: 4.2.3.2)."""

from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from ccda.hl7v3 import CD, TS
from ccda.model import Author as DocumentAuthor
from ccda.model import ClinicalDocument
from gateway.model.community import Community
from gateway.model.document import Document
from gateway.model.member import Member
from ihe.identifiers import PatientId, UniqueId
from ihe.metadata import Author, Code, DocumentEntry

_LOINC: Final = "2.16.840.1.113883.6.1"
_SNOMED: Final = "2.16.840.1.113883.6.96"
_CONFIDENTIALITY: Final = "2.16.840.1.113883.5.25"
_FORMATS: Final = "1.3.6.1.4.1.19376.1.2.3"
# XDS demands both codes; a document rarely states either, and nothing may be made up.
_NOT_STATED: Final = Code("385432009", _SNOMED, "Not applicable")
_UNDETERMINED: Final = "und"  # RFC 5646: 4.1
_UNSTRUCTURED: Final = "2.16.840.1.113883.10.20.22.1.10"
_SEPARATORS: Final = str.maketrans("^~&|", "    ")
"""What parts the components of XCN: a name holds none."""
_EARLIEST: Final = "00000101000000"
"""Fills up a time of less precision."""
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


def describe(
    document: Document, clinical: ClinicalDocument, member: Member, community: Community
) -> DocumentEntry:
    """The entry that ITI-38 answers list for this document; it states a type code."""
    patient = patient_id(member, community)
    type_code = _code(clinical.code)
    encounter = clinical.encounter
    return DocumentEntry(
        entry_uuid=entry_uuid(document),
        unique_id=unique_id(document),
        patient_id=patient,
        home_community_id=community.home_community_id,
        repository_unique_id=community.repository,
        mime_type="text/xml",
        availability="Approved",
        title=clinical.title,
        creation_time=_utc(clinical.effective_time) or document.received.strftime("%Y%m%d%H%M%S"),
        service_start_time=_utc(encounter.start if encounter else None),
        service_stop_time=_utc(encounter.end if encounter else None),
        language_code=clinical.language or _UNDETERMINED,
        hash=document.blob.sha1,
        size_bytes=document.blob.size_bytes,
        class_code=type_code,
        type_code=type_code,
        format_code=_format(clinical),
        healthcare_facility_type_code=_NOT_STATED,
        practice_setting_code=_NOT_STATED,
        confidentiality_codes=_confidentiality(clinical),
        authors=tuple(_author(author) for author in clinical.authors if author.name),
        source_patient_id=patient.cx,
        reference_ids=(),
    )


def _code(code: CD | None) -> Code | None:
    if code is None or not code.code:
        return None
    return Code(code.code, code.system or _LOINC, code.display or code.code)


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
    return Code(f"urn:hl7-org:sdwg:ccda-{body}:{release}", _FORMATS, f"C-CDA R{release} {body}")


def _confidentiality(clinical: ClinicalDocument) -> tuple[Code, ...]:
    code = clinical.confidentiality
    return (Code(code, _CONFIDENTIALITY, code),) if code else ()


def _author(author: DocumentAuthor) -> Author:
    # XCN with the name alone: the family name component carries it whole.
    institutions = (author.organization,) if author.organization else ()
    return Author(
        person=f"^{(author.name or '').translate(_SEPARATORS)}", institutions=institutions
    )


def _utc(time: TS | None) -> str | None:
    """XDS times are UTC without an offset (ITI TF-3: Table 4.2.3.1.7-2); precision is kept.

    None for what is no time that exists: a document may say so all the same.
    """
    value = time.value if time else None
    if not value:
        return None
    moment, sign, offset = _split(value)
    if not moment.isascii() or not moment.isdigit() or len(moment) not in (4, 6, 8, 10, 12, 14):
        return None
    try:
        local = datetime.strptime(moment + _EARLIEST[len(moment) :], "%Y%m%d%H%M%S")
        if sign and (not offset.isdigit() or len(offset) not in (2, 4)):
            return None
        if not sign or len(moment) < 12:
            return moment
        shift = timedelta(hours=int(offset[:2]), minutes=int(offset[2:] or "0"))
        utc = local - shift if sign == "+" else local + shift
    except (ValueError, OverflowError):
        return None
    return f"{utc.year:04}{utc:%m%d%H%M%S}"[: len(moment)]


def _split(value: str) -> tuple[str, str, str]:
    for sign in ("+", "-"):
        moment, found, offset = value.partition(sign)
        if found:
            return moment.partition(".")[0], sign, offset
    return value.partition(".")[0], "", ""
