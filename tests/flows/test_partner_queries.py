"""Every stored query that XCA carries, asked over real mutual TLS, and the record of each."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import pytest
from lxml import etree

from gateway.exchange.metadata import entry_uuid, unique_id
from gateway.exchange.registered import submission_set
from gateway.model.community import Community
from gateway.model.document import Document
from gateway.model.identity import MemberId
from gateway.model.member import Member
from gateway.store import members
from ihe.identifiers import HomeCommunityId, Oid, PatientId, UniqueId
from ihe.metadata import AssociationType, Code
from ihe.registry_response import ErrorCode, ResponseStatus
from ihe.stored_query import (
    AdhocQuery,
    FindDocumentsQuery,
    FindFoldersQuery,
    FindSubmissionSetsQuery,
    GetAllQuery,
    GetContentsQuery,
    GetDocumentsQuery,
    GetObjectsQuery,
    GetRelatedDocumentsQuery,
    StoredQuery,
    TimeRange,
)
from ihe.xca_query import AdhocQueryResponse, write_adhoc_query_request
from tests.gateway.asking import patient_id
from tests.gateway.house import (
    HOME,
    MEMBER,
    ORGANIZATION,
    PLAN,
    a_rule,
    demo_document,
    documents,
    file,
    records,
)
from tests.gateway.visiting import Visitor, visiting

CCD, NOTE, CONSULT, DISCHARGE = "34133-9", "11506-3", "11488-4", "18842-5"
LOINC = "2.16.840.1.113883.6.1"
US = Community(HOME, ORGANIZATION)
BOTH: Any = ("Approved", "Deprecated")


@pytest.fixture(scope="module")
def partner(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Visitor]:
    with visiting(tmp_path_factory.mktemp("house"), rules=[a_rule()]) as visitor:
        yield visitor


def find(partner: Visitor, asked: AdhocQuery) -> AdhocQueryResponse:
    found = partner.find(write_adhoc_query_request(asked))
    assert (found.status, found.errors) == (ResponseStatus.SUCCESS, ())
    assert found.unreadable == 0
    every = (*found.entries, *found.submission_sets, *found.associations, *found.object_refs)
    assert {one.home_community_id for one in every} <= {HOME}
    assert partner.recorded().outcome == "success"
    return found


def uuids(found: AdhocQueryResponse) -> set[str]:
    return {entry.entry_uuid for entry in found.entries}


def own(partner: Visitor, *types: str) -> set[str]:
    return {entry_uuid(partner.held(each)) for each in types}


def replaced(partner: Visitor) -> Document:
    (old,) = [one for one in documents(partner.house) if one.superseded_by is not None]
    return old


def ends(found: AdhocQueryResponse, kind: AssociationType) -> set[tuple[str, str]]:
    return {(one.source, one.target) for one in found.associations if one.type == kind}


def set_of(document: Document) -> str:
    return submission_set(document, MEMBER, US).entry_uuid


# ---- FindDocuments ---------------------------------------------------------------------------


def asked(**changes: Any) -> FindDocumentsQuery:
    return FindDocumentsQuery(patient_id(), **changes)


NORMAL = Code("N", "2.16.840.1.113883.5.25")
STRUCTURED = Code("urn:hl7-org:sdwg:ccda-structuredBody:2.1", "1.3.6.1.4.1.19376.1.2.3")
NOT_STATED = Code("385432009", "2.16.840.1.113883.6.96")


@pytest.mark.parametrize(
    ("changes", "types"),
    [
        ({"class_codes": (Code(NOTE, LOINC), Code(CCD, None))}, (NOTE, CCD)),
        ({"class_codes": (Code(NOTE, "2.999.1"),)}, ()),
        ({"type_codes": (Code(CONSULT, LOINC),)}, (CONSULT,)),
        ({"type_codes": (Code(CONSULT, LOINC),), "class_codes": (Code(CCD, LOINC),)}, ()),
        ({"format_codes": (Code("urn:hl7-org:sdwg:ccda-nonXMLBody:1.1", None),)}, (CONSULT,)),
        ({"practice_setting_codes": (NOT_STATED,)}, (CCD, NOTE, CONSULT)),
        ({"healthcare_facility_type_codes": (Code("1", "2.999"),)}, ()),
        ({"confidentiality_codes": ((NORMAL,), (NORMAL, Code("R", None)))}, (CCD, NOTE, CONSULT)),
        ({"confidentiality_codes": ((NORMAL,), (Code("R", None),))}, ()),
        ({"event_codes": ((Code("none", None),),)}, ()),
        ({"author_persons": ("%", "nobody")}, (CCD, NOTE, CONSULT)),
        ({"author_persons": ("nobody%",)}, ()),
        ({"creation_time": TimeRange("19000101", "20990101")}, (CCD, NOTE, CONSULT)),
        ({"creation_time": TimeRange("2099")}, ()),
        ({"statuses": ()}, None),
        ({"entry_types": ("on-demand",)}, ()),
    ],
)
def test_a_filter_finds_what_fits(
    partner: Visitor, changes: dict[str, Any], types: tuple[str, ...] | None
) -> None:
    if types is None:
        with pytest.raises(ValueError):
            write_adhoc_query_request(asked(**changes))
        return
    assert uuids(find(partner, asked(**changes))) == own(partner, *types)
    assert len(partner.recorded().documents) == len(types)


def test_a_replaced_version_is_found_as_deprecated_alone(partner: Visitor) -> None:
    (entry,) = find(partner, asked(statuses=("Deprecated",))).entries
    assert (entry.entry_uuid, entry.availability) == (
        entry_uuid(replaced(partner)),
        "Deprecated",
    )
    assert len(find(partner, asked(statuses=BOTH)).entries) == 4
    # The filter of what it says is met by the old version too.
    by_type = asked(statuses=BOTH, type_codes=(Code(NOTE, LOINC),))
    assert len(find(partner, by_type).entries) == 2


def test_a_document_is_found_by_what_its_authors_call_it(partner: Visitor) -> None:
    ccd = partner.held(CCD)
    assert ccd.clinical_id is not None
    root, _, extension = ccd.clinical_id.partition("^")
    reference = f"{extension}^^^&{root}&ISO^urn:ihe:iti:xds:2013:uniqueId"
    assert uuids(find(partner, asked(reference_ids=((reference, "other"),)))) == own(partner, CCD)
    assert uuids(find(partner, asked(reference_ids=((reference,), ("other",))))) == set()


# ---- submission sets, folders, all -----------------------------------------------------------


def test_each_document_was_registered_by_a_set_of_its_own(partner: Visitor) -> None:
    found = find(partner, FindSubmissionSetsQuery(patient_id(), home_community_id=HOME))
    held = [partner.held(each) for each in (CCD, NOTE, CONSULT)]
    every = {set_of(one) for one in (*held, replaced(partner))}
    assert {one.entry_uuid for one in found.submission_sets} == every
    assert {one.patient_id for one in found.submission_sets} == {patient_id()}
    assert {str(one.source_id) for one in found.submission_sets} == {f"{HOME}.3"}
    assert len(partner.recorded().documents) == 4


@pytest.mark.parametrize(
    ("changes", "number"),
    [
        ({"source_ids": (f"urn:oid:{HOME}.3", "2.999.1")}, 4),
        ({"source_ids": ("2.999.1",)}, 0),
        ({"submission_time": TimeRange("20250101", "20990101")}, 4),
        ({"submission_time": TimeRange(None, "20250101")}, 0),
        ({"content_type_codes": (Code(CCD, LOINC),)}, 1),
        ({"author_persons": ("%",)}, 0),
        ({"statuses": ("Deprecated",)}, 0),
    ],
)
def test_submission_sets_are_filtered(
    partner: Visitor, changes: dict[str, Any], number: int
) -> None:
    found = find(partner, FindSubmissionSetsQuery(patient_id(), **changes))
    assert len(found.submission_sets) == number


@pytest.mark.parametrize(
    "query",
    [
        FindFoldersQuery(patient_id()),
        GetObjectsQuery(StoredQuery.GET_FOLDERS, HOME, entry_uuids=("urn:uuid:1",)),
        GetObjectsQuery(StoredQuery.GET_FOLDERS_FOR_DOCUMENT, HOME, entry_uuids=("urn:uuid:1",)),
        GetContentsQuery(StoredQuery.GET_FOLDER_AND_CONTENTS, HOME, entry_uuids=("urn:uuid:1",)),
        GetDocumentsQuery(HOME, entry_uuids=("no UUID",)),
        GetDocumentsQuery(HOME, unique_ids=(UniqueId("2.25.x"),)),
        GetObjectsQuery(StoredQuery.GET_ASSOCIATIONS, HOME, entry_uuids=(str(uuid4()),)),
    ],
)
def test_of_what_is_not_there_nothing_is_found(partner: Visitor, query: AdhocQuery) -> None:
    found = find(partner, query)
    assert found == AdhocQueryResponse(ResponseStatus.SUCCESS)
    assert partner.recorded().documents == ()
    assert partner.recorded().reason is not None


def test_all_is_documents_sets_and_what_joins_them(partner: Visitor) -> None:
    found = find(partner, GetAllQuery(patient_id(), BOTH, BOTH, BOTH))
    old, new = replaced(partner), partner.held(NOTE)
    assert uuids(found) == own(partner, CCD, NOTE, CONSULT) | {entry_uuid(old)}
    assert len(found.submission_sets) == 4
    assert ends(found, AssociationType.RPLC) == {(entry_uuid(new), entry_uuid(old))}
    assert len(ends(found, AssociationType.HAS_MEMBER)) == 4
    references = find(partner, GetAllQuery(patient_id(), BOTH, BOTH, BOTH, return_type="ObjectRef"))
    listed = (*found.entries, *found.submission_sets, *found.associations)
    assert [one.entry_uuid for one in references.object_refs] == [one.entry_uuid for one in listed]


def test_all_joins_only_what_it_lists(partner: Visitor) -> None:
    found = find(partner, GetAllQuery(patient_id(), submission_set_statuses=("Deprecated",)))
    assert uuids(found) == own(partner, CCD, NOTE, CONSULT)
    assert (found.submission_sets, found.associations) == ((), ())
    narrow = GetAllQuery(patient_id(), format_codes=(Code("none", None),))
    assert find(partner, narrow).entries == ()


# ---- by id -----------------------------------------------------------------------------------


def by_uuid(stored: StoredQuery, *ids: str) -> GetObjectsQuery:
    return GetObjectsQuery(stored, HOME, entry_uuids=ids)


def test_associations_are_found_from_either_end(partner: Visitor) -> None:
    old, new = replaced(partner), partner.held(NOTE)
    replacement = (entry_uuid(new), entry_uuid(old))
    for one in (old, new):
        found = find(partner, by_uuid(StoredQuery.GET_ASSOCIATIONS, entry_uuid(one)))
        assert ends(found, AssociationType.RPLC) == {replacement}
        assert ends(found, AssociationType.HAS_MEMBER) == {(set_of(one), entry_uuid(one))}
        assert (found.entries, found.submission_sets) == ((), ())
        assert set(partner.recorded().documents) == {old.id, new.id}
    of_set = find(partner, by_uuid(StoredQuery.GET_ASSOCIATIONS, set_of(new)))
    assert ends(of_set, AssociationType.HAS_MEMBER) == {(set_of(new), entry_uuid(new))}
    (joining,) = of_set.associations
    assert (joining.is_original, joining.availability) == (True, "Approved")


def test_documents_come_with_their_associations(partner: Visitor) -> None:
    new = partner.held(NOTE)
    query = GetObjectsQuery(
        StoredQuery.GET_DOCUMENTS_AND_ASSOCIATIONS, HOME, unique_ids=(unique_id(new),)
    )
    found = find(partner, query)
    assert uuids(found) == {entry_uuid(new)}
    assert len(found.associations) == 2


def test_the_sets_of_documents_are_found(partner: Visitor) -> None:
    new = partner.held(NOTE)
    found = find(partner, by_uuid(StoredQuery.GET_SUBMISSION_SETS, entry_uuid(new)))
    assert [one.entry_uuid for one in found.submission_sets] == [set_of(new)]
    assert ends(found, AssociationType.HAS_MEMBER) == {(set_of(new), entry_uuid(new))}


def test_a_set_is_found_with_its_contents(partner: Visitor) -> None:
    ccd = partner.held(CCD)
    registering = submission_set(ccd, MEMBER, US)
    for ids in (
        {"entry_uuids": (registering.entry_uuid.upper(),)},
        {"unique_ids": (registering.unique_id,)},
    ):
        query = GetContentsQuery(StoredQuery.GET_SUBMISSION_SET_AND_CONTENTS, HOME, **ids)  # type: ignore[arg-type]
        found = find(partner, query)
        assert found.submission_sets == (registering,)
        assert uuids(found) == {entry_uuid(ccd)}
        assert len(found.associations) == 1
    for changes in (
        {"entry_types": ("on-demand",)},
        {"format_codes": (Code("none", None),)},
        {"confidentiality_codes": ((Code("R", None),),)},
    ):
        narrow = replace(query, **changes)  # type: ignore[arg-type]
        found = find(partner, narrow)
        assert (found.submission_sets, found.entries, found.associations) == (
            (registering,), (), (),
        )  # fmt: skip


def test_what_replaced_a_document_is_related_to_it(partner: Visitor) -> None:
    old, new = replaced(partner), partner.held(NOTE)
    both = {entry_uuid(old), entry_uuid(new)}
    asked = GetRelatedDocumentsQuery(
        HOME, (AssociationType.RPLC, AssociationType.XFRM), unique_ids=(unique_id(old),)
    )
    found = find(partner, asked)
    assert uuids(found) == both
    assert ends(found, AssociationType.RPLC) == {(entry_uuid(new), entry_uuid(old))}
    assert {entry.availability for entry in found.entries} == {"Approved", "Deprecated"}
    for alone in (
        replace(asked, association_types=(AssociationType.XFRM,)),
        replace(asked, association_types=(AssociationType.HAS_MEMBER,)),
        replace(asked, entry_types=("on-demand",)),
        replace(asked, unique_ids=(unique_id(partner.held(CCD)),)),
    ):
        assert find(partner, alone) == AdhocQueryResponse(ResponseStatus.SUCCESS)


def test_what_no_rule_gives_is_in_no_answer(partner: Visitor) -> None:
    """The discharge summary is a third party's, and so are its set and associations."""
    (theirs,) = [one for one in documents(partner.house) if one.type_code == DISCHARGE]
    for query in (
        GetDocumentsQuery(HOME, unique_ids=(unique_id(theirs),)),
        by_uuid(StoredQuery.GET_ASSOCIATIONS, entry_uuid(theirs)),
        by_uuid(StoredQuery.GET_ASSOCIATIONS, set_of(theirs)),
        by_uuid(StoredQuery.GET_SUBMISSION_SETS, entry_uuid(theirs)),
        GetContentsQuery(
            StoredQuery.GET_SUBMISSION_SET_AND_CONTENTS, HOME, entry_uuids=(set_of(theirs),)
        ),
    ):
        assert find(partner, query) == AdhocQueryResponse(ResponseStatus.SUCCESS)


