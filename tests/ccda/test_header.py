import json
import re
from collections.abc import Callable
from dataclasses import replace

import pytest

from ccda import ClinicalDocument, parse_document, read_participations
from ccda.hl7v3 import CD, II, IVL, TS
from ccda.json_form import document_json
from ccda.model import Device, Language, Participant
from ccda.participations import read_service_events
from tests.conformance import assert_valid_clinical_document


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


# ---- everything that a header may say ----------------------------------------------------------


@pytest.fixture
def document(sample: Callable[[str], bytes]) -> ClinicalDocument:
    return parse_document(sample("whole_header.xml"))


@pytest.fixture
def took_part(document: ClinicalDocument) -> Callable[[str], tuple[Participant, ...]]:
    participants = read_participations(document).participants
    return lambda kind: tuple(one for one in participants if one.kind == kind)


def test_the_sample_is_a_valid_document_without_oddities(
    sample: Callable[[str], bytes], document: ClinicalDocument
) -> None:
    assert_valid_clinical_document(sample("whole_header.xml"))
    assert document.issues == ()


def test_what_a_patient_is_called_and_was_called(document: ClinicalDocument) -> None:
    now, before = document.patient.names
    assert (str(now), now.qualifiers) == ("Bo Marsh", (("given", "Bo", "CL"),))
    assert (str(before), before.qualifiers) == ("Bo Reed", (("family", "Reed", "BR"),))
    assert before.valid == IVL(TS("19480207"), TS("1970"))


def test_where_a_patient_lives_and_since_when(document: ClinicalDocument) -> None:
    (address,), (phone,) = document.patient.addresses, document.patient.telecoms
    assert (address.lines, address.others) == (("2 Elm Road",), (("unitID", "4b"),))
    assert address.period == IVL(TS("2015"), TS(None, "NA"))
    assert phone.period == IVL(TS("20200101"))


def test_a_patient_who_died_is_said_to_have(document: ClinicalDocument) -> None:
    patient = document.patient
    assert (patient.deceased, patient.deceased_time) == (True, TS("202403"))
    assert (patient.multiple_birth, patient.birth_order) == (True, "2")


def test_nothing_said_of_death_is_neither_dead_nor_alive(whole_record: ClinicalDocument) -> None:
    patient = whole_record.patient
    assert (patient.deceased, patient.deceased_time, patient.multiple_birth) == (None,) * 3


def test_every_race_and_an_unknown_gender_are_kept(document: ClinicalDocument) -> None:
    patient = document.patient
    assert [race.code or race.null_flavor for race in patient.races] == ["ASKU", "2028-9", "2039-6"]
    assert patient.race is not None and patient.race.code == "2028-9"
    assert [ethnicity.code for ethnicity in patient.ethnicities] == ["2186-5"]
    assert (patient.gender, patient.gender_code) == (None, CD(None, null_flavor="UNK"))


def test_a_patients_state_faith_and_birthplace(document: ClinicalDocument) -> None:
    patient = document.patient
    assert patient.marital_status is not None and patient.marital_status.code == "W"
    assert patient.religion is not None and patient.religion.code == "1041"
    assert patient.birthplace is not None and patient.birthplace.address is not None
    assert patient.birthplace.address.city == "Albany"


def test_every_language_has_its_mode_proficiency_and_preference(
    document: ClinicalDocument,
) -> None:
    spoken, other = document.patient.languages
    assert spoken.mode is not None and spoken.proficiency is not None
    assert (spoken.mode.code, spoken.proficiency.code, spoken.preferred) == ("ESP", "G", True)
    assert other == Language("en", preferred=False)
    assert document.patient.language == "ja"


def test_a_guardian_has_a_relationship(document: ClinicalDocument) -> None:
    (guardian,) = document.patient.guardians
    assert guardian.code is not None and guardian.code.code == "DAU"
    assert [str(name) for name in guardian.names] == ["Kit Marsh"]
    assert (guardian.addresses[0].lines, guardian.telecoms[0].value) == (
        ("3 Elm Road",),
        "tel:+1(555)555-0144",
    )


