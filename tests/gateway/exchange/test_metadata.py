"""The metadata of what we offer says what the document says, and nothing more."""

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from ccda.hl7v3 import CD, TS
from ccda.model import ClinicalDocument, Section
from gateway.exchange.metadata import describe, entry_uuid, patient_id, unique_id
from gateway.exchange.reading import read_document
from gateway.model.community import Community
from gateway.model.document import Blob, Document, Source
from gateway.model.identity import DocumentId
from ihe.identifiers import HomeCommunityId
from tests.gateway import house as lakeshore
from tests.gateway.clients.asking_house import MEMBER, PLAN

CCDA = "2.16.840.1.113883.10.20.22"
SDWG = "urn:hl7-org:sdwg:ccda"
US = Community(HomeCommunityId.parse("2.999.7300"), "Acme Health Plan")
DOCUMENT = Document(
    id=DocumentId("00000000-0000-4000-8000-00000000000d"),
    plan=PLAN,
    state="filed",
    blob=Blob("0" * 64, 1234, "1" * 40, "2" * 64),
    source=Source(door="FILE"),
    received=datetime(2026, 3, 1, 12, 30, tzinfo=UTC),
)


@pytest.fixture(scope="module")
def clinical() -> ClinicalDocument:
    found = read_document(lakeshore.demo_document("northfield_ccd.xml")).clinical
    assert found is not None
    return found


def test_an_entry_names_us_the_member_and_the_bytes(clinical: ClinicalDocument) -> None:
    entry = describe(DOCUMENT, clinical, MEMBER, US)
    assert entry.home_community_id == US.home_community_id
    assert entry.repository_unique_id == US.repository
    assert entry.patient_id == patient_id(MEMBER, US)
    assert (entry.hash, entry.size_bytes) == ("1" * 40, 1234)
    assert (entry.title, entry.mime_type) == (clinical.title, "text/xml")
    assert entry.type_code is not None and entry.type_code.value == "34133-9"
    assert MEMBER.member_id not in str(entry)


def test_ids_of_an_entry_are_the_documents_own(clinical: ClinicalDocument) -> None:
    assert entry_uuid(DOCUMENT) == f"urn:uuid:{DOCUMENT.id}"
    assert str(unique_id(DOCUMENT)).startswith("2.25.")
    other = replace(DOCUMENT, id=DocumentId("00000000-0000-4000-8000-00000000000e"))
    assert unique_id(other) != unique_id(DOCUMENT)


@pytest.mark.parametrize(
    "written, utc",
    [
        ("20250318160500-0500", "20250318210500"),
        ("20250318160500.123+0100", "20250318150500"),
        ("20250101003000+0100", "20241231233000"),
        ("202503181605-0500", "202503182105"),
        ("20250318", "20250318"),
        ("2025", "2025"),
        ("20250318160500", "20250318160500"),
        ("yesterday", "20260301123000"),
        ("", "20260301123000"),
        ("2025031", "20260301123000"),
    ],
)
def test_times_are_utc_in_the_precision_they_were_written(
    written: str, utc: str, clinical: ClinicalDocument
) -> None:
    timed = replace(clinical, effective_time=TS(written) if written else None)
    assert describe(DOCUMENT, timed, MEMBER, US).creation_time == utc


def test_a_time_that_cannot_be_is_left_as_when_we_received_it(clinical: ClinicalDocument) -> None:
    timed = replace(clinical, effective_time=TS("20251399256199-0500"))
    assert describe(DOCUMENT, timed, MEMBER, US).creation_time == "20260301123000"


def test_what_a_document_does_not_state_is_not_made_up(clinical: ClinicalDocument) -> None:
    bare = replace(
        clinical, confidentiality=None, language=None, authors=(), encounter=None, title=None
    )
    entry = describe(DOCUMENT, bare, MEMBER, US)
    assert (entry.confidentiality_codes, entry.authors, entry.title) == ((), (), None)
    assert entry.language_code == "und"
    assert (entry.service_start_time, entry.service_stop_time) == (None, None)


def test_a_code_without_a_system_is_loinc(clinical: ClinicalDocument) -> None:
    entry = describe(DOCUMENT, replace(clinical, code=CD("34133-9")), MEMBER, US)
    assert entry.type_code is not None
    assert entry.type_code.scheme == "2.16.840.1.113883.6.1"


@pytest.mark.parametrize(
    "document, sections, code",
    [
        ((), (), "urn:ihe:pcc:xphr:2007"),
        ((f"{CCDA}.1.1", f"{CCDA}.1.2"), (f"{CCDA}.2.5.1",), f"{SDWG}-structuredBody:1.1"),
        ((f"{CCDA}.1.1", f"{CCDA}.1.15"), (), f"{SDWG}-structuredBody:2.1"),
        ((f"{CCDA}.1.1", f"{CCDA}.1.2"), (f"{CCDA}.2.58",), f"{SDWG}-structuredBody:2.1"),
        ((f"{CCDA}.1.1", f"{CCDA}.1.10"), (), f"{SDWG}-nonXMLBody:1.1"),
    ],
)
def test_a_format_says_r2_1_only_of_a_document_that_shows_it(
    document: tuple[str, ...],
    sections: tuple[str, ...],
    code: str,
    clinical: ClinicalDocument,
) -> None:
    held = (Section(code=None, title=None, templates=sections, text=None),)
    shown = replace(clinical, templates=document, sections=held)
    entry = describe(DOCUMENT, shown, MEMBER, US)
    assert entry.format_code is not None and entry.format_code.value == code