# ---- what is refused -------------------------------------------------------------------------


def refused(partner: Visitor, asked: AdhocQuery) -> tuple[ErrorCode | str, str]:
    found = partner.find(write_adhoc_query_request(asked))
    (error,) = found.errors
    assert found == AdhocQueryResponse(ResponseStatus.FAILURE, (error,))
    assert error.location == HOME.urn
    assert partner.recorded().outcome == "refused"
    return error.code, error.context


@pytest.mark.parametrize(
    "query",
    [
        FindFoldersQuery(patient_id()),
        FindSubmissionSetsQuery(patient_id()),
        GetAllQuery(patient_id()),
        by_uuid(StoredQuery.GET_ASSOCIATIONS, "urn:uuid:1"),
        GetRelatedDocumentsQuery(HOME, (AssociationType.RPLC,), entry_uuids=("urn:uuid:1",)),
        GetContentsQuery(StoredQuery.GET_FOLDER_AND_CONTENTS, HOME, entry_uuids=("urn:uuid:1",)),
    ],
)
def test_a_query_for_another_community_is_refused(partner: Visitor, query: Any) -> None:
    other = HomeCommunityId.parse("2.999.6666")
    code, _ = refused(partner, replace(query, home_community_id=other))
    assert code is ErrorCode.UNKNOWN_COMMUNITY