def test_who_provides_the_care_is_an_organization_in_full(document: ClinicalDocument) -> None:
    provider = document.patient.provider
    assert provider is not None
    assert (provider.names, str(provider.ids[0])) == (
        ("Elm Clinic",),
        "2.16.840.1.113883.4.6^1234567893",
    )
    assert provider.addresses[0].city == "Springfield"
    assert provider.telecoms[0].value == "tel:+1(555)555-0100"


@pytest.mark.parametrize(
    ("kind", "type_code", "named"),
    [
        ("author", "AUT", ["Dr. Grace Okafor", "Chartwright 9"]),
        ("dataEnterer", "ENT", ["Ivo Typer"]),
        ("informant", "INF", ["Nora Lind", "Lee Marsh"]),
        ("custodian", "CST", ["Elm Health"]),
        ("informationRecipient", "TRC", ["Una Reyes"]),
        ("legalAuthenticator", "LA", ["Dr. Grace Okafor"]),
        ("authenticator", "AUTHEN", ["Max Adeyemi"]),
        ("participant", "IND", ["Pat Marsh", "Acme Health Plan"]),
    ],
)
def test_everyone_is_named_with_the_part_they_took(
    took_part: Callable[[str], tuple[Participant, ...]],
    kind: str,
    type_code: str,
    named: list[str],
) -> None:
    found = took_part(kind)
    assert found[0].type_code == type_code
    for one, name in zip(found, named, strict=True):
        device = one.device.software if one.device else None
        organizations = one.organization.names if one.organization else ()
        assert name.removeprefix("Dr. ") in (
            *(str(person).removeprefix("Dr. ") for person in one.names), device, *organizations
        )  # fmt: skip


def test_an_author_has_function_specialty_address_and_a_larger_organization(
    took_part: Callable[[str], tuple[Participant, ...]],
) -> None:
    person, device = took_part("author")
    assert person.function is not None and person.function.code == "PCP"
    assert person.code is not None and person.code.code == "207RP1001X"
    assert person.time == IVL(value=TS("202403121010-0500"))
    assert (person.addresses[0].city, person.telecoms[0].use) == ("Springfield", "WP")
    assert person.organization is not None and person.organization.part_of is not None
    assert person.organization.part_of.names == ("Elm Health",)
    assert device.device == Device("Chartwright", "Chartwright 9")


def test_roles_keep_class_code_time_and_signature(
    took_part: Callable[[str], tuple[Participant, ...]],
) -> None:
    _, spouse = took_part("informant")
    son, plan = took_part("participant")
    (signer,) = took_part("legalAuthenticator")
    assert (spouse.role_class, spouse.code and spouse.code.code) == ("PRS", "SPS")
    assert (son.role_class, son.time) == ("ECON", IVL(TS("2019"), TS(None, "UNK")))
    assert (plan.type_code, plan.role_class, plan.time) == (
        "HLD",
        "POLHOLD",
        IVL(value=TS("2024")),
    )
    assert signer.signature == "S"


def test_the_care_team_is_whoever_performed_the_service(document: ClinicalDocument) -> None:
    (event,) = read_participations(document).service_events
    assert (event.class_code, event.code and event.code.code) == ("PCPR", "225728007")
    assert (str(event.ids[0]), event.time) == (
        "1.3.6.1.4.1.99999.11^SE-1",
        IVL(TS("20100101"), TS("20240312")),
    )
    doctor, nurse = event.performers
    assert doctor.function is not None and doctor.function.code == "PCP"
    assert doctor.time == IVL(TS("2010"))
    assert (nurse.type_code, str(nurse.names[0]), nurse.ids) == (
        "SPRF",
        "Ola Berg, RN",
        (II(None, null_flavor="UNK"),),
    )


def test_orders_consents_and_related_documents_are_read(document: ClinicalDocument) -> None:
    (order,), (consent,), (related,) = document.orders, document.consents, document.related
    assert order.code is not None and order.priority is not None
    assert (str(order.ids[0]), order.code.code, order.priority.code) == (
        "1.3.6.1.4.1.99999.10^REF-1",
        "3457005",
        "R",
    )
    assert (consent.code and consent.code.code, consent.status) == ("64292-6", "completed")
    assert (related.type_code, related.text) == ("APND", "The note of the first visit")
    assert related.code is not None and related.code.code == "34117-2"


