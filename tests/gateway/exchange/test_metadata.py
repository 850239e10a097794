"""The metadata of what we offer says what the document says, and nothing more."""

from dataclasses import replace
from datetime import UTC, datetime
from uuid import UUID

import pytest

from ccda import read_participations
from ccda.hl7v3 import CD, II, TS
from ccda.model import ClinicalDocument, Encounter, Order, Participations, Place, Section
from gateway.exchange import metadata
from gateway.exchange.metadata import entry_uuid, patient_id, unique_id
from gateway.exchange.reading import read_document
from gateway.exchange.registered import registered_by, submission_set
from gateway.model.community import Community
from gateway.model.document import Blob, Document, Source
from gateway.model.identity import DocumentId
from gateway.model.member import Member
from ihe.identifiers import HomeCommunityId
from ihe.metadata import Code, DocumentEntry
from ihe.registry_response import ResponseStatus
from ihe.xca_query import AdhocQueryResponse, write_adhoc_query_response
from tests.gateway import house as lakeshore
from tests.gateway.clients.asking_house import MEMBER, PLAN
from tests.ihe_conformance import assert_valid_body

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


def describe(
    document: Document,
    clinical: ClinicalDocument,
    member: Member,
    community: Community,
    took_part: Participations = Participations(),  # noqa: B008 - a value, frozen
) -> DocumentEntry:
    return metadata.describe(document, clinical, took_part, member, community)


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
        clinical,
        id=None,
        confidentiality=None,
        language=None,
        authors=(),
        encounter=None,
        title=None,
    )
    entry = describe(DOCUMENT, bare, MEMBER, US)
    assert (entry.confidentiality_codes, entry.authors, entry.title) == ((), (), None)
    assert entry.language_code == "und"
    assert (entry.service_start_time, entry.service_stop_time) == (None, None)
    assert (entry.event_codes, entry.reference_ids) == ((), ())
    assert entry.healthcare_facility_type_code == entry.practice_setting_code
    assert entry.practice_setting_code == Code(
        "385432009", "2.16.840.1.113883.6.96", "Not applicable"
    )


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


HEAD = b"""<ClinicalDocument xmlns="urn:hl7-org:v3"><documentationOf><serviceEvent classCode="ACT">
<code code="73761001" codeSystem="2.16.840.1.113883.6.96" displayName="Colonoscopy"/>
<effectiveTime><low value="20250301"/><high value="20250304"/></effectiveTime></serviceEvent>
</documentationOf><documentationOf><serviceEvent classCode="ACT"><code code="x"/>
<effectiveTime value="20250228"/></serviceEvent></documentationOf>"""


def test_what_the_header_says_was_done_can_be_asked_for(clinical: ClinicalDocument) -> None:
    took_part = read_participations(replace(clinical, head=HEAD))
    entry = describe(DOCUMENT, replace(clinical, encounter=None), MEMBER, US, took_part)
    assert entry.event_codes == (Code("73761001", "2.16.840.1.113883.6.96", "Colonoscopy"),)
    assert (entry.service_start_time, entry.service_stop_time) == ("20250228", "20250304")


def test_the_encounter_says_when_and_where(clinical: ClinicalDocument) -> None:
    place = Place(code=CD("1117-1", "2.16.840.1.113883.6.259", display="Family Medicine Clinic"))
    encounter = Encounter(
        ids=(II("2.999.5", "E/7"), II("not an OID", "1"), II("2.999.6")),
        start=TS("20250310"),
        place=place,
    )
    order = Order(ids=(II("2.999.8", "O^1"),))
    held = replace(clinical, encounter=encounter, orders=(order,))
    took_part = read_participations(replace(clinical, head=HEAD))
    entry = describe(DOCUMENT, held, MEMBER, US, took_part)
    assert (entry.service_start_time, entry.service_stop_time) == ("20250310", None)
    assert entry.healthcare_facility_type_code == Code(
        "1117-1", "2.16.840.1.113883.6.259", "Family Medicine Clinic"
    )
    assert entry.reference_ids == (
        "CCD-20250318-01^^^&2.999.7301.1.4&ISO^urn:ihe:iti:xds:2013:uniqueId",
        "E/7^^^&2.999.5&ISO^urn:ihe:iti:xds:2015:encounterId",
        "2.999.6^^^^urn:ihe:iti:xds:2015:encounterId",
        "O\\S\\1^^^&2.999.8&ISO^urn:ihe:iti:xds:2013:order",
    )


def test_a_document_was_registered_alone_by_us_when_it_came() -> None:
    typed = replace(DOCUMENT, type_code="34133-9")
    registering = submission_set(typed, MEMBER, US)
    assert registering.source_id == US.device
    assert registering.submission_time == "20260301123000"
    assert registering.content_type == Code("34133-9", "2.16.840.1.113883.6.1", "34133-9")
    assert [one.institutions[0].split("^")[0] for one in registering.authors] == [
        "Acme Health Plan"
    ]
    for named in (registering.entry_uuid, str(registering.unique_id)):
        assert registered_by(named) == entry_uuid(DOCUMENT)
    assert registering.entry_uuid != entry_uuid(DOCUMENT)
    assert UUID(registering.entry_uuid).version == UUID(DOCUMENT.id).version
    assert registered_by("2.999.1") is None


# ---- what no list could say ------------------------------------------------------------------


def test_whatever_a_document_says_of_itself_its_entry_is_valid(clinical: ClinicalDocument) -> None:
    long = "L" * 3000
    of_itself = replace(
        clinical,
        title=long,
        language=long,
        confidentiality=long,
        authors=(replace(clinical.authors[0], name=long, organization=long),),
        code=CD(code="34133-9", system=metadata.LOINC, display=long),
        encounter=Encounter(place=Place(code=CD(code=long, system=long))),
    )
    entry = describe(DOCUMENT, of_itself, MEMBER, US)
    response = AdhocQueryResponse(ResponseStatus.SUCCESS, entries=(entry,))
    assert_valid_body(write_adhoc_query_response(response))
    assert entry.title == "L" * 1024


@pytest.mark.parametrize("code", [CD(code="9" * 257), CD(code="9", system="9" * 257)])
def test_a_kind_that_no_list_can_say_is_none(code: CD, clinical: ClinicalDocument) -> None:
    assert describe(DOCUMENT, replace(clinical, code=code), MEMBER, US).type_code is None


def test_the_name_of_an_organization_is_one_component(clinical: ClinicalDocument) -> None:
    author = replace(clinical.authors[0], organization="Ob & Gyn ^ Associates")
    entry = describe(DOCUMENT, replace(clinical, authors=(author,)), MEMBER, US)
    assert entry.authors[0].institutions == ("Ob   Gyn   Associates",)
