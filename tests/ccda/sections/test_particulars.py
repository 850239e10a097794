from collections.abc import Callable

from ccda.model import Entry

ReadEntries = Callable[..., tuple[Entry, ...]]

PROBLEMS, PROCEDURES, IMMUNIZATIONS = "11450-4", "47519-4", "11369-6"
CONDITION = '<value xsi:type="CD" code="1"/>'


def test_who_told_it_is_kept(read_entries: ReadEntries) -> None:
    informant = (
        '<informant><relatedEntity classCode="PRS"><code code="MTH" displayName="Mother"/>'
        "<relatedPerson><name>Ann</name></relatedPerson></relatedEntity></informant>"
    )
    (entry,) = read_entries(PROBLEMS, f"<observation>{CONDITION}{informant}</observation>")
    assert entry.details["informant"] == [
        {
            "name": "Ann",
            "relationship": {"code": "MTH", "system": None, "display": "Mother"},
            "class_code": "PRS",
        }
    ]


def test_a_subject_who_is_not_the_patient_is_kept(read_entries: ReadEntries) -> None:
    subject = (
        '<subject><relatedSubject classCode="PRS"><code code="CHILD"/><subject><name>Baby</name>'
        '<birthTime value="2024"/></subject></relatedSubject></subject>'
    )
    (entry,) = read_entries(PROCEDURES, f'<procedure><code code="1"/>{subject}</procedure>')
    assert (entry.details["subject"]["name"], entry.details["subject"]["birth_time"]) == (
        "Baby",
        "2024",
    )


def test_a_performer_has_function_address_telecom_and_time(read_entries: ReadEntries) -> None:
    performer = (
        '<performer typeCode="PRF"><functionCode code="PCP"/><time value="20240102"/>'
        '<assignedEntity><addr use="WP"><streetAddressLine>1 Main St</streetAddressLine>'
        '<city>Ann Arbor</city></addr><telecom value="tel:1"/><representedOrganization>'
        '<id root="1.2"/><name>Clinic</name><telecom value="tel:2" use="WP"/>'
        "</representedOrganization></assignedEntity></performer>"
    )
    (entry,) = read_entries(PROCEDURES, f'<procedure><code code="1"/>{performer}</procedure>')
    assert entry.details["performer"] == [
        {
            "function": {"code": "PCP", "system": None, "display": None},
            "time": "2024-01-02",
            "address": [{"lines": ["1 Main St"], "city": "Ann Arbor", "use": "WP"}],
            "telecom": [{"value": "tel:1"}],
            "organization": "Clinic",
            "organization_ids": ["1.2"],
            "organization_telecom": [{"value": "tel:2", "use": "WP"}],
        }
    ]


def test_an_external_document_is_referred_to(read_entries: ReadEntries) -> None:
    reference = (
        '<reference typeCode="REFR"><externalDocument><id root="1.2.3"/><code code="34133-9"/>'
        '<text mediaType="application/pdf"><reference value="will.pdf"/></text>'
        "</externalDocument></reference>"
    )
    (entry,) = read_entries("42348-3", f'<observation><code code="1"/>{reference}</observation>')
    (external,) = entry.details["reference"]
    assert external["ids"] == ["1.2.3"]
    assert (external["url"], external["media_type"]) == ("will.pdf", "application/pdf")


def test_extensions_are_kept_as_they_are_written(read_entries: ReadEntries) -> None:
    category = '<sdtc:category code="sdoh" codeSystem="1.2"/>'
    (entry,) = read_entries("29762-2", f'<observation><code code="1"/>{category}</observation>')
    assert entry.details["extension"] == {"category": [{"code": "sdoh", "codeSystem": "1.2"}]}


def test_an_extension_with_a_child_named_as_an_attribute_keeps_both(
    read_entries: ReadEntries,
) -> None:
    odd = '<sdtc:odd code="a">said<code code="b"/><text>c</text></sdtc:odd>'
    (entry,) = read_entries("29762-2", f'<observation><code code="1"/>{odd}</observation>')
    assert entry.details["extension"] == {
        "odd": [
            {
                "code": "a",
                "code_element": [{"code": "b"}],
                "text": "said",
                "text_element": [{"text": "c"}],
            }
        ]
    }


def test_a_vehicle_of_the_drug_is_a_participant(read_entries: ReadEntries) -> None:
    vehicle = (
        '<participant typeCode="CSM"><participantRole classCode="MANU"><code code="412307009"/>'
        '<playingEntity><code code="324049" displayName="Aerosol"/></playingEntity>'
        "</participantRole></participant>"
    )
    (entry,) = read_entries(
        "10160-0", f"<substanceAdministration>{vehicle}</substanceAdministration>"
    )
    (participant,) = entry.details["participant"]
    assert (participant["type"], participant["entity"]["display"]) == ("CSM", "Aerosol")


def test_a_second_place_is_not_lost(read_entries: ReadEntries) -> None:
    place = (
        '<participant typeCode="LOC"><participantRole><playingEntity><name>{}</name>'
        "</playingEntity></participantRole></participant>"
    )
    (entry,) = read_entries(
        PROCEDURES,
        f'<procedure><code code="1"/>{place.format("Ward")}{place.format("Theatre")}</procedure>',
    )
    assert entry.details["location"] == {"name": "Ward"}
    assert [each["name"] for each in entry.details["participant"]] == ["Theatre"]


def test_laterality_narrows_a_site(read_entries: ReadEntries) -> None:
    site = (
        '<targetSiteCode code="7771000" displayName="Knee"><qualifier><name code="272741003"/>'
        '<value code="7771000" displayName="Left"/></qualifier></targetSiteCode>'
    )
    (entry,) = read_entries(PROCEDURES, f'<procedure><code code="1"/>{site}</procedure>')
    (told,) = entry.details["target_site"]
    assert told["qualifiers"][0]["value"]["display"] == "Left"


def test_a_plain_statement_has_no_particulars(read_entries: ReadEntries) -> None:
    (entry,) = read_entries(PROBLEMS, f"<observation><code code='2'/>{CONDITION}</observation>")
    assert set(entry.details) == {"type"}


def test_the_dose_number_is_the_repeat_number_of_what_was_given(read_entries: ReadEntries) -> None:
    vaccine = (
        '<substanceAdministration moodCode="EVN"><repeatNumber value="2"/><consumable>'
        '<manufacturedProduct><manufacturedMaterial><code code="3"/></manufacturedMaterial>'
        "</manufacturedProduct></consumable></substanceAdministration>"
    )
    (entry,) = read_entries(IMMUNIZATIONS, vaccine)
    assert entry.details["dose_number"] == "2"
