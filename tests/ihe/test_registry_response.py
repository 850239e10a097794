"""Errors and status of ebRS responses: judged by content."""

import pytest
from lxml import etree

from ihe.errors import UnexpectedMessage
from ihe.identifiers import HomeCommunityId, Oid
from ihe.registry_response import (
    ErrorCode,
    RegistryError,
    RegistryRefusal,
    RegistryResponse,
    ResponseStatus,
    Severity,
    read_registry_response,
    rs,
    status_of,
    write_registry_response,
)
from tests.ihe_conformance import assert_valid_body

ERROR = RegistryError(ErrorCode.REGISTRY_BUSY, "busy", location="urn:oid:2.999.20")
WARNING = RegistryError(ErrorCode.EXTRA_METADATA_NOT_SAVED, "dropped", Severity.WARNING)


@pytest.mark.parametrize(
    "response",
    [
        RegistryResponse(ResponseStatus.SUCCESS),
        RegistryResponse(ResponseStatus.SUCCESS, (WARNING,)),
        RegistryResponse(ResponseStatus.FAILURE, (WARNING, ERROR)),
        RegistryResponse(ResponseStatus.FAILURE, (RegistryError("TheirOwnCode", "why"),)),
    ],
)
def test_a_response_written_is_valid_and_reads_back_the_same(response: RegistryResponse) -> None:
    written = write_registry_response(response)
    assert_valid_body(written)
    assert read_registry_response(written) == response


@pytest.mark.parametrize("code", list(ErrorCode))
def test_every_code_of_the_standard_is_known_again(code: ErrorCode) -> None:
    response = RegistryResponse(ResponseStatus.FAILURE, (RegistryError(code, "why"),))
    (error,) = read_registry_response(write_registry_response(response)).errors
    assert error.code is code


SUCCESS, PARTIAL, FAILURE = ResponseStatus


@pytest.mark.parametrize(
    ("stated", "errors", "has_content", "meant"),
    [
        (SUCCESS, (), False, SUCCESS),
        (SUCCESS, (WARNING,), True, SUCCESS),
        (SUCCESS, (ERROR,), False, FAILURE),
        (SUCCESS, (ERROR,), True, PARTIAL),
        (PARTIAL, (), True, PARTIAL),
        (PARTIAL, (), False, PARTIAL),
        (PARTIAL, (ERROR,), False, FAILURE),
        (FAILURE, (), False, FAILURE),
        (FAILURE, (ERROR,), True, PARTIAL),
    ],
)
def test_the_status_is_what_the_content_says_and_no_better_than_stated(
    stated: ResponseStatus,
    errors: tuple[RegistryError, ...],
    has_content: bool,
    meant: ResponseStatus,
) -> None:
    element = write_registry_response(RegistryResponse(stated, errors))
    assert read_registry_response(element, has_content=has_content).status is meant


@pytest.mark.parametrize("status", [None, "", "Success", "urn:x:Ready"])
def test_an_unknown_status_claims_nothing(status: str | None) -> None:
    element = write_registry_response(RegistryResponse(SUCCESS))
    element.attrib.pop("status")
    if status is not None:
        element.set("status", status)
    assert read_registry_response(element).status is SUCCESS


def test_errors_given_as_plain_text_are_one_error_with_the_code_they_name() -> None:
    element = write_registry_response(RegistryResponse(SUCCESS))
    etree.SubElement(element, rs("RegistryErrorList")).text = " XDSRegistryBusy:\n try later "
    response = read_registry_response(element)
    assert response.errors == (
        RegistryError(ErrorCode.REGISTRY_BUSY, "XDSRegistryBusy: try later"),
    )
    assert response.status is FAILURE


def test_plain_text_without_a_code_is_an_error_without_one() -> None:
    element = write_registry_response(RegistryResponse(SUCCESS))
    etree.SubElement(element, rs("RegistryErrorList")).text = "something went wrong"
    assert read_registry_response(element).errors == (RegistryError("", "something went wrong"),)


def test_an_empty_error_list_is_no_error() -> None:
    element = write_registry_response(RegistryResponse(SUCCESS))
    etree.SubElement(element, rs("RegistryErrorList"))
    assert read_registry_response(element) == RegistryResponse(SUCCESS)


def test_the_text_of_an_error_is_its_context_where_none_is_given() -> None:
    element = write_registry_response(RegistryResponse(FAILURE, (ERROR,)))
    (error,) = element.iter(rs("RegistryError"))
    error.attrib.pop("codeContext")
    error.text = "told here"
    assert read_registry_response(element).errors[0].context == "told here"


def test_an_error_concerns_what_either_of_its_texts_names() -> None:
    assert ERROR.concerns("2.999.20")
    assert RegistryError("x", "no document 2.999.8").concerns("2.999.8")
    assert not ERROR.concerns("2.999.8")


def test_the_status_of_an_answer_follows_from_its_errors() -> None:
    assert status_of((), has_content=False) is SUCCESS
    assert status_of((WARNING,), has_content=True) is SUCCESS
    assert status_of((ERROR,), has_content=True) is PARTIAL
    assert status_of((ERROR,), has_content=False) is FAILURE


def test_a_refusal_carries_the_error_to_answer_with() -> None:
    refusal = RegistryRefusal(ErrorCode.UNKNOWN_STORED_QUERY, "unknown")
    assert refusal.error == RegistryError(ErrorCode.UNKNOWN_STORED_QUERY, "unknown")
    assert refusal.answered_by(HomeCommunityId(Oid("2.999.20"))) == RegistryResponse(
        FAILURE,
        (RegistryError(ErrorCode.UNKNOWN_STORED_QUERY, "unknown", location="urn:oid:2.999.20"),),
    )


def test_another_message_is_unexpected() -> None:
    with pytest.raises(UnexpectedMessage):
        read_registry_response(etree.Element("RegistryResponse"))
