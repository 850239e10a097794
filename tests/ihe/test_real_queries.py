"""What other hands ask and answer in ITI-38 and 39, each with the reading that we expect of it.

The messages lie in `shared/samples/ihe` beside the checkout; without that folder nothing is said.
"""

import re
from dataclasses import replace
from pathlib import Path

import pytest
from lxml import etree

from ccda.errors import CcdaError
from ccda.safe_xml import Element, parse_xml
from ihe.document_content import ContentId
from ihe.identifiers import HomeCommunityId, Oid, PatientId
from ihe.metadata import AssociationType, Code
from ihe.registry_response import ErrorCode, RegistryRefusal, ResponseStatus
from ihe.stored_query import (
    AdhocQuery,
    FindDocumentsQuery,
    FindFoldersQuery,
    GetAllQuery,
    GetContentsQuery,
    GetDocumentsQuery,
    GetObjectsQuery,
    GetRelatedDocumentsQuery,
    StoredQuery,
    TimeRange,
)
from ihe.xca_query import read_adhoc_query_request, read_adhoc_query_response
from ihe.xca_retrieve import read_retrieve_request, read_retrieve_response

OTHERS = Path(__file__).resolve().parents[3] / "shared" / "samples" / "ihe"
pytestmark = pytest.mark.skipif(not OTHERS.is_dir(), reason="no messages of other hands here")
APPROVED = "urn:oasis:names:tc:ebxml-regrep:StatusType:Approved"
DEPRECATED = "urn:oasis:names:tc:ebxml-regrep:StatusType:Deprecated"


def only(name: str, root: str, filled: dict[str, str] | None = None) -> Element:
    """The one element of that name in the one file whose name ends so."""
    (file,) = [each for each in OTHERS.rglob("*") if each.stem.endswith(name)]
    text = file.read_bytes()
    for placeholder, value in (filled or {}).items():
        text = re.sub(placeholder.encode(), value.encode(), text)
    (element,) = parse_xml(text).iter("{*}" + root)
    return element


# ---- queries ---------------------------------------------------------------------------------

NIST = PatientId("c4d77e21d0dd487", Oid("1.3.6.1.4.1.21367.2005.3.7"))
GALLOW = PatientId("D123401", Oid("1.1"))
COMMUNITY = HomeCommunityId.parse("1.1")


@pytest.mark.parametrize(
    ("name", "asked"),
    [
        ("validator_sq-req", FindDocumentsQuery(NIST, class_codes=(Code("value", "scheme"),))),
        (
            "validator_soap-xcq-req",
            FindDocumentsQuery(NIST, class_codes=(Code("value", "scheme"),)),
        ),
        ("validator_soap-sq-req", FindDocumentsQuery(NIST, class_codes=(Code("value", "scheme"),))),
        # A code without its scheme, an id without quotes, a status without or with one pair.
        ("sq-req-bad-code", FindDocumentsQuery(NIST, class_codes=(Code("value", None),))),
        ("sq-req-bad-pid-format", FindDocumentsQuery(NIST)),
        ("sq-req-bad-stat-format1", FindDocumentsQuery(NIST)),
        ("sq-req-bad-stat-format2", FindDocumentsQuery(NIST)),
        ("CrossGatewayQuery_sample_01", FindDocumentsQuery(GALLOW, home_community_id=COMMUNITY)),
        ("gallow-younger_02", FindDocumentsQuery(GALLOW, home_community_id=COMMUNITY)),
    ],
)
def test_a_query_is_read(name: str, asked: FindDocumentsQuery) -> None:
    assert read_adhoc_query_request(only(name, "AdhocQueryRequest")) == asked


def test_a_scheme_in_a_slot_of_its_own_is_passed_over() -> None:
    filled = {r"\$\{#Project#DQPatientID\}": "7", r"\$\{#Project#LocalAA\}": "1.1"}
    element = only("Document-Query_Document-Query_03", "AdhocQueryRequest", filled)
    assert read_adhoc_query_request(element) == FindDocumentsQuery(
        PatientId("7", Oid("1.1")),
        home_community_id=COMMUNITY,
        class_codes=(Code("34133-9", None),),
    )


