"""The plan of treatment: each statement by its form and its mood."""

import pytest

from tests.ccda.fhir.conftest import Convert

PLAN = "18776-5"


def planned(name: str, mood: str) -> str:
    product = (
        "<consumable><manufacturedProduct><manufacturedMaterial>"
        '<code code="314076" codeSystem="2.16.840.1.113883.6.88"/></manufacturedMaterial>'
        "</manufacturedProduct></consumable>"
    )
    code = '<code code="104091002" codeSystem="2.16.840.1.113883.6.96"/>'
    inside = product if name == "substanceAdministration" else code
    return (
        f'<{name} moodCode="{mood}"><statusCode code="active"/>'
        f'<effectiveTime value="20250101"/>{inside}</{name}>'
    )


@pytest.mark.parametrize(
    ("name", "mood", "kind", "intent"),
    [
        ("procedure", "RQO", "ServiceRequest", "order"),
        ("act", "INT", "ServiceRequest", "plan"),
        ("encounter", "PRMS", "ServiceRequest", "plan"),
        ("observation", "PRP", "ServiceRequest", "proposal"),
        ("substanceAdministration", "INT", "MedicationRequest", "plan"),
        ("substanceAdministration", "RQO", "MedicationRequest", "order"),
    ],
)
def test_what_is_planned_is_a_request_of_its_intent(
    convert: Convert, name: str, mood: str, kind: str, intent: str
) -> None:
    (found,) = convert(PLAN, planned(name, mood))[kind]
    assert (found["status"], found["intent"]) == ("active", intent)


def test_what_has_been_done_is_told_as_done(convert: Convert) -> None:
    found = convert(PLAN, planned("procedure", "EVN"))
    assert "ServiceRequest" not in found
    assert found["Procedure"][0]["status"] == "in-progress"


def test_a_goal_in_a_plan_is_a_goal(convert: Convert) -> None:
    (found,) = convert(PLAN, planned("observation", "GOL"))["Goal"]
    assert (found["lifecycleStatus"], found["startDate"]) == ("active", "2025-01-01")


def test_what_came_of_a_goal_is_no_goal(convert: Convert) -> None:
    found = convert("11383-7", planned("observation", "EVN"))
    assert "Goal" not in found
    assert found["Observation"][0]["code"]["coding"][0]["code"] == "104091002"


def test_a_goal_without_a_name_is_described_by_what_is_to_be_reached(convert: Convert) -> None:
    goal = (
        '<observation moodCode="GOL"><code nullFlavor="UNK"/><statusCode code="active"/>'
        '<value xsi:type="ST">Walk daily</value></observation>'
    )
    (found,) = convert("61146-7", goal)["Goal"]
    assert found["description"] == {"text": "Walk daily"}