def test_a_query_by_ids_must_name_the_community(partner: Visitor) -> None:
    body = write_adhoc_query_request(by_uuid(StoredQuery.GET_ASSOCIATIONS, "urn:uuid:1"))
    del body[1].attrib["home"]
    (error,) = partner.find(body).errors
    assert (error.code, error.location) == (ErrorCode.MISSING_HOME_COMMUNITY_ID, HOME.urn)
    assert "home community id" in error.context


def test_another_authoritys_patient_is_unknown(partner: Visitor) -> None:
    theirs = PatientId("1", Oid("2.999.1"))
    for query in (FindSubmissionSetsQuery(theirs), FindFoldersQuery(theirs), GetAllQuery(theirs)):
        assert refused(partner, query)[0] is ErrorCode.UNKNOWN_PATIENT_ID


def test_an_unknown_patient_of_ours_has_nothing(partner: Visitor) -> None:
    nobody = PatientId(str(uuid4()), Oid(f"{HOME}.1"))
    for query in (FindSubmissionSetsQuery(nobody), FindFoldersQuery(nobody), GetAllQuery(nobody)):
        assert find(partner, query) == AdhocQueryResponse(ResponseStatus.SUCCESS)
        assert partner.recorded().member is None


def test_whole_entries_are_given_up_to_a_number_and_ids_beyond_it(tmp_path: Path) -> None:
    limits = {"query_results": 2}
    with visiting(tmp_path, rules=[a_rule()], limits=limits) as partner:
        code, context = refused(partner, asked())
        assert code is ErrorCode.TOO_MANY_RESULTS
        assert "More than 2" in context
        assert len(find(partner, asked(return_type="ObjectRef")).object_refs) == 3
        assert len(find(partner, asked(class_codes=(Code(CCD, None),))).entries) == 1


