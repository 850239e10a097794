"""ITI-56: who else knows a patient; read liberally, and never of another patient."""

from typing import Final

import pytest
from lxml import etree

from ihe.errors import MalformedMessage, UnexpectedMessage
from ihe.identifiers import HomeCommunityId, Oid, PatientId
from ihe.patient_location import (
    PatientLocation,
    read_location_request,
    read_location_response,
    write_location_request,
    write_location_response,
)
from tests.ihe_conformance import SCHEMAS, assert_valid_body

ASKED: Final = PatientId("A-1", Oid("2.999.5"))
HERE: Final = PatientLocation(HomeCommunityId(Oid("2.999.20")), PatientId("x&1", Oid("2.999.21")))
THERE: Final = PatientLocation(HomeCommunityId(Oid("2.999.30")), PatientId("y", Oid("2.999.31")))
SAMPLES: Final = SCHEMAS.parent.parent / "samples" / "ihe" / "ipf"
XCPD: Final = "urn:ihe:iti:xcpd:2009"


def test_both_messages_read_as_they_were_written_and_are_valid() -> None:
    request = write_location_request(ASKED)
    response = write_location_response([HERE, THERE], asked=ASKED)
    for message in (request, response):
        assert_valid_body(message)
    assert read_location_request(request) == ASKED
    assert read_location_response(response, asked=ASKED).locations == (HERE, THERE)


def test_an_answer_without_a_location_is_not_written() -> None:
    with pytest.raises(ValueError, match="at least one"):
        write_location_response([], asked=ASKED)


@pytest.mark.skipif(not SAMPLES.is_dir(), reason="the samples are not beside this checkout")
def test_messages_of_another_hand_are_read() -> None:
    asked = read_location_request(etree.parse(SAMPLES / "iti56-sample-request.xml").getroot())
    response = etree.parse(SAMPLES / "iti56-sample-response.xml").getroot()
    found = read_location_response(response, asked=asked)
    assert [str(one.home_community_id) for one in found.locations] == [
        "1.2.333495.30291",
        "1.555.324.1.2.3",
    ]
    assert found.unreadable == 0


def test_an_answer_that_names_nobody_is_read_as_that() -> None:
    empty = etree.Element(f"{{{XCPD}}}PatientLocationQueryResponse")
    assert read_location_response(empty, asked=ASKED).locations == ()


@pytest.mark.parametrize(
    ("element", "attribute", "value"),
    [
        ("RequestedPatientId", "extension", "A-2"),
        ("RequestedPatientId", "root", "2.999.6"),
        ("CorrespondingPatientId", "extension", ""),
        ("CorrespondingPatientId", "root", "no oid"),
        ("HomeCommunityId", None, "https://somewhere.example/"),
    ],
)
def test_a_location_of_somebody_else_or_of_nobody_is_counted_and_not_used(
    element: str, attribute: str | None, value: str
) -> None:
    response = write_location_response([HERE, THERE], asked=ASKED)
    spoilt = response[0].find(f"{{{XCPD}}}{element}")
    assert spoilt is not None
    if attribute is None:
        spoilt.text = value
    else:
        spoilt.set(attribute, value)
    found = read_location_response(response, asked=ASKED)
    assert (found.locations, found.unreadable) == ((THERE,), 1)


def test_what_is_another_message_or_names_no_patient_is_refused() -> None:
    request = write_location_request(ASKED)
    response = write_location_response([HERE], asked=ASKED)
    with pytest.raises(UnexpectedMessage):
        read_location_request(response)
    with pytest.raises(UnexpectedMessage):
        read_location_response(request, asked=ASKED)
    request.append(etree.Element(request[0].tag, dict(request[0].attrib)))
    with pytest.raises(MalformedMessage, match="exactly one"):
        read_location_request(request)
    with pytest.raises(MalformedMessage, match="exactly one"):
        read_location_request(etree.Element(f"{{{XCPD}}}PatientLocationQueryRequest"))
