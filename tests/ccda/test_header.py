from collections.abc import Callable

from ccda import ClinicalDocument, parse_document
from ccda.hl7v3 import CD, II, TS


def test_a_document_says_what_it_is(whole_record: ClinicalDocument) -> None:
    assert whole_record.id == II("1.3.6.1.4.1.99999.1", "CCD-7")
    assert whole_record.set_id == II("1.3.6.1.4.1.99999.1", "SET-7")
    assert whole_record.version == "3"
    assert whole_record.code is not None and whole_record.code.code == "34133-9"
    assert whole_record.effective_time == TS("20240312101500-0500")
    assert (whole_record.confidentiality, whole_record.language) == ("N", "en-US")


def test_a_comment_in_the_title_does_not_cut_it(whole_record: ClinicalDocument) -> None:
    assert whole_record.title == "Continuity of Care Document"


def test_a_template_repeated_without_its_version_is_listed_once(
    whole_record: ClinicalDocument,
) -> None:
    roots = ("2.16.840.1.113883.10.20.22.1.1", "2.16.840.1.113883.10.20.22.1.2")
    assert whole_record.templates == roots


def test_what_a_document_replaces_is_named(whole_record: ClinicalDocument) -> None:
    (related,) = whole_record.related
    assert (related.type_code, related.version) == ("RPLC", "2")
    assert str(related.id) == "1.3.6.1.4.1.99999.1^CCD-6"
    assert related.set_id == whole_record.set_id


def test_the_patient_is_read_whole(whole_record: ClinicalDocument) -> None:
    patient = whole_record.patient
    assert [str(name) for name in patient.names] == ["Ms. Ada M Quill", "Addie Quill"]
    assert [name.use for name in patient.names] == ["L", "P"]
    assert patient.ids == (
        II("1.3.6.1.4.1.99999.2", "MRN-42"),
        II("2.16.840.1.113883.4.1", null_flavor="UNK"),
    )
    assert (patient.birth_time, patient.gender) == (TS("19590712"), "F")
    assert patient.addresses[0].city == "Springfield"
    assert patient.telecoms[0].value == "tel:+1(555)555-0142"
    assert patient.race is not None and patient.race.code == "2106-3"
    assert patient.ethnicity is not None and patient.ethnicity.code == "2186-5"


def test_the_preferred_language_is_the_patients(whole_record: ClinicalDocument) -> None:
    assert whole_record.patient.language == "en"


def test_a_person_and_a_device_may_both_be_authors(whole_record: ClinicalDocument) -> None:
    person, device = whole_record.authors
    assert (person.name, person.organization, person.device) == (
        "Grace Okafor",
        "Elm Clinic",
        None,
    )
    assert (device.name, device.device) == (None, "Chartwright")
    assert device.time == TS("20240312101400-0500")
    assert device.ids == ()


def test_custodian_and_encounter_are_named(whole_record: ClinicalDocument) -> None:
    assert whole_record.custodian == "Elm Health"
    encounter = whole_record.encounter
    assert encounter is not None
    assert (encounter.location, encounter.start) == ("Elm Clinic East", TS("20240312"))
    assert encounter.code is not None and encounter.code.code == "AMB"


def test_an_empty_document_says_nothing_and_what_it_lacks() -> None:
    document = parse_document(b'<ClinicalDocument xmlns="urn:hl7-org:v3"/>')
    assert (document.id, document.code, document.title, document.custodian) == (None,) * 4
    assert (document.patient.names, document.encounter, document.authors) == ((), None, ())
    assert [issue.text for issue in document.issues] == [
        "the document has no id",
        "the document has no code",
        "the document has no effectiveTime",
        "the document has no recordTarget",
    ]


def test_a_race_that_is_stated_outweighs_an_unknown_one(
    sample: Callable[[str], bytes],
) -> None:
    stated = b'<raceCode nullFlavor="UNK"/><sdtc:raceCode code="2028-9"/>'
    data = sample("whole_record.xml").replace(
        b'<raceCode code="2106-3" codeSystem="2.16.840.1.113883.6.238" displayName="White"/>',
        stated,
    )
    assert parse_document(data).patient.race == CD("2028-9")


def test_a_document_about_several_people_is_an_error(sample: Callable[[str], bytes]) -> None:
    data = sample("whole_record.xml").replace(b"<author>", b"<recordTarget/><author>", 1)
    document = parse_document(data)
    assert document.patient.gender == "F"
    assert [issue.severity for issue in document.issues] == ["error"]
