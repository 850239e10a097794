"""ITI-39 as written and as read."""

from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from lxml import etree

from ccda.safe_xml import Element, parse_xml
from ihe.document_content import ContentId
from ihe.errors import MalformedMessage, UnexpectedMessage
from ihe.identifiers import HomeCommunityId, Oid, UniqueId
from ihe.registry_response import (
    ErrorCode,
    RegistryResponse,
    ResponseStatus,
    rs,
)
from ihe.xca_retrieve import (
    DocumentRequest,
    RetrievedDocument,
    RetrieveDocumentSetRequest,
    RetrieveDocumentSetResponse,
    document_error,
    read_retrieve_request,
    read_retrieve_response,
    write_retrieve_request,
    write_retrieve_response,
    xdsb,
)
from tests.ihe_conformance import assert_valid_body

SAMPLES = Path(__file__).parents[1] / "samples" / "ihe"
HOME = HomeCommunityId(Oid("2.999.20"))
REPOSITORY = Oid("2.999.20.7")
FIRST = DocumentRequest(REPOSITORY, UniqueId("2.999.20.8^d1"), HOME)
SECOND = DocumentRequest(REPOSITORY, UniqueId("2.999.20.8^d2"), HOME)
REQUEST = RetrieveDocumentSetRequest((FIRST, SECOND))
DOCUMENT = RetrievedDocument(
    unique_id=FIRST.unique_id,
    content=ContentId("part+1/%@example.org"),
    repository_unique_id=REPOSITORY,
    home_community_id=HOME,
    mime_type="text/xml",
)
SUCCESS = RegistryResponse(ResponseStatus.SUCCESS)
MISSING = document_error(SECOND, ErrorCode.DOCUMENT_UNIQUE_ID, "there is no such document")


def sample(name: str) -> Element:
    return parse_xml((SAMPLES / f"{name}.xml").read_bytes())


# ---- request ---------------------------------------------------------------------------------


def test_a_request_written_is_valid_and_reads_back_the_same() -> None:
    written = write_retrieve_request(REQUEST)
    assert_valid_body(written)
    assert read_retrieve_request(written) == REQUEST


def test_repository_ids_are_written_bare_and_read_either_way() -> None:
    written = write_retrieve_request(REQUEST)
    repository = written.find(f".//{xdsb('RepositoryUniqueId')}")
    assert repository.text == "2.999.20.7"
    repository.text = "urn:oid:2.999.20.7"
    assert read_retrieve_request(written) == REQUEST


def test_a_request_without_home_is_read_but_not_written() -> None:
    written = write_retrieve_request(REQUEST)
    for document in written:
        document.remove(document[0])
    homeless = read_retrieve_request(written)
    assert [asked.home_community_id for asked in homeless.documents] == [None, None]
    with pytest.raises(ValueError):
        write_retrieve_request(homeless)


@pytest.mark.parametrize(
    ("name", "text", "code"),
    [
        ("RepositoryUniqueId", "1.3.6...1000", ErrorCode.UNKNOWN_REPOSITORY_ID),
        ("RepositoryUniqueId", None, ErrorCode.UNKNOWN_REPOSITORY_ID),
        ("DocumentUniqueId", "", ErrorCode.DOCUMENT_UNIQUE_ID),
        ("DocumentUniqueId", "x" * 257, ErrorCode.DOCUMENT_UNIQUE_ID),
    ],
)
def test_ids_that_cannot_be_ids_are_errors_and_the_rest_is_asked_for(
    name: str, text: str | None, code: ErrorCode
) -> None:
    written = write_retrieve_request(REQUEST)
    written.find(f".//{xdsb(name)}").text = text
    read = read_retrieve_request(written)
    assert read.documents == REQUEST.documents[1:]
    (error,) = read.refused
    asked = REQUEST.documents[0]
    unique_id = "" if name == "DocumentUniqueId" else f"{asked.unique_id} "
    assert (error.code, error.location) == (code, f"{unique_id}{HOME.urn}")
    assert name in error.context


def test_a_home_that_is_no_oid_is_an_unknown_community() -> None:
    written = write_retrieve_request(REQUEST)
    written.find(f".//{xdsb('HomeCommunityId')}").text = "urn:oid:abc"
    read = read_retrieve_request(written)
    assert read.documents == REQUEST.documents[1:]
    (error,) = read.refused
    assert error.code == ErrorCode.UNKNOWN_COMMUNITY


def test_a_request_for_nothing_is_malformed() -> None:
    with pytest.raises(MalformedMessage):
        read_retrieve_request(etree.Element(xdsb("RetrieveDocumentSetRequest")))
    with pytest.raises(ValueError):
        RetrieveDocumentSetRequest(())
    with pytest.raises(UnexpectedMessage):
        read_retrieve_request(write_retrieve_response(RetrieveDocumentSetResponse(SUCCESS)))


