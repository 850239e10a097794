"""A partner asks us, over real mutual TLS: ITI-55, then 38, then 39, and the record of each."""

import copy
import re
from collections.abc import Iterator
from dataclasses import replace
from hashlib import sha1

import pytest
from lxml import etree

from ccda.hl7v3 import PN, TS, v3
from gateway.exchange.metadata import entry_uuid, unique_id
from gateway.model.exchange import Exchange
from ihe.acknowledgement import ELEMENT_MISSING, NO_SUCH_DESTINATION, read_acknowledgement
from ihe.identifiers import HomeCommunityId, Oid, PatientId, UniqueId
from ihe.metadata import Code
from ihe.registry_response import ErrorCode, ResponseStatus
from ihe.stored_query import GetDocumentsQuery
from ihe.xca_query import write_adhoc_query_request
from ihe.xcpd import Demographics, Matched, MoreDemographicsRequested, NoMatch
from tests.gateway.asking import (
    REPOSITORY,
    discovery,
    find_documents,
    patient_id,
    retrieve,
    wanted,
)
from tests.gateway.house import (
    HOME,
    MEMBER,
    PLAN,
    a_partner,
    a_rule,
    demo_document,
    documents,
    rows_of,
)
from tests.gateway.visiting import Visitor, visiting

CCD, NOTE, CONSULT = "34133-9", "11506-3", "11488-4"
OTHER = HomeCommunityId.parse("2.999.6666")
KNOWN = MEMBER.demographics
A_STRANGER = replace(KNOWN, names=(PN("Nobody", ("Nemo",)),), birth_time=TS("19700101"))


@pytest.fixture(scope="module")
def partner(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Visitor]:
    with visiting(tmp_path_factory.mktemp("house"), rules=[a_rule()]) as visitor:
        yield visitor


def names_the_asker(record: Exchange, transaction: str) -> None:
    assert (record.direction, record.transaction) == ("in", transaction)
    assert record.partner == a_partner().id
    assert record.peer == "CN=Northfield Health,O=Gateway demo at 127.0.0.1"
    assert (record.person, record.role) == ("Nora Nurse", "Administrative")
    assert (record.purpose, record.authority) == ("PAYMENT", "urn:oid:2.999.7301.9")
    assert record.duration_ms is not None and record.count == 1


# ---- the whole way ---------------------------------------------------------------------------


def test_a_partner_finds_a_person_her_documents_and_their_bytes(partner: Visitor) -> None:
    found = partner.discover()
    assert isinstance(found, Matched)
    (match,) = found.matches
    asked = find_documents(patient_id=match.patient_id, home_community_id=match.home_community_id)
    listed = partner.find(asked).entries
    entry = next(one for one in listed if one.type_code and one.type_code.value == CONSULT)
    assert entry.unique_id is not None
    got = partner.get(wanted(partner.held(CONSULT), unique_id=entry.unique_id))
    content = got.contents[str(entry.unique_id)]
    assert content == demo_document("lakeshore_unstructured.xml")
    assert (entry.hash, entry.size_bytes) == (sha1(content).hexdigest(), len(content))  # noqa: S324


# ---- ITI-55 ----------------------------------------------------------------------------------


def test_a_member_who_matches_is_named_by_our_opaque_id(partner: Visitor) -> None:
    found = partner.discover()
    assert isinstance(found, Matched)
    (match,) = found.matches
    assert match.patient_id == PatientId(MEMBER.id, Oid(f"{HOME}.1"))
    assert match.home_community_id == HOME
    assert match.degree is not None and match.degree > 80
    assert match.demographics.names == KNOWN.names
    assert match.demographics.ids == ()
    record = partner.recorded()
    names_the_asker(record, "ITI-55")
    assert (record.outcome, record.plan, record.member) == ("success", PLAN, MEMBER.id)
    assert (record.documents, record.reason) == ((), f"judged: match ({match.degree})")


def test_no_match_is_an_answer_and_a_record_without_a_member(partner: Visitor) -> None:
    assert partner.discover(A_STRANGER) == NoMatch()
    record = partner.recorded()
    names_the_asker(record, "ITI-55")
    assert (record.outcome, record.plan, record.member) == ("success", None, None)
    assert record.reason == "no member matches"