def test_whole_entries_are_those_of_one_patient(tmp_path: Path) -> None:
    with visiting(tmp_path, rules=[a_rule()]) as partner:
        hers = another_members_note(partner)
        ids = (unique_id(hers), unique_id(partner.held(CCD)))
        code, _ = refused(partner, GetDocumentsQuery(HOME, unique_ids=ids))
        assert code is ErrorCode.RESULT_NOT_SINGLE_PATIENT
        by_reference = GetDocumentsQuery(HOME, unique_ids=ids, return_type="ObjectRef")
        assert len(find(partner, by_reference).object_refs) == 2
        last_two = records(partner.house)[-2:]
        assert {(one.member, one.documents) for one in last_two} == {
            (one.member, (one.id,)) for one in (hers, partner.held(CCD))
        }
        assert len(find(partner, GetDocumentsQuery(HOME, unique_ids=ids[:1])).entries) == 1


def another_members_note(partner: Visitor) -> Document:
    """A consult note of ours about someone else."""
    note = demo_document("lakeshore_unstructured.xml")
    for old, new in ((b"699305", b"699777"), (b"LS-0093345", b"LS-7"), (b"Rosalind", b"Berta"),
                     (b"Sampleton", b"Exampler")):  # fmt: skip
        note = note.replace(old, new)
    known = replace(
        MEMBER.demographics,
        ids=tuple(replace(one, extension="LS-7") for one in MEMBER.demographics.ids),
        names=tuple(
            replace(one, family="Exampler", given=("Berta",)) for one in MEMBER.demographics.names
        ),
    )
    berta = Member(MemberId(str(UUID(int=7 << 64))), PLAN, "LS-7", known)
    partner.house.database.write(lambda tx: members.put(tx, berta))
    done = file(partner.house, note)
    assert (done.outcome, done.document.member) == ("filed", berta.id)
    return done.document


def test_an_answer_has_its_parts_in_the_order_of_the_schema(partner: Visitor) -> None:
    """The schema is checked of every message; that errors come before objects is said here."""
    body = write_adhoc_query_request(asked(home_community_id=HomeCommunityId.parse("2.999.6")))
    answer = partner.answer(body)
    assert [etree.QName(part).localname for part in answer] == [
        "RegistryErrorList",
        "RegistryObjectList",
    ]
