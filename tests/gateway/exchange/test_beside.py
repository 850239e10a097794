"""What is told beside a code and makes it another thing: the side, the place, who pays."""

from typing import Any

import pytest

from ccda.fhir import summary_bundle
from ccda.hl7v3 import CD
from ccda.model import Entry, Kind
from tests.ccda.fhir.conftest import by_type, document_xml, section
from tests.ccda.written import summarized
from tests.gateway.exchange.records import LOINC, SNOMED, A, B, cited, entry, holding, lines, only

CATARACT = "193570009"
HIP = CD("304120007", SNOMED, "Hip prosthesis")
KNEE = CD("609588000", SNOMED, "Knee replacement")


def site(code: str | None, display: str | None, side: str | None = None) -> dict[str, Any]:
    form: dict[str, Any] = {"code": code, "system": SNOMED, "display": display}
    if side:
        lateral = {"code": "272741003", "system": SNOMED, "display": None}
        value = {"code": side, "system": SNOMED, "display": None}
        form["qualifiers"] = [{"name": lateral, "value": value}]
    return {"target_site": [form]}


def cataract(words: str | None = None, **details: Any) -> Entry:
    return entry("problem", CD(CATARACT, SNOMED, "Cataract", original_text=words), details=details)


@pytest.mark.parametrize(
    ("kind", "left", "right"),
    [
        ("device", site("287679003", "Left hip"), site("287579007", "Right hip")),
        ("problem", site("81745001", "Eye", "7771000"), site("81745001", "Eye", "24028007")),
        ("procedure", site(None, "left knee"), site(None, "Right knee")),
        ("procedure", site(None, "left knee"), site("6757004", "Right knee structure")),
        ("procedure", site(None, "knee"), site(None, "hip")),
        ("plan", site(None, "bilateral"), site(None, "left")),
    ],
)
def test_left_and_right_are_two(kind: Kind, left: dict[str, Any], right: dict[str, Any]) -> None:
    sides = [entry(kind, HIP, details=details) for details in (left, right)]
    found = lines(kind, holding(A, sides[0]), holding(B, sides[1]))
    assert sorted(cited(line) for line in found) == [["a"], ["b"]]


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (site(None, "Left knee"), site(None, "knee, LEFT")),
        (site(None, "the left knee"), site(None, "left knee structure")),
        (site(None, "left eye"), site("8966001", "Left eye structure")),
        (site("81745001", "Eye", "7771000"), site("81745001", "Eye")),
    ],
)
def test_one_place_in_two_spellings_is_one(one: dict[str, Any], other: dict[str, Any]) -> None:
    told = [entry("procedure", KNEE, time="2024", details=details) for details in (one, other)]
    assert len(lines("procedure", holding(A, told[0]), holding(B, told[1]))) == 1


def test_the_side_in_the_words_for_a_problem_counts_and_is_told() -> None:
    left, right = cataract("Cataract, left eye"), cataract("Cataract, right eye")
    found = lines("problem", holding(A, left, right), holding(B, right, cataract()))
    assert {line.display: len(line.sources) for line in found} == {
        "Cataract (left)": 2,
        "Cataract (right)": 2,
    }


def test_a_name_that_tells_two_sides_or_a_story_tells_none() -> None:
    for words in ("Right to left shunt", f"Left {'very ' * 100} late"):
        found = lines("problem", holding(A, cataract(words)), holding(B, cataract("right eye")))
        assert [cited(line) for line in found] == [["a", "b"]]


def test_a_device_has_its_number_wherever_it_was_put() -> None:
    number = {"device": [{"ids": ["2.16.840.1.113883.3.3719^(01)1(21)2"]}]}
    left, right = (
        entry("device", HIP, details={**number, **site(code, f"{side} hip")})
        for code, side in (("1", "Left"), ("2", "Right"))
    )
    assert cited(only("device", holding(A, left), holding(B, right))) == ["a", "b"]


# ---- where somebody was seen -----------------------------------------------------------------

VISIT = CD("99213", "2.16.840.1.113883.6.12", "Office visit")


