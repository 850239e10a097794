"""ITI-55 as written and as read."""

from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ccda.hl7v3 import AD, II, PN, TEL, TS, US_SSN, v3
from ccda.safe_xml import Element, parse_xml
from ihe.errors import CommunityCouldNotAnswer, MalformedMessage, UnexpectedMessage
from ihe.identifiers import HomeCommunityId, Oid, PatientId
from ihe.soap import ITI_55_ANSWER
from ihe.xcpd import (
    Demographics,
    Discovery,
    Match,
    Matched,
    MoreDemographicsRequested,
    NoMatch,
    PatientDiscoveryRequest,
    read_discovery_request,
    read_discovery_response,
    write_discovery_request,
    write_discovery_response,
)
from tests.ihe_conformance import assert_valid_body

SAMPLES = Path(__file__).parents[1] / "samples" / "ihe"
ASKER = HomeCommunityId(Oid("2.999.10"))
ASKED = HomeCommunityId(Oid("2.999.20"))
PERSON = Demographics(
    names=(PN("Fault", ("Dana", "Q"), use="L"), PN("Former", ("Dana",))),
    birth_time=TS("19800229"),
    gender="F",
    addresses=(AD(("1 Pier",), "Harbor", "WA", "98000", "US"), AD(("2 Quay",))),
    telecoms=(TEL("tel:+1-555-0100", "HP"), TEL("mailto:dana@example.org")),
    ids=(II(US_SSN, "000-00-0001"),),
    mothers_maiden_name=PN("Maiden"),
    birth_place=AD((), "Harbor"),
    birth_place_name="Harbor General",
)
REQUEST = PatientDiscoveryRequest(
    message_id=II("2.999.10.1", "m-1"),
    creation_time=TS("20260301091500+0000"),
    sender=ASKER,
    receiver=ASKED,
    query_id=II("2.999.10.2", "q-1"),
    demographics=PERSON,
    patient_id=PatientId("P-77", Oid("2.999.10.5")),
    sender_authority=Oid("2.999.10.5"),
)
MATCH = Match(PatientId("A-1", Oid("2.999.20.5")), ASKED, PERSON, degree=92)


def sample(name: str) -> Element:
    return parse_xml((SAMPLES / f"{name}.xml").read_bytes())


def answered(discovery: Discovery | CommunityCouldNotAnswer) -> Element:
    written = write_discovery_response(
        discovery,
        request=REQUEST,
        message_id=II("2.999.20.1", "r-1"),
        creation_time=TS("20260301091501+0000"),
        sender=ASKED,
    )
    assert written.tag == ITI_55_ANSWER.root
    return parse_xml(written.xml)


# ---- request ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "request_value",
    [
        REQUEST,
        replace(REQUEST, patient_id=None, sender_authority=None, receiver=None),
        replace(REQUEST, deferred=True, respond_to="https://asker.example/ihe/xcpd"),
        replace(REQUEST, minimum_degree_match=80, processing="T"),
        replace(REQUEST, demographics=Demographics(ids=PERSON.ids)),
        replace(REQUEST, care_provider_ids=(II("2.16.840.1.113883.4.6", "1999999999"),)),
    ],
)
def test_a_request_written_is_valid_and_reads_back_the_same(
    request_value: PatientDiscoveryRequest,
) -> None:
    written = write_discovery_request(request_value)
    assert_valid_body(written)
    assert read_discovery_request(written) == request_value


