"""Document entries as ebRIM."""

from dataclasses import replace
from itertools import islice
from pathlib import Path
from uuid import UUID, uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ccda.safe_xml import parse_xml
from ihe.ebrim import (
    entry_xml,
    read_document_entry,
    read_object_ref,
    write_document_entry,
    write_object_ref,
)
from ihe.errors import MalformedMessage
from ihe.identifiers import HomeCommunityId, Oid, PatientId, UniqueId
from ihe.metadata import Author, Code, DocumentEntry, ObjectRef
from ihe.rim import part_ids, read_slots, rim
from tests.ihe_conformance import assert_valid_body

SAMPLES = Path(__file__).parents[1] / "samples" / "ihe"
HOME = HomeCommunityId(Oid("2.999.20"))
SUMMARY = Code("34133-9", "2.16.840.1.113883.6.1", "Summary")
ENTRY = DocumentEntry(
    entry_uuid="urn:uuid:0f1b3c52-8f0a-4c5b-9a77-2e8f5a0c0001",
    unique_id=UniqueId("2.999.20.8^d1"),
    patient_id=PatientId("A-1", Oid("2.999.20.5")),
    home_community_id=HOME,
    repository_unique_id=Oid("2.999.20.7"),
    mime_type="text/xml",
    availability="Approved",
    title="Summary of care",
    comments="as of March",
    creation_time="20260301",
    service_start_time="2025",
    service_stop_time="202603",
    language_code="en-US",
    hash="da39a3ee5e6b4b0d3255bfef95601890afd80709",
    size_bytes=0,
    class_code=SUMMARY,
    type_code=SUMMARY,
    format_code=Code("urn:hl7-org:sdwg:ccda-structuredBody:2.1", "1.3.6.1.4.1.19376.1.2.3"),
    healthcare_facility_type_code=Code("394777002", "2.16.840.1.113883.6.96"),
    practice_setting_code=Code("394802001", "2.16.840.1.113883.6.96"),
    confidentiality_codes=(Code("N", "2.16.840.1.113883.5.25"), Code("ETH", None)),
    event_codes=(SUMMARY,),
    authors=(
        Author("^Fault^Dana", ("Harbor Clinic", "Other"), ("PCP",), ("GP",), ("^^Internet^d@x",)),
        Author(institutions=("Harbor Plan",)),
    ),
    legal_authenticator="^Fault^Dana",
    source_patient_id="77^^^&2.999.30&ISO",
    source_patient_info=("PID-5|Fault^Dana", "PID-8|F"),
    reference_ids=("r1^^^&2.999.1&ISO^urn:ihe:iti:xds:2013:order",),
    uri="https://repository.example/" + "x" * 600,
    version="2",
    logical_id="urn:uuid:0f1b3c52-8f0a-4c5b-9a77-2e8f5a0c0009",
)
LEAST = DocumentEntry("urn:uuid:0f1b3c52-8f0a-4c5b-9a77-2e8f5a0c0002", UniqueId("2.999.20.8^d2"))


@pytest.mark.parametrize("entry", [ENTRY, LEAST, replace(ENTRY, object_type="on-demand")])
def test_an_entry_written_is_valid_and_reads_back_the_same(entry: DocumentEntry) -> None:
    written = write_document_entry(entry)
    assert_valid_body(written)
    assert read_document_entry(written) == entry


WORDS = st.text(st.characters(categories=("L", "N", "P", "S")), min_size=1, max_size=60)
CODES = st.builds(Code, WORDS, st.none() | WORDS, st.none() | WORDS)
MANY = st.lists(WORDS, max_size=3).map(tuple)


@given(
    st.builds(
        DocumentEntry,
        entry_uuid=st.uuids().map(lambda each: each.urn),
        unique_id=st.builds(UniqueId, WORDS),
        patient_id=st.none() | st.builds(PatientId, WORDS, st.just(Oid("2.999.5"))),
        title=st.none() | WORDS,
        comments=st.none() | WORDS,
        availability=st.sampled_from([None, "Approved", "Deprecated"]),
        object_type=st.sampled_from(["stable", "on-demand"]),
        size_bytes=st.none() | st.integers(0, 10**12),
        class_code=st.none() | CODES,
        confidentiality_codes=st.lists(CODES, max_size=3).map(tuple),
        authors=st.lists(st.builds(Author, st.none() | WORDS, MANY, MANY), max_size=2).map(tuple),
        source_patient_info=MANY,
        uri=st.none() | st.text("abc/|1", min_size=1, max_size=3000),
    )
)
def test_whatever_an_entry_says_goes_out_and_comes_back(entry: DocumentEntry) -> None:
    written = write_document_entry(entry)
    assert_valid_body(written)
    assert read_document_entry(written) == entry