def visit(place: str | None, time: str = "20240110", id_: str | None = None) -> Entry:
    details = {"location": {"name": place}} if place else {}
    return entry("encounter", VISIT, time=time, status=None, details=details, id_=id_)


def visits(*entries: Entry) -> list[list[str]]:
    one, other = entries
    return sorted(cited(line) for line in lines("encounter", holding(A, one), holding(B, other)))


def test_two_places_of_a_day_are_two_visits() -> None:
    both = visit("Clinic A"), visit("Hospital B")
    assert visits(*both) == [["a"], ["b"]]
    assert len(lines("encounter", holding(A, *both))) == 2


def test_a_hospital_and_its_ward_are_one_visit_and_so_is_a_place_nobody_names() -> None:
    assert visits(visit("General Hospital"), visit("General Hospital, Ward 5")) == [["a", "b"]]
    assert visits(visit("General Hospital"), visit(None)) == [["a", "b"]]


def test_nobody_is_at_two_places_in_one_minute() -> None:
    minute, midnight = "202401100915-0500", "202401100000-0500"
    one, other = "General Hospital", "Ward 5"
    assert visits(visit(one, minute), visit(other, minute)) == [["a", "b"]]
    assert visits(visit(one, midnight), visit(other, midnight)) == [["a"], ["b"]]
    assert len(lines("encounter", holding(A, visit(one, minute), visit(other, minute)))) == 2


def test_one_id_is_one_visit_whatever_the_place_is_called() -> None:
    assert visits(visit("Hospital", id_="1"), visit("Ward 5", id_="1")) == [["a", "b"]]


# ---- who pays, who cares ---------------------------------------------------------------------

PLAN = CD("HIP", "2.16.840.1.113883.6.255.1336", "Health insurance plan policy")


def covered(payer: str | None, *member_ids: str) -> Entry:
    details: dict[str, Any] = {"payer": {"name": payer}} if payer else {}
    if member_ids:
        details["member_ids"] = list(member_ids)
    return entry("coverage", PLAN, details=details)


def test_two_payers_are_two_where_no_number_tells() -> None:
    found = lines(
        "coverage",
        holding(A, covered("Aetna"), covered("Medicare")),
        holding(B, covered("MEDICARE"), covered(None)),
    )
    assert len(found) == 2
    assert sum(len(line.sources) for line in found) == 4


def test_one_number_is_one_coverage_however_the_payer_is_called() -> None:
    one, other = covered("Aetna", "2.999^1"), covered("Aetna Health Inc.", "2.999^1")
    assert len(lines("coverage", holding(A, one), holding(B, other))) == 1


@pytest.mark.parametrize("relation", ["", 'typeCode="COMP"', 'typeCode="REFR"'])
def test_nobody_is_a_member_of_a_team_that_is_denied(relation: str) -> None:
    told = (
        '<organizer classCode="CLUSTER" moodCode="EVN" negationInd="true">'
        '<templateId root="2.16.840.1.113883.10.20.22.4.500"/><code code="86744-0"/>'
        f'<component {relation}><act classCode="PCPR" moodCode="EVN">'
        '<templateId root="2.16.840.1.113883.10.20.22.4.500.1"/><code code="85847-2"/>'
        '<statusCode code="active"/><performer><assignedEntity><assignedPerson>'
        "<name>Grace Okafor</name></assignedPerson></assignedEntity></performer></act>"
        "</component></organizer>"
    )
    summary, patient = summarized([("a", document_xml(section("85847-2", told)))])
    (line,) = summary.section("care_team").lines
    assert (line.display, line.negated) == ("Grace Okafor", True)
    assert "CareTeam" not in by_type(summary_bundle(summary, member_id="m", patient=patient))


def test_organizations_of_a_care_team_are_told_apart_and_named() -> None:
    role = CD("92707-9", LOINC)
    team = [
        entry("care_team", role, details={"performer": [{"organization": name}]})
        for name in ("Home Care Inc", "Dialysis Center")
    ]
    found = lines("care_team", holding(A, *team), holding(B, *team))
    assert {line.display: cited(line) for line in found} == {
        "Home Care Inc": ["a", "b"],
        "Dialysis Center": ["a", "b"],
    }
