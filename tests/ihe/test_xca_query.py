"""ITI-38 as written and as read."""

from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from lxml import etree

from ccda.safe_xml import Element, parse_xml
from ihe.ebrim import entry_xml
from ihe.errors import MalformedMessage, UnexpectedMessage
from ihe.identifiers import HomeCommunityId, Oid, PatientId, UniqueId
from ihe.metadata import AssociationType, Code, DocumentEntry, ObjectRef
from ihe.registry_response import (
    ErrorCode,
    RegistryError,
    RegistryRefusal,
    RegistryResponse,
    ResponseStatus,
)
from ihe.rim import rim
from ihe.stored_query import (
    FindFoldersQuery,
    FindSubmissionSetsQuery,
    GetAllQuery,
    GetContentsQuery,
    GetObjectsQuery,
    GetRelatedDocumentsQuery,
)
from ihe.xca_query import (
    AdhocQuery,
    AdhocQueryResponse,
    FindDocumentsQuery,
    GetDocumentsQuery,
    StoredQuery,
    TimeRange,
    adhoc_query_response_xml,
    read_adhoc_query_request,
    read_adhoc_query_response,
    write_adhoc_query_request,
    write_adhoc_query_response,
    write_stored_entries,
)
from tests.ihe_conformance import assert_valid_body

SAMPLES = Path(__file__).parents[1] / "samples" / "ihe"
HOME = HomeCommunityId(Oid("2.999.20"))
PATIENT = PatientId("O'Brien&1", Oid("2.999.20.5"))
SUMMARY = Code("34133-9", "2.16.840.1.113883.6.1")
ENTRY = DocumentEntry(
    "urn:uuid:0f1b3c52-8f0a-4c5b-9a77-2e8f5a0c0001",
    UniqueId("2.999.20.8^d1"),
    patient_id=PATIENT,
    home_community_id=HOME,
    title="<rim:RegistryObjectList/>",
)
REFERENCE = ObjectRef(ENTRY.entry_uuid, HOME)
FULL = FindDocumentsQuery(
    PATIENT,
    statuses=("Approved", "Deprecated"),
    home_community_id=HOME,
    return_type="ObjectRef",
    entry_types=("stable", "on-demand"),
    class_codes=(SUMMARY, Code("x", None)),
    type_codes=(SUMMARY,),
    format_codes=(SUMMARY,),
    practice_setting_codes=(SUMMARY,),
    healthcare_facility_type_codes=(SUMMARY,),
    event_codes=((SUMMARY, SUMMARY), (SUMMARY,)),
    confidentiality_codes=((SUMMARY,), (SUMMARY,)),
    author_persons=("%O'Brien%", "Smith, J"),
    creation_time=TimeRange("2025", "2026"),
    service_start_time=TimeRange(start="2025"),
    service_stop_time=TimeRange(end="2026"),
)


def sample(name: str) -> Element:
    return parse_xml((SAMPLES / f"{name}.xml").read_bytes())


def with_slots(*slots: tuple[str, str], stored: str = StoredQuery.FIND_DOCUMENTS) -> Element:
    """A request written by hand: each slot with one `Value`, as given."""
    element = write_adhoc_query_request(FindDocumentsQuery(PATIENT))
    query = element[1]
    query.set("id", stored)
    for slot in list(query):
        query.remove(slot)
    for name, value in slots:
        slot = etree.SubElement(query, rim("Slot"), {"name": f"$XDSDocumentEntry{name}"})
        etree.SubElement(etree.SubElement(slot, rim("ValueList")), rim("Value")).text = value
    return element


NAMED = ("PatientId", f"'{PATIENT.cx.replace(chr(39), chr(39) * 2)}'")
APPROVED = ("Status", "('urn:oasis:names:tc:ebxml-regrep:StatusType:Approved')")