def test_a_degree_that_no_match_reaches_is_no_match(partner: Visitor) -> None:
    weaker = replace(KNOWN, addresses=(), names=(PN("Sampleton", ("Rosalind",)),))
    found = partner.discover(weaker)
    assert isinstance(found, Matched) and (found.matches[0].degree or 0) < 100
    partner.say(discovery(weaker, minimum_degree_match=100))
    assert partner.recorded().member is None
    assert partner.recorded().reason == "the match is below the degree that was asked for"


THIN = [
    replace(KNOWN, gender=None),
    replace(KNOWN, addresses=(), telecoms=()),
    replace(KNOWN, birth_time=TS("1958")),
    replace(KNOWN, names=(PN("Sampleton"),)),
]


def test_more_demographics_are_requested_by_what_the_request_lacks(partner: Visitor) -> None:
    assert partner.discover(THIN[0]) == MoreDemographicsRequested(
        ("LivingSubjectAdministrativeGenderRequested",)
    )
    assert partner.discover(THIN[1]) == MoreDemographicsRequested(
        ("PatientAddressRequested", "PatientTelecomRequested")
    )
    record = partner.recorded()
    names_the_asker(record, "ITI-55")
    assert record.member is None
    assert record.reason == "the request is below the minimum set of demographics"


@pytest.mark.parametrize("known", THIN)
def test_below_the_minimum_set_nobody_learns_whether_a_person_is_known(
    partner: Visitor, known: Demographics
) -> None:
    unknown = replace(known, names=(replace(known.names[0], family="Stranger1"),))
    one, other = (etree.tostring(partner.say(discovery(who))) for who in (known, unknown))
    assert _without_ids_and_times(one).count(b"Sampleton") == 1
    assert _without_ids_and_times(one) == _without_ids_and_times(other).replace(
        b"Stranger1", b"Sampleton"
    )