WORDS = st.text(st.characters(categories=("L", "N", "P", "S")), min_size=1, max_size=20)
NAMES = st.builds(PN, family=WORDS, given=st.lists(WORDS, max_size=3).map(tuple))
ADDRESSES = st.builds(AD, lines=st.lists(WORDS, max_size=2).map(tuple), city=WORDS)
PEOPLE = st.builds(
    Demographics,
    names=st.lists(NAMES, min_size=1, max_size=3, unique=True).map(tuple),
    birth_time=st.dates().map(lambda day: TS(f"{day:%Y%m%d}".zfill(8))),
    gender=st.sampled_from([None, "F", "M", "UN", "UNK", "FTM", "MTF"]),
    addresses=st.lists(ADDRESSES, max_size=3, unique=True).map(tuple),
    telecoms=st.lists(
        st.integers(1, 10**9).map(lambda number: TEL(f"tel:{number}")), max_size=3, unique=True
    ).map(tuple),
    ids=st.lists(
        st.integers(1, 10**9).map(lambda number: II(US_SSN, str(number))), max_size=2, unique=True
    ).map(tuple),
    mothers_maiden_name=st.none() | NAMES,
    birth_place_name=st.none() | WORDS,
)


@given(PEOPLE)
def test_whatever_a_person_is_called_goes_out_and_comes_back(person: Demographics) -> None:
    request = replace(REQUEST, demographics=person)
    written = write_discovery_request(request)
    assert_valid_body(written)
    assert read_discovery_request(written) == request
    match = replace(MATCH, demographics=person)
    assert read_discovery_response(answered(Matched((match,)))).discovery == Matched((match,))


@pytest.mark.parametrize(
    "broken",
    [
        replace(REQUEST, demographics=Demographics(names=PERSON.names), patient_id=None),
        replace(REQUEST, demographics=replace(PERSON, ids=(II("2.999", None),))),
        replace(REQUEST, deferred=True),
        replace(REQUEST, sender_authority=None),
        replace(REQUEST, minimum_degree_match=101),
    ],
)
def test_a_request_against_the_rules_is_not_written(broken: PatientDiscoveryRequest) -> None:
    with pytest.raises(ValueError):
        write_discovery_request(broken)


def test_a_request_with_more_than_the_rules_allow_is_understood() -> None:
    request = read_discovery_request(sample("discovery_request_generous"))
    person = request.demographics
    assert request.sender == ASKER
    assert request.receiver == ASKED
    assert person.gender == "FTM"
    assert [str(name) for name in person.names] == ["Dana Q Fault", "Dana Former"]
    assert [address.lines for address in person.addresses] == [("1 Pier",), ("2 Quay",)]
    assert [telecom.value for telecom in person.telecoms] == [
        "tel:+1-555-0100",
        "mailto:dana@example.org",
    ]
    assert person.ids == (II(US_SSN, "000-00-0001"),)
    assert request.patient_id == PatientId("P-77", Oid("2.999.10.5"))
    assert request.creation_time == TS("2026-03-01T09:15:00Z")


def test_repeated_values_and_repeated_parameters_are_all_read() -> None:
    """Several `value`s in one element, several elements of one name, and null flavours between."""
    written = write_discovery_request(REQUEST)
    parameters = written.find(".//{*}parameterList")
    assert parameters is not None
    for name in list(parameters):
        parameters.remove(name)
    for name, values in (
        ("livingSubjectAdministrativeGender", ('nullFlavor="UNK"', 'code="F"')),
        ("livingSubjectBirthTime", ('nullFlavor="UNK"', 'value="19800229"')),
        ("livingSubjectId", (f'root="{US_SSN}" extension="1"', 'nullFlavor="NA"')),
        ("livingSubjectId", ('root="2.16.840.1.113883.4.3.17" extension="D1"',)),
        ("patientTelecom", ('value="tel:1"', 'nullFlavor="UNK"', 'value="tel:2"')),
        ("patientTelecom", ('value="tel:3"',)),
    ):
        inside = "".join(f"<value {value}/>" for value in values)
        parameters.append(parse_xml(f'<{name} xmlns="urn:hl7-org:v3">{inside}</{name}>'.encode()))
    for names in (("One", "Two"), ("Three",)):
        inside = "".join(f"<value><family>{name}</family></value>" for name in names)
        parameters.append(
            parse_xml(
                f'<livingSubjectName xmlns="urn:hl7-org:v3">{inside}</livingSubjectName>'.encode()
            )
        )
    for zips in (("1", "2"), ("3",)):
        inside = "".join(f"<value><postalCode>{zip5}</postalCode></value>" for zip5 in zips)
        parameters.append(
            parse_xml(f'<patientAddress xmlns="urn:hl7-org:v3">{inside}</patientAddress>'.encode())
        )
    person = read_discovery_request(written).demographics
    assert person.gender == "F"
    assert person.birth_time == TS("19800229")
    assert [name.family for name in person.names] == ["One", "Two", "Three"]
    assert [address.postal_code for address in person.addresses] == ["1", "2", "3"]
    assert [telecom.value for telecom in person.telecoms] == ["tel:1", "tel:2", "tel:3"]
    assert [identifier.extension for identifier in person.ids] == ["1", "D1"]