# ---- request ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "asked",
    [
        FindDocumentsQuery(PATIENT),
        FULL,
        replace(FULL, reference_ids=(("r1", "r'2"), ("r3",))),
        GetDocumentsQuery(HOME, entry_uuids=(ENTRY.entry_uuid, "urn:uuid:2")),
        GetDocumentsQuery(HOME, unique_ids=(UniqueId("2.999.20.8^d1"),), return_type="ObjectRef"),
        FindSubmissionSetsQuery(PATIENT),
        FindSubmissionSetsQuery(
            PATIENT,
            statuses=("Deprecated",),
            home_community_id=HOME,
            source_ids=("2.999.1", "2.999.2"),
            submission_time=TimeRange("2025", "2026"),
            author_persons=("%O'Brien%",),
            content_type_codes=(SUMMARY,),
        ),
        FindFoldersQuery(PATIENT, codes=((SUMMARY,), (SUMMARY, SUMMARY))),
        FindFoldersQuery(PATIENT, ("Approved", "Deprecated"), last_update_time=TimeRange("2025")),
        GetAllQuery(PATIENT, home_community_id=HOME, return_type="ObjectRef"),
        GetAllQuery(
            PATIENT,
            ("Approved", "Deprecated"),
            ("Deprecated",),
            ("Approved", "Deprecated"),
            entry_types=("on-demand",),
            format_codes=(SUMMARY,),
            confidentiality_codes=((SUMMARY,), (SUMMARY, SUMMARY)),
        ),
        *(
            GetObjectsQuery(stored, HOME, entry_uuids=("urn:uuid:1", "urn:uuid:2"))
            for stored in (
                StoredQuery.GET_FOLDERS,
                StoredQuery.GET_ASSOCIATIONS,
                StoredQuery.GET_DOCUMENTS_AND_ASSOCIATIONS,
                StoredQuery.GET_SUBMISSION_SETS,
            )
        ),
        GetObjectsQuery(StoredQuery.GET_FOLDERS, HOME, unique_ids=(UniqueId("2.999.1"),)),
        GetObjectsQuery(StoredQuery.GET_FOLDERS_FOR_DOCUMENT, HOME, entry_uuids=("urn:uuid:1",)),
        GetContentsQuery(
            StoredQuery.GET_SUBMISSION_SET_AND_CONTENTS,
            HOME,
            unique_ids=(UniqueId("2.999.1"),),
            entry_types=("stable", "on-demand"),
            format_codes=(SUMMARY,),
            confidentiality_codes=((SUMMARY,),),
        ),
        GetContentsQuery(StoredQuery.GET_FOLDER_AND_CONTENTS, HOME, entry_uuids=("urn:uuid:1",)),
        GetRelatedDocumentsQuery(
            HOME,
            (AssociationType.RPLC, AssociationType.IS_SNAPSHOT_OF, "urn:x:of-our-own"),
            entry_uuids=("urn:uuid:1",),
        ),
    ],
)
def test_a_query_written_is_valid_and_reads_back_the_same(asked: AdhocQuery) -> None:
    written = write_adhoc_query_request(asked)
    assert_valid_body(written)
    assert read_adhoc_query_request(written) == asked


WORDS = st.text(st.characters(categories=("L", "N", "P", "S")), min_size=1, max_size=80)
NO_CARET = WORDS.filter(lambda text: "^" not in text)
CODES = st.lists(st.builds(Code, NO_CARET, st.none() | NO_CARET), max_size=4).map(tuple)
GROUPS = st.lists(CODES.filter(len), max_size=3).map(tuple)


@given(
    st.builds(
        FindDocumentsQuery,
        patient_id=st.builds(PatientId, WORDS, st.just(Oid("2.999.5"))),
        class_codes=CODES,
        format_codes=CODES,
        event_codes=GROUPS,
        reference_ids=st.lists(st.lists(WORDS, min_size=1, max_size=3).map(tuple), max_size=2).map(
            tuple
        ),
        author_persons=st.lists(WORDS, max_size=3).map(tuple),
    )
)
def test_whatever_is_asked_goes_out_and_comes_back(asked: FindDocumentsQuery) -> None:
    written = write_adhoc_query_request(asked)
    assert_valid_body(written)
    assert read_adhoc_query_request(written) == asked