@pytest.mark.parametrize(
    ("name", "code", "said"),
    [
        ("QueryByDocUniqueId_02", ErrorCode.STORED_QUERY_MISSING_PARAMETER, "EntryStatus"),
        ("QueryByPatientId_01", ErrorCode.STORED_QUERY_MISSING_PARAMETER, "EntryStatus"),
        ("sq-req-missing-stat", ErrorCode.STORED_QUERY_MISSING_PARAMETER, "EntryStatus"),
        ("DocQueryRequest_03", ErrorCode.UNKNOWN_STORED_QUERY, "unknown id"),
        # ITI-51 asks for several patients; and a patient id that ends in a piece of SQL.
        ("iti51request", ErrorCode.UNKNOWN_STORED_QUERY, "unknown id"),
        ("iti18request", ErrorCode.STORED_QUERY_PARAMETER_NUMBER, "EntryPatientId"),
    ],
)
def test_a_query_that_cannot_be_answered_is_refused(name: str, code: ErrorCode, said: str) -> None:
    with pytest.raises(RegistryRefusal) as caught:
        read_adhoc_query_request(only(name, "AdhocQueryRequest"))
    assert caught.value.error.code is code
    assert said in str(caught.value)


def test_a_template_is_not_a_query_until_it_names_a_community() -> None:
    with pytest.raises(RegistryRefusal) as caught:
        read_adhoc_query_request(only("template_FindDocuments", "AdhocQueryRequest"))
    assert caught.value.error.code is ErrorCode.UNKNOWN_COMMUNITY


HOME = HomeCommunityId.parse("2.999.20")
PATIENT = PatientId("A-1", Oid("2.999.20.5"))
BOTH = ("Approved", "Deprecated")
FILLED = {
    r"\$home\$": HOME.urn,
    r"\$patient_id\$": PATIENT.cx.replace("&", "&amp;"),
    r"\$rt0\$|\$returnType\$": "ObjectRef",
    r"\$(dst|fst|sst)0\$": APPROVED,
    r"\$(dst|fst|sst)[1-9]\$": DEPRECATED,
    r"\$ot0\$": "urn:uuid:7edca82f-054d-47f2-a032-9b2a5b5186c1",
    r"\$ot1\$": "urn:uuid:34268e47-fdf5-41a6-ba33-82133c465248",
    r"\$assoc1\$": "urn:ihe:iti:2007:AssociationType:RPLC",
    r"\$assoc2\$": "urn:ihe:iti:2007:AssociationType:XFRM",
    r"\$(ctf|sstf|sttf)0\$": "20250101",
    r"\$(ctt|sstt|sttt)0\$": "20260101",
    r"\$(clc|tc|fc|hftc|psc|cc|ecl)([01])\$": r"\1-\2^^2.999",
    r"\$(ap|refId|id|uid)([01])\$": r"\1-\2",
    r"\$(uuid|uid)\$": r"the-\1",
    # Whatever is not filled in is left out, as the tool does.
    r"<(\w+:)?Value>\('\$\w+\$'\)</(\w+:)?Value>": "",
}
ONE_ID = {**FILLED, r"'the-uid'|'uid-0'": ""}
YEAR = TimeRange("20250101", "20260101")


def two(name: str) -> tuple[Code, ...]:
    return (Code(f"{name}-0", "2.999"), Code(f"{name}-1", "2.999"))