def _without_ids_and_times(answer: bytes) -> bytes:
    uuids = re.compile(rb"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
    return re.sub(rb'creationTime value="\d+\+0000"', b"", uuids.sub(b"", answer))


@pytest.mark.emits_invalid("a question without respondTo is a partner's mistake")
def test_a_deferred_answer_goes_nowhere_but_to_a_registered_address(partner: Visitor) -> None:
    asked = discovery(deferred=True, respond_to="https://northfield.example/later")
    nowhere = copy.deepcopy(asked)
    nowhere.remove(nowhere.find(v3("respondTo")))  # type: ignore[arg-type]
    unknown = "the respondTo address is not registered for this community"
    for question, problem, reason in (
        (asked, NO_SUCH_DESTINATION, unknown),
        (nowhere, ELEMENT_MISSING, "a deferred question says where to answer (respondTo)"),
    ):
        acknowledgement = read_acknowledgement(partner.say(question))
        assert (acknowledgement.accepted, acknowledgement.problem) == (False, problem)
        record = partner.recorded()
        assert (record.transaction, record.outcome) == ("ITI-55-DEFERRED", "refused")
        assert (record.member, record.reason) == (None, reason)
    assert rows_of(partner.house, "owed_answer") == []


# ---- ITI-38 ----------------------------------------------------------------------------------


def test_what_we_wrote_is_listed_in_its_newest_version(partner: Visitor) -> None:
    found = partner.find()
    assert (found.status, found.errors) == (ResponseStatus.SUCCESS, ())
    assert sorted(entry.type_code.value for entry in found.entries if entry.type_code) == [
        CONSULT, NOTE, CCD,
    ]  # fmt: skip
    for entry in found.entries:
        assert (entry.home_community_id, entry.repository_unique_id) == (HOME, REPOSITORY)
        assert entry.patient_id == patient_id()
        assert entry.availability == "Approved"
    record = partner.recorded()
    names_the_asker(record, "ITI-38")
    assert (record.outcome, record.plan, record.member) == ("success", PLAN, MEMBER.id)
    assert set(record.documents) == {partner.held(code).id for code in (CCD, NOTE, CONSULT)}


def test_references_alone_are_given_when_only_they_are_asked_for(partner: Visitor) -> None:
    found = partner.find(find_documents(return_type="ObjectRef"))
    assert found.entries == ()
    assert {ref.entry_uuid for ref in found.object_refs} == {
        entry_uuid(partner.held(code)) for code in (CCD, NOTE, CONSULT)
    }
    assert {ref.home_community_id for ref in found.object_refs} == {HOME}
    assert len(partner.recorded().documents) == 3


def test_a_filter_narrows_the_list(partner: Visitor) -> None:
    loinc = Code(CCD, "2.16.840.1.113883.6.1")
    (entry,) = partner.find(find_documents(type_codes=(loinc,))).entries
    assert str(entry.unique_id) == str(unique_id(partner.held(CCD)))
    assert partner.recorded().documents == (partner.held(CCD).id,)


def test_documents_are_found_by_their_ids(partner: Visitor) -> None:
    ccd = partner.held(CCD)
    for asked in (
        GetDocumentsQuery(HOME, entry_uuids=(entry_uuid(ccd),)),
        GetDocumentsQuery(HOME, unique_ids=(unique_id(ccd),)),
    ):
        (entry,) = partner.find(write_adhoc_query_request(asked)).entries
        assert entry.entry_uuid == entry_uuid(ccd)
        record = partner.recorded()
        assert (record.outcome, record.member) == ("success", MEMBER.id)
        assert record.documents == (ccd.id,)


def test_a_replaced_version_is_given_as_deprecated(partner: Visitor) -> None:
    (old,) = [one for one in documents(partner.house) if one.superseded_by is not None]
    asked = GetDocumentsQuery(HOME, unique_ids=(unique_id(old),))
    (entry,) = partner.find(write_adhoc_query_request(asked)).entries
    assert entry.availability == "Deprecated"


def test_an_unknown_patient_of_ours_has_no_documents(partner: Visitor) -> None:
    """No error: whom we know is nobody's business (DECISIONS 11)."""
    nobody = PatientId("00000000-0000-4000-8000-00000000dead", Oid(f"{HOME}.1"))
    found = partner.find(find_documents(patient_id=nobody))
    assert (found.status, found.entries, found.errors) == (ResponseStatus.SUCCESS, (), ())
    record = partner.recorded()
    assert (record.outcome, record.member, record.documents) == ("success", None, ())
    assert record.reason == "no member of this patient id is open to this partner"


APPROVED = "urn:oasis:names:tc:ebxml-regrep:StatusType:Approved"
EVERYTHING = (
    ("$patientId", ("1^^^&2.999.1&ISO",)),
    ("$XDSDocumentEntryStatus", (APPROVED,)),
    ("$XDSSubmissionSetStatus", (APPROVED,)),
    ("$XDSFolderStatus", (APPROVED,)),
)


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (find_documents(home_community_id=OTHER), ErrorCode.UNKNOWN_COMMUNITY),
        (
            find_documents(patient_id=PatientId("1", Oid("2.999.1"))),
            ErrorCode.UNKNOWN_PATIENT_ID,
        ),
        (
            write_adhoc_query_request(GetDocumentsQuery(OTHER, entry_uuids=("urn:uuid:1",))),
            ErrorCode.UNKNOWN_COMMUNITY,
        ),
    ],
)
def test_a_query_that_cannot_be_answered_is_a_registry_error(
    partner: Visitor, body: etree._Element, code: ErrorCode
) -> None:
    found = partner.find(body)
    (error,) = found.errors
    assert (found.status, found.entries) == (ResponseStatus.FAILURE, ())
    assert (error.code, error.location) == (code, HOME.urn)
    record = partner.recorded()
    names_the_asker(record, "ITI-38")
    assert (record.outcome, record.member, record.documents) == ("refused", None, ())
    assert record.reason is not None


# ---- ITI-39 ----------------------------------------------------------------------------------


