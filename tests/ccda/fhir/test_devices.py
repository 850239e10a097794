"""Devices, with the identifier that is printed on them as it stands."""

from tests.ccda.fhir.conftest import Convert

DEVICES = "46264-8"
PRINTED = "(01)00643169007222(17)160128(21)BLC200461H"


def device(attributes: str = "") -> str:
    return (
        f'<procedure moodCode="EVN" {attributes}>'
        '<templateId root="2.16.840.1.113883.10.20.22.4.14"/>'
        '<statusCode code="completed"/><participant typeCode="DEV"><participantRole>'
        f'<id root="2.16.840.1.113883.3.3719" extension="{PRINTED}"/><playingDevice>'
        '<code code="704708004" codeSystem="2.16.840.1.113883.6.96" displayName="Pacemaker"/>'
        "</playingDevice></participantRole></participant></procedure>"
    )


def test_an_identifier_is_told_whole_and_never_taken_apart(convert: Convert) -> None:
    (found,) = convert(DEVICES, device())["Device"]
    assert found["udiCarrier"] == [{"carrierHRF": PRINTED}]
    assert found["type"]["coding"][0]["code"] == "704708004"
    assert "status" not in found
    # Without its device identifier it is no implant of US Core's.
    assert "meta" not in found


def test_a_device_that_was_denied_is_not_active(convert: Convert) -> None:
    (found,) = convert(DEVICES, device('negationInd="true"'))["Device"]
    assert found["status"] == "inactive"


def test_a_device_that_is_only_ordered_is_not_among_those_the_patient_has(
    convert: Convert,
) -> None:
    ordered = (
        '<supply moodCode="INT"><statusCode code="active"/><product><manufacturedProduct>'
        '<manufacturedMaterial><code code="58938008" displayName="Wheelchair"/>'
        "</manufacturedMaterial></manufacturedProduct></product></supply>"
    )
    found = convert("46264-8", ordered)
    assert "Device" not in found
    assert found["ServiceRequest"][0]["code"]["text"] == "Wheelchair"


def test_the_device_identifier_is_told_without_who_issues_it(convert: Convert) -> None:
    part = (
        '<observation><templateId root="2.16.840.1.113883.10.20.22.4.304"/>'
        '<value xsi:type="II" root="1.3.160" extension="0084"/></observation>'
    )
    udi = (
        '<entryRelationship><organizer><templateId root="2.16.840.1.113883.10.20.22.4.311"/>'
        f"<component>{part}</component></organizer></entryRelationship>"
    )
    placed = f'<procedure moodCode="EVN"><code code="1"/>{udi}</procedure>'
    (device,) = convert("46264-8", placed)["Device"]
    assert device["udiCarrier"][0]["deviceIdentifier"] == "0084"
