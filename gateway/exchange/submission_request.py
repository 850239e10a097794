"""What a submission of ours says: ITI-41 or ITI-80, and the documents that go with it."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Final
from uuid import NAMESPACE_URL, UUID, uuid5

from ccda.safe_xml import parse_xml
from gateway.exchange.archive import Archive
from gateway.exchange.metadata import house_author, moment, source_patient_info
from gateway.model.community import Community
from gateway.model.document import OfferedDocument
from gateway.model.member import Member
from gateway.model.partner import Partner
from gateway.model.submission import Submission
from ihe.document_content import ContentId
from ihe.ebrim import read_document_entry
from ihe.identifiers import PatientId, UniqueId
from ihe.metadata import Association, AssociationType, DocumentEntry, SubmissionSet
from ihe.mtom_writing import Part
from ihe.soap import ITI_80_REQUEST, MessageKind
from ihe.submission import memberships
from ihe.xdr import ProvideAndRegisterRequest, SubmittedDocument

_NO_TYPE: Final = "application/octet-stream"


@dataclass(frozen=True, slots=True)
class Chosen:
    """What leaves, of whom, and what it replaces there by entry UUID."""

    member: Member
    documents: tuple[OfferedDocument, ...]
    patient: PatientId
    replaces: tuple[tuple[str, str], ...]


def write_request(
    given: Submission,
    chosen: Chosen,
    partner: Partner,
    community: Community,
    kind: MessageKind,
) -> ProvideAndRegisterRequest:
    """The submission, without its documents' bytes; the same ids whenever it is written."""
    entries = tuple(_entries(chosen))
    number = uuid5(NAMESPACE_URL, f"{community.home_community_id} {given.id}")
    submission_set = SubmissionSet(
        entry_uuid=number.urn,
        unique_id=UniqueId(f"2.25.{number.int}"),
        source_id=community.device,
        patient_id=chosen.patient,
        availability="Approved",
        submission_time=moment(given.created),
        content_type=next((one.class_code for one in entries if one.class_code), None),
        authors=(house_author(community),),
    )
    is_cross_gateway = kind is ITI_80_REQUEST
    return ProvideAndRegisterRequest(
        submission_set=submission_set,
        entries=entries,
        documents=tuple(
            SubmittedDocument(one.entry_uuid, ContentId(_cid(one))) for one in chosen.documents
        ),
        associations=(*memberships(submission_set, entries), *_replacements(number, chosen)),
        # ITI TF-2: 3.80.4.1.2: XCDR names the community that it is for.
        home_community_id=partner.home_community_id if is_cross_gateway else None,
    )


def _entries(chosen: Chosen) -> Iterator[DocumentEntry]:
    """As our registry has them, but for what is the recipient's to say: home and repository."""
    for one in chosen.documents:
        entry = read_document_entry(parse_xml(one.entry_xml.encode()))
        yield replace(
            entry,
            home_community_id=None,
            repository_unique_id=None,
            availability="Approved",
            patient_id=chosen.patient,
            source_patient_info=source_patient_info(chosen.member.demographics),
        )


def _replacements(number: UUID, chosen: Chosen) -> Iterator[Association]:
    for newer, older in chosen.replaces:
        yield Association(
            entry_uuid=uuid5(number, f"{newer} {older}").urn,
            type=AssociationType.RPLC,
            source=newer,
            target=older,
        )


def document_parts(archive: Archive, documents: Iterable[OfferedDocument]) -> Iterator[Part]:
    """The documents' bytes, read from the store as they leave."""
    for one in documents:
        document = one.document
        chunks = archive.chunks(document.plan, document.blob)
        yield Part(_cid(one), document.mime_type or _NO_TYPE, chunks)


def _cid(one: OfferedDocument) -> str:
    return f"{one.document.id}@gateway"