def test_values_without_quotes_are_understood() -> None:
    asked = read_adhoc_query_request(sample("query_request_unquoted"))
    assert isinstance(asked, FindDocumentsQuery)
    assert asked.home_community_id == HOME
    assert asked.patient_id == PatientId("A-1", Oid("2.999.20.5"))
    assert asked.statuses == ("Approved",)
    assert asked.entry_types == ("stable", "on-demand")
    assert asked.class_codes == (SUMMARY,)
    assert asked.service_start_time == TimeRange(start="2025")


def test_several_values_of_a_slot_are_alternatives_and_repeated_slots_are_conditions() -> None:
    element = with_slots(NAMED, APPROVED, ("EventCodeList", "('a^^1')"), ("EventCodeList", "('c')"))
    values = element[1][2][0]
    etree.SubElement(values, rim("Value")).text = "('b^^1')"
    asked = read_adhoc_query_request(element)
    assert isinstance(asked, FindDocumentsQuery)
    assert asked.event_codes == ((Code("a", "1"), Code("b", "1")), (Code("c", None),))


def test_without_a_type_only_stable_documents_are_asked_for() -> None:
    asked = read_adhoc_query_request(with_slots(NAMED, APPROVED))
    assert isinstance(asked, FindDocumentsQuery)
    assert asked.entry_types == ("stable",)


@pytest.mark.parametrize(
    ("element", "code"),
    [
        (with_slots(APPROVED), ErrorCode.STORED_QUERY_MISSING_PARAMETER),
        (with_slots(NAMED), ErrorCode.STORED_QUERY_MISSING_PARAMETER),
        (with_slots(NAMED, NAMED, APPROVED), ErrorCode.STORED_QUERY_PARAMETER_NUMBER),
        (
            with_slots(NAMED, APPROVED, ("CreationTimeFrom", "('2025','2026')")),
            ErrorCode.STORED_QUERY_PARAMETER_NUMBER,
        ),
        (
            with_slots(NAMED, APPROVED, ("ClassCode", "('a')"), ("ClassCode", "('b')")),
            ErrorCode.STORED_QUERY_PARAMETER_NUMBER,
        ),
        (with_slots(("PatientId", "'A-1'"), APPROVED), ErrorCode.REGISTRY_ERROR),
        (with_slots(NAMED, APPROVED, ("CreationTimeTo", "now")), ErrorCode.REGISTRY_ERROR),
        (with_slots(NAMED, APPROVED, stored="urn:uuid:0"), ErrorCode.UNKNOWN_STORED_QUERY),
        (
            # A multi-patient query is ITI-51's, not XCA's.
            with_slots(stored="urn:uuid:3d1bdb10-39a2-11de-89c2-2f44d94eaa9f"),
            ErrorCode.UNKNOWN_STORED_QUERY,
        ),
        (with_slots(stored=StoredQuery.GET_DOCUMENTS), ErrorCode.MISSING_HOME_COMMUNITY_ID),
        (
            with_slots(NAMED, APPROVED, ("AuthorPerson", f"('{'%' * 4097}')")),
            ErrorCode.REGISTRY_ERROR,
        ),
        (
            # Each of them alone is short enough, and each is compared with every author.
            with_slots(NAMED, APPROVED, ("AuthorPerson", "(" + "'%a%'," * 6000 + ")")),
            ErrorCode.REGISTRY_ERROR,
        ),
        (
            with_slots(NAMED, APPROVED, stored=StoredQuery.FIND_DOCUMENTS_BY_REFERENCE_ID),
            ErrorCode.STORED_QUERY_MISSING_PARAMETER,
        ),
    ],
)
def test_a_query_that_cannot_be_answered_is_refused_by_its_code(
    element: Element, code: ErrorCode
) -> None:
    with pytest.raises(RegistryRefusal) as caught:
        read_adhoc_query_request(element)
    assert caught.value.error.code is code