# ---- response --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "response",
    [
        RetrieveDocumentSetResponse(SUCCESS, (DOCUMENT,)),
        RetrieveDocumentSetResponse(SUCCESS, (replace(DOCUMENT, content=b"<a/>\r\n"),)),
        RetrieveDocumentSetResponse(
            SUCCESS,
            (replace(DOCUMENT, new_unique_id=UniqueId("n"), new_repository_unique_id=REPOSITORY),),
        ),
        RetrieveDocumentSetResponse(
            RegistryResponse(ResponseStatus.PARTIAL_SUCCESS, (MISSING,)), (DOCUMENT,)
        ),
        RetrieveDocumentSetResponse(RegistryResponse(ResponseStatus.FAILURE, (MISSING,))),
    ],
)
def test_a_response_written_is_valid_and_reads_back_the_same(
    response: RetrieveDocumentSetResponse,
) -> None:
    written = write_retrieve_response(response)
    assert_valid_body(written)
    assert read_retrieve_response(written) == response


@given(st.text(min_size=1).filter(lambda text: text.isprintable()), st.binary(min_size=1))
def test_any_content_id_and_any_bytes_come_back(content_id: str, content: bytes) -> None:
    for each in (ContentId(content_id), content):
        response = RetrieveDocumentSetResponse(SUCCESS, (replace(DOCUMENT, content=each),))
        assert read_retrieve_response(write_retrieve_response(response)) == response


def test_a_content_id_is_percent_encoded_on_the_wire() -> None:
    written = write_retrieve_response(RetrieveDocumentSetResponse(SUCCESS, (DOCUMENT,)))
    (include,) = written.iter("{http://www.w3.org/2004/08/xop/include}Include")
    assert include.get("href") == "cid:part%2B1%2F%25@example.org"


def test_documents_are_taken_however_they_were_put_in() -> None:
    response = read_retrieve_response(sample("retrieve_response_three_ways"))
    first, second, third, fourth = response.documents
    assert first.content == ContentId("part+1@example.org")
    assert first.new_unique_id == UniqueId("2.999.20.8^d1-now")
    assert second.content == b"%PDF-1.4"
    assert second.unique_id == UniqueId("2.999.20.8^d2")
    assert second.repository_unique_id == REPOSITORY
    assert isinstance(third.content, bytes)
    assert parse_xml(third.content).tag == "{urn:hl7-org:v3}ClinicalDocument"
    assert fourth.content == b'<ClinicalDocument xmlns="urn:hl7-org:v3"/>'
    assert third.mime_type is None


def test_a_document_without_content_is_counted_not_invented() -> None:
    assert read_retrieve_response(sample("retrieve_response_three_ways")).unreadable == 1


@pytest.mark.parametrize("text", ["!!!", "YWJ", "\u00e4"])
def test_text_that_is_neither_base64_nor_xml_is_no_content(text: str) -> None:
    written = write_retrieve_response(
        RetrieveDocumentSetResponse(SUCCESS, (replace(DOCUMENT, content=b"abc"),))
    )
    written.find(f".//{xdsb('Document')}").text = text
    response = read_retrieve_response(written)
    assert response.documents == ()
    assert response.unreadable == 1


def test_success_with_errors_and_no_document_is_a_failure() -> None:
    response = read_retrieve_response(sample("retrieve_errors_as_text"))
    assert response.outcome.status is ResponseStatus.FAILURE
    (error,) = response.outcome.errors
    assert error.code is ErrorCode.DOCUMENT_UNIQUE_ID
    assert error.concerns("2.999.20.8^d1")


@pytest.mark.parametrize("href", ["http://169.254.169.254/", "file:///etc/passwd", "cid:", "", "x"])
def test_nothing_is_fetched_for_an_include_that_is_no_part(href: str) -> None:
    element = sample("retrieve_response_include_of_a_url")
    (include,) = element.iter("{http://www.w3.org/2004/08/xop/include}Include")
    include.set("href", href)
    with pytest.raises(MalformedMessage, match="cid"):
        read_retrieve_response(element)


def test_a_response_without_outcome_is_judged_by_its_documents() -> None:
    element = write_retrieve_response(RetrieveDocumentSetResponse(SUCCESS, (DOCUMENT,)))
    element.remove(element.find(rs("RegistryResponse")))
    assert read_retrieve_response(element) == RetrieveDocumentSetResponse(SUCCESS, (DOCUMENT,))


def test_an_error_names_its_document_and_its_community() -> None:
    assert MISSING.concerns(str(SECOND.unique_id))
    assert MISSING.concerns(HOME.urn)
    homeless = document_error(replace(SECOND, home_community_id=None), ErrorCode.REGISTRY_BUSY, "x")
    assert homeless.location == "2.999.20.8^d2"


@pytest.mark.parametrize("field", ["home_community_id", "repository_unique_id", "mime_type"])
def test_a_document_without_its_labels_is_not_sent(field: str) -> None:
    broken = replace(DOCUMENT, **{field: None})
    with pytest.raises(ValueError):
        write_retrieve_response(RetrieveDocumentSetResponse(SUCCESS, (broken,)))


def test_another_message_is_unexpected() -> None:
    with pytest.raises(UnexpectedMessage):
        read_retrieve_response(write_retrieve_request(REQUEST))