def test_the_same_entry_is_the_same_bytes_on_their_own() -> None:
    data = entry_xml(ENTRY)
    assert data == entry_xml(replace(ENTRY))
    assert read_document_entry(parse_xml(data)) == ENTRY


def test_a_title_too_long_for_the_schema_is_cut_visibly() -> None:
    written = write_document_entry(replace(ENTRY, title="x" * 5000))
    assert_valid_body(written)
    assert read_document_entry(written).title == "x" * 1023 + "…"


def test_the_parts_of_two_entries_never_share_an_id() -> None:
    written = (write_document_entry(ENTRY), write_document_entry(LEAST))
    ids = [part.get("id") for entry in written for part in entry if part.get("id")]
    assert len(ids) == len(set(ids))


def test_what_cannot_be_understood_in_an_entry_is_left_out() -> None:
    response = parse_xml((SAMPLES / "query_response_errors_after_objects.xml").read_bytes())
    entry = read_document_entry(next(response.iter(rim("ExtrinsicObject"))))
    assert entry.repository_unique_id == Oid("2.999.20.7")
    assert entry.object_type == "on-demand"
    assert entry.title == "Scan"
    assert entry.type_code == Code("34133-9", None)
    assert entry.size_bytes is None
    assert entry.patient_id is None


@pytest.mark.parametrize("size", ["-1", "1.5", "9" * 5000, "many"])
def test_a_size_that_is_none_is_not_known(size: str) -> None:
    element = write_document_entry(ENTRY)
    (value,) = element.iterfind(f"{rim('Slot')}[@name='size']/{rim('ValueList')}/{rim('Value')}")
    value.text = size
    assert read_document_entry(element).size_bytes is None


@pytest.mark.parametrize("taken", ["ExternalIdentifier", "id"])
def test_an_entry_that_could_not_be_asked_for_is_refused(taken: str) -> None:
    element = write_document_entry(replace(ENTRY, patient_id=None))
    if taken == "id":
        element.attrib.pop("id")
    else:
        element.remove(element.find(rim(taken)))
    with pytest.raises(MalformedMessage):
        read_document_entry(element)


def test_a_reference_to_nothing_is_refused() -> None:
    element = write_object_ref(ObjectRef(ENTRY.entry_uuid, HOME))
    element.attrib.pop("id")
    with pytest.raises(MalformedMessage):
        read_object_ref(element)


def test_a_reference_reads_back_the_same() -> None:
    for reference in (ObjectRef(ENTRY.entry_uuid, HOME), ObjectRef(ENTRY.entry_uuid)):
        assert read_object_ref(write_object_ref(reference)) == reference


def test_a_slot_that_is_repeated_is_one_list() -> None:
    element = parse_xml(
        b'<a xmlns="urn:oasis:names:tc:ebxml-regrep:xsd:rim:3.0">'
        b'<Slot name="s"><ValueList><Value> 1 </Value><Value/></ValueList></Slot>'
        b'<Slot name="s"><ValueList><Value>2</Value></ValueList></Slot><Slot name="t"/></a>'
    )
    assert read_slots(element) == {"s": ("1", "2"), "t": ()}


# ---- ids of parts ----------------------------------------------------------------------------


@pytest.mark.parametrize("own", ["urn:uuid:9840a141-6001-4858-a00f-8562a612ecb8", "Document01", ""])
def test_parts_have_ids_of_their_own_the_same_each_time(own: str) -> None:
    ids = list(islice(part_ids(own), 300))
    assert ids == list(islice(part_ids(own), 300))
    assert len({own, *ids}) == 301
    for id in ids:
        assert UUID(id).urn == id


def test_parts_of_objects_that_are_counted_up_do_not_meet() -> None:
    """Some number theirs: in the first group, or in the last."""
    objects = [UUID(int=(number << 96) + last) for number in range(20) for last in range(20)]
    ids = [id for one in objects for id in (one.urn, *islice(part_ids(one.urn), 20))]
    assert len(set(ids)) == len(ids)


def test_ids_of_parts_are_uuids_of_the_kind_that_the_object_has() -> None:
    """However many parts it has: here their number outgrows the second group."""
    own = uuid4()
    ids = [UUID(id) for id in islice(part_ids(own.urn), 65_530, 65_550)]
    assert {(id.version, id.variant) for id in ids} == {(4, own.variant)}
    assert len({own, *ids}) == 21