def test_documents_come_as_attachments_to_the_byte(partner: Visitor) -> None:
    ccd, consult = partner.held(CCD), partner.held(CONSULT)
    got = partner.get(ccd, consult)
    assert got.response.outcome.status is ResponseStatus.SUCCESS
    assert got.contents == {
        str(unique_id(ccd)): demo_document("lakeshore_ccd.xml"),
        str(unique_id(consult)): demo_document("lakeshore_unstructured.xml"),
    }
    assert set(got.media_types.values()) == {"text/xml"}
    for document in got.response.documents:
        assert (document.home_community_id, document.repository_unique_id) == (HOME, REPOSITORY)
    record = partner.recorded()
    names_the_asker(record, "ITI-39")
    assert (record.outcome, record.plan, record.member) == ("success", PLAN, MEMBER.id)
    assert (record.documents, record.reason) == ((ccd.id, consult.id), None)


def test_what_is_missing_is_said_and_the_rest_is_given(partner: Visitor) -> None:
    ccd = partner.held(CCD)
    missing = wanted(ccd, unique_id=UniqueId("2.25.1"))
    got = partner.get(ccd, missing, partner.held(NOTE))
    assert got.response.outcome.status is ResponseStatus.PARTIAL_SUCCESS
    (error,) = got.response.outcome.errors
    assert error.code == ErrorCode.DOCUMENT_UNIQUE_ID
    assert error.location == HOME.urn
    assert error.concerns("2.25.1")
    assert len(got.contents) == 2
    record = partner.recorded()
    assert (record.outcome, len(record.documents)) == ("partial", 2)
    assert record.reason == "No document of this unique id is available to this community."


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"home_community_id": OTHER}, ErrorCode.UNKNOWN_COMMUNITY),
        ({"repository_unique_id": Oid("2.999.1")}, ErrorCode.UNKNOWN_REPOSITORY_ID),
        ({"unique_id": UniqueId("2.25.1")}, ErrorCode.DOCUMENT_UNIQUE_ID),
    ],
)
def test_a_document_asked_for_in_the_wrong_place_is_an_error_of_its_own(
    partner: Visitor, changes: dict[str, object], code: ErrorCode
) -> None:
    got = partner.get(wanted(partner.held(CCD), **changes))
    assert (got.response.outcome.status, got.contents) == (ResponseStatus.FAILURE, {})
    assert [error.code for error in got.response.outcome.errors] == [code]
    record = partner.recorded()
    assert (record.outcome, record.member, record.documents) == ("refused", None, ())


def test_a_document_asked_for_again_and_again_comes_once(partner: Visitor) -> None:
    ccd = partner.held(CCD)
    got = partner.get(*[ccd] * 50)
    assert len(got.response.documents) == 1
    assert partner.recorded().documents == (ccd.id,)


def test_a_list_longer_than_a_statement_takes_is_answered(partner: Visitor) -> None:
    ccd = partner.held(CCD)
    many = [wanted(ccd, unique_id=UniqueId(f"2.25.{number}")) for number in range(2000)]
    got = partner.get(*many, ccd)
    assert got.response.outcome.status is ResponseStatus.PARTIAL_SUCCESS
    assert (len(got.response.outcome.errors), len(got.contents)) == (2000, 1)


@pytest.mark.emits_invalid("a partner's request that lacks an id")
def test_a_document_asked_for_without_its_ids_leaves_the_others(partner: Visitor) -> None:
    body = retrieve(partner.held(CCD), partner.held(NOTE), partner.held(CONSULT))
    named = [each for each in body.iter() if etree.QName(each).localname == "RepositoryUniqueId"]
    named[0].text = "no OID"
    unique = body[1][2]
    body[1].remove(unique)
    got = partner.get_by(body)
    assert got.response.outcome.status is ResponseStatus.PARTIAL_SUCCESS
    assert set(got.contents) == {str(unique_id(partner.held(CONSULT)))}
    refused, nameless = got.response.outcome.errors
    assert (refused.code, nameless.code) == (
        ErrorCode.UNKNOWN_REPOSITORY_ID,
        ErrorCode.DOCUMENT_UNIQUE_ID,
    )
    assert refused.location == nameless.location == HOME.urn
    assert f"{unique_id(partner.held(CCD))} {HOME.urn}" in refused.context
    assert partner.recorded().outcome == "partial"
