"""A submission as tests of ITI-41 need it: two documents, one of which replaces an older one."""

from ihe.document_content import ContentId
from ihe.identifiers import Oid, PatientId, UniqueId
from ihe.metadata import (
    Association,
    AssociationType,
    Author,
    Code,
    DocumentEntry,
    Folder,
    SubmissionSet,
)
from ihe.submission import memberships
from ihe.xdr import ProvideAndRegisterRequest, SubmittedDocument

PATIENT = PatientId("A-1", Oid("2.999.5"))
LOINC = "2.16.840.1.113883.6.1"
SUBMISSION_SET = SubmissionSet(
    entry_uuid="urn:uuid:00000000-0000-4000-8000-00000000000a",
    unique_id=UniqueId("2.999.6.1"),
    source_id=Oid("2.999.6"),
    patient_id=PATIENT,
    availability="Approved",
    submission_time="20260301120000",
    content_type=Code("34133-9", LOINC, "Summary"),
    authors=(Author(person="^Ferro^Nadia", institutions=("Lakeshore",)),),
    title="A visit",
    intended_recipients=("Northfield^^^^^^^^^2.999.7|^Roe^Jane|^^Internet^jane@direct.example",),
)
ENTRIES = tuple(
    DocumentEntry(
        entry_uuid=f"urn:uuid:00000000-0000-4000-8000-00000000000{number}",
        unique_id=UniqueId(f"2.999.6.2.{number}"),
        patient_id=PATIENT,
        mime_type="text/xml",
        availability="Approved",
        creation_time="20260301",
        hash="da39a3ee5e6b4b0d3255bfef95601890afd80709",
        size_bytes=1000 + number,
        class_code=Code("34133-9", LOINC, "Summary"),
        source_patient_id="MRN-7^^^&2.999.8&ISO",
        source_patient_info=("PID-5|Sampleton^Rosalind", "PID-7|19560527", "PID-8|F"),
    )
    for number in (1, 2)
)
REPLACES = Association(
    entry_uuid="urn:uuid:00000000-0000-4000-8000-00000000000b",
    type=AssociationType.RPLC,
    source=ENTRIES[0].entry_uuid,
    target="urn:uuid:00000000-0000-4000-8000-0000000000ff",
)
APPENDS = Association(
    entry_uuid="urn:uuid:00000000-0000-4000-8000-00000000000c",
    type=AssociationType.APND,
    source=ENTRIES[1].entry_uuid,
    target=ENTRIES[0].entry_uuid,
)
SUBMISSION = ProvideAndRegisterRequest(
    submission_set=SUBMISSION_SET,
    entries=ENTRIES,
    documents=(
        SubmittedDocument(ENTRIES[0].entry_uuid, ContentId("one+/%@example.org")),
        SubmittedDocument(ENTRIES[1].entry_uuid, b"<inline/>"),
    ),
    associations=(*memberships(SUBMISSION_SET, ENTRIES), REPLACES, APPENDS),
    folders=(
        Folder(
            entry_uuid="urn:uuid:00000000-0000-4000-8000-00000000000d",
            unique_id=UniqueId("2.999.6.3"),
            patient_id=PATIENT,
            codes=(Code("x", "2.999.6.4", "X"),),
            title="A folder",
        ),
    ),
)