@pytest.mark.parametrize(
    ("name", "asked"),
    [
        ("template_FindDocuments", FindDocumentsQuery(PATIENT, BOTH, HOME)),
        (
            "template_FindDocuments2",
            FindDocumentsQuery(
                PATIENT,
                ("Approved", "Deprecated", "Deprecated", "Deprecated"),
                HOME,
                return_type="ObjectRef",
                entry_types=("stable", "on-demand"),
                class_codes=two("clc"),
                type_codes=two("tc"),
                format_codes=two("fc"),
                practice_setting_codes=two("psc"),
                healthcare_facility_type_codes=two("hftc"),
                event_codes=(two("ecl"),),
                confidentiality_codes=(two("cc"),),
                author_persons=("ap-0", "ap-1"),
                creation_time=YEAR,
                service_start_time=YEAR,
                service_stop_time=YEAR,
            ),
        ),
        (
            "template_FindDocumentsByRefId",
            FindDocumentsQuery(PATIENT, BOTH, HOME, reference_ids=(("refId-0", "refId-1"),)),
        ),
        ("template_FindFolders", FindFoldersQuery(PATIENT, BOTH, HOME)),
        (
            "template_GetAll",
            GetAllQuery(
                PATIENT,
                *[("Approved", "Deprecated", "Deprecated", "Deprecated")] * 3,
                home_community_id=HOME,
                entry_types=("stable", "on-demand"),
                format_codes=two("fc"),
                confidentiality_codes=(two("cc"),),
                return_type="ObjectRef",
            ),
        ),
        *(
            (f"template_{name}", GetObjectsQuery(stored, HOME, ("id-0", "id-1")))
            for name, stored in (
                ("GetAssociations", StoredQuery.GET_ASSOCIATIONS),
                ("GetSubmissionSets", StoredQuery.GET_SUBMISSION_SETS),
            )
        ),
        (
            "template_GetSubmissionSetAndContents",
            GetContentsQuery(StoredQuery.GET_SUBMISSION_SET_AND_CONTENTS, HOME, ("the-uuid",)),
        ),
        (
            "template_GetFolderAndContents",
            GetContentsQuery(StoredQuery.GET_FOLDER_AND_CONTENTS, HOME, ("id-0",)),
        ),
        (
            "template_GetRelated",
            GetRelatedDocumentsQuery(
                HOME, (AssociationType.RPLC, AssociationType.XFRM), ("the-uuid",)
            ),
        ),
    ],
)
def test_the_testers_templates_are_read_once_they_are_filled_in(
    name: str, asked: AdhocQuery
) -> None:
    read = read_adhoc_query_request(only(name, "AdhocQueryRequest", ONE_ID))
    assert read == asked or read == _by_reference(asked)


def _by_reference(asked: AdhocQuery) -> AdhocQuery:
    return replace(asked, return_type="ObjectRef")


@pytest.mark.parametrize(
    ("name", "field"), [("template_GetDocuments", "documents"), ("template_GetFolders", "folders")]
)
def test_ids_of_both_kinds_are_too_many(name: str, field: str) -> None:
    with pytest.raises(RegistryRefusal) as caught:
        read_adhoc_query_request(only(name, "AdhocQueryRequest", FILLED))
    assert caught.value.error.code is ErrorCode.STORED_QUERY_PARAMETER_NUMBER
    without = {**FILLED, r"\('uid-[01]'\)": ""}
    read = read_adhoc_query_request(only(name, "AdhocQueryRequest", without))
    assert isinstance(read, GetDocumentsQuery if field == "documents" else GetObjectsQuery)
    assert (read.entry_uuids, read.unique_ids) == (("id-0", "id-1"), ())


