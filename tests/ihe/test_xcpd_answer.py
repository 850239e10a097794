"""ITI-55 answers that say a thing twice, or one thing in two ways: what is made of them."""

import pytest

from ccda.hl7v3 import II, US_SSN, v3
from ccda.hl7v3_writing import write_ii
from ccda.safe_xml import Element
from ihe.errors import CommunityCouldNotAnswer, MalformedMessage
from ihe.identifiers import Oid, PatientId
from ihe.xcpd import Matched, NoMatch, read_discovery_response
from tests.ihe.test_xcpd import MATCH, PERSON, REQUEST, answered

PROBLEM = "1.3.6.1.4.1.19376.1.2.27.3"

# ---- which id is asked for -------------------------------------------------------------------


def with_ids(*ids: II) -> Element:
    """The answer with these in place of the one id of the match."""
    element = answered(Matched((MATCH,)))
    patient = element.find(f".//{v3('patient')}")
    (own,) = patient.findall(v3("id"))
    for identifier in reversed(ids):
        write_ii(patient, "id", identifier)
        patient.insert(0, patient[-1])
    patient.remove(own)
    return element


THEIRS = II(str(MATCH.patient_id.authority), MATCH.patient_id.id)
NULL, SSN = II(None, null_flavor="MSK"), II(US_SSN, "523-45-6789")
ASKERS = II(str(REQUEST.sender_authority), "ours")


@pytest.mark.parametrize(
    "ids",
    [
        (NULL, THEIRS),
        (SSN, THEIRS),
        (ASKERS, THEIRS),
        (II("2.999.5"), II("no-oid", "1"), II("2.999.5", "  "), THEIRS),
        (NULL, ASKERS, SSN, THEIRS, II("2.999.5", "another")),
    ],
)
def test_of_several_ids_the_one_that_can_be_asked_for_is_taken(ids: tuple[II, ...]) -> None:
    discovery = read_discovery_response(with_ids(*ids)).discovery
    assert isinstance(discovery, Matched)
    (match,) = discovery.matches
    assert match.patient_id == MATCH.patient_id
    others = set(ids) - {NULL, THEIRS}
    assert set(match.demographics.ids) == {*others, *PERSON.ids}


def test_an_id_of_the_askers_authority_alone_is_taken() -> None:
    discovery = read_discovery_response(with_ids(NULL, ASKERS)).discovery
    assert isinstance(discovery, Matched)
    (match,) = discovery.matches
    assert match.patient_id == PatientId("ours", Oid(str(REQUEST.sender_authority)))


@pytest.mark.parametrize("ids", [(SSN,), (NULL,), (NULL, SSN), ()])
def test_without_an_id_that_can_be_asked_for_a_match_is_useless(ids: tuple[II, ...]) -> None:
    with pytest.raises(MalformedMessage, match="no patient id"):
        read_discovery_response(with_ids(*ids))


# ---- a problem of the community --------------------------------------------------------------


@pytest.mark.parametrize("answer", ["OK", "NF"])
@pytest.mark.parametrize(
    ("code", "system"),
    [("ResponderBusy", PROBLEM), ("TooTired", PROBLEM), ("InternalError", None)],
)
def test_a_problem_reported_in_an_answer_that_claims_to_be_well_is_no_no_match(
    answer: str, code: str, system: str | None
) -> None:
    element = answered(CommunityCouldNotAnswer("ResponderBusy"))
    element.find(f"{v3('acknowledgement')}/{v3('typeCode')}").set("code", "AA")
    element.find(f".//{v3('queryResponseCode')}").set("code", answer)
    said = element.find(f".//{v3('detectedIssueManagement')}/{v3('code')}")
    assert said.get("codeSystem") == PROBLEM
    said.set("code", code)
    if system is None:
        del said.attrib["codeSystem"]
    with pytest.raises(CommunityCouldNotAnswer) as caught:
        read_discovery_response(element)
    assert caught.value.problem == code


def test_an_issue_managed_in_another_way_is_no_problem_of_the_community() -> None:
    element = answered(CommunityCouldNotAnswer("ResponderBusy"))
    element.find(f"{v3('acknowledgement')}/{v3('typeCode')}").set("code", "AA")
    element.find(f".//{v3('queryResponseCode')}").set("code", "NF")
    said = element.find(f".//{v3('detectedIssueManagement')}/{v3('code')}")
    said.set("code", "13")
    said.set("codeSystem", "2.16.840.1.113883.5.4")
    assert read_discovery_response(element).discovery == NoMatch()
