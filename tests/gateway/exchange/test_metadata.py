"""The XDS metadata of documents we offer: what they say, and nothing made up."""

from dataclasses import replace
from datetime import UTC, datetime
from uuid import UUID

import pytest

from ccda import ClinicalDocument, parse_document
from ccda.hl7v3 import TS
from ccda.model import Author as DocumentAuthor
from gateway.exchange.metadata import describe, entry_uuid, patient_id, unique_id
from gateway.model.community import Community
from gateway.model.document import Blob, Document, Source
from gateway.model.identity import DocumentId
from ihe.metadata import Code, DocumentEntry
from tests.gateway.house import HOME, MEMBER, PLAN, demo_document

COMMUNITY = Community(HOME, "Lakeshore Medical Group")
DOCUMENT = Document(
    id=DocumentId("00000000-0000-4000-8000-000000000042"),
    plan=PLAN,
    state="filed",
    blob=Blob("a", 1234, "da39a3ee5e6b4b0d3255bfef95601890afd80709", "e3b0"),
    source=Source("FILE"),
    received=datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC),
)
LOINC, FORMATS = "2.16.840.1.113883.6.1", "1.3.6.1.4.1.19376.1.2.3"


def clinical(name: str = "lakeshore_ccd.xml") -> ClinicalDocument:
    return parse_document(demo_document(name))


def entry(said: ClinicalDocument) -> DocumentEntry:
    return describe(DOCUMENT, said, MEMBER, COMMUNITY)


def test_an_entry_says_what_the_document_says() -> None:
    found = entry(clinical())
    assert found.type_code == Code("34133-9", LOINC, "Summary of episode note")
    assert found.class_code == found.type_code
    assert found.format_code == Code(
        "urn:hl7-org:sdwg:ccda-structuredBody:2.1", FORMATS, "C-CDA R2.1 structuredBody"
    )
    assert [code.value for code in found.confidentiality_codes] == ["N"]
    assert found.creation_time == "202509242130"
    assert (found.hash, found.size_bytes) == (DOCUMENT.blob.sha1, 1234)
    assert (found.home_community_id, found.repository_unique_id) == (HOME, COMMUNITY.repository)
    assert (found.availability, found.mime_type) == ("Approved", "text/xml")


def test_ids_of_an_entry_are_ours_and_opaque() -> None:
    found = entry(clinical())
    number = UUID(DOCUMENT.id).int
    assert (found.entry_uuid, str(found.unique_id)) == (f"urn:uuid:{DOCUMENT.id}", f"2.25.{number}")
    assert (entry_uuid(DOCUMENT), unique_id(DOCUMENT)) == (found.entry_uuid, found.unique_id)
    assert found.patient_id == patient_id(MEMBER, COMMUNITY)
    assert MEMBER.member_id not in found.patient_id.cx


def test_a_document_without_structure_has_a_format_of_its_own() -> None:
    found = entry(clinical("lakeshore_unstructured.xml")).format_code
    assert found is not None and found.value == "urn:hl7-org:sdwg:ccda-nonXMLBody:2.1"


def test_a_document_older_than_c_cda_has_its_own_format() -> None:
    found = entry(replace(clinical(), templates=())).format_code
    assert found is not None and found.value == "urn:ihe:pcc:xphr:2007"


def test_a_document_that_states_no_confidentiality_gets_none() -> None:
    assert entry(replace(clinical(), confidentiality=None)).confidentiality_codes == ()


@pytest.mark.parametrize(
    ("written", "utc"),
    [
        ("20250924163000-0500", "20250924213000"),
        ("202509241630-0500", "202509242130"),
        ("20250101003000+0530", "20241231190000"),
        ("202509241630-05", "202509242130"),
        ("20250924163000.1234-0500", "20250924213000"),
        ("20250924", "20250924"),
        ("2025", "2025"),
        ("2025092416-0500", "2025092416"),
        ("20250924163000", "20250924163000"),
    ],
)
def test_times_become_utc_in_the_precision_they_have(written: str, utc: str) -> None:
    assert entry(replace(clinical(), effective_time=TS(written))).creation_time == utc


@pytest.mark.parametrize(
    "written",
    ["20250231120000-0500", "20251399", "99991231235959-0500", "2025-09-24", "soon", "202", "٢٠٢٥"],
)
def test_what_is_no_time_that_exists_gives_way_to_when_it_was_received(written: str) -> None:
    found = entry(replace(clinical(), effective_time=TS(written)))
    assert found.creation_time == "20260102030405"


def test_an_authors_name_cannot_pose_as_an_id() -> None:
    authors = (DocumentAuthor(name="Dr^Who~Else & Co", organization="Clinic"),)
    (author,) = entry(replace(clinical(), authors=authors)).authors
    assert author.person == "^Dr Who Else   Co"
    assert author.institutions == ("Clinic",)


def test_authors_without_a_name_are_left_out() -> None:
    device = DocumentAuthor(name=None, organization="Clinic")
    assert entry(replace(clinical(), authors=(device,))).authors == ()