# ---- what communities answer -----------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "status", "errors", "entries", "references"),
    [
        ("mockDocQuerySecuredAdapter_05", "SUCCESS", (), 0, 0),
        ("mockdocqueryadapter_06", "SUCCESS", (), 0, 0),
        ("findDocumentsDocQueryResponse_07", "SUCCESS", (), 6, 0),
        ("ParamNumber-TestCase_Mock-XDS.b-Response_08", "FAILURE",
         ("XDSStoredQueryParamNumber",), 0, 0),
        ("XDSRegistryError-TestCase_Mock-XDS.b-Response_09", "FAILURE",
         ("XDSRegistryError",), 0, 0),
        ("XDSRegistryBusy-TestCase_Mock-XDS.b-Response_10", "FAILURE", ("XDSRegistryBusy",), 0, 0),
        ("OutOfResources-TestCase_Mock-XDS.b-Response_11", "FAILURE",
         ("XDSRegistryOutOfResources",), 0, 0),
        ("TooManyResults-TestCase_Mock-XDS.b-Response_12", "FAILURE",
         ("XDSTooManyResults",), 0, 0),
        ("NhinDocQueryMockResponse_01", "SUCCESS", (), 3, 0),
        ("Document-Query_Mock-Response_04", "SUCCESS", (), 3, 0),
        ("QDMessageSpecVersionTest__Case-1_Mock-Response_02", "SUCCESS", (), 1, 0),
        ("QDMessageSpecVersionTest__Case-2_Mock-Response_03", "SUCCESS", (), 1, 0),
        # Failure is stated, and yet there are entries: some of it is here.
        ("soap-xcq-resp-error", "PARTIAL_SUCCESS", ("MyBigError",), 2, 0),
        ("soap-xcq-resp", "SUCCESS", (), 2, 0),
        ("validator_sq-log", "SUCCESS", (), 5, 0),
        ("sq-resp-lc", "SUCCESS", (), 2, 0),
        ("sq-resp-lc-no-objectType", "SUCCESS", (), 2, 0),
        ("sq-resp-lc-no-status", "SUCCESS", (), 2, 0),
        ("sq-resp-nostat-objectref", "SUCCESS", (), 0, 6),
        ("sq-resp-objectref", "SUCCESS", (), 0, 6),
        ("adhocqueryresponse_objectref", "SUCCESS", (), 0, 1),
    ],
)  # fmt: skip
def test_an_answer_to_a_query_is_read(
    name: str, status: str, errors: tuple[str, ...], entries: int, references: int
) -> None:
    read = read_adhoc_query_response(only(name, "AdhocQueryResponse"))
    assert read.status is ResponseStatus[status]
    assert tuple(str(error.code) for error in read.errors) == errors
    assert (len(read.entries), len(read.object_refs), read.unreadable) == (entries, references, 0)
    assert all(entry.mime_type for entry in read.entries)


# ---- what is retrieved -----------------------------------------------------------------------


def test_a_retrieve_is_read() -> None:
    read = read_retrieve_request(only("soap-xcr-req", "RetrieveDocumentSetRequest"))
    assert [
        (str(one.unique_id), str(one.repository_unique_id), str(one.home_community_id))
        for one in read.documents
    ] == [
        ("1.3.6.1.4.2300", "1.3.6.1.4.1000", "1.2.3.5"),
        ("1.3.6.1.4.2301", "1.3.6.1.4.2000", "1.2.3.5"),
    ]
    assert read.refused == ()


@pytest.mark.parametrize(
    ("name", "unique_ids"),
    [
        ("saml_header_diff_order", ["1.123407.777777"]),
        ("CrossGatewayRetrieve_Request-1_01", ["?"]),
        ("CrossGatewayRetrieve_1.123402.11111-ann-schnur-_01", ["1.123402.11111"]),
        ("CrossGatewayRetrieve_retrieve-two-documents_02", ["1.123401.11111", "1.123401.22222"]),
        ("soap-ret-req", ["1.3.6.1.4...2300", "1.3.6.1.4...2301"]),
        ("soap-ret-req-order", ["1.3.6.1.4...2300", "1.3.6.1.4...2301"]),
    ],
)
def test_a_repository_that_is_no_oid_is_an_error_of_its_document(
    name: str, unique_ids: list[str]
) -> None:
    read = read_retrieve_request(only(name, "RetrieveDocumentSetRequest"))
    assert read.documents == ()
    assert {error.code for error in read.refused} == {ErrorCode.UNKNOWN_REPOSITORY_ID}
    assert [(error.location or "").split(" ")[0] for error in read.refused] == unique_ids


def test_the_testers_retrieve_is_read_once_it_is_filled_in() -> None:
    filled = {r"\$home\$": HOME.urn, r"\$repuid\$": "2.999.20.2"}
    element = only("template_RetrieveDocumentSet", "RetrieveDocumentSetRequest", filled)
    read = read_retrieve_request(element)
    assert [str(one.unique_id) for one in read.documents] == [f"$uid{n}$" for n in range(10)]
    assert {one.home_community_id for one in read.documents} == {HOME}