def test_a_request_of_bare_necessities_is_understood() -> None:
    request = read_discovery_request(sample("discovery_request_bare"))
    assert request.demographics.names == (PN(text="Dana Fault"),)
    assert request.demographics.birth_time == TS("19800229")
    assert request.receiver is None
    assert request.demographics.gender is None
    assert not request.deferred


def test_an_answer_to_an_odd_request_is_valid_all_the_same() -> None:
    for name in ("discovery_request_generous", "discovery_request_bare"):
        request = read_discovery_request(sample(name))
        written = write_discovery_response(
            NoMatch(),
            request=request,
            message_id=II("2.999.20.1", "r-1"),
            creation_time=TS("2026-03-01T09:15:01Z"),
            sender=ASKED,
        )
        answer = parse_xml(written.xml)
        assert_valid_body(answer)
        assert answer.find(v3("creationTime")).get("value") == "20260301091501+0000"


@pytest.mark.parametrize("path", ["id", "sender", "controlActProcess"])
def test_a_request_without_its_essentials_is_refused(path: str) -> None:
    element = write_discovery_request(REQUEST)
    element.remove(element.find(v3(path)))
    with pytest.raises(MalformedMessage, match=r"missing|names no home"):
        read_discovery_request(element)


def test_another_message_is_unexpected() -> None:
    with pytest.raises(UnexpectedMessage):
        read_discovery_request(answered(NoMatch()))
    with pytest.raises(UnexpectedMessage):
        read_discovery_response(write_discovery_request(REQUEST))


# ---- response --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "discovery",
    [
        Matched((MATCH,)),
        Matched((MATCH, replace(MATCH, supports_locator=True, degree=None))),
        NoMatch(),
        MoreDemographicsRequested(("PatientAddressRequested", "SSNRequested")),
        MoreDemographicsRequested((), ("ShoeSizeRequested",)),
    ],
)
def test_an_answer_written_is_valid_and_reads_back_the_same(discovery: Discovery) -> None:
    written = answered(discovery)
    assert_valid_body(written)
    response = read_discovery_response(written)
    assert response.discovery == discovery
    assert response.request_id == REQUEST.message_id
    assert response.query_id == REQUEST.query_id
    assert response.sender == ASKED


@pytest.mark.parametrize("problem", ["ResponderBusy", "AnswerNotAvailable", None])
def test_a_community_that_could_not_answer_is_raised_with_its_problem(problem: str | None) -> None:
    written = answered(CommunityCouldNotAnswer(problem))
    assert_valid_body(written)
    with pytest.raises(CommunityCouldNotAnswer) as caught:
        read_discovery_response(written)
    assert caught.value.problem == problem


def test_no_match_is_an_answer_not_a_fault() -> None:
    assert read_discovery_response(answered(NoMatch())).discovery == NoMatch()


def test_a_person_surnamed_fault_is_a_person() -> None:
    discovery = read_discovery_response(answered(Matched((MATCH,)))).discovery
    assert isinstance(discovery, Matched)
    assert discovery.matches[0].demographics.names[0].family == "Fault"


