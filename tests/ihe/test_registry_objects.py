"""Submission sets, folders and associations as written and as read."""

from dataclasses import replace

import pytest
from lxml import etree

from ihe.association import association_type, read_association, write_association
from ihe.errors import MalformedMessage
from ihe.identifiers import HomeCommunityId, Oid, PatientId, UniqueId
from ihe.metadata import Association, AssociationType, Author, Code, Folder, SubmissionSet
from ihe.registry_package import read_registry_package, write_folder, write_submission_set
from ihe.registry_response import ResponseStatus
from ihe.rim import rim
from ihe.xca_query import (
    AdhocQueryResponse,
    read_adhoc_query_response,
    write_adhoc_query_response,
    write_registry_object,
)
from tests.ihe_conformance import assert_valid_body

HOME = HomeCommunityId(Oid("2.999.20"))
SUMMARY = Code("34133-9", "2.16.840.1.113883.6.1", "Summary")
SET = SubmissionSet(
    "urn:uuid:0f1b3c52-8f0a-4c5b-9a77-2e8f5a0c0002",
    UniqueId("2.999.20.9.1"),
    source_id=Oid("2.999.20.3"),
    patient_id=PatientId("O'Brien&1", Oid("2.999.20.5")),
    home_community_id=HOME,
    availability="Approved",
    submission_time="20260301120000",
    content_type=SUMMARY,
    authors=(Author("^O'Brien", ("Harbor^^^^^^^^^2.999.20",), ("nurse",)), Author(None, ("X",))),
    intended_recipients=("||^^Internet^anne@direct.clinic.test",),
    title="<A title>",
    comments="A comment",
)
FOLDER = Folder(
    "urn:uuid:0f1b3c52-8f0a-4c5b-9a77-2e8f5a0c0003",
    UniqueId("2.999.20.9.2"),
    patient_id=SET.patient_id,
    home_community_id=HOME,
    availability="Deprecated",
    last_update_time="2026",
    codes=(SUMMARY, replace(SUMMARY, value="11506-3")),
    title="A folder",
    comments="A comment",
)
MEMBERSHIP = Association(
    "urn:uuid:0f1b3c52-8f0a-4c5b-9a77-2e8f5a0c0004",
    AssociationType.HAS_MEMBER,
    SET.entry_uuid,
    "urn:uuid:0f1b3c52-8f0a-4c5b-9a77-2e8f5a0c0001",
    home_community_id=HOME,
    availability="Approved",
    is_original=True,
)


def test_a_set_written_is_valid_and_reads_back_the_same() -> None:
    for given in (SET, SubmissionSet(SET.entry_uuid, SET.unique_id)):
        written = write_submission_set(given)
        assert_valid_body(written)
        assert read_registry_package(written) == given


def test_a_folder_written_is_valid_and_reads_back_the_same() -> None:
    for given in (FOLDER, Folder(FOLDER.entry_uuid, FOLDER.unique_id)):
        written = write_folder(given)
        assert_valid_body(written)
        assert read_registry_package(written) == given


def test_an_association_written_is_valid_and_reads_back_the_same() -> None:
    for given in (
        MEMBERSHIP,
        replace(MEMBERSHIP, is_original=False),
        replace(MEMBERSHIP, type=AssociationType.RPLC, is_original=None),
        replace(MEMBERSHIP, type="urn:x:of-our-own", is_original=None, home_community_id=None),
    ):
        written = write_association(given)
        assert_valid_body(written)
        assert read_association(written) == given


def test_an_answer_of_all_kinds_is_valid_and_reads_back_the_same() -> None:
    response = AdhocQueryResponse(
        ResponseStatus.SUCCESS,
        submission_sets=(SET,),
        folders=(FOLDER,),
        associations=(MEMBERSHIP, replace(MEMBERSHIP, entry_uuid="urn:uuid:5")),
    )
    written = write_adhoc_query_response(response)
    assert_valid_body(written)
    assert read_adhoc_query_response(written) == response


@pytest.mark.parametrize("given", [SET, FOLDER, MEMBERSHIP])
def test_an_object_without_its_home_is_not_sent(
    given: SubmissionSet | Folder | Association,
) -> None:
    with pytest.raises(ValueError, match="home community"):
        write_registry_object(replace(given, home_community_id=None))


def test_what_cannot_be_told_apart_or_joins_nothing_is_unreadable() -> None:
    bare = etree.Element(rim("RegistryPackage"), id="urn:uuid:1")
    nameless = write_submission_set(SET)
    for identifier in nameless.findall(rim("ExternalIdentifier")):
        nameless.remove(identifier)
    loose = write_association(MEMBERSHIP)
    del loose.attrib["targetObject"]
    for element, read in (
        (bare, read_registry_package),
        (nameless, read_registry_package),
        (loose, read_association),
    ):
        with pytest.raises(MalformedMessage):
            read(element)  # type: ignore[operator]
    answer = write_adhoc_query_response(AdhocQueryResponse(ResponseStatus.SUCCESS))
    answer[-1].extend((bare, nameless, loose))
    assert read_adhoc_query_response(answer).unreadable == 3


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("urn:ihe:iti:2007:AssociationType:RPLC", AssociationType.RPLC),
        ("RPLC", AssociationType.RPLC),
        ("urn:oasis:names:tc:ebxml-regrep:AssociationType:HasMember", AssociationType.HAS_MEMBER),
        ("urn:ihe:iti:2007:AssociationType:IsSnapshotOf", AssociationType.IS_SNAPSHOT_OF),
        (" urn:x:kin ", "urn:x:kin"),
    ],
)
def test_a_type_is_known_by_its_name(text: str, kind: AssociationType | str) -> None:
    assert association_type(text) == kind