@pytest.mark.parametrize(
    ("name", "error"),
    [
        # Success is stated beside an error and no document: it is a failure.
        ("Mock-Adapter-DR-Response_02", "XDSRepositoryError"),
        ("XDSRegistryError-TestCase_Mock-XDS.b-Repository-Response_03", "XDSRepositoryError"),
        ("XDSRegistryBusy-TestCase_Mock-XDS.b-Repository-Response_04", "XDSRegistryBusy"),
        ("OutOfResources-TestCase_Mock-XDS.b-Repository-Response_05", "XDSRegistryOutOfResources"),
        ("TooManyResults-TestCase_Mock-XDS.b-Repository-Response_06", "XDSTooManyResults"),
        ("UnknownStoredQuery-TestCase_Mock-XDS.b-Repository-Response_07", "XDSUnknownStoredQuery"),
        ("MissingParam-TestCase_Mock-XDS.b-Repository-Response_08", "XDSStoredQueryMissingParam"),
        ("ParamNumber-TestCase_Mock-XDS.b-Repository-Response_09", "XDSStoredQueryParamNumber"),
        ("PartialSuccess-TestCase_Mock-XDS.b-Repository-Response_10", "XDSStoredQueryParamNumber"),
    ],
)
def test_an_answer_without_documents_failed(name: str, error: str) -> None:
    read = read_retrieve_response(only(name, "RetrieveDocumentSetResponse"))
    assert read.outcome.status is ResponseStatus.FAILURE
    assert [str(one.code) for one in read.outcome.errors] == [error]
    assert (read.documents, read.unreadable) == ((), 0)


HELLO = 36


@pytest.mark.parametrize(
    ("name", "status", "documents", "homeless"),
    [
        ("NhinDocRetrieveMockResponse_01", "SUCCESS", [("1.123407.777777", 37886)], 0),
        ("Document-Retrieve_Mock-Response_13", "SUCCESS", [("1.123407.777777", None)], 0),
        ("RDMessageSpecVersionTest__Case-1_Mock-Response_11", "SUCCESS",
         [("scenario1.case1", 12)], 0),
        ("RDMessageSpecVersionTest__Case-2_Mock-Response_12", "SUCCESS",
         [("scenario1.case2", 12)], 0),
        ("soap-ret-resp", "SUCCESS", [("1.3.6.1.4...2300", HELLO)] * 2, 2),
        ("soap-xret-resp", "SUCCESS", [("1.3.6.1.4.2300", HELLO)] * 2, 0),
        ("soap-xret-resp-error", "PARTIAL_SUCCESS", [("1.3.6.1.4.2300", HELLO)] * 2, 0),
        ("soap-xret-resp-homeless", "PARTIAL_SUCCESS", [("1.3.6.1.4.2300", HELLO)] * 2, 1),
    ],
)  # fmt: skip
def test_documents_are_read(
    name: str, status: str, documents: list[tuple[str, int | None]], homeless: int
) -> None:
    read = read_retrieve_response(only(name, "RetrieveDocumentSetResponse"))
    assert read.outcome.status is ResponseStatus[status]
    assert [
        (str(one.unique_id), None if isinstance(one.content, ContentId) else len(one.content))
        for one in read.documents
    ] == documents
    assert sum(one.home_community_id is None for one in read.documents) == homeless
    assert read.unreadable == 0


def test_an_answer_of_question_marks_is_read_as_unreadable() -> None:
    read = read_retrieve_response(
        only("Mock-Document-Retrieve-Secured-Adapter_14", "RetrieveDocumentSetResponse")
    )
    assert (read.outcome.status, read.documents, read.unreadable) == (
        ResponseStatus.FAILURE, (), 1,
    )  # fmt: skip


def test_no_message_of_these_transactions_is_left_without_a_reading() -> None:
    """Each file that holds one is named above."""
    named = Path(__file__).read_text(encoding="utf-8")
    roots = {f"{kind}{way}" for kind in ("AdhocQuery", "RetrieveDocumentSet")
             for way in ("Request", "Response")}  # fmt: skip
    for file in (*OTHERS.rglob("*.xml"), *OTHERS.rglob("*.txt")):
        if not _holds(file, roots):
            continue
        quoted = re.findall(r'"([\w.-]+)"', named)
        quoted += [f"template_{each}" for each in ("GetAssociations", "GetSubmissionSets")]
        assert any(file.stem.endswith(each) for each in quoted), file.name


def _holds(file: Path, roots: set[str]) -> bool:
    try:
        root = parse_xml(file.read_bytes())
    except CcdaError:
        return False
    return any(etree.QName(each).localname in roots for each in root.iter("{*}*"))