@pytest.mark.parametrize(
    ("slots", "code"),
    [
        ((), ErrorCode.STORED_QUERY_MISSING_PARAMETER),
        (
            (("EntryUUID", "('urn:uuid:1')"), ("UniqueId", "('2.999')")),
            ErrorCode.STORED_QUERY_PARAMETER_NUMBER,
        ),
        ((("UniqueId", f"('{'x' * 257}')"),), ErrorCode.STORED_QUERY_MISSING_PARAMETER),
    ],
)
def test_documents_are_got_by_one_kind_of_id(
    slots: tuple[tuple[str, str], ...], code: ErrorCode
) -> None:
    element = with_slots(*slots, stored=StoredQuery.GET_DOCUMENTS)
    element[1].set("home", HOME.urn)
    with pytest.raises(RegistryRefusal) as caught:
        read_adhoc_query_request(element)
    assert caught.value.error.code is code


def test_a_home_that_is_no_oid_is_an_unknown_community() -> None:
    element = with_slots(NAMED, APPROVED)
    element[1].set("home", "urn:oid:harbor")
    with pytest.raises(RegistryRefusal) as caught:
        read_adhoc_query_request(element)
    assert caught.value.error.code is ErrorCode.UNKNOWN_COMMUNITY


def test_a_home_in_the_slot_of_old_is_read() -> None:
    element = with_slots(NAMED, APPROVED)
    slot = etree.SubElement(element[1], rim("Slot"), {"name": "$homeCommunityId"})
    etree.SubElement(etree.SubElement(slot, rim("ValueList")), rim("Value")).text = f"'{HOME.urn}'"
    assert read_adhoc_query_request(element).home_community_id == HOME


@pytest.mark.parametrize("value", ["('{}')", "'{}'", "{}", "('{}", "('urn:oid:2.999.20')"])
def test_a_community_named_among_those_to_be_asked_is_the_home(value: str) -> None:
    element = with_slots(NAMED, APPROVED)
    slot = etree.SubElement(element[1], rim("Slot"), {"name": "$TargetCommunityIdList"})
    listed = etree.SubElement(slot, rim("ValueList"))
    etree.SubElement(listed, rim("Value")).text = value.format(HOME.urn)
    assert read_adhoc_query_request(element).home_community_id == HOME
    # Which of several is meant, nobody says; and what stands at the query itself counts first.
    etree.SubElement(listed, rim("Value")).text = "('urn:oid:2.999.21')"
    assert read_adhoc_query_request(element).home_community_id is None
    element[1].set("home", "urn:oid:2.999.22")
    assert str(read_adhoc_query_request(element).home_community_id) == "2.999.22"


def test_what_a_query_does_not_have_is_passed_over() -> None:
    more = [("LogicalID", "('x')"), ("DocumentAvailability", "('y')")]
    element = with_slots(NAMED, APPROVED, *more)
    for name in ("$MetadataLevel", "$XDSAssociationStatus"):
        slot = etree.SubElement(element[1], rim("Slot"), {"name": name})
        etree.SubElement(etree.SubElement(slot, rim("ValueList")), rim("Value")).text = "1"
    assert read_adhoc_query_request(element) == FindDocumentsQuery(PATIENT)


def test_names_of_parameters_are_read_in_any_case() -> None:
    element = with_slots(NAMED, APPROVED, ("CLASSCODE", "('a^^1')"))
    element[1][1].set("name", "$xdsdocumentEntryStatus")
    asked = read_adhoc_query_request(element)
    assert isinstance(asked, FindDocumentsQuery)
    assert asked.class_codes == (Code("a", "1"),)