def test_an_encounter_is_read_in_full(document: ClinicalDocument) -> None:
    encounter = document.encounter
    assert encounter is not None and encounter.place is not None
    assert encounter.disposition is not None and encounter.disposition.code == "01"
    assert [(one.kind, one.type_code) for one in encounter.participants] == [
        ("responsibleParty", "RESP"),
        ("encounterParticipant", "ATND"),
    ]
    place = encounter.place
    assert place.address is not None and place.organization is not None
    assert (place.name, place.address.lines, place.organization.names) == (
        "Chest ward",
        ("7 Main Street",),
        ("Elm Hospital",),
    )
    assert encounter.location == "Chest ward"


# ---- how long it took --------------------------------------------------------------------------

_TIMED = """<ClinicalDocument xmlns="urn:hl7-org:v3"><documentationOf><serviceEvent>
<effectiveTime>{time}</effectiveTime></serviceEvent></documentationOf><componentOf>
<encompassingEncounter><effectiveTime>{time}</effectiveTime></encompassingEncounter></componentOf>
</ClinicalDocument>"""


def timed(time: str) -> ClinicalDocument:
    return parse_document(_TIMED.format(time=time).encode())


@pytest.mark.parametrize(
    ("time", "low", "high"),
    [
        ('<low value="20240101"/><width value="3" unit="d"/>', "20240101", "20240104"),
        ('<low value="20240131"/><width value="1" unit="mo"/>', "20240131", "20240229"),
        ('<width value="2" unit="wk"/><high value="20240115"/>', "20240101", "20240115"),
        (
            '<low value="202401012300-0500"/><width value="90" unit="min"/>',
            "202401012300-0500",
            "202401020030-0500",
        ),
        ('<center value="20240611"/><width value="10" unit="d"/>', "20240606", "20240616"),
        (
            '<center value="202406111200"/><width value="1" unit="h"/>',
            "202406111130",
            "202406111230",
        ),
        # What the width leads to nobody can say.
        ('<low value="2024"/><width value="3" unit="d"/>', "2024", None),
        ('<low value="20240101"/><width value="3" unit="moons"/>', "20240101", None),
        ('<low value="20240101"/><high value="20240102"/><width value="9" unit="d"/>',
         "20240101", "20240102"),
        ('<center value="20240611"/><width value="3" unit="d"/>', None, None),
        ('<center value="20240611"/><width value="2" unit="mo"/>', None, None),
        ('<width value="3" unit="d"/>', None, None),
    ],
)  # fmt: skip
def test_a_width_tells_when_a_visit_or_service_ended(
    time: str, low: str | None, high: str | None
) -> None:
    document = timed(time)
    visit, (service,) = document.encounter, read_service_events(document)
    assert visit is not None
    ends = [(visit.start, visit.end)]
    ends += [(service.time.low, service.time.high)] if service.time is not None else []
    assert {(a and a.value, b and b.value) for a, b in ends} == {(low, high)}


def test_a_visit_of_one_moment_is_known_from_one_that_has_begun() -> None:
    document = timed("").encounter
    begun = timed('<low value="20240101"/>').encounter
    whole = _TIMED.replace("<effectiveTime>{time}</effectiveTime>", '<effectiveTime value="2024"/>')
    at = parse_document(whole.encode()).encounter
    assert document is not None and begun is not None and at is not None
    assert (document.start, document.is_moment) == (None, False)
    assert (begun.start, begun.is_moment) == (TS("20240101"), False)
    assert (at.start, at.is_moment) == (TS("2024"), True)


def test_the_state_of_a_document_is_read(document: ClinicalDocument) -> None:
    assert (document.status, document.copy_time, document.realms) == (
        "active",
        TS("20240313"),
        ("US",),
    )


def test_all_that_a_header_says_is_in_the_json(document: ClinicalDocument) -> None:
    told = json.dumps(document_json(document)["document"])
    for fact in (
        "Bo", "BR", "4b", "2024-03", "Widowed", "Roman Catholic", "2039-6", "Albany", "DAU", "ESP",
        "Chartwright 9", "Typer", "Lind", "SPS", "Reyes", "Lake Hospital", "AUTHEN", "ECON",
        "PLAN-1", "REF-1", "Routine", "Asthma care", "Ola Berg, RN", "first visit", "CON-1",
        "Discharged to home", "ATND", "7 Main Street", "Elm Hospital", "2024-03-13",
    ):  # fmt: skip
        assert fact in told, fact


