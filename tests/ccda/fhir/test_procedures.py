"""Procedures done, not done, and only ordered."""

import pytest

from tests.ccda.fhir.conftest import Convert

PROCEDURES = "47519-4"


def procedure(
    content: str = "", *, mood: str = "EVN", status: str = "completed", attributes: str = "",
    time: str = '<effectiveTime value="20240101"/>',
) -> str:  # fmt: skip
    return (
        f'<procedure moodCode="{mood}" {attributes}>'
        '<templateId root="2.16.840.1.113883.10.20.22.4.14"/>'
        '<code code="80146002" codeSystem="2.16.840.1.113883.6.96" displayName="Appendectomy"/>'
        f'<statusCode code="{status}"/>{time}{content}</procedure>'
    )


@pytest.mark.parametrize(
    ("status", "attributes", "expected"),
    [
        ("completed", "", "completed"),
        ("completed", 'negationInd="true"', "not-done"),
        ("cancelled", "", "not-done"),
        ("aborted", "", "stopped"),
        ("active", "", "in-progress"),
        ("odd", "", "unknown"),
    ],
)
def test_a_denied_procedure_is_not_done(
    convert: Convert, status: str, attributes: str, expected: str
) -> None:
    (found,) = convert(PROCEDURES, procedure(status=status, attributes=attributes))["Procedure"]
    assert found["status"] == expected


def test_a_procedure_without_a_time_says_that_it_is_unknown(convert: Convert) -> None:
    (found,) = convert(PROCEDURES, procedure(time=""))["Procedure"]
    assert found["_performedDateTime"]["extension"][0]["valueCode"] == "unknown"


def test_an_end_before_its_start_is_a_fault_of_the_source(convert: Convert) -> None:
    time = '<effectiveTime><low value="20240102"/><high value="20240101"/></effectiveTime>'
    (found,) = convert(PROCEDURES, procedure(time=time))["Procedure"]
    assert found["performedPeriod"]["start"] == "2024-01-02"
    assert found["performedPeriod"]["_end"]["extension"][0]["valueCode"] == "error"


def test_what_is_only_ordered_is_a_request(convert: Convert) -> None:
    found = convert(PROCEDURES, procedure(mood="RQO", status="active"))
    assert "Procedure" not in found
    assert found["ServiceRequest"][0]["intent"] == "order"


def test_one_performer_of_two_procedures_is_one_practitioner(convert: Convert) -> None:
    surgeon = (
        '<performer><assignedEntity><id root="2.16.840.1.113883.4.6" extension="1234567893"/>'
        "<assignedPerson><name><given>Ann</given><family>Cutter</family></name></assignedPerson>"
        "</assignedEntity></performer>"
    )
    found = convert(PROCEDURES, procedure(surgeon), procedure(surgeon))
    (practitioner,) = found["Practitioner"]
    assert practitioner["identifier"] == [
        {"system": "http://hl7.org/fhir/sid/us-npi", "value": "1234567893"}
    ]
    actors = [one["performer"][0]["actor"]["reference"] for one in found["Procedure"]]
    assert actors == [f"urn:uuid:{practitioner['id']}"] * 2


DEVICE = (
    '<participant typeCode="DEV"><participantRole classCode="MANU"><playingDevice>'
    '<code code="14106009" codeSystem="2.16.840.1.113883.6.96" displayName="Cardiac pacemaker"/>'
    "</playingDevice></participantRole></participant>"
)


def test_a_device_that_was_placed_is_the_patients(convert: Convert) -> None:
    found = convert(PROCEDURES, procedure(DEVICE))
    (device,) = found["Device"]
    reference = found["Procedure"][0]["focalDevice"][0]["manipulated"]["reference"]
    assert reference == f"urn:uuid:{device['id']}"


@pytest.mark.parametrize(
    "told", [{"attributes": 'negationInd="true"'}, {"status": "cancelled"}, {"status": "nullified"}]
)
def test_nobody_has_a_device_that_was_not_placed(convert: Convert, told: dict[str, str]) -> None:
    found = convert(PROCEDURES, procedure(DEVICE, **told))
    assert "Device" not in found
    assert "focalDevice" not in found["Procedure"][0]