@pytest.mark.parametrize(
    ("written", "read"),
    [
        ("20250301", "20250301"),
        ("'20250301'", "20250301"),
        ("('20250301120000-0500')", "20250301170000"),
        ("2025-03-01T12:00:00Z", "20250301120000"),
    ],
)
def test_a_time_is_read_however_it_is_written(written: str, read: str) -> None:
    asked = read_adhoc_query_request(with_slots(NAMED, APPROVED, ("CreationTimeFrom", written)))
    assert isinstance(asked, FindDocumentsQuery)
    assert asked.creation_time == TimeRange(read)


def test_a_status_we_do_not_know_finds_nothing_rather_than_everything() -> None:
    asked = read_adhoc_query_request(with_slots(NAMED, ("Status", "('urn:x:Submitted')")))
    assert isinstance(asked, FindDocumentsQuery)
    assert asked.statuses == ()
    with pytest.raises(ValueError):
        write_adhoc_query_request(asked)


def test_a_request_without_a_query_is_malformed() -> None:
    element = write_adhoc_query_request(FULL)
    element.remove(element[1])
    with pytest.raises(MalformedMessage):
        read_adhoc_query_request(element)
    with pytest.raises(UnexpectedMessage):
        read_adhoc_query_request(write_adhoc_query_response(EMPTY))


# ---- response --------------------------------------------------------------------------------

EMPTY = AdhocQueryResponse(ResponseStatus.SUCCESS)
BUSY = RegistryError(ErrorCode.REGISTRY_BUSY, "busy", location=HOME.urn)


@pytest.mark.parametrize(
    "response",
    [
        EMPTY,
        AdhocQueryResponse(ResponseStatus.SUCCESS, (), (ENTRY, ENTRY)),
        AdhocQueryResponse(ResponseStatus.SUCCESS, (), (), (REFERENCE,)),
        AdhocQueryResponse(ResponseStatus.PARTIAL_SUCCESS, (BUSY,), (ENTRY,)),
        AdhocQueryResponse(ResponseStatus.FAILURE, (BUSY,)),
    ],
)
def test_a_response_written_is_valid_and_reads_back_the_same(response: AdhocQueryResponse) -> None:
    written = write_adhoc_query_response(response)
    assert_valid_body(written)
    assert read_adhoc_query_response(written) == response


def test_a_response_is_judged_by_what_is_in_it() -> None:
    response = read_adhoc_query_response(sample("query_response_errors_after_objects"))
    assert response.status is ResponseStatus.PARTIAL_SUCCESS
    assert [error.code for error in response.errors] == [ErrorCode.REGISTRY_BUSY]
    assert [str(entry.unique_id) for entry in response.entries] == ["2.999.20.8^d1"]
    assert response.unreadable == 1


def test_an_entry_without_its_home_is_not_sent() -> None:
    for broken in (
        AdhocQueryResponse(
            ResponseStatus.SUCCESS, entries=(replace(ENTRY, home_community_id=None),)
        ),
        AdhocQueryResponse(ResponseStatus.SUCCESS, object_refs=(ObjectRef("urn:uuid:1"),)),
    ):
        with pytest.raises(ValueError, match="home community"):
            write_adhoc_query_response(broken)


def test_entries_stored_as_bytes_make_the_same_answer() -> None:
    outcome = RegistryResponse(ResponseStatus.PARTIAL_SUCCESS, (BUSY,))
    written = parse_xml(write_stored_entries(outcome, [entry_xml(ENTRY)] * 3).xml)
    assert_valid_body(written)
    assert read_adhoc_query_response(written) == AdhocQueryResponse(
        ResponseStatus.PARTIAL_SUCCESS, (BUSY,), (ENTRY,) * 3
    )


def test_no_stored_entries_make_an_empty_answer() -> None:
    data = adhoc_query_response_xml(RegistryResponse(ResponseStatus.SUCCESS), [])
    assert read_adhoc_query_response(parse_xml(data)) == EMPTY


def test_another_response_is_unexpected() -> None:
    with pytest.raises(UnexpectedMessage):
        read_adhoc_query_response(write_adhoc_query_request(FULL))