def test_a_problem_told_only_by_the_acknowledgement_is_heard() -> None:
    with pytest.raises(CommunityCouldNotAnswer) as caught:
        read_discovery_response(sample("discovery_response_internal_error"))
    assert caught.value.problem == "INTERR"


def test_misspelt_codes_are_known_and_unknown_ones_are_kept() -> None:
    response = read_discovery_response(sample("discovery_response_misspelt_request_for_more"))
    assert response.discovery == MoreDemographicsRequested(
        ("PatientAddressRequested", "SSNRequested"), ("ShoeSizeRequested",)
    )


def test_a_match_without_custodian_is_of_the_sender_and_a_useless_one_is_counted() -> None:
    discovery = read_discovery_response(sample("discovery_response_device_only")).discovery
    assert isinstance(discovery, Matched)
    (match,) = discovery.matches
    assert match.home_community_id == ASKED
    assert match.demographics.addresses == (AD(city="Harbor"),)
    assert match.demographics.ids == (II("2.999.20.6", "B-1"),)
    assert match.demographics.mothers_maiden_name == PN("Maiden")
    assert discovery.unreadable == 1


def test_the_community_asked_stands_in_where_the_answer_names_none() -> None:
    element = sample("discovery_response_device_only")
    element.remove(element.find(v3("sender")))
    with pytest.raises(MalformedMessage, match="no home community"):
        read_discovery_response(element)
    discovery = read_discovery_response(element, asked=ASKED).discovery
    assert isinstance(discovery, Matched)
    assert discovery.matches[0].home_community_id == ASKED


def test_not_found_together_with_a_person_is_refused() -> None:
    element = answered(Matched((MATCH,)))
    element.find(f".//{v3('queryResponseCode')}").set("code", "NF")
    with pytest.raises(MalformedMessage, match="not found"):
        read_discovery_response(element)


def test_an_answer_that_says_nothing_is_refused_rather_than_no_match() -> None:
    element = answered(NoMatch())
    element.remove(element.find(v3("acknowledgement")))
    act = element.find(v3("controlActProcess"))
    act.remove(act.find(v3("queryAck")))
    with pytest.raises(MalformedMessage, match="neither"):
        read_discovery_response(element)


def test_matched_without_a_match_is_not_written() -> None:
    with pytest.raises(ValueError):
        answered(Matched(()))


def test_a_person_without_a_name_is_not_answered() -> None:
    with pytest.raises(ValueError):
        answered(Matched((replace(MATCH, demographics=Demographics()),)))


@pytest.mark.parametrize(
    ("stated", "written"),
    [
        ("2026-03-01T09:15:00Z", "20260301091500+0000"),
        ("2026-03-01", "20260301"),
        ("2026-03", "202603"),
        ("20260301091500-0500", "20260301091500-0500"),
        ("2026-0500", "2026-0500"),
    ],
)
def test_times_leave_as_hl7_writes_them(stated: str, written: str) -> None:
    element = write_discovery_request(replace(REQUEST, creation_time=TS(stated)))
    assert element.find(v3("creationTime")).get("value") == written


# ---- degrees of match ------------------------------------------------------------------------

IMPOSSIBLE = pytest.mark.parametrize("degree", ["-1", "101", str(10**25), "0.92", ""])


@IMPOSSIBLE
def test_a_degree_that_is_none_is_left_out_of_an_answer(degree: str) -> None:
    answer = answered(Matched((MATCH,)))
    value = answer.find(".//{*}queryMatchObservation/{*}value")
    assert value is not None
    value.set("value", degree)
    read = read_discovery_response(answer).discovery
    assert read == Matched((replace(MATCH, degree=None),))


@IMPOSSIBLE
def test_a_degree_that_is_none_is_left_out_of_a_question(degree: str) -> None:
    question = write_discovery_request(replace(REQUEST, minimum_degree_match=80))
    value = question.find(".//{*}minimumDegreeMatch/{*}value")
    assert value is not None
    value.set("value", degree)
    assert read_discovery_request(question) == REQUEST