# ---- odd headers -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("written", "instead", "text"),
    [
        ('deceasedInd value="true"', 'deceasedInd value="false"', "said to be alive"),
        ('typeCode="APND"', 'typeCode="XXX"', "neither replaced"),
        ('extension="NOTE-8"', 'extension="NOTE-9"', "names itself"),
        ('<low value="20240310"/>', '<low value="202404"/>', "ends before it starts"),
    ],
)
def test_what_is_odd_in_a_header_is_an_issue(
    sample: Callable[[str], bytes], written: str, instead: str, text: str
) -> None:
    data = sample("whole_header.xml").decode().replace(written, instead).encode()
    (issue,) = parse_document(data).issues
    assert text in issue.text


def test_others_whom_a_document_is_about_are_kept_apart(sample: Callable[[str], bytes]) -> None:
    second = b"""<recordTarget><patientRole><patient><name><given>Eve</given></name></patient>
        </patientRole></recordTarget>"""
    data = sample("whole_header.xml").replace(b"</recordTarget>", b"</recordTarget>" + second, 1)
    document = parse_document(data)
    assert str(document.patient.names[0]) == "Bo Marsh"
    assert [str(other.names[0]) for other in document.other_patients] == ["Eve"]


@pytest.mark.parametrize(
    "spell",
    [
        lambda text: text.encode("utf-16"),
        lambda text: text.replace("<component>", '<component typeCode="COMP">').encode(),
        lambda text: text.replace("Asthma, better.", "Asthma, better &nbsp; soon").encode(),
        lambda text: (
            re.sub(r"(</?)(?=[a-zA-Z])(?!sdtc)", r"\1h:", text)
            .replace("xmlns=", "xmlns:h=")
            .replace("h:?", "?")
            .encode()
        ),
    ],
    ids=["in UTF-16", "with an attribute", "in need of recovery", "with a prefix"],
)
def test_everyone_is_found_however_the_document_is_spelled(
    sample: Callable[[str], bytes], document: ClinicalDocument, spell: Callable[[str], bytes]
) -> None:
    text = sample("whole_header.xml").decode().replace('encoding="UTF-8"', "")
    assert read_participations(parse_document(spell(text))) == read_participations(document)


def test_a_document_keeps_no_more_of_its_bytes_than_the_header(
    sample: Callable[[str], bytes],
) -> None:
    head = parse_document(sample("whole_header.xml")).head
    assert b"encompassingEncounter" in head
    assert b"structuredBody" not in head


def test_a_head_that_ends_inside_more_than_its_root_is_read_the_same(
    sample: Callable[[str], bytes],
) -> None:
    document = parse_document(sample("whole_header.xml"))
    open_still = replace(document, head=document.head + b"<documentationOf><serviceEvent>")
    read, again = read_participations(document), read_participations(open_still)
    assert again.participants == read.participants
    assert again.service_events[:-1] == read.service_events == read_service_events(document)


def test_a_head_that_nests_deeper_than_a_document_may_costs_nobody(
    sample: Callable[[str], bytes],
) -> None:
    """What was never closed ends elsewhere in the head than in the whole."""
    document = parse_document(sample("whole_header.xml"))
    deep = replace(document, head=document.head + b"<x>" * 300, recovered=True)
    assert read_participations(deep) == read_participations(document)


def test_the_whole_of_wholes_is_read_no_deeper_than_can_be_compared() -> None:
    before, after = (
        "<asOrganizationPartOf><wholeOrganization>",
        "</wholeOrganization></asOrganizationPartOf>",
    )
    xml = (
        '<ClinicalDocument xmlns="urn:hl7-org:v3"><recordTarget><patientRole><providerOrganization>'
        f"{before * 100}{after * 100}"
        "</providerOrganization></patientRole></recordTarget></ClinicalDocument>"
    ).encode()
    document = parse_document(xml)
    assert document.patient == parse_document(xml).patient
    assert repr(document.patient.provider).count("Organization(") == 9
    told = "codes or organizations stand deeper in one another than is read"
    assert [issue.text for issue in document.issues].count(told) == 1
